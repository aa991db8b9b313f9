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

static void must_backup(void)
{
    char error[WAL_ERROR_SIZE];
    FILE *out = fmemopen(text, sizeof text, "w");
    if (folder_backup(harness.dir, "tool-copy", out, error) != ERR_OK) {
        fail_msg("%s", error);
    }
    fclose(out);
}

static enum err restore(uint64_t lsn, char error[WAL_ERROR_SIZE])
{
    const struct wal_until until = {lsn, UINT64_MAX};
    FILE *out = fmemopen(text, sizeof text, "w");
    const enum err err =
        folder_restore("tool-copy", "tool-new", &until, &harness.options.tables, out, error);
    fclose(out);
    return err;
}

/* CRC over names and bytes of a folder. */
static uint32_t folder_sum(const char *path)
{
    static uint8_t bytes[1 << 16];
    uint32_t sum = 0;
    struct dirent **names;
    const int count = scandir(path, &names, NULL, alphasort);
    assert_true(count > 0);
    for (int i = 0; i < count; i++) {
        char name[PATH_SIZE];
        snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
        sum = crc32c(sum, names[i]->d_name, strlen(names[i]->d_name));
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

static void flip(const char *name, long offset)
{
    char path[PATH_SIZE];
    snprintf(path, sizeof path, "tool-copy/%s", name);
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    const int byte = fgetc(file);
    assert_int_equal(fseek(file, offset, SEEK_SET), 0);
    assert_int_equal(fputc(byte ^ 4, file), byte ^ 4);
    fclose(file);
}

/* Damage of snapshot or log is named with file and offset; a damaged newest snapshot is passed
 * over by a start. */
static void damage_is_named(void **state)
{
    (void)state;
    char name[SNAPSHOT_NAME_SIZE];
    trade(0, 30);
    harness_snapshot(&harness);
    trade(30, 30);
    snapshot_name(harness_snapshot(&harness), name);
    trade(60, 30);
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
}

int main(void)
{
    say_level_set(SAY_ERROR);
    folder_empty("tool-copy");
    folder_empty("tool-new");
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(backup_has_it_all, setup, teardown),
        cmocka_unit_test_setup_teardown(restore_to_any_lsn, setup, teardown),
        cmocka_unit_test_setup_teardown(damage_is_named, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
