/* Properties of recovery: a torn tail is told from damage, damage is refused with file and offset,
 * and nothing of an acknowledged record is ever dropped in silence. With an argument N every Nth
 * bit is flipped instead of the default stride; 1 = each of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check.h"
#include "crc32c.h"
#include "disk_sim.h"
#include "log_fixture.h"
#include "rng.h"

enum {
    SEGMENT_SIZE = 16 << 10,
    GROUP_SIZE = 3 << 10,
    CAPACITY = 64 << 20,
    LONG_GROUPS = 10, /* in four segments, 64 KiB: each bit of them is flipped */
    LONG_RECORDS = 3 * LONG_GROUPS
};

static struct keeper keeper;
static struct disk *sim;
static uint64_t bit_stride = 97;

/* The model of make_log, for tests that go on writing on copies of it. */
static struct kept made[64];

static struct wal_options small_options(struct disk *disk)
{
    struct wal_options options = keeper_options(&keeper);
    options.segment_size = SEGMENT_SIZE;
    options.group_size_max = GROUP_SIZE;
    options.disk = disk;
    return options;
}

static enum err open_small(struct disk *disk)
{
    const struct wal_options options = small_options(disk);
    return keeper_open(&keeper, &options);
}

/* A log of groups groups of three records; the end is sealed, or cut without a seal. */
static void make_log(uint32_t groups, bool is_sealed)
{
    keeper_init(&keeper);
    sim = disk_sim_new(7, CAPACITY);
    assert_int_equal(open_small(sim), ERR_OK);
    for (uint32_t i = 0; i < groups; i++) {
        keeper_batch(&keeper, 100 + i, 3);
        keeper_settle(&keeper);
    }
    while (disk_sim_has_job(sim)) {
        wal_drive(keeper.wal);
    }
    memcpy(made, keeper.records, sizeof made);
    if (!is_sealed) {
        disk_sim_power_cut(sim);
    }
    keeper_close(&keeper);
    disk_sim_power_on(sim);
}

static uint8_t *file_of(struct disk *disk, uint64_t ordinal, uint64_t *size_out)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(ordinal, name);
    return disk_sim_file(disk, name, size_out);
}

/* Open the log on disk: an answer, and the keeper's model cut to records before. */
static enum err reopen(struct disk *disk, uint64_t records)
{
    keeper.begun = records;
    const enum err err = open_small(disk);
    if (err == ERR_OK) {
        assert_int_equal(keeper.mismatches, 0);
    }
    return err;
}

static void assert_error_has(const char *part)
{
    if (!strstr(keeper.error, part)) {
        fail_msg("\"%s\" is not in: %s", part, keeper.error);
    }
}

/* Append after a recovery, end, and find all of it again. */
static void assert_goes_on(struct disk *disk)
{
    const uint64_t before = keeper.begun;
    keeper_batch(&keeper, 4711, 2);
    keeper_settle(&keeper);
    keeper_close(&keeper);
    const enum err err = open_small(disk);
    if (err != ERR_OK) {
        fail_msg("%s", keeper.error);
    }
    assert_int_equal(keeper.replayed, before + 2);
    assert_int_equal(keeper.mismatches, 0);
    keeper_close(&keeper);
}

/* Where the last group with records of a log stands; its size on disk. */
struct last_group {
    uint64_t ordinal;
    uint64_t offset;
    uint64_t size;
    uint64_t payload_end; /* in the file */
};

static struct last_group find_last(struct disk *disk)
{
    struct last_group last = {0};
    struct wal_segment_header head;
    struct wal_group_header header;
    uint64_t size;
    for (uint64_t ordinal = 1; file_of(disk, ordinal, &size); ordinal++) {
        const uint8_t *bytes = file_of(disk, ordinal, &size);
        assert_int_equal(wal_segment_decode(bytes, &head), WAL_VERDICT_OK);
        uint64_t at = WAL_BLOCK_SIZE;
        while (at < size &&
               wal_group_decode(bytes + at, head.epoch, at, &header) == WAL_VERDICT_OK) {
            const uint64_t end = at + WAL_GROUP_HEADER_SIZE + header.size;
            if (header.count) {
                last = (struct last_group){ordinal, at, wal_group_size(header.size), end};
            }
            at += wal_group_size(header.size);
        }
    }
    assert_true(last.ordinal > 0);
    return last;
}

