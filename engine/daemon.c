/* The glue: net's batches into the service, the service's replies into net, the log's
 * completions, time, signals.
 *
 *   batch of frames -> service_batch -> log group      (net's check handle, once a turn)
 *   log readable    -> wal_drive -> net_release
 *   timer or idle   -> service_tick, seals
 *   a turn that takes long is suspended: everything but batches goes on, ticks go on with it
 *
 * Ends: a signal drains (service refuses changes, net hands over what it read and sends what is
 * owed), then the loop's handles close, then the log is sealed and closed. A log that failed
 * takes the same way with nothing leaving. */
#include "daemon.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <uv.h>

#include "check.h"
#include "checkpoint_child.h"
#include "limits.h"
#include "loops.h"
#include "loop_core.h"
#include "loop_memory.h"
#include "mem.h"
#include "net.h"
#include "say.h"
#include "service.h"

enum {
    NET_BATCH = 4096,
    STOP_REPEAT_NS = 1000000000 /* a second signal sooner than that is the same one */
};

struct daemon {
    const struct config *config;
    uv_loop_t loop;
    struct service_core *service;
    struct net *net; /* NULL while recovering */
    struct loops *loops; /* hold the connections; NULL without read_loops: net does */
    struct service_request *requests; /* NET_BATCH of them */
    uv_poll_t log_poll;
    uv_poll_t feed_poll; /* records read for events.read */
    uv_poll_t files_poll; /* only to make room for the files of connections */
    uv_timer_t tick;
    uv_timer_t seal;
    uv_idle_t busy; /* active while ticks are wanted at once */
    struct loop_core core;
    uv_async_t child_ended;
    struct child child; /* the checkpoint's */
    uv_signal_t terminate;
    uv_signal_t interrupt;
    bool is_suspended; /* the service is, in a turn that the next tick goes on with */
    bool is_stopping;
    bool is_drained; /* net is, or the loops are: the other is waited for */
    enum daemon_exit exit_code;
    uint64_t started_ns;
    uint64_t stop_ns; /* of the first signal */
};

static uint64_t wall_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static struct service_turn turn_now(void)
{
    return (struct service_turn){wall_ms(), uv_hrtime()};
}

/* -- the service's port -- */

static uint8_t *on_reply_begin(void *conn, uint32_t size)
{
    return net_reply_begin(conn, size);
}

static void on_reply_end(void *conn, uint32_t size, uint64_t release_lsn)
{
    net_reply_end(conn, size, release_lsn);
}

static bool on_may_answer(void *conn, const struct frame_head *head)
{
    return net_may_answer(conn, head);
}

static void on_done(void *conn)
{
    net_conn_done(conn);
}

static void on_hold(void *conn, bool held)
{
    net_conn_hold(conn, held);
}

static void on_release(void *owner, uint64_t lsn)
{
    struct daemon *daemon = owner;
    if (daemon->loops) {
        loops_release(daemon->loops, lsn);
    } else if (daemon->net) {
        net_release(daemon->net, lsn);
    }
}

static void tick_in(struct daemon *daemon, uint32_t due_ms);

/* What waited for the log goes on with the next turn, not when the tick would be due; a load may
 * be all that is left to do. Not at once: the log calls this. */
static void on_pause(void *owner, bool is_paused)
{
    struct daemon *daemon = owner;
    if (!daemon->net) {
        return;
    }
    if (daemon->loops) {
        loops_pause(daemon->loops, is_paused);
    } else if (is_paused) {
        net_stop_reading(daemon->net);
    } else {
        net_start_reading(daemon->net);
    }
    if (!is_paused) {
        tick_in(daemon, 0);
    }
}

static uint64_t on_clock(void *owner)
{
    (void)owner;
    return uv_hrtime();
}

/* -- checkpoints -- */

/* What was answered outside of a batch leaves. */
static void flush(struct daemon *daemon)
{
    if (daemon->loops) {
        loops_flush(daemon->loops);
    } else {
        net_flush(daemon->net);
    }
}

static void on_child_ended(void *owner)
{
    struct daemon *daemon = owner;
    CHECK(uv_async_send(&daemon->child_ended) == 0);
}

