/* The simulated disk's own promises: what a kill and a power cut leave of what was in flight. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "disk_sim.h"

enum { SIZE = 64 << 10, TRIES = 200 };

#define NAME "log-1.seg"

static _Alignas(DISK_ALIGN) uint8_t block[DISK_ALIGN];

static struct disk *disk_with_file(uint64_t seed, int *file_out)
{
    uint64_t size;
    struct disk *disk = disk_sim_new(seed, 1 << 20);
    memset(block, 0, sizeof block);
    assert_int_equal(disk->ops->create(disk, NAME, SIZE, block), ERR_OK);
    assert_int_equal(disk->ops->open(disk, NAME, file_out, &size), ERR_OK);
    assert_int_equal(size, SIZE);
    return disk;
}

/* Begin to write ones into block number at, or to write and complete. */
static void write_ones(struct disk *disk, int file, uint64_t at, bool is_completed)
{
    memset(block, 1, sizeof block);
    disk_sim_hold_writes(disk, true);
    disk->ops->write_start(disk, file, at * DISK_ALIGN, block, DISK_ALIGN);
    disk_sim_hold_writes(disk, !is_completed);
    disk->ops->drive(disk, false);
}

static uint32_t ones_at(struct disk *disk, uint64_t at)
{
    uint64_t size;
    uint32_t ones = 0;
    const uint8_t *bytes = disk_sim_file(disk, NAME, &size);
    for (uint32_t i = 0; i < DISK_ALIGN; i++) {
        ones += bytes[at * DISK_ALIGN + i] == 1;
    }
    return ones;
}

/* Of a write in flight nothing, all, or some sectors arrive, and each of the three is drawn. */
static void ends_tear_what_is_in_flight(void **state)
{
    int file;
    uint32_t whole = 0;
    uint32_t none = 0;
    (void)state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct disk *disk = disk_with_file(seed, &file);
        write_ones(disk, file, 3, false);
        disk_sim_power_cut(disk);
        assert_true(disk_sim_is_off(disk));
        disk_sim_power_on(disk);
        whole += ones_at(disk, 3) == DISK_ALIGN;
        none += ones_at(disk, 3) == 0;
        assert_int_equal(ones_at(disk, 3) % 512, 0);
        disk_sim_free(disk);
    }
    assert_true(whole > TRIES / 10);
    assert_true(none > TRIES / 10);
    assert_true(whole + none < TRIES * 9 / 10);
}

/* What a kill leaves is seen by the next process, and a power cut may take it back, until a write
 * to the same file was completed. */
static void kills_leave_volatile_bytes(void **state)
{
    int file;
    uint32_t kept = 0;
    uint32_t lost = 0;
    (void)state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct disk *disk = disk_with_file(seed, &file);
        const bool is_flushed = seed % 2 == 0;
        write_ones(disk, file, 3, false);
        disk_sim_kill(disk);
        disk_sim_power_on(disk);
        const uint32_t seen = ones_at(disk, 3);
        write_ones(disk, file, 9, is_flushed);
        disk_sim_power_cut(disk);
        disk_sim_power_on(disk);
        assert_true(!is_flushed || ones_at(disk, 3) == seen);
        assert_true(!is_flushed || ones_at(disk, 9) == DISK_ALIGN);
        kept += !is_flushed && seen && ones_at(disk, 3) == seen;
        lost += !is_flushed && ones_at(disk, 3) < seen;
        disk_sim_free(disk);
    }
    assert_true(lost > TRIES / 10);
    assert_true(kept < lost);
}

/* An armed end comes at its operation, which has happened or not; then all is closed. */
static void armed_ends_come_inside_an_operation(void **state)
{
    int file;
    uint64_t size;
    uint32_t done = 0;
    (void)state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct disk *disk = disk_with_file(seed, &file);
        disk_sim_end_at(disk, 2, true);
        assert_int_equal(disk->ops->read(disk, file, 0, block, DISK_ALIGN), ERR_OK);
        assert_int_equal(disk->ops->rename(disk, NAME, "b"), ERR_CLOSED);
        assert_int_equal(disk->ops->remove(disk, NAME), ERR_CLOSED);
        disk_sim_power_on(disk);
        done += disk_sim_file(disk, "b", &size) != NULL;
        assert_true((disk_sim_file(disk, NAME, &size) == NULL) ==
                    (disk_sim_file(disk, "b", &size) != NULL));
        disk_sim_free(disk);
    }
    assert_true(done > TRIES / 4);
    assert_true(done < TRIES * 3 / 4);
}

/* A disk on which a write landed elsewhere at a power cut, at aim or, without one, as drawn.
 * before: what the file was, for the caller to hold it against. */
static struct disk *disk_hit_elsewhere(uint64_t seed, const uint64_t *aim, uint8_t before[SIZE])
{
    int file;
    uint64_t size;
    struct disk *disk = disk_with_file(seed, &file);
    memcpy(before, disk_sim_file(disk, NAME, &size), SIZE);
    write_ones(disk, file, 3, false);
    if (aim) {
        disk_sim_misdirect_to(disk, NAME, *aim);
    } else {
        disk_sim_misdirect(disk);
    }
    disk_sim_power_cut(disk);
    disk_sim_power_on(disk);
    return disk;
}

/* A misdirected write leaves its place alone, hits another, and can be put back. */
static void misdirected_writes_can_be_put_back(void **state)
{
    uint64_t size;
    uint8_t before[SIZE];
    uint32_t hits = 0;
    (void)state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        struct disk *disk = disk_hit_elsewhere(seed, NULL, before);
        hits += memcmp(before, disk_sim_file(disk, NAME, &size), SIZE) != 0;
        assert_true(disk_sim_repair(disk));
        assert_memory_equal(before, disk_sim_file(disk, NAME, &size), SIZE);
        disk_sim_free(disk);
    }
    assert_true(hits > TRIES / 2);
}

/* One that is aimed hits that place and no other; past the end of the file, its last blocks. */
static void misdirected_writes_can_be_aimed(void **state)
{
    uint64_t size;
    uint8_t before[SIZE];
    uint32_t hits = 0;
    (void)state;
    for (uint64_t seed = 0; seed < TRIES; seed++) {
        const uint64_t at = seed % 2 ? SIZE : DISK_ALIGN;
        const uint64_t wanted = seed % 2 ? SIZE - DISK_ALIGN : DISK_ALIGN;
        struct disk *disk = disk_hit_elsewhere(seed, &at, before);
        const uint8_t *after = disk_sim_file(disk, NAME, &size);
        hits += memcmp(before + wanted, after + wanted, DISK_ALIGN) != 0;
        assert_memory_equal(before, after, wanted);
        const uint64_t end = wanted + DISK_ALIGN;
        assert_memory_equal(before + end, after + end, SIZE - end);
        disk_sim_free(disk);
    }
    assert_true(hits > TRIES / 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ends_tear_what_is_in_flight),
        cmocka_unit_test(kills_leave_volatile_bytes),
        cmocka_unit_test(armed_ends_come_inside_an_operation),
        cmocka_unit_test(misdirected_writes_can_be_put_back),
        cmocka_unit_test(misdirected_writes_can_be_aimed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