/* The last group torn at every byte: all before it is found, the tear is named, the log goes on.
 * Behind the tear stand zeros, or garbage. */
static void tear_at(const struct last_group *last, uint64_t cut, bool is_garbage)
{
    uint64_t size;
    struct disk *torn = disk_sim_clone(sim);
    uint8_t *bytes = file_of(torn, last->ordinal, &size) + last->offset;
    memcpy(keeper.records, made, sizeof made);
    for (uint64_t i = cut; i < last->size; i++) {
        bytes[i] = is_garbage ? (uint8_t)(i * 167 + 13) : 0;
    }
    if (reopen(torn, 15) != ERR_OK) {
        fail_msg("cut at %u: %s", (unsigned)cut, keeper.error);
    }
    /* Only a tear behind the last byte that is not zero anyway can leave the group whole. */
    const bool is_whole = last->offset + cut >= last->payload_end && !is_garbage;
    assert_true(keeper.replayed == 12 || (keeper.replayed == 15 && cut >= 100));
    assert_true(!is_whole || keeper.replayed == 15);
    const bool has_trace = keeper.replayed == 12 && (cut > 0 || is_garbage);
    assert_int_equal(keeper.found.has_torn_tail, has_trace);
    if (has_trace) {
        assert_int_equal(keeper.found.torn_offset, last->offset);
    }
    assert_goes_on(torn);
    disk_sim_free(torn);
}

static void torn_tail_at_every_byte(void **state)
{
    (void)state;
    make_log(5, false);
    const struct last_group last = find_last(sim);
    const uint64_t payload = last.payload_end - last.offset;
    for (uint64_t cut = 0; cut <= payload; cut++) {
        tear_at(&last, cut, false);
        if (cut % 7 == 0) {
            tear_at(&last, cut, true);
        }
    }
    disk_sim_free(sim);
}

/* A torn tail stays harmless through later restarts: it is superseded, not overwritten. */
static void torn_tail_stays_where_it_is(void **state)
{
    uint64_t size;
    (void)state;
    make_log(5, false);
    const struct last_group last = find_last(sim);
    uint8_t *bytes = file_of(sim, last.ordinal, &size);
    bytes[last.offset + 140] ^= 1;
    const uint32_t before = crc32c(0, bytes, size);
    assert_int_equal(reopen(sim, 15), ERR_OK);
    assert_int_equal(keeper.replayed, 12);
    for (uint32_t i = 0; i < 4; i++) {
        keeper_batch(&keeper, i, 3);
        keeper_settle(&keeper);
        disk_sim_power_cut(sim);
        keeper_close(&keeper);
        disk_sim_power_on(sim);
        assert_int_equal(reopen(sim, keeper.begun), ERR_OK);
        assert_int_equal(keeper.replayed, 15 + 3 * i);
    }
    keeper_close(&keeper);
    assert_int_equal(crc32c(0, file_of(sim, last.ordinal, &size), size), before);
    disk_sim_free(sim);
}

/* A torn group behind a sealed one, with nothing to write again: still the log goes on elsewhere,
 * and the torn bytes stay as they are. */
static void torn_tail_behind_a_seal_stays(void **state)
{
    uint64_t size;
    (void)state;
    make_log(1, true);
    uint8_t *bytes = file_of(sim, 1, &size);
    memset(bytes + 4096 * 3, 0x5a, 700); /* behind group 1 and its seal */
    const uint32_t before = crc32c(0, bytes, size);
    assert_int_equal(reopen(sim, 3), ERR_OK);
    assert_int_equal(keeper.replayed, 3);
    assert_true(keeper.found.has_torn_tail);
    assert_int_equal(keeper.found.torn_offset, 4096 * 3);
    assert_int_equal(keeper.found.rewritten, 0);
    assert_goes_on(sim);
    assert_int_equal(crc32c(0, file_of(sim, 1, &size), size), before);
    disk_sim_free(sim);
}

