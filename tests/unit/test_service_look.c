/* stock.get on its quick way and on the general one: `holds: false` takes the general one and asks
 * the same. Their bytes are held against each other, in batches with changes in between. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "look.h"
#include "rng.h"
#include "service_harness.h"

enum { NODES = 60, ITEMS = 24, STOCKED = 20, ROUNDS = 100, ASKED = 70 };

static int setup(void **state)
{
    struct harness *harness = malloc(sizeof *harness);
    struct rng rng;
    assert_non_null(harness);
    rng_init(&rng, 5);
    harness_open(harness);
    for (uint32_t node = 0; node < NODES; node++) {
        harness_do(harness, "node.put",
                   "{'node':'%s%u','type':'store','lat':%u,'lon':-90,'safety_stock':%u}",
                   node % 3 ? "n" : "a-node-whose-name-takes-more-than-a-line", node, 20 + node / 3,
                   node % 4);
    }
    for (uint32_t item = 0; item < ITEMS; item++) {
        harness_do(harness, "item.put", "{'item':'i%u'}", item);
        for (uint32_t node = 1; item < STOCKED && node < NODES; node++) {
            if (node % 3 && rng_below(&rng, 2 + item % 3 * 10) == 0) { /* both kinds of rows */
                harness_do(harness, "stock.set", "{'item':'i%u','node':'n%u','on_hand':%u}", item,
                           node, (uint32_t)rng_below(&rng, 300));
            }
        }
    }
    harness_do(harness, "stock.set", "{'item':'i1','node':'n1','on_hand':50}");
    harness_do(harness, "stock.policy", "{'item':'i1','node':'n1','safety_stock':9}");
    harness_do(harness, "stock.policy", "{'item':'i2','node':'n2','listed':false}");
    harness_do(harness, "stock.policy", "{'item':'i3','node':'n4','quotas':{'app':4}}");
    harness_do(harness, "item.put", "{'item':'kit','components':[{'item':'i1','qty':2}]}");
    *state = harness;
    return 0;
}

static int teardown(void **state)
{
    harness_close(*state);
    free(*state);
    return 0;
}

/* The bytes behind the message id, which the two asks do not share. */
static void same_answers(struct harness *harness, uint32_t quick, uint32_t general)
{
    uint32_t size, other_size;
    uint8_t *bytes = harness_take_bytes(harness, quick, &size);
    uint8_t *other = harness_take_bytes(harness, general, &other_size);
    struct reader reader;
    for (int i = 0; i < 2; i++) {
        uint8_t **at = i ? &other : &bytes;
        uint32_t *left = i ? &other_size : &size;
        struct frame_head head;
        assert_true(frame_head_read(*at, *left, &head));
        reader_init(&reader, head.params, head.params_size);
        memmove(*at, head.params, head.params_size);
        *left = head.params_size;
    }
    assert_int_equal(size, other_size);
    assert_memory_equal(bytes, other, size);
    free(bytes);
    free(other);
}

static void pair_stage(struct harness *harness, const char *item, const char *node,
                       uint32_t pair[2])
{
    pair[0] = harness_stage(harness, 0, "stock.get", "{'item':'%s','node':'%s'}", item, node);
    pair[1] = harness_stage(harness, 1, "stock.get", "{'node':'%s','holds':false,'item':'%s'}",
                            node, item);
}

static void name_draw(struct rng *rng, char item[8], char node[64])
{
    static const char *const odd[] = {"kit", "no", "i99"};
    uint32_t drawn = (uint32_t)rng_below(rng, ITEMS + 3);
    uint32_t at = (uint32_t)rng_below(rng, NODES + 1);
    snprintf(item, 8, "i%u", drawn);
    if (drawn >= ITEMS) {
        snprintf(item, 8, "%s", odd[drawn - ITEMS]);
    }
    snprintf(node, 64, "%s%u", at % 3 ? "n" : "a-node-whose-name-takes-more-than-a-line", at);
}

/* Something that changes what the reads around it tell, in the same batch. */
static uint32_t change_stage(struct harness *harness, struct rng *rng, uint32_t round)
{
    uint32_t item = (uint32_t)rng_below(rng, STOCKED);
    uint32_t node = 1 + 3 * (uint32_t)rng_below(rng, NODES / 3);
    if (round % 3 == 0) {
        return harness_stage(harness, 0, "order.route",
                             "{'order_id':'o%u','lines':[{'item':'i%u','qty':1}],'service':"
                             "'standard','dest':{'lat':30,'lon':-90}}", round, item);
    }
    if (round % 3 == 1) {
        return harness_stage(harness, 0, "stock.policy",
                             "{'item':'i%u','node':'n%u','safety_stock':%u}", item, node,
                             round % 7);
    }
    return harness_stage(harness, 0, "stock.adjust", "{'item':'i%u','node':'n%u','delta':%u}",
                         item, node, round % 5);
}

