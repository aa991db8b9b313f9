/* Properties of what the load generator reads and keeps: replies, facts, ledger, objectives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "cell_map.h"
#include "frame.h"
#include "ledger.h"
#include "load_answer.h"
#include "rng.h"
#include "slo.h"
#include "writer.h"

static struct id_index nodes;
static struct route_answer route;
static struct order order;

static int make_nodes(void **state)
{
    (void)state;
    assert_int_equal(id_index_init(&nodes, 16), ERR_OK);
    assert_int_equal(id_index_add(&nodes, "W112", 4), 0);
    assert_int_equal(id_index_add(&nodes, "S00001", 6), 1);
    order.count = 3;
    for (uint32_t i = 0; i < 3; i++) {
        order.lines[i] = (struct order_line){.item = 10 + i, .qty = 1 + i};
    }
    return 0;
}

static int free_nodes(void **state)
{
    (void)state;
    id_index_close(&nodes);
    return 0;
}

static void write_line(struct writer *writer, const char *line, uint32_t qty)
{
    writer_map(writer, 3);
    writer_str(writer, "line");
    writer_string(writer, line);
    writer_str(writer, "item");
    writer_str(writer, "any");
    writer_str(writer, "qty");
    writer_uint(writer, qty);
}

static void write_fulfilment(struct writer *writer, const char *id, const char *node,
                             uint32_t first, uint32_t count)
{
    writer_map(writer, 5);
    writer_str(writer, "fulfilment");
    writer_string(writer, id);
    writer_str(writer, "node");
    writer_string(writer, node);
    writer_str(writer, "state");
    writer_str(writer, "open");
    writer_str(writer, "km");
    writer_float(writer, 3.5);
    writer_str(writer, "lines");
    writer_array(writer, count);
    for (uint32_t i = first; i < first + count; i++) {
        char line[16];
        snprintf(line, sizeof line, "%u", i);
        write_line(writer, line, i);
    }
}

/* A routed reply: all of the order from one node, or the last line from another one. */
static uint32_t write_reply(uint8_t *buffer, uint32_t size, bool is_split)
{
    struct writer writer;
    writer_init(&writer, buffer, size);
    writer_reply(&writer, 77);
    writer_map(&writer, 7);
    writer_str(&writer, "order_id");
    writer_str(&writer, "A");
    writer_str(&writer, "status");
    writer_str(&writer, "routed");
    writer_str(&writer, "news"); /* a key of a later version */
    writer_array(&writer, 2);
    writer_nil(&writer);
    writer_int(&writer, -70000);
    writer_str(&writer, "fulfilments");
    writer_array(&writer, is_split ? 2 : 1);
    write_fulfilment(&writer, "A/1", "W112", 1, is_split ? 2 : 3);
    if (is_split) {
        write_fulfilment(&writer, "A/2", "S00001", 3, 1);
    }
    writer_str(&writer, "total_km");
    writer_uint(&writer, 7);
    writer_str(&writer, "optimal");
    writer_bool(&writer, true);
    writer_str(&writer, "duplicate");
    writer_bool(&writer, true);
    assert_false(writer.is_full);
    return writer_size(&writer);
}

/* Everything that the generator acts on is read; what it does not know is passed over. */
static void route_reply_is_read(void **state)
{
    (void)state;
    uint8_t bytes[512];
    uint32_t size = write_reply(bytes, sizeof bytes, true);
    struct answer answer;
    assert_true(answer_read(&answer, bytes, size));
    assert_int_equal(answer.msgid, 77);
    assert_true(answer_read_route(&route, &answer.result, &nodes));
    assert_int_equal(route.status, ANSWER_ROUTED);
    assert_true(route.is_optimal && route.is_duplicate && route.is_promised);
    assert_true(route.total_km == 7);
    assert_int_equal(facts_fulfilments(route.words), 2);
    uint32_t pos = 0;
    struct fulfilment first = facts_next(route.words, &pos);
    struct fulfilment second = facts_next(route.words, &pos);
    assert_int_equal(first.node, 0);
    assert_int_equal(second.node, 1);
    assert_int_equal(second.number, 2);
    assert_int_equal(facts_lines(&first, &order), 2);
    assert_int_equal(facts_line(&second, 0, &order).item, 12);
    assert_int_equal(facts_line(&second, 0, &order).qty, 3);
    assert_int_equal(facts_size(route.words), route.words_count);
}

