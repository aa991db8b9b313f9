/* Properties of the log over a real folder, with each back end and each fallback forced. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/statfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "check.h"
#include "disk_sim.h"
#include "log_fixture.h"

static struct keeper keeper;

/* Each group was flushed by this thread, unless it waited for a segment, or none. */
static void check_lone(bool is_alone)
{
    struct wal_stats stats;
    wal_stats(keeper.wal, &stats);
    const uint64_t own = is_alone ? stats.groups - stats.segment_waits : 0;
    assert_true(stats.lone >= own);
    assert_true(stats.lone <= (is_alone ? stats.groups : 0));
    assert_int_equal(stats.lone_us.total, stats.lone);
}

/* Two runs over one folder: what the first wrote the second replays, in groups over segments. */
static void run_twice(const struct wal_options *variant)
{
    char path[256];
    scratch_make(path);
    keeper_init(&keeper);
    keeper.is_alone = variant->lone_flush_us > 0;
    struct wal_options options = keeper_options(&keeper);
    options.dir = path;
    options.backend = variant->backend;
    options.method = variant->method;
    options.force_buffered = variant->force_buffered;
    options.force_unregistered = variant->force_unregistered;
    options.unsafe_no_sync = variant->unsafe_no_sync;
    for (uint64_t round = 0; round < 3; round++) {
        const enum err err = keeper_open(&keeper, &options);
        if (err != ERR_OK) {
            fail_msg("round %u: %s", (unsigned)round, keeper.error);
        }
        assert_int_equal(keeper.mismatches, 0);
        assert_int_equal(keeper.replayed, round * 600);
        assert_false(keeper.found.has_torn_tail);
        for (uint64_t i = 0; i < 30; i++) {
            keeper_batch(&keeper, round * 1000 + i, 20);
            keeper_settle(&keeper);
        }
        check_lone(variant->lone_flush_us > 0);
        keeper_close(&keeper);
    }
    keeper.is_alone = false;
    scratch_drop(path);
}

static void uring_roundtrip(void **state)
{
    (void)state;
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_URING});
}

static void pwrite_roundtrip(void **state)
{
    (void)state;
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_PWRITE});
}

static void uring_methods_roundtrip(void **state)
{
    (void)state;
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_URING, .method = DISK_METHOD_DSYNC});
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_URING, .method = DISK_METHOD_FDATASYNC});
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_URING, .unsafe_no_sync = true});
}

static void pwrite_methods_roundtrip(void **state)
{
    (void)state;
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_PWRITE, .method = DISK_METHOD_DSYNC});
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_PWRITE, .unsafe_no_sync = true});
}

/* Flushed by the thread that submits, over each back end and method. */
static void alone_roundtrip(void **state)
{
    (void)state;
    const uint32_t us = UINT32_MAX;
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_URING, .lone_flush_us = us});
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_PWRITE, .lone_flush_us = us});
    run_twice(&(struct wal_options){
        .backend = WAL_BACKEND_URING, .method = DISK_METHOD_DSYNC, .lone_flush_us = us});
    run_twice(&(struct wal_options){
        .backend = WAL_BACKEND_PWRITE, .unsafe_no_sync = true, .lone_flush_us = us});
    run_twice(&(struct wal_options){
        .backend = WAL_BACKEND_URING, .force_buffered = true, .lone_flush_us = us});
}

static void buffered_roundtrip(void **state)
{
    (void)state;
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_URING, .force_buffered = true});
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_PWRITE, .force_buffered = true});
}

static void unregistered_roundtrip(void **state)
{
    (void)state;
    run_twice(&(struct wal_options){.backend = WAL_BACKEND_URING, .force_unregistered = true});
}

static void on_job(void *owner, enum err err)
{
    assert_int_equal(err, ERR_OK);
    *(bool *)owner = true;
}

/* A file written from begin to end has what was written, cut to its size, under its new name; and
 * is gone when the job that removes it is done. */
