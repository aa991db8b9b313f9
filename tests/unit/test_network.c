/* Properties of nodes, bitmaps, areas, policies, places. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "gazetteer.h"
#include "network.h"
#include "policy.h"
#include "rng.h"

static struct node_config config_at(double lat, double lon)
{
    struct node_config config = {.type = NODE_STORE, .lat = lat, .lon = lon, .services = 0x17};
    for (int i = 0; i < SERVICE_COUNT; i++) {
        config.max_m[i] = UINT32_MAX;
    }
    return config;
}

static bool bit(const slot_bits *bits, uint32_t slot)
{
    return bits[slot / 64] >> (slot % 64) & 1;
}

/* Every bitmap says of every node what its config says; every node lies in its word's cap. */
static void check(const struct network *network)
{
    for (uint32_t i = 0; i < network->count; i++) {
        const struct node *node = &network->nodes[i];
        uint32_t slot = node->slot;
        assert_int_equal(network->node_of_slot[slot], i);
        assert_true(bit(network->used, slot));
        for (int s = 0; s < SERVICE_COUNT; s++) {
            assert_int_equal(bit(network->eligible[s], slot), node_offers(node, (enum service)s));
        }
        for (int t = 0; t < NODE_TYPE_COUNT; t++) {
            assert_int_equal(bit(network->of_type[t], slot), (int)node->config.type == t);
        }
        for (uint32_t c = 0; network->has_classes && c < network->class_count; c++) {
            assert_int_equal(bit(network->class_bits[c], slot),
                             network->class_priority[c] == node->config.priority);
        }
        double dx = (double)network->cap_x[slot / 64] - node->point.x;
        double dy = (double)network->cap_y[slot / 64] - node->point.y;
        double dz = (double)network->cap_z[slot / 64] - node->point.z;
        double chord = sqrt(dx * dx + dy * dy + dz * dz);
        assert_true(chord <= (double)network->cap_radius[slot / 64]);
    }
}

/* Bitmaps and caps follow every put, move, change of status and fresh layout. */
static void bitmaps_follow_changes(void **state)
{
    (void)state;
    struct network network;
    struct rng rng;
    rng_init(&rng, 21);
    assert_int_equal(network_init(&network), 0);
    for (int i = 0; i < 3000; i++) {
        char id[16];
        uint16_t handle;
        double lat = rng_unit(&rng) * 120 - 60;
        struct node_config config = config_at(lat, rng_unit(&rng) * 300 - 150);
        config.type = (enum node_type)rng_below(&rng, NODE_TYPE_COUNT);
        config.status = (enum node_status)rng_below(&rng, NODE_STATUS_COUNT);
        config.status_services = (uint8_t)rng_below(&rng, 32);
        config.priority = (int32_t)rng_below(&rng, i < 1500 ? 4 : 20);
        config.max_m[SERVICE_SAME_DAY] = rng_below(&rng, 2) ? 20000 : UINT32_MAX;
        int len = snprintf(id, sizeof id, "n%u", (unsigned)rng_below(&rng, 900));
        assert_int_equal(network_put(&network, id, (uint32_t)len, &config, &handle), 0);
        assert_int_equal(network_find(&network, id, (uint32_t)len), handle);
        if (i % 500 == 499) {
            check(&network);
        }
        if (i % 1000 == 999) {
            network_layout(&network, NULL);
            check(&network);
        }
    }
    assert_int_equal(network_find(&network, "nobody", 6), NODE_NONE);
    network_close(&network);
}

/* Which nodes serve a destination equals each node's own rules, longest match first. */
static void serving_equals_rules(void **state)
{
    (void)state;
    static const char *const texts[] = {"US", "US:9", "US:90", "US:902", "CA", "CA:M5", "US:1"};
    static const char *const postcodes[] = {"90210", "91000", "10001", "M5V", "", "9"};
    struct network network;
    struct rng rng;
    slot_bits scratch[WORD_MAX_NETWORK];
    rng_init(&rng, 22);
    assert_int_equal(network_init(&network), 0);
    for (int i = 0; i < 400; i++) {
        struct area areas[7] = {0};
        char id[16];
        uint16_t handle;
        uint32_t count = (uint32_t)rng_below(&rng, 4);
        struct node_config config = config_at(10, i % 90);
        for (uint32_t a = 0; a < count; a++) {
            const char *text = texts[(i + (int)a * 2) % 7];
            areas[a].is_out = rng_below(&rng, 2);
            areas[a].len = (uint8_t)strlen(text);
            memcpy(areas[a].text, text, areas[a].len);
        }
        config.serves = areas;
        config.serves_count = count;
        int len = snprintf(id, sizeof id, "n%d", i % 300);
        assert_int_equal(network_put(&network, id, (uint32_t)len, &config, &handle), 0);
    }
    for (int p = 0; p < 12; p++) {
        const char *country = p % 2 ? "US" : "CA";
        const char *postcode = postcodes[p / 2];
        const slot_bits *bits = network_serving(&network, p == 4 ? "" : country, postcode, scratch);
        assert_non_null(bits);
        for (uint32_t i = 0; i < network.count; i++) {
            const struct node *node = &network.nodes[i];
            assert_int_equal(bit(bits, node->slot),
                             areas_hold(node->config.serves, node->config.serves_count,
                                        p == 4 ? "" : country, postcode));
        }
    }
    network_close(&network);
}

