/* Check, backup and restore over the folder of a real service, and what `snapshot` does there: the
 * state comes back whole from a copy made under a running engine, at any LSN; damage is named with
 * file and offset; a check changes nothing. */
#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "check.h"
#include "crc32c.h"
#include "folder_check.h"
#include "folder_copy.h"
#include "say.h"
#include "service_harness.h"

enum { TEXT_SIZE = 8192, PATH_SIZE = 600 };

static struct harness harness;
static char text[TEXT_SIZE]; /* what the tool said */

static void folder_empty(const char *path)
{
    char name[PATH_SIZE];
    DIR *dir = opendir(path);
    if (!dir) {
        return;
    }
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        (void)unlink(name);
    }
    closedir(dir);
    (void)rmdir(path);
}

/* A shop with a few orders; count more. */
static void trade(uint32_t from, uint32_t count)
{
    for (uint32_t i = from; i < from + count; i++) {
        harness_do(&harness, "order.route",
                   "{'order_id':'o%u','service':'standard','lines':[{'item':'a','qty':1},"
                   "{'item':'b','qty':2}],'dest':{'lat':40.7,'lon':-74}}", i);
        if (i % 3 == 0) {
            harness_do(&harness, "fulfil.update", "{'fulfilment':'o%u/1','state':'shipped'}", i);
        }
    }
}

static int setup(void **state)
{
    (void)state;
    harness_init(&harness);
    harness.options.log.segment_size = 9 << 20;
    harness_start(&harness);
    harness_do(&harness, "node.put", "{'node':'n1','type':'store','lat':40,'lon':-74}");
    harness_do(&harness, "node.put", "{'node':'n2','type':'warehouse','lat':41,'lon':-75}");
    harness_do(&harness, "item.put", "{'item':'a'}");
    harness_do(&harness, "item.put", "{'item':'b'}");
    harness_do(&harness, "stock.load", "{'node':'n1','rows':[['a',1000],['b',1000]]}");
    harness_do(&harness, "stock.load", "{'node':'n2','rows':[['a',1000],['b',5000]],'key':'k'}");
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    harness_close(&harness);
    folder_empty("tool-copy");
    folder_empty("tool-new");
    return 0;
}

static bool check_says(const char *dir)
{
    bool is_sound;
    memset(text, 0, sizeof text);
    FILE *out = fmemopen(text, sizeof text - 1, "w");
    const enum err err = folder_check(dir, &harness.options.tables, out, &is_sound);
    fclose(out);
    return err == ERR_OK && is_sound;
}

static void must_check(const char *dir)
{
    if (!check_says(dir)) {
        fail_msg("%s", text);
    }
    assert_non_null(strstr(text, "books: in balance"));
}

static enum err backup_of(const char *dir, const char *target, char error[WAL_ERROR_SIZE])
{
    FILE *out = fmemopen(text, sizeof text, "w");
    const enum err err = folder_backup(dir, target, out, error);
    fclose(out);
    return err;
}

static void must_backup(void)
{
    char error[WAL_ERROR_SIZE];
    if (backup_of(harness.dir, "tool-copy", error) != ERR_OK) {
        fail_msg("%s", error);
    }
}

static enum err restore_until(uint64_t lsn, uint64_t time_ms, char error[WAL_ERROR_SIZE])
{
    const struct wal_until until = {lsn, time_ms};
    FILE *out = fmemopen(text, sizeof text, "w");
    const enum err err =
        folder_restore("tool-copy", "tool-new", &until, &harness.options.tables, out, error);
    fclose(out);
    return err;
}

static enum err restore(uint64_t lsn, char error[WAL_ERROR_SIZE])
{
    return restore_until(lsn, UINT64_MAX, error);
}