static void written_file(struct disk *disk)
{
    _Alignas(DISK_ALIGN) static uint8_t bytes[4 * DISK_ALIGN];
    _Alignas(DISK_ALIGN) static uint8_t read[3 * DISK_ALIGN];
    int file;
    uint64_t size;
    bool is_done = false;
    memset(bytes, 7, sizeof bytes);
    for (int round = 0; round < 2; round++) { /* the second time over what the first left */
        assert_int_equal(disk->ops->make(disk, "a.tmp", 1 << 20, &file), ERR_OK);
        bytes[0] = (uint8_t)round;
        assert_int_equal(disk->ops->write(disk, file, 0, bytes, DISK_ALIGN), ERR_OK);
        assert_int_equal(disk->ops->write(disk, file, DISK_ALIGN, bytes, sizeof bytes), ERR_OK);
        assert_int_equal(disk->ops->finish(disk, file, sizeof read), ERR_OK);
        disk->ops->close(disk, file);
    }
    assert_int_equal(disk->ops->rename(disk, "a.tmp", "a"), ERR_OK);
    assert_int_equal(disk->ops->open(disk, "a", &file, &size), ERR_OK);
    assert_int_equal(size, sizeof read);
    assert_int_equal(disk->ops->read(disk, file, 0, read, sizeof read), ERR_OK);
    assert_memory_equal(read, bytes, DISK_ALIGN);
    assert_memory_equal(read + DISK_ALIGN, bytes, 2 * DISK_ALIGN);
    disk->ops->close(disk, file);
    disk->listener = (struct disk_listener){.owner = &is_done, .job_done = on_job};
    disk->ops->remove_start(disk, "a");
    while (!is_done) {
        disk->ops->drive(disk, true);
    }
    assert_int_equal(disk->ops->open(disk, "a", &file, &size), ERR_NOTFOUND);
    disk->listener = (struct disk_listener){0};
}

static void written_files(void **state)
{
    (void)state;
    char path[256];
    struct disk *disk;
    scratch_make(path);
    struct disk_options options = {.dir = path, .method = DISK_METHOD_FDATASYNC};
    assert_int_equal(disk_uring_new(&options, &disk), ERR_OK);
    written_file(disk);
    disk->ops->free(disk);
    options.force_buffered = true;
    assert_int_equal(disk_pwrite_new(&options, &disk), ERR_OK);
    written_file(disk);
    disk->ops->free(disk);
    scratch_drop(path);
    disk = disk_sim_new(1, 4 << 20);
    written_file(disk);
    disk_sim_free(disk);
}

/* Open a log in path and give its facts; the folder stays. */
static struct disk_facts facts_of(const char *path, struct wal_options options, char text[384])
{
    keeper_init(&keeper);
    const struct wal_options base = keeper_options(&keeper);
    options.segment_size = base.segment_size;
    options.group_size_max = base.group_size_max;
    options.durable = base.durable;
    options.failed = base.failed;
    options.owner = base.owner;
    options.dir = path;
    if (keeper_open(&keeper, &options) != ERR_OK) {
        fail_msg("%s", keeper.error);
    }
    const struct disk_facts facts = *wal_facts(keeper.wal);
    snprintf(text, 320, "%s", wal_facts_text(keeper.wal));
    keeper_close(&keeper);
    return facts;
}

/* Each probe and each fallback is named in the facts. */
static void facts_name_each_fallback(void **state)
{
    char path[256];
    char text[384];
    (void)state;
    scratch_make(path);
    struct disk_facts facts = facts_of(path, (struct wal_options){0}, text);
    assert_true(strcmp(facts.backend, "io_uring") == 0 || facts.fallback[0]);
    assert_true(facts.flush_us_fdatasync > 0);
    assert_true(facts.method == DISK_METHOD_DSYNC || facts.method == DISK_METHOD_FDATASYNC);

    facts = facts_of(path, (struct wal_options){.backend = WAL_BACKEND_PWRITE}, text);
    assert_string_equal(facts.backend, "pwrite");
    assert_non_null(strstr(text, "log=pwrite "));

    facts = facts_of(path, (struct wal_options){.force_buffered = true}, text);
    assert_false(facts.is_direct);
    assert_non_null(strstr(text, "direct=no"));
    assert_non_null(strstr(facts.fallback, "O_DIRECT"));

    facts = facts_of(path, (struct wal_options){.force_unregistered = true}, text);
    assert_false(facts.has_registered_buffers);
    assert_non_null(strstr(text, "registered=no"));

    facts = facts_of(path, (struct wal_options){.unsafe_no_sync = true}, text);
    assert_non_null(strstr(text, "method=UNSAFE-NO-SYNC"));
    scratch_drop(path);
}

