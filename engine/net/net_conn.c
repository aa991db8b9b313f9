/* The life of a connection: start, credit, park and wake, end, linger, close. */
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "net_internal.h"
#include "say.h"

enum {
    GATE_MS = 1000,
    KEEPALIVE_S = 60,
    /* Until its first replies tell better, one reply of a connection may cost this much. */
    REPLY_PEAK_FIRST = 256 << 10
};

struct net_conn *conn_from(const uv_handle_t *handle)
{
    struct net_conn *conn = handle->data;
    CHECK(conn->magic == CONN_MAGIC);
    return conn;
}

static void peer_text(const struct net_conn *conn, char *text, size_t size)
{
    struct sockaddr_storage addr = {0};
    int length = sizeof addr;
    char ip[INET6_ADDRSTRLEN] = "?";
    if (!conn || conn->socket.handle.type != UV_TCP ||
        uv_tcp_getpeername(&conn->socket.tcp, (struct sockaddr *)&addr, &length) != 0) {
        snprintf(text, size, "%s",
                 conn && conn->socket.handle.type == UV_NAMED_PIPE ? "unix" : "?");
        return;
    }
    if (addr.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&addr;
        uv_ip4_name(in, ip, sizeof ip);
        snprintf(text, size, "%s:%u", ip, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)&addr;
        uv_ip6_name(in, ip, sizeof ip);
        snprintf(text, size, "[%s]:%u", ip, ntohs(in->sin6_port));
    }
}

void net_warn(struct net *net, enum net_gate gate, const char *event, const struct net_conn *conn,
              const char *why)
{
    const uint64_t now_ms = uv_now(net->options.loop);
    char peer[80];
    if (now_ms < net->gate_next_ms[gate]) {
        net->gate_silent[gate]++;
        return;
    }
    peer_text(conn, peer, sizeof peer);
    say(SAY_WARN, event, "peer=%s suppressed=%llu %s", peer,
        (unsigned long long)net->gate_silent[gate], why);
    net->gate_silent[gate] = 0;
    net->gate_next_ms[gate] = now_ms + GATE_MS;
}

struct net_conn *conn_new(struct net *net, bool is_pipe)
{
    struct net_conn *conn = calloc(1, sizeof *conn);
    if (!conn) {
        conn = net->spare;
        net->spare = NULL;
        if (!conn) {
            return NULL;
        }
        memset(conn, 0, sizeof *conn);
        conn->is_spare = true;
    }
    conn->magic = CONN_MAGIC;
    conn->net = net;
    conn->id = ++net->next_id;
    conn->reply_peak = REPLY_PEAK_FIRST;
    frame_scan_init(&conn->scan);
    const int status = is_pipe ? uv_pipe_init(net->options.loop, &conn->socket.pipe, 0)
                               : uv_tcp_init(net->options.loop, &conn->socket.tcp);
    CHECK(status == 0);
    conn->socket.handle.data = conn;
    net_link_add(&net->all, &conn->all);
    net->handles++;
    net->conns_open++;
    return conn;
}

static void conn_free(struct net_conn *conn)
{
    struct net *net = conn->net;
    CHECK(conn->is_closed);
    CHECK(conn->unfinished == 0);
    CHECK(!conn->is_held);
    if (conn->is_started && net->options.closed) {
        net->options.closed(net->owner, conn);
    }
    net_link_take(&conn->all);
    conn->magic = 0;
    if (net->is_turn_open && conn->own.at) {
        net_link_add(&net->dead, &conn->all); /* its last frames may be in use */
        return;
    }
    net_buffer_give(&net->pool, &conn->own);
    if (!conn->is_spare) {
        free(conn);
        return;
    }
    CHECK(!net->spare);
    net->spare = conn;
    net_listen_again(net);
}