/* CRC over names, bytes and times of a folder: when it and its files were changed. */
static uint32_t folder_sum(const char *path)
{
    static uint8_t bytes[1 << 16];
    uint32_t sum = 0;
    struct dirent **names;
    const int count = scandir(path, &names, NULL, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char name[PATH_SIZE];
        struct stat facts;
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        sum = crc32c(sum, names[i]->d_name, strlen(names[i]->d_name));
        if (strcmp(names[i]->d_name, "..") != 0) {
            assert_int_equal(stat(name, &facts), 0);
            sum = crc32c(sum, &facts.st_mtim, sizeof facts.st_mtim);
            sum = crc32c(sum, &facts.st_ctim, sizeof facts.st_ctim);
        }
        FILE *file = names[i]->d_type == DT_REG ? fopen(name, "rb") : NULL;
        for (size_t got; file && (got = fread(bytes, 1, sizeof bytes, file)) > 0;) {
            sum = crc32c(sum, bytes, got);
        }
        if (file) {
            fclose(file);
        }
        free(names[i]);
    }
    free(names);
    return sum;
}

static const struct digest *digest_now(void)
{
    return &service_tables(harness.service)->digest;
}

/* Start an engine on a folder and hold its state against a digest. */
static void must_start_with(const char *dir, const struct digest *digest)
{
    char kept[sizeof harness.dir];
    service_close(harness.service);
    memcpy(kept, harness.dir, sizeof kept);
    snprintf(harness.dir, sizeof harness.dir, "%s", dir);
    harness_start(&harness);
    assert_true(digest_equal(digest, digest_now()));
    tables_check((struct tables *)(uintptr_t)service_tables(harness.service));
    trade(90000, 5);
    harness_restart(&harness);
    service_close(harness.service);
    memcpy(harness.dir, kept, sizeof kept);
    harness_start(&harness);
}

/* Snapshots come when asked for, two stay, and a copy from under the engine has it all. */
static void backup_has_it_all(void **state)
{
    (void)state;
    trade(0, 30);
    const uint64_t first = harness_snapshot(&harness);
    assert_int_equal(harness_snapshot(&harness), first); /* nothing was logged in between */
    trade(30, 30);
    assert_true(harness_snapshot(&harness) > first);
    trade(60, 30);
    harness_snapshot(&harness);
    trade(90, 30);
    const struct digest digest = *digest_now();
    must_backup();
    must_check("tool-copy");
    const uint32_t before = folder_sum("tool-copy");
    must_check("tool-copy");
    assert_int_equal(folder_sum("tool-copy"), before);
    assert_false(check_says(harness.dir)); /* the engine has it */
    assert_non_null(strstr(text, "locked"));
    must_start_with("tool-copy", &digest);
}

/* A restored folder has the state of just that LSN, another log_id, and goes on behind it. */
static void restore_to_any_lsn(void **state)
{
    (void)state;
    static struct digest digests[400];
    char error[WAL_ERROR_SIZE];
    const struct wal_identity before = *wal_identity(service_wal(harness.service));
    for (uint32_t i = 0; i < 40; i++) {
        trade(i, 1);
        digests[wal_lsn_begun(service_wal(harness.service))] = *digest_now();
        if (i == 20) {
            harness_snapshot(&harness);
        }
    }
    must_backup();
    uint32_t seen = 0;
    for (uint64_t lsn = 20; lsn < 60; lsn += 3) {
        folder_empty("tool-new");
        assert_int_equal(restore(lsn, error), ERR_OK);
        must_check("tool-new");
        if (digests[lsn].low && seen++ < 3) {
            must_start_with("tool-new", &digests[lsn]);
        }
    }
    assert_int_equal(seen > 0, 1);
    struct wal *wal;
    const struct wal_options options = {.dir = "tool-new", .backend = WAL_BACKEND_PWRITE,
                                        .unsafe_no_sync = true};
    assert_int_equal(wal_open(&options, error, &wal), ERR_OK);
    assert_memory_not_equal(wal_identity(wal)->uuid, before.uuid, sizeof before.uuid);
    assert_memory_equal(wal_identity(wal)->secret, before.secret, sizeof before.secret);
    wal_close(wal);
    assert_int_equal(restore(30, error), ERR_EXISTS);
    assert_non_null(strstr(error, "has data already"));
}

/* LSN and time up to which a restore says that it went. */
static uint64_t restored_lsn(void)
{
    const char *at = strstr(text, "lsn ");
    assert_non_null(at);
    return strtoull(at + 4, NULL, 10);
}

