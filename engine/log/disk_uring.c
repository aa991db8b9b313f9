/* Back end over io_uring: a group is one submission, its completion rings the loop's eventfd.
 *
 * Rules (research F3): write and flush go in one link in one submission, or as one RWF_DSYNC
 * write; a short result is a failure even if the linked flush succeeds; nothing is told before
 * every completion of the write has been seen. */
#include <liburing.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "disk_posix_internal.h"
#include "disk_ring.h"

enum { RING_SIZE = 8 };

/* user_data of the two halves of a write. */
enum { PART_WRITE = 1, PART_FLUSH = 2 };

/* Owned by whoever called disk_uring_new, loop thread only. */
struct disk_uring {
    struct disk_posix posix; /* first */
    struct io_uring ring;
    const uint8_t *buffer; /* registered memory, or NULL */
    size_t buffer_size;
    bool is_registering_wanted;
    uint32_t parts_left; /* completions still to come of the write */
    uint32_t write_size;
    enum err result;
};

static struct disk_uring *uring_from(struct disk *disk)
{
    return (struct disk_uring *)disk;
}

static bool is_registered(const struct disk_uring *uring, const uint8_t *bytes, uint32_t size)
{
    return uring->buffer && bytes >= uring->buffer &&
           bytes + size <= uring->buffer + uring->buffer_size;
}

static struct io_uring_sqe *next_sqe(struct disk_uring *uring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&uring->ring);
    CHECK(sqe != NULL);
    uring->parts_left++;
    return sqe;
}

static void queue_write(struct disk_uring *uring, int file, uint64_t offset, const uint8_t *bytes,
                        uint32_t size)
{
    struct io_uring_sqe *sqe = next_sqe(uring);
    if (is_registered(uring, bytes, size)) {
        io_uring_prep_write_fixed(sqe, file, bytes, size, offset, 0);
    } else {
        io_uring_prep_write(sqe, file, bytes, size, offset);
    }
    if (uring->posix.base.facts.method == DISK_METHOD_DSYNC) {
        sqe->rw_flags = RWF_DSYNC;
    }
    sqe->user_data = PART_WRITE;
    if (uring->posix.base.facts.method == DISK_METHOD_FDATASYNC) {
        sqe->flags |= IOSQE_IO_LINK;
        struct io_uring_sqe *flush = next_sqe(uring);
        io_uring_prep_fsync(flush, file, IORING_FSYNC_DATASYNC);
        flush->user_data = PART_FLUSH;
    }
}

static void write_start(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                        uint32_t size)
{
    struct disk_uring *uring = uring_from(disk);
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    CHECK(uring->parts_left == 0);
    uring->write_size = size;
    uring->result = ERR_OK;
    queue_write(uring, file, offset, bytes, size);
    const int expected = (int)uring->parts_left;
    int submitted = 0;
    do {
        submitted = io_uring_submit(&uring->ring);
    } while (submitted == -EINTR || submitted == -EAGAIN || submitted == -EBUSY);
    /* One batch of one or two entries into an empty ring: all or an error that is a bug. */
    CHECK(submitted == expected);
}

static void take_result(struct disk_uring *uring, const struct io_uring_cqe *cqe)
{
    enum err err = ERR_OK;
    if (cqe->res < 0) {
        err = err_from_errno(-cqe->res);
    } else if (cqe->user_data == PART_WRITE && (uint32_t)cqe->res != uring->write_size) {
        err = ERR_IO;
    }
    /* The write's own error says more than the flush that was cancelled for it. */
    if (err != ERR_OK && (uring->result == ERR_OK || cqe->user_data == PART_WRITE)) {
        uring->result = err;
    }
    CHECK(uring->parts_left > 0);
    uring->parts_left--;
}

/* Take the completions that are there; true when the write's last one was among them. */
static bool reap(struct disk_uring *uring)
{
    struct io_uring_cqe *cqe;
    const uint32_t before = uring->parts_left;
    while (io_uring_peek_cqe(&uring->ring, &cqe) == 0) {
        take_result(uring, cqe);
        io_uring_cqe_seen(&uring->ring, cqe);
    }
    return before > 0 && uring->parts_left == 0;
}

static void drive(struct disk *disk, bool wait)
{
    struct disk_uring *uring = uring_from(disk);
    disk_posix_drain(&uring->posix, wait);
    if (reap(uring)) {
        disk->listener.written(disk->listener.owner, uring->result);
    }
}

static enum err register_buffer(struct disk *disk, void *bytes, size_t size)
{
    struct disk_uring *uring = uring_from(disk);
    const struct iovec part = {.iov_base = bytes, .iov_len = size};
    if (!uring->is_registering_wanted) {
        disk_posix_fallback(&uring->posix, "registered buffers off by option");
        return ERR_UNSUPPORTED;
    }
    const int error = io_uring_register_buffers(&uring->ring, &part, 1);
    if (error != 0) {
        disk_posix_fallback(&uring->posix, "registered buffers: %s (memlock limit?)",
                            strerror(-error));
        return err_from_errno(-error);
    }
    uring->buffer = bytes;
    uring->buffer_size = size;
    disk->facts.has_registered_buffers = true;
    return ERR_OK;
}

static void free_uring(struct disk *disk)
{
    struct disk_uring *uring = uring_from(disk);
    struct io_uring_cqe *cqe;
    while (uring->parts_left > 0 && io_uring_wait_cqe(&uring->ring, &cqe) == 0) {
        take_result(uring, cqe);
        io_uring_cqe_seen(&uring->ring, cqe);
    }
    io_uring_queue_exit(&uring->ring);
    disk_posix_close_all(&uring->posix);
    free(uring);
}

static const struct disk_ops uring_ops = {
    DISK_POSIX_OPS, .write_start = write_start, .register_buffer = register_buffer,
    .drive = drive, .free = free_uring,
};

static enum err start_ring(struct disk_uring *uring)
{
    int refused;
    int error = disk_ring_start(&uring->ring, RING_SIZE, &refused);
    if (error != 0) {
        return error == -ENOMEM ? ERR_UNSUPPORTED : err_from_errno(-error);
    }
    uring->posix.base.facts.is_restricted = refused == 0;
    if (refused) {
        disk_posix_fallback(&uring->posix, "restricted io_uring: %s", strerror(refused));
    }
    io_uring_ring_dontfork(&uring->ring);
    error = io_uring_register_eventfd(&uring->ring, uring->posix.event_fd);
    if (error != 0) {
        io_uring_queue_exit(&uring->ring);
        return err_from_errno(-error);
    }
    return ERR_OK;
}

enum err disk_uring_new(const struct disk_options *options, struct disk **disk_out)
{
    struct disk_uring *uring = calloc(1, sizeof *uring);
    if (!uring) {
        return ERR_NOMEM;
    }
    uring->posix.base.ops = &uring_ops;
    uring->posix.base.facts.backend = "io_uring";
    uring->is_registering_wanted = !options->force_unregistered;
    enum err err = disk_posix_init(&uring->posix, options);
    if (err != ERR_OK) {
        goto err_memory;
    }
    err = start_ring(uring);
    if (err != ERR_OK) {
        goto err_posix;
    }
    err = disk_posix_method(&uring->posix, options->method);
    if (err != ERR_OK) {
        free_uring(&uring->posix.base);
        return err;
    }
    *disk_out = &uring->posix.base;
    return ERR_OK;
err_posix:
    disk_posix_close_all(&uring->posix);
err_memory:
    free(uring);
    return err;
}