static bool on_checkpoint(void *owner, uint64_t lsn, char why_out[WAL_ERROR_SIZE])
{
    struct daemon *daemon = owner;
    const struct config *config = daemon->config;
    struct child_request request = {
        .lsn = lsn,
        .rate = config->checkpoint_rate,
        .is_buffered = config->log_buffered != 0,
        .has_small_pages = config->pages == CONFIG_PAGES_SMALL,
    };
    if (!daemon_child_fits(config, why_out, WAL_ERROR_SIZE)) {
        return false;
    }
    limits_tables(config, &request.tables);
    pthread_attr_t attributes;
    loop_core_attributes(&daemon->core, &attributes);
    const enum err err = child_start(&daemon->child, config->dir, &request, &attributes,
                                     on_child_ended, daemon);
    pthread_attr_destroy(&attributes);
    if (err != ERR_OK) {
        snprintf(why_out, WAL_ERROR_SIZE, "no thread to be had");
    }
    return err == ERR_OK;
}

static void on_child_result(uv_async_t *async)
{
    struct daemon *daemon = async->data;
    struct child_result result;
    if (daemon->is_stopping || !daemon->child.is_started) {
        return; /* child_stop ends it */
    }
    child_take(&daemon->child, &result);
    service_checkpoint_done(daemon->service, result.err, &result.made, result.why);
    flush(daemon);
}

/* -- the end -- */

static void handles_close(struct daemon *daemon)
{
    uv_handle_t *handles[] = {(uv_handle_t *)&daemon->log_poll,
                              (uv_handle_t *)&daemon->feed_poll, (uv_handle_t *)&daemon->tick,
                              (uv_handle_t *)&daemon->seal, (uv_handle_t *)&daemon->busy,
                              (uv_handle_t *)&daemon->child_ended};
    child_stop(&daemon->child);
    for (size_t i = 0; i < sizeof handles / sizeof handles[0]; i++) {
        if (handles[i]->data && !uv_is_closing(handles[i])) {
            uv_close(handles[i], NULL);
        }
    }
}

static void on_drained(void *owner)
{
    struct daemon *daemon = owner;
    if (daemon->loops && !daemon->is_drained) {
        daemon->is_drained = true;
        return;
    }
    if (daemon->loops) {
        loops_end(daemon->loops);
    }
    handles_close(daemon);
}

static void stop(struct daemon *daemon)
{
    if (!daemon->is_stopping) {
        daemon->is_stopping = true;
        service_drain(daemon->service);
        net_drain(daemon->net, on_drained);
        if (daemon->loops) {
            loops_drain(daemon->loops);
        }
    }
}

static void on_failed(void *owner, const char *why)
{
    struct daemon *daemon = owner;
    say(SAY_ERROR, "log_failed",
        "why=\"%s\": nothing that is not on the disk was told to anyone; free or replace the disk, "
        "then start the daemon again: it recovers what is there",
        why);
    daemon->exit_code = DAEMON_EXIT_LOG_FAILED;
    if (daemon->net) {
        net_fail(daemon->net);
        if (daemon->loops) {
            loops_fail(daemon->loops);
        }
        stop(daemon);
    }
}

/* A signal may come twice at once, to a group and forwarded by a wrapper: that is one wish. */
static void on_signal(uv_signal_t *handle, int number)
{
    struct daemon *daemon = handle->data;
    uint64_t now_ns = uv_hrtime();
    if (daemon->is_stopping && now_ns - daemon->stop_ns < STOP_REPEAT_NS) {
        return;
    }
    if (daemon->is_stopping) {
        say(SAY_WARN, "stopped_at_once", "a second signal: what was owed is not answered");
        _exit(DAEMON_EXIT_NOT_STARTED);
    }
    daemon->stop_ns = now_ns;
    say(SAY_INFO, "stopping", "signal=%s", number == SIGTERM ? "TERM" : "INT");
    stop(daemon);
}

/* -- turns -- */

static void tick(struct daemon *daemon);

static void on_tick(uv_timer_t *timer)
{
    tick(timer->data);
}

static void on_busy(uv_idle_t *idle)
{
    tick(idle->data);
}

/* Be called again in due_ms; 0: with the next turn, without sleeping. */
static void tick_in(struct daemon *daemon, uint32_t due_ms)
{
    if (uv_is_closing((uv_handle_t *)&daemon->tick)) {
        return;
    }
    if (due_ms == 0) {
        CHECK(uv_idle_start(&daemon->busy, on_busy) == 0);
        return;
    }
    CHECK(uv_idle_stop(&daemon->busy) == 0);
    CHECK(uv_timer_start(&daemon->tick, on_tick, due_ms == UINT32_MAX ? 1000 : due_ms, 0) == 0);
}

