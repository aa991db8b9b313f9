/* The client library against a scripted server: answers in any order, errors, timeouts, bounds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "nearshelf.h"
#include "rpc_peer.h"

static struct nearshelf *open_to(const struct peer *peer, struct nearshelf_options options)
{
    struct nearshelf *client;
    assert_int_equal(nearshelf_open(peer->address, &options, &client), NEARSHELF_OK);
    return client;
}

static enum peer_action echo_number(struct peer *peer, const struct peer_request *request,
                                    void *user)
{
    char json[160];
    (void)user;
    snprintf(json, sizeof(json), "{\"method\":\"%s\",\"n\":%lld}", request->method,
             (long long)peer_int(request, "n"));
    peer_answer(peer, request->msgid, json);
    return PEER_GO;
}

static struct nearshelf_params *params_n(int64_t n)
{
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_int(params, "n", n);
    return params;
}

/* A blocking call gives the result of its own request. */
static void call_returns_its_result(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, echo_number, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    struct nearshelf_params *params = params_n(7);
    assert_int_equal(nearshelf_call(client, "stock.get", params, &reply), NEARSHELF_OK);
    const struct nearshelf_value *result = nearshelf_reply_result(reply);
    assert_true(nearshelf_text_is(nearshelf_get(result, "method"), "stock.get"));
    assert_int_equal(nearshelf_int(nearshelf_get(result, "n"), -1), 7);
    assert_string_equal(nearshelf_reply_code(reply), "");
    nearshelf_reply_free(reply);
    assert_int_equal(nearshelf_call(client, "hello", NULL, &reply), NEARSHELF_OK);
    nearshelf_reply_free(reply);
    nearshelf_params_free(params);
    nearshelf_close(client);
    peer_stop(&peer);
}

static enum peer_action answer_error(struct peer *peer, const struct peer_request *request,
                                     void *user)
{
    (void)user;
    peer_error(peer, request->msgid, 1, "UNKNOWN_ITEM item=A9: put it first");
    return PEER_GO;
}

/* A server's error comes apart into kind, code and text. */
static void server_error_is_split(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, answer_error, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    assert_int_equal(nearshelf_call(client, "stock.get", NULL, &reply), NEARSHELF_SERVER);
    assert_int_equal(nearshelf_reply_kind(reply), 1);
    assert_string_equal(nearshelf_reply_code(reply), "UNKNOWN_ITEM");
    assert_string_equal(nearshelf_reply_text(reply), "item=A9: put it first");
    assert_null(nearshelf_reply_result(reply));
    assert_false(nearshelf_reply_may_have_happened(reply));
    nearshelf_reply_free(reply);
    nearshelf_close(client);
    peer_stop(&peer);
}

struct held {
    uint32_t ids[4];
    uint32_t count;
};

static enum peer_action answer_in_reverse(struct peer *peer, const struct peer_request *request,
                                          void *user)
{
    struct held *held = user;
    static const char notify[] = "\x93\x02\xa4ping\x90";
    static const char answer_to_nobody[] = "\x94\x01\xce\xff\xff\xff\xff\xc0\xc0";
    held->ids[held->count++] = request->msgid;
    if (held->count < 4) {
        return PEER_GO;
    }
    peer_bytes(peer, notify, sizeof(notify) - 1);
    peer_bytes(peer, answer_to_nobody, sizeof(answer_to_nobody) - 1);
    while (held->count > 0) {
        char json[32];
        held->count--;
        snprintf(json, sizeof(json), "{\"was\":%u}", held->count);
        peer_answer(peer, held->ids[held->count], json);
    }
    return PEER_GO;
}

static void receive_and_expect(struct nearshelf *client, uint32_t id, int64_t was)
{
    struct nearshelf_reply *reply;
    assert_int_equal(nearshelf_receive(client, &reply), NEARSHELF_OK);
    assert_int_equal(nearshelf_reply_id(reply), id);
    assert_int_equal(nearshelf_int(nearshelf_get(nearshelf_reply_result(reply), "was"), -1), was);
    nearshelf_reply_free(reply);
}

