/* Properties of a log that is read from behind a snapshot: it must continue just that state, may
 * lose the segments before it, and can be read while it is being written. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "disk_sim.h"
#include "log_fixture.h"
#include "rng.h"
#include "wal_feed.h"

enum { CAPACITY = 64 << 20, MARKS = 12 };

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

static struct wal_options options_here(void)
{
    struct wal_options options = keeper_options(&keeper);
    options.disk = sim;
    return options;
}

static enum err reopen(const struct wal_start *start)
{
    const struct wal_options options = options_here();
    keeper.start = *start;
    return keeper_open(&keeper, &options);
}

static void must_open(const struct wal_start *start)
{
    if (reopen(start) != ERR_OK) {
        fail_msg("%s", keeper.error);
    }
    assert_int_equal(keeper.mismatches, 0);
}

static const struct wal_start beginning;

static void batches(uint64_t from, uint64_t count)
{
    for (uint64_t i = from; i < from + count; i++) {
        keeper_batch(&keeper, i, 10);
        keeper_settle(&keeper);
    }
}

/* The state at an LSN that ends a group, read beside the open log. */
static struct wal_start mark_at(uint64_t lsn)
{
    struct wal_start start;
    const struct wal_options options = options_here();
    const struct wal_until until = {lsn, UINT64_MAX};
    keeper.start = beginning;
    if (keeper_read(&keeper, &options, &until, &start) != ERR_OK) {
        fail_msg("%s", keeper.error);
    }
    assert_int_equal(keeper.mismatches, 0);
    assert_int_equal(start.lsn, lsn);
    assert_false(keeper.found.is_divided);
    return start;
}

/* From each state that a reader found in the log while it was written, the rest follows. */
static void rest_follows_any_state(void **state)
{
    (void)state;
    struct wal_start marks[MARKS];
    must_open(&beginning);
    for (uint64_t i = 0; i < MARKS; i++) {
        batches(i * 10, 10);
        marks[i] = mark_at(keeper.durable);
        batches(1000 + i, i % 2); /* some marks are followed by more in their segment */
    }
    const uint64_t all = keeper.begun;
    keeper_close(&keeper);
    for (uint64_t i = 0; i < MARKS; i++) {
        must_open(&marks[i]);
        assert_int_equal(keeper.replayed, all);
        assert_int_equal(keeper.found.records, all - marks[i].lsn);
        keeper_close(&keeper);
    }
}

/* A bound inside a group tells the records up to it; one in time the groups up to it. */
static void bounds_are_kept(void **state)
{
    (void)state;
    struct wal_start start;
    const struct wal_options options = options_here();
    must_open(&beginning);
    batches(0, 50);
    for (uint64_t lsn = 100; lsn < 125; lsn++) {
        const struct wal_until until = {lsn, UINT64_MAX};
        assert_int_equal(keeper_read(&keeper, &options, &until, &start), ERR_OK);
        assert_int_equal(keeper.replayed, lsn);
        assert_int_equal(keeper.found.last_lsn, lsn);
        assert_int_equal(keeper.found.is_divided, lsn % 10 != 0);
        assert_int_equal(keeper.mismatches, 0);
    }
    const uint64_t bound_ms = keeper.records[210].time_ms;
    const struct wal_until until = {UINT64_MAX, bound_ms};
    assert_int_equal(keeper_read(&keeper, &options, &until, &start), ERR_OK);
    assert_true(keeper.replayed >= 210 && keeper.records[keeper.replayed + 1].time_ms > bound_ms);
    assert_int_equal(keeper.found.last_time_ms, bound_ms);
    keeper_close(&keeper);
}

