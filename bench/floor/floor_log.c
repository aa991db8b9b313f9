/* Group writes with io_uring. */
#include "floor_log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "check.h"
#include "crc32c.h"

enum { FILE_SIZE = 64 << 20, PAGE = 4096, HEADER = 64, TRIES = 21 };

static uint64_t clock_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

static enum err fail(const char *what)
{
    fprintf(stderr, "floor: log: %s: %s\n", what, strerror(errno));
    return ERR_SYS;
}

static enum err file_fill(struct floor_log *log)
{
    memset(log->buffers[0], 0, FLOOR_GROUP_MAX);
    for (uint64_t at = 0; at < FILE_SIZE; at += FLOOR_GROUP_MAX) {
        if (pwrite(log->fd, log->buffers[0], FLOOR_GROUP_MAX, (off_t)at) != FLOOR_GROUP_MAX) {
            return fail("write");
        }
    }
    return fsync(log->fd) == 0 ? ERR_OK : fail("fsync");
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void group_wait(struct floor_log *log)
{
    while (!floor_log_reap(log)) {
        struct io_uring_cqe *cqe;
        int result = io_uring_wait_cqe(&log->ring, &cqe);
        CHECK(result == 0 || result == -EINTR);
    }
}

/* Median us of a 4 KiB group. */
static double flush_median(struct floor_log *log, bool uses_dsync)
{
    double times[TRIES];
    log->uses_dsync = uses_dsync;
    for (int i = 0; i < TRIES; i++) {
        uint64_t start = clock_ns();
        floor_log_add(log, 64);
        floor_log_submit(log);
        group_wait(log);
        times[i] = (double)(clock_ns() - start) / 1000;
    }
    qsort(times, TRIES, sizeof times[0], by_value);
    return times[TRIES / 2];
}

static void choose_method(struct floor_log *log)
{
    log->flush_us[0] = flush_median(log, false);
    log->flush_us[1] = flush_median(log, true);
    log->uses_dsync = log->flush_us[1] < log->flush_us[0];
    log->groups = log->bytes = 0;
}

enum err floor_log_open(struct floor_log *log, const char *path, bool is_unsafe)
{
    *log = (struct floor_log){.used = HEADER, .fd = -1, .is_unsafe = is_unsafe};
    log->event_fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        if (posix_memalign((void **)&log->buffers[i], 2 << 20, FLOOR_GROUP_MAX) != 0) {
            return ERR_NOMEM;
        }
        memset(log->buffers[i], 0, FLOOR_GROUP_MAX);
    }
    log->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
    if (log->fd < 0) {
        return fail(path);
    }
    enum err err = file_fill(log);
    if (err == ERR_OK && io_uring_queue_init(8, &log->ring, 0) != 0) {
        return fail("io_uring");
    }
    if (err == ERR_OK) {
        io_uring_register_eventfd(&log->ring, log->event_fd);
        choose_method(log);
    }
    return err;
}

void floor_log_close(struct floor_log *log)
{
    if (log->is_flying) {
        group_wait(log);
    }
    io_uring_queue_exit(&log->ring);
    close(log->fd);
    close(log->event_fd);
    free(log->buffers[0]);
    free(log->buffers[1]);
}

uint8_t *floor_log_room(struct floor_log *log, uint32_t size)
{
    bool has = log->used + size <= FLOOR_GROUP_MAX;
    return has ? log->buffers[log->collecting] + log->used : NULL;
}

bool floor_log_can_submit(const struct floor_log *log)
{
    return !log->is_flying && log->used > HEADER;
}

/* Header: magic, bytes, CRC of what follows. */
static uint32_t group_close(struct floor_log *log)
{
    uint8_t *bytes = log->buffers[log->collecting];
    uint32_t size = (log->used + PAGE - 1) / PAGE * PAGE;
    uint32_t head[3] = {0x524f4c46, log->used, crc32c(0, bytes + HEADER, log->used - HEADER)};
    memcpy(bytes, head, sizeof head);
    memset(bytes + log->used, 0, size - log->used);
    return size;
}

void floor_log_submit(struct floor_log *log)
{
    CHECK(floor_log_can_submit(log));
    uint32_t size = group_close(log);
    if (log->offset + size > FILE_SIZE) {
        log->offset = 0;
    }
    struct io_uring_sqe *sqe = io_uring_get_sqe(&log->ring);
    if (log->is_unsafe) {
        io_uring_prep_nop(sqe);
        log->writes_left = 1;
    } else {
        io_uring_prep_write(sqe, log->fd, log->buffers[log->collecting], size, log->offset);
        sqe->rw_flags = log->uses_dsync ? RWF_DSYNC : 0;
        log->writes_left = log->uses_dsync ? 1 : 2;
    }
    if (log->writes_left == 2) {
        sqe->flags |= IOSQE_IO_LINK;
        io_uring_prep_fsync(io_uring_get_sqe(&log->ring), log->fd, IORING_FSYNC_DATASYNC);
    }
    io_uring_submit(&log->ring);
    log->is_flying = true;
    log->groups++;
    log->bytes += size;
    log->offset += size;
    log->collecting ^= 1;
    log->used = HEADER;
}

bool floor_log_reap(struct floor_log *log)
{
    struct io_uring_cqe *cqe;
    while (log->is_flying && io_uring_peek_cqe(&log->ring, &cqe) == 0) {
        if (cqe->res < 0) {
            fprintf(stderr, "floor: log: %s\n", strerror(-cqe->res));
            exit(1);
        }
        io_uring_cqe_seen(&log->ring, cqe);
        log->writes_left--;
        log->is_flying = log->writes_left > 0;
        if (!log->is_flying) {
            return true;
        }
    }
    return false;
}
