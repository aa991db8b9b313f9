/* Properties of the log's writing side, on the simulated disk: when groups leave, when durability
 * is told, when there is room, and what a failure or a power cut leaves behind. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "disk_fault.h"
#include "disk_sim.h"
#include "log_fixture.h"
#include "rng.h"

enum { CAPACITY = 64 << 20 };

static struct keeper keeper;
static struct disk *sim;

static int setup(void **state)
{
    (void)state;
    keeper_init(&keeper);
    sim = disk_sim_new(1, CAPACITY);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    disk_sim_free(sim);
    return 0;
}

static struct wal_options options_on(struct disk *disk)
{
    struct wal_options options = keeper_options(&keeper);
    options.disk = disk;
    return options;
}

static void open_on(struct disk *disk)
{
    const struct wal_options options = options_on(disk);
    if (keeper_open(&keeper, &options) != ERR_OK) {
        fail_msg("%s", keeper.error);
    }
    assert_int_equal(keeper.mismatches, 0);
}

/* Power goes, the process with it, then both come back. */
static void cut_and_reopen(void)
{
    const uint64_t told = keeper.durable;
    disk_sim_power_cut(sim);
    keeper_close(&keeper);
    disk_sim_power_on(sim);
    open_on(sim);
    assert_true(keeper.replayed >= told);
}

/* What was appended comes back in order, bit by bit, with its times, over many segments. */
static void roundtrip_over_segments(void **state)
{
    struct wal_stats stats;
    (void)state;
    open_on(sim);
    for (uint64_t i = 0; i < 200; i++) {
        keeper_batch(&keeper, i, 10);
        keeper_settle(&keeper);
    }
    wal_stats(keeper.wal, &stats);
    assert_int_equal(stats.records, 2000);
    assert_true(stats.segments >= 5);
    keeper_close(&keeper);
    open_on(sim);
    assert_int_equal(keeper.replayed, 2000);
    assert_true(keeper.found.segments >= 5);
    assert_false(keeper.found.has_torn_tail);
    keeper_close(&keeper);
}

/* An empty batch writes nothing and an empty log opens again as an empty log. */
static void empty_log_stays_empty(void **state)
{
    (void)state;
    open_on(sim);
    keeper_submit(&keeper);
    assert_false(wal_is_busy(keeper.wal));
    keeper_close(&keeper);
    open_on(sim);
    assert_int_equal(keeper.found.groups, 0);
    assert_int_equal(wal_lsn_begun(keeper.wal), 0);
    keeper_close(&keeper);
}

/* Durability is told on completion, from drive, never from submit. */
static void durable_only_after_completion(void **state)
{
    (void)state;
    open_on(sim);
    disk_sim_hold_writes(sim, true);
    keeper_batch(&keeper, 1, 3);
    assert_true(disk_sim_has_write(sim));
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 0);
    assert_int_equal(wal_lsn_begun(keeper.wal), 3);
    disk_sim_hold_writes(sim, false);
    assert_int_equal(keeper.durable, 0);
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 3);
    keeper_close(&keeper);
}

/* Batches that come while a group is in flight leave together as the next one, by themselves. */
static void collects_while_in_flight(void **state)
{
    struct wal_stats stats;
    (void)state;
    open_on(sim);
    disk_sim_hold_writes(sim, true);
    keeper_batch(&keeper, 1, 2);
    keeper_batch(&keeper, 2, 2);
    keeper_batch(&keeper, 3, 2);
    disk_sim_hold_writes(sim, false);
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 2);
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 6);
    wal_stats(keeper.wal, &stats);
    assert_int_equal(stats.groups, 2);
    keeper_close(&keeper);
}

/* Records appended after the last submit wait for the next one: their digest is not known. */
static void unsubmitted_records_wait(void **state)
{
    (void)state;
    open_on(sim);
    disk_sim_hold_writes(sim, true);
    keeper_batch(&keeper, 1, 2);
    keeper_batch(&keeper, 2, 2);
    keeper_append(&keeper, 9, 10);
    disk_sim_hold_writes(sim, false);
    wal_drive(keeper.wal);
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 2);
    assert_false(disk_sim_has_write(sim));
    keeper_submit(&keeper);
    keeper_settle(&keeper);
    assert_int_equal(keeper.durable, 5);
    keeper_close(&keeper);
}

