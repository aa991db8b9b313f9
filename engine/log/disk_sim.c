/* Files are heap blocks, a write in flight is a copy until it completes. */
#include "disk_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"

enum { FILES_MAX = 512, NAME_SIZE = 64, SECTOR_SIZE = 512 };

struct sim_file {
    char name[NAME_SIZE]; /* "" = free slot */
    uint8_t *bytes;
    uint64_t size;
    bool is_loose; /* between make and finish: nothing of it is promised */
};

struct sim_write {
    bool is_outstanding;
    int file;
    uint64_t offset;
    uint8_t *bytes;
    uint32_t size;
};

enum sim_job_kind { SIM_JOB_NONE, SIM_JOB_CREATE, SIM_JOB_RENAME, SIM_JOB_REMOVE };

struct sim_job {
    enum sim_job_kind kind;
    char name[NAME_SIZE];
    char to[NAME_SIZE];
    uint64_t size;
    uint8_t block[DISK_ALIGN];
};

struct disk_sim {
    struct disk base; /* first */
    struct rng rng;
    uint64_t capacity;
    bool is_off;
    bool holds_writes;
    bool holds_jobs;
    struct sim_write write;
    struct sim_job job;
    struct sim_file files[FILES_MAX];
};

static struct disk_sim *sim_from(struct disk *disk)
{
    return (struct disk_sim *)disk;
}

static int find(const struct disk_sim *sim, const char *name)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (sim->files[i].bytes && strcmp(sim->files[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

static void drop(struct sim_file *file)
{
    free(file->bytes);
    *file = (struct sim_file){0};
}

static uint64_t used(const struct disk_sim *sim)
{
    uint64_t sum = 0;
    for (int i = 0; i < FILES_MAX; i++) {
        sum += sim->files[i].size;
    }
    return sum;
}

static void name_set(char name[NAME_SIZE], const char *from)
{
    const int size = snprintf(name, NAME_SIZE, "%s", from);
    CHECK(size > 0);
    CHECK(size < NAME_SIZE);
}

static struct sim_file *add(struct disk_sim *sim, const char *name, uint64_t size)
{
    const int old = find(sim, name);
    if (old >= 0) {
        drop(&sim->files[old]);
    }
    for (int i = 0; i < FILES_MAX; i++) {
        if (!sim->files[i].bytes) {
            sim->files[i].bytes = calloc(1, size ? size : 1);
            CHECK(sim->files[i].bytes != NULL);
            sim->files[i].size = size;
            name_set(sim->files[i].name, name);
            return &sim->files[i];
        }
    }
    CHECK_UNREACHABLE("more files than the simulated disk has slots");
}

static enum err list(struct disk *disk, disk_list_cb *each, void *owner)
{
    struct disk_sim *sim = sim_from(disk);
    for (int i = 0; i < FILES_MAX; i++) {
        if (sim->files[i].bytes) {
            each(owner, sim->files[i].name);
        }
    }
    return sim->is_off ? ERR_CLOSED : ERR_OK;
}

static enum err open_file(struct disk *disk, const char *name, int *file_out, uint64_t *size_out)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = find(sim, name);
    if (sim->is_off) {
        return ERR_CLOSED;
    }
    if (file < 0) {
        return ERR_NOTFOUND;
    }
    *file_out = file;
    *size_out = sim->files[file].size;
    return ERR_OK;
}

static void close_file(struct disk *disk, int file)
{
    (void)disk;
    CHECK(file >= 0);
    CHECK(file < FILES_MAX);
}

static enum err read_file(struct disk *disk, int file, uint64_t offset, void *bytes, size_t size)
{
    struct disk_sim *sim = sim_from(disk);
    const struct sim_file *from = &sim->files[file];
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    if (sim->is_off) {
        return ERR_CLOSED;
    }
    if (offset > from->size || size > from->size - offset) {
        return ERR_IO;
    }
    memcpy(bytes, from->bytes + offset, size);
    return ERR_OK;
}

static enum err put(struct disk *disk, const char *name, const void *bytes, size_t size)
{
    struct disk_sim *sim = sim_from(disk);
    if (sim->is_off) {
        return ERR_CLOSED;
    }
    memcpy(add(sim, name, size)->bytes, bytes, size);
    return ERR_OK;
}

static enum err get(struct disk *disk, const char *name, void *bytes, size_t size, size_t *size_out)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = find(sim, name);
    if (file < 0 || sim->is_off) {
        return sim->is_off ? ERR_CLOSED : ERR_NOTFOUND;
    }
    const uint64_t there = sim->files[file].size;
    *size_out = there < size ? (size_t)there : size;
    memcpy(bytes, sim->files[file].bytes, *size_out);
    return ERR_OK;
}

static enum err rename_file(struct disk *disk, const char *from, const char *to)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = find(sim, from);
    const int old = find(sim, to);
    if (file < 0 || sim->is_off) {
        return sim->is_off ? ERR_CLOSED : ERR_NOTFOUND;
    }
    if (old >= 0 && old != file) {
        drop(&sim->files[old]);
    }
    name_set(sim->files[file].name, to);
    return ERR_OK;
}

