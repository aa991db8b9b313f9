/* What the two back ends over a real folder share: the folder, the thread for jobs, the eventfd,
 * and the operations that are alike. */
#ifndef LOG_DISK_POSIX_INTERNAL_H
#define LOG_DISK_POSIX_INTERNAL_H

#include "disk.h"
#include "disk_folder.h"
#include "disk_worker.h"

/* Owned by the back end that embeds it as first member; loop thread, but for job_*, which the
 * worker reads while a job runs. */
struct disk_posix {
    struct disk base;
    struct folder folder;
    struct worker jobs;
    int event_fd; /* rung by workers, by the ring and by write_here */
    bool has_written_here; /* a write_here's result is to be told */
    enum err here_result;
    char job_name[64];
    char job_to[64];
    uint64_t job_size;
    uint8_t job_block[DISK_ALIGN];
};

/* The operations of disk.h that both have, with write_start, drive, register_buffer and free of
 * the back end itself. */
#define DISK_POSIX_OPS                                                                             \
    .list = disk_posix_list, .open = disk_posix_open, .close = disk_posix_close,                   \
    .read = disk_posix_read, .put = disk_posix_put, .get = disk_posix_get,                         \
    .rename = disk_posix_rename, .remove = disk_posix_remove, .free_space = disk_posix_free_space, \
    .create = disk_posix_create, .create_start = disk_posix_create_start,                          \
    .rename_start = disk_posix_rename_start, .remove_start = disk_posix_remove_start,              \
    .make = disk_posix_make, .write = disk_posix_write, .finish = disk_posix_finish,               \
    .poll_fd = disk_posix_poll_fd, .random = disk_posix_random,                                    \
    .write_here = disk_posix_write_here

enum err disk_posix_list(struct disk *disk, disk_list_cb *each, void *owner);
enum err disk_posix_open(struct disk *disk, const char *name, int *file_out, uint64_t *size_out);
void disk_posix_close(struct disk *disk, int file);
enum err disk_posix_read(struct disk *disk, int file, uint64_t offset, void *bytes, size_t size);
enum err disk_posix_put(struct disk *disk, const char *name, const void *bytes, size_t size);
enum err disk_posix_get(struct disk *disk, const char *name, void *bytes, size_t size,
                        size_t *size_out);
enum err disk_posix_rename(struct disk *disk, const char *from, const char *to);
enum err disk_posix_remove(struct disk *disk, const char *name);
enum err disk_posix_free_space(struct disk *disk, uint64_t *bytes_out);
enum err disk_posix_create(struct disk *disk, const char *name, uint64_t size,
                           const uint8_t *first_block);
void disk_posix_create_start(struct disk *disk, const char *name, uint64_t size,
                             const uint8_t *first_block);
void disk_posix_rename_start(struct disk *disk, const char *from, const char *to);
enum err disk_posix_random(struct disk *disk, void *bytes, size_t size);
void disk_posix_remove_start(struct disk *disk, const char *name);
enum err disk_posix_make(struct disk *disk, const char *name, uint64_t room, int *file_out);
enum err disk_posix_write(struct disk *disk, int file, uint64_t offset, const void *bytes,
                          size_t size);
enum err disk_posix_finish(struct disk *disk, int file, uint64_t size);
void disk_posix_write_here(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                           uint32_t size);
int disk_posix_poll_fd(struct disk *disk);

/* Open folder, eventfd and worker; on an error nothing is left open. */
ERR_MUST_USE enum err disk_posix_init(struct disk_posix *posix, const struct disk_options *options);

/* Stop the worker first, then close. */
void disk_posix_close_all(struct disk_posix *posix);

/* Empty the eventfd, waiting for it first if asked; tell of a finished job and of a write_here. */
void disk_posix_drain(struct disk_posix *posix, bool wait);

/* Fix facts.method: as asked, or the faster one of the two, measured over this very disk. */
ERR_MUST_USE enum err disk_posix_method(struct disk_posix *posix, enum disk_method asked);

/* Add a sentence to facts.fallback. */
__attribute__((format(printf, 2, 3))) void disk_posix_fallback(struct disk_posix *posix,
                                                               const char *format, ...);

#endif
