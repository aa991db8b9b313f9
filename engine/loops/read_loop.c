/* A read loop's own thread: its net's batches, answers from the engine, what is durable. */
#include <stdlib.h>
#include <string.h>

#include "loops_internal.h"

enum {
    REPLY_SMALL = 512,       /* of a request that is answered with little: plus so many times */
    REPLY_PER_BYTE = 16,     /* its own size */
    REPLY_LARGE = 256 << 10, /* of any other, until the first ones tell better */
    RELEASE_EACH = 64        /* answers after which the engine may write over them */
};

/* What a connection waits for from the engine: its tag. */
struct waits {
    uint32_t handed;   /* requests */
    uint32_t expected; /* bytes of their replies, by estimate */
    uint32_t peak;     /* bytes of a large reply of late */
    bool is_full;      /* held until some of them came */
    bool is_held;      /* held by the service */
};

/* Methods whose reply is small beside their request, by their first bytes. */
static const char *const small_methods[] = {
    "order.route", "order.cancel",  "fulfil.update",  "stock.adjust", "stock.set",
    "stock.load",  "stock.policy",  "stock.get",      "node.put",     "node.status",
    "item.put",    "place.load",    "carrier.load",   "travel.load",  "capacity.set",
    "supply.",     "reserve.create", "reserve.release"};

static uint32_t reply_estimate(const struct waits *waits, const struct net_request *request)
{
    const struct frame_head *head = &request->head;
    uint32_t estimate = REPLY_LARGE;
    for (size_t i = 0; i < sizeof small_methods / sizeof small_methods[0]; i++) {
        size_t len = strlen(small_methods[i]);
        if (head->method_len >= len && memcmp(head->method, small_methods[i], len) == 0) {
            estimate = REPLY_SMALL + REPLY_PER_BYTE * request->size;
        }
    }
    return estimate > waits->peak ? estimate : waits->peak;
}

static void engine_wake(struct read_loop *own)
{
    CHECK(uv_async_send(&own->loops->came) == 0);
}

/* -- requests -- */

static void durable_look(struct read_loop *own)
{
    uint64_t durable = __atomic_load_n(&own->loops->durable, __ATOMIC_SEQ_CST);
    if (durable > own->released) {
        own->released = durable;
        net_release(own->net, durable);
    }
}

static void reply(struct read_loop *own, struct net_conn *conn, const void *bytes, uint32_t size,
                  uint64_t lsn)
{
    uint8_t *at = net_reply_begin(conn, size);
    if (at) {
        memcpy(at, bytes, size);
        net_reply_end(conn, size, lsn);
        own->last_lsn = lsn > own->last_lsn ? lsn : own->last_lsn;
    }
}

/* No room in the ring: nothing is read until the engine has taken some of it. */
static void stall(struct read_loop *own)
{
    if (!own->is_stalled) {
        own->is_stalled = true;
        __atomic_store_n(&own->stalled, true, __ATOMIC_SEQ_CST);
        net_stop_reading(own->net);
    }
}

static void stall_look(struct read_loop *own)
{
    if (own->is_stalled && ring_has_room(&own->requests, REQUESTS_SIZE / 2 - 8)) {
        own->is_stalled = false;
        __atomic_store_n(&own->stalled, false, __ATOMIC_SEQ_CST);
        net_start_reading(own->net);
    }
}

static void hold_set(struct net_conn *conn, const struct waits *waits)
{
    net_conn_hold(conn, waits->is_full || waits->is_held);
}

/* Whether the connection may wait for one more reply; else it is held. */
static bool may_wait(struct read_loop *own, struct net_conn *conn, struct waits *waits,
                     uint32_t estimate)
{
    bool fits = waits->handed == 0 ||
                (uint64_t)waits->expected + net_conn_output(conn) + estimate <= own->output_half;
    if (!fits) {
        waits->is_full = true;
        hold_set(conn, waits);
    }
    return fits;
}

