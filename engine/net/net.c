/* Opening, draining, failing and freeing a net; its loop handles, limits and counters. */
#include "net.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"
#include "net_internal.h"

enum {
    DISCARD_SIZE = 64 << 10,
    ARENA_SIZE_MIN = 512 << 10, /* two connections' reads of a turn */
    TIMER_MS_MIN = 5,
    TIMER_MS_MAX = 1000,
    POOLED_MAX = 64 << 20
};

static void on_idle(uv_idle_t *idle)
{
    (void)idle; /* being active is all it is for */
}

void net_idle_set(struct net *net)
{
    const bool is_wanted =
        !net->is_stopped && !net->is_suspended && !net_link_is_empty(&net->ready);
    if (is_wanted == net->is_idle_active || net->is_ending) {
        return;
    }
    net->is_idle_active = is_wanted;
    const int status = is_wanted ? uv_idle_start(&net->idle, on_idle) : uv_idle_stop(&net->idle);
    CHECK(status == 0);
}

static void on_timer(uv_timer_t *timer)
{
    struct net *net = timer->data;
    const uint64_t now_ms = uv_now(net->options.loop);
    struct net_link *link = net->timed.next;
    while (link != &net->timed) {
        struct net_conn *conn = CONN_OF(link, timed);
        link = link->next;
        if (now_ms < conn->deadline_ms) {
            continue;
        }
        if (conn->state != CONN_LINGERING) {
            net->stats.slow_cut++;
            net_warn(net, NET_GATE_SLOW, "slow_reader", conn, "did not take its replies; cut");
        }
        conn_close(conn);
    }
    if (net_link_is_empty(&net->timed)) {
        net->is_timer_active = false;
        uv_timer_stop(timer);
    }
}

static uint32_t clamp(uint32_t value, uint32_t min, uint32_t max)
{
    return value < min ? min : value > max ? max : value;
}

void net_timer_need(struct net *net)
{
    const uint32_t patience_ms = net->options.output_patience_ms;
    const uint32_t linger_ms = net->options.linger_ms;
    const uint32_t shorter_ms = patience_ms < linger_ms ? patience_ms : linger_ms;
    const uint32_t each_ms = clamp(shorter_ms / 4, TIMER_MS_MIN, TIMER_MS_MAX);
    if (!net->is_timer_active) {
        net->is_timer_active = true;
        CHECK(uv_timer_start(&net->timer, on_timer, each_ms, each_ms) == 0);
    }
}

static void default_u32(uint32_t *value, uint32_t standard)
{
    if (*value == 0) {
        *value = standard;
    }
}

static void options_complete(struct net_options *options)
{
    default_u32(&options->conns_max, 10000);
    default_u32(&options->inflight_max, 16384);
    default_u32(&options->frame_size_max, 1 << 20);
    default_u32(&options->depth_max, 16);
    default_u32(&options->output_soft, 256 << 10);
    default_u32(&options->output_hard, 8 << 20);
    default_u32(&options->output_patience_ms, 10000);
    default_u32(&options->linger_ms, 500);
    default_u32(&options->batch_max, 4096);
    default_u32(&options->arena_size, 2 << 20);
    if (options->arena_size < ARENA_SIZE_MIN) {
        options->arena_size = ARENA_SIZE_MIN;
    }
    if (options->buffers_max == 0) {
        options->buffers_max = (uint64_t)1 << 30;
    }
}

static struct net *net_new(const struct net_options *options)
{
    struct net *net = calloc(1, sizeof *net);
    if (!net) {
        return NULL;
    }
    net->magic = NET_MAGIC;
    net->options = *options;
    net->options.listen = NULL;
    options_complete(&net->options);
    net->read_max = TURN_READ_MAX;
    net->arena = malloc(net->options.arena_size);
    net->discard = malloc(DISCARD_SIZE);
    net->requests = calloc(net->options.batch_max, sizeof *net->requests);
    net->spare = calloc(1, sizeof *net->spare);
    if (!net->arena || !net->discard || !net->requests || !net->spare) {
        free(net->spare);
        free(net->arena);
        free(net->discard);
        free(net->requests);
        free(net);
        return NULL;
    }
    return net;
}

static void links_init(struct net *net)
{
    net_link_init(&net->all);
    net_link_init(&net->ready);
    net_link_init(&net->turn);
    net_link_init(&net->flush);
    net_link_init(&net->waiting);
    net_link_init(&net->parked);
    net_link_init(&net->timed);
    net_link_init(&net->dead);
}

static void handles_init(struct net *net)
{
    uv_loop_t *loop = net->options.loop;
    CHECK(uv_check_init(loop, &net->check) == 0);
    CHECK(uv_idle_init(loop, &net->idle) == 0);
    CHECK(uv_timer_init(loop, &net->timer) == 0);
    net->check.data = net->idle.data = net->timer.data = net;
    net->handles += 3;
    CHECK(uv_check_start(&net->check, net_on_check) == 0);
}

static void memory_free(struct net *net)
{
    conns_bury(net);
    while (!net_link_is_empty(&net->all)) { /* only after net_fail: requests never finished */
        struct net_conn *conn = CONN_OF(net->all.next, all);
        net_link_take(&conn->all);
        if (conn->is_started && net->options.closed) {
            net->options.closed(net->owner, conn);
        }
        net_buffer_give(&net->pool, &conn->own);
        free(conn);
    }
    net_pool_close(&net->pool);
    free(net->spare);
    free(net->arena);
    free(net->discard);
    free(net->requests);
    net->magic = 0;
    free(net);
}