/* One node for all takes one word, from order.route as from order.get. */
static void whole_order_is_one_word(void **state)
{
    (void)state;
    uint8_t bytes[512];
    uint32_t size = write_reply(bytes, sizeof bytes, false);
    struct answer answer;
    assert_true(answer_read(&answer, bytes, size));
    struct cursor again = answer.result;
    assert_true(answer_read_route(&route, &answer.result, &nodes));
    assert_int_equal(route.words_count, 1);
    uint32_t word = route.words[0];
    assert_true(answer_read_facts(&route, &again, &nodes, &order));
    assert_int_equal(route.words_count, 1);
    assert_int_equal(route.words[0], word);
    assert_int_equal(facts_size(route.words), 1);
}

/* order.get with another quantity than ordered is not taken for the whole order. */
static void other_quantity_is_seen(void **state)
{
    (void)state;
    uint8_t bytes[512];
    uint32_t size = write_reply(bytes, sizeof bytes, false);
    struct answer answer;
    assert_true(answer_read(&answer, bytes, size));
    order.lines[1].qty = 9;
    assert_true(answer_read_facts(&route, &answer.result, &nodes, &order));
    assert_true(route.words_count > 1);
    order.lines[1].qty = 2;
}

/* A reply cut at any byte, in a block of exactly that size, is refused and nothing past it read. */
static void cut_reply_is_refused(void **state)
{
    (void)state;
    uint8_t bytes[512];
    uint32_t size = write_reply(bytes, sizeof bytes, true);
    for (uint32_t cut = 1; cut < size; cut++) {
        uint8_t *block = malloc(cut);
        assert_non_null(block);
        memcpy(block, bytes, cut);
        struct answer answer;
        bool is_read =
            answer_read(&answer, block, cut) && answer_read_route(&route, &answer.result, &nodes);
        assert_false(is_read);
        free(block);
    }
}

/* Replies with random bytes changed are read without harm; most are refused. */
static void damaged_reply_does_no_harm(void **state)
{
    (void)state;
    uint8_t bytes[512];
    uint32_t size = write_reply(bytes, sizeof bytes, true);
    struct rng rng;
    rng_init(&rng, 6);
    for (int i = 0; i < 200000; i++) {
        uint8_t *block = malloc(size);
        assert_non_null(block);
        memcpy(block, bytes, size);
        block[rng_below(&rng, size)] = (uint8_t)rng_next(&rng);
        struct answer answer;
        if (answer_read(&answer, block, size) && !answer.is_error) {
            struct span reason;
            answer_is_refused(answer.result, &reason);
            if (answer_read_route(&route, &answer.result, &nodes)) {
                assert_true(route.words_count <= FACTS_WORDS_MAX);
            }
        }
        free(block);
    }
}

/* An error gives its code and the time to wait. */
static void error_is_read(void **state)
{
    (void)state;
    static const char text[] = "OVERLOADED queue full, retry_after_ms=25";
    uint8_t bytes[128];
    struct writer writer;
    writer_init(&writer, bytes, sizeof bytes);
    writer_array(&writer, 4);
    writer_uint(&writer, 1);
    writer_uint(&writer, 70000);
    writer_array(&writer, 2);
    writer_uint(&writer, 0);
    writer_text(&writer, text, sizeof text - 1);
    writer_nil(&writer);
    struct answer answer;
    assert_true(answer_read(&answer, bytes, writer_size(&writer)));
    assert_true(answer.is_error);
    assert_true(span_is(answer.code, "OVERLOADED"));
    assert_int_equal(answer_retry_after_ms(&answer), 25);
}

