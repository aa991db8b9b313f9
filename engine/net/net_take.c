/* Taking: complete frames become requests, round-robin over the connections that have some, up
 * to one batch a turn. A connection that still has frames goes to the ring's end, so a flood on
 * one delays the others by QUANTUM frames, not by the flood. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "net_internal.h"
#include "writer.h"

enum { QUANTUM = 64 };

static const uint8_t *input_at(const struct net_conn *conn)
{
    return conn->turn_size ? conn->turn_at : conn->own.at + conn->own_start;
}

static void input_skip(struct net_conn *conn, uint32_t size)
{
    if (conn->turn_size) {
        conn->turn_at += size;
        conn->turn_size -= size;
    } else {
        conn->own_start += size;
    }
    CHECK(conn->own_start <= conn->own_end);
    frame_scan_init(&conn->scan);
    net_link_add(&conn->net->turn, &conn->turn);
}

static void say_text(struct net_conn *conn, const char *text)
{
    conn_say(conn, (const uint8_t *)text, (uint32_t)strlen(text));
}

static void refuse_foreign(struct net_conn *conn, enum sniff sniff)
{
    const char *why = "these are no MessagePack-RPC frames";
    if (sniff == SNIFF_HTTP) {
        why = "HTTP on the MessagePack-RPC port";
        say_text(conn, "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\n"
                       "Content-Length: 44\r\nConnection: close\r\n\r\n"
                       "This port speaks MessagePack-RPC, not HTTP.\n");
    } else if (sniff == SNIFF_RESP) {
        why = "RESP on the MessagePack-RPC port";
        say_text(conn, "-ERR this port speaks MessagePack-RPC\r\n");
    } else if (sniff == SNIFF_TLS) {
        why = "TLS on a port without TLS";
    }
    conn->net->stats.foreign++;
    net_warn(conn->net, NET_GATE_FOREIGN, "foreign_protocol", conn, why);
    conn_end(conn);
}

/* False: not (yet) a connection to take frames from. */
static bool sniff_first(struct net_conn *conn, const uint8_t *bytes, uint32_t size)
{
    const enum sniff sniff = net_sniff(bytes, size);
    if (sniff == SNIFF_RPC) {
        conn->is_sniffed = true;
        return true;
    }
    if (sniff != SNIFF_MORE) {
        refuse_foreign(conn, sniff);
    }
    return false;
}

static void refuse_bad(struct net_conn *conn)
{
    conn->net->stats.frames_bad++;
    net_warn(conn->net, NET_GATE_BAD, "bad_frame", conn, "not MessagePack-RPC; closing");
    conn_end(conn);
}

/* Answer [1, msgid, [1, "TOO_LARGE text"], nil] where the msgid can be read, then close. */
static void refuse_large(struct net_conn *conn, const uint8_t *bytes, uint32_t size,
                         const char *text)
{
    uint32_t msgid;
    conn->net->stats.frames_too_large++;
    if (net_msgid_peek(bytes, size, &msgid)) {
        uint8_t frame[256];
        struct writer writer;
        writer_init(&writer, frame, sizeof frame);
        writer_reply_error(&writer, msgid, CODE_TOO_LARGE, text, (uint32_t)strlen(text));
        CHECK(!writer.is_full);
        conn_say(conn, frame, writer_size(&writer));
    }
    net_warn(conn->net, NET_GATE_LARGE, "frame_too_large", conn, text);
    conn_end(conn);
}

static void refuse_size(struct net_conn *conn, const uint8_t *bytes, uint32_t size)
{
    char text[128];
    snprintf(text, sizeof text, "a frame has at most %u bytes: send it in parts",
             conn->net->options.frame_size_max);
    refuse_large(conn, bytes, size, text);
}

static void refuse_depth(struct net_conn *conn, const uint8_t *bytes, uint32_t size)
{
    char text[128];
    snprintf(text, sizeof text, "a frame nests at most %u deep", conn->net->options.depth_max);
    refuse_large(conn, bytes, size, text);
}

/* The frame at the front is complete and has a head: hand it over unless it is a response. */
static uint32_t take_frame(struct net_conn *conn, const uint8_t *bytes, uint32_t size,
                           struct net_request *request)
{
    struct net_stats *stats = &conn->net->stats;
    if (request->head.type == FRAME_RESPONSE) {
        stats->responses_ignored++;
        return 0;
    }
    stats->frames++;
    stats->notifications += request->head.type == FRAME_NOTIFY;
    request->conn = conn;
    request->frame = bytes;
    request->size = size;
    request->read_ns = conn->read_ns;
    conn->inflight++;
    conn->unfinished++;
    return 1;
}

/* What the front of the input gave. */
enum taken { TAKEN_FRAME, TAKEN_NOTHING, TAKEN_IGNORED };

static enum taken take_next(struct net_conn *conn, struct net_request *request)
{
    const uint32_t size = conn_input_size(conn);
    if (size == 0) {
        return TAKEN_NOTHING;
    }
    const uint8_t *bytes = input_at(conn);
    if (!conn->is_sniffed && !sniff_first(conn, bytes, size)) {
        return TAKEN_NOTHING;
    }
    switch (frame_scan_run(&conn->scan, bytes, size, &conn->net->limits)) {
    case FRAME_DONE:
        break;
    case FRAME_MORE:
        return TAKEN_NOTHING;
    case FRAME_TOO_LARGE:
        refuse_size(conn, bytes, size);
        return TAKEN_NOTHING;
    case FRAME_TOO_DEEP:
        refuse_depth(conn, bytes, size);
        return TAKEN_NOTHING;
    case FRAME_BAD:
    default:
        refuse_bad(conn);
        return TAKEN_NOTHING;
    }
    const uint32_t length = conn->scan.pos;
    CHECK(length > 0);
    CHECK(length <= size);
    if (!frame_head_read(bytes, length, &request->head)) {
        refuse_bad(conn);
        return TAKEN_NOTHING;
    }
    input_skip(conn, length);
    return take_frame(conn, bytes, length, request) ? TAKEN_FRAME : TAKEN_IGNORED;
}

