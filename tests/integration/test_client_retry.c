/* The client library and lost connections: what is sent again, what is not, and what is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <uv.h>

#include "nearshelf.h"
#include "rpc_peer.h"

/* What the server saw, and where it drops: after the request number drop_at, once. */
struct script {
    uint32_t drop_at;
    bool has_dropped;
    uint32_t answer_from;  /* requests before this number are not answered */
    uint32_t answer_until; /* nor those from this one on; 0 = no end */
    uint32_t count;
    struct seen {
        char method[64];
        uint32_t connection;
        size_t size;
        char bytes[256];
    } seen[64];
};

static enum peer_action drop_once(struct peer *peer, const struct peer_request *request, void *user)
{
    struct script *script = user;
    struct seen *seen = &script->seen[script->count % 64];
    script->count++;
    snprintf(seen->method, sizeof(seen->method), "%s", request->method);
    seen->connection = request->connection;
    seen->size = request->size;
    assert_true(request->size <= sizeof(seen->bytes));
    memcpy(seen->bytes, request->bytes, request->size);
    if (!script->has_dropped && request->number == script->drop_at) {
        script->has_dropped = true;
        return PEER_DROP;
    }
    bool is_late = script->answer_until && request->number >= script->answer_until;
    if (request->number >= script->answer_from && !is_late) {
        peer_answer(peer, request->msgid, "{\"ok\":true}");
    }
    return PEER_GO;
}

struct rig {
    struct peer peer;
    struct script script;
    struct nearshelf *client;
};

static void rig_open(struct rig *rig, uint32_t drop_at, uint32_t answer_from)
{
    rig->script = (struct script){.drop_at = drop_at, .answer_from = answer_from};
    peer_start(&rig->peer, 0, drop_once, &rig->script);
    struct nearshelf_options options = {.backoff_min_ms = 2, .seed = 1};
    assert_int_equal(nearshelf_open(rig->peer.address, &options, &rig->client), NEARSHELF_OK);
}

static void rig_close(struct rig *rig)
{
    nearshelf_close(rig->client);
    peer_stop(&rig->peer);
}

static struct nearshelf_params *params_of(const char *name, const char *text)
{
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_text(params, name, text);
    return params;
}

/* Call a method that is dropped at its first attempt; give how it ended. */
static enum nearshelf_error call_dropped(struct rig *rig, const char *method, const char *name)
{
    struct nearshelf_reply *reply;
    struct nearshelf_params *params = params_of(name, "x1");
    rig_open(rig, 0, 0);
    enum nearshelf_error error = nearshelf_call(rig->client, method, params, &reply);
    assert_int_equal(nearshelf_reply_may_have_happened(reply), error == NEARSHELF_UNKNOWN);
    nearshelf_reply_free(reply);
    nearshelf_params_free(params);
    rig_close(rig);
    return error;
}

static void expect_same_bytes_twice(const struct rig *rig)
{
    const struct seen *seen = rig->script.seen;
    assert_int_equal(rig->script.count, 2);
    assert_int_equal(seen[0].connection, 0);
    assert_int_equal(seen[1].connection, 1);
    assert_int_equal(seen[0].size, seen[1].size);
    assert_memory_equal(seen[0].bytes, seen[1].bytes, seen[0].size);
}