/* Until a turn is over no other one begins, and its requests stay where they are. */
static void suspend(struct daemon *daemon)
{
    const bool is_suspended = service_is_suspended(daemon->service);
    if (is_suspended == daemon->is_suspended) {
        return;
    }
    daemon->is_suspended = is_suspended;
    if (daemon->loops) {
        loops_suspend(daemon->loops, is_suspended);
    } else {
        net_suspend(daemon->net, is_suspended);
    }
}

static void tick(struct daemon *daemon)
{
    struct service_turn turn = turn_now();
    uint32_t due_ms = service_tick(daemon->service, &turn);
    suspend(daemon);
    flush(daemon);
    tick_in(daemon, due_ms);
}

static void on_loops_batch(void *owner, const struct service_request *requests, uint32_t count)
{
    struct daemon *daemon = owner;
    struct service_turn turn = turn_now();
    uint32_t due_ms = service_batch(daemon->service, &turn, requests, count);
    suspend(daemon);
    if (due_ms != UINT32_MAX) {
        tick_in(daemon, due_ms);
    }
}

static void on_batch(void *owner, struct net_request *requests, uint32_t count)
{
    struct daemon *daemon = owner;
    struct service_turn turn = turn_now();
    CHECK(count <= NET_BATCH);
    for (uint32_t i = 0; i < count; i++) {
        daemon->requests[i] = (struct service_request){
            .conn = requests[i].conn, .head = &requests[i].head, .read_ns = requests[i].read_ns};
    }
    uint32_t due_ms = service_batch(daemon->service, &turn, daemon->requests, count);
    suspend(daemon);
    if (due_ms != UINT32_MAX) {
        tick_in(daemon, due_ms);
    }
}

static void on_seal(uv_timer_t *timer);

/* Stamp the last group once the log is idle. */
static void seal_plan(struct daemon *daemon)
{
    struct wal *wal = service_wal(daemon->service);
    uint32_t due_ms = wal_seal_due_ms(wal, uv_now(&daemon->loop));
    if (due_ms == 0) {
        wal_seal(wal);
    } else if (due_ms != UINT32_MAX && !uv_is_closing((uv_handle_t *)&daemon->seal)) {
        CHECK(uv_timer_start(&daemon->seal, on_seal, due_ms, 0) == 0);
    }
}

static void on_seal(uv_timer_t *timer)
{
    seal_plan(timer->data);
}

/* Readers of events go on. */
static void feed(struct daemon *daemon)
{
    const struct service_turn turn = turn_now();
    const uint32_t due_ms = service_feed(daemon->service, &turn);
    if (due_ms != UINT32_MAX) {
        tick_in(daemon, due_ms);
    }
}

static void on_feed(uv_poll_t *poll, int status, int events)
{
    struct daemon *daemon = poll->data;
    (void)events;
    CHECK(status == 0);
    feed(daemon);
    flush(daemon);
}

static void on_log(uv_poll_t *poll, int status, int events)
{
    struct daemon *daemon = poll->data;
    (void)events;
    CHECK(status == 0);
    wal_drive(service_wal(daemon->service));
    feed(daemon);
    flush(daemon);
    seal_plan(daemon);
}

/* -- the start -- */

/* Replies go by the read loops. */
static void port_of_loops(struct service_port *port)
{
    port->reply_begin = loops_reply_begin;
    port->reply_end = loops_reply_end;
    port->done = loops_done;
    port->hold = loops_hold;
    port->may_answer = loops_may_answer;
}

