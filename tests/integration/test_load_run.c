/* Properties of a whole run of the load generator, against a stand-in for the engine. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "load_fake.h"
#include "load_run.h"

/* A run with its surroundings. */
struct rig {
    struct load_opts opts;
    struct network network;
    struct workload workload;
    struct pump pump;
    struct ledger ledger;
    struct load_run run;
};

static struct rig rig;
static struct load_fake fake;

static int start(void **state)
{
    (void)state;
    memset(&rig, 0, sizeof rig);
    return load_fake_start(&fake, "S00001") ? 0 : 1;
}

static int stop(void **state)
{
    (void)state;
    load_run_close(&rig.run);
    ledger_close(&rig.ledger);
    pump_close(&rig.pump);
    workload_close(&rig.workload);
    load_network_close(&rig.network);
    load_fake_stop(&fake);
    return 0;
}

/* Run with these flags, to the end. */
static enum err run_with(int argc, const char *const *argv)
{
    char address[32];
    snprintf(address, sizeof address, "127.0.0.1:%u", fake.port);
    assert_int_equal(load_opts_parse(&rig.opts, argc, argv), LOAD_OPTS_RUN);
    assert_int_equal(load_network_init(&rig.network, &rig.opts), ERR_OK);
    assert_int_equal(workload_init(&rig.workload, &rig.opts, &rig.network), ERR_OK);
    assert_int_equal(pump_open(&rig.pump, address, rig.opts.connections, 65536), ERR_OK);
    assert_int_equal(load_run_init(&rig.run, &rig.opts, &rig.workload, &rig.pump), ERR_OK);
    assert_int_equal(ledger_init(&rig.ledger), ERR_OK);
    rig.run.ledger = &rig.ledger;
    return load_run_go(&rig.run);
}

/* An open loop offers its rate, answers are counted once, orders end, the ledger knows them all. */
static void open_loop_accounts_for_all(void **state)
{
    (void)state;
    const char *const argv[] = {"x",    "--rate",  "8000", "--duration",    "1", "--life",
                                "0.05", "--nodes", "5",    "--connections", "3"};
    assert_int_equal(run_with(11, argv), ERR_OK);
    const struct run_stats *stats = &rig.run.stats;
    assert_true(fabs((double)stats->offered / 8000 / stats->seconds - 1) < 0.1);
    assert_true(stats->hists[RUN_ROUTE].total == stats->sent);
    assert_true(stats->routed == rig.run.next_order);
    assert_true(stats->ended + rig.run.life.waiting == stats->routed);
    assert_true(stats->ended > stats->routed / 2);
    uint64_t known = 0, ended = 0;
    for (uint64_t i = 0; i < rig.run.next_order; i++) {
        known += ledger_facts(&rig.ledger, i) != NULL;
        ended += rig.ledger.ended[i] != 0;
    }
    assert_true(known == stats->routed);
    assert_true(ended == stats->ended);
    assert_int_equal(stats->malformed, 0);
}

/* Arrivals that nothing took in time are offered and given up, neither sent nor answered. */
static void impatience_is_told_apart(void **state)
{
    (void)state;
    const char *const argv[] = {"x",       "--rate", "30000", "--duration",    "0.5", "--patience",
                                "0.00005", "--life", "0",     "--connections", "2",   "--nodes",
                                "5"};
    assert_int_equal(run_with(13, argv), ERR_OK);
    const struct run_stats *stats = &rig.run.stats;
    assert_true(stats->given_up > 0);
    assert_true(stats->sent > 0);
    assert_true(stats->sent + stats->given_up <= stats->offered);
    assert_true(stats->hists[RUN_ROUTE].total == stats->sent);
    assert_true(fabs((double)stats->offered / 30000 / stats->seconds - 1) < 0.1);
}

/* A closed loop never has more in flight than its depth. */
static void closed_loop_keeps_its_depth(void **state)
{
    (void)state;
    const char *const argv[] = {"x",      "--closed", "--depth", "16", "--duration",    "0.3",
                                "--life", "0",        "--nodes", "5",  "--connections", "2"};
    assert_int_equal(run_with(12, argv), ERR_OK);
    assert_true(rig.run.stats.routed > 100);
    assert_int_equal(rig.pump.in_flight, 0);
    assert_int_equal(rig.run.stats.ended, 0);
    assert_true(rig.run.stats.offered >= rig.run.stats.accepted);
}

/* An engine that does not recognise a retry is found out: the stand-in never says duplicate. */
static void forgotten_retries_are_seen(void **state)
{
    (void)state;
    const char *const argv[] = {"x",   "--closed", "--duration", "0.2",     "--retries",
                                "0.5", "--life",   "0",          "--nodes", "5"};
    assert_int_equal(run_with(10, argv), ERR_OK);
    assert_int_equal(rig.run.stats.retries_agreed, 0);
    assert_true(rig.run.stats.retries_differed > 10);
}

/* When the engine dies the run ends with a fault, and what was acknowledged stays known. */
static void lost_engine_ends_the_run(void **state)
{
    (void)state;
    load_fake_stop_after(&fake, 300);
    const char *const argv[] = {"x", "--rate", "2000", "--duration", "20", "--nodes", "5"};
    assert_int_equal(run_with(7, argv), ERR_CLOSED);
    assert_true(rig.run.stats.routed > 100);
    assert_true(rig.pump.fault[0] != '\0');
    assert_true(rig.run.stats.seconds < 10);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(open_loop_accounts_for_all, start, stop),
        cmocka_unit_test_setup_teardown(impatience_is_told_apart, start, stop),
        cmocka_unit_test_setup_teardown(closed_loop_keeps_its_depth, start, stop),
        cmocka_unit_test_setup_teardown(forgotten_retries_are_seen, start, stop),
        cmocka_unit_test_setup_teardown(lost_engine_ends_the_run, start, stop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