/* Reads, keyed changes and goals go out again, byte for byte. */
static void safe_calls_are_sent_again(void **state)
{
    static const char *const safe[][2] = {
        {"stock.get", "item"},      {"order.route", "order_id"}, {"order.cancel", "order_id"},
        {"fulfil.update", "state"}, {"node.put", "node"},        {"node.status", "node"},
        {"item.put", "item"},       {"stock.adjust", "key"},     {"stock.set", "key"},
        {"stock.load", "key"},      {"anything.new", "key"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(safe) / sizeof(safe[0]); i++) {
        struct rig rig;
        assert_int_equal(call_dropped(&rig, safe[i][0], safe[i][1]), NEARSHELF_OK);
        expect_same_bytes_twice(&rig);
    }
}

/* A change without a key goes out once, and its end says that nobody knows. */
static void unkeyed_changes_are_not_sent_again(void **state)
{
    static const char *const unsafe[] = {"stock.adjust", "stock.set", "stock.load", "anything.new"};
    (void)state;
    for (size_t i = 0; i < sizeof(unsafe) / sizeof(unsafe[0]); i++) {
        struct rig rig;
        assert_int_equal(call_dropped(&rig, unsafe[i], "item"), NEARSHELF_UNKNOWN);
        assert_int_equal(rig.script.count, 1);
    }
}

static enum nearshelf_error receive_error(struct nearshelf *client, uint32_t id)
{
    struct nearshelf_reply *reply;
    enum nearshelf_error error = nearshelf_receive_id(client, id, &reply);
    nearshelf_reply_free(reply);
    return error;
}

/* A goal that a later, answered change has overtaken would undo it: it is not sent again. */
static void overtaken_goal_is_not_sent_again(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t first, second, third;
    struct nearshelf_params *params = params_of("node", "n1");
    rig_open(&rig, 2, 1);
    nearshelf_send(rig.client, "node.status", params, &first);
    nearshelf_send(rig.client, "node.status", params, &second);
    assert_int_equal(receive_error(rig.client, second), NEARSHELF_OK);
    nearshelf_send(rig.client, "node.status", params, &third);
    assert_int_equal(receive_error(rig.client, third), NEARSHELF_OK);
    assert_int_equal(receive_error(rig.client, first), NEARSHELF_UNKNOWN);
    nearshelf_params_free(params);
    rig_close(&rig);
    assert_int_equal(rig.script.count, 4);
}

/* Of several calls under way the safe ones are repeated in their order. */
static void order_is_kept_over_a_loss(void **state)
{
    static const char *const methods[] = {"order.route", "stock.adjust", "stock.get", "node.put"};
    (void)state;
    struct rig rig;
    uint32_t ids[4];
    struct nearshelf_params *params = params_of("item", "i1");
    rig_open(&rig, 3, 4);
    for (int i = 0; i < 4; i++) {
        nearshelf_send(rig.client, methods[i], params, &ids[i]);
    }
    assert_int_equal(receive_error(rig.client, ids[1]), NEARSHELF_UNKNOWN);
    assert_int_equal(receive_error(rig.client, ids[0]), NEARSHELF_OK);
    assert_int_equal(receive_error(rig.client, ids[2]), NEARSHELF_OK);
    assert_int_equal(receive_error(rig.client, ids[3]), NEARSHELF_OK);
    nearshelf_params_free(params);
    rig_close(&rig);
    assert_int_equal(rig.script.count, 7);
    assert_string_equal(rig.script.seen[4].method, "order.route");
    assert_string_equal(rig.script.seen[5].method, "stock.get");
    assert_string_equal(rig.script.seen[6].method, "node.put");
}

static enum peer_action answer_and_drop(struct peer *peer, const struct peer_request *request,
                                        void *user)
{
    (void)user;
    peer_answer(peer, request->msgid, "{\"ok\":true}");
    return PEER_DROP;
}

/* An answer that came with the connection's end counts, and the next call notices the end
 * before it is sent: a server that closes idle connections makes no outcome unknown. */
static void last_answer_before_the_end_counts(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf *client;
    struct nearshelf_options options = {.backoff_min_ms = 2};
    peer_start(&peer, 0, answer_and_drop, NULL);
    assert_int_equal(nearshelf_open(peer.address, &options, &client), NEARSHELF_OK);
    for (int i = 0; i < 20; i++) {
        struct nearshelf_reply *reply;
        assert_int_equal(nearshelf_call(client, "stock.adjust", NULL, &reply), NEARSHELF_OK);
        nearshelf_reply_free(reply);
        usleep(5000);
    }
    nearshelf_close(client);
    peer_stop(&peer);
}

/* Nobody listens: said at once, with address and reason. */
static void unreachable_says_why(void **state)
{
    (void)state;
    struct rig rig;
    struct nearshelf *client;
    struct nearshelf_reply *reply;
    rig_open(&rig, 99, 0);
    rig_close(&rig);
    assert_int_equal(nearshelf_open(rig.peer.address, NULL, &client), NEARSHELF_UNREACHABLE);
    assert_null(client);
    struct nearshelf_options later = {.connect_later = true, .timeout_ms = 80};
    assert_int_equal(nearshelf_open(rig.peer.address, &later, &client), NEARSHELF_OK);
    assert_int_equal(nearshelf_connect(client), NEARSHELF_UNREACHABLE);
    assert_non_null(strstr(nearshelf_connect_text(client), rig.peer.address));
    assert_non_null(strstr(nearshelf_connect_text(client), "refused"));
    assert_int_equal(nearshelf_call(client, "stock.adjust", NULL, &reply), NEARSHELF_UNREACHABLE);
    assert_false(nearshelf_reply_may_have_happened(reply));
    assert_non_null(strstr(nearshelf_reply_text(reply), "refused"));
    nearshelf_reply_free(reply);
    nearshelf_close(client);
}

/* A change that was only queued while the server was away is sent when it is back. */
static void queued_call_survives_a_restart(void **state)
{
    (void)state;
    struct rig rig;
    uint32_t id;
    rig_open(&rig, 99, 0);
    peer_stop(&rig.peer);
    usleep(20000);
    nearshelf_flush(rig.client);
    assert_int_equal(nearshelf_send(rig.client, "stock.adjust", NULL, &id), NEARSHELF_OK);
    nearshelf_flush(rig.client);
    peer_start(&rig.peer, rig.peer.port, drop_once, &rig.script);
    assert_int_equal(receive_error(rig.client, id), NEARSHELF_OK);
    struct nearshelf_counters counters;
    nearshelf_counters_get(rig.client, &counters, sizeof(counters));
    assert_int_equal(counters.connects, 2);
    assert_int_equal(counters.resends, 0);
    rig_close(&rig);
}

static enum peer_action drop_always(struct peer *peer, const struct peer_request *request,
                                    void *user)
{
    (void)peer;
    (void)request;
    (void)user;
    return PEER_DROP;
}

/* A server that dies at every request is met with growing waits, until the deadline. */
static void crash_loop_is_not_hammered(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf *client;
    struct nearshelf_reply *reply;
    struct nearshelf_options options = {.timeout_ms = 300, .backoff_min_ms = 20};
    peer_start(&peer, 0, drop_always, NULL);
    assert_int_equal(nearshelf_open(peer.address, &options, &client), NEARSHELF_OK);
    assert_int_equal(nearshelf_call(client, "stock.get", NULL, &reply), NEARSHELF_UNREACHABLE);
    nearshelf_reply_free(reply);
    assert_int_equal(nearshelf_call(client, "order.route", NULL, &reply), NEARSHELF_UNKNOWN);
    nearshelf_reply_free(reply);
    nearshelf_close(client);
    peer_stop(&peer);
    assert_in_range(peer.requests, 3, 12);
}

static enum peer_action stall_once(struct peer *peer, const struct peer_request *request,
                                   void *user)
{
    (void)user;
    if (request->number == 0) {
        usleep(400000);
    }
    peer_answer(peer, request->msgid, "{\"ok\":true}");
    return PEER_GO;
}

/* A call that ends when half of its bytes are out takes the connection with it, so that the
 * next call does not follow half a frame; what was never sent did certainly not happen. */
static void half_sent_call_ends_the_connection(void **state)
{
    enum { CALLS = 24, SIZE = 900 * 1024 };
    (void)state;
    struct peer peer;
    struct nearshelf *client;
    struct nearshelf_reply *reply;
    struct nearshelf_options options = {.timeout_ms = 100, .backoff_min_ms = 2};
    struct nearshelf_params *params = nearshelf_params_new();
    char *text = calloc(1, SIZE);
    assert_non_null(text);
    nearshelf_params_text_n(params, "text", text, SIZE);
    peer_start(&peer, 0, stall_once, NULL);
    assert_int_equal(nearshelf_open(peer.address, &options, &client), NEARSHELF_OK);
    for (int i = 0; i < CALLS; i++) {
        assert_int_equal(nearshelf_send(client, "stock.load", params, NULL), NEARSHELF_OK);
    }
    uint32_t surely_not = 0;
    for (int i = 0; i < CALLS; i++) {
        assert_int_not_equal(nearshelf_receive(client, &reply), NEARSHELF_OK);
        surely_not += !nearshelf_reply_may_have_happened(reply);
        nearshelf_reply_free(reply);
    }
    assert_true(surely_not > 0);
    nearshelf_timeout_set(client, 5000);
    assert_int_equal(nearshelf_call(client, "stock.get", NULL, &reply), NEARSHELF_OK);
    nearshelf_reply_free(reply);
    struct nearshelf_counters counters;
    nearshelf_counters_get(client, &counters, sizeof(counters));
    assert_in_range(counters.connects, 2, CALLS);
    nearshelf_params_free(params);
    free(text);
    nearshelf_close(client);
    peer_stop(&peer);
    assert_true(peer.requests <= CALLS - surely_not + 1);
}

struct async {
    uv_loop_t loop;
    struct nearshelf *client;
    uint32_t ended, ok, unknown, closed;
    uint32_t close_at; /* close the client in this callback; 0 = never */
    bool is_closed;
};

static void on_closed(void *user)
{
    struct async *async = user;
    async->is_closed = true;
}

static void on_done(const struct nearshelf_reply *reply, void *user)
{
    struct async *async = user;
    enum nearshelf_error error = nearshelf_reply_error(reply);
    async->ok += error == NEARSHELF_OK;
    async->unknown += error == NEARSHELF_UNKNOWN;
    async->closed += error == NEARSHELF_CLOSED;
    async->ended++;
    if (async->ended == async->close_at) {
        nearshelf_close_then(async->client, on_closed, async);
    }
}

static void run_async(struct async *async, const struct peer *peer, const char *method,
                      uint32_t calls)
{
    struct nearshelf_options options = {.backoff_min_ms = 2};
    assert_int_equal(uv_loop_init(&async->loop), 0);
    assert_int_equal(nearshelf_attach(&async->loop, peer->address, &options, &async->client),
                     NEARSHELF_OK);
    for (uint32_t i = 0; i < calls; i++) {
        assert_int_equal(nearshelf_call_async(async->client, method, NULL, on_done, async),
                         NEARSHELF_OK);
    }
    assert_int_equal(async->ended, 0);
    uv_run(&async->loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&async->loop), 0);
    assert_true(async->is_closed);
    assert_int_equal(async->ended, calls);
}

