/* Operations common to the real back ends, and the measurement that picks the write method. */
#include "disk_posix_internal.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { MEASURE_ROUNDS = 15, MEASURE_SIZE = 16384, MEASURE_FILE_SIZE = MEASURE_SIZE * 16 };
#define MEASURE_NAME "measure.tmp"

static struct disk_posix *posix_from(struct disk *disk)
{
    return (struct disk_posix *)disk;
}

enum err disk_posix_list(struct disk *disk, disk_list_cb *each, void *owner)
{
    return folder_list(&posix_from(disk)->folder, each, owner);
}

enum err disk_posix_open(struct disk *disk, const char *name, int *file_out, uint64_t *size_out)
{
    return folder_file_open(&posix_from(disk)->folder, name, file_out, size_out);
}

void disk_posix_close(struct disk *disk, int file)
{
    (void)disk;
    close(file);
}

enum err disk_posix_read(struct disk *disk, int file, uint64_t offset, void *bytes, size_t size)
{
    (void)disk;
    return folder_read(file, offset, bytes, size);
}

enum err disk_posix_put(struct disk *disk, const char *name, const void *bytes, size_t size)
{
    return folder_put(&posix_from(disk)->folder, name, bytes, size);
}

enum err disk_posix_get(struct disk *disk, const char *name, void *bytes, size_t size,
                        size_t *size_out)
{
    return folder_get(&posix_from(disk)->folder, name, bytes, size, size_out);
}

enum err disk_posix_rename(struct disk *disk, const char *from, const char *to)
{
    return folder_rename(&posix_from(disk)->folder, from, to);
}

enum err disk_posix_remove(struct disk *disk, const char *name)
{
    return folder_remove(&posix_from(disk)->folder, name);
}

enum err disk_posix_free_space(struct disk *disk, uint64_t *bytes_out)
{
    return folder_free_space(&posix_from(disk)->folder, bytes_out);
}

enum err disk_posix_create(struct disk *disk, const char *name, uint64_t size,
                           const uint8_t *first_block)
{
    return folder_create(&posix_from(disk)->folder, name, size, first_block, false);
}

static void keep_name(char kept[64], const char *name)
{
    const int size = snprintf(kept, 64, "%s", name);
    CHECK(size > 0);
    CHECK(size < 64);
}

static enum err create_job(void *owner)
{
    struct disk_posix *posix = owner;
    return folder_create(&posix->folder, posix->job_name, posix->job_size, posix->job_block, true);
}

void disk_posix_create_start(struct disk *disk, const char *name, uint64_t size,
                             const uint8_t *first_block)
{
    struct disk_posix *posix = posix_from(disk);
    keep_name(posix->job_name, name);
    posix->job_size = size;
    memcpy(posix->job_block, first_block, DISK_ALIGN);
    worker_ask(&posix->jobs, create_job, posix);
}

static enum err rename_job(void *owner)
{
    struct disk_posix *posix = owner;
    return folder_rename(&posix->folder, posix->job_name, posix->job_to);
}

void disk_posix_rename_start(struct disk *disk, const char *from, const char *to)
{
    struct disk_posix *posix = posix_from(disk);
    keep_name(posix->job_name, from);
    keep_name(posix->job_to, to);
    worker_ask(&posix->jobs, rename_job, posix);
}

static enum err remove_job(void *owner)
{
    struct disk_posix *posix = owner;
    return folder_remove(&posix->folder, posix->job_name);
}

void disk_posix_remove_start(struct disk *disk, const char *name)
{
    struct disk_posix *posix = posix_from(disk);
    keep_name(posix->job_name, name);
    worker_ask(&posix->jobs, remove_job, posix);
}

enum err disk_posix_make(struct disk *disk, const char *name, uint64_t room, int *file_out)
{
    return folder_make(&posix_from(disk)->folder, name, room, file_out);
}

enum err disk_posix_write(struct disk *disk, int file, uint64_t offset, const void *bytes,
                          size_t size)
{
    (void)disk;
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    return folder_write_on(file, offset, bytes, size);
}