void conns_bury(struct net *net)
{
    while (!net_link_is_empty(&net->dead)) {
        struct net_conn *conn = CONN_OF(net->dead.next, all);
        net_link_take(&conn->all);
        net_buffer_give(&net->pool, &conn->own);
        free(conn);
    }
}

static void read_start(struct net_conn *conn)
{
    conn->is_read_stopped = false;
    if (uv_read_start(&conn->socket.stream, conn_on_alloc, conn_on_read) != 0) {
        conn_close(conn);
    }
}

static void read_stop(struct net_conn *conn)
{
    if (!conn->is_read_stopped) {
        uv_read_stop(&conn->socket.stream);
        conn->is_read_stopped = true;
    }
}

void conn_start(struct net_conn *conn)
{
    struct net_stats *stats = &conn->net->stats;
    conn->is_started = true;
    stats->conns++;
    stats->conns_total++;
    if (conn->socket.handle.type == UV_TCP) {
        /* Failures cost latency, and a slot until a dead peer is noticed, no more than that. */
        uv_tcp_nodelay(&conn->socket.tcp, 1);
        uv_tcp_keepalive(&conn->socket.tcp, 1, KEEPALIVE_S);
    }
    read_start(conn);
}

static void on_closed(uv_handle_t *handle)
{
    struct net_conn *conn = conn_from(handle);
    struct net *net = conn->net;
    conn->is_closed = true;
    if (!net->is_turn_open) {
        net_buffer_give(&net->pool, &conn->own); /* else its frames may be in use */
    }
    conn_output_drop(conn);
    net->conns_open--;
    net->stats.conns -= conn->is_started;
    if (conn->unfinished == 0 && !conn->is_held) {
        conn_free(conn);
    }
    net_end_check(net);
    net_handle_closed(net);
}

void conn_close(struct net_conn *conn)
{
    if (conn->state == CONN_CLOSING) {
        return;
    }
    conn->state = CONN_CLOSING;
    conn->turn_size = 0;
    net_link_take(&conn->ready);
    net_link_take(&conn->turn);
    net_link_take(&conn->flush);
    net_link_take(&conn->waiting);
    net_link_take(&conn->parked);
    net_link_take(&conn->timed);
    uv_close(&conn->socket.handle, on_closed);
}

void conn_nomem(struct net_conn *conn)
{
    conn->net->stats.nomem_cut++;
    net_warn(conn->net, NET_GATE_NOMEM, "buffers_full", conn, "no buffer memory left; cut");
    conn_close(conn);
}

uint32_t conn_credit(const struct net_conn *conn)
{
    const struct net_options *options = &conn->net->options;
    const uint32_t output = conn_output_size(conn);
    if (conn->state != CONN_OPEN || conn->net->is_stopped || conn->net->is_suspended ||
        conn->is_held || output > options->output_soft || conn->inflight >= options->inflight_max) {
        return 0;
    }
    /* The replies to what is taken should stay under half of the hard limit, so that a client
     * that asks for much at once is served in portions instead of cut. */
    const uint32_t by_count = options->inflight_max - conn->inflight;
    const uint32_t half = options->output_hard / 2;
    const uint32_t room = half > output ? half - output : 0;
    const uint32_t replies = room / (conn->reply_peak + 1);
    const uint32_t first = conn->unfinished == 0;
    const uint32_t by_size = replies > conn->unfinished ? replies - conn->unfinished : first;
    return by_count < by_size ? by_count : by_size;
}

void conn_park(struct net_conn *conn)
{
    if (conn->is_parked) {
        return;
    }
    conn->is_parked = true;
    conn->net->stats.pauses++;
    net_link_add(&conn->net->parked, &conn->parked);
    read_stop(conn);
}

void conn_wake(struct net_conn *conn)
{
    if (!conn->is_parked || conn->inflight > conn->net->options.inflight_max / 2 ||
        conn_credit(conn) == 0) {
        return;
    }
    conn->is_parked = false;
    net_link_take(&conn->parked);
    if (conn_input_size(conn) || conn->is_input_over) {
        conn_ready_add(conn);
    }
    if (!conn->is_input_over) {
        read_start(conn);
    }
}