/* Answers come as they come; one may be asked for by id; what nobody asked for is counted. */
static void replies_in_any_order(void **state)
{
    (void)state;
    struct peer peer;
    struct held held = {0};
    uint32_t ids[4];
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, answer_in_reverse, &held);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    for (int i = 0; i < 4; i++) {
        assert_int_equal(nearshelf_send(client, "stock.get", NULL, &ids[i]), NEARSHELF_OK);
    }
    assert_int_equal(nearshelf_receive_id(client, ids[1], &reply), NEARSHELF_OK);
    assert_int_equal(nearshelf_int(nearshelf_get(nearshelf_reply_result(reply), "was"), -1), 1);
    nearshelf_reply_free(reply);
    assert_int_equal(nearshelf_receive_id(client, ids[1], &reply), NEARSHELF_EMPTY);
    receive_and_expect(client, ids[3], 3);
    receive_and_expect(client, ids[2], 2);
    receive_and_expect(client, ids[0], 0);
    assert_int_equal(nearshelf_receive(client, &reply), NEARSHELF_EMPTY);
    struct nearshelf_counters counters;
    nearshelf_counters_get(client, &counters, sizeof(counters));
    assert_int_equal(counters.unmatched, 1);
    assert_int_equal(counters.unsolicited, 1);
    nearshelf_close(client);
    peer_stop(&peer);
}

static enum peer_action silent_once(struct peer *peer, const struct peer_request *request,
                                    void *user)
{
    uint32_t *silent_id = user;
    if (request->number == 0) {
        *silent_id = request->msgid;
        return PEER_GO;
    }
    peer_answer(peer, *silent_id, "{\"late\":true}");
    peer_answer(peer, request->msgid, "{\"late\":false}");
    return PEER_GO;
}

/* A timeout ends one call; its late answer is dropped and the connection stays in use. */
static void timeout_ends_one_call(void **state)
{
    (void)state;
    struct peer peer;
    uint32_t silent_id = 0;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, silent_once, &silent_id);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){.timeout_ms = 60});
    assert_int_equal(nearshelf_call(client, "stock.adjust", NULL, &reply), NEARSHELF_TIMEOUT);
    assert_true(nearshelf_reply_may_have_happened(reply));
    assert_string_equal(nearshelf_reply_code(reply), "TIMEOUT");
    nearshelf_reply_free(reply);
    nearshelf_timeout_set(client, 5000);
    assert_int_equal(nearshelf_call(client, "stock.get", NULL, &reply), NEARSHELF_OK);
    assert_false(nearshelf_bool(nearshelf_get(nearshelf_reply_result(reply), "late"), true));
    nearshelf_reply_free(reply);
    struct nearshelf_counters counters;
    nearshelf_counters_get(client, &counters, sizeof(counters));
    assert_int_equal(counters.unmatched, 1);
    assert_int_equal(counters.connects, 1);
    nearshelf_close(client);
    peer_stop(&peer);
}

static enum peer_action overloaded_twice(struct peer *peer, const struct peer_request *request,
                                         void *user)
{
    (void)user;
    if (request->number < 2) {
        peer_error(peer, request->msgid, 0, "OVERLOADED retry_after_ms=5");
    } else {
        peer_answer(peer, request->msgid, "{\"ok\":1}");
    }
    return PEER_GO;
}

