/* Writing. One output buffer a connection; marks say up to which stream position it may leave
 * at which LSN:
 *
 *      out_start        out_released                 out_end
 *   sent   |   may leave     |   waits for its LSN       |   reserved, free
 *
 * What may leave goes in one uv_try_write. If the socket is full, the buffer itself is handed to
 * libuv (sending) and the unreleased rest moves to a new one, so no byte that libuv still holds
 * ever moves. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "net_internal.h"

enum { REPLY_ROOM_MIN = 1 << 10, REPLY_SIZE_MAX = 1 << 29 };

static struct conn_mark *mark_at(const struct net_conn *conn, uint32_t i)
{
    return (struct conn_mark *)(void *)conn->marks.at + i;
}

uint32_t conn_output_size(const struct net_conn *conn)
{
    return conn->out_end - conn->out_start + conn->sending_size;
}

/* Move the unsent bytes to the front of a buffer with room for size more. */
static bool out_make_room(struct net_conn *conn, uint32_t size)
{
    const uint32_t used = conn->out_end - conn->out_start;
    uint32_t want = used + size;
    if (want < conn->out_hint) {
        want = conn->out_hint;
    }
    if (!net_buffer_grow(&conn->net->pool, &conn->out, conn->out_start, conn->out_end, want)) {
        return false;
    }
    conn->out_base += conn->out_start;
    conn->out_released -= conn->out_start;
    conn->out_end = used;
    conn->out_start = 0;
    return true;
}

static bool out_reserve(struct net_conn *conn, uint32_t size)
{
    if (conn->out.cap - conn->out_end >= size && conn->out.at) {
        return true;
    }
    return out_make_room(conn, size < REPLY_ROOM_MIN ? REPLY_ROOM_MIN : size);
}

static bool marks_reserve(struct net_conn *conn)
{
    const uint32_t each = sizeof(struct conn_mark);
    if (conn->marks.at && conn->marks_end < conn->marks.cap / each) {
        return true;
    }
    const uint32_t used = conn->marks_end - conn->marks_start;
    const uint32_t want = (used + used / 2 + 8) * each; /* half empty after it, so amortized */
    if (!net_buffer_grow(&conn->net->pool, &conn->marks, conn->marks_start * each,
                         conn->marks_end * each, want)) {
        return false;
    }
    conn->marks_start = 0;
    conn->marks_end = used;
    return true;
}

/* Everything up to out_end may leave at lsn. Room for a mark is there. */
static void mark_add(struct net_conn *conn, uint64_t lsn, uint32_t count)
{
    const uint64_t end = conn->out_base + conn->out_end;
    struct conn_mark *last = NULL;
    if (conn->marks_end > conn->marks_start) {
        last = mark_at(conn, conn->marks_end - 1);
    }
    if (last && last->lsn >= lsn) {
        last->end = end;
        last->count += count;
        return;
    }
    *mark_at(conn, conn->marks_end++) = (struct conn_mark){.end = end, .lsn = lsn, .count = count};
}

static void output_listed(struct net_conn *conn)
{
    struct net *net = conn->net;
    if (mark_at(conn, conn->marks_start)->lsn <= net->durable_lsn) {
        net_link_add(&net->flush, &conn->flush);
    }
    if (mark_at(conn, conn->marks_end - 1)->lsn > net->durable_lsn) {
        net_link_add(&net->waiting, &conn->waiting);
    }
}

static void marks_release(struct net_conn *conn)
{
    const uint64_t durable_lsn = conn->net->durable_lsn;
    while (conn->marks_start < conn->marks_end) {
        const struct conn_mark *mark = mark_at(conn, conn->marks_start);
        if (mark->lsn > durable_lsn) {
            return;
        }
        CHECK(conn->inflight >= mark->count);
        conn->inflight -= mark->count;
        conn->out_released = (uint32_t)(mark->end - conn->out_base);
        conn->marks_start++;
    }
    conn->marks_start = conn->marks_end = 0;
    net_buffer_give(&conn->net->pool, &conn->marks);
    net_link_take(&conn->waiting);
}

/* An empty output holds no buffer; its size is remembered and forgotten slowly. */
static void out_settle(struct net_conn *conn)
{
    if (conn->out_start != conn->out_end) {
        return;
    }
    const uint32_t used = conn->out_end;
    conn->out_hint = used > conn->out_hint / 4 ? conn->out.cap : conn->out_hint / 2;
    conn->out_base += conn->out_end;
    conn->out_start = conn->out_released = conn->out_end = 0;
    net_buffer_give(&conn->net->pool, &conn->out);
}

static void on_written(uv_write_t *request, int status)
{
    struct net_conn *conn = conn_from((const uv_handle_t *)request->handle);
    net_buffer_give(&conn->net->pool, &conn->sending);
    if (conn->state == CONN_CLOSING) {
        conn->sending_size = 0;
        return;
    }
    if (status < 0) {
        conn_close(conn);
        return;
    }
    conn->net->stats.bytes_out += conn->sending_size;
    conn->sending_size = 0;
    conn_deadline_clear(conn);
    conn_send(conn);
}