static enum err remove_file(struct disk *disk, const char *name)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = find(sim, name);
    if (file < 0 || sim->is_off) {
        return sim->is_off ? ERR_CLOSED : ERR_NOTFOUND;
    }
    drop(&sim->files[file]);
    return ERR_OK;
}

static enum err free_space(struct disk *disk, uint64_t *bytes_out)
{
    const struct disk_sim *sim = sim_from(disk);
    const uint64_t taken = used(sim);
    *bytes_out = taken < sim->capacity ? sim->capacity - taken : 0;
    return ERR_OK;
}

static enum err draw(struct disk *disk, void *bytes, size_t size)
{
    uint8_t *to = bytes;
    for (size_t i = 0; i < size; i++) {
        to[i] = (uint8_t)(rng_next(&sim_from(disk)->rng) >> 56);
    }
    return ERR_OK;
}

static enum err create(struct disk *disk, const char *name, uint64_t size,
                       const uint8_t *first_block)
{
    struct disk_sim *sim = sim_from(disk);
    uint64_t left;
    (void)free_space(disk, &left);
    if (sim->is_off || size > left) {
        return sim->is_off ? ERR_CLOSED : ERR_NOSPACE;
    }
    memcpy(add(sim, name, size)->bytes, first_block, DISK_ALIGN);
    return ERR_OK;
}

static void create_start(struct disk *disk, const char *name, uint64_t size,
                         const uint8_t *first_block)
{
    struct sim_job *job = &sim_from(disk)->job;
    CHECK(job->kind == SIM_JOB_NONE);
    job->kind = SIM_JOB_CREATE;
    name_set(job->name, name);
    job->size = size;
    memcpy(job->block, first_block, DISK_ALIGN);
}

static void rename_start(struct disk *disk, const char *from, const char *to)
{
    struct sim_job *job = &sim_from(disk)->job;
    CHECK(job->kind == SIM_JOB_NONE);
    job->kind = SIM_JOB_RENAME;
    name_set(job->name, from);
    name_set(job->to, to);
}

static void remove_start(struct disk *disk, const char *name)
{
    struct sim_job *job = &sim_from(disk)->job;
    CHECK(job->kind == SIM_JOB_NONE);
    job->kind = SIM_JOB_REMOVE;
    name_set(job->name, name);
}

static void resize(struct sim_file *file, uint64_t size)
{
    file->bytes = realloc(file->bytes, size ? size : 1);
    CHECK(file->bytes != NULL);
    if (size > file->size) {
        memset(file->bytes + file->size, 0, size - file->size);
    }
    file->size = size;
}

/* Make the file at least that long, if there is space. */
static enum err reach(struct disk_sim *sim, struct sim_file *file, uint64_t size)
{
    uint64_t left;
    (void)free_space(&sim->base, &left);
    if (size > file->size && size - file->size > left) {
        return ERR_NOSPACE;
    }
    if (size > file->size) {
        resize(file, size);
    }
    return ERR_OK;
}