/* Who knows how far the log went is not told of less; a bound before that is enough. */
static void shorter_log_is_refused(void **state)
{
    (void)state;
    struct wal_start start;
    const struct wal_options options = options_here();
    must_open(&beginning);
    batches(0, 20);
    const uint64_t all = keeper.begun;
    keeper_close(&keeper);
    const struct {
        uint64_t reach, until;
        enum err wanted;
    } cases[] = {{all, UINT64_MAX, ERR_OK}, {all + 1, UINT64_MAX, ERR_DAMAGED},
                 {all + 9, all, ERR_OK},    {all + 9, all + 1, ERR_DAMAGED},
                 {all + 9, 5, ERR_OK}};
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const struct wal_until until = {cases[i].until, UINT64_MAX};
        keeper.error[0] = '\0';
        keeper.reach_lsn = cases[i].reach;
        assert_int_equal(keeper_read(&keeper, &options, &until, &start), cases[i].wanted);
        assert_int_equal(strstr(keeper.error, "the log ends here") != NULL,
                         cases[i].wanted == ERR_DAMAGED);
    }
}

static uint32_t segment_files(void)
{
    uint32_t count = 0;
    for (uint64_t ordinal = 1; ordinal < 200; ordinal++) {
        char name[WAL_NAME_SIZE];
        uint64_t size;
        wal_segment_name(ordinal, name);
        count += disk_sim_file(sim, name, &size) != NULL;
    }
    return count;
}

static void drive_all(void)
{
    while (disk_sim_has_job(sim)) {
        wal_drive(keeper.wal);
    }
}

/* Segments that a released state holds go, the rest follows it still, the whole is refused. */
static void released_segments_go(void **state)
{
    (void)state;
    struct wal_stats stats;
    must_open(&beginning);
    batches(0, 200);
    const struct wal_start mark = mark_at(keeper.durable);
    batches(1000, 100);
    drive_all();
    const uint32_t before = segment_files();
    wal_release(keeper.wal, mark.group_number);
    drive_all();
    wal_stats(keeper.wal, &stats);
    assert_true(stats.removed >= 4);
    assert_int_equal(segment_files(), before - stats.removed);
    assert_true(stats.oldest_lsn > 1);
    assert_true(stats.oldest_lsn <= mark.lsn + 1);
    const uint64_t all = keeper.begun;
    keeper_close(&keeper);
    must_open(&mark);
    assert_int_equal(keeper.replayed, all);
    assert_int_equal(keeper.found.oldest_lsn, stats.oldest_lsn);
    batches(2000, 100);
    keeper_close(&keeper);
    must_open(&mark);
    keeper_close(&keeper);
    assert_int_equal(reopen(&beginning), ERR_DAMAGED);
    assert_non_null(strstr(keeper.error, "log-"));
}

/* Segments stay while they are within what is kept for readers of events. */
static void retained_segments_stay(void **state)
{
    (void)state;
    struct wal_stats stats;
    struct wal_options options = options_here();
    options.retain_bytes = 5 * options.segment_size;
    assert_int_equal(keeper_open(&keeper, &options), ERR_OK);
    batches(0, 300);
    drive_all();
    const struct wal_start mark = mark_at(keeper.durable);
    wal_release(keeper.wal, mark.group_number);
    drive_all();
    wal_stats(keeper.wal, &stats);
    assert_int_equal(stats.segment_bytes, options.retain_bytes);
    keeper_close(&keeper);

    options.retain_bytes = 0;
    options.retain_ms = 200;
    keeper.start = beginning;
    keeper_init(&keeper);
    disk_sim_free(sim);
    sim = disk_sim_new(2, CAPACITY);
    options.disk = sim;
    assert_int_equal(keeper_open(&keeper, &options), ERR_OK);
    batches(0, 300);
    drive_all();
    wal_release(keeper.wal, mark_at(keeper.durable).group_number);
    drive_all();
    wal_stats(keeper.wal, &stats);
    assert_true(stats.removed > 0);
    const struct kept *oldest = &keeper.records[stats.oldest_lsn];
    const uint64_t now_ms = keeper.records[keeper.begun].time_ms;
    assert_true(oldest->time_ms + options.retain_ms <= now_ms);
    assert_true(keeper.records[stats.oldest_lsn + 300].time_ms + options.retain_ms > now_ms);
    keeper_close(&keeper);
}

