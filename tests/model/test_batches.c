/* How requests fall into batches changes nothing: one seeded stream, delivered one by one, by 2,
 * 7, 64 and 4,096, gives the same reply bytes, the same records and the same digest; so does a
 * turn that is suspended after each step of deciding, after 100 and after 20,000, and so does a
 * restart in its middle, also one from a snapshot. Time stands still within a part of the stream,
 * so that nothing differs by time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ask_stream.h"
#include "check.h"
#include "say.h"
#include "service_harness.h"

enum { SNAPSHOT_EVERY = 15 * 64 };
enum { RECORDS_MAX = 4 * ASK_STREAM_MAX, RECORD_BYTES_MAX = 16 << 20, SHOWN_MAX = 600 };

/* How a stream is delivered. */
struct way_of {
    uint32_t together; /* requests of one service_batch */
    uint32_t batch;    /* options.batch: staged together */
    bool has_restart;  /* before each part but the first */
    bool has_snapshots; /* before each restart, and one each SNAPSHOT_EVERY requests */
    uint32_t slice_steps; /* of deciding before a turn is suspended; 0 = never */
};

struct bytes {
    uint8_t *at;
    uint32_t size;
};

struct record {
    uint64_t lsn;
    uint64_t time_ms;
    uint32_t at; /* in record_bytes */
    uint32_t size;
    uint8_t type;
};

/* What came of it. */
struct outcome {
    struct bytes replies[ASK_STREAM_MAX];
    struct record *records;
    uint32_t record_count;
    uint8_t *record_bytes;
    uint32_t record_size;
    struct digest digest;
    uint32_t slices; /* times that a turn was suspended */
};

/* -- one delivery -- */

/* The folder's secret keys the hashes of keys, which stand in records: the same one each time. */
static void identity_write(const struct harness *harness)
{
    const struct wal_identity identity = {
        .uuid = "batches of one", .secret = "not a secret", .version = WAL_FORMAT_VERSION};
    uint8_t bytes[WAL_IDENTITY_SIZE];
    char name[300];
    wal_identity_encode(&identity, bytes);
    snprintf(name, sizeof name, "%s/identity", harness->dir);
    FILE *file = fopen(name, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, sizeof bytes, file), sizeof bytes);
    assert_int_equal(fclose(file), 0);
}

static uint32_t slices;

static void on_suspended(struct harness *harness)
{
    (void)harness;
    slices++;
}

static void service_begin(struct harness *harness, const struct way_of *way)
{
    harness_init(harness);
    slices = 0;
    harness->suspended = on_suspended;
    harness->options.slice_steps = way->slice_steps;
    harness->options.batch = way->batch;
    harness->options.log.unsafe_no_sync = true; /* one flush for each request takes its time */
    harness->options.tables.orders_max = 400;  /* both are reached in the first part */
    harness->options.tables.keys_max = 300;
    harness->wall_ms = ask_stream_ms[0];
    harness->step_ms = 0;
    identity_write(harness);
    harness_start(harness);
    harness_do(harness, "place.load", "{'country':'US','rows':[['1',40,-74],['107',39,-75]]}");
}

/* The request for it leaves no trace in what is compared. */
static void snapshot_take(struct harness *harness)
{
    const uint32_t msgid = harness->next_msgid;
    harness_snapshot(harness);
    harness->next_msgid = msgid;
}

/* Time moves on, and what leaves by time does so before the next request comes. */
static void part_begin(struct harness *harness, const struct way_of *way, uint32_t part)
{
    uint64_t lsn;
    if (way->has_snapshots) {
        snapshot_take(harness);
    }
    if (way->has_restart) {
        harness_restart(harness);
    }
    harness->wall_ms = ask_stream_ms[part];
    do {
        lsn = wal_lsn_begun(service_wal(harness->service));
        harness_run(harness);
    } while (wal_lsn_begun(service_wal(harness->service)) != lsn);
}

static uint32_t deliver_some(struct harness *harness, const struct ask_stream *stream,
                             const struct way_of *way, uint32_t first, struct outcome *outcome)
{
    uint32_t part = stream->requests[first].part;
    uint32_t number = harness->next_msgid;
    uint32_t end = first;
    if (way->has_snapshots && first % SNAPSHOT_EVERY == 0) {
        snapshot_take(harness);
    }
    while (end < stream->count && end - first < way->together &&
           stream->requests[end].part == part) {
        const struct ask_request *request = &stream->requests[end++];
        harness_stage(harness, request->conn, request->method, "%s", request->params);
    }
    harness_run(harness);
    for (uint32_t i = end; i-- > first;) {
        struct bytes *reply = &outcome->replies[i];
        reply->at = harness_take_bytes(harness, number + i - first, &reply->size);
    }
    return end;
}