/* Take up to max frames; the connection keeps or loses its place in the ring. */
static uint32_t take_some(struct net_conn *conn, struct net_request *requests, uint32_t max)
{
    const uint32_t credit = conn_credit(conn);
    const uint32_t limit = credit < max ? credit : max;
    uint32_t count = 0;
    if (conn->is_put_back) {
        conn->is_put_back = false;
        conn->read_ns = uv_hrtime();
    }
    net_link_take(&conn->ready);
    if (credit == 0) {
        conn_park(conn);
        return 0;
    }
    for (uint32_t looked = 0; looked < QUANTUM && count < limit; looked++) {
        const enum taken taken = take_next(conn, &requests[count]);
        if (taken == TAKEN_NOTHING) {
            if (conn->is_input_over && conn->state == CONN_OPEN) {
                conn->is_used_up = true;
                conn_end(conn);
            }
            return count;
        }
        count += taken == TAKEN_FRAME;
    }
    conn_ready_add(conn);
    return count;
}

/* Frames for a batch; *late_out of them were read over delay_ns before now_ns. */
static uint32_t gather(struct net *net, uint64_t now_ns, uint32_t *late_out)
{
    const uint32_t max = net->options.batch_max;
    uint32_t count = 0;
    *late_out = 0;
    for (uint32_t visits = 0; visits < max && count < max; visits++) {
        if (net_link_is_empty(&net->ready)) {
            break;
        }
        struct net_conn *conn = CONN_OF(net->ready.next, ready);
        const uint32_t left = max - count;
        const bool is_late = conn->read_ns + net->options.delay_ns < now_ns;
        const uint32_t some =
            take_some(conn, net->requests + count, left < QUANTUM ? left : QUANTUM);
        count += some;
        *late_out += is_late ? some : 0;
    }
    return count;
}

void net_give_back(struct net_conn *conn, const struct frame_head *head)
{
    const struct net_request *request =
        (const struct net_request *)(const void *)((const char *)head -
                                                   offsetof(struct net_request, head));
    if (!conn->given_back) {
        conn->given_back = request->frame;
        conn->net->has_given_back = true;
    }
    CHECK(conn->unfinished > 0);
    conn->inflight--;
    conn->unfinished--;
    conn->net->stats.frames--;
    conn->net->stats.notifications -= head->type == FRAME_NOTIFY;
}

/* The replies to a batch are larger than anybody could know when its frames were taken: what
 * would go over the limit goes back to the front of the input. */
bool net_may_answer(struct net_conn *conn, const struct frame_head *head)
{
    const bool is_fit = conn_output_size(conn) <= conn->net->options.output_hard / 2;
    CHECK(conn->magic == CONN_MAGIC);
    if (!conn->given_back && (is_fit || (conn->state != CONN_OPEN && !conn->is_used_up))) {
        return true;
    }
    net_give_back(conn, head);
    return false;
}

/* The bytes are still where they were: the turn has not settled. */
static void input_rewind(struct net_conn *conn)
{
    const struct net *net = conn->net;
    const uint8_t *frame = conn->given_back;
    conn->given_back = NULL;
    if (conn->state == CONN_ENDING) {
        conn->state = CONN_OPEN;
        conn->is_used_up = false;
    }
    if (conn->state != CONN_OPEN) {
        return;
    }
    if (frame >= net->arena && frame < net->arena + net->options.arena_size) {
        conn->turn_size = (uint32_t)(conn->turn_at + conn->turn_size - frame);
        conn->turn_at = frame;
    } else {
        conn->own_start = (uint32_t)(frame - conn->own.at);
    }
    frame_scan_init(&conn->scan);
    conn->is_put_back = true;
    conn_ready_add(conn);
}

static void give_back(struct net *net)
{
    net->has_given_back = false;
    for (struct net_link *link = net->turn.next; link != &net->turn; link = link->next) {
        struct net_conn *conn = CONN_OF(link, turn);
        if (conn->given_back) {
            input_rewind(conn);
        }
    }
}

void net_turn_end(struct net *net)
{
    if (net->has_given_back) {
        give_back(net);
    }
    net_flush(net);
    net_turn_settle(net);
    conns_bury(net);
    net_idle_set(net);
}

void net_on_check(uv_check_t *check)
{
    struct net *net = check->data;
    CHECK(net->magic == NET_MAGIC);
    const bool may_take = !net->is_stopped && !net->is_suspended && !net_link_is_empty(&net->ready);
    const uint64_t now_ns = may_take && net->options.delay_ns ? uv_hrtime() : 0;
    uint32_t late = 0;
    const uint32_t count = may_take ? gather(net, now_ns, &late) : 0;
    if (count) {
        net->stats.batches++;
        net->batch(net->owner, net->requests, count);
        net->is_turn_open = net->is_suspended;
        net_pace(net, now_ns, count, late);
    }
    if (net->is_turn_open) {
        net_flush(net);
    } else {
        net_turn_end(net);
    }
}