/* A folder in memory is told as not durable. */
static void tmpfs_is_named(void **state)
{
    char path[256] = "/dev/shm/nearshelf-log-XXXXXX";
    char text[384];
    struct statfs facts;
    (void)state;
    if (statfs("/dev/shm", &facts) != 0 || facts.f_type != 0x01021994 || !mkdtemp(path)) {
        print_message("skipped: no tmpfs at /dev/shm\n");
        skip();
    }
    assert_false(facts_of(path, (struct wal_options){0}, text).is_durable);
    assert_non_null(strstr(text, "durable=NO-TMPFS"));
    scratch_drop(path);
}

/* Run a part in a child, which may spoil its own process; true when it exits 0. */
static bool in_child(void (*part)(const char *path), const char *path)
{
    int status = 0;
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        part(path);
        _exit(0);
    }
    CHECK(waitpid(child, &status, 0) == child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static void expect_locked(const char *path)
{
    keeper_init(&keeper);
    struct wal_options options = keeper_options(&keeper);
    options.dir = path;
    const enum err err = keeper_open(&keeper, &options);
    CHECK(err == ERR_LOCKED);
    CHECK(strstr(keeper.error, "in use by another process") != NULL);
}

/* A second process is refused while the first has the folder, and only then. */
static void folder_is_locked(void **state)
{
    char path[256];
    char text[384];
    (void)state;
    scratch_make(path);
    keeper_init(&keeper);
    struct wal_options options = keeper_options(&keeper);
    options.dir = path;
    assert_int_equal(keeper_open(&keeper, &options), ERR_OK);
    assert_true(in_child(expect_locked, path));
    keeper_close(&keeper);
    (void)facts_of(path, (struct wal_options){0}, text);
    scratch_drop(path);
}

static enum wal_backend child_backend;
static enum disk_method child_method;

/* Write until the file size limit cuts a group in the middle: a real short write. */
static void write_against_limit(const char *path)
{
    keeper_init(&keeper);
    struct wal_options options = keeper_options(&keeper);
    options.dir = path;
    options.backend = child_backend;
    options.method = child_method;
    signal(SIGXFSZ, SIG_IGN);
    CHECK(keeper_open(&keeper, &options) == ERR_OK);
    wal_wait(keeper.wal); /* the spare is there: only groups meet the limit */
    const struct rlimit limit = {.rlim_cur = 4096 * 4, .rlim_max = 4096 * 4};
    CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    for (uint64_t i = 0; i < 8 && keeper.failures == 0; i++) {
        for (uint64_t j = 0; j < 20; j++) {
            keeper_append(&keeper, i * 100 + j, 350);
        }
        keeper_submit(&keeper);
        keeper_settle(&keeper);
    }
    CHECK(keeper.failures == 1);
    CHECK(keeper.durable == 20); /* the first group of two blocks fits, the second does half */
    CHECK(keeper.durable_after_failure == 0);
    CHECK(wal_room(keeper.wal, 1, 1, WAL_CLAIM_RELEASE) == WAL_ROOM_DEAD);
    keeper_close(&keeper);
}

/* A short write is a failure: told once, nothing acknowledged after it; the next start finds what
 * was acknowledged. */
static void short_write_is_a_failure(void **state)
{
    static const enum wal_backend backends[] = {WAL_BACKEND_URING, WAL_BACKEND_PWRITE};
    static const enum disk_method methods[] = {DISK_METHOD_DSYNC, DISK_METHOD_FDATASYNC};
    char path[256];
    (void)state;
    for (size_t i = 0; i < 4; i++) {
        scratch_make(path);
        child_backend = backends[i / 2];
        child_method = methods[i % 2];
        assert_true(in_child(write_against_limit, path));
        keeper_init(&keeper);
        struct wal_options options = keeper_options(&keeper);
        options.dir = path;
        assert_int_equal(keeper_open(&keeper, &options), ERR_OK);
        assert_int_equal(keeper.replayed, 20);
        keeper_close(&keeper);
        scratch_drop(path);
    }
}

/* A process without locked memory gets io_uring without registered buffers, or the thread. */
static void open_without_memlock(const char *path)
{
    char text[384];
    const struct rlimit none = {0, 0};
    CHECK(setrlimit(RLIMIT_MEMLOCK, &none) == 0);
    if (geteuid() == 0) {
        CHECK(setgid(65534) == 0);
        CHECK(setuid(65534) == 0);
    }
    const struct disk_facts facts = facts_of(path, (struct wal_options){0}, text);
    CHECK(!facts.has_registered_buffers);
    CHECK(facts.fallback[0] != 0);
}

static void no_memlock_falls_back(void **state)
{
    char path[256];
    (void)state;
    scratch_make(path);
    CHECK(geteuid() != 0 || chown(path, 65534, 65534) == 0);
    /* The folders above may be closed to others: the child is in this one already. */
    assert_int_equal(chdir(path), 0);
    const bool passed = in_child(open_without_memlock, ".");
    assert_int_equal(chdir(".."), 0);
    assert_true(passed);
    scratch_drop(path);
}

/* A kill in the middle of writing, on the real disk: what the child told durable is found. */
static void killed_process_loses_nothing_told(void **state)
{
    char path[256];
    (void)state;
    scratch_make(path);
    keeper_init(&keeper);
    struct wal_options options = keeper_options(&keeper);
    options.dir = path;
    for (uint64_t round = 0; round < 5; round++) {
        int pipes[2];
        uint64_t told = 0;
        uint64_t next;
        assert_int_equal(pipe(pipes), 0);
        const pid_t child = fork();
        if (child == 0) {
            CHECK(keeper_open(&keeper, &options) == ERR_OK);
            for (uint64_t i = 0;; i++) {
                /* The parent has the same model: batches follow from the LSN they begin at. */
                keeper_batch(&keeper, keeper.begun, 3);
                keeper_settle(&keeper);
                CHECK(write(pipes[1], &keeper.durable, 8) == 8);
            }
        }
        close(pipes[1]);
        while (told < (round + 1) * 60 && read(pipes[0], &next, 8) == 8) {
            told = next;
        }
        kill(child, SIGKILL);
        while (read(pipes[0], &next, 8) == 8) {
            told = next;
        }
        close(pipes[0]);
        assert_int_equal(waitpid(child, NULL, 0), child);
        keeper.begun = 0;
        if (keeper_open(&keeper, &options) != ERR_OK) {
            fail_msg("%s", keeper.error);
        }
        assert_true(told > 0 && keeper.replayed >= told);
        assert_int_equal(keeper.replayed % 3, 0);
        keeper_close(&keeper);
    }
    scratch_drop(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(written_files),
        cmocka_unit_test(uring_roundtrip),
        cmocka_unit_test(pwrite_roundtrip),
        cmocka_unit_test(uring_methods_roundtrip),
        cmocka_unit_test(pwrite_methods_roundtrip),
        cmocka_unit_test(alone_roundtrip),
        cmocka_unit_test(buffered_roundtrip),
        cmocka_unit_test(unregistered_roundtrip),
        cmocka_unit_test(facts_name_each_fallback),
        cmocka_unit_test(tmpfs_is_named),
        cmocka_unit_test(folder_is_locked),
        cmocka_unit_test(short_write_is_a_failure),
        cmocka_unit_test(no_memlock_falls_back),
        cmocka_unit_test(killed_process_loses_nothing_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
