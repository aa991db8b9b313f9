/* Properties of format version 1: the golden log of tests/golden is read and written again byte by
 * byte, and the example in engine/log/README.md is part of it.
 *
 * Arguments: README, golden file. With only `write` the golden file goes to stdout; that is done
 * once per format version. */
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
#include "disk_sim.h"
#include "log_fixture.h"

enum { SEGMENT_SIZE = 12288, GROUP_SIZE = 3000, LINE_BYTES = 32, LINE_SIZE = 256 };

static const char *readme_path;
static const char *golden_path;
static struct keeper keeper;

static const char *const golden_names[] = {"identity", "log-0000000000000001.seg",
                                           "log-0000000000000002.seg"};

static struct wal_options golden_options(struct disk *disk)
{
    struct wal_options options = keeper_options(&keeper);
    options.segment_size = SEGMENT_SIZE;
    options.group_size_max = GROUP_SIZE;
    options.disk = disk;
    return options;
}

static void append_text(const char *text)
{
    const uint32_t size = (uint32_t)strlen(text);
    const uint64_t lsn = keeper.begun + 1;
    memcpy(wal_append_begin(keeper.wal, size), text, size);
    digest_add(&keeper.digest, (uint32_t)lsn, text, size);
    keeper.begun = wal_append_end(keeper.wal, (uint8_t)(lsn & 0xff), size);
    CHECK(keeper.begun == lsn);
}

/* The log of the golden file: two groups, then a seal, which opens the second segment. */
static struct disk *make_golden(void)
{
    keeper_init(&keeper);
    struct disk *disk = disk_sim_new(20261122, 1 << 20);
    const struct wal_options options = golden_options(disk);
    const enum err err = keeper_open(&keeper, &options);
    CHECK(err == ERR_OK);
    wal_time_set(keeper.wal, 1700000000000);
    append_text("first record");
    append_text("");
    keeper_submit(&keeper);
    keeper_settle(&keeper);
    wal_time_set(keeper.wal, 1700000000123);
    append_text("third record, in the second group");
    keeper_submit(&keeper);
    keeper_settle(&keeper);
    while (disk_sim_has_job(disk)) {
        wal_drive(keeper.wal);
    }
    keeper_close(&keeper);
    return disk;
}

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

/* `name offset: hex` for each 32 bytes that are not all zero, after `name size N`. */
static void write_file(struct disk *disk, const char *name, FILE *to)
{
    uint64_t size;
    const uint8_t *bytes = disk_sim_file(disk, name, &size);
    CHECK(bytes != NULL);
    fprintf(to, "%s size %" PRIu64 "\n", name, size);
    for (uint64_t at = 0; at < size; at += LINE_BYTES) {
        if (is_zero(bytes + at, LINE_BYTES)) {
            continue;
        }
        fprintf(to, "%s %" PRIu64 ": ", name, at);
        for (uint64_t i = 0; i < LINE_BYTES; i++) {
            fprintf(to, "%02x", bytes[at + i]);
        }
        fprintf(to, "\n");
    }
}

static void write_golden(struct disk *disk, FILE *to)
{
    for (size_t i = 0; i < sizeof golden_names / sizeof golden_names[0]; i++) {
        write_file(disk, golden_names[i], to);
    }
}

static uint8_t hex_value(char c)
{
    return (uint8_t)(c <= '9' ? c - '0' : c - 'a' + 10);
}

static void read_line(struct disk *disk, const char *line)
{
    static uint8_t zeros[SEGMENT_SIZE];
    char name[WAL_NAME_SIZE];
    uint64_t number;
    uint64_t size;
    int hex_at = 0;
    if (sscanf(line, "%31s size %" SCNu64, name, &number) == 2) {
        CHECK(number <= sizeof zeros);
        disk_sim_file_put(disk, name, zeros, number);
        return;
    }
    CHECK(sscanf(line, "%31s %" SCNu64 ": %n", name, &number, &hex_at) == 2);
    CHECK(hex_at > 0);
    uint8_t *bytes = disk_sim_file(disk, name, &size);
    CHECK(bytes);
    CHECK(number + LINE_BYTES <= size);
    for (size_t i = 0; i < LINE_BYTES; i++) {
        const char *pair = line + hex_at + 2 * i;
        bytes[number + i] = (uint8_t)(hex_value(pair[0]) << 4 | hex_value(pair[1]));
    }
}

