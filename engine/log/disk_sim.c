/* Files are heap blocks, a write in flight is a copy until it completes. */
#include "disk_sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "disk_sim_internal.h"

/* -- files -- */

int sim_find(const struct disk_sim *sim, const char *name)
{
    for (int i = 0; i < sim->files_used; i++) {
        if (sim->files[i].bytes && strcmp(sim->files[i].name, name) == 0) {
            return i;
        }
    }
    return -1;
}

void sim_drop(struct disk_sim *sim, int file)
{
    sim_make_durable(sim, file);
    if (sim->misdirected.before && sim->misdirected.file == file) {
        free(sim->misdirected.before); /* nothing is left to be put back */
        sim->misdirected = (struct sim_volatile){0};
    }
    free(sim->files[file].bytes);
    sim->files[file] = (struct sim_file){0};
}

static uint64_t used(const struct disk_sim *sim)
{
    uint64_t sum = 0;
    for (int i = 0; i < sim->files_used; i++) {
        sum += sim->files[i].size;
    }
    return sum;
}

void sim_name_set(char name[SIM_NAME_SIZE], const char *from)
{
    const int size = snprintf(name, SIM_NAME_SIZE, "%s", from);
    CHECK(size > 0);
    CHECK(size < SIM_NAME_SIZE);
}

static int free_slot(struct disk_sim *sim)
{
    int at = 0;
    while (at < sim->files_used && sim->files[at].bytes) {
        at++;
    }
    CHECK(at < SIM_FILES_MAX); /* more files than the simulated disk has slots */
    sim->files_used = at == sim->files_used ? at + 1 : sim->files_used;
    return at;
}

struct sim_file *sim_add(struct disk_sim *sim, const char *name, uint64_t size)
{
    const int old = sim_find(sim, name);
    if (old >= 0) {
        sim_drop(sim, old);
    }
    struct sim_file *file = &sim->files[free_slot(sim)];
    file->bytes = calloc(1, size ? size : 1);
    CHECK(file->bytes != NULL);
    file->size = size;
    sim_name_set(file->name, name);
    return file;
}

static enum err drop_name(struct disk_sim *sim, const char *name)
{
    const int file = sim_find(sim, name);
    if (file >= 0) {
        sim_drop(sim, file);
    }
    return file < 0 ? ERR_NOTFOUND : ERR_OK;
}

static enum err move(struct disk_sim *sim, const char *from, const char *to)
{
    const int file = sim_find(sim, from);
    const int old = sim_find(sim, to);
    if (file < 0) {
        return ERR_NOTFOUND;
    }
    if (old >= 0 && old != file) {
        sim_drop(sim, old);
    }
    sim_name_set(sim->files[file].name, to);
    return ERR_OK;
}

static uint64_t space_left(const struct disk_sim *sim)
{
    const uint64_t taken = used(sim);
    return taken < sim->capacity ? sim->capacity - taken : 0;
}

static enum err add_zeros(struct disk_sim *sim, const char *name, uint64_t size,
                          const uint8_t *first_block)
{
    if (size > space_left(sim)) {
        return ERR_NOSPACE;
    }
    memcpy(sim_add(sim, name, size)->bytes, first_block, DISK_ALIGN);
    return ERR_OK;
}

enum err sim_job_do(struct disk_sim *sim, const struct sim_job *job)
{
    if (job->kind == SIM_JOB_REMOVE) {
        return drop_name(sim, job->name);
    }
    return job->kind == SIM_JOB_CREATE ? add_zeros(sim, job->name, job->size, job->block)
                                       : move(sim, job->name, job->to);
}

/* -- operations: each is entered, done, left -- */

static enum err list(struct disk *disk, disk_list_cb *each, void *owner)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    for (int i = 0; step == SIM_STEP_GO && i < sim->files_used; i++) {
        if (sim->files[i].bytes) {
            each(owner, sim->files[i].name);
        }
    }
    return sim_leave(sim, step, ERR_OK);
}

static enum err open_file(struct disk *disk, const char *name, int *file_out, uint64_t *size_out)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    const int file = sim_find(sim, name);
    *file_out = file;
    *size_out = file < 0 ? 0 : sim->files[file].size;
    return sim_leave(sim, step, file < 0 ? ERR_NOTFOUND : ERR_OK);
}

static void close_file(struct disk *disk, int file)
{
    (void)disk;
    CHECK(file >= 0);
    CHECK(file < SIM_FILES_MAX);
}

static enum err read_file(struct disk *disk, int file, uint64_t offset, void *bytes, size_t size)
{
    struct disk_sim *sim = sim_from(disk);
    const struct sim_file *from = &sim->files[file];
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    const enum disk_sim_step step = sim_enter(sim);
    const bool is_inside = offset <= from->size && size <= from->size - offset;
    if (step == SIM_STEP_GO && is_inside) {
        memcpy(bytes, from->bytes + offset, size);
    }
    return sim_leave(sim, step, is_inside ? ERR_OK : ERR_IO);
}