/* Power goes while segments go: what is left is a whole end of the log. */
static void cuts_during_removal(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 40; seed++) {
        struct rng rng;
        rng_init(&rng, seed);
        keeper_init(&keeper);
        disk_sim_free(sim);
        sim = disk_sim_new(seed, CAPACITY);
        must_open(&beginning);
        batches(0, 60 + rng_below(&rng, 100));
        const struct wal_start mark = mark_at(keeper.durable);
        batches(1000, 20);
        wal_release(keeper.wal, mark.group_number);
        for (uint64_t i = rng_below(&rng, 6); i > 0; i--) {
            wal_drive(keeper.wal);
        }
        keeper_batch(&keeper, 5, 3);
        const uint64_t told = keeper.durable;
        disk_sim_power_cut(sim);
        keeper_close(&keeper);
        disk_sim_power_on(sim);
        must_open(&mark);
        assert_true(keeper.replayed >= told);
        batches(3000, 30);
        keeper_close(&keeper);
        must_open(&mark);
        keeper_close(&keeper);
    }
}

/* A log that does not continue the state is refused, however it differs. */
static void other_state_is_refused(void **state)
{
    (void)state;
    must_open(&beginning);
    batches(0, 100);
    struct wal_start mark = mark_at(keeper.durable);
    batches(1000, 30);
    keeper_close(&keeper);
    struct wal_start other = mark;
    other.chain ^= 1;
    other.digest.high ^= 1;
    assert_int_equal(reopen(&other), ERR_DAMAGED);
    other = mark;
    other.lsn += 1;
    assert_int_equal(reopen(&other), ERR_DAMAGED);
    other = mark;
    other.digest.low ^= 1;
    assert_int_equal(reopen(&other), ERR_DAMAGED);
    other = mark;
    other.group_number += 1;
    assert_int_equal(reopen(&other), ERR_DAMAGED);
    other = mark;
    other.group_number += 1000; /* a state that the log never reached */
    assert_int_equal(reopen(&other), ERR_DAMAGED);
    must_open(&mark);
    keeper_close(&keeper);
}

/* A start that cannot read the newest snapshot writes the group again that it was made at, and its
 * chain is another one then. The state is the same: the snapshot is good for the next start. */
static void written_again_is_the_same_state(void **state)
{
    (void)state;
    must_open(&beginning);
    batches(0, 5);
    disk_sim_power_cut(sim);
    keeper_close(&keeper);
    disk_sim_power_on(sim);
    keeper.begun = keeper.durable;
    must_open(&beginning);
    assert_int_equal(keeper.found.rewritten, 1);
    const struct wal_start mark = mark_at(keeper.durable);
    disk_sim_power_cut(sim);
    keeper_close(&keeper);
    disk_sim_power_on(sim);
    must_open(&beginning);
    assert_int_equal(keeper.found.rewritten, 1);
    assert_true(mark_at(keeper.durable).chain != mark.chain);
    batches(5, 3);
    keeper_close(&keeper);
    must_open(&mark);
    assert_int_equal(keeper.found.records, 30);
    batches(8, 1);
    keeper_close(&keeper);
    must_open(&mark);
    assert_int_equal(keeper.found.records, 40);
    keeper_close(&keeper);
}

/* Without a log a state stands alone only where history begins with it. */
static void origin_needs_no_log(void **state)
{
    (void)state;
    must_open(&beginning);
    batches(0, 20);
    struct wal_start mark = mark_at(keeper.durable);
    keeper_close(&keeper);
    for (uint64_t ordinal = 1; ordinal < 20; ordinal++) {
        char name[WAL_NAME_SIZE];
        wal_segment_name(ordinal, name);
        (void)sim->ops->remove(sim, name);
    }
    assert_int_equal(reopen(&mark), ERR_DAMAGED);
    assert_non_null(strstr(keeper.error, "there is no log"));
    mark.is_origin = true;
    must_open(&mark);
    batches(1000, 100);
    const uint64_t all = keeper.begun;
    keeper_close(&keeper);
    must_open(&mark);
    assert_int_equal(keeper.replayed, all);
    keeper_close(&keeper);
}