/* A group has one time: a later one counts from the next group on, and never runs backward. */
static void time_is_per_group(void **state)
{
    (void)state;
    open_on(sim);
    wal_time_set(keeper.wal, 1000);
    keeper_append(&keeper, 1, 5);
    wal_time_set(keeper.wal, 2000);
    assert_int_equal(wal_time(keeper.wal), 1000);
    keeper_append(&keeper, 2, 5);
    keeper_submit(&keeper);
    assert_int_equal(wal_time(keeper.wal), 2000);
    wal_time_set(keeper.wal, 1500);
    assert_int_equal(wal_time(keeper.wal), 2000);
    keeper_append(&keeper, 3, 5);
    keeper_submit(&keeper);
    keeper_settle(&keeper);
    keeper_close(&keeper);
    open_on(sim); /* the keeper compares each record's time */
    assert_int_equal(keeper.found.last_time_ms, 2000);
    assert_int_equal(wal_time(keeper.wal), 2000);
    keeper_close(&keeper);
}

/* A seal is due 10 ms after the log fell idle, once; it stamps, so nothing is written again. */
static void seal_stamps_the_last_group(void **state)
{
    (void)state;
    open_on(sim);
    assert_int_equal(wal_seal_due_ms(keeper.wal, 0), UINT32_MAX);
    keeper_batch(&keeper, 1, 4);
    keeper_settle(&keeper);
    assert_int_equal(wal_seal_due_ms(keeper.wal, 100), 10);
    assert_int_equal(wal_seal_due_ms(keeper.wal, 107), 3);
    assert_int_equal(wal_seal_due_ms(keeper.wal, 110), 0);
    wal_seal(keeper.wal);
    wal_wait(keeper.wal);
    assert_int_equal(wal_seal_due_ms(keeper.wal, 200), UINT32_MAX);
    assert_int_equal(keeper.durable, 4);
    cut_and_reopen();
    assert_int_equal(keeper.found.groups, 2);
    assert_int_equal(keeper.found.rewritten, 0);
    keeper_close(&keeper);
}

/* Without a seal the last group is written again, into a fresh segment that supersedes it. */
static void unstamped_group_is_rewritten(void **state)
{
    (void)state;
    open_on(sim);
    keeper_batch(&keeper, 1, 4);
    keeper_settle(&keeper);
    keeper_batch(&keeper, 2, 4);
    keeper_settle(&keeper);
    for (uint32_t i = 0; i < 4; i++) {
        cut_and_reopen();
        assert_int_equal(keeper.replayed, 8);
        assert_int_equal(keeper.found.rewritten, 1);
        assert_int_equal(wal_seal_due_ms(keeper.wal, 0), 10);
    }
    keeper_batch(&keeper, 3, 4);
    keeper_settle(&keeper);
    keeper_close(&keeper);
    open_on(sim);
    assert_int_equal(keeper.replayed, 12);
    assert_int_equal(keeper.found.rewritten, 0);
    keeper_close(&keeper);
}

/* After a clean end the same segment is gone on with: restarts do not eat the disk. */
static void clean_restart_continues_segment(void **state)
{
    uint64_t segments = 0;
    (void)state;
    for (uint64_t i = 0; i < 3; i++) {
        open_on(sim);
        segments = keeper.found.segments;
        keeper_batch(&keeper, i, 2);
        keeper_settle(&keeper);
        keeper_close(&keeper);
    }
    assert_int_equal(segments, 1);
}

/* The collecting group takes what its limit says and asks for a pause then. */
static void group_full_asks_for_a_pause(void **state)
{
    (void)state;
    open_on(sim);
    disk_sim_hold_writes(sim, true);
    keeper_batch(&keeper, 1, 1);
    uint32_t count = 0;
    while (wal_has_room(keeper.wal, 300, 1)) {
        keeper_append(&keeper, count++, 300);
    }
    assert_int_equal(count, (8 << 10) / 304);
    assert_int_equal(wal_room(keeper.wal, 300, 1, WAL_CLAIM_RELEASE), WAL_ROOM_GROUP_FULL);
    keeper_submit(&keeper);
    disk_sim_hold_writes(sim, false);
    keeper_settle(&keeper);
    assert_true(wal_has_room(keeper.wal, 300, 1));
    keeper_close(&keeper);
}

/* While the next segment is being made there is room up to the reserve, then a pause, never an
 * error; the group that had room leaves by itself when the segment is there. */
