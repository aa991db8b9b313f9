/* Counts operations and turns one into a failure. */
#include "disk_fault.h"

#include <stdlib.h>

#include "check.h"

struct disk_fault {
    struct disk base; /* first */
    struct disk *inner;
    enum disk_fault_kind kind; /* armed */
    uint64_t at;               /* 0: not armed */
    enum err err;
    enum err write_err; /* to be told for the write in flight; ERR_OK: the inner's */
    enum err job_err;
    uint64_t writes;
    uint64_t jobs;
    uint64_t calls;
};

static struct disk_fault *fault_from(struct disk *disk)
{
    return (struct disk_fault *)disk;
}

static bool is_write_kind(enum disk_fault_kind kind)
{
    return kind == DISK_FAULT_WRITE_LOST || kind == DISK_FAULT_WRITE_SHORT ||
           kind == DISK_FAULT_FLUSH;
}

static enum err call(struct disk_fault *fault)
{
    fault->calls++;
    const bool hits = fault->kind == DISK_FAULT_CALL && fault->at == fault->calls;
    return hits ? fault->err : ERR_OK;
}

/* Each blocking operation: counted, then passed on. */
#define PASS(operation)                                                                            \
    const enum err fault_err = call(fault_from(disk));                                             \
    struct disk *inner = fault_from(disk)->inner;                                                  \
    return fault_err != ERR_OK ? fault_err : inner->ops->operation

static enum err list(struct disk *disk, disk_list_cb *each, void *owner)
{
    PASS(list(inner, each, owner));
}

static enum err open_file(struct disk *disk, const char *name, int *file_out, uint64_t *size_out)
{
    PASS(open(inner, name, file_out, size_out));
}

static void close_file(struct disk *disk, int file)
{
    fault_from(disk)->inner->ops->close(fault_from(disk)->inner, file);
}

static enum err read_file(struct disk *disk, int file, uint64_t offset, void *bytes, size_t size)
{
    PASS(read(inner, file, offset, bytes, size));
}

static enum err put(struct disk *disk, const char *name, const void *bytes, size_t size)
{
    PASS(put(inner, name, bytes, size));
}

static enum err get(struct disk *disk, const char *name, void *bytes, size_t size, size_t *size_out)
{
    PASS(get(inner, name, bytes, size, size_out));
}

static enum err rename_file(struct disk *disk, const char *from, const char *to)
{
    PASS(rename(inner, from, to));
}

static enum err remove_file(struct disk *disk, const char *name)
{
    PASS(remove(inner, name));
}

static enum err free_space(struct disk *disk, uint64_t *bytes_out)
{
    PASS(free_space(inner, bytes_out));
}

static enum err draw(struct disk *disk, void *bytes, size_t size)
{
    return fault_from(disk)->inner->ops->random(fault_from(disk)->inner, bytes, size);
}

static enum err create(struct disk *disk, const char *name, uint64_t size,
                       const uint8_t *first_block)
{
    PASS(create(inner, name, size, first_block));
}

/* A job that is to fail is not begun: what it would have made is absent. */
static bool job_hits(struct disk_fault *fault)
{
    fault->jobs++;
    return fault->kind == DISK_FAULT_JOB && fault->at == fault->jobs;
}

static void create_start(struct disk *disk, const char *name, uint64_t size,
                         const uint8_t *first_block)
{
    struct disk_fault *fault = fault_from(disk);
    if (job_hits(fault)) {
        fault->job_err = fault->err;
        return;
    }
    fault->inner->ops->create_start(fault->inner, name, size, first_block);
}

static void rename_start(struct disk *disk, const char *from, const char *to)
{
    struct disk_fault *fault = fault_from(disk);
    if (job_hits(fault)) {
        fault->job_err = fault->err;
        return;
    }
    fault->inner->ops->rename_start(fault->inner, from, to);
}

static void remove_start(struct disk *disk, const char *name)
{
    struct disk_fault *fault = fault_from(disk);
    if (job_hits(fault)) {
        fault->job_err = fault->err;
        return;
    }
    fault->inner->ops->remove_start(fault->inner, name);
}

static enum err make(struct disk *disk, const char *name, uint64_t room, int *file_out)
{
    PASS(make(inner, name, room, file_out));
}

static enum err write_on(struct disk *disk, int file, uint64_t offset, const void *bytes,
                         size_t size)
{
    PASS(write(inner, file, offset, bytes, size));
}

static enum err finish(struct disk *disk, int file, uint64_t size)
{
    PASS(finish(inner, file, size));
}