/* The request written from pieces is one whole frame, whatever the number of lines. */
static void request_is_a_frame(void **state)
{
    (void)state;
    static uint8_t bytes[REQUEST_HEAD_SIZE + 1000 * REQUEST_LINE_SIZE];
    static const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    const char *const argv[] = {"x", "--nodes", "3", "--items", "500"};
    struct load_opts opts;
    struct network network;
    struct workload workload;
    assert_int_equal(load_opts_parse(&opts, 5, argv), LOAD_OPTS_RUN);
    assert_int_equal(load_network_init(&network, &opts), ERR_OK);
    assert_int_equal(workload_init(&workload, &opts, &network), ERR_OK);
    for (uint32_t count = 1; count <= 1000; count += count < 20 ? 1 : 97) {
        static struct order big;
        big = (struct order){.number = count, .lat = 40, .lon = -80, .count = count};
        for (uint32_t i = 0; i < count; i++) {
            big.lines[i] = (struct order_line){.item = i % 500, .qty = 1 + i * 999};
        }
        uint32_t size = workload_encode(&workload, &big, UINT32_MAX, bytes);
        assert_true(size <= REQUEST_HEAD_SIZE + count * REQUEST_LINE_SIZE);
        struct frame_scan scan;
        struct frame_head head;
        frame_scan_init(&scan);
        assert_int_equal(frame_scan_run(&scan, bytes, size, &limits), FRAME_DONE);
        assert_int_equal(scan.pos, size);
        assert_true(frame_head_read(bytes, size, &head));
        assert_true(head.msgid == UINT32_MAX && head.method_len == 11);
    }
    workload_close(&workload);
    load_network_close(&network);
}

/* A ledger read back from its file is the one that was written. */
static void ledger_round_trip(void **state)
{
    (void)state;
    char path[] = "ledger_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct ledger written, got;
    struct load_opts opts = {.ledger_path = path,
                             .seed = 5,
                             .tag = 99,
                             .nodes = 20,
                             .items = 30,
                             .lines = 7,
                             .density = 0.3};
    struct load_opts opts_got = {0};
    const uint32_t one = 1u << 16 | 4;
    const uint32_t two[] = {FACTS_SPREAD | 2, 1u << 16 | 3, 1, 5, 2u << 16 | 9, 1, 1u << 20 | 6};
    assert_int_equal(ledger_init(&written), ERR_OK);
    assert_int_equal(ledger_open_file(&written, &opts), ERR_OK);
    assert_true(ledger_promise(&written, 0, &one, 1));
    assert_true(ledger_promise(&written, 3, two, 7));
    assert_false(ledger_promise(&written, 3, &one, 1));
    ledger_ship(&written, 3);
    ledger_cancel(&written, 0);
    ledger_restock(&written, ledger_pack(19, 29, 16));
    ledger_unsure(&written, ledger_pack(1, 2, 3));
    ledger_before(&written, (struct ledger_cell){ledger_pack(7, 8, 0), -4, 12});
    assert_int_equal(ledger_finish(&written, 5, true), ERR_OK);
    assert_int_equal(ledger_init(&got), ERR_OK);
    assert_int_equal(ledger_read(&got, path, &opts_got), ERR_OK);
    assert_true(opts_got.seed == 5 && opts_got.tag == 99 && opts_got.items == 30);
    assert_true(opts_got.density == 0.3);
    assert_true(got.orders == 5 && got.is_broken);
    assert_null(ledger_facts(&got, 1));
    assert_int_equal(ledger_facts(&got, 0)[0], one);
    assert_memory_equal(ledger_facts(&got, 3), two, sizeof two);
    assert_int_equal(got.ended[0], LEDGER_CANCELLED);
    assert_int_equal(got.ended[3], 1);
    assert_true(got.restocked[0] == ledger_pack(19, 29, 16) && got.unsure_count == 1);
    assert_true(got.before[0].on_hand == -4 && got.before[0].reserved == 12);
    ledger_close(&written);
    ledger_close(&got);
    unlink(path);
}