static void late_segment_is_a_pause(void **state)
{
    (void)state;
    open_on(sim);
    disk_sim_hold_jobs(sim, true);
    uint32_t rounds = 0;
    while (wal_has_room(keeper.wal, 3000, 10)) {
        keeper_batch(&keeper, rounds++, 10);
        wal_drive(keeper.wal);
        assert_true(rounds < 100);
    }
    assert_int_equal(wal_room(keeper.wal, 3000, 10, WAL_CLAIM_CHANGE), WAL_ROOM_SEGMENT_LATE);
    disk_sim_hold_jobs(sim, false);
    wal_drive(keeper.wal);
    assert_true(wal_has_room(keeper.wal, 3000, 10));
    keeper_settle(&keeper);
    assert_int_equal(keeper.durable, keeper.begun);
    keeper_close(&keeper);
}

/* Fill the disk by changes until there is no room; everything begun is durable. */
static void fill_disk(void)
{
    uint64_t rounds = keeper.begun;
    while (wal_has_room(keeper.wal, 3000, 10)) {
        keeper_batch(&keeper, rounds++, 10);
        keeper_settle(&keeper);
        wal_drive(keeper.wal);
    }
    while (wal_room(keeper.wal, 3000, 10, WAL_CLAIM_CHANGE) == WAL_ROOM_SEGMENT_LATE) {
        wal_drive(keeper.wal);
    }
    assert_int_equal(keeper.durable, keeper.begun);
}

/* On a full disk changes have no room, releasing ones still do, from the reserve; nothing begun is
 * lost; room returns with space, without a restart and with one. */
static void full_disk_is_read_only(void **state)
{
    (void)state;
    disk_sim_capacity_set(sim, 4 * (64 << 10));
    open_on(sim);
    fill_disk();
    assert_int_equal(wal_room(keeper.wal, 3000, 10, WAL_CLAIM_CHANGE), WAL_ROOM_DISK_FULL);
    assert_int_equal(wal_room(keeper.wal, 100, 1, WAL_CLAIM_RELEASE), WAL_ROOM_OK);
    keeper_append(&keeper, 77, 100);
    keeper_submit(&keeper);
    keeper_settle(&keeper);
    assert_int_equal(keeper.failures, 0);

    /* Also while the next try is under way: nobody is to wait for it. */
    wal_retry(keeper.wal);
    assert_int_equal(wal_room(keeper.wal, 3000, 10, WAL_CLAIM_CHANGE), WAL_ROOM_DISK_FULL);
    wal_wait(keeper.wal);
    assert_int_equal(wal_room(keeper.wal, 3000, 10, WAL_CLAIM_CHANGE), WAL_ROOM_DISK_FULL);
    disk_sim_capacity_set(sim, 6 * (64 << 10));
    wal_retry(keeper.wal);
    wal_wait(keeper.wal);
    assert_true(wal_has_room(keeper.wal, 3000, 10));
    fill_disk();
    keeper_close(&keeper);
    open_on(sim);
    assert_false(wal_has_room(keeper.wal, 3000, 10));
    disk_sim_capacity_set(sim, CAPACITY);
    wal_retry(keeper.wal);
    wal_wait(keeper.wal);
    assert_true(wal_has_room(keeper.wal, 3000, 10));
    keeper_batch(&keeper, 5, 10);
    keeper_settle(&keeper);
    keeper_close(&keeper);
}

static void chore_again(void *owner, enum err err)
{
    uint32_t *left = owner;
    assert_int_equal(err, ERR_NOTFOUND);
    if (--*left > 0) {
        wal_chore(keeper.wal, "nothing", NULL, chore_again, left);
    }
}

/* Chores that follow one another at once do not keep the next segment from being tried. */
static void full_disk_ends_among_chores(void **state)
{
    uint32_t left = 20;
    (void)state;
    disk_sim_capacity_set(sim, 4 * (64 << 10));
    open_on(sim);
    fill_disk();
    wal_chore(keeper.wal, "nothing", NULL, chore_again, &left);
    wal_retry(keeper.wal);
    disk_sim_capacity_set(sim, CAPACITY);
    for (uint32_t i = 0; i < 3 && !wal_has_room(keeper.wal, 3000, 10); i++) {
        disk_sim_hold_jobs(sim, true);
        wal_drive(keeper.wal);
        disk_sim_hold_jobs(sim, false);
        wal_drive(keeper.wal);
    }
    assert_true(left > 10);
    assert_true(wal_has_room(keeper.wal, 3000, 10));
    wal_wait(keeper.wal);
    keeper_close(&keeper);
}