/* A group that was changed with all its own sums put right breaks the chain of the next one. */
static void changed_group_breaks_the_chain(void **state)
{
    uint64_t size;
    struct wal_segment_header head;
    struct wal_group_header header;
    (void)state;
    make_log(3, true);
    uint8_t *bytes = file_of(sim, 1, &size);
    assert_int_equal(wal_segment_decode(bytes, &head), WAL_VERDICT_OK);
    assert_int_equal(wal_group_decode(bytes + 4096, head.epoch, 4096, &header), WAL_VERDICT_OK);
    bytes[4096 + WAL_GROUP_HEADER_SIZE] ^= 1; /* the type of a record: in no digest */
    wal_group_encode(&header, bytes + 4096);
    keeper.records[1].type ^= 1;
    assert_int_equal(reopen(sim, 9), ERR_DAMAGED);
    assert_error_has("log-0000000000000001.seg, offset 8192");
    assert_error_has("chain");
    disk_sim_free(sim);
}

/* Engine time never runs backward in a log. */
static void time_backward_is_refused(void **state)
{
    uint64_t size;
    struct wal_segment_header head;
    struct wal_group_header header;
    (void)state;
    make_log(7, false);
    const struct last_group last = find_last(sim);
    uint8_t *bytes = file_of(sim, last.ordinal, &size);
    assert_int_equal(wal_segment_decode(bytes, &head), WAL_VERDICT_OK);
    assert_int_equal(wal_group_decode(bytes + last.offset, head.epoch, last.offset, &header),
                     WAL_VERDICT_OK);
    assert_true(header.time_ms > 0);
    header.time_ms = 0;
    wal_group_encode(&header, bytes + last.offset);
    for (uint64_t lsn = header.first_lsn; lsn < header.first_lsn + header.count; lsn++) {
        keeper.records[lsn].time_ms = 0;
    }
    assert_int_equal(reopen(sim, 21), ERR_DAMAGED);
    assert_error_has("time runs backward");
    disk_sim_free(sim);
}

/* A group counts only at its own place in its own segment: a misdirected write is none. */
static void group_counts_only_in_its_place(void **state)
{
    uint64_t size;
    struct wal_segment_header head;
    struct wal_group_header header;
    (void)state;
    make_log(1, false);
    const uint8_t *group = file_of(sim, 1, &size) + 4096;
    assert_int_equal(wal_segment_decode(group - 4096, &head), WAL_VERDICT_OK);
    assert_int_equal(wal_group_decode(group, head.epoch, 4096, &header), WAL_VERDICT_OK);
    assert_int_equal(wal_group_decode(group, head.epoch, 8192, &header), WAL_VERDICT_BAD);
    assert_int_equal(wal_group_decode(group, head.epoch + 1, 4096, &header), WAL_VERDICT_BAD);
    disk_sim_free(sim);
}

/* Padding is zero or the group is not sound. */
static void padding_is_checked(void **state)
{
    uint64_t size;
    (void)state;
    make_log(3, true);
    file_of(sim, 1, &size)[4096 * 2 - 1] = 1;
    assert_int_equal(reopen(sim, 9), ERR_DAMAGED);
    assert_error_has("log-0000000000000001.seg, offset 4096");
    disk_sim_free(sim);
}

/* What one flipped bit did. */
struct flips {
    uint64_t bytes; /* of the segments */
    uint64_t refused;
    uint64_t harmless;  /* all records there */
    uint64_t last_lost; /* in the last group, which nothing stamps: like a tear */
};

