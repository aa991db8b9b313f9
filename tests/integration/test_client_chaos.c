/* The client library against a server that drops connections at random, from a printed seed:
 * nothing without a key reaches the server twice, and every outcome that is told is true. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "nearshelf.h"
#include "rng.h"
#include "rpc_peer.h"

enum { CALLS = 4000, WINDOW = 64, HELD_MAX = 8 };

enum kind { KIND_READ, KIND_KEYED, KIND_UNKEYED, KINDS };

/* The server: how often each call ran, and answers that it holds back. */
struct server {
    struct peer peer;
    struct rng rng;
    uint32_t runs[CALLS];
    uint32_t held[HELD_MAX];
    uint32_t held_count, held_connection;
};

static enum kind kind_of(int64_t n)
{
    return (enum kind)(n % KINDS);
}

static void answer_held(struct server *server, struct peer *peer)
{
    while (server->held_count > 0) {
        peer_answer(peer, server->held[--server->held_count], "{\"ok\":true}");
    }
}

/* Drops before running the call, or after; answers at once, or later and in reverse. */
static enum peer_action serve(struct peer *peer, const struct peer_request *request, void *user)
{
    struct server *server = user;
    if (server->held_connection != request->connection) {
        server->held_connection = request->connection;
        server->held_count = 0;
    }
    uint64_t draw = rng_below(&server->rng, 200);
    if (draw == 0) {
        return PEER_DROP;
    }
    server->runs[peer_int(request, "n")]++;
    if (draw == 1) {
        return PEER_DROP;
    }
    server->held[server->held_count++] = request->msgid;
    if (server->held_count == HELD_MAX || draw < 150) {
        answer_held(server, peer);
    }
    return PEER_GO;
}

static enum nearshelf_error send_one(struct nearshelf *client, int64_t n)
{
    static const char *const methods[KINDS] = {"stock.get", "stock.adjust", "stock.adjust"};
    char key[32];
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_int(params, "n", n);
    if (kind_of(n) == KIND_KEYED) {
        snprintf(key, sizeof(key), "k%lld", (long long)n);
        nearshelf_params_text(params, "key", key);
    }
    enum nearshelf_error error = nearshelf_send(client, methods[kind_of(n)], params, NULL);
    nearshelf_params_free(params);
    return error;
}

/* The last answers may be held back for ever: those calls end with TIMEOUT. */
static void receive_one(struct nearshelf *client, enum nearshelf_error outcomes[CALLS])
{
    struct nearshelf_reply *reply;
    enum nearshelf_error error = nearshelf_receive(client, &reply);
    assert_non_null(reply);
    outcomes[nearshelf_reply_id(reply)] = error;
    nearshelf_reply_free(reply);
}

static void check_outcome(const struct server *server, uint32_t n, enum nearshelf_error outcome)
{
    uint32_t runs = server->runs[n];
    if (kind_of(n) != KIND_UNKEYED) {
        assert_true(outcome == NEARSHELF_OK || outcome == NEARSHELF_TIMEOUT);
        assert_true(outcome != NEARSHELF_OK || runs >= 1);
        return;
    }
    assert_true(runs <= 1);
    assert_true(outcome == NEARSHELF_OK || outcome == NEARSHELF_UNKNOWN ||
                outcome == NEARSHELF_TIMEOUT);
    assert_true(outcome != NEARSHELF_OK || runs == 1);
}

/* The property of the head of this file. */
static void told_outcomes_are_true(void **state)
{
    (void)state;
    struct server *server = calloc(1, sizeof(*server));
    enum nearshelf_error *outcomes = calloc(CALLS, sizeof(*outcomes));
    const char *seed_text = getenv("NEARSHELF_SEED");
    uint64_t seed = seed_text ? strtoull(seed_text, NULL, 10) : (uint64_t)time(NULL);
    assert_true(server && outcomes);
    print_message("NEARSHELF_SEED=%llu\n", (unsigned long long)seed);
    rng_init(&server->rng, seed);
    struct nearshelf *client;
    struct nearshelf_options options = {
        .timeout_ms = 1000, .backoff_min_ms = 1, .backoff_max_ms = 8, .seed = seed | 1};
    peer_start(&server->peer, 0, serve, server);
    assert_int_equal(nearshelf_open(server->peer.address, &options, &client), NEARSHELF_OK);
    for (int64_t n = 0; n < CALLS; n++) {
        while (nearshelf_outstanding(client) >= WINDOW) {
            receive_one(client, outcomes);
        }
        assert_int_equal(send_one(client, n), NEARSHELF_OK);
    }
    while (nearshelf_outstanding(client) > 0) {
        receive_one(client, outcomes);
    }
    struct nearshelf_counters counters;
    nearshelf_counters_get(client, &counters, sizeof(counters));
    nearshelf_close(client);
    peer_stop(&server->peer);
    for (uint32_t n = 0; n < CALLS; n++) {
        check_outcome(server, n, outcomes[n]);
    }
    assert_true(counters.losses > 5 && counters.resends > 5);
    free(outcomes);
    free(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(told_outcomes_are_true)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