/* A ledger without its last line was cut off and is refused. */
static void cut_ledger_is_refused(void **state)
{
    (void)state;
    char path[] = "ledger_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    close(fd);
    struct ledger ledger;
    struct load_opts opts = {.ledger_path = path, .tag = 1, .nodes = 2, .items = 3, .lines = 4};
    assert_int_equal(ledger_init(&ledger), ERR_OK);
    assert_int_equal(ledger_open_file(&ledger, &opts), ERR_OK);
    const uint32_t word = 1u << 16;
    assert_true(ledger_promise(&ledger, 1, &word, 1));
    ledger_close(&ledger);
    assert_int_equal(ledger_init(&ledger), ERR_OK);
    assert_int_equal(ledger_read(&ledger, path, &opts), ERR_INVALID);
    ledger_close(&ledger);
    unlink(path);
}

/* The cell map agrees with plain arrays over many random cells, growth included. */
static void cell_map_is_a_map(void **state)
{
    (void)state;
    enum { NODES = 300, ITEMS = 700 };
    static int64_t sums[NODES][ITEMS];
    struct cell_map map;
    struct rng rng;
    rng_init(&rng, 8);
    assert_int_equal(cell_map_init(&map), ERR_OK);
    for (int i = 0; i < 300000; i++) {
        uint32_t node = (uint32_t)rng_below(&rng, NODES);
        uint32_t item = (uint32_t)rng_below(&rng, ITEMS);
        int64_t delta = (int64_t)rng_below(&rng, 9) - 4;
        sums[node][item] += delta;
        cell_map_at(&map, node, item)->on_hand += delta;
    }
    for (uint32_t node = 0; node < NODES; node++) {
        for (uint32_t item = 0; item < ITEMS; item++) {
            const struct cell_sums *found = cell_map_find(&map, node, item);
            assert_true((found == NULL ? 0 : found->on_hand) == sums[node][item]);
        }
    }
    cell_map_close(&map);
}

/* Objectives are read with their units, and what is no objective is refused. */
static void slo_is_read(void **state)
{
    (void)state;
    struct slo slo;
    assert_int_equal(slo_parse(&slo, "p99<5ms,p99.9<700us,max<1s,refused<2%,rate>300000"), ERR_OK);
    assert_int_equal(slo.count, 5);
    assert_true(slo.clauses[0].metric == SLO_P99 && slo.clauses[0].bound == 5);
    assert_true(slo.clauses[1].metric == SLO_P999 && slo.clauses[1].bound == 0.7);
    assert_true(slo.clauses[2].bound == 1000);
    assert_true(slo.clauses[3].bound == 0.02);
    assert_true(!slo.clauses[4].is_below && slo.clauses[4].bound == 300000);
    static const char *const wrong[] = {"p99", "p98<1ms", "p99<5", "p99<ms", "rate>5ms", "late<1"};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        assert_int_equal(slo_parse(&slo, wrong[i]), ERR_INVALID);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(route_reply_is_read),
        cmocka_unit_test(whole_order_is_one_word),
        cmocka_unit_test(other_quantity_is_seen),
        cmocka_unit_test(cut_reply_is_refused),
        cmocka_unit_test(damaged_reply_does_no_harm),
        cmocka_unit_test(error_is_read),
        cmocka_unit_test(request_is_a_frame),
        cmocka_unit_test(ledger_round_trip),
        cmocka_unit_test(cut_ledger_is_refused),
        cmocka_unit_test(cell_map_is_a_map),
        cmocka_unit_test(slo_is_read),
    };
    return cmocka_run_group_tests(tests, make_nodes, free_nodes);
}