static void flip(const char *name, uint64_t bit, uint64_t records, uint64_t last_records,
                 struct flips *flips)
{
    uint64_t size;
    char place[64];
    struct disk *flipped = disk_sim_clone(sim);
    disk_sim_file(flipped, name, &size)[bit / 8] ^= (uint8_t)(1u << bit % 8);
    const enum err err = reopen(flipped, records);
    if (err != ERR_OK) {
        assert_int_equal(err, ERR_DAMAGED);
        assert_error_has(name);
        flips->refused++;
        const bool is_group = bit / 8 >= WAL_BLOCK_SIZE;
        snprintf(place, sizeof place, "offset %u",
                 is_group ? (unsigned)(bit / 8 / WAL_BLOCK_SIZE * WAL_BLOCK_SIZE) : 0u);
        assert_error_has(strncmp(name, "log-", 4) == 0 ? place : "offset ");
    } else if (keeper.replayed == records) {
        flips->harmless++;
        keeper_close(&keeper);
    } else {
        const struct last_group last = find_last(sim);
        char last_name[WAL_NAME_SIZE];
        wal_segment_name(last.ordinal, last_name);
        assert_int_equal(keeper.replayed, records - last_records);
        assert_string_equal(name, last_name);
        assert_true(bit / 8 >= last.offset && bit / 8 < last.offset + last.size);
        flips->last_lost++;
        keeper_close(&keeper);
    }
    disk_sim_free(flipped);
}

static struct flips flip_all(uint64_t records)
{
    struct flips flips = {0};
    char name[WAL_NAME_SIZE];
    uint64_t size;
    for (uint64_t ordinal = 1; file_of(sim, ordinal, &size); ordinal++) {
        wal_segment_name(ordinal, name);
        flips.bytes += size;
        for (uint64_t bit = 0; bit < size * 8; bit += bit_stride) {
            flip(name, bit, records, 3, &flips);
        }
    }
    for (uint64_t bit = 0; bit < WAL_IDENTITY_SIZE * 8; bit++) {
        flip("identity", bit, records, 3, &flips);
    }
    return flips;
}

/* One flipped bit anywhere in a sealed log is refused or harmless: no record is lost to it. */
static void each_bit_of_a_sealed_log(void **state)
{
    (void)state;
    make_log(LONG_GROUPS, true);
    const struct flips flips = flip_all(LONG_RECORDS);
    assert_int_equal(flips.last_lost, 0);
    assert_true(flips.refused > LONG_GROUPS * 4096 * 8 / bit_stride);
    assert_true(flips.bytes >= 64 << 10);
    print_message("sealed: %u refused, %u harmless, of %u KiB\n", (unsigned)flips.refused,
                  (unsigned)flips.harmless, (unsigned)(flips.bytes >> 10));
    disk_sim_free(sim);
}

/* A segment of any other length is refused by its name, and where its end is missing. */
static void each_length_is_refused(void **state)
{
    (void)state;
    char name[WAL_NAME_SIZE];
    uint64_t size;
    uint64_t lengths = 0;
    make_log(LONG_GROUPS, true);
    for (uint64_t ordinal = 1; file_of(sim, ordinal, &size); ordinal++) {
        wal_segment_name(ordinal, name);
        for (uint64_t length = 0; length < size; length += bit_stride, lengths++) {
            struct disk *cut = disk_sim_clone(sim);
            disk_sim_file_resize(cut, name, length);
            assert_int_equal(reopen(cut, LONG_RECORDS), ERR_DAMAGED);
            assert_error_has(name);
            assert_error_has("offset ");
            disk_sim_free(cut);
        }
    }
    print_message("lengths: %u refused\n", (unsigned)lengths);
    disk_sim_free(sim);
}