enum err disk_posix_finish(struct disk *disk, int file, uint64_t size)
{
    (void)disk;
    return folder_finish(file, size);
}

enum err disk_posix_random(struct disk *disk, void *bytes, size_t size)
{
    (void)disk;
    CHECK(size <= 256); /* up to there getrandom is never short */
    return getrandom(bytes, size, 0) == (ssize_t)size ? ERR_OK : ERR_SYS;
}

void disk_posix_write_here(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                           uint32_t size)
{
    struct disk_posix *posix = posix_from(disk);
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    CHECK(!posix->has_written_here);
    posix->here_result = folder_write(file, offset, bytes, size, disk->facts.method);
    posix->has_written_here = true;
    worker_ring(posix->event_fd);
}

int disk_posix_poll_fd(struct disk *disk)
{
    return posix_from(disk)->event_fd;
}

void disk_posix_drain(struct disk_posix *posix, bool wait)
{
    uint64_t rings;
    struct pollfd ask = {.fd = posix->event_fd, .events = POLLIN};
    while (wait && poll(&ask, 1, -1) < 0) {
        CHECK(errno == EINTR);
    }
    const ssize_t got = read(posix->event_fd, &rings, sizeof rings);
    CHECK(got == (ssize_t)sizeof rings || errno == EAGAIN);
    enum err result;
    if (worker_take(&posix->jobs, &result) && posix->base.listener.job_done) {
        posix->base.listener.job_done(posix->base.listener.owner, result);
    }
    if (posix->has_written_here) {
        posix->has_written_here = false;
        posix->base.listener.written(posix->base.listener.owner, posix->here_result);
    }
}

void disk_posix_fallback(struct disk_posix *posix, const char *format, ...)
{
    char *text = posix->base.facts.fallback;
    const size_t size = sizeof posix->base.facts.fallback;
    const size_t used = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    if (used + 2 < size) {
        const int put = snprintf(text + used, size - used, "%s", used ? ", " : "");
        const size_t at = used + (size_t)(put > 0 ? put : 0);
        vsnprintf(text + at, size - at, format, arguments);
    }
    va_end(arguments);
}

enum err disk_posix_init(struct disk_posix *posix, const struct disk_options *options)
{
    posix->event_fd = -1;
    enum err err = folder_open(&posix->folder, options->dir, options->access,
                               options->force_buffered);
    if (err != ERR_OK) {
        goto err_folder;
    }
    posix->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (posix->event_fd < 0) {
        err = err_from_errno(errno);
        goto err_folder;
    }
    err = worker_start(&posix->jobs, posix->event_fd, "shelf-segments", false);
    if (err != ERR_OK) {
        goto err_folder;
    }
    posix->base.facts.is_direct = posix->folder.is_direct;
    posix->base.facts.is_durable = posix->folder.is_durable;
    if (!posix->folder.is_direct) {
        disk_posix_fallback(posix, options->force_buffered ? "O_DIRECT off by option"
                                                           : "O_DIRECT not to be had here");
    }
    return ERR_OK;
err_folder:
    disk_posix_close_all(posix);
    return err;
}

void disk_posix_close_all(struct disk_posix *posix)
{
    atomic_store_explicit(&posix->folder.is_ending, true, memory_order_relaxed);
    worker_stop(&posix->jobs);
    if (posix->event_fd >= 0) {
        close(posix->event_fd);
    }
    folder_close(&posix->folder);
}

/* Where the measurement hears of its writes. */
struct measure {
    bool is_done;
    enum err err;
};

