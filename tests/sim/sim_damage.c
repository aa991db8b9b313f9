/* What a disk does to bytes that it had: a write that lands on another group, a forged digest. The
 * part of the log that a recovery reads is what is hit, so that it must be told. */
#include <string.h>

#include "check.h"
#include "crc32c.h"
#include "sim.h"
#include "snapshot.h"
#include "snapshot_format.h"
#include "wal.h"

enum { ORDINALS = 1000, GROUP_HEAD = 128, TRIES = 20 };

static uint64_t load64(const uint8_t *bytes)
{
    uint64_t value;
    memcpy(&value, bytes, sizeof value);
    return value;
}

/* A group on the disk. */
struct place {
    char name[WAL_NAME_SIZE];
    uint64_t offset;
    uint64_t number;
    uint64_t blocks;
    uint8_t *bytes;
};

typedef void place_cb(struct sim *sim, const struct place *place, void *out);

/* Every block that begins a group, or what was one: number at 32, payload size at 56. */
static void each_group(struct sim *sim, place_cb *see, void *out)
{
    uint64_t size;
    for (uint64_t ordinal = 1; ordinal < ORDINALS; ordinal++) {
        struct place place;
        wal_segment_name(ordinal, place.name);
        uint8_t *file = disk_sim_file(sim->disk, place.name, &size);
        for (uint64_t at = WAL_BLOCK_SIZE; file && at < size; at += WAL_BLOCK_SIZE) {
            if (memcmp(file + at, "NSHGROUP", 8) == 0) {
                place.offset = at;
                place.bytes = file + at;
                place.number = load64(file + at + 32);
                place.blocks = (GROUP_HEAD + load64(file + at + 56) - 1) / WAL_BLOCK_SIZE + 1;
                see(sim, &place, out);
            }
        }
    }
}

/* The last group that the newest snapshot has; 0: there is none, or an armed end came while it was
 * looked at. */
static uint64_t covered(struct sim *sim)
{
    char name[SNAPSHOT_NAME_SIZE];
    char error[SNAPSHOT_ERROR_SIZE];
    struct snapshot_list list = {0};
    struct snapshot_mark mark = {0};
    enum err err = snapshot_find(sim->disk, &list);
    if (err == ERR_OK && list.count > 0) {
        snapshot_name(list.lsns[0], name);
        err = snapshot_peek(sim->disk, name, &mark, error);
    }
    CHECK(err == ERR_OK || disk_sim_is_off(sim->disk));
    return err == ERR_OK && list.count > 0 ? mark.group_number : 0;
}

/* -- misdirected writes -- */

struct aim {
    uint64_t covered;
    uint32_t seen;
    struct place place;
};

/* One of those that recovery reads, each as likely. */
static void aim_at(struct sim *sim, const struct place *place, void *out)
{
    struct aim *aim = out;
    if (place->number > aim->covered && sim_draw(sim, ++aim->seen) == 0) {
        aim->place = *place;
    }
}

/* Something is under way to the disk. False: the process ended meanwhile, or nothing came. */
static bool write_begins(struct sim *sim)
{
    for (uint32_t i = 0; i < TRIES && !disk_sim_has_write(sim->disk); i++) {
        if (sim->is_dead || disk_sim_is_off(sim->disk)) {
            return false;
        }
        sim_client_ask(sim, sim_draw(sim, sim->client_count));
        sim_batch(sim, SIM_BATCH_MAX);
        sim_drive(sim, false, true);
    }
    return disk_sim_has_write(sim->disk) && !sim->is_dead && !disk_sim_is_off(sim->disk);
}