/* OVERLOADED is waited out where the caller allows it, and only there. */
static void overloaded_is_retried_if_allowed(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf_reply *reply;
    struct nearshelf_counters counters;
    peer_start(&peer, 0, overloaded_twice, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    assert_int_equal(nearshelf_call(client, "stock.adjust", NULL, &reply), NEARSHELF_SERVER);
    assert_string_equal(nearshelf_reply_code(reply), "OVERLOADED");
    assert_int_equal(nearshelf_reply_kind(reply), 0);
    nearshelf_reply_free(reply);
    nearshelf_close(client);
    client = open_to(&peer, (struct nearshelf_options){.retry_overloaded = true});
    assert_int_equal(nearshelf_call(client, "stock.adjust", NULL, &reply), NEARSHELF_OK);
    nearshelf_reply_free(reply);
    nearshelf_counters_get(client, &counters, sizeof(counters));
    assert_int_equal(counters.overloads, 1);
    nearshelf_close(client);
    peer_stop(&peer);
}

static enum peer_action too_large_once(struct peer *peer, const struct peer_request *request,
                                       void *user)
{
    static const char head[] = {(char)0x94, 1, 0, (char)0xc0, (char)0xc6, 1, 0, 0, 1};
    (void)user;
    if (request->number > 1) {
        peer_answer(peer, request->msgid, "{\"ok\":1}");
    } else if (request->number == 1) {
        peer_bytes(peer, head, sizeof(head)); /* for msgid 0: a bin of 2^24 + 1 bytes */
    }
    return PEER_GO;
}

/* A reply over the limit ends its call by name; other calls under way are made again. */
static void oversize_reply_is_refused(void **state)
{
    (void)state;
    struct peer peer;
    uint32_t big, other;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, too_large_once, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    assert_int_equal(nearshelf_send(client, "order.list", NULL, &big), NEARSHELF_OK);
    assert_int_equal(big, 0);
    assert_int_equal(nearshelf_send(client, "stock.get", NULL, &other), NEARSHELF_OK);
    assert_int_equal(nearshelf_receive_id(client, big, &reply), NEARSHELF_TOO_LARGE);
    nearshelf_reply_free(reply);
    assert_int_equal(nearshelf_receive_id(client, other, &reply), NEARSHELF_OK);
    nearshelf_reply_free(reply);
    nearshelf_close(client);
    peer_stop(&peer);
}

static enum peer_action answer_big(struct peer *peer, const struct peer_request *request,
                                   void *user)
{
    uint32_t length = (uint32_t)peer_int(request, "n");
    size_t size = length + 9;
    (void)user;
    uint8_t *bytes = calloc(1, size);
    assert_non_null(bytes);
    memcpy(bytes, (const uint8_t[]){0x94, 1, (uint8_t)request->msgid, 0xc0, 0xc6}, 5);
    for (int i = 0; i < 4; i++) {
        bytes[5 + i] = (uint8_t)(length >> (24 - 8 * i));
    }
    peer_bytes(peer, bytes, size);
    free(bytes);
    return PEER_GO;
}

/* A reply of exactly the limit arrives whole; one byte more does not. */
static void reply_limit_is_exact(void **state)
{
    (void)state;
    struct peer peer;
    size_t size;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, answer_big, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    struct nearshelf_params *params = params_n(NEARSHELF_REPLY_SIZE_MAX - 9);
    assert_int_equal(nearshelf_call(client, "order.list", params, &reply), NEARSHELF_OK);
    nearshelf_text(nearshelf_reply_result(reply), &size);
    assert_int_equal(size, NEARSHELF_REPLY_SIZE_MAX - 9);
    nearshelf_reply_free(reply);
    nearshelf_params_clear(params);
    nearshelf_params_int(params, "n", NEARSHELF_REPLY_SIZE_MAX - 8);
    assert_int_equal(nearshelf_call(client, "order.list", params, &reply), NEARSHELF_TOO_LARGE);
    nearshelf_reply_free(reply);
    nearshelf_params_free(params);
    nearshelf_close(client);
    peer_stop(&peer);
}

static enum peer_action answer_http(struct peer *peer, const struct peer_request *request,
                                    void *user)
{
    static const char text[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
    (void)request;
    (void)user;
    peer_bytes(peer, text, sizeof(text) - 1);
    return PEER_GO;
}

/* A server of another protocol is named as that, at once. */
static void foreign_protocol_is_named(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, answer_http, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    assert_int_equal(nearshelf_call(client, "stock.get", NULL, &reply), NEARSHELF_PROTOCOL);
    assert_non_null(strstr(nearshelf_reply_text(reply), "MessagePack-RPC"));
    nearshelf_reply_free(reply);
    nearshelf_close(client);
    peer_stop(&peer);
}

static enum peer_action answer_by_bytes(struct peer *peer, const struct peer_request *request,
                                        void *user)
{
    size_t size;
    char *bytes = peer_pack_answer(request->msgid, "{\"fulfilments\":[{\"km\":1.5}]}", &size);
    (void)user;
    for (size_t i = 0; i < size; i++) {
        peer_bytes(peer, bytes + i, 1);
        usleep(200);
    }
    free(bytes);
    return PEER_GO;
}

/* A reply that arrives byte by byte is the same reply. */
static void reply_in_single_bytes(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, answer_by_bytes, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    assert_int_equal(nearshelf_call(client, "order.get", NULL, &reply), NEARSHELF_OK);
    const struct nearshelf_value *list =
        nearshelf_get(nearshelf_reply_result(reply), "fulfilments");
    double km = nearshelf_float(nearshelf_get(nearshelf_at(list, 0), "km"), 0);
    assert_true(km > 1.49 && km < 1.51);
    nearshelf_reply_free(reply);
    nearshelf_close(client);
    peer_stop(&peer);
}

/* With in_flight_max calls outstanding the next is refused; receiving one makes room. */
static void full_until_received(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf_reply *reply;
    peer_start(&peer, 0, echo_number, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){.in_flight_max = 2});
    assert_int_equal(nearshelf_send(client, "stats", NULL, NULL), NEARSHELF_OK);
    assert_int_equal(nearshelf_send(client, "stats", NULL, NULL), NEARSHELF_OK);
    assert_int_equal(nearshelf_send(client, "stats", NULL, NULL), NEARSHELF_FULL);
    assert_int_equal(nearshelf_receive(client, &reply), NEARSHELF_OK);
    nearshelf_reply_free(reply);
    assert_int_equal(nearshelf_send(client, "stats", NULL, NULL), NEARSHELF_OK);
    assert_int_equal(nearshelf_outstanding(client), 2);
    nearshelf_close(client);
    peer_stop(&peer);
}

/* 20,000 calls through a window of 512: each gets its own answer. */
static void deep_pipeline(void **state)
{
    (void)state;
    struct peer peer;
    struct nearshelf_params *params = nearshelf_params_new();
    peer_start(&peer, 0, echo_number, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){.in_flight_max = 512});
    uint32_t sent = 0, received = 0;
    while (received < 20000) {
        while (sent < 20000 && nearshelf_outstanding(client) < 512) {
            nearshelf_params_clear(params);
            nearshelf_params_int(params, "n", sent++);
            assert_int_equal(nearshelf_send(client, "stock.get", params, NULL), NEARSHELF_OK);
        }
        struct nearshelf_reply *reply;
        assert_int_equal(nearshelf_receive(client, &reply), NEARSHELF_OK);
        int64_t n = nearshelf_int(nearshelf_get(nearshelf_reply_result(reply), "n"), -1);
        assert_int_equal(n, nearshelf_reply_id(reply));
        nearshelf_reply_free(reply);
        received++;
    }
    nearshelf_params_free(params);
    nearshelf_close(client);
    peer_stop(&peer);
}

