/* Back end by a thread: pwrite and fdatasync on one of their own. It is there on every kernel, in
 * every container; taken where io_uring is not to be had, with --pin, or when asked for. */
#include <stdlib.h>

#include "check.h"
#include "disk_posix_internal.h"

/* Owned by whoever called disk_pwrite_new; write_* is read by the writer while a write runs. */
struct disk_pwrite {
    struct disk_posix posix; /* first */
    struct worker writer;
    int write_file;
    uint64_t write_offset;
    const uint8_t *write_bytes;
    uint32_t write_size;
    enum disk_method write_method;
};

static struct disk_pwrite *pwrite_from(struct disk *disk)
{
    return (struct disk_pwrite *)disk;
}

static enum err write_job(void *owner)
{
    const struct disk_pwrite *disk_pwrite = owner;
    return folder_write(disk_pwrite->write_file, disk_pwrite->write_offset,
                        disk_pwrite->write_bytes, disk_pwrite->write_size,
                        disk_pwrite->write_method);
}

static void write_start(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                        uint32_t size)
{
    struct disk_pwrite *disk_pwrite = pwrite_from(disk);
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    disk_pwrite->write_file = file;
    disk_pwrite->write_offset = offset;
    disk_pwrite->write_bytes = bytes;
    disk_pwrite->write_size = size;
    disk_pwrite->write_method = disk->facts.method;
    worker_ask(&disk_pwrite->writer, write_job, disk_pwrite);
}

static enum err register_buffer(struct disk *disk, void *bytes, size_t size)
{
    (void)disk;
    (void)bytes;
    (void)size;
    return ERR_OK;
}

static void drive(struct disk *disk, bool wait)
{
    struct disk_pwrite *disk_pwrite = pwrite_from(disk);
    enum err result;
    disk_posix_drain(&disk_pwrite->posix, wait);
    if (worker_take(&disk_pwrite->writer, &result)) {
        disk->listener.written(disk->listener.owner, result);
    }
}

static void free_pwrite(struct disk *disk)
{
    struct disk_pwrite *disk_pwrite = pwrite_from(disk);
    worker_stop(&disk_pwrite->writer);
    disk_posix_close_all(&disk_pwrite->posix);
    free(disk_pwrite);
}

static const struct disk_ops pwrite_ops = {
    DISK_POSIX_OPS, .write_start = write_start, .register_buffer = register_buffer,
    .drive = drive, .free = free_pwrite,
};

enum err disk_pwrite_new(const struct disk_options *options, struct disk **disk_out)
{
    struct disk_pwrite *disk_pwrite = calloc(1, sizeof *disk_pwrite);
    if (!disk_pwrite) {
        return ERR_NOMEM;
    }
    disk_pwrite->posix.base.ops = &pwrite_ops;
    disk_pwrite->posix.base.facts.backend = "pwrite";
    enum err err = disk_posix_init(&disk_pwrite->posix, options);
    if (err != ERR_OK) {
        free(disk_pwrite);
        return err;
    }
    err = worker_start(&disk_pwrite->writer, disk_pwrite->posix.event_fd, "shelf-writer", true);
    if (err == ERR_OK) {
        err = disk_posix_method(&disk_pwrite->posix, options->method);
    }
    if (err != ERR_OK) {
        free_pwrite(&disk_pwrite->posix.base);
        return err;
    }
    *disk_out = &disk_pwrite->posix.base;
    return ERR_OK;
}