/* Without a seal the same, but for the last group: a flip in it cannot be told from a tear. */
static void each_bit_of_an_unsealed_log(void **state)
{
    (void)state;
    make_log(LONG_GROUPS, false);
    const struct flips flips = flip_all(LONG_RECORDS);
    assert_true(flips.last_lost > 0 && flips.last_lost <= 4096 * 8 / bit_stride + 1);
    print_message("unsealed: %u refused, %u harmless, %u in the last group: LSN %u to %u lost\n",
                  (unsigned)flips.refused, (unsigned)flips.harmless, (unsigned)flips.last_lost,
                  LONG_RECORDS - 2u, (unsigned)LONG_RECORDS);
    disk_sim_free(sim);
}

/* A block of zeros in the middle is damage, named by file and offset; nothing is changed by it. */
static void zeroed_middle_is_refused(void **state)
{
    uint64_t size;
    (void)state;
    make_log(7, true);
    for (uint64_t ordinal = 1; ordinal <= 2; ordinal++) {
        for (uint64_t offset = WAL_BLOCK_SIZE; offset < SEGMENT_SIZE; offset += WAL_BLOCK_SIZE) {
            struct disk *holed = disk_sim_clone(sim);
            memset(file_of(holed, ordinal, &size) + offset, 0, WAL_BLOCK_SIZE);
            const uint32_t before = crc32c(0, file_of(holed, 1, &size), size);
            assert_int_equal(reopen(holed, 21), ERR_DAMAGED);
            assert_error_has("log-000000000000000");
            assert_int_equal(crc32c(0, file_of(holed, 1, &size), size), before);
            disk_sim_free(holed);
        }
    }
    disk_sim_free(sim);
}

/* A whole segment that is missing, at either end or between, or that was swapped, is refused. */
static void missing_or_swapped_segment_is_refused(void **state)
{
    uint64_t size;
    uint8_t kept[SEGMENT_SIZE];
    (void)state;
    make_log(10, true);
    for (uint64_t ordinal = 1; ordinal <= 3; ordinal++) {
        char name[WAL_NAME_SIZE];
        struct disk *holed = disk_sim_clone(sim);
        wal_segment_name(ordinal, name);
        assert_int_equal(holed->ops->remove(holed, name), ERR_OK);
        assert_int_equal(reopen(holed, 30), ERR_DAMAGED);
        disk_sim_free(holed);
    }
    struct disk *swapped = disk_sim_clone(sim);
    memcpy(kept, file_of(swapped, 1, &size), SEGMENT_SIZE);
    memcpy(file_of(swapped, 1, &size), file_of(swapped, 2, &size), SEGMENT_SIZE);
    memcpy(file_of(swapped, 2, &size), kept, SEGMENT_SIZE);
    assert_int_equal(reopen(swapped, 30), ERR_DAMAGED);
    disk_sim_free(swapped);
    disk_sim_free(sim);
}

/* A file cut short or lengthened is refused by its size. */
static void resized_segment_is_refused(void **state)
{
    static const uint64_t sizes[] = {0, 100, 4096, SEGMENT_SIZE - 4096, SEGMENT_SIZE + 4096};
    char name[WAL_NAME_SIZE];
    (void)state;
    make_log(7, true);
    for (uint64_t ordinal = 1; ordinal <= 3; ordinal++) {
        for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
            struct disk *cut = disk_sim_clone(sim);
            wal_segment_name(ordinal, name);
            disk_sim_file_resize(cut, name, sizes[i]);
            assert_int_equal(reopen(cut, 21), ERR_DAMAGED);
            assert_error_has(name);
            disk_sim_free(cut);
        }
    }
    disk_sim_free(sim);
}