static enum err restore_again(uint64_t lsn, uint64_t time_ms, char error[WAL_ERROR_SIZE])
{
    folder_empty("tool-new");
    return restore_until(lsn, time_ms, error);
}

/* Three orders in one group of that time; its last LSN. */
static uint64_t trade_at(uint64_t time_ms, uint32_t from)
{
    uint32_t numbers[3];
    harness.wall_ms = time_ms;
    harness.step_ms = 0;
    for (uint32_t i = 0; i < 3; i++) {
        numbers[i] = harness_stage(&harness, 0, "order.route",
                                   "{'order_id':'g%u','service':'standard','lines':[{'item':'a',"
                                   "'qty':1}],'dest':{'lat':40.7,'lon':-74}}", from + i);
    }
    harness_run(&harness);
    for (uint32_t i = 0; i < 3; i++) {
        harness_drop(harness_take(&harness, numbers[i]));
    }
    return wal_lsn_begun(service_wal(harness.service));
}

/* The bounds of a restore: nothing is there before the first record, an LSN behind the last is not
 * made up, a time between two groups gives the earlier one whole, one inside of none cuts none. */
static void bounds_of_a_restore(void **state)
{
    (void)state;
    char error[WAL_ERROR_SIZE];
    const uint64_t start_ms = harness.wall_ms;
    const uint64_t first = wal_lsn_begun(service_wal(harness.service));
    const uint64_t second = trade_at(start_ms + 5000, 0);
    const uint64_t third = trade_at(start_ms + 9000, 3);
    assert_int_equal(second, first + 3);
    must_backup();
    assert_int_equal(restore_again(0, UINT64_MAX, error), ERR_NOTFOUND);
    assert_non_null(strstr(error, "nothing from before"));
    assert_int_equal(restore_again(UINT64_MAX, 1000, error), ERR_NOTFOUND);
    assert_int_equal(restore_again(third + 1, UINT64_MAX, error), ERR_NOTFOUND);
    assert_non_null(strstr(error, "ends with LSN"));
    const struct {
        uint64_t lsn, time_ms, wanted;
    } cases[] = {
        {1, UINT64_MAX, 1},
        {third, UINT64_MAX, third},
        {UINT64_MAX, UINT64_MAX, third},
        {UINT64_MAX, start_ms + 4999, first},
        {UINT64_MAX, start_ms + 5000, second},
        {UINT64_MAX, start_ms + 7000, second},
        {UINT64_MAX, start_ms + 90000, third},
        {second - 1, start_ms + 90000, second - 1},
        {third, start_ms + 5000, second},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(restore_again(cases[i].lsn, cases[i].time_ms, error), ERR_OK);
        assert_int_equal(restored_lsn(), cases[i].wanted);
        must_check("tool-new");
    }
}

static void flip_in(const char *dir, const char *name, long offset)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    const int byte = fgetc(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 4, file), byte ^ 4);
    fclose(file);
}

static void flip(const char *name, long offset)
{
    flip_in("tool-copy", name, offset);
}

/* Two snapshots and trade around them; LSN and name of the newer one. */
static uint64_t trade_and_snapshots(char newer[SNAPSHOT_NAME_SIZE])
{
    trade(0, 30);
    harness_snapshot(&harness);
    trade(30, 30);
    const uint64_t lsn = harness_snapshot(&harness);
    snapshot_name(lsn, newer);
    trade(60, 30);
    return lsn;
}

/* Damage of snapshot or log is named with file and offset; a damaged newest snapshot is passed
 * over by a start. */