/* Records of the golden log as replayed. */
static char replayed[256];

static enum err note_record(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                            const uint8_t *bytes, uint32_t size)
{
    const size_t used = strlen(replayed);
    (void)owner;
    snprintf(replayed + used, sizeof replayed - used, "%" PRIu64 " %" PRIu64 " %u \"%.*s\"\n", lsn,
             time_ms, type, (int)size, (const char *)bytes);
    return ERR_OK;
}

static enum err note_group(void *owner, const struct digest *stamped, uint64_t last_lsn,
                           uint64_t time_ms)
{
    (void)owner;
    (void)stamped;
    (void)last_lsn;
    (void)time_ms;
    return ERR_OK;
}

/* The golden log of version 1 is read: three records in two groups, and a seal. */
static void golden_log_is_read(void **state)
{
    char line[LINE_SIZE];
    char error[WAL_ERROR_SIZE];
    struct wal *wal;
    struct wal_recovery found;
    (void)state;
    struct disk *disk = disk_sim_new(1, 1 << 20);
    FILE *file = fopen(golden_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        read_line(disk, line);
    }
    fclose(file);
    const struct wal_options options = golden_options(disk);
    assert_int_equal(wal_open(&options, error, &wal), ERR_OK);
    const enum err err = wal_recover(wal, note_record, note_group, NULL, &found);
    if (err != ERR_OK) {
        fail_msg("%s", wal_error(wal));
    }
    assert_string_equal(replayed, "1 1700000000000 1 \"first record\"\n"
                                  "2 1700000000000 2 \"\"\n"
                                  "3 1700000000123 3 \"third record, in the second group\"\n");
    assert_int_equal(found.groups, 3);
    assert_int_equal(found.rewritten, 0);
    assert_int_equal(wal_lsn_durable(wal), 3);
    wal_close(wal);
    disk_sim_free(disk);
}

/* The same log written by this program is the same bytes. */
static void golden_log_is_written(void **state)
{
    static char text[65536];
    static char golden[65536];
    (void)state;
    struct disk *disk = make_golden();
    FILE *memory = fmemopen(text, sizeof text, "w");
    assert_non_null(memory);
    write_golden(disk, memory);
    fclose(memory);
    FILE *file = fopen(golden_path, "r");
    assert_non_null(file);
    const size_t size = fread(golden, 1, sizeof golden - 1, file);
    fclose(file);
    assert_true(size > 500);
    assert_string_equal(text, golden);
    disk_sim_free(disk);
}

static bool golden_has(const char *wanted)
{
    char line[LINE_SIZE];
    bool has = false;
    FILE *file = fopen(golden_path, "r");
    assert_non_null(file);
    while (!has && fgets(line, sizeof line, file)) {
        has = strcmp(line, wanted) == 0;
    }
    fclose(file);
    return has;
}

/* Each line of the README's example stands in the golden file. */
static void readme_example_is_true(void **state)
{
    char line[LINE_SIZE];
    bool is_inside = false;
    uint32_t lines = 0;
    (void)state;
    FILE *file = fopen(readme_path, "r");
    assert_non_null(file);
    while (fgets(line, sizeof line, file)) {
        if (strncmp(line, "```", 3) == 0) {
            is_inside = strcmp(line, "```golden\n") == 0;
        } else if (is_inside) {
            lines++;
            if (!golden_has(line)) {
                fail_msg("not in the golden file: %s", line);
            }
        }
    }
    fclose(file);
    assert_true(lines >= 10);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_log_is_read),
        cmocka_unit_test(golden_log_is_written),
        cmocka_unit_test(readme_example_is_true),
    };
    if (argc == 2 && strcmp(argv[1], "write") == 0) {
        struct disk *disk = make_golden();
        write_golden(disk, stdout);
        disk_sim_free(disk);
        return 0;
    }
    CHECK(argc == 3);
    readme_path = argv[1];
    golden_path = argv[2];
    return cmocka_run_group_tests(tests, NULL, NULL);
}