static void hand_over(struct read_loop *own, struct net_request *request)
{
    struct waits *waits = net_conn_tag(request->conn);
    uint32_t estimate = reply_estimate(waits, request);
    uint32_t size = (uint32_t)sizeof(struct request_record) + request->size;
    if (own->is_stalled || !may_wait(own, request->conn, waits, estimate)) {
        net_give_back(request->conn, &request->head);
        return;
    }
    struct request_record *record = ring_reserve(&own->requests, size);
    if (!record) {
        stall(own);
        net_give_back(request->conn, &request->head);
        return;
    }
    *record = (struct request_record){request->conn, request->read_ns};
    memcpy(record + 1, request->frame, request->size);
    ring_commit(&own->requests, size);
    waits->handed++;
    waits->expected += estimate < own->output_half ? estimate : own->output_half;
    glance_handed(own->glance);
}

static void answer(struct read_loop *own, struct net_request *request, uint32_t number,
                   uint64_t now_ns)
{
    const struct waits *waits = net_conn_tag(request->conn);
    struct glance_reply found;
    if (!net_may_answer(request->conn, &request->head)) {
        return;
    }
    if (waits->handed > 0 ||
        !glance_answer(own->glance, &request->head, number, request->read_ns, now_ns, &found)) {
        hand_over(own, request);
    } else if (found.bytes) {
        reply(own, request->conn, found.bytes, found.size, found.lsn);
    } else {
        net_conn_done(request->conn);
    }
}

/* Some requests, staged together. */
static void answer_some(struct read_loop *own, struct net_request *requests, uint32_t count)
{
    const struct frame_head *heads[GLANCE_AHEAD];
    uint64_t now_ns = uv_hrtime();
    for (uint32_t i = 0; i < count; i++) {
        heads[i] = &requests[i].head;
    }
    glance_stage(own->glance, heads, count);
    for (uint32_t i = 0; i < count; i++) {
        answer(own, &requests[i], i, now_ns);
    }
}

static void on_batch(void *owner, struct net_request *requests, uint32_t count)
{
    struct read_loop *own = owner;
    durable_look(own);
    glance_enter(own->glance);
    for (uint32_t done = 0; done < count; done += GLANCE_AHEAD) {
        uint32_t left = count - done;
        answer_some(own, requests + done, left < GLANCE_AHEAD ? left : GLANCE_AHEAD);
    }
    glance_leave(own->glance, uv_hrtime());
    if (ring_publish(&own->requests)) {
        engine_wake(own);
    }
    stall_look(own); /* the engine may have taken some before it saw that we stall */
}

static void on_closed(void *owner, struct net_conn *conn)
{
    struct read_loop *own = owner;
    free(net_conn_tag(conn));
    __atomic_fetch_sub(&own->conns, 1, __ATOMIC_RELAXED);
}

/* -- answers -- */

static void adopt(struct read_loop *own, const struct answer_record *record)
{
    struct waits *waits = calloc(1, sizeof *waits);
    struct net_conn *conn = NULL;
    if (waits) {
        conn = net_adopt(own->net, (int)record->value, record->size != 0);
    } else {
        uv_fs_t request;
        uv_fs_close(NULL, &request, (uv_file)record->value, NULL);
        uv_fs_req_cleanup(&request);
    }
    if (conn) {
        net_conn_tag_set(conn, waits);
    } else {
        free(waits);
        __atomic_fetch_sub(&own->conns, 1, __ATOMIC_RELAXED);
    }
}

/* One of the replies that the connection waits for came, of so many bytes; which one is not known,
 * as not all come in order: their mean is taken off. */
static void came(struct net_conn *conn, uint32_t size)
{
    struct waits *waits = net_conn_tag(conn);
    uint32_t decayed = waits->peak - waits->peak / 16;
    CHECK(waits->handed > 0);
    waits->peak = size > decayed ? size : decayed;
    waits->expected -= waits->expected / waits->handed;
    waits->handed--;
    if (waits->is_full) {
        waits->is_full = false;
        hold_set(conn, waits);
    }
}