static enum err put(struct disk *disk, const char *name, const void *bytes, size_t size)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    if (step != SIM_STEP_OFF) {
        memcpy(sim_add(sim, name, size)->bytes, bytes, size);
    }
    return sim_leave(sim, step, ERR_OK);
}

static enum err get(struct disk *disk, const char *name, void *bytes, size_t size, size_t *size_out)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    const int file = sim_find(sim, name);
    *size_out = 0;
    if (file >= 0 && step == SIM_STEP_GO) {
        const uint64_t there = sim->files[file].size;
        *size_out = there < size ? (size_t)there : size;
        memcpy(bytes, sim->files[file].bytes, *size_out);
    }
    return sim_leave(sim, step, file < 0 ? ERR_NOTFOUND : ERR_OK);
}

static enum err rename_file(struct disk *disk, const char *from, const char *to)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    return sim_leave(sim, step, step == SIM_STEP_OFF ? ERR_CLOSED : move(sim, from, to));
}

static enum err remove_file(struct disk *disk, const char *name)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    return sim_leave(sim, step, step == SIM_STEP_OFF ? ERR_CLOSED : drop_name(sim, name));
}

static enum err free_space(struct disk *disk, uint64_t *bytes_out)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    *bytes_out = space_left(sim);
    return sim_leave(sim, step, ERR_OK);
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
    const enum disk_sim_step step = sim_enter(sim);
    const enum err err =
        step == SIM_STEP_OFF ? ERR_CLOSED : add_zeros(sim, name, size, first_block);
    return sim_leave(sim, step, err);
}

static void create_start(struct disk *disk, const char *name, uint64_t size,
                         const uint8_t *first_block)
{
    struct disk_sim *sim = sim_from(disk);
    struct sim_job *job = &sim->job;
    CHECK(job->kind == SIM_JOB_NONE);
    job->kind = SIM_JOB_CREATE;
    sim_name_set(job->name, name);
    job->size = size;
    memcpy(job->block, first_block, DISK_ALIGN);
    (void)sim_leave(sim, sim_enter(sim), ERR_OK);
}

static void rename_start(struct disk *disk, const char *from, const char *to)
{
    struct disk_sim *sim = sim_from(disk);
    struct sim_job *job = &sim->job;
    CHECK(job->kind == SIM_JOB_NONE);
    job->kind = SIM_JOB_RENAME;
    sim_name_set(job->name, from);
    sim_name_set(job->to, to);
    (void)sim_leave(sim, sim_enter(sim), ERR_OK);
}

static void remove_start(struct disk *disk, const char *name)
{
    struct disk_sim *sim = sim_from(disk);
    struct sim_job *job = &sim->job;
    CHECK(job->kind == SIM_JOB_NONE);
    job->kind = SIM_JOB_REMOVE;
    sim_name_set(job->name, name);
    (void)sim_leave(sim, sim_enter(sim), ERR_OK);
}

/* -- files written from begin to end -- */

void sim_resize(struct sim_file *file, uint64_t size)
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
    if (size > file->size && size - file->size > space_left(sim)) {
        return ERR_NOSPACE;
    }
    if (size > file->size) {
        sim_resize(file, size);
    }
    return ERR_OK;
}

static enum err make(struct disk *disk, const char *name, uint64_t room, int *file_out)
{
    struct disk_sim *sim = sim_from(disk);
    const enum disk_sim_step step = sim_enter(sim);
    if (step == SIM_STEP_OFF) {
        return ERR_CLOSED;
    }
    const int old = sim_find(sim, name);
    struct sim_file *file = old < 0 ? sim_add(sim, name, 0) : &sim->files[old];
    file->is_loose = true;
    *file_out = (int)(file - sim->files);
    const enum err err = reach(sim, file, room);
    if (err != ERR_OK) {
        sim_drop(sim, *file_out);
    }
    return sim_leave(sim, step, err);
}

static enum err write_on(struct disk *disk, int file, uint64_t offset, const void *bytes,
                         size_t size)
{
    struct disk_sim *sim = sim_from(disk);
    struct sim_file *to = &sim->files[file];
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    CHECK(to->is_loose);
    const enum disk_sim_step step = sim_enter(sim);
    const enum err err = step == SIM_STEP_OFF ? ERR_CLOSED : reach(sim, to, offset + size);
    if (err == ERR_OK) {
        memcpy(to->bytes + offset, bytes, size);
    }
    return sim_leave(sim, step, err);
}

