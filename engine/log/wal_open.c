/* Life of the log: options, back end, identity, memory, close. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "mem.h"
#include "wal_internal.h"

#define SEGMENT_SIZE_DEFAULT ((uint64_t)256 << 20)
#define GROUP_SIZE_DEFAULT   (4u << 20)

const struct wal_identity *wal_identity(const struct wal *wal)
{
    return &wal->identity;
}

const struct disk_facts *wal_facts(const struct wal *wal)
{
    return &wal->disk->facts;
}

struct disk *wal_disk(const struct wal *wal)
{
    return wal->disk;
}

const char *wal_error(const struct wal *wal)
{
    return wal->error;
}

enum err wal_fail(struct wal *wal, enum err err, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(wal->error, sizeof wal->error, format, arguments);
    va_end(arguments);
    return err;
}

static const char *method_text(enum disk_method method)
{
    switch (method) {
    case DISK_METHOD_AUTO:
        return "auto";
    case DISK_METHOD_FDATASYNC:
        return "write+fdatasync";
    case DISK_METHOD_DSYNC:
        return "dsync";
    case DISK_METHOD_UNSAFE:
        return "UNSAFE-NO-SYNC";
    }
    CHECK_UNREACHABLE("method");
}

const char *wal_facts_text(struct wal *wal)
{
    const struct disk_facts *facts = wal_facts(wal);
    snprintf(wal->facts_text, sizeof wal->facts_text,
             "log=%s direct=%s registered=%s restricted=%s durable=%s method=%s "
             "flush_us_fdatasync=%u flush_us_dsync=%u%s%s%s",
             facts->backend, facts->is_direct ? "yes" : "no",
             facts->has_registered_buffers ? "yes" : "no", facts->is_restricted ? "yes" : "no",
             facts->is_durable ? "yes" : "NO-TMPFS",
             method_text(facts->method), facts->flush_us_fdatasync, facts->flush_us_dsync,
             facts->fallback[0] ? " log_fallback=\"" : "", facts->fallback,
             facts->fallback[0] ? "\"" : "");
    return wal->facts_text;
}

static enum err check_options(struct wal *wal, const struct wal_options *options)
{
    wal->segment_size = options->segment_size ? options->segment_size : SEGMENT_SIZE_DEFAULT;
    wal->group_size_max = options->group_size_max ? options->group_size_max : GROUP_SIZE_DEFAULT;
    const uint64_t group_size = wal_group_size(wal->group_size_max);
    if (!options->disk && (!options->dir || options->is_reader)) {
        return wal_fail(wal, ERR_INVALID, "no data folder given");
    }
    if (wal->group_size_max > WAL_PAYLOAD_SIZE_MAX) {
        return wal_fail(wal, ERR_INVALID, "group_size_max is over %d", WAL_PAYLOAD_SIZE_MAX);
    }
    if (wal->segment_size % WAL_BLOCK_SIZE || wal->segment_size < WAL_BLOCK_SIZE + 2 * group_size) {
        return wal_fail(wal, ERR_INVALID,
                        "segment_size must be a multiple of 4096 and at least %llu",
                        (unsigned long long)(WAL_BLOCK_SIZE + 2 * group_size));
    }
    wal->durable = options->durable;
    wal->failed = options->failed;
    wal->owner = options->owner;
    wal->is_reader = options->is_reader;
    wal->retain_bytes = options->retain_bytes;
    wal->retain_ms = options->retain_ms;
    wal->lone_flush_us = options->lone_flush_us;
    return ERR_OK;
}

static enum err open_backend(struct wal *wal, const struct wal_options *options)
{
    const struct disk_options disk_options = {
        .dir = options->dir,
        .method = options->unsafe_no_sync ? DISK_METHOD_UNSAFE : options->method,
        .force_buffered = options->force_buffered,
        .force_unregistered = options->force_unregistered,
    };
    enum err err = ERR_UNSUPPORTED;
    if (options->backend != WAL_BACKEND_PWRITE) {
        err = disk_uring_new(&disk_options, &wal->disk);
    }
    /* Only what io_uring itself answers may lead to the other one: a folder that cannot be
     * opened is the same for both, and its error comes again. */
    const bool is_refused = err == ERR_UNSUPPORTED || err == ERR_ACCESS || err == ERR_INVALID;
    if (is_refused && options->backend != WAL_BACKEND_URING) {
        const enum err first = err;
        err = disk_pwrite_new(&disk_options, &wal->disk);
        if (err == ERR_OK && options->backend == WAL_BACKEND_AUTO &&
            !wal->disk->facts.fallback[0]) {
            snprintf(wal->disk->facts.fallback, sizeof wal->disk->facts.fallback, "io_uring: %s",
                     err_text(first));
        }
    }
    wal->owns_disk = err == ERR_OK;
    if (err == ERR_LOCKED) {
        return wal_fail(wal, err, "%s is in use by another process (its file `lock` is locked)",
                        options->dir);
    }
    return err == ERR_OK ? ERR_OK : wal_fail(wal, err, "%s: %s", options->dir, err_text(err));
}

static void see_segment(void *owner, const char *name)
{
    uint64_t ordinal;
    bool *has_segments = owner;
    *has_segments |= wal_segment_name_parse(name, &ordinal);
}