static enum err on_record(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                          const uint8_t *bytes, uint32_t size)
{
    struct outcome *outcome = owner;
    CHECK(outcome->record_count < RECORDS_MAX);
    CHECK(size <= RECORD_BYTES_MAX - outcome->record_size);
    outcome->records[outcome->record_count++] =
        (struct record){lsn, time_ms, outcome->record_size, size, type};
    memcpy(outcome->record_bytes + outcome->record_size, bytes, size);
    outcome->record_size += size;
    return ERR_OK;
}

static enum err on_group(void *owner, const struct digest *stamped, uint64_t last_lsn,
                         uint64_t time_ms)
{
    (void)owner;
    (void)stamped;
    (void)last_lsn;
    (void)time_ms;
    return ERR_OK;
}

/* The log as it is on the disk; the service must be closed. */
static void log_read(const struct harness *harness, struct outcome *outcome)
{
    const struct wal_options options = {.dir = harness->dir,
                                        .segment_size = harness->options.log.segment_size,
                                        .backend = WAL_BACKEND_PWRITE,
                                        .force_buffered = true,
                                        .unsafe_no_sync = true};
    char error[WAL_ERROR_SIZE];
    struct wal_recovery found;
    struct wal *wal;
    assert_int_equal(wal_open(&options, error, &wal), ERR_OK);
    assert_int_equal(wal_recover(wal, on_record, on_group, outcome, &found), ERR_OK);
    wal_close(wal);
}

static struct outcome *deliver(const struct ask_stream *stream, const struct way_of *way)
{
    struct harness harness;
    struct outcome *outcome = calloc(1, sizeof *outcome);
    assert_non_null(outcome);
    outcome->records = calloc(RECORDS_MAX, sizeof *outcome->records);
    outcome->record_bytes = malloc(RECORD_BYTES_MAX);
    assert_non_null(outcome->records);
    assert_non_null(outcome->record_bytes);
    service_begin(&harness, way);
    for (uint32_t at = 0; at < stream->count;) {
        if (at > 0 && stream->requests[at].part != stream->requests[at - 1].part) {
            part_begin(&harness, way, stream->requests[at].part);
        }
        at = deliver_some(&harness, stream, way, at, outcome);
    }
    outcome->slices = slices;
    outcome->digest = service_tables(harness.service)->digest;
    service_close(harness.service);
    harness.service = NULL;
    log_read(&harness, outcome);
    harness_close(&harness);
    return outcome;
}

static void outcome_free(struct outcome *outcome)
{
    for (uint32_t i = 0; i < ASK_STREAM_MAX; i++) {
        free(outcome->replies[i].at);
    }
    free(outcome->records);
    free(outcome->record_bytes);
    free(outcome);
}

/* -- comparing -- */

static void show(const char *what, const uint8_t *bytes, uint32_t size)
{
    fprintf(stderr, "%s (%u bytes): ", what, size);
    for (uint32_t i = 0; i < size && i < SHOWN_MAX; i++) {
        fputc(bytes[i] >= ' ' && bytes[i] < 0x7f ? bytes[i] : '.', stderr);
    }
    fputc('\n', stderr);
}

static void replies_match(const struct ask_stream *stream, const struct outcome *wanted,
                          const struct outcome *found)
{
    for (uint32_t i = 0; i < stream->count; i++) {
        const struct bytes *a = &wanted->replies[i];
        const struct bytes *b = &found->replies[i];
        if (a->size != b->size || memcmp(a->at, b->at, a->size) != 0) {
            fprintf(stderr, "request %u: %s %s\n", i, stream->requests[i].method,
                    stream->requests[i].params);
            show("one by one", a->at, a->size);
            show("this time", b->at, b->size);
            fail_msg("another reply");
        }
    }
}

static void records_match(const struct outcome *wanted, const struct outcome *found)
{
    for (uint32_t i = 0; i < wanted->record_count && i < found->record_count; i++) {
        const struct record *a = &wanted->records[i];
        const struct record *b = &found->records[i];
        if (a->lsn != b->lsn || a->time_ms != b->time_ms || a->type != b->type ||
            a->size != b->size ||
            memcmp(wanted->record_bytes + a->at, found->record_bytes + b->at, a->size) != 0) {
            fprintf(stderr, "record %u: type %u at lsn %llu, now type %u at lsn %llu\n", i, a->type,
                    (unsigned long long)a->lsn, b->type, (unsigned long long)b->lsn);
            show("one by one", wanted->record_bytes + a->at, a->size);
            show("this time", found->record_bytes + b->at, b->size);
            fail_msg("another record");
        }
    }
    assert_int_equal(wanted->record_count, found->record_count);
}