/* The socket is full: libuv gets the buffer, the unreleased rest a new one. */
static void hand_over(struct net_conn *conn)
{
    struct net_conn *const c = conn;
    const uint32_t rest = c->out_end - c->out_released;
    struct net_buffer fresh = {0};
    if (rest && !net_buffer_take(&c->net->pool, rest, &fresh)) {
        conn_nomem(c);
        return;
    }
    if (rest) {
        memcpy(fresh.at, c->out.at + c->out_released, rest);
    }
    c->sending = c->out;
    c->sending_size = c->out_released - c->out_start;
    uv_buf_t buf = uv_buf_init((char *)c->sending.at + c->out_start, c->sending_size);
    c->out = fresh;
    c->out_base += c->out_released;
    c->out_start = c->out_released = 0;
    c->out_end = rest;
    if (uv_write(&c->req.write, &c->socket.stream, &buf, 1, on_written) != 0) {
        net_buffer_give(&c->net->pool, &c->sending);
        conn_close(c);
        return;
    }
    conn_deadline_set(c, c->net->options.output_patience_ms);
}

/* False: the connection is closing. */
static bool write_now(struct net_conn *conn)
{
    struct net_stats *stats = &conn->net->stats;
    uv_buf_t buf =
        uv_buf_init((char *)conn->out.at + conn->out_start, conn->out_released - conn->out_start);
    const int sent = uv_try_write(&conn->socket.stream, &buf, 1);
    stats->writes++;
    if (sent < 0 && sent != UV_EAGAIN) {
        conn_close(conn);
        return false;
    }
    if (sent > 0) {
        conn->out_start += (uint32_t)sent;
        stats->bytes_out += (uint64_t)sent;
    }
    if (conn->out_start < conn->out_released) {
        hand_over(conn);
    }
    return conn->state != CONN_CLOSING;
}

void conn_send(struct net_conn *conn)
{
    if (conn->state >= CONN_LINGERING || conn->net->is_failed) {
        return;
    }
    marks_release(conn);
    if (!conn->sending.at && conn->out_start < conn->out_released && !write_now(conn)) {
        return;
    }
    out_settle(conn);
    conn_wake(conn);
    conn_finish_check(conn);
}

/* Over the hard limit: what may leave gets a last chance before the reader is cut. */
static bool output_fits(struct net_conn *conn)
{
    if (conn_output_size(conn) <= conn->net->options.output_hard) {
        return true;
    }
    conn_send(conn);
    if (conn->state < CONN_LINGERING && conn_output_size(conn) <= conn->net->options.output_hard) {
        return true;
    }
    if (conn->state < CONN_LINGERING) {
        conn->net->stats.slow_cut++;
        net_warn(conn->net, NET_GATE_SLOW, "slow_reader", conn, "output over its hard limit; cut");
        conn_close(conn);
    }
    return false;
}

static bool reply_room(struct net_conn *conn, uint32_t size)
{
    if (conn->state >= CONN_LINGERING || conn->net->is_failed || !output_fits(conn)) {
        return false;
    }
    if (!out_reserve(conn, size) || !marks_reserve(conn)) {
        conn_nomem(conn);
        return false;
    }
    return true;
}

uint8_t *net_reply_begin(struct net_conn *conn, uint32_t size_max)
{
    CHECK(conn->magic == CONN_MAGIC);
    CHECK(conn->unfinished > 0);
    CHECK(conn->out_reserved == 0);
    CHECK(size_max <= REPLY_SIZE_MAX);
    if (!reply_room(conn, size_max)) {
        net_conn_done(conn);
        return NULL;
    }
    conn->out_reserved = size_max;
    return conn->out.at + conn->out_end;
}

void net_reply_end(struct net_conn *conn, uint32_t size, uint64_t release_lsn)
{
    CHECK(conn->magic == CONN_MAGIC);
    CHECK(size <= conn->out_reserved);
    CHECK(conn->unfinished > 0);
    conn->out_reserved = 0;
    conn->out_end += size;
    conn->unfinished--;
    const uint32_t decayed = conn->reply_peak - conn->reply_peak / 16;
    conn->reply_peak = size > decayed ? size : decayed;
    mark_add(conn, release_lsn, 1);
    output_listed(conn);
    if (conn->is_parked) {
        conn_wake(conn);
    }
}

void conn_say(struct net_conn *conn, const uint8_t *bytes, uint32_t size)
{
    if (!reply_room(conn, size)) {
        return;
    }
    memcpy(conn->out.at + conn->out_end, bytes, size);
    conn->out_end += size;
    mark_add(conn, 0, 0);
    output_listed(conn);
}

void conn_output_drop(struct net_conn *conn)
{
    struct net_pool *pool = &conn->net->pool;
    CHECK(!conn->sending.at);
    net_buffer_give(pool, &conn->out);
    net_buffer_give(pool, &conn->marks);
    conn->out_start = conn->out_released = conn->out_end = 0;
    conn->marks_start = conn->marks_end = 0;
}

void net_flush(struct net *net)
{
    while (!net_link_is_empty(&net->flush)) {
        struct net_conn *conn = CONN_OF(net->flush.next, flush);
        net_link_take(&conn->flush);
        conn_send(conn);
    }
}

void net_release(struct net *net, uint64_t durable_lsn)
{
    CHECK(net->magic == NET_MAGIC);
    if (durable_lsn <= net->durable_lsn || net->is_failed) {
        return;
    }
    net->durable_lsn = durable_lsn;
    struct net_link *link = net->waiting.next;
    while (link != &net->waiting) {
        struct net_conn *conn = CONN_OF(link, waiting);
        link = link->next;
        if (mark_at(conn, conn->marks_start)->lsn <= durable_lsn) {
            conn_send(conn); /* touches no other connection's links */
        }
    }
}