/* How much of a write that is to fail reaches the disk. */
static uint32_t arriving(enum disk_fault_kind kind, uint32_t size)
{
    if (kind == DISK_FAULT_FLUSH) {
        return size;
    }
    return kind == DISK_FAULT_WRITE_SHORT ? size / 2 / DISK_ALIGN * DISK_ALIGN : 0;
}

/* Count a write; how much of it reaches the disk. */
static uint32_t write_hits(struct disk_fault *fault, uint32_t size)
{
    fault->writes++;
    if (!is_write_kind(fault->kind) || fault->at != fault->writes) {
        return size;
    }
    fault->write_err = fault->err;
    return arriving(fault->kind, size);
}

static void write_start(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                        uint32_t size)
{
    struct disk_fault *fault = fault_from(disk);
    const uint32_t arrives = write_hits(fault, size);
    fault->inner->ops->write_start(fault->inner, file, offset, bytes, arrives);
}

static void write_here(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                       uint32_t size)
{
    struct disk_fault *fault = fault_from(disk);
    const uint32_t arrives = write_hits(fault, size);
    fault->inner->ops->write_here(fault->inner, file, offset, bytes, arrives);
}

static enum err register_buffer(struct disk *disk, void *bytes, size_t size)
{
    return fault_from(disk)->inner->ops->register_buffer(fault_from(disk)->inner, bytes, size);
}

static int poll_fd(struct disk *disk)
{
    return fault_from(disk)->inner->ops->poll_fd(fault_from(disk)->inner);
}

static void on_written(void *owner, enum err err)
{
    struct disk_fault *fault = owner;
    const enum err told = fault->write_err != ERR_OK ? fault->write_err : err;
    fault->write_err = ERR_OK;
    if (fault->base.listener.written) {
        fault->base.listener.written(fault->base.listener.owner, told);
    }
}

static void on_job_done(void *owner, enum err err)
{
    struct disk_fault *fault = owner;
    if (fault->base.listener.job_done) {
        fault->base.listener.job_done(fault->base.listener.owner, err);
    }
}

static void drive(struct disk *disk, bool wait)
{
    struct disk_fault *fault = fault_from(disk);
    if (fault->job_err != ERR_OK) {
        const enum err err = fault->job_err;
        fault->job_err = ERR_OK;
        on_job_done(fault, err);
        return;
    }
    fault->inner->ops->drive(fault->inner, wait);
}

static void keep(struct disk *disk)
{
    (void)disk; /* the test's; see disk_fault_free */
}

static const struct disk_ops fault_ops = {
    .list = list,
    .open = open_file,
    .close = close_file,
    .read = read_file,
    .put = put,
    .get = get,
    .rename = rename_file,
    .remove = remove_file,
    .free_space = free_space,
    .random = draw,
    .create = create,
    .create_start = create_start,
    .rename_start = rename_start,
    .remove_start = remove_start,
    .make = make,
    .write = write_on,
    .finish = finish,
    .write_start = write_start,
    .write_here = write_here,
    .register_buffer = register_buffer,
    .poll_fd = poll_fd,
    .drive = drive,
    .free = keep,
};

struct disk *disk_fault_new(struct disk *inner)
{
    struct disk_fault *fault = calloc(1, sizeof *fault);
    CHECK(fault != NULL);
    fault->base.ops = &fault_ops;
    fault->base.facts = inner->facts;
    fault->inner = inner;
    inner->listener =
        (struct disk_listener){.owner = fault, .written = on_written, .job_done = on_job_done};
    return &fault->base;
}

void disk_fault_free(struct disk *disk)
{
    if (disk) {
        fault_from(disk)->inner->listener = (struct disk_listener){0};
        free(disk);
    }
}

void disk_fault_arm(struct disk *disk, enum disk_fault_kind kind, uint64_t at, enum err err)
{
    struct disk_fault *fault = fault_from(disk);
    CHECK(err != ERR_OK);
    fault->kind = kind;
    fault->err = err;
    fault->at = at + disk_fault_count(disk, kind);
}

void disk_fault_disarm(struct disk *disk)
{
    fault_from(disk)->at = 0;
}

bool disk_fault_has_come(const struct disk *disk)
{
    const struct disk_fault *fault = (const struct disk_fault *)disk;
    return fault->at > 0 && disk_fault_count(disk, fault->kind) >= fault->at;
}

uint64_t disk_fault_count(const struct disk *disk, enum disk_fault_kind kind)
{
    const struct disk_fault *fault = (const struct disk_fault *)disk;
    if (kind == DISK_FAULT_JOB) {
        return fault->jobs;
    }
    return kind == DISK_FAULT_CALL ? fault->calls : fault->writes;
}
