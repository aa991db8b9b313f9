/* How the simulated disk ends: what becomes of the write and the job in flight, and of bytes that
 * an earlier kill left volatile. Ends that are armed come inside an operation. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "disk_sim_internal.h"

/* How much of the write in flight arrives. */
enum arrival { ARRIVES_NOT, ARRIVES_WHOLE, ARRIVES_IN_PART, ARRIVES_IN_PART_TOO, ARRIVAL_COUNT };

static void forget(struct sim_volatile *cached)
{
    free(cached->before);
    *cached = (struct sim_volatile){.file = -1};
}

void sim_make_durable(struct disk_sim *sim, int file)
{
    for (uint32_t i = 0; i < sim->volatile_count; i++) {
        if (sim->volatiles[i].file == file) {
            forget(&sim->volatiles[i]);
        }
    }
}

static void remember(const struct disk_sim *sim, struct sim_volatile *cached, int file,
                     uint64_t offset, uint32_t size)
{
    *cached = (struct sim_volatile){file, offset, size, malloc(size)};
    CHECK(cached->before != NULL);
    memcpy(cached->before, sim->files[file].bytes + offset, size);
}

/* A kill on a full list would make bytes durable too early: then nothing arrives. */
static struct sim_volatile *volatile_slot(struct disk_sim *sim)
{
    for (uint32_t i = 0; i < sim->volatile_count; i++) {
        if (sim->volatiles[i].file < 0) {
            return &sim->volatiles[i];
        }
    }
    return sim->volatile_count < SIM_VOLATILE_MAX ? &sim->volatiles[sim->volatile_count++] : NULL;
}

static void arrive(struct disk_sim *sim, int file, uint64_t offset)
{
    const struct sim_write *write = &sim->write;
    const enum arrival arrival = (enum arrival)rng_below(&sim->rng, ARRIVAL_COUNT);
    for (uint32_t at = 0; at < write->size; at += SIM_SECTOR_SIZE) {
        if (arrival == ARRIVES_WHOLE || (arrival != ARRIVES_NOT && rng_below(&sim->rng, 2))) {
            memcpy(sim->files[file].bytes + offset + at, write->bytes + at, SIM_SECTOR_SIZE);
        }
    }
}

/* A segment with room for the write, drawn; -1: none. */
static int draw_target(struct disk_sim *sim)
{
    const int start = (int)rng_below(&sim->rng, (uint64_t)sim->files_used + 1);
    for (int i = 0; i < sim->files_used; i++) {
        const int at = (start + i) % sim->files_used;
        const struct sim_file *file = &sim->files[at];
        if (file->bytes && strncmp(file->name, "log-", 4) == 0 && file->size >= sim->write.size) {
            return at;
        }
    }
    return -1;
}

static void land_elsewhere(struct disk_sim *sim)
{
    const int file = sim->aimed_file >= 0 ? sim->aimed_file : draw_target(sim);
    if (file < 0 || sim->files[file].size < sim->write.size) {
        return;
    }
    const uint64_t last = (sim->files[file].size - sim->write.size) / DISK_ALIGN * DISK_ALIGN;
    const uint64_t aimed = sim->aimed_offset < last ? sim->aimed_offset : last;
    const uint64_t offset = sim->aimed_file >= 0
                                ? aimed
                                : rng_below(&sim->rng, last / DISK_ALIGN + 1) * DISK_ALIGN;
    forget(&sim->misdirected);
    remember(sim, &sim->misdirected, file, offset, sim->write.size);
    arrive(sim, file, offset);
}

static void end_write(struct disk_sim *sim, bool is_power)
{
    const struct sim_write *write = &sim->write;
    if (!write->is_outstanding || write->size == 0) {
        return;
    }
    struct sim_volatile *cached = is_power ? NULL : volatile_slot(sim);
    if (sim->is_misdirecting) {
        land_elsewhere(sim);
    } else if (is_power) {
        arrive(sim, write->file, write->offset);
    } else if (cached) {
        remember(sim, cached, write->file, write->offset, write->size);
        arrive(sim, write->file, write->offset);
    }
}

static void end_job(struct disk_sim *sim)
{
    const struct sim_job *job = &sim->job;
    if (job->kind == SIM_JOB_NONE) {
        return;
    }
    if (rng_below(&sim->rng, 2)) {
        (void)sim_job_do(sim, job); /* a full disk is nobody's concern any more */
    } else if (job->kind == SIM_JOB_CREATE) {
        sim_add(sim, SIM_MAKING_NAME, rng_below(&sim->rng, 2) * DISK_ALIGN);
    }
}