/* 1,000 areas of node i, of which 100 the node before it names too; every tenth is taken out. */
static void areas_fill(struct area *areas, int i)
{
    for (int a = 0; a < NODE_AREAS_MAX; a++) {
        char text[AREA_TEXT_MAX + 1];
        memset(&areas[a], 0, sizeof areas[a]); /* what is compared and hashed whole */
        areas[a].len = (uint8_t)snprintf(text, sizeof text, "US:%05d", i * 900 + a);
        areas[a].is_out = a % 10 == 3;
        memcpy(areas[a].text, text, areas[a].len);
    }
}

/* What is made ready in pieces beforehand, in an index that grows several times, changes no
 * answer, and a put that finds it ready makes nothing more. */
static void areas_made_ready_change_nothing(void **state)
{
    (void)state;
    enum { NODES = 40 };
    static struct area areas[NODE_AREAS_MAX];
    static slot_bits scratch[WORD_MAX_NETWORK];
    struct network network;
    uint32_t pieces = 0;
    assert_int_equal(network_init(&network), 0);
    for (int i = 0; i < NODES; i++) {
        struct node_config config = config_at(i, 2 * i);
        const struct geo_point point = geo_point(i, 2 * i);
        char id[16];
        uint16_t handle = NODE_NONE;
        const int len = snprintf(id, sizeof id, "n%d", i);
        areas_fill(areas, i);
        for (int part = 0; i % 2 == 0 && part < 10; part++) {
            while (!network_areas_grow(&network, 100, 64)) {
                pieces++;
            }
            assert_true(network_areas_ready(&network, handle, &point, areas + part * 100, 100));
        }
        config.serves = areas;
        config.serves_count = NODE_AREAS_MAX;
        assert_int_equal(network_put(&network, id, (uint32_t)len, &config, &handle), 0);
        assert_true(network_areas_grow(&network, 0, 0)); /* none is left half done */
    }
    assert_true(pieces > 4096 / 64);
    for (int p = 0; p < NODES * 900; p += 271) {
        char postcode[8];
        snprintf(postcode, sizeof postcode, "%05d", p);
        const slot_bits *bits = network_serving(&network, "US", postcode, scratch);
        for (uint32_t i = 0; i < network.count; i++) {
            const struct node_config *config = &network.nodes[i].config;
            assert_int_equal(bit(bits, network.nodes[i].slot),
                             areas_hold(config->serves, config->serves_count, "US", postcode));
        }
    }
    network_close(&network);
}

/* Without any rule everybody serves everywhere, at no cost. */
static void serving_is_free_without_rules(void **state)
{
    (void)state;
    struct network network;
    slot_bits scratch[WORD_MAX_NETWORK];
    assert_int_equal(network_init(&network), 0);
    assert_null(network_serving(&network, "US", "90210", scratch));
    network_close(&network);
}

/* All 65,535 nodes fit, one more is refused. */
static void network_limit(void **state)
{
    (void)state;
    struct network network;
    struct node_config config = config_at(0, 0);
    uint16_t handle;
    char id[16];
    assert_int_equal(network_init(&network), 0);
    for (int i = 0; i < NODE_MAX; i++) {
        int len = snprintf(id, sizeof id, "n%d", i);
        config.lat = i % 170 - 85;
        config.lon = i / 170 % 350 - 175;
        assert_int_equal(network_put(&network, id, (uint32_t)len, &config, &handle), 0);
    }
    assert_int_equal(network_put(&network, "more", 4, &config, &handle), ERR_FULL);
    network_layout(&network, NULL);
    check(&network);
    network_close(&network);
}