/* Bytes of another use of a segment (a recycled disk block) never count: their epoch differs. */
static void old_epoch_never_counts(void **state)
{
    uint64_t size;
    struct wal_segment_header head;
    struct wal_group_header header;
    (void)state;
    make_log(5, false);
    const struct last_group last = find_last(sim);
    uint8_t *bytes = file_of(sim, last.ordinal, &size);
    assert_int_equal(wal_segment_decode(bytes, &head), WAL_VERDICT_OK);
    assert_int_equal(wal_group_decode(bytes + last.offset, head.epoch, last.offset, &header),
                     WAL_VERDICT_OK);
    header.epoch ^= 1;
    header.number += 1; /* would be a proof of damage if it counted */
    header.offset = last.offset + last.size;
    header.first_lsn += header.count;
    wal_group_encode(&header, bytes + last.offset);
    memcpy(bytes + header.offset, bytes + last.offset, WAL_BLOCK_SIZE);
    memset(bytes + last.offset, 0, last.size);
    assert_int_equal(reopen(sim, 15), ERR_OK);
    assert_int_equal(keeper.replayed, 12);
    assert_goes_on(sim);
    disk_sim_free(sim);
}

/* The same group with the right epoch is a proof that the one before it was durable. */
static void later_header_proves_damage(void **state)
{
    uint64_t size;
    struct wal_segment_header head;
    struct wal_group_header header;
    (void)state;
    make_log(5, false);
    const struct last_group last = find_last(sim);
    uint8_t *bytes = file_of(sim, last.ordinal, &size);
    assert_int_equal(wal_segment_decode(bytes, &head), WAL_VERDICT_OK);
    assert_int_equal(wal_group_decode(bytes + last.offset, head.epoch, last.offset, &header),
                     WAL_VERDICT_OK);
    header.number += 1;
    header.offset = last.offset + last.size;
    header.first_lsn += header.count;
    wal_group_encode(&header, bytes + last.offset);
    memcpy(bytes + header.offset, bytes + last.offset, WAL_GROUP_HEADER_SIZE);
    memset(bytes + last.offset, 0, last.size);
    assert_int_equal(reopen(sim, 15), ERR_DAMAGED);
    disk_sim_free(sim);
}

/* A write of two blocks that went astray onto the last two groups, whole or torn: its header, where
 * it landed, is all that tells of them. Without it their loss cannot be seen. */
static void strayed_header_proves_damage(void **state)
{
    uint64_t size;
    struct wal_segment_header head;
    struct wal_group_header header;
    (void)state;
    for (uint64_t number = 0; number <= 4; number += 2) {
        make_log(3, false);
        const struct last_group last = find_last(sim);
        uint8_t *bytes = file_of(sim, last.ordinal, &size);
        assert_int_equal(wal_segment_decode(bytes, &head), WAL_VERDICT_OK);
        assert_int_equal(wal_group_decode(bytes + last.offset, head.epoch, last.offset, &header),
                         WAL_VERDICT_OK);
        memset(bytes + last.offset - last.size, 0x5a, 2 * last.size);
        if (number > 0) { /* 2: that of the first group missed proves nothing behind it */
            header.number = number;
            header.offset = last.offset + last.size;
            wal_group_encode(&header, bytes + last.offset);
        }
        if (number <= 2) {
            assert_int_equal(reopen(sim, 3), ERR_OK);
            keeper_close(&keeper);
        } else {
            assert_int_equal(reopen(sim, 3), ERR_DAMAGED);
            assert_error_has("log-0000000000000001.seg, offset 12288");
        }
        disk_sim_free(sim);
    }
}

/* Raise the version that a header tells, with a valid sum: its place in all three is the same. */
static void raise_version(uint8_t *bytes, size_t header_size)
{
    bytes[8] = 2;
    const uint32_t crc = crc32c(0, bytes, header_size - 4);
    memcpy(bytes + header_size - 4, &crc, sizeof crc);
}