static void damage_is_named(void **state)
{
    (void)state;
    char name[SNAPSHOT_NAME_SIZE];
    trade_and_snapshots(name);
    const struct digest digest = *digest_now();
    must_backup();
    flip(name, 4096 + 100);
    assert_false(check_says("tool-copy"));
    assert_non_null(strstr(text, "DAMAGED snapshot-"));
    assert_non_null(strstr(text, ", offset 4096: "));
    assert_non_null(strstr(text, "log: sound")); /* from the older one on */
    must_start_with("tool-copy", &digest);
    folder_empty("tool-copy");
    must_backup();
    flip("log-0000000000000001.seg", 30 * 4096 + 7);
    assert_false(check_says("tool-copy"));
    assert_non_null(strstr(text, "DAMAGED log-0000000000000001.seg, offset "));
    char error[WAL_ERROR_SIZE];
    assert_int_equal(backup_of("tool-copy", "tool-new", error), ERR_DAMAGED); /* not half of it */
    assert_non_null(strstr(error, "log-0000000000000001.seg, offset 122880: "));
    assert_int_equal(access("tool-new/identity", F_OK), -1);
    flip("log-0000000000000001.seg", 30 * 4096 + 7);
    flip("identity", 20);
    assert_int_equal(backup_of("tool-copy", "tool-new", error), ERR_DAMAGED);
    assert_non_null(strstr(error, "identity, offset 0: "));
}

/* A snapshot under the name of another LSN is named as such, and passed over. */
static void misnamed_one_is_told(void **state)
{
    (void)state;
    char from[PATH_SIZE];
    char name[SNAPSHOT_NAME_SIZE];
    trade_and_snapshots(name);
    const struct digest digest = *digest_now();
    must_backup();
    snprintf(from, sizeof from, "tool-copy/%s", name);
    assert_int_equal(rename(from, "tool-copy/snapshot-0000000000000fff.snap"), 0);
    assert_false(check_says("tool-copy"));
    assert_non_null(strstr(text, "DAMAGED snapshot-0000000000000fff.snap, offset 48: "));
    must_start_with("tool-copy", &digest);
}

/* The start of an engine on a folder is refused. */
static void must_not_start_with(const char *dir, char error[WAL_ERROR_SIZE])
{
    char kept[sizeof harness.dir];
    struct service_start start;
    service_close(harness.service);
    memcpy(kept, harness.dir, sizeof kept);
    snprintf(harness.dir, sizeof harness.dir, "%s", dir);
    assert_int_equal(service_open(&harness.options, &harness.service, &start, error), ERR_DAMAGED);
    memcpy(harness.dir, kept, sizeof kept);
    harness_start(&harness);
}

/* Nothing but zeros from offset on. */
static void blank(const char *path, long offset)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, 0, SEEK_END), 0);
    const long end = ftell(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    for (long at = offset; at < end; at++) {
        assert_int_equal(fputc(0, file), 0);
    }
    fclose(file);
}

/* A log that ends before a snapshot is told by a check, and not begun with when the snapshot cannot
 * be read; so a restored folder, which has no log, never becomes an empty one. */
static void snapshots_tell_how_far_it_went(void **state)
{
    (void)state;
    char newer[SNAPSHOT_NAME_SIZE];
    char wanted[SNAPSHOT_NAME_SIZE + 64];
    char error[WAL_ERROR_SIZE];
    const uint64_t lsn = trade_and_snapshots(newer);
    must_backup();
    assert_int_equal(restore(lsn, error), ERR_OK);
    flip_in("tool-new", newer, 4096 + 100);
    must_not_start_with("tool-new", error);
    assert_non_null(strstr(error, "cannot be read, and there is no log"));
    assert_non_null(strstr(error, ", offset 4096: "));
    assert_int_equal(access("tool-new/log-0000000000000001.seg", F_OK), -1);
    blank("tool-copy/log-0000000000000001.seg", 60 * 4096);
    assert_false(check_says("tool-copy"));
    snprintf(wanted, sizeof wanted, "DAMAGED %s, offset 48: the log has no group", newer);
    assert_non_null(strstr(text, wanted));
    assert_null(strstr(text, "DAMAGED log-"));
    flip(newer, 4096 + 100);
    must_not_start_with("tool-copy", error);
    assert_non_null(strstr(error, "log-0000000000000001.seg, offset 245760: the log ends here"));
    snprintf(wanted, sizeof wanted, "passed over: %s, offset 4096: ", newer);
    assert_non_null(strstr(error, wanted));
    assert_int_equal(access("tool-copy/log-0000000000000002.seg", F_OK), -1);
}