static void take_answer(struct read_loop *own, const struct answer_record *record)
{
    switch (record->kind) {
    case ANSWER_REPLY:
        came(record->conn, record->size);
        reply(own, record->conn, record + 1, record->size, record->value);
        return;
    case ANSWER_DONE:
        came(record->conn, 0);
        net_conn_done(record->conn);
        return;
    case ANSWER_HOLD: {
        struct waits *waits = net_conn_tag(record->conn);
        waits->is_held = record->value != 0;
        hold_set(record->conn, waits);
        return;
    }
    case ANSWER_ACCEPTED:
        adopt(own, record);
        return;
    }
    CHECK_UNREACHABLE("an answer of no kind");
}

static void released(struct read_loop *own, uint64_t at)
{
    ring_release(&own->answers, at);
    if (__atomic_load_n(&own->blocked, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&own->blocked, false, __ATOMIC_SEQ_CST);
        engine_wake(own);
    }
}

static void take_answers(struct read_loop *own)
{
    uint64_t at = ring_tail(&own->answers);
    const struct answer_record *record;
    uint32_t size;
    for (uint32_t count = 1; (record = ring_next(&own->answers, &at, &size)); count++) {
        CHECK(size >= sizeof *record);
        take_answer(own, record);
        if (count % RELEASE_EACH == 0) {
            released(own, at);
        }
    }
    released(own, at);
}

/* -- turns -- */

static void on_drained(void *owner)
{
    struct read_loop *own = owner;
    own->is_net_drained = true;
    __atomic_store_n(&own->is_drained, true, __ATOMIC_RELEASE);
    engine_wake(own);
}

static bool is_set(const bool *flag)
{
    return __atomic_load_n(flag, __ATOMIC_ACQUIRE);
}

static void wishes_look(struct read_loop *own)
{
    if (is_set(&own->is_failed) && !own->is_net_failed) {
        own->is_net_failed = true;
        net_fail(own->net);
    }
    if (is_set(&own->is_draining) && !own->is_net_draining) {
        own->is_net_draining = true;
        net_drain(own->net, on_drained);
    }
    if (is_set(&own->is_over) && !uv_is_closing((uv_handle_t *)&own->wake)) {
        CHECK(own->is_net_drained);
        uv_close((uv_handle_t *)&own->wake, NULL);
        uv_close((uv_handle_t *)&own->prepare, NULL);
    }
}

/* The wishes are looked at first and done last: what was sent before one is taken before it. */
static void on_wake(uv_async_t *async)
{
    struct read_loop *own = async->data;
    durable_look(own);
    if (!own->is_net_failed) {
        take_answers(own);
    }
    stall_look(own);
    net_flush(own->net);
    wishes_look(own);
}

/* Before the loop sleeps: replies that wait have to be woken for, unless what they wait for has
 * become durable just now. */
static void on_prepare(uv_prepare_t *prepare)
{
    struct read_loop *own = prepare->data;
    if (own->last_lsn > own->released) {
        __atomic_store_n(&own->wants_durable, true, __ATOMIC_SEQ_CST);
        durable_look(own);
    }
}

/* -- life -- */

enum err read_loop_open(struct read_loop *own, char *error, size_t error_size)
{
    struct net_options options = own->loops->options.net;
    uint32_t count = own->loops->options.count;
    options.loop = &own->loop;
    options.listen = NULL;
    options.listen_count = 0;
    options.accepted = NULL;
    options.closed = on_closed;
    options.conns_max = own->conns_max;
    options.buffers_max /= count;
    CHECK(uv_loop_init(&own->loop) == 0);
    CHECK(uv_async_init(&own->loop, &own->wake, on_wake) == 0);
    CHECK(uv_prepare_init(&own->loop, &own->prepare) == 0);
    CHECK(uv_prepare_start(&own->prepare, on_prepare) == 0);
    own->wake.data = own->prepare.data = own;
    own->output_half = options.output_hard / 2;
    own->released = own->loops->durable;
    enum err err = net_open(&options, on_batch, own, &own->net, error, error_size);
    if (err == ERR_OK) {
        net_release(own->net, own->released);
    }
    return err;
}

void *read_loop_run(void *arg)
{
    struct read_loop *own = arg;
    CHECK(uv_run(&own->loop, UV_RUN_DEFAULT) == 0);
    return NULL;
}

void read_loop_close(struct read_loop *own)
{
    net_free(own->net);
    CHECK(uv_loop_close(&own->loop) == 0);
}