/* An unknown version is refused as such, wherever it stands. */
static void unknown_version_is_refused_by_name(void **state)
{
    uint64_t size;
    (void)state;
    make_log(5, true);
    struct disk *disk = disk_sim_clone(sim);
    raise_version(disk_sim_file(disk, "identity", &size), WAL_IDENTITY_SIZE);
    assert_int_equal(reopen(disk, 15), ERR_FORMAT);
    assert_error_has("format version 2");
    disk_sim_free(disk);
    disk = disk_sim_clone(sim);
    raise_version(file_of(disk, 1, &size), 64);
    assert_int_equal(reopen(disk, 15), ERR_FORMAT);
    assert_error_has("log-0000000000000001.seg, offset 0");
    disk_sim_free(disk);
    disk = disk_sim_clone(sim);
    raise_version(file_of(disk, 1, &size) + 8192, WAL_GROUP_HEADER_SIZE);
    assert_int_equal(reopen(disk, 15), ERR_FORMAT);
    assert_error_has("log-0000000000000001.seg, offset 8192");
    disk_sim_free(disk);
    disk_sim_free(sim);
}

/* A log without its identity, or with a segment of another folder, is refused. */
static void foreign_parts_are_refused(void **state)
{
    uint64_t size;
    char name[WAL_NAME_SIZE];
    (void)state;
    make_log(5, true);
    struct disk *disk = disk_sim_clone(sim);
    assert_int_equal(disk->ops->remove(disk, "identity"), ERR_OK);
    assert_int_equal(reopen(disk, 15), ERR_DAMAGED);
    assert_error_has("identity");
    disk_sim_free(disk);

    disk = disk_sim_clone(sim);
    struct disk *other = disk_sim_new(99, CAPACITY);
    keeper.begun = 0;
    assert_int_equal(open_small(other), ERR_OK);
    keeper_close(&keeper);
    const uint8_t *bytes = file_of(other, 1, &size);
    wal_segment_name(1, name);
    disk_sim_file_put(disk, name, bytes, size);
    assert_int_equal(reopen(disk, 15), ERR_DAMAGED);
    assert_error_has("another data folder");
    disk_sim_free(disk);
    disk_sim_free(other);
    disk_sim_free(sim);
}

/* Records that verify but do not give the stamped state are refused: the owner's digest counts. */
static void wrong_digest_is_refused(void **state)
{
    uint64_t size;
    struct wal_segment_header head;
    struct wal_group_header header;
    (void)state;
    make_log(1, false);
    uint8_t *bytes = file_of(sim, 1, &size);
    assert_int_equal(wal_segment_decode(bytes, &head), WAL_VERDICT_OK);
    assert_int_equal(wal_group_decode(bytes + 4096, head.epoch, 4096, &header), WAL_VERDICT_OK);
    header.digest.high ^= 1;
    wal_group_encode(&header, bytes + 4096);
    assert_int_equal(reopen(sim, 3), ERR_DAMAGED);
    assert_error_has("log-0000000000000001.seg, offset 4096");
    assert_error_has("stamped");
    disk_sim_free(sim);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(torn_tail_at_every_byte),
        cmocka_unit_test(torn_tail_stays_where_it_is),
        cmocka_unit_test(torn_tail_behind_a_seal_stays),
        cmocka_unit_test(changed_group_breaks_the_chain),
        cmocka_unit_test(time_backward_is_refused),
        cmocka_unit_test(group_counts_only_in_its_place),
        cmocka_unit_test(padding_is_checked),
        cmocka_unit_test(each_bit_of_a_sealed_log),
        cmocka_unit_test(each_length_is_refused),
        cmocka_unit_test(each_bit_of_an_unsealed_log),
        cmocka_unit_test(zeroed_middle_is_refused),
        cmocka_unit_test(missing_or_swapped_segment_is_refused),
        cmocka_unit_test(resized_segment_is_refused),
        cmocka_unit_test(old_epoch_never_counts),
        cmocka_unit_test(later_header_proves_damage),
        cmocka_unit_test(strayed_header_proves_damage),
        cmocka_unit_test(unknown_version_is_refused_by_name),
        cmocka_unit_test(foreign_parts_are_refused),
        cmocka_unit_test(wrong_digest_is_refused),
    };
    if (argc > 1) {
        bit_stride = strtoull(argv[1], NULL, 10);
        CHECK(bit_stride > 0);
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