/* Some 400 KB of log. */
static void places(uint32_t round)
{
    enum { ROWS = 15000, ROW_SIZE = 32 };
    char *rows = malloc((size_t)ROWS * ROW_SIZE + 64);
    assert_non_null(rows);
    size_t used = (size_t)snprintf(rows, 64, "{'country':'US','rows':[");
    for (uint32_t i = 0; i < ROWS; i++) {
        used += (size_t)snprintf(rows + used, ROW_SIZE, "%s['%05u',%u.5,-74.25]", i ? "," : "", i,
                                 30 + round % 40);
    }
    snprintf(rows + used, 8, "]}");
    harness_do(&harness, "place.load", "%s", rows);
    free(rows);
}

/* What the engine does after the n-th look of a backup at its snapshots; 0 = nothing. */
static uint32_t looks_left;

enum err __real_snapshot_find(struct disk *disk, struct snapshot_list *list_out);
enum err __wrap_snapshot_find(struct disk *disk, struct snapshot_list *list_out);

enum err __wrap_snapshot_find(struct disk *disk, struct snapshot_list *list_out)
{
    const enum err err = __real_snapshot_find(disk, list_out);
    if (looks_left == 0 || --looks_left > 0) {
        return err;
    }
    for (uint32_t i = 0; i < 5; i++) {
        for (uint32_t j = 0; j < 25; j++) {
            places(i * 25 + j);
        }
        harness_snapshot(&harness);
        trade(1000 + i * 10, 10);
    }
    return err;
}

/* Snapshots and segments that go while a backup is made are missed nowhere in it. */
static void backup_beside_checkpoints(void **state)
{
    (void)state;
    for (uint32_t look = 1; look <= 2; look++) {
        struct wal_stats before;
        struct wal_stats after;
        trade(look * 100, 30);
        harness_snapshot(&harness);
        wal_stats(service_wal(harness.service), &before);
        looks_left = look;
        must_backup();
        assert_int_equal(looks_left, 0);
        wal_stats(service_wal(harness.service), &after);
        assert_true(after.removed > before.removed);
        must_check("tool-copy");
        assert_non_null(strstr(text, "orders"));
        folder_empty("tool-copy");
        trade(look * 100 + 50, 10);
    }
}

/* Where the group begins that has this byte. */
static long group_of(const char *name, long offset)
{
    char path[PATH_SIZE];
    char magic[8] = "";
    snprintf(path, sizeof path, "tool-copy/%s", name);
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    long at = (offset & ~4095L) + 4096;
    while (at > 0 && memcmp(magic, "NSHGROUP", 8) != 0) {
        at -= 4096;
        assert_int_equal(fseek(file, at, SEEK_SET), 0);
        assert_int_equal(fread(magic, 1, 8, file), 8);
    }
    fclose(file);
    return at;
}

/* Segments that no snapshot needs any more are looked at by themselves, and their gaps seen. */
static void older_segments_are_checked(void **state)
{
    char where[80];
    (void)state;
    service_close(harness.service);
    harness.options.log.retain_bytes = (uint64_t)1 << 40;
    harness_start(&harness);
    for (uint32_t i = 0; i < 4; i++) {
        for (uint32_t j = 0; j < 20; j++) {
            places(i * 20 + j);
        }
        trade(i * 10, 10);
        harness_snapshot(&harness);
    }
    must_backup();
    must_check("tool-copy");
    assert_non_null(strstr(text, "groups before the oldest snapshot"));
    flip("log-0000000000000001.seg", 20 * 4096 + 140);
    assert_false(check_says("tool-copy"));
    snprintf(where, sizeof where, "DAMAGED log-0000000000000001.seg, offset %ld: ",
             group_of("log-0000000000000001.seg", 20 * 4096));
    assert_non_null(strstr(text, where));
    flip("log-0000000000000001.seg", 20 * 4096 + 140);
    must_check("tool-copy");
    assert_int_equal(rename("tool-copy/log-0000000000000003.seg", "tool-copy/gone"), 0);
    assert_false(check_says("tool-copy"));
    assert_non_null(strstr(text, "DAMAGED log-00000000000000"));
    char error[WAL_ERROR_SIZE];
    assert_int_equal(backup_of("tool-copy", "tool-new", error), ERR_DAMAGED);
    assert_non_null(strstr(error, "the log ends with LSN "));
    assert_int_equal(rename("tool-copy/gone", "tool-copy/log-0000000000000003.seg"), 0);
    assert_int_equal(rename("tool-copy/log-0000000000000002.seg", "tool-copy/gone"), 0);
    assert_int_equal(backup_of("tool-copy", "tool-new", error), ERR_DAMAGED);
    assert_non_null(strstr(error, "log-0000000000000001.seg, offset "));
    assert_int_equal(rename("tool-copy/gone", "tool-copy/log-0000000000000002.seg"), 0);
    assert_int_equal(backup_of("tool-copy", "tool-new", error), ERR_OK);
}

