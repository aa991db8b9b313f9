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
#include "log_fixture.h"

static struct keeper keeper;

/* Two runs over one folder: what the first wrote the second replays, in groups over segments. */
static void run_twice(const struct wal_options *variant)
{
    char path[256];
    scratch_make(path);
    keeper_init(&keeper);
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
        assert_int_equal(keeper.replayed, round * 1200);
        assert_false(keeper.found.has_torn_tail);
        for (uint64_t i = 0; i < 60; i++) {
            keeper_batch(&keeper, round * 1000 + i, 20);
            keeper_settle(&keeper);
        }
        keeper_close(&keeper);
    }
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uring_roundtrip),
        cmocka_unit_test(pwrite_roundtrip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