/* An empty log on a disk without space opens without room and gets it later. */
static void full_disk_from_the_start(void **state)
{
    (void)state;
    disk_sim_capacity_set(sim, 1000);
    open_on(sim);
    assert_int_equal(wal_room(keeper.wal, 10, 1, WAL_CLAIM_RELEASE), WAL_ROOM_DISK_FULL);
    disk_sim_capacity_set(sim, CAPACITY);
    wal_retry(keeper.wal);
    wal_wait(keeper.wal);
    assert_true(wal_has_room(keeper.wal, 10, 1));
    keeper_batch(&keeper, 1, 1);
    keeper_settle(&keeper);
    assert_int_equal(keeper.durable, 1);
    keeper_close(&keeper);
}

/* On a disk too full for a whole segment the unstamped group still becomes durable at start. */
static void full_disk_still_rewrites(void **state)
{
    (void)state;
    disk_sim_capacity_set(sim, 2 * (64 << 10) + 4096);
    open_on(sim);
    fill_disk();
    disk_sim_capacity_set(sim, 2 * (64 << 10) + (16 << 10));
    cut_and_reopen();
    assert_int_equal(keeper.found.rewritten, 1);
    keeper_close(&keeper);
}

/* Submit batches until the log dies, with one fault armed; returns whether it did. */
static bool run_with_fault(struct disk *fault)
{
    const struct wal_options options = options_on(fault);
    if (keeper_open(&keeper, &options) != ERR_OK) {
        return true;
    }
    for (uint64_t i = 0; i < 60 && keeper.failures == 0; i++) {
        if (wal_has_room(keeper.wal, 3000, 10)) {
            keeper_batch(&keeper, i, 10);
        }
        keeper_settle(&keeper);
        wal_drive(keeper.wal);
    }
    if (keeper.failures) {
        assert_int_equal(keeper.failures, 1);
        assert_int_equal(keeper.durable_after_failure, 0);
        assert_int_equal(wal_room(keeper.wal, 1, 1, WAL_CLAIM_RELEASE), WAL_ROOM_DEAD);
        keeper_submit(&keeper);
        wal_drive(keeper.wal);
        assert_int_equal(keeper.failures, 1);
    }
    const bool has_failed = keeper.failures > 0;
    keeper_close(&keeper);
    return has_failed;
}

/* Each operation of a kind fails in turn: the failure is told once, nothing is acknowledged after
 * it, and the next start finds all that was acknowledged. */
static void each_fails_in_turn(enum disk_fault_kind kind, enum err err)
{
    for (uint64_t at = 1;; at++) {
        keeper_init(&keeper);
        struct disk *inner = disk_sim_new(at, CAPACITY);
        struct disk *fault = disk_fault_new(inner);
        disk_fault_arm(fault, kind, at, err);
        const bool has_failed = run_with_fault(fault);
        const uint64_t told = keeper.durable;
        disk_fault_free(fault);
        disk_sim_power_on(inner);
        open_on(inner);
        assert_true(keeper.replayed >= told);
        keeper_close(&keeper);
        disk_sim_free(inner);
        if (!has_failed) {
            assert_true(at > 5);
            return;
        }
    }
}

static void each_write_fails_in_turn(void **state)
{
    (void)state;
    each_fails_in_turn(DISK_FAULT_WRITE_LOST, ERR_IO);
    each_fails_in_turn(DISK_FAULT_WRITE_SHORT, ERR_IO);
    each_fails_in_turn(DISK_FAULT_FLUSH, ERR_IO);
    each_fails_in_turn(DISK_FAULT_FLUSH, ERR_NOSPACE);
}

static void each_job_fails_in_turn(void **state)
{
    (void)state;
    each_fails_in_turn(DISK_FAULT_JOB, ERR_IO);
}

static void each_call_fails_in_turn(void **state)
{
    (void)state;
    each_fails_in_turn(DISK_FAULT_CALL, ERR_IO);
}

/* Each blocking call of a restart that writes again fails in turn: an error, and nothing lost by
 * the failed try. */