/* One unit more is reserved than is held, in a snapshot whose sums and digest are right. */
static void books_break(const char *dir, uint64_t lsn)
{
    char error[WAL_ERROR_SIZE];
    char name[SNAPSHOT_NAME_SIZE];
    struct disk *disk;
    struct tables tables;
    struct snapshot_mark mark;
    struct snapshot_written written;
    const struct disk_options where = {
        .dir = dir, .access = DISK_OWNER, .method = DISK_METHOD_FDATASYNC};
    const uint8_t *secret = wal_identity(service_wal(harness.service))->secret;
    snapshot_name(lsn, name);
    assert_int_equal(disk_pwrite_new(&where, &disk), ERR_OK);
    assert_int_equal(tables_init(&tables, &harness.options.tables, secret), ERR_OK);
    assert_int_equal(snapshot_load(disk, name, NULL, &tables, &mark, error), ERR_OK);
    const struct cell cell = tables_cell(&tables, 0, 0);
    const cell_word word = tables_word(&cell);
    row_word_set(cell.row, tables.network.hot[0].slot, (uint32_t)cell.index,
                 cell_make(cell_on_hand(word), cell_reserved(word) + 1, false));
    /* Loaded once in vain, they tell the digest that they have now. */
    for (int pass = 0; pass < 2; pass++) {
        struct tables loaded;
        assert_int_equal(snapshot_write(disk, &tables, &mark, 0, &written, error), ERR_OK);
        assert_int_equal(tables_init(&loaded, &harness.options.tables, secret), ERR_OK);
        const enum err err = snapshot_load(disk, SNAPSHOT_TMP_NAME, NULL, &loaded, &mark, error);
        assert_int_equal(err, pass ? ERR_OK : ERR_DAMAGED);
        mark.digest = loaded.digest;
        tables_close(&loaded);
    }
    assert_int_equal(disk->ops->rename(disk, SNAPSHOT_TMP_NAME, name), ERR_OK);
    tables_close(&tables);
    disk->ops->free(disk);
}

/* Books that do not balance are an answer, not an end of the process that asked. */
static void broken_books_are_told(void **state)
{
    (void)state;
    char error[WAL_ERROR_SIZE];
    trade(0, 30);
    must_backup();
    const uint64_t lsn = wal_lsn_begun(service_wal(harness.service));
    assert_int_equal(restore(lsn, error), ERR_OK);
    must_check("tool-new");
    books_break("tool-new", lsn);
    assert_false(check_says("tool-new"));
    assert_non_null(strstr(text, "DAMAGED books: "));
}

int main(void)
{
    say_level_set(SAY_ERROR);
    folder_empty("tool-copy");
    folder_empty("tool-new");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(backup_has_it_all, setup, teardown),
        cmocka_unit_test_setup_teardown(restore_to_any_lsn, setup, teardown),
        cmocka_unit_test_setup_teardown(bounds_of_a_restore, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_named, setup, teardown),
        cmocka_unit_test_setup_teardown(snapshots_tell_how_far_it_went, setup, teardown),
        cmocka_unit_test_setup_teardown(misnamed_one_is_told, setup, teardown),
        cmocka_unit_test_setup_teardown(older_segments_are_checked, setup, teardown),
        cmocka_unit_test_setup_teardown(backup_beside_checkpoints, setup, teardown),
        cmocka_unit_test_setup_teardown(broken_books_are_told, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