void net_handle_closed(struct net *net)
{
    CHECK(net->handles > 0);
    if (--net->handles > 0) {
        return;
    }
    if (net->is_open_failed) {
        memory_free(net);
    } else if (net->done && !net->is_done_told) {
        net->is_done_told = true;
        net->done(net->owner);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    net_handle_closed(handle->data);
}

static void handles_close(struct net *net)
{
    net->is_ending = true;
    uv_close((uv_handle_t *)&net->check, on_handle_closed);
    uv_close((uv_handle_t *)&net->idle, on_handle_closed);
    uv_close((uv_handle_t *)&net->timer, on_handle_closed);
}

void net_end_check(struct net *net)
{
    const bool is_empty = net_link_is_empty(&net->all) || net->is_failed;
    if (net->is_draining && !net->is_ending && net->conns_open == 0 && is_empty) {
        handles_close(net);
    }
}

enum err net_open(const struct net_options *options, net_batch_cb *batch, void *owner,
                  struct net **out, char *error, size_t error_size)
{
    CHECK(options->loop);
    CHECK(batch);
    CHECK(error_size > 0);
    CHECK(options->listen_count <= NET_LISTEN_MAX);
    struct net *net = net_new(options);
    if (!net) {
        snprintf(error, error_size, "connections: out of memory");
        return ERR_NOMEM;
    }
    net->batch = batch;
    net->owner = owner;
    net->conns_wanted = net->options.conns_max;
    net->limits = (struct frame_limits){.size_max = net->options.frame_size_max,
                                        .depth_max = net->options.depth_max};
    links_init(net);
    net_pool_init(&net->pool, net->options.buffers_max, POOLED_MAX);
    net_files_fit(net);
    handles_init(net);
    enum err err = ERR_OK;
    for (uint32_t i = 0; i < options->listen_count && !err; i++) {
        err = net_listen_open(net, options->listen[i], error, error_size);
    }
    if (err) {
        net->is_open_failed = true;
        net_listen_close(net);
        handles_close(net);
        return err;
    }
    *out = net;
    return ERR_OK;
}

uint32_t net_listen_count(const struct net *net)
{
    return net->listeners_count;
}

const char *net_listen_text(const struct net *net, uint32_t i)
{
    CHECK(i < net->listeners_count);
    return net->listeners[i].text;
}

void net_limits(const struct net *net, struct net_limits *out)
{
    const struct net_options *options = &net->options;
    const uint64_t conns = (uint64_t)options->conns_max * sizeof(struct net_conn);
    const uint64_t requests = (uint64_t)options->batch_max * sizeof(struct net_request);
    *out = (struct net_limits){
        .conns_max = options->conns_max,
        .conns_wanted = net->conns_wanted,
        .inflight_max = options->inflight_max,
        .frame_size_max = options->frame_size_max,
        .depth_max = options->depth_max,
        .output_soft = options->output_soft,
        .output_hard = options->output_hard,
        .batch_max = options->batch_max,
        .memory_max = options->buffers_max + options->arena_size + DISCARD_SIZE + conns + requests,
    };
}

void net_stats(const struct net *net, struct net_stats *out)
{
    *out = net->stats;
    out->buffer_bytes = net->pool.bytes_held;
    out->read_max = net->read_max;
}

void net_stop_reading(struct net *net)
{
    net->is_stopped = true; /* each connection parks when it next has something to read */
    net_idle_set(net);
}

/* Connections that parked while nothing was read. */
static void wake_parked(struct net *net)
{
    struct net_link *link = net->parked.next;
    while (link != &net->parked) {
        struct net_conn *conn = CONN_OF(link, parked);
        link = link->next;
        conn_wake(conn);
    }
    net_idle_set(net);
}

void net_start_reading(struct net *net)
{
    if (!net->is_stopped || net->is_failed) {
        return;
    }
    net->is_stopped = false;
    wake_parked(net);
}

void net_suspend(struct net *net, bool is_suspended)
{
    CHECK(net->magic == NET_MAGIC);
    net->is_suspended = is_suspended;
    if (is_suspended) {
        net_idle_set(net);
        return;
    }
    if (net->is_turn_open) {
        net->is_turn_open = false;
        net_turn_end(net);
    }
    wake_parked(net);
}

void net_drain(struct net *net, net_done_cb *done)
{
    CHECK(net->magic == NET_MAGIC);
    CHECK(!net->is_draining);
    net->is_draining = true;
    net->done = done;
    net_listen_close(net);
    struct net_link *link = net->all.next;
    while (link != &net->all) {
        struct net_conn *conn = CONN_OF(link, all);
        link = link->next;
        if (net->is_stopped) {
            conn_end(conn); /* no batch will be made: what is owed is all there is */
        } else {
            conn_input_over(conn);
        }
    }
    net_end_check(net);
}

void net_fail(struct net *net)
{
    CHECK(net->magic == NET_MAGIC);
    net->is_failed = true;
    net->is_stopped = true;
    net_listen_close(net);
    struct net_link *link = net->all.next;
    while (link != &net->all) {
        struct net_conn *conn = CONN_OF(link, all);
        link = link->next;
        conn_close(conn);
    }
    net_idle_set(net);
}

void net_free(struct net *net)
{
    if (!net) {
        return;
    }
    CHECK(net->magic == NET_MAGIC);
    CHECK(net->handles == 0);
    memory_free(net);
}