static void each_call_of_a_restart_fails_in_turn(void **state)
{
    (void)state;
    open_on(sim);
    for (uint64_t i = 0; i < 40; i++) {
        keeper_batch(&keeper, i, 10);
        keeper_settle(&keeper);
    }
    disk_sim_power_cut(sim);
    keeper_close(&keeper);
    disk_sim_power_on(sim);
    uint64_t at = 0;
    bool has_failed = true;
    while (has_failed) {
        struct disk *fault = disk_fault_new(sim);
        const struct wal_options options = options_on(fault);
        disk_fault_arm(fault, DISK_FAULT_CALL, ++at, ERR_IO);
        keeper.begun = 400;
        has_failed = keeper_open(&keeper, &options) != ERR_OK;
        if (!has_failed) {
            assert_int_equal(keeper.replayed, 400);
            assert_int_equal(keeper.mismatches, 0);
            keeper_close(&keeper);
        } else {
            assert_true(keeper.error[0] != 0);
        }
        disk_fault_free(fault);
        disk_sim_power_on(sim);
    }
    assert_true(at > 10);
}

/* Power fails at a drawn moment, thirty times over one folder: everything told durable is found,
 * in order; the log goes on each time. */
static void survive_cuts(uint64_t seed)
{
    struct rng rng;
    rng_init(&rng, seed);
    keeper_init(&keeper);
    sim = disk_sim_new(seed, (uint64_t)CAPACITY);
    open_on(sim);
    for (uint64_t cut = 0; cut < 30; cut++) {
        disk_sim_hold_writes(sim, false);
        disk_sim_hold_jobs(sim, rng_below(&rng, 4) == 0);
        for (uint64_t i = rng_below(&rng, 12); i > 0; i--) {
            if (wal_has_room(keeper.wal, 3000, 10)) {
                keeper_batch(&keeper, rng_next(&rng), 1 + (uint32_t)rng_below(&rng, 10));
            }
            wal_drive(keeper.wal);
            if (rng_below(&rng, 3) == 0) {
                wal_seal(keeper.wal);
            }
        }
        disk_sim_hold_writes(sim, true);
        if (wal_has_room(keeper.wal, 3000, 10)) {
            keeper_batch(&keeper, rng_next(&rng), 10);
        }
        cut_and_reopen();
    }
    keeper_close(&keeper);
    disk_sim_free(sim);
    sim = NULL;
}

static void power_cuts_lose_nothing_told(void **state)
{
    (void)state;
    disk_sim_free(sim);
    for (uint64_t seed = 1; seed <= 40; seed++) {
        survive_cuts(seed);
    }
}

/* -- submitted alone: the group is flushed by this thread -- */

static int setup_alone(void **state)
{
    keeper.is_alone = true;
    return setup(state);
}

static int teardown_alone(void **state)
{
    keeper.is_alone = false;
    return teardown(state);
}

/* On return it is on the disk, power cut or not; it is told from drive all the same. */
static void alone_is_durable_at_once(void **state)
{
    struct wal_stats stats;
    (void)state;
    open_on(sim);
    disk_sim_hold_writes(sim, true);
    keeper_batch(&keeper, 1, 3);
    assert_false(disk_sim_has_write(sim));
    assert_true(wal_is_busy(keeper.wal));
    assert_int_equal(keeper.durable, 0);
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 3);
    assert_false(wal_is_busy(keeper.wal));
    keeper_batch(&keeper, 2, 2);
    cut_and_reopen();
    assert_int_equal(keeper.replayed, 5); /* also what nobody was told of */
    wal_stats(keeper.wal, &stats);
    assert_int_equal(stats.lone, 0);
    keeper_batch(&keeper, 3, 2);
    wal_drive(keeper.wal);
    wal_stats(keeper.wal, &stats);
    assert_int_equal(stats.lone, 1);
    assert_int_equal(stats.groups, 1);
    keeper_close(&keeper);
}

/* Behind a group in flight, and where it is not wanted, it goes the other way. */
static void alone_waits_behind_others(void **state)
{
    struct wal_stats stats;
    (void)state;
    open_on(sim);
    disk_sim_hold_writes(sim, true);
    keeper.is_alone = false;
    keeper_batch(&keeper, 1, 2);
    keeper.is_alone = true;
    keeper_batch(&keeper, 2, 2);
    assert_true(disk_sim_has_write(sim));
    disk_sim_hold_writes(sim, false);
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 2);
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 4);
    wal_stats(keeper.wal, &stats);
    assert_int_equal(stats.lone, 0);
    keeper_close(&keeper);
    struct wal_options options = options_on(sim);
    options.lone_flush_us = 0;
    assert_int_equal(keeper_open(&keeper, &options), ERR_OK);
    disk_sim_hold_writes(sim, true);
    keeper_batch(&keeper, 3, 2);
    assert_true(disk_sim_has_write(sim));
    keeper_settle(&keeper);
    keeper_close(&keeper);
}