static void service_options_fill(struct daemon *daemon, struct service_options *options)
{
    static const enum wal_backend backends[] = {
        [CONFIG_BACKEND_AUTO] = WAL_BACKEND_AUTO,
        [CONFIG_BACKEND_URING] = WAL_BACKEND_URING,
        [CONFIG_BACKEND_PWRITE] = WAL_BACKEND_PWRITE,
    };
    static const enum disk_method methods[] = {
        [CONFIG_METHOD_AUTO] = DISK_METHOD_AUTO,
        [CONFIG_METHOD_FDATASYNC] = DISK_METHOD_FDATASYNC,
        [CONFIG_METHOD_DSYNC] = DISK_METHOD_DSYNC,
    };
    const struct config *config = daemon->config;
    service_options_default(options);
    /* io_uring's own helper runs where the kernel likes, also on the core that was kept free. */
    const bool is_thread = config->pin && config->log_backend == CONFIG_BACKEND_AUTO;
    limits_tables(config, &options->tables);
    options->log = (struct wal_options){
        .dir = config->dir,
        .segment_size = config->segment_size,
        .group_size_max = (uint32_t)config->group_size_max,
        .backend = is_thread ? WAL_BACKEND_PWRITE : backends[config->log_backend],
        .method = methods[config->log_method],
        .force_buffered = config->log_buffered != 0,
        .lone_flush_us = (uint32_t)config->lone_flush_us,
        .unsafe_no_sync = config->unsafe_no_sync != 0,
        .retain_bytes = config->log_retain_bytes,
        .retain_ms = config->log_retain_time,
    };
    options->checkpoint_bytes = config->checkpoint_bytes;
    options->checkpoint_records = config->checkpoint_records;
    options->port = (struct service_port){
        .owner = daemon,
        .reply_begin = on_reply_begin,
        .reply_end = on_reply_end,
        .done = on_done,
        .hold = on_hold,
        .release = on_release,
        .pause = on_pause,
        .clock_ns = on_clock,
        .failed = on_failed,
        .checkpoint = on_checkpoint,
        .may_answer = on_may_answer,
    };
    if (config->read_loops) {
        port_of_loops(&options->port);
    }
    options->feed_thread = true;
    options->batch = (uint32_t)config->batch;
    options->rejects_max = (uint32_t)config->rejects_max;
    options->max_delay_ms = (uint32_t)config->max_delay_ms;
    options->count_window_ms = config->count_window;
    options->return_window_ms = config->return_window;
    options->key_window_ms = config->key_window;
    options->order_window_ms = config->order_window;
    options->search_steps = (uint32_t)config->search_steps;
    options->slice_steps = (uint32_t)config->slice_steps;
    options->frame_size_max = (uint32_t)config->frame_size_max;
    options->loads_memory = config->loads_memory;
    options->test_clock = config->test_clock != 0;
    options->conns_max = (uint32_t)config->conns_max;
    options->inflight_max = (uint32_t)config->inflight_max;
    memcpy(options->country, config->country, sizeof options->country);
    memcpy(options->currency, config->currency, sizeof options->currency);
}

static bool service_start(struct daemon *daemon, const struct service_options *options,
                          struct service_start *start)
{
    char error[WAL_ERROR_SIZE] = "";
    enum err err = service_open(options, &daemon->service, start, error);
    if (err != ERR_OK) {
        say(SAY_ERROR, "not_started", "dir=%s why=\"%s\"", daemon->config->dir,
            error[0] ? error : err_text(err));
        return false;
    }
    if (start->passed_over) {
        say(SAY_ERROR, "snapshot_damaged",
            "count=%u why=\"%s\": recovered from an older one and a longer log; check the disk, "
            "then ask for a snapshot",
            start->passed_over, start->why);
    }
    say(SAY_INFO, "recovered",
        "snapshot_lsn=%" PRIu64 " snapshot_ms=%" PRIu64 " segments=%" PRIu64 " groups=%" PRIu64
        " records=%" PRIu64 " log_bytes=%" PRIu64 " log_ms=%" PRIu64 " rewritten=%" PRIu64,
        start->snapshot.lsn, start->snapshot_us / 1000, start->recovery.segments,
        start->recovery.groups, start->recovery.records, start->recovery.bytes,
        start->recovery.took_us / 1000, start->recovery.rewritten);
    if (start->recovery.has_torn_tail) {
        say(SAY_WARN, "torn_tail", "file=%s offset=%" PRIu64
            ": the last group was never completed; nobody was told of it",
            start->recovery.torn_file, start->recovery.torn_offset);
    }
    return true;
}

static bool on_accepted(void *owner, int fd, bool is_pipe)
{
    struct daemon *daemon = owner;
    return loops_take(daemon->loops, fd, is_pipe);
}

/* The nets of the loops have the options of the one that accepts. */
static bool loops_start(struct daemon *daemon, const struct net_options *net, uint32_t conns_max)
{
    struct loops_options options = {
        .count = (uint32_t)daemon->config->read_loops,
        .loop = &daemon->loop,
        .service = daemon->service,
        .net = *net,
        .batch = on_loops_batch,
        .drained = on_drained,
        .owner = daemon,
    };
    char error[256];
    options.net.conns_max = conns_max;
    uint64_t durable_lsn = wal_lsn_durable(service_wal(daemon->service));
    if (loops_open(&options, durable_lsn, &daemon->loops, error, sizeof error) != ERR_OK) {
        daemon->loops = NULL;
        say(SAY_ERROR, "not_started", "why=\"%s\"", error);
        net_drain(daemon->net, on_drained);
        return false;
    }
    return true;
}

