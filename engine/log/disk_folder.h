/* A real folder: blocking file operations that leave nothing half durable. Any one thread at a
 * time; folder_create and folder_rename may run beside reads and writes of other files. */
#ifndef LOG_DISK_FOLDER_H
#define LOG_DISK_FOLDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk.h"
#include "err.h"

struct folder {
    int dir_fd;
    int lock_fd;
    enum disk_access access;
    bool is_direct;        /* files are opened with O_DIRECT */
    bool is_durable;       /* false on tmpfs and ramfs */
    atomic_bool is_ending; /* ends a long folder_create early */
};

/* Open dir, as an owner making it if it is missing, take its lock, find out what it can. After an
 * error folder_close is still due. */
ERR_MUST_USE enum err folder_open(struct folder *folder, const char *dir, enum disk_access access,
                                  bool force_buffered);
void folder_close(struct folder *folder);

/* The operations of disk.h, blocking. */
ERR_MUST_USE enum err folder_list(struct folder *folder, disk_list_cb *each, void *owner);
ERR_MUST_USE enum err folder_file_open(struct folder *folder, const char *name, int *file_out,
                                       uint64_t *size_out);
ERR_MUST_USE enum err folder_read(int file, uint64_t offset, void *bytes, size_t size);
ERR_MUST_USE enum err folder_put(struct folder *folder, const char *name, const void *bytes,
                                 size_t size);
ERR_MUST_USE enum err folder_get(struct folder *folder, const char *name, void *bytes, size_t size,
                                 size_t *size_out);
ERR_MUST_USE enum err folder_rename(struct folder *folder, const char *from, const char *to);
ERR_MUST_USE enum err folder_remove(struct folder *folder, const char *name);
ERR_MUST_USE enum err folder_free_space(struct folder *folder, uint64_t *bytes_out);

/* Paced: at about half the disk's speed, while the log is being written to. */
ERR_MUST_USE enum err folder_create(struct folder *folder, const char *name, uint64_t size,
                                    const uint8_t *first_block, bool is_paced);

/* make, write and finish of disk.h. */
ERR_MUST_USE enum err folder_make(struct folder *folder, const char *name, uint64_t room,
                                  int *file_out);
ERR_MUST_USE enum err folder_write_on(int file, uint64_t offset, const void *bytes, size_t size);
ERR_MUST_USE enum err folder_finish(int file, uint64_t size);

/* One write and its flush; a short write is ERR_IO, never tried again. */
ERR_MUST_USE enum err folder_write(int file, uint64_t offset, const uint8_t *bytes, size_t size,
                                   enum disk_method method);

#endif