/* Latest first: what one of them covers is put back by the one before. */
static void lose_volatiles(struct disk_sim *sim)
{
    for (uint32_t i = sim->volatile_count; i-- > 0;) {
        struct sim_volatile *cached = &sim->volatiles[i];
        for (uint32_t at = 0; cached->file >= 0 && at < cached->size; at += SIM_SECTOR_SIZE) {
            if (rng_below(&sim->rng, 2)) {
                memcpy(sim->files[cached->file].bytes + cached->offset + at, cached->before + at,
                       SIM_SECTOR_SIZE);
            }
        }
        forget(cached);
    }
    sim->volatile_count = 0;
}

/* Of a file that was not finished any sectors are there, and any length. */
static void tear_loose(struct disk_sim *sim)
{
    for (int i = 0; i < sim->files_used; i++) {
        struct sim_file *file = &sim->files[i];
        if (!file->bytes || !file->is_loose) {
            continue;
        }
        sim_resize(file, rng_below(&sim->rng, file->size / DISK_ALIGN + 1) * DISK_ALIGN);
        for (uint64_t at = 0; at < file->size; at += SIM_SECTOR_SIZE) {
            if (rng_below(&sim->rng, 2)) {
                memset(file->bytes + at, 0, SIM_SECTOR_SIZE);
            }
        }
        file->is_loose = false;
    }
}

static void end(struct disk_sim *sim, bool is_power)
{
    if (sim->is_off) {
        return;
    }
    end_write(sim, is_power);
    end_job(sim);
    if (is_power) {
        lose_volatiles(sim);
        tear_loose(sim);
    }
    sim->is_misdirecting = false;
    sim->end_at = 0;
    sim->is_off = true;
}

enum disk_sim_step sim_enter(struct disk_sim *sim)
{
    if (sim->is_off) {
        return SIM_STEP_OFF;
    }
    sim->operations++;
    if (sim->operations != sim->end_at) {
        return SIM_STEP_GO;
    }
    if (rng_below(&sim->rng, 2)) {
        return SIM_STEP_LAST;
    }
    end(sim, sim->ends_by_power);
    return SIM_STEP_OFF;
}

enum err sim_leave(struct disk_sim *sim, enum disk_sim_step step, enum err err)
{
    if (step == SIM_STEP_LAST) {
        end(sim, sim->ends_by_power);
    }
    return step == SIM_STEP_GO ? err : ERR_CLOSED;
}

void disk_sim_power_cut(struct disk *disk)
{
    end(sim_from(disk), true);
}

void disk_sim_kill(struct disk *disk)
{
    end(sim_from(disk), false);
}

void disk_sim_power_on(struct disk *disk)
{
    struct disk_sim *sim = sim_from(disk);
    free(sim->write.bytes);
    sim->write = (struct sim_write){0};
    sim->has_written_here = false;
    sim->job.kind = SIM_JOB_NONE;
    sim->is_misdirecting = false;
    sim->end_at = 0;
    sim->is_off = false;
}

bool disk_sim_is_off(const struct disk *disk)
{
    return ((const struct disk_sim *)disk)->is_off;
}

uint64_t disk_sim_operations(const struct disk *disk)
{
    return ((const struct disk_sim *)disk)->operations;
}

void disk_sim_end_at(struct disk *disk, uint64_t at, bool is_power)
{
    struct disk_sim *sim = sim_from(disk);
    CHECK(at >= 1);
    sim->end_at = sim->operations + at;
    sim->ends_by_power = is_power;
}

void disk_sim_misdirect(struct disk *disk)
{
    struct disk_sim *sim = sim_from(disk);
    sim->is_misdirecting = true;
    sim->aimed_file = -1;
}

void disk_sim_misdirect_to(struct disk *disk, const char *name, uint64_t offset)
{
    struct disk_sim *sim = sim_from(disk);
    sim->is_misdirecting = true;
    sim->aimed_file = sim_find(sim, name);
    sim->aimed_offset = offset;
    CHECK(sim->aimed_file >= 0);
    CHECK(offset % DISK_ALIGN == 0);
}

bool disk_sim_repair(struct disk *disk)
{
    struct disk_sim *sim = sim_from(disk);
    const struct sim_volatile *hit = &sim->misdirected;
    if (!hit->before) {
        return false;
    }
    memcpy(sim->files[hit->file].bytes + hit->offset, hit->before, hit->size);
    forget(&sim->misdirected);
    return true;
}