static void on_measured(void *owner, enum err err)
{
    struct measure *measure = owner;
    measure->is_done = true;
    measure->err = err;
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

static int compare_u32(const void *a, const void *b)
{
    const uint32_t left = *(const uint32_t *)a;
    const uint32_t right = *(const uint32_t *)b;
    return (left > right) - (left < right);
}

/* Percentiles of durable writes, in us: the quick end and the slow one. */
struct measured {
    uint32_t low;  /* 20th */
    uint32_t high; /* 80th */
};

static uint32_t at_least_one(uint32_t us)
{
    return us ? us : 1;
}

/* Times of durable writes by method, while this thread spins: the engine loop is busy when it
 * matters. Waiting asleep hides that the completion of an O_DIRECT RWF_DSYNC
 * write runs in a kernel worker bound to one CPU, where it may wait 4 ms for a busy thread. */
static enum err measure_method(struct disk *disk, int file, const uint8_t *bytes,
                               enum disk_method method, struct measured *measured_out)
{
    uint32_t took[MEASURE_ROUNDS];
    struct measure measure = {0};
    disk->listener = (struct disk_listener){.owner = &measure, .written = on_measured};
    disk->facts.method = method;
    for (uint32_t i = 0; i < MEASURE_ROUNDS; i++) {
        const uint64_t start = now_us();
        measure.is_done = false;
        disk->ops->write_start(disk, file, (uint64_t)i * MEASURE_SIZE, bytes, MEASURE_SIZE);
        while (!measure.is_done) {
            disk->ops->drive(disk, false);
        }
        if (measure.err != ERR_OK) {
            return measure.err;
        }
        took[i] = (uint32_t)(now_us() - start);
    }
    qsort(took, MEASURE_ROUNDS, sizeof took[0], compare_u32);
    *measured_out = (struct measured){.low = at_least_one(took[MEASURE_ROUNDS * 2 / 10]),
                                      .high = at_least_one(took[MEASURE_ROUNDS * 8 / 10])};
    return ERR_OK;
}

/* A file system that does not know RWF_DSYNC refuses it: then the other method is taken. It is
 * also taken unless RWF_DSYNC at its slow end is a fifth faster than the other at its quick one:
 * its completion needs no kernel worker, and on a busy machine both are but noise. */
static enum err measure_both(struct disk *disk, int file, const uint8_t *bytes)
{
    struct disk_facts *facts = &disk->facts;
    struct measured fdatasync_us;
    struct measured dsync_us = {0};
    const enum err err = measure_method(disk, file, bytes, DISK_METHOD_FDATASYNC, &fdatasync_us);
    if (err != ERR_OK) {
        return err;
    }
    const enum err dsync = measure_method(disk, file, bytes, DISK_METHOD_DSYNC, &dsync_us);
    const bool is_faster =
        dsync == ERR_OK && (uint64_t)dsync_us.high * 5 < fdatasync_us.low * 4ull;
    facts->flush_us_fdatasync = fdatasync_us.high;
    facts->flush_us_dsync = dsync_us.high;
    facts->method = is_faster ? DISK_METHOD_DSYNC : DISK_METHOD_FDATASYNC;
    return ERR_OK;
}

static enum err measure_disk(struct disk *disk)
{
    int file;
    uint64_t size;
    void *bytes = NULL;
    if (posix_memalign(&bytes, DISK_ALIGN, MEASURE_SIZE) != 0) {
        return ERR_NOMEM;
    }
    memset(bytes, 0, MEASURE_SIZE);
    enum err err = disk->ops->create(disk, MEASURE_NAME, MEASURE_FILE_SIZE, bytes);
    if (err == ERR_OK) {
        err = disk->ops->open(disk, MEASURE_NAME, &file, &size);
    }
    if (err == ERR_OK) {
        err = measure_both(disk, file, bytes);
        disk->ops->close(disk, file);
    }
    const enum err removed = disk->ops->remove(disk, MEASURE_NAME);
    disk->listener = (struct disk_listener){0};
    free(bytes);
    return err == ERR_OK ? removed : err;
}

enum err disk_posix_method(struct disk_posix *posix, enum disk_method asked)
{
    struct disk_facts *facts = &posix->base.facts;
    facts->method = asked;
    if (asked != DISK_METHOD_AUTO) {
        return ERR_OK;
    }
    const enum err err = measure_disk(&posix->base);
    if (err == ERR_NOSPACE) {
        /* A full disk must still start, to serve reads: take the method that always works. */
        facts->method = DISK_METHOD_FDATASYNC;
        disk_posix_fallback(posix, "write method not measured: disk full");
        return ERR_OK;
    }
    return err;
}