static bool net_start(struct daemon *daemon)
{
    const struct config *config = daemon->config;
    const char *listen[CONFIG_LISTEN_MAX];
    char error[256];
    for (uint32_t i = 0; i < config->listen.count; i++) {
        listen[i] = config->listen.texts[i];
    }
    struct net_options options = {
        .loop = &daemon->loop,
        .listen = listen,
        .listen_count = config->listen.count,
        .conns_max = (uint32_t)config->conns_max,
        .inflight_max = (uint32_t)config->inflight_max,
        .frame_size_max = (uint32_t)config->frame_size_max,
        .output_soft = (uint32_t)config->output_soft,
        .output_hard = (uint32_t)config->output_hard,
        .output_patience_ms = (uint32_t)config->output_patience,
        .batch_max = NET_BATCH,
        .arena_size = DAEMON_NET_ARENA,
        .buffers_max = config->buffers_max,
        .delay_ns = config->max_delay_ms * 1000000,
        .accepted = config->read_loops ? on_accepted : NULL,
    };
    enum err err = net_open(&options, on_batch, daemon, &daemon->net, error, sizeof error);
    if (err != ERR_OK) {
        daemon->net = NULL;
        say(SAY_ERROR, "not_started", "why=\"%s\"", error);
        return false;
    }
    net_release(daemon->net, wal_lsn_durable(service_wal(daemon->service)));
    struct net_limits limits;
    net_limits(daemon->net, &limits);
    (void)loop_memory_files(&daemon->loop, &daemon->files_poll, (int)limits.conns_max);
    return config->read_loops == 0 || loops_start(daemon, &options, limits.conns_max);
}

static void handles_start(struct daemon *daemon)
{
    uv_loop_t *loop = &daemon->loop;
    CHECK(uv_poll_init(loop, &daemon->log_poll, wal_poll_fd(service_wal(daemon->service))) == 0);
    CHECK(uv_poll_init(loop, &daemon->feed_poll, service_feed_fd(daemon->service)) == 0);
    CHECK(uv_timer_init(loop, &daemon->tick) == 0);
    CHECK(uv_timer_init(loop, &daemon->seal) == 0);
    CHECK(uv_idle_init(loop, &daemon->busy) == 0);
    CHECK(uv_async_init(loop, &daemon->child_ended, on_child_result) == 0);
    CHECK(uv_signal_init(loop, &daemon->terminate) == 0);
    CHECK(uv_signal_init(loop, &daemon->interrupt) == 0);
    daemon->feed_poll.data = daemon;
    daemon->log_poll.data = daemon->tick.data = daemon->seal.data = daemon;
    daemon->busy.data = daemon->child_ended.data = daemon;
    daemon->terminate.data = daemon->interrupt.data = daemon;
    CHECK(uv_poll_start(&daemon->log_poll, UV_READABLE, on_log) == 0);
    CHECK(uv_poll_start(&daemon->feed_poll, UV_READABLE, on_feed) == 0);
    CHECK(uv_signal_start(&daemon->terminate, on_signal, SIGTERM) == 0);
    CHECK(uv_signal_start(&daemon->interrupt, on_signal, SIGINT) == 0);
    /* They stay until the log is closed, and keep nothing alive. */
    uv_unref((uv_handle_t *)&daemon->terminate);
    uv_unref((uv_handle_t *)&daemon->interrupt);
    tick_in(daemon, 0);
}

static void signals_close(struct daemon *daemon)
{
    sigset_t both;
    sigemptyset(&both);
    sigaddset(&both, SIGTERM);
    sigaddset(&both, SIGINT);
    sigprocmask(SIG_BLOCK, &both, NULL); /* what comes now finds the process at its end */
    if (daemon->terminate.data) {
        uv_close((uv_handle_t *)&daemon->terminate, NULL);
        uv_close((uv_handle_t *)&daemon->interrupt, NULL);
    }
    CHECK(uv_run(&daemon->loop, UV_RUN_DEFAULT) == 0);
}