static enum err make_identity(struct wal *wal)
{
    bool has_segments = false;
    uint8_t bytes[WAL_IDENTITY_SIZE];
    struct disk *disk = wal->disk;
    enum err err = disk->ops->list(disk, see_segment, &has_segments);
    if (err == ERR_OK && has_segments) {
        return wal_fail(wal, ERR_DAMAGED,
                        "file `identity` is missing beside log segments: put it back from a "
                        "backup of this folder; without it the log cannot be read");
    }
    if (err == ERR_OK) {
        err = disk->ops->random(disk, wal->identity.uuid, 16);
    }
    if (err == ERR_OK) {
        err = disk->ops->random(disk, wal->identity.secret, 16);
    }
    if (err == ERR_OK) {
        wal->identity.version = WAL_FORMAT_VERSION;
        wal_identity_encode(&wal->identity, bytes);
        err = disk->ops->put(disk, WAL_IDENTITY_NAME, bytes, sizeof bytes);
    }
    return err == ERR_OK ? ERR_OK : wal_fail(wal, err, "making `identity`: %s", err_text(err));
}

static enum err read_identity(struct wal *wal)
{
    uint8_t bytes[WAL_IDENTITY_SIZE + 1];
    size_t size;
    const enum err err =
        wal->disk->ops->get(wal->disk, WAL_IDENTITY_NAME, bytes, sizeof bytes, &size);
    if (err == ERR_NOTFOUND && wal->is_reader) {
        return wal_fail(wal, err, "no data folder: it has no file `identity`");
    }
    if (err == ERR_NOTFOUND) {
        return make_identity(wal);
    }
    if (err != ERR_OK) {
        return wal_fail(wal, err, "reading `identity`: %s", err_text(err));
    }
    const enum wal_verdict verdict =
        size == WAL_IDENTITY_SIZE ? wal_identity_decode(bytes, &wal->identity) : WAL_VERDICT_BAD;
    if (verdict == WAL_VERDICT_VERSION) {
        return wal_fail(wal, ERR_FORMAT,
                        "data folder has format version %llu, this program knows version %u: use "
                        "the program that wrote it",
                        (unsigned long long)wal->identity.version, WAL_FORMAT_VERSION);
    }
    if (verdict == WAL_VERDICT_BAD) {
        return wal_fail(wal, ERR_DAMAGED,
                        "file `identity`, offset 0: damaged (%zu bytes, expected %d with a valid "
                        "sum): put it back from a backup of this folder",
                        size, WAL_IDENTITY_SIZE);
    }
    return ERR_OK;
}

/* Both group buffers in one piece, so that one registration covers them. */
static enum err take_memory(struct wal *wal)
{
    const uint64_t size = wal_group_size(wal->group_size_max);
    void *memory;
    wal->group_memory_size = 2 * size;
    const enum err err = mem_reserve(wal->group_memory_size, &memory);
    if (err != ERR_OK) {
        return wal_fail(wal, err, "group buffers: %s", err_text(err));
    }
    wal->group_memory = memory;
    mem_populate(memory, wal->group_memory_size);
    wal->groups[0].bytes = wal->group_memory;
    wal->groups[1].bytes = wal->group_memory + size;
    wal->collecting = &wal->groups[0];
    /* An error only costs speed, and facts tell it. */
    (void)wal->disk->ops->register_buffer(wal->disk, memory, wal->group_memory_size);
    return ERR_OK;
}

static enum err open_wal(struct wal *wal, const struct wal_options *options)
{
    enum err err = check_options(wal, options);
    if (err != ERR_OK) {
        return err;
    }
    wal->disk = options->disk;
    err = wal->disk ? ERR_OK : open_backend(wal, options);
    if (err != ERR_OK) {
        return err;
    }
    if (!wal->is_reader) {
        wal_listen(wal);
    }
    err = read_identity(wal);
    return err == ERR_OK && !wal->is_reader ? take_memory(wal) : err;
}

enum err wal_open(const struct wal_options *options, char error_out[WAL_ERROR_SIZE],
                  struct wal **wal_out)
{
    struct wal *wal = calloc(1, sizeof *wal);
    error_out[0] = '\0';
    if (!wal) {
        return ERR_NOMEM;
    }
    wal->magic = WAL_MAGIC;
    wal->active.file = -1;
    wal->standby = (struct wal_segment){.file = -1, .ordinal = 1};
    wal->idle_since_ms = UINT64_MAX;
    hist_init(&wal->stats.flush_us);
    hist_init(&wal->stats.lone_us);
    hist_init(&wal->stats.group_bytes);
    const enum err err = open_wal(wal, options);
    if (err != ERR_OK) {
        memcpy(error_out, wal->error, WAL_ERROR_SIZE);
        wal_close(wal);
        return err;
    }
    *wal_out = wal;
    return ERR_OK;
}

static void close_file(struct wal *wal, int file)
{
    if (file >= 0) {
        wal->disk->ops->close(wal->disk, file);
    }
}

/* A borrowed disk is left with nothing outstanding; an own one sees to it in free, which can end
 * a long job early. */
static void drain(struct wal *wal)
{
    while (wal->flying || wal->is_removing || wal->chore.is_running ||
           wal->next == WAL_NEXT_BUILDING ||
           wal->next == WAL_NEXT_PROMOTING) {
        wal_wait(wal);
    }
}

void wal_close(struct wal *wal)
{
    if (!wal) {
        return;
    }
    CHECK(wal->magic == WAL_MAGIC);
    if (wal->is_open) {
        wal_settle(wal);
        wal_seal(wal);
        wal_settle(wal);
        if (!wal->owns_disk) {
            drain(wal);
        }
    }
    if (wal->disk) {
        close_file(wal, wal->active.file);
        close_file(wal, wal->standby.file);
        if (!wal->is_reader) {
            wal->disk->listener = (struct disk_listener){0};
        }
    }
    if (wal->owns_disk) {
        wal->disk->ops->free(wal->disk);
    }
    free(wal->spans);
    mem_release(wal->group_memory, wal->group_memory_size);
    wal->magic = 0;
    free(wal);
}