/* One record that fills the group up to size bytes on disk. */
static void submit_sized(uint32_t size)
{
    const uint32_t record = size - WAL_GROUP_HEADER_SIZE - WAL_RECORD_HEADER_SIZE;
    uint8_t *bytes = wal_append_begin(keeper.wal, record);
    memset(bytes, 7, record);
    digest_add(&keeper.digest, (uint32_t)keeper.begun + 1, bytes, record);
    keeper.begun = wal_append_end(keeper.wal, 1, record);
    keeper_submit(&keeper);
}

static void alone_is_small(void **state)
{
    (void)state;
    struct wal_options options = options_on(sim);
    options.segment_size = 1 << 20;
    options.group_size_max = 128 << 10;
    assert_int_equal(keeper_open(&keeper, &options), ERR_OK);
    disk_sim_hold_writes(sim, true);
    submit_sized(WAL_LONE_SIZE);
    assert_false(disk_sim_has_write(sim));
    wal_drive(keeper.wal);
    assert_int_equal(keeper.durable, 1);
    submit_sized(WAL_LONE_SIZE + 1);
    assert_true(disk_sim_has_write(sim));
    wal_wait(keeper.wal);
    assert_int_equal(keeper.durable, 2);
    keeper_close(&keeper);
}

/* After one group that took too long the disk has to be in time again, for some groups. */
static void slow_disk_does_not_hold(void **state)
{
    enum { BOUND_US = 200000 };
    const struct timespec longer = {.tv_nsec = BOUND_US * 1200};
    (void)state;
    struct wal_options options = options_on(sim);
    options.lone_flush_us = BOUND_US;
    assert_int_equal(keeper_open(&keeper, &options), ERR_OK);
    disk_sim_hold_writes(sim, true);
    keeper.is_alone = false;
    keeper_batch(&keeper, 1, 1);
    keeper.is_alone = true;
    nanosleep(&longer, NULL);
    keeper_settle(&keeper);
    for (uint64_t i = 0; i < WAL_LONE_AFTER; i++) {
        keeper_batch(&keeper, i, 1);
        assert_true(disk_sim_has_write(sim));
        keeper_settle(&keeper);
    }
    keeper_batch(&keeper, 2, 1);
    assert_false(disk_sim_has_write(sim));
    keeper_settle(&keeper);
    keeper_close(&keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(roundtrip_over_segments, setup, teardown),
        cmocka_unit_test_setup_teardown(empty_log_stays_empty, setup, teardown),
        cmocka_unit_test_setup_teardown(durable_only_after_completion, setup, teardown),
        cmocka_unit_test_setup_teardown(collects_while_in_flight, setup, teardown),
        cmocka_unit_test_setup_teardown(unsubmitted_records_wait, setup, teardown),
        cmocka_unit_test_setup_teardown(time_is_per_group, setup, teardown),
        cmocka_unit_test_setup_teardown(seal_stamps_the_last_group, setup, teardown),
        cmocka_unit_test_setup_teardown(unstamped_group_is_rewritten, setup, teardown),
        cmocka_unit_test_setup_teardown(clean_restart_continues_segment, setup, teardown),
        cmocka_unit_test_setup_teardown(group_full_asks_for_a_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(late_segment_is_a_pause, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_is_read_only, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_ends_among_chores, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_from_the_start, setup, teardown),
        cmocka_unit_test_setup_teardown(full_disk_still_rewrites, setup, teardown),
        cmocka_unit_test_setup_teardown(each_write_fails_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(each_job_fails_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(each_call_fails_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(each_call_of_a_restart_fails_in_turn, setup, teardown),
        cmocka_unit_test_setup_teardown(power_cuts_lose_nothing_told, setup, teardown),
        cmocka_unit_test_setup_teardown(alone_is_durable_at_once, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(alone_waits_behind_others, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(alone_is_small, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(slow_disk_does_not_hold, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(roundtrip_over_segments, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(late_segment_is_a_pause, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(full_disk_is_read_only, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(full_disk_from_the_start, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(each_write_fails_in_turn, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(each_job_fails_in_turn, setup_alone, teardown_alone),
        cmocka_unit_test_setup_teardown(power_cuts_lose_nothing_told, setup_alone, teardown_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
