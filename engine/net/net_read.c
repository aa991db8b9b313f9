/* Reading. All connections read into one arena, packed one behind the other, so that the frames
 * of a turn are in memory together until the batch callback has run. What is left of a
 * connection's bytes then moves into its own buffer:
 *
 *   a partial frame below PARTIAL_SMALL   is copied in front of the next read in the arena
 *   a larger one                          stays; reads go straight behind it
 *   complete frames over the batch's size stay; nothing is read until they are taken
 *
 * So each byte is copied once or twice at most, a frame is always contiguous, and an idle
 * connection holds no buffer. */
#include <string.h>

#include "check.h"
#include "net_internal.h"

enum {
    READ_SIZE = 64 << 10,      /* offered to one read call */
    READ_SIZE_MIN = 4 << 10,   /* a smaller rest of the arena is not worth a call */
    PARTIAL_SMALL = 4 << 10
};

static uint32_t min_u32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

uint32_t conn_input_size(const struct net_conn *conn)
{
    return conn->turn_size ? conn->turn_size : conn->own_end - conn->own_start;
}

void conn_ready_add(struct net_conn *conn)
{
    net_link_add(&conn->net->ready, &conn->ready);
    net_idle_set(conn->net);
}

/* Room behind what this connection read earlier in this turn, else at the arena's end with
 * space left for the partial frame in front. UNTESTED: another connection's bytes behind those
 * of this one; it takes more than 1,024 ready sockets for one poll to come back to a socket. */
static uv_buf_t offer_arena(struct net_conn *conn)
{
    struct net *net = conn->net;
    const uint32_t before = conn->turn_size ? 0 : conn->own_end - conn->own_start;
    uint8_t *end = net->arena + net->arena_used;
    const uint32_t left = net->options.arena_size - net->arena_used;
    if (left < before + READ_SIZE_MIN ||
        (conn->turn_size && conn->turn_at + conn->turn_size != end)) {
        return uv_buf_init(NULL, 0);
    }
    const uint32_t allowed = min_u32(net->read_max - conn->turn_read, READ_SIZE);
    const uint32_t room = min_u32(left - before, allowed);
    return uv_buf_init((char *)end + before, room);
}

/* Room behind the large partial frame in the own buffer. */
static uv_buf_t offer_own(struct net_conn *conn)
{
    const uint32_t used = conn->own_end - conn->own_start;
    if (used >= conn->net->options.frame_size_max) {
        return uv_buf_init(NULL, 0); /* the scan will refuse it or find it complete */
    }
    if (conn->own.cap - conn->own_end < READ_SIZE_MIN) {
        if (!net_buffer_grow(&conn->net->pool, &conn->own, conn->own_start, conn->own_end,
                             2 * used + READ_SIZE)) {
            return uv_buf_init(NULL, 0); /* conn_on_read tells why */
        }
        conn->own_start = 0;
        conn->own_end = used;
    }
    return uv_buf_init((char *)conn->own.at + conn->own_end,
                       min_u32(conn->own.cap - conn->own_end, READ_SIZE));
}

void conn_on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *buf)
{
    (void)suggested;
    struct net_conn *conn = conn_from(handle);
    *buf = uv_buf_init(NULL, 0);
    if (conn->state == CONN_LINGERING) {
        *buf = uv_buf_init((char *)conn->net->discard, READ_SIZE);
        return;
    }
    const bool has_leftover = conn->ready.next && conn->turn_read == 0;
    if (has_leftover || conn->turn_read >= conn->net->read_max || conn_credit(conn) == 0) {
        return;
    }
    const bool is_large = !conn->turn_size && conn->own_end - conn->own_start >= PARTIAL_SMALL;
    *buf = is_large ? offer_own(conn) : offer_arena(conn);
}

/* Bytes came into the arena: the partial frame moves in front of them. */
static void input_in_arena(struct net_conn *conn, uint32_t got)
{
    struct net *net = conn->net;
    if (conn->turn_size == 0) {
        const uint32_t before = conn->own_end - conn->own_start;
        uint8_t *front = net->arena + net->arena_used;
        if (before) {
            memcpy(front, conn->own.at + conn->own_start, before);
            net_buffer_give(&net->pool, &conn->own);
            conn->own_start = conn->own_end = 0;
        }
        conn->turn_at = front;
        conn->turn_size = before;
        net->arena_used += before;
    }
    conn->turn_size += got;
    net->arena_used += got;
    CHECK(net->arena_used <= net->options.arena_size);
}

static void input_add(struct net_conn *conn, uint32_t got, const uv_buf_t *buf)
{
    struct net *net = conn->net;
    const uint8_t *at = (const uint8_t *)buf->base;
    const bool is_arena = at >= net->arena && at < net->arena + net->options.arena_size;
    if (is_arena) {
        input_in_arena(conn, got);
    } else {
        CHECK(at == conn->own.at + conn->own_end);
        conn->own_end += got;
    }
    conn->turn_read += got;
    conn->read_ns = uv_hrtime();
    net->stats.reads++;
    net->stats.bytes_in += got;
    net_link_add(&net->turn, &conn->turn);
    conn_ready_add(conn);
}

/* No room was offered: because of a limit (wait for credit), because buffers are exhausted, or
 * only for this turn. */
static void on_no_room(struct net_conn *conn)
{
    if (conn->state != CONN_OPEN) {
        return;
    }
    const uint32_t used = conn->own_end - conn->own_start;
    if (conn_credit(conn) == 0) {
        conn_park(conn);
    } else if (!conn->ready.next && !conn->turn_size && used >= PARTIAL_SMALL) {
        conn_nomem(conn);
    }
}

static void on_peer_end(struct net_conn *conn)
{
    conn->is_peer_ended = true;
    if (conn->state == CONN_LINGERING) {
        conn_close(conn);
        return;
    }
    conn_input_over(conn);
}

void conn_on_read(uv_stream_t *stream, ssize_t got, const uv_buf_t *buf)
{
    struct net_conn *conn = conn_from((const uv_handle_t *)stream);
    if (got == 0 || conn->state == CONN_CLOSING) {
        return;
    }
    if (got == UV_ENOBUFS) {
        on_no_room(conn);
    } else if (got == UV_EOF) {
        on_peer_end(conn);
    } else if (got < 0) {
        conn_close(conn);
    } else if (conn->state == CONN_OPEN) {
        input_add(conn, (uint32_t)got, buf);
    }
}

/* Keep what is left of conn's bytes of this turn. */
static void settle(struct net_conn *conn)
{
    struct net_pool *pool = &conn->net->pool;
    conn->turn_read = 0;
    if (conn->turn_size) {
        CHECK(!conn->own.at);
        if (!net_buffer_take(pool, conn->turn_size, &conn->own)) {
            conn->turn_size = 0;
            conn_nomem(conn);
            return;
        }
        memcpy(conn->own.at, conn->turn_at, conn->turn_size);
        conn->own_start = 0;
        conn->own_end = conn->turn_size;
        conn->turn_size = 0;
    } else if (conn->own_start == conn->own_end) {
        net_buffer_give(pool, &conn->own);
        conn->own_start = conn->own_end = 0;
    }
    conn->turn_at = NULL;
}

void net_turn_settle(struct net *net)
{
    while (!net_link_is_empty(&net->turn)) {
        struct net_conn *conn = CONN_OF(net->turn.next, turn);
        net_link_take(&conn->turn);
        settle(conn);
    }
    net->arena_used = 0;
}
