/* Properties of snapshots, format version 1: what is written is what is read; every damaged bit and
 * every length that is not the whole is refused with file and offset; the golden one is read.
 *
 * Arguments: golden file, then a stride: every so manieth bit is flipped (1 = all of them). With
 * only `write` the golden file goes to stdout; that is done once per format version. */
#include <inttypes.h>
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
#include "image_memory.h"
#include "snapshot.h"
#include "tables_sample.h"

enum { GOLDEN_SEED = 20261122, GOLDEN_ORDERS = 6, LINE_BYTES = 32, LINE_SIZE = 256 };
enum { DISK = 8 << 20 };

#define GOLDEN_NAME "snapshot-0000000000000042.snap"

static const char *golden_path;
static uint64_t bit_stride = 97;
static uint8_t uuid[16] = "uuid of a folder";

static struct snapshot_mark mark_of(const struct tables *tables)
{
    struct snapshot_mark mark = {.lsn = tables->lsn, .time_ms = tables->time_ms,
                                 .group_number = 77, .chain = 0x1234567890abcdef,
                                 .digest = tables->digest};
    memcpy(mark.uuid, uuid, sizeof uuid);
    return mark;
}

/* A disk with one snapshot of a sample under the passing name. */
static struct disk *disk_with(uint64_t seed, uint32_t orders, struct tables *tables)
{
    char error[SNAPSHOT_ERROR_SIZE];
    struct snapshot_written written;
    struct disk *disk = disk_sim_new(seed, DISK);
    tables_sample(tables, seed, orders);
    const struct snapshot_mark mark = mark_of(tables);
    const enum err err = snapshot_write(disk, tables, &mark, 0, &written, error);
    if (err != ERR_OK) {
        fail_msg("%s", error);
    }
    assert_true(written.bytes % SNAPSHOT_BLOCK == 0);
    return disk;
}

static enum err load(struct disk *disk, const char *name, const struct tables_options *options,
                     struct tables *tables, char error[SNAPSHOT_ERROR_SIZE])
{
    struct snapshot_mark mark;
    assert_int_equal(tables_init(tables, options, tables_sample_secret), ERR_OK);
    return snapshot_load(disk, name, uuid, tables, &mark, error);
}

/* What was loaded is what was saved, and goes on alike. */
static void loaded_goes_on_alike(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 12; seed++) {
        char error[SNAPSHOT_ERROR_SIZE];
        struct tables tables;
        struct tables loaded;
        struct disk *disk = disk_with(seed, (uint32_t)seed * 40, &tables);
        const enum err err =
            load(disk, SNAPSHOT_TMP_NAME, &tables_sample_options, &loaded, error);
        if (err != ERR_OK) {
            fail_msg("%s", error);
        }
        tables_check(&loaded);
        for (uint64_t round = 0; round < 3; round++) {
            struct image_memory a;
            struct image_memory b;
            image_memory_save(&tables, &a);
            image_memory_save(&loaded, &b);
            assert_true(image_memory_equal(&a, &b));
            assert_true(digest_equal(&tables.digest, &loaded.digest));
            assert_true(tables.lsn == loaded.lsn && tables.time_ms == loaded.time_ms &&
                        tables.wheel.live == loaded.wheel.live);
            image_memory_free(&a);
            image_memory_free(&b);
            tables_sample_more(&tables, seed * 100 + round, 30);
            tables_sample_more(&loaded, seed * 100 + round, 30);
        }
        tables_close(&tables);
        tables_close(&loaded);
        disk_sim_free(disk);
    }
}

static enum err verify(struct disk *disk, char error[SNAPSHOT_ERROR_SIZE])
{
    struct snapshot_mark mark;
    return snapshot_load(disk, SNAPSHOT_TMP_NAME, uuid, NULL, &mark, error);
}

/* A refusal names the file and a place in it. */
static void assert_named(const char *error)
{
    uint64_t offset;
    if (sscanf(error, SNAPSHOT_TMP_NAME ", offset %" SCNu64 ": ", &offset) != 1) {
        fail_msg("%s", error);
    }
}