/* Driven by a loop: every accepted call ends exactly once, a lost connection included. */
static void async_calls_end_once(void **state)
{
    (void)state;
    struct peer peer;
    struct script script = {.drop_at = 30};
    struct async async = {.close_at = 100};
    peer_start(&peer, 0, drop_once, &script);
    run_async(&async, &peer, "stock.get", 100);
    peer_stop(&peer);
    assert_int_equal(async.ok, 100);
}

/* Changes without a key: each ends as done or as unknown, none twice, none never. */
static void async_unkeyed_changes_end_once(void **state)
{
    (void)state;
    struct peer peer;
    struct script script = {.drop_at = 30};
    struct async async = {.close_at = 100};
    peer_start(&peer, 0, drop_once, &script);
    run_async(&async, &peer, "stock.adjust", 100);
    peer_stop(&peer);
    assert_int_equal(async.ok + async.unknown, 100);
    assert_true(async.unknown >= 1); /* a reset may take answers with it that were on their way */
    assert_true(script.count <= 100 && async.ok <= script.count);
}

/* Closing from within a callback ends the rest with CLOSED before it returns. */
static void async_close_in_callback(void **state)
{
    (void)state;
    struct peer peer;
    struct script script = {.drop_at = 1000, .answer_until = 5};
    struct async async = {.close_at = 5};
    peer_start(&peer, 0, drop_once, &script);
    run_async(&async, &peer, "stock.get", 50);
    peer_stop(&peer);
    assert_int_equal(async.ok, 5);
    assert_int_equal(async.closed, 45);
}