static enum err make(struct disk *disk, const char *name, uint64_t room, int *file_out)
{
    struct disk_sim *sim = sim_from(disk);
    if (sim->is_off) {
        return ERR_CLOSED;
    }
    const int old = find(sim, name);
    struct sim_file *file = old < 0 ? add(sim, name, 0) : &sim->files[old];
    file->is_loose = true;
    const enum err err = reach(sim, file, room);
    if (err != ERR_OK) {
        drop(file);
        return err;
    }
    *file_out = (int)(file - sim->files);
    return ERR_OK;
}

static enum err write_on(struct disk *disk, int file, uint64_t offset, const void *bytes,
                         size_t size)
{
    struct disk_sim *sim = sim_from(disk);
    struct sim_file *to = &sim->files[file];
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    CHECK(to->is_loose);
    const enum err err = sim->is_off ? ERR_CLOSED : reach(sim, to, offset + size);
    if (err == ERR_OK) {
        memcpy(to->bytes + offset, bytes, size);
    }
    return err;
}

static enum err finish(struct disk *disk, int file, uint64_t size)
{
    struct disk_sim *sim = sim_from(disk);
    CHECK(sim->files[file].is_loose);
    if (sim->is_off) {
        return ERR_CLOSED;
    }
    resize(&sim->files[file], size);
    sim->files[file].is_loose = false;
    return ERR_OK;
}

static void write_start(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                        uint32_t size)
{
    struct disk_sim *sim = sim_from(disk);
    CHECK(!sim->write.is_outstanding);
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    CHECK(offset + size <= sim->files[file].size); /* F4: the log never grows a file */
    sim->write = (struct sim_write){true, file, offset, malloc(size ? size : 1), size};
    CHECK(sim->write.bytes != NULL);
    memcpy(sim->write.bytes, bytes, size);
}

static enum err register_buffer(struct disk *disk, void *bytes, size_t size)
{
    (void)disk;
    (void)bytes;
    (void)size;
    return ERR_OK;
}

static int poll_fd(struct disk *disk)
{
    (void)disk;
    return -1;
}

static void finish_write(struct disk_sim *sim)
{
    struct sim_write write = sim->write;
    sim->write = (struct sim_write){0};
    if (!sim->is_off) {
        memcpy(sim->files[write.file].bytes + write.offset, write.bytes, write.size);
    }
    free(write.bytes);
    if (sim->base.listener.written) {
        sim->base.listener.written(sim->base.listener.owner, sim->is_off ? ERR_CLOSED : ERR_OK);
    }
}

static void finish_job(struct disk_sim *sim)
{
    const struct sim_job job = sim->job;
    enum err err;
    sim->job.kind = SIM_JOB_NONE;
    if (job.kind == SIM_JOB_CREATE) {
        err = create(&sim->base, job.name, job.size, job.block);
    } else if (job.kind == SIM_JOB_REMOVE) {
        err = remove_file(&sim->base, job.name);
    } else {
        err = rename_file(&sim->base, job.name, job.to);
    }
    if (sim->base.listener.job_done) {
        sim->base.listener.job_done(sim->base.listener.owner, err);
    }
}

/* Waiting for what is held would be for ever: it is released. */
static void drive(struct disk *disk, bool wait)
{
    struct disk_sim *sim = sim_from(disk);
    const bool has_job = sim->job.kind != SIM_JOB_NONE;
    const bool has_write = sim->write.is_outstanding;
    CHECK(!wait || has_job || has_write);
    if (has_job && (!sim->holds_jobs || (wait && !has_write))) {
        finish_job(sim);
    }
    if (has_write && (!sim->holds_writes || wait)) {
        finish_write(sim);
    }
}

static void keep(struct disk *disk)
{
    (void)disk; /* the test's; see disk_sim_free */
}

static const struct disk_ops sim_ops = {
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
    .register_buffer = register_buffer,
    .poll_fd = poll_fd,
    .drive = drive,
    .free = keep,
};

struct disk *disk_sim_new(uint64_t seed, uint64_t capacity)
{
    struct disk_sim *sim = calloc(1, sizeof *sim);
    CHECK(sim != NULL);
    sim->base.ops = &sim_ops;
    sim->base.facts = (struct disk_facts){
        .backend = "simulated", .is_direct = true, .is_durable = true, .method = DISK_METHOD_DSYNC};
    sim->capacity = capacity;
    rng_init(&sim->rng, seed);
    return &sim->base;
}