static enum err finish(struct disk *disk, int file, uint64_t size)
{
    struct disk_sim *sim = sim_from(disk);
    CHECK(sim->files[file].is_loose);
    const enum disk_sim_step step = sim_enter(sim);
    if (step != SIM_STEP_OFF) {
        sim_resize(&sim->files[file], size);
        sim->files[file].is_loose = false;
    }
    return sim_leave(sim, step, ERR_OK);
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
    if (size > 0) {
        memcpy(sim->write.bytes, bytes, size);
    }
    (void)sim_leave(sim, sim_enter(sim), ERR_OK);
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

/* -- completions -- */

/* The end that comes with a completion comes before it or right after it. */
static enum err land_write(struct disk_sim *sim)
{
    const enum disk_sim_step step = sim_enter(sim);
    struct sim_write write = sim->write;
    sim->write = (struct sim_write){0};
    if (step != SIM_STEP_OFF && write.size > 0) {
        memcpy(sim->files[write.file].bytes + write.offset, write.bytes, write.size);
        sim_make_durable(sim, write.file);
    }
    if (step == SIM_STEP_GO && sim->watch) {
        sim->watch(sim->watch_owner, write.bytes, write.size);
    }
    free(write.bytes);
    return sim_leave(sim, step, ERR_OK);
}

static void tell_written(struct disk_sim *sim, enum err err)
{
    if (sim->base.listener.written) {
        sim->base.listener.written(sim->base.listener.owner, err);
    }
}

/* Whoever blocks for it cannot let it be held. */
static void write_here(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                       uint32_t size)
{
    struct disk_sim *sim = sim_from(disk);
    CHECK(!sim->has_written_here);
    write_start(disk, file, offset, bytes, size);
    sim->here_result = land_write(sim);
    sim->has_written_here = true;
}

static void tell_written_here(struct disk_sim *sim)
{
    sim->has_written_here = false;
    tell_written(sim, sim->is_off ? ERR_CLOSED : sim->here_result);
}

static void finish_job(struct disk_sim *sim)
{
    const enum disk_sim_step step = sim_enter(sim);
    const struct sim_job job = sim->job;
    sim->job.kind = SIM_JOB_NONE;
    const enum err done = step == SIM_STEP_OFF ? ERR_CLOSED : sim_job_do(sim, &job);
    const enum err err = sim_leave(sim, step, done);
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
    const bool has_here = sim->has_written_here;
    CHECK(!wait || has_job || has_write || has_here);
    if (has_job && (!sim->holds_jobs || (wait && !has_write && !has_here))) {
        finish_job(sim);
    }
    if (has_here) {
        tell_written_here(sim);
    } else if (has_write && (!sim->holds_writes || wait)) {
        tell_written(sim, land_write(sim));
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
    .write_here = write_here,
    .register_buffer = register_buffer,
    .poll_fd = poll_fd,
    .drive = drive,
    .free = keep,
};

/* -- the test's side -- */

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
    for (int i = 0; i < sim->files_used; i++) {
        sim_drop(sim, i);
    }
    free(sim->misdirected.before);
    free(sim->write.bytes);
    free(sim);
}

struct disk *disk_sim_clone(const struct disk *disk)
{
    const struct disk_sim *from = (const struct disk_sim *)disk;
    struct disk_sim *sim = sim_from(disk_sim_new(0, from->capacity));
    CHECK(!from->write.is_outstanding);
    CHECK(!from->has_written_here);
    CHECK(from->job.kind == SIM_JOB_NONE);
    sim->rng = from->rng;
    for (int i = 0; i < from->files_used; i++) {
        const struct sim_file *file = &from->files[i];
        if (file->bytes) {
            memcpy(sim_add(sim, file->name, file->size)->bytes, file->bytes, file->size);
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

void disk_sim_watch(struct disk *disk, disk_sim_watch_cb *watch, void *owner)
{
    sim_from(disk)->watch = watch;
    sim_from(disk)->watch_owner = owner;
}

void disk_sim_capacity_set(struct disk *disk, uint64_t capacity)
{
    sim_from(disk)->capacity = capacity;
}

uint8_t *disk_sim_file(struct disk *disk, const char *name, uint64_t *size_out)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = sim_find(sim, name);
    *size_out = file < 0 ? 0 : sim->files[file].size;
    return file < 0 ? NULL : sim->files[file].bytes;
}

void disk_sim_file_put(struct disk *disk, const char *name, const uint8_t *bytes, uint64_t size)
{
    memcpy(sim_add(sim_from(disk), name, size)->bytes, bytes, size);
}

void disk_sim_file_resize(struct disk *disk, const char *name, uint64_t size)
{
    struct disk_sim *sim = sim_from(disk);
    const int file = sim_find(sim, name);
    CHECK(file >= 0);
    uint8_t *bytes = calloc(1, size ? size : 1);
    CHECK(bytes != NULL);
    const uint64_t kept = size < sim->files[file].size ? size : sim->files[file].size;
    memcpy(bytes, sim->files[file].bytes, kept);
    sim_make_durable(sim, file);
    free(sim->files[file].bytes);
    sim->files[file].bytes = bytes;
    sim->files[file].size = size;
}