static void warnings(const struct daemon *daemon)
{
    const struct disk_facts *facts = wal_facts(service_wal(daemon->service));
    struct net_limits limits;
    char why[WAL_ERROR_SIZE];
    net_limits(daemon->net, &limits);
    if (!daemon_child_fits(daemon->config, why, sizeof why)) {
        say(SAY_WARN, "no_checkpoints", "%s; until then the log only grows", why);
    }
    if (!facts->is_durable) {
        say(SAY_WARN, "not_durable",
            "dir=%s is in memory: everything is lost with the machine; use a folder on a disk",
            daemon->config->dir);
    }
    if (daemon->config->unsafe_no_sync) {
        say(SAY_WARN, "not_durable",
            "unsafe_no_sync=yes: a power cut loses acknowledged changes; for comparisons only");
    }
    if (daemon->config->test_clock) {
        say(SAY_WARN, "test_clock", "time stands until clock.set moves it: for tests only");
    }
    if (limits.conns_max < limits.conns_wanted) {
        say(SAY_WARN, "conns_lowered",
            "conns_max=%u instead of %u: raise the file limit (ulimit -n)", limits.conns_max,
            limits.conns_wanted);
    }
}

/* The first line on stdout: who starts the daemon waits for it. */
static void ready(const struct daemon *daemon, const struct service_start *start)
{
    char memory[32];
    config_size_text(daemon_memory(daemon->config), memory);
    memory[strcspn(memory, " ")] = '_';
    printf("ready");
    for (uint32_t i = 0; i < net_listen_count(daemon->net); i++) {
        printf(" listen=%s", net_listen_text(daemon->net, i));
    }
    printf(" version=%s pid=%d %s pages=%s memory=%s nodes=%" PRIu64 " items=%" PRIu64
           " cells=%" PRIu64 " orders=%" PRIu64 " lsn=%" PRIu64 " recovered_ms=%" PRIu64
           " snapshot_ms=%" PRIu64 " started_ms=%" PRIu64 "\n",
           NEARSHELF_VERSION, (int)getpid(), wal_facts_text(service_wal(daemon->service)),
           mem_pages_huge() ? "huge" : "small", memory, start->nodes, start->items, start->cells,
           start->orders, start->recovery.last_lsn, start->recovery.took_us / 1000,
           start->snapshot_us / 1000, (uv_hrtime() - daemon->started_ns) / 1000000);
    fflush(stdout);
}

static bool start(struct daemon *daemon)
{
    struct service_options options;
    struct service_start found;
    service_options_fill(daemon, &options);
    if (!daemon_check(daemon->config)) {
        return false;
    }
    if (daemon->config->pin && !loop_core_choose(&daemon->core)) {
        say(SAY_WARN, "not_pinned", "pin=yes wants two cores at least: threads run where they may");
    }
    if (!service_start(daemon, &options, &found) || !net_start(daemon)) {
        return false;
    }
    loop_core_take(&daemon->core);
    handles_start(daemon);
    loop_memory_take(DAEMON_EXIT_LOG_FAILED);
    warnings(daemon);
    ready(daemon, &found);
    return true;
}

enum daemon_exit daemon_run(const struct config *config)
{
    struct daemon daemon = {.config = config, .started_ns = uv_hrtime()};
    daemon.requests = calloc(NET_BATCH, sizeof *daemon.requests);
    loop_memory_take(DAEMON_EXIT_NOT_STARTED);
    const int status = daemon.requests ? uv_loop_init(&daemon.loop) : UV_ENOMEM;
    if (status != 0) {
        say(SAY_ERROR, "not_started", "why=\"%s\"", uv_strerror(status));
        free(daemon.requests);
        return DAEMON_EXIT_NOT_STARTED;
    }
    signal(SIGPIPE, SIG_IGN);
    if (!start(&daemon)) {
        daemon.exit_code = DAEMON_EXIT_NOT_STARTED;
    }
    CHECK(uv_run(&daemon.loop, UV_RUN_DEFAULT) == 0);
    loops_join(daemon.loops);
    service_close(daemon.service);
    net_free(daemon.net);
    loops_close(daemon.loops);
    signals_close(&daemon);
    CHECK(uv_loop_close(&daemon.loop) == 0);
    free(daemon.requests);
    if (daemon.exit_code == DAEMON_EXIT_STOPPED) {
        say(SAY_INFO, "stopped", "the log is closed");
    }
    return daemon.exit_code;
}