void conn_input_over(struct net_conn *conn)
{
    if (conn->state != CONN_OPEN || conn->is_input_over) {
        return;
    }
    conn->is_input_over = true;
    read_stop(conn);
    if (!conn->is_parked) {
        conn_ready_add(conn);
    }
}

/* Frames already handed over may still lie in own: it is given back when the turn settles. */
static void input_drop(struct net_conn *conn)
{
    conn->turn_size = 0;
    conn->own_start = conn->own_end;
    net_link_add(&conn->net->turn, &conn->turn);
}

void conn_end(struct net_conn *conn)
{
    if (conn->state != CONN_OPEN) {
        return;
    }
    conn->state = CONN_ENDING;
    conn->is_input_over = true;
    read_stop(conn);
    input_drop(conn);
    net_link_take(&conn->ready);
    net_link_take(&conn->parked);
    conn->is_parked = false;
    conn_finish_check(conn);
}

static void on_shutdown(uv_shutdown_t *request, int status)
{
    struct net_conn *conn = conn_from((const uv_handle_t *)request->handle);
    if (status < 0) {
        conn_close(conn); /* the peer is gone: nothing to wait for */
    }
}

void conn_finish_check(struct net_conn *conn)
{
    if (conn->state != CONN_ENDING || conn->unfinished > 0 || conn_output_size(conn) > 0 ||
        conn->sending.at || conn->given_back) {
        return;
    }
    if (conn->is_peer_ended ||
        uv_shutdown(&conn->req.shutdown, &conn->socket.stream, on_shutdown) != 0) {
        conn_close(conn);
        return;
    }
    conn->state = CONN_LINGERING;
    conn_deadline_set(conn, conn->net->options.linger_ms);
    read_start(conn);
}

void conn_deadline_set(struct net_conn *conn, uint32_t in_ms)
{
    conn->deadline_ms = uv_now(conn->net->options.loop) + in_ms;
    net_link_add(&conn->net->timed, &conn->timed);
    net_timer_need(conn->net);
}

void conn_deadline_clear(struct net_conn *conn)
{
    net_link_take(&conn->timed);
}

/* The socket is gone; the connection goes when nobody will name it any more. */
static void closed_free(struct net_conn *conn)
{
    struct net *net = conn->net;
    if (conn->unfinished == 0 && !conn->is_held) {
        conn_free(conn);
        net_end_check(net);
    }
}

void net_conn_done(struct net_conn *conn)
{
    CHECK(conn->magic == CONN_MAGIC);
    CHECK(conn->unfinished > 0);
    CHECK(conn->inflight > 0);
    conn->unfinished--;
    conn->inflight--;
    if (conn->is_closed) {
        closed_free(conn);
        return;
    }
    conn_wake(conn);
    conn_finish_check(conn);
}

void net_conn_hold(struct net_conn *conn, bool held)
{
    CHECK(conn->magic == CONN_MAGIC);
    if (conn->is_held && !held) {
        conn->read_ns = uv_hrtime(); /* what waits behind its own load is not late by that */
    }
    conn->is_held = held; /* it parks when it next has something to take */
    if (conn->is_closed) {
        closed_free(conn);
    } else {
        conn_wake(conn);
    }
}

void *net_conn_tag(const struct net_conn *conn)
{
    return conn->tag;
}

void net_conn_tag_set(struct net_conn *conn, void *tag)
{
    conn->tag = tag;
}

void *net_conn_owner(const struct net_conn *conn)
{
    return conn->net->owner;
}

uint32_t net_conn_output(const struct net_conn *conn)
{
    return conn_output_size(conn);
}

uint64_t net_conn_id(const struct net_conn *conn)
{
    return conn->id;
}