/* Each bit flipped is refused, by name. */
static void flipped_bits_are_refused(void **state)
{
    (void)state;
    char error[SNAPSHOT_ERROR_SIZE];
    struct tables tables;
    uint64_t size;
    struct disk *disk = disk_with(3, 20, &tables);
    uint8_t *bytes = disk_sim_file(disk, SNAPSHOT_TMP_NAME, &size);
    uint64_t flips = 0;
    for (uint64_t bit = 0; bit < size * 8; bit += bit_stride, flips++) {
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (verify(disk, error) == ERR_OK) {
            fail_msg("bit %" PRIu64 " flipped: not seen", bit);
        }
        assert_named(error);
        bytes[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(verify(disk, error), ERR_OK);
    printf("%" PRIu64 " of %" PRIu64 " bits flipped, all refused\n", flips, size * 8);
    tables_close(&tables);
    disk_sim_free(disk);
}

/* A file of any other length is refused, by name. */
static void other_lengths_are_refused(void **state)
{
    (void)state;
    char error[SNAPSHOT_ERROR_SIZE];
    struct tables tables;
    uint64_t size;
    struct disk *disk = disk_with(3, 20, &tables);
    const uint8_t *bytes = disk_sim_file(disk, SNAPSHOT_TMP_NAME, &size);
    uint8_t *copy = malloc(size + 9000);
    assert_non_null(copy);
    memset(copy, 0, size + 9000);
    memcpy(copy, bytes, size);
    uint64_t lengths = 0;
    for (uint64_t length = 0; length < size + 9000; length += length < size ? bit_stride : 97) {
        if (length != size) {
            lengths++;
            disk_sim_file_put(disk, SNAPSHOT_TMP_NAME, copy, length);
            assert_int_equal(verify(disk, error), ERR_DAMAGED);
            assert_named(error);
        }
    }
    printf("%" PRIu64 " lengths, all refused\n", lengths);
    free(copy);
    tables_close(&tables);
    disk_sim_free(disk);
}

/* First chunk of that section. */
static uint8_t *chunk_of(struct disk *disk, const char *section)
{
    uint64_t size;
    uint8_t *bytes = disk_sim_file(disk, SNAPSHOT_TMP_NAME, &size);
    for (uint64_t at = SNAPSHOT_BLOCK; at < size; at += SNAPSHOT_BLOCK) {
        if (memcmp(bytes + at, "NSHCHUNK", 8) == 0 &&
            strcmp((char *)bytes + at + 32, section) == 0) {
            return bytes + at;
        }
    }
    fail_msg("no section %s", section);
    return bytes; /* never */
}

static void reseal(uint8_t *bytes, uint32_t size)
{
    const uint32_t crc = crc32c(0, bytes, size - 4);
    memcpy(bytes + size - 4, &crc, sizeof crc);
}

/* Another program's section, a later version of one, of the file, another folder's: by name. */
static void unknown_is_refused_by_name(void **state)
{
    (void)state;
    char error[SNAPSHOT_ERROR_SIZE];
    struct tables tables;
    uint64_t size;
    struct disk *disk = disk_with(3, 20, &tables);
    uint8_t *chunk = chunk_of(disk, "orders");
    memcpy(chunk + 32, "wishes", 6);
    reseal(chunk, SNAPSHOT_HEAD_SIZE);
    assert_int_equal(verify(disk, error), ERR_FORMAT);
    assert_non_null(strstr(error, "section wishes is not known"));
    memcpy(chunk + 32, "orders", 6);
    chunk[48] += 1;
    reseal(chunk, SNAPSHOT_HEAD_SIZE);
    assert_int_equal(verify(disk, error), ERR_FORMAT);
    assert_non_null(strstr(error, "section orders has version"));
    uint8_t *bytes = disk_sim_file(disk, SNAPSHOT_TMP_NAME, &size);
    bytes[8] = 2;
    reseal(bytes, SNAPSHOT_HEADER_SIZE);
    assert_int_equal(verify(disk, error), ERR_FORMAT);
    bytes[8] = 1;
    bytes[32] ^= 1;
    reseal(bytes, SNAPSHOT_HEADER_SIZE);
    assert_int_equal(verify(disk, error), ERR_DAMAGED);
    assert_non_null(strstr(error, "another data folder"));
    tables_close(&tables);
    disk_sim_free(disk);
}

/* Limits that are lower than when it was written are named. */
static void lower_limits_are_named(void **state)
{
    (void)state;
    static const struct {
        size_t offset; /* of a u32 in the options */
        const char *name;
    } cases[] = {
        {offsetof(struct tables_options, items_max), "items_max"},
        {offsetof(struct tables_options, orders_max), "orders_max"},
        {offsetof(struct tables_options, holds_max), "holds_max"},
        {offsetof(struct tables_options, keys_max), "keys_max"},
    };
    struct tables tables;
    struct disk *disk = disk_with(3, 40, &tables);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char error[SNAPSHOT_ERROR_SIZE];
        struct tables loaded;
        struct tables_options options = tables_sample_options;
        const uint32_t low = 5;
        memcpy((char *)&options + cases[i].offset, &low, sizeof low);
        assert_int_equal(load(disk, SNAPSHOT_TMP_NAME, &options, &loaded, error),
                         ERR_FULL);
        if (!strstr(error, cases[i].name)) {
            fail_msg("%s", error);
        }
        tables_close(&loaded);
    }
    tables_close(&tables);
    disk_sim_free(disk);
}

/* On a full disk there is no snapshot, no half one, and the space is back; the space kept ready
 * is enough for the next. */
static void full_disk_leaves_nothing(void **state)
{
    (void)state;
    char error[SNAPSHOT_ERROR_SIZE];
    struct snapshot_written written;
    struct tables tables;
    uint64_t size;
    struct disk *disk = disk_with(3, 40, &tables);
    const struct snapshot_mark mark = mark_of(&tables);
    assert_int_equal(disk->ops->rename(disk, SNAPSHOT_TMP_NAME, GOLDEN_NAME), ERR_OK);
    (void)disk_sim_file(disk, GOLDEN_NAME, &size);
    disk_sim_capacity_set(disk, size + size / 2);
    assert_int_equal(snapshot_write(disk, &tables, &mark, 0, &written, error), ERR_NOSPACE);
    assert_non_null(strstr(error, SNAPSHOT_TMP_NAME " at offset "));
    assert_null(disk_sim_file(disk, SNAPSHOT_TMP_NAME, &size));
    (void)disk_sim_file(disk, GOLDEN_NAME, &size);
    disk_sim_capacity_set(disk, 2 * size);
    snapshot_room_keep(disk, size);
    disk_sim_capacity_set(disk, size);
    assert_int_equal(snapshot_write(disk, &tables, &mark, 0, &written, error), ERR_OK);
    assert_int_equal(written.bytes, size);
    tables_close(&tables);
    disk_sim_free(disk);
}

/* Names and their order: newest first. */
static void list_is_newest_first(void **state)
{
    (void)state;
    static const char *const names[] = {
        "snapshot-0000000000000005.snap", "snapshot-5.snap", "snapshot-00000000000000f5.snap",
        "snapshot.tmp", "snapshot-0000000000000006.snap", "log-0000000000000001.seg",
        "snapshot-000000000000000G.snap"};
    struct disk *disk = disk_sim_new(1, DISK);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        disk_sim_file_put(disk, names[i], uuid, sizeof uuid);
    }
    struct snapshot_list list;
    assert_int_equal(snapshot_find(disk, &list), ERR_OK);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.lsns[0], 0xf5);
    assert_int_equal(list.lsns[1], 6);
    assert_int_equal(list.lsns[2], 5);
    disk_sim_free(disk);
}