/* A name is looked up; one that nobody knows is said to be that. */
static void names_are_resolved(void **state)
{
    (void)state;
    struct rig rig;
    char address[64];
    struct nearshelf *client;
    rig_open(&rig, 99, 0);
    snprintf(address, sizeof(address), "localhost:%u", rig.peer.port);
    nearshelf_close(rig.client);
    assert_int_equal(nearshelf_open(address, NULL, &rig.client), NEARSHELF_OK);
    rig_close(&rig);
    struct nearshelf_options later = {.connect_later = true};
    assert_int_equal(nearshelf_open("no-such-host.invalid", &later, &client), NEARSHELF_OK);
    assert_int_equal(nearshelf_connect(client), NEARSHELF_UNREACHABLE);
    assert_non_null(strstr(nearshelf_connect_text(client), "no-such-host.invalid:7420"));
    nearshelf_close(client);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(safe_calls_are_sent_again),
        cmocka_unit_test(unkeyed_changes_are_not_sent_again),
        cmocka_unit_test(overtaken_goal_is_not_sent_again),
        cmocka_unit_test(order_is_kept_over_a_loss),
        cmocka_unit_test(last_answer_before_the_end_counts),
        cmocka_unit_test(unreachable_says_why),
        cmocka_unit_test(queued_call_survives_a_restart),
        cmocka_unit_test(crash_loop_is_not_hammered),
        cmocka_unit_test(half_sent_call_ends_the_connection),
        cmocka_unit_test(async_calls_end_once),
        cmocka_unit_test(async_unkeyed_changes_end_once),
        cmocka_unit_test(async_close_in_callback),
        cmocka_unit_test(names_are_resolved),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