static void cells_are_told_alike(void **state)
{
    struct harness *harness = *state;
    struct rng rng;
    char item[8];
    char node[64];
    uint32_t pairs[ASKED][2];
    uint32_t changes[ASKED];
    rng_init(&rng, 77);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        for (uint32_t i = 0; i < ASKED; i++) {
            name_draw(&rng, item, node);
            changes[i] = change_stage(harness, &rng, round * ASKED + i);
            pair_stage(harness, item, node, pairs[i]);
        }
        harness_run(harness);
        for (uint32_t i = 0; i < ASKED; i++) {
            same_answers(harness, pairs[i][0], pairs[i][1]);
            harness_drop(harness_take(harness, changes[i]));
        }
    }
}

/* What was not known when the batch was staged, or was no kit then. */
static void names_of_the_same_batch_are_known(void **state)
{
    struct harness *harness = *state;
    uint32_t pairs[3][2];
    uint32_t puts[3];
    pair_stage(harness, "fresh", "n1", pairs[0]);
    puts[0] = harness_stage(harness, 0, "item.put", "{'item':'fresh'}");
    pair_stage(harness, "fresh", "n1", pairs[1]);
    puts[1] = harness_stage(harness, 0, "item.put",
                            "{'item':'fresh','components':[{'item':'i1','qty':3}]}");
    pair_stage(harness, "fresh", "n1", pairs[2]);
    puts[2] = harness_stage(harness, 0, "stock.get", "{'item':'fresh','node':'n1'}");
    harness_run(harness);
    for (int i = 0; i < 3; i++) {
        same_answers(harness, pairs[i][0], pairs[i][1]);
    }
    json_t *kit = harness_take(harness, puts[2]);
    assert_true(harness_has(kit, "components"));
    harness_drop(kit);
    harness_drop(harness_take(harness, puts[0]));
    harness_drop(harness_take(harness, puts[1]));
}

/* Extremes of every number, which is what the room of an answer is made for. */
static void largest_answers_fit(void **state)
{
    struct harness *harness = *state;
    uint32_t pair[2];
    harness_do(harness, "node.put", "{'node':'big','type':'store','lat':1,'lon':1,"
                                    "'safety_stock':1000000}");
    for (int i = 0; i < 2; i++) {
        harness_do(harness, "stock.adjust", "{'item':'i5','node':'big','delta':%s1000000000}",
                   i ? "-" : "");
        harness_do(harness, "stock.adjust", "{'item':'i5','node':'big','delta':%s1000000000}",
                   i ? "-" : "");
        pair_stage(harness, "i5", "big", pair);
        harness_run(harness);
        same_answers(harness, pair[0], pair[1]);
    }
    struct writer writer;
    uint8_t bytes[512];
    writer_init(&writer, bytes, sizeof bytes);
    look_write(&writer, cell_make(-CELL_ON_HAND_MAX, CELL_RESERVED_MAX, false), TIME_MAX_MS,
               1000000, UINT64_MAX);
    assert_false(writer.is_full);
    assert_true(writer_size(&writer) <= LOOK_REPLY_MAX);
}

/* Bytes, not JSON: what is no plain read, each cut short everywhere too. */
static void other_shapes_are_left(void **state)
{
    static const char *const plain = "\x91\x82\xa4item\xa2i1\xa4node\xa2n1";
    static const char *const others[] = {
        "\x91\x82\xa4item\xa2i1\xa4item\xa2n1", "\x91\x82\xa4item\xa0\xa4node\xa2n1",
        "\x91\x81\xa4item\xa2i1", "\x91\x82\xa4item\x05\xa4node\xa2n1",
        "\x91\x82\xa4item\xa2i\xc3\xa4node\xa2n1", "\x91\x82\xa4itex\xa2i1\xa4node\xa2n1",
        "\x91\x82\xa4item\xa2i1\xa5nodes\xa2n1", "\x92\x82\xa4item\xa2i1\xa4node\xa2n1",
        "\x91\x82\xa4item\xa2i1\xa4node\xa2n1x"};
    struct look look;
    (void)state;
    uint32_t size = (uint32_t)strlen(plain);
    assert_true(look_read((const uint8_t *)plain, size, &look));
    assert_int_equal(look.item.len, 2);
    assert_memory_equal(look.node.at, "n1", 2);
    for (uint32_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, plain, cut);
        assert_false(look_read(copy, cut, &look));
        free(copy);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        assert_false(look_read((const uint8_t *)others[i], (uint32_t)strlen(others[i]), &look));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(cells_are_told_alike, setup, teardown),
        cmocka_unit_test_setup_teardown(names_of_the_same_batch_are_known, setup, teardown),
        cmocka_unit_test_setup_teardown(largest_answers_fit, setup, teardown),
        cmocka_unit_test(other_shapes_are_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