/* Malformed addresses, methods and parameters are refused before anything is sent. */
static void arguments_are_checked(void **state)
{
    static const char *const bad[] = {"",    ":7420", "a:0",  "a:65536",
                                      "a:x", "a:1:2", "[::1", "unix:"};
    (void)state;
    struct peer peer;
    struct nearshelf *client;
    struct nearshelf_params *params = nearshelf_params_new();
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        assert_int_equal(nearshelf_open(bad[i], NULL, &client), NEARSHELF_ARGUMENT);
        assert_null(client);
    }
    peer_start(&peer, 0, echo_number, NULL);
    client = open_to(&peer, (struct nearshelf_options){0});
    nearshelf_params_int(params, NULL, 1);
    assert_int_equal(nearshelf_send(client, "stats", params, NULL), NEARSHELF_ARGUMENT);
    nearshelf_params_bytes(params, "\x81\xa1", 2);
    assert_int_equal(nearshelf_send(client, "stats", params, NULL), NEARSHELF_ARGUMENT);
    nearshelf_params_bytes(params, "\x80\x80", 2);
    assert_int_equal(nearshelf_send(client, "stats", params, NULL), NEARSHELF_ARGUMENT);
    assert_int_equal(nearshelf_outstanding(client), 0);
    nearshelf_params_free(params);
    nearshelf_close(client);
    peer_stop(&peer);
}

/* The same client works over a Unix socket. */
static void unix_socket(void **state)
{
    (void)state;
    struct peer peer;
    char path[64];
    struct nearshelf_reply *reply;
    snprintf(path, sizeof(path), "test_client.%d.sock", (int)getpid());
    peer_start_unix(&peer, path, echo_number, NULL);
    struct nearshelf *client = open_to(&peer, (struct nearshelf_options){0});
    assert_int_equal(nearshelf_call(client, "hello", NULL, &reply), NEARSHELF_OK);
    nearshelf_reply_free(reply);
    nearshelf_close(client);
    peer_stop(&peer);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(call_returns_its_result),
        cmocka_unit_test(server_error_is_split),
        cmocka_unit_test(replies_in_any_order),
        cmocka_unit_test(timeout_ends_one_call),
        cmocka_unit_test(overloaded_is_retried_if_allowed),
        cmocka_unit_test(oversize_reply_is_refused),
        cmocka_unit_test(reply_limit_is_exact),
        cmocka_unit_test(foreign_protocol_is_named),
        cmocka_unit_test(reply_in_single_bytes),
        cmocka_unit_test(full_until_received),
        cmocka_unit_test(deep_pipeline),
        cmocka_unit_test(arguments_are_checked),
        cmocka_unit_test(unix_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
