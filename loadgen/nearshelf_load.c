/* nearshelf-load: loads an engine, streams orders to it, verifies, reports. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "books.h"
#include "check.h"
#include "load_report.h"
#include "load_run.h"
#include "load_setup.h"
#include "slo.h"

enum { EXIT_WELL = 0, EXIT_FAULT = 1, EXIT_USAGE = 2, EXIT_SLO = 3 };

/* Requests in flight at most in an open loop: then arrivals wait, and their latency shows it. */
enum { OPEN_REQUESTS_MAX = 1 << 20, SPARE_REQUESTS = 16384 };

#define PICTURE_NS 60000000000ull

static volatile sig_atomic_t is_stopped;

static void on_signal(int number)
{
    (void)number;
    is_stopped = 1;
}

/* All that a session is made of. */
struct session {
    struct load_opts opts;
    struct slo slo;
    struct network network;
    struct workload workload;
    struct stock_model model;
    struct pump pump;
    struct ledger ledger;
    struct picture picture;
    struct load_run run;
    struct setup_hello hello;
    struct setup_report setup;
    struct books_report books;
    bool has_ledger, has_books;
};

static enum err fail(const struct session *session, enum err err, const char *what)
{
    fprintf(stderr, "nearshelf-load: %s: %s\n", what,
            session->pump.fault[0] != '\0' ? session->pump.fault : err_text(err));
    return err;
}

static enum err prepare(struct session *session)
{
    struct load_opts *opts = &session->opts;
    enum err err = slo_parse(&session->slo, opts->slo);
    if (err == ERR_OK) {
        err = load_network_init(&session->network, opts);
    }
    if (err == ERR_OK) {
        err = workload_init(&session->workload, opts, &session->network);
    }
    if (err == ERR_OK) {
        opts->items = session->workload.items.count;
        stock_model_init(&session->model, opts, &session->network, opts->items);
    }
    return err;
}

static void tell_origin(const struct session *session)
{
    printf(
        "stores: %s; warehouses: the ten most populous ZIP3 areas 500 km apart; generated: store "
        "sizes, items, stock, orders and their places (by population)\n",
        session->network.is_real ? "real, from the data folder"
                                 : "drawn from the table of three-digit ZIP areas");
}

static enum err connect_engine(struct session *session)
{
    const struct load_opts *opts = &session->opts;
    uint32_t requests =
        opts->is_closed ? opts->connections * opts->depth + SPARE_REQUESTS : OPEN_REQUESTS_MAX;
    enum err err = pump_open(&session->pump, opts->address, opts->connections, requests);
    if (err == ERR_OK) {
        err = setup_hello(&session->pump, &session->hello);
    }
    return err == ERR_OK ? ERR_OK : fail(session, err, "connect");
}

static struct books_input books_input(struct session *session)
{
    return (struct books_input){&session->pump, &session->network, &session->workload,
                                &session->model, &session->ledger};
}

static enum err open_ledger(struct session *session)
{
    const struct load_opts *opts = &session->opts;
    if (!opts->is_verifying && opts->ledger_path == NULL) {
        return ERR_OK;
    }
    enum err err = ledger_init(&session->ledger);
    session->has_ledger = err == ERR_OK;
    if (err == ERR_OK && opts->ledger_path != NULL) {
        err = ledger_open_file(&session->ledger, opts);
    }
    if (err != ERR_OK) {
        return fail(session, err, "ledger");
    }
    return ERR_OK;
}

/* Bring the engine to the state that the run begins with. */
static enum err load_engine(struct session *session)
{
    enum err err = ERR_OK;
    if (session->opts.is_loading) {
        err = setup_load(&session->pump, &session->network, &session->workload, &session->model,
                         &session->setup);
        if (err != ERR_OK) {
            return fail(session, err, "load");
        }
        printf("loaded %llu nodes, %llu items, %llu cells in %.1f s\n",
               (unsigned long long)session->setup.nodes, (unsigned long long)session->setup.items,
               (unsigned long long)session->setup.cells, session->setup.seconds);
        fflush(stdout);
    } else if (session->has_ledger) {
        struct books_input input = books_input(session);
        err = books_scan(&input);
        if (err != ERR_OK) {
            return fail(session, err, "stock before the run");
        }
    }
    return ERR_OK;
}

static enum err run_orders(struct session *session)
{
    const struct load_opts *opts = &session->opts;
    struct load_run *run = &session->run;
    enum err err = load_run_init(run, opts, &session->workload, &session->pump);
    if (err == ERR_OK && opts->map_path != NULL) {
        err = picture_init(&session->picture, &session->network, pump_clock_ns() + PICTURE_NS);
        run->picture = &session->picture;
    }
    if (err != ERR_OK) {
        return fail(session, err, "start");
    }
    run->ledger = session->has_ledger ? &session->ledger : NULL;
    run->is_stopped = &is_stopped;
    err = load_run_go(run);
    if (err != ERR_OK) {
        fail(session, err, "run");
    }
    return err;
}