/* False: the process ended meanwhile. */
static bool misdirect(struct sim *sim)
{
    struct aim aim = {.covered = covered(sim)};
    if (disk_sim_is_off(sim->disk)) {
        return false;
    }
    each_group(sim, aim_at, &aim);
    if (aim.seen > 0) {
        const uint64_t block = sim_draw(sim, (uint32_t)aim.place.blocks);
        disk_sim_misdirect_to(sim->disk, aim.place.name, aim.place.offset + block * WAL_BLOCK_SIZE);
    } else {
        disk_sim_misdirect(sim->disk);
    }
    return true;
}

/* What the disk still tells to have been durable: the highest stamp in a group's header (128 bytes,
 * the last four a CRC), be it in its own place or where it was misdirected to. */
static void stamp_at(struct sim *sim, const struct place *place, void *out)
{
    uint64_t *stamp = out;
    uint32_t crc;
    (void)sim;
    memcpy(&crc, place->bytes + 124, sizeof crc);
    if (crc == crc32c(0, place->bytes, 124) && load64(place->bytes + 64) > *stamp) {
        *stamp = load64(place->bytes + 64);
    }
}

static void unheard(void *owner, uint64_t lsn)
{
    (void)owner;
    (void)lsn;
}

/* Another disk with the same bytes is recovered: refused, or nothing is lost. Then the bytes that
 * were hit are put back, as from a copy, and the engine goes on. */
void sim_end_misdirected(struct sim *sim)
{
    char error[WAL_ERROR_SIZE];
    struct service_start start;
    struct service_core *other = NULL;
    if (!write_begins(sim) || !misdirect(sim)) {
        sim_end_settle(sim);
        return;
    }
    disk_sim_power_cut(sim->disk);
    sim->counts.misdirected++;
    sim_process_close(sim);
    struct disk *copy = disk_sim_clone(sim->disk);
    disk_sim_capacity_set(copy, SIM_ROOMY);
    struct service_options options = sim->options;
    options.log.disk = copy;
    options.port.release = unheard;
    const enum err err = service_open(&options, &other, &start, error);
    if (err == ERR_OK) {
        /* The one loss that cannot be seen: the last group before anything stamped it, or more of
         * them, hit at once with all that stamps them (seed 69631: 8 KiB on the last two). */
        uint64_t stamped = 0;
        each_group(sim, stamp_at, &stamped);
        CHECK(start.recovery.last_lsn >= (sim->told < stamped ? sim->told : stamped));
        sim->counts.misdirected_unseen += start.recovery.last_lsn < sim->told;
        service_close(other);
    } else {
        CHECK(err == ERR_DAMAGED || err == ERR_FORMAT);
        CHECK(strstr(error, "offset") != NULL);
        sim->counts.misdirected_refused++;
    }
    disk_sim_free(copy);
    (void)disk_sim_repair(sim->disk);
    sim_process_begin(sim);
}

/* -- forged digests -- */

/* The group with the highest number is the seal of the close. */
static void last_of(struct sim *sim, const struct place *place, void *out)
{
    struct place *last = out;
    (void)sim;
    if (place->number >= last->number) {
        *last = *place;
    }
}

void sim_forge(struct sim *sim)
{
    char error[WAL_ERROR_SIZE];
    struct service_start start;
    struct service_core *service = NULL;
    struct service_options options = sim->options;
    struct place seal = {0};
    each_group(sim, last_of, &seal);
    CHECK(seal.number > 0);
    if (seal.number <= covered(sim)) {
        return;
    }
    uint8_t *group = seal.bytes;
    sim->counts.forged++;
    group[80 + sim_draw(sim, 16)] ^= (uint8_t)(1 << sim_draw(sim, 8));
    const uint32_t crc = crc32c(0, group, 124);
    memcpy(group + 124, &crc, sizeof crc);
    options.log.disk = sim->disk;
    options.port.release = unheard;
    disk_sim_hold_writes(sim->disk, false);
    disk_sim_hold_jobs(sim->disk, false);
    const enum err err = service_open(&options, &service, &start, error);
    CHECK(err == ERR_DAMAGED);
    CHECK(strstr(error, "offset") != NULL);
}