/* How many replies hold the word. */
static uint32_t replies_with(const struct ask_stream *stream, const struct outcome *outcome,
                             const char *word)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < stream->count; i++) {
        const struct bytes *reply = &outcome->replies[i];
        count += memmem(reply->at, reply->size, word, strlen(word)) != NULL;
    }
    return count;
}

/* A stream that meets none of the hard cases would prove nothing. */
static void stream_is_rich(const struct ask_stream *stream, const struct outcome *outcome)
{
    static const struct {
        const char *word;
        uint32_t least;
    } wanted[] = {
        {"routed", 400},      {"partial", 20},      {"refused", 200},
        {"duplicate", 40},    {"TABLE_FULL", 20},   {"IDEMPOTENCY_CONFLICT", 50},
        {"absorbed", 5},      {"STALE_COUNT", 5},   {"INSUFFICIENT_STOCK", 50},
        {"UNKNOWN_ITEM", 10}, {"same_day", 30},     {"ship_from_warehouse", 30},
        {"/3", 8},            {"collected", 10},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        uint32_t count = replies_with(stream, outcome, wanted[i].word);
        if (count < wanted[i].least) {
            fail_msg("only %u replies with %s, at least %u wanted", count, wanted[i].word,
                     wanted[i].least);
        }
    }
    if (stream->has_rules) {
        assert_true(replies_with(stream, outcome, "version") >= 40);
        assert_true(replies_with(stream, outcome, "UNKNOWN_STRATEGY") > 0);
        assert_true(replies_with(stream, outcome, "loaded") >= 10);
    }
}

/* -- tests -- */

/* No decision of the stream takes 20,000 steps. */
static void slices_came(const struct way_of *way, uint32_t count)
{
    printf("suspended %u times\n", count);
    if (way->slice_steps == 0) {
        assert_int_equal(count, 0);
    } else if (way->slice_steps <= 100) {
        assert_true(count >= 1000);
    }
}

static void all_ways_are_one(uint64_t seed, bool has_loads, bool has_rules)
{
    static const struct way_of one = {1, 1, false, false, 0};
    static const struct way_of ways[] = {
        {2, 2, false, false, 20000},     {7, 7, false, false, 20000},
        {64, 64, false, false, 20000},   {4096, 4096, false, false, 0},
        {4096, 7, false, false, 100},    {64, 4096, false, false, 20000},
        {64, 64, true, false, 100},      {64, 64, true, true, 20000},
        {1, 1, false, false, 1},         {7, 7, false, false, 1},
        {64, 64, false, false, 1},       {4096, 4096, false, false, 1},
        {64, 64, true, false, 1},
    };
    struct ask_stream *stream = ask_stream_new(seed, has_loads, has_rules);
    struct outcome *wanted = deliver(stream, &one);
    stream_is_rich(stream, wanted);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        const struct way_of *way = &ways[i];
        printf("%u together, batch %u, slices of %u%s: BATCHES_SEED=%llu test_batches\n",
               way->together, way->batch, way->slice_steps,
               way->has_snapshots ? ", snapshots"
               : way->has_restart ? ", restarts"
                                  : "",
               (unsigned long long)seed);
        struct outcome *found = deliver(stream, way);
        slices_came(way, found->slices);
        replies_match(stream, wanted, found);
        if (ways[i].has_snapshots) {
            /* What falls due at the same ms may do so in another order. */
            assert_int_equal(wanted->record_count, found->record_count);
        } else {
            records_match(wanted, found);
        }
        assert_true(digest_equal(&wanted->digest, &found->digest));
        outcome_free(found);
    }
    outcome_free(wanted);
    ask_stream_free(stream);
}

static uint64_t seed_or(uint64_t seed)
{
    const char *given = getenv("BATCHES_SEED");
    return given ? strtoull(given, NULL, 10) : seed;
}

/* Four connections, every method that answers at once. */
static void batches_of_any_size_are_one(void **state)
{
    (void)state;
    all_ways_are_one(seed_or(1), false, false);
}

/* One connection, loads among the rest: what follows a load waits for it. */
static void batches_with_loads_are_one(void **state)
{
    (void)state;
    all_ways_are_one(seed_or(2), true, false);
}

/* Strategies decide, of each kind, and change in the midst of a batch. */
static void batches_with_rules_are_one(void **state)
{
    (void)state;
    all_ways_are_one(seed_or(3), false, true);
}

int main(void)
{
    say_level_set(SAY_WARN); /* not a line for each snapshot */
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(batches_of_any_size_are_one),
        cmocka_unit_test(batches_with_loads_are_one),
        cmocka_unit_test(batches_with_rules_are_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