/* Note what was under way when the run ended, and close the ledger's file. */
static enum err finish_ledger(struct session *session, bool is_broken)
{
    if (!session->has_ledger) {
        return ERR_OK;
    }
    for (uint32_t i = 0; i < session->pump.requests_max; i++) {
        const struct pump_request *request = &session->pump.requests[i];
        if (request->kind == RUN_RESTOCK) {
            ledger_unsure(&session->ledger, request->subject);
        }
    }
    enum err err = ledger_finish(&session->ledger, session->run.next_order, is_broken);
    return err == ERR_OK ? ERR_OK : fail(session, err, "ledger");
}

static enum err write_files(const struct session *session, const struct load_report *report)
{
    const struct load_opts *opts = &session->opts;
    enum err err = ERR_OK;
    if (opts->json_path != NULL) {
        err = load_report_write_json(report, opts->json_path);
    }
    if (err == ERR_OK && opts->hgrm_path != NULL) {
        err = load_report_write_hgrm(report, opts->hgrm_path);
    }
    if (err == ERR_OK && opts->map_path != NULL) {
        err = picture_write_svg(&session->picture, opts->map_path);
    }
    return err == ERR_OK ? ERR_OK : fail(session, err, "report file");
}

static int report(struct session *session, bool is_file_written)
{
    struct load_report report = {
        .opts = &session->opts,
        .hello = &session->hello,
        .setup = session->opts.is_loading ? &session->setup : NULL,
        .stats = &session->run.stats,
        .slo = &session->slo,
        .books = session->has_books ? &session->books : NULL,
        .fault = session->pump.fault,
    };
    if (session->opts.map_path != NULL) {
        picture_print(&session->picture, stdout);
    }
    load_report_print(&report, stdout);
    bool is_written = write_files(session, &report) == ERR_OK && is_file_written;
    if (!is_written || !load_report_is_well(&report)) {
        return EXIT_FAULT;
    }
    return load_report_slo_met(&report) ? EXIT_WELL : EXIT_SLO;
}

static int run(struct session *session)
{
    if (prepare(session) != ERR_OK) {
        return EXIT_USAGE;
    }
    load_opts_echo(&session->opts, stdout);
    tell_origin(session);
    if (connect_engine(session) != ERR_OK) {
        return EXIT_FAULT;
    }
    printf("engine: %s\n", session->hello.server);
    fflush(stdout);
    if (open_ledger(session) != ERR_OK || load_engine(session) != ERR_OK) {
        return EXIT_FAULT;
    }
    if (session->opts.is_load_only) {
        return EXIT_WELL;
    }
    enum err err = run_orders(session);
    bool is_written = finish_ledger(session, err != ERR_OK) == ERR_OK;
    if (err == ERR_OK && session->opts.is_verifying) {
        struct books_input input = books_input(session);
        err = books_check(&input, &session->books);
        session->has_books = err == ERR_OK;
    }
    return report(session, is_written);
}

/* Hold the ledger of an earlier run against the engine as it is now. */
static int check_ledger(struct session *session)
{
    enum err err = ledger_init(&session->ledger);
    if (err == ERR_OK) {
        err = ledger_read(&session->ledger, session->opts.check_path, &session->opts);
    }
    if (err != ERR_OK || prepare(session) != ERR_OK) {
        return EXIT_USAGE;
    }
    if (connect_engine(session) != ERR_OK) {
        return EXIT_FAULT;
    }
    struct books_input input = books_input(session);
    err = books_check(&input, &session->books);
    if (err != ERR_OK) {
        fail(session, err, "check");
        return EXIT_FAULT;
    }
    books_print(&session->books, stdout);
    bool is_clean = books_are_clean(&session->books);
    printf("%s: %s\n", is_clean ? "PASS" : "FAIL", session->opts.check_path);
    return is_clean ? EXIT_WELL : EXIT_FAULT;
}

static void close_session(struct session *session)
{
    load_run_close(&session->run);
    picture_close(&session->picture);
    ledger_close(&session->ledger);
    pump_close(&session->pump);
    workload_close(&session->workload);
    load_network_close(&session->network);
    free(session);
}

int main(int argc, char **argv)
{
    struct session *session = calloc(1, sizeof *session);
    if (session == NULL) {
        return EXIT_FAULT;
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    int code = EXIT_WELL;
    switch (load_opts_parse(&session->opts, argc, (const char *const *)argv)) {
    case LOAD_OPTS_HELP:
        load_opts_help(stdout);
        break;
    case LOAD_OPTS_WRONG:
        code = EXIT_USAGE;
        break;
    case LOAD_OPTS_RUN:
        code = session->opts.check_path != NULL ? check_ledger(session) : run(session);
        break;
    }
    close_session(session);
    return code;
}