void disk_sim_free(struct disk *disk)
{
    struct disk_sim *sim = sim_from(disk);
    if (!disk) {
        return;
    }
    for (int i = 0; i < FILES_MAX; i++) {
        drop(&sim->files[i]);
    }
    free(sim->write.bytes);
    free(sim);
}

struct disk *disk_sim_clone(const struct disk *disk)
{
    const struct disk_sim *from = (const struct disk_sim *)disk;
    struct disk_sim *sim = sim_from(disk_sim_new(0, from->capacity));
    CHECK(!from->write.is_outstanding);
    CHECK(from->job.kind == SIM_JOB_NONE);
    sim->rng = from->rng;
    for (int i = 0; i < FILES_MAX; i++) {
        const struct sim_file *file = &from->files[i];
        if (file->bytes) {
            memcpy(add(sim, file->name, file->size)->bytes, file->bytes, file->size);
        }
    }
    return &sim->base;
}

void disk_sim_hold_writes(struct disk *disk, bool is_held)
{
    sim_from(disk)->holds_writes = is_held;
}

void disk_sim_hold_jobs(struct disk *disk, bool is_held)
{
    sim_from(disk)->holds_jobs = is_held;
}

bool disk_sim_has_write(const struct disk *disk)
{
    return ((const struct disk_sim *)disk)->write.is_outstanding;
}

bool disk_sim_has_job(const struct disk *disk)
{
    return ((const struct disk_sim *)disk)->job.kind != SIM_JOB_NONE;
}

/* Of a file that was not finished any sectors are there, and any length. */
static void tear(struct disk_sim *sim, struct sim_file *file)
{
    resize(file, rng_below(&sim->rng, file->size / DISK_ALIGN + 1) * DISK_ALIGN);
    for (uint64_t at = 0; at < file->size; at += SECTOR_SIZE) {
        if (rng_below(&sim->rng, 2)) {
            memset(file->bytes + at, 0, SECTOR_SIZE);
        }
    }
    file->is_loose = false;
}

void disk_sim_power_cut(struct disk *disk)
{
    struct disk_sim *sim = sim_from(disk);
    const struct sim_write *write = &sim->write;
    for (uint32_t at = 0; write->is_outstanding && at < write->size; at += SECTOR_SIZE) {
        if (rng_below(&sim->rng, 2)) {
            memcpy(sim->files[write->file].bytes + write->offset + at, write->bytes + at,
                   SECTOR_SIZE);
        }
    }
    for (int i = 0; i < FILES_MAX; i++) {
        if (sim->files[i].bytes && sim->files[i].is_loose) {
            tear(sim, &sim->files[i]);
        }
    }
    sim->is_off = true;
}

void disk_sim_power_on(struct disk *disk)
{
    struct disk_sim *sim = sim_from(disk);
    free(sim->write.bytes);
    sim->write = (struct sim_write){0};
    sim->job.kind = SIM_JOB_NONE;
    sim->is_off = false;
}

void disk_sim_capacity_set(struct disk *disk, uint64_t capacity)
{
    sim_from(disk)->capacity = capacity;
}

uint8_t *disk_sim_file(struct disk *disk, const char *name, uint64_t *size_out)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = find(sim, name);
    *size_out = file < 0 ? 0 : sim->files[file].size;
    return file < 0 ? NULL : sim->files[file].bytes;
}

void disk_sim_file_put(struct disk *disk, const char *name, const uint8_t *bytes, uint64_t size)
{
    memcpy(add(sim_from(disk), name, size)->bytes, bytes, size);
}

void disk_sim_file_resize(struct disk *disk, const char *name, uint64_t size)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = find(sim, name);
    CHECK(file >= 0);
    uint8_t *bytes = calloc(1, size ? size : 1);
    CHECK(bytes != NULL);
    const uint64_t kept = size < sim->files[file].size ? size : sim->files[file].size;
    memcpy(bytes, sim->files[file].bytes, kept);
    free(sim->files[file].bytes);
    sim->files[file].bytes = bytes;
    sim->files[file].size = size;
}