/* -- golden -- */

static void golden_write(void)
{
    struct tables tables;
    uint64_t size;
    struct disk *disk = disk_with(GOLDEN_SEED, GOLDEN_ORDERS, &tables);
    const uint8_t *bytes = disk_sim_file(disk, SNAPSHOT_TMP_NAME, &size);
    printf("size %" PRIu64 "\n", size);
    for (uint64_t at = 0; at < size; at += LINE_BYTES) {
        bool is_zero = true;
        for (uint64_t i = 0; i < LINE_BYTES; i++) {
            is_zero = is_zero && bytes[at + i] == 0;
        }
        if (is_zero) {
            continue;
        }
        printf("%" PRIu64 ": ", at);
        for (uint64_t i = 0; i < LINE_BYTES; i++) {
            printf("%02x", bytes[at + i]);
        }
        printf("\n");
    }
    tables_close(&tables);
    disk_sim_free(disk);
}

static uint8_t *golden_bytes(uint64_t *size_out)
{
    char line[LINE_SIZE];
    uint8_t *bytes = NULL;
    FILE *file = fopen(golden_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        uint64_t at;
        int hex_at = 0;
        if (sscanf(line, "size %" SCNu64, size_out) == 1) {
            bytes = calloc(1, *size_out);
            continue;
        }
        assert_non_null(bytes);
        assert_int_equal(sscanf(line, "%" SCNu64 ": %n", &at, &hex_at), 1);
        assert_true(at + LINE_BYTES <= *size_out);
        for (uint64_t i = 0; i < LINE_BYTES; i++) {
            unsigned value;
            assert_int_equal(sscanf(line + hex_at + 2 * i, "%2x", &value), 1);
            bytes[at + i] = (uint8_t)value;
        }
    }
    fclose(file);
    return bytes;
}

/* The golden snapshot of version 1 is read, and is the state that it was made of. */
static void golden_is_read(void **state)
{
    (void)state;
    char error[SNAPSHOT_ERROR_SIZE];
    struct image_memory a;
    struct image_memory b;
    struct tables tables;
    struct tables loaded;
    uint64_t size;
    uint8_t *bytes = golden_bytes(&size);
    struct disk *disk = disk_sim_new(1, DISK);
    disk_sim_file_put(disk, GOLDEN_NAME, bytes, size);
    const enum err err = load(disk, GOLDEN_NAME, &tables_sample_options, &loaded, error);
    if (err != ERR_OK) {
        fail_msg("%s", error);
    }
    tables_check(&loaded);
    tables_sample(&tables, GOLDEN_SEED, GOLDEN_ORDERS);
    image_memory_save(&tables, &a);
    image_memory_save(&loaded, &b);
    assert_true(image_memory_equal(&a, &b));
    image_memory_free(&a);
    image_memory_free(&b);
    tables_close(&tables);
    tables_close(&loaded);
    disk_sim_free(disk);
    free(bytes);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "write") == 0) {
        golden_write();
        return 0;
    }
    CHECK(argc >= 2);
    golden_path = argv[1];
    bit_stride = argc > 2 ? strtoull(argv[2], NULL, 10) : bit_stride;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(loaded_goes_on_alike),     cmocka_unit_test(flipped_bits_are_refused),
        cmocka_unit_test(other_lengths_are_refused), cmocka_unit_test(unknown_is_refused_by_name),
        cmocka_unit_test(lower_limits_are_named),   cmocka_unit_test(full_disk_leaves_nothing),
        cmocka_unit_test(list_is_newest_first),     cmocka_unit_test(golden_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