/* Overrides are found exactly while they are set, through growth and removal. */
static void policies_match_oracle(void **state)
{
    (void)state;
    enum { CELLS = 400 };
    struct policies policies;
    struct policy oracle[CELLS] = {{0}};
    struct rng rng;
    rng_init(&rng, 23);
    policies_init(&policies);
    for (int i = 0; i < 20000; i++) {
        uint32_t cell = (uint32_t)rng_below(&rng, CELLS);
        struct policy policy = {rng_below(&rng, 2), rng_below(&rng, 2), 5, QUOTA_NONE, 0};
        assert_int_equal(policies_set(&policies, cell / 7, (uint16_t)(cell % 7), &policy), 0);
        oracle[cell] = policy;
        cell = (uint32_t)rng_below(&rng, CELLS);
        const struct policy *found = policies_find(&policies, cell / 7, (uint16_t)(cell % 7));
        assert_int_equal(found != NULL, oracle[cell].has_safety || oracle[cell].is_unlisted);
        if (found) {
            assert_int_equal(found->is_unlisted, oracle[cell].is_unlisted);
        }
    }
    policies_close(&policies);
}

/* A postcode is found by its longest loaded prefix, in its own country only. */
static void gazetteer_longest_prefix(void **state)
{
    (void)state;
    struct gazetteer gazetteer;
    struct geo_point point;
    char code[POSTCODE_MAX + 1];
    bool has_old;
    double lat;
    double lon;
    gazetteer_init(&gazetteer);
    assert_int_equal(gazetteer_put(&gazetteer, "US", "902", 1, 1, &has_old, &lat, &lon), 0);
    assert_int_equal(gazetteer_put(&gazetteer, "US", "90210", 2, 2, &has_old, &lat, &lon), 0);
    assert_false(has_old);
    assert_int_equal(gazetteer_put(&gazetteer, "US", "902", 3, 3, &has_old, &lat, &lon), 0);
    assert_true(has_old && lat == 1.0);
    assert_true(gazetteer_find(&gazetteer, "US", "90210", &point));
    assert_true(fabs(point.z - sin(2 * M_PI / 180)) < 1e-12);
    assert_true(gazetteer_find(&gazetteer, "US", "90299", &point));
    assert_true(fabs(point.z - sin(3 * M_PI / 180)) < 1e-12);
    assert_false(gazetteer_find(&gazetteer, "US", "80299", &point));
    assert_false(gazetteer_find(&gazetteer, "CA", "90210", &point));
    assert_true(postcode_normalise("sw1a-1 aa", 9, code));
    assert_string_equal(code, "SW1A1AA");
    assert_false(postcode_normalise(" -", 2, code));
    assert_false(postcode_normalise("12345678901234567", 17, code));
    gazetteer_close(&gazetteer);
}

static void place_count(void *owner, const struct gazetteer_place *place)
{
    uint32_t *seen = owner;
    const uint32_t number = (uint32_t)strtoul(place->postcode, NULL, 10);
    assert_true(place->lat == number % 90 && place->lon == number % 180);
    assert_string_equal(place->country, "US");
    seen[number]++;
}

/* Each place is found, and walked over once, also when the index grew twice. */
static void gazetteer_grows(void **state)
{
    (void)state;
    enum { PLACES = 70000 };
    struct gazetteer gazetteer;
    struct geo_point point;
    char code[POSTCODE_MAX + 1];
    bool has_old;
    double lat;
    double lon;
    uint32_t *seen = calloc(PLACES, sizeof *seen);
    gazetteer_init(&gazetteer);
    for (uint32_t i = 0; i < 2 * PLACES; i++) {
        const uint32_t number = i % PLACES;
        snprintf(code, sizeof code, "%06u", number);
        assert_int_equal(gazetteer_put(&gazetteer, "US", code, number % 90, number % 180, &has_old,
                                       &lat, &lon),
                         0);
        assert_int_equal(has_old, i >= PLACES);
    }
    gazetteer_walk(&gazetteer, place_count, seen);
    for (uint32_t i = 0; i < PLACES; i++) {
        snprintf(code, sizeof code, "%06u77", i);
        assert_true(gazetteer_find(&gazetteer, "US", code, &point));
        assert_true(fabs(point.z - sin(i % 90 * M_PI / 180)) < 1e-12);
        assert_int_equal(seen[i], 1);
    }
    assert_false(gazetteer_find(&gazetteer, "US", "070000", &point));
    assert_int_equal(gazetteer.count, PLACES);
    gazetteer_close(&gazetteer);
    free(seen);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bitmaps_follow_changes),        cmocka_unit_test(serving_equals_rules),
        cmocka_unit_test(serving_is_free_without_rules), cmocka_unit_test(network_limit),
        cmocka_unit_test(policies_match_oracle),         cmocka_unit_test(gazetteer_longest_prefix),
        cmocka_unit_test(gazetteer_grows),
        cmocka_unit_test(areas_made_ready_change_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