static struct wal_feed *feed_here(void)
{
    struct wal_feed *feed;
    const struct wal_feed_options options = {.disk = sim, .context_type = 255};
    assert_int_equal(wal_feed_new(&options, &feed), ERR_OK);
    return feed;
}

/* Every record of the part must be the one that was appended. */
static void part_is_kept(const struct wal_feed_part *part)
{
    const uint8_t *at = part->bytes;
    assert_true(part->count > 0);
    for (uint64_t i = 0; i < part->count; i++) {
        const struct kept *kept = &keeper.records[part->lsn + i];
        assert_int_equal(wal_record_size(at), kept->size);
        assert_int_equal(at[0], kept->type);
        assert_int_equal(part->time_ms, kept->time_ms);
        at += WAL_RECORD_HEADER_SIZE + kept->size;
    }
}

/* Read from an LSN to the durable one; a part never goes behind it. */
static uint64_t follow(struct wal_feed *feed, uint64_t from)
{
    struct wal_feed_part part;
    enum err err;
    while (from <= keeper.durable) {
        wal_feed_ask(feed, keeper.wal, from);
        assert_true(wal_feed_take(feed, &err, &part));
        assert_int_equal(err, ERR_OK);
        assert_int_equal(part.lsn, from);
        part_is_kept(&part);
        from += part.count;
    }
    assert_int_equal(from, keeper.durable + 1);
    assert_false(wal_feed_is_busy(feed));
    return from;
}

/* A feed follows a writer over segments, restarts with groups written again, and removals; it
 * tells no group that is not durable, and says what is gone. */
static void feed_follows_the_writer(void **state)
{
    (void)state;
    struct rng rng;
    uint64_t from = 1;
    rng_init(&rng, 5);
    must_open(&beginning);
    struct wal_feed *feed = feed_here();
    for (uint64_t round = 0; round < 60; round++) {
        batches(round * 100, rng_below(&rng, 20));
        if (round % 7 == 3) {
            disk_sim_hold_writes(sim, true);
            keeper_batch(&keeper, round, 3); /* begun, not durable */
            (void)follow(feed, from);
            disk_sim_hold_writes(sim, false);
            keeper_settle(&keeper);
        }
        from = follow(feed, from);
        if (keeper.durable > 0) {
            (void)follow(feed, 1 + rng_below(&rng, keeper.durable));
            from = keeper.durable + 1;
        }
        if (round % 10 == 9) {
            keeper_batch(&keeper, round, 5);
            keeper_settle(&keeper);
            disk_sim_power_cut(sim);
            keeper_close(&keeper);
            disk_sim_power_on(sim);
            must_open(&beginning);
            wal_feed_free(feed);
            feed = feed_here();
        }
    }
    const struct wal_start mark = mark_at(keeper.durable);
    batches(9000, 20);
    drive_all();
    wal_release(keeper.wal, mark.group_number);
    drive_all();
    assert_true(wal_feed_oldest(keeper.wal) > 1);
    (void)follow(feed, wal_feed_oldest(keeper.wal));
    wal_feed_free(feed);
    keeper_close(&keeper);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rest_follows_any_state, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_are_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(shorter_log_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(released_segments_go, setup, teardown),
        cmocka_unit_test_setup_teardown(retained_segments_stay, setup, teardown),
        cmocka_unit_test_setup_teardown(cuts_during_removal, setup, teardown),
        cmocka_unit_test_setup_teardown(other_state_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(written_again_is_the_same_state, setup, teardown),
        cmocka_unit_test_setup_teardown(origin_needs_no_log, setup, teardown),
        cmocka_unit_test_setup_teardown(feed_follows_the_writer, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
