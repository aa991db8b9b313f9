/* bench_rules: shipments, km and unfilled units of published rules, of ours and of the exact
 * optimum, on the same baskets and stock. One line of JSON. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "quality_draw.h"
#include "rules.h"
#include "world.h"

enum {
    ITEMS_SHORT = 12,       /* up to so many the exact optimum is asked for */
    STEPS_EXACT = 20000000, /* what is not proved by then is left out of the comparison */
    RULES = 5
};

struct tally {
    uint64_t baskets, shipments, metres, unfilled, refused;
};

/* One basket made ready for all. */
struct prepared {
    struct rule_basket basket;
    uint32_t item[RULE_LINES_MAX], qty[RULE_LINES_MAX];
    struct route_line lines[RULE_LINES_MAX];
    struct geo_point dest;
    uint32_t *by_metres, *by_id, *metres;
};

static const struct {
    const char *name;
    rule *decide;
} rules[RULES] = {{"magento_distance", rule_magento},
                  {"solidus_default_first", rule_solidus},
                  {"spree_prioritizer", rule_spree},
                  {"saleor_sort_order", rule_saleor_order},
                  {"saleor_high_stock", rule_saleor_high}};

static struct world world;
static struct geo_point *sites;
static struct prepared prepared;
static struct rule_plan plan;

/* [all, up to 12 items][rules, ours, exact] */
static struct tally tallies[2][RULES + 2];
static uint64_t unproved;

static void *must(void *memory)
{
    CHECK(memory);
    return memory;
}

static void nodes_make(const struct quality_draw *draw, uint32_t sources)
{
    sites = must(calloc(sources, sizeof *sites));
    for (uint32_t i = 0; i < sources; i++) {
        char id[16];
        struct quality_site site = quality_draw_site(draw, i);
        struct node_config config =
            world_config(site.is_warehouse ? NODE_WAREHOUSE : NODE_STORE, site.lat, site.lon);
        snprintf(id, sizeof id, "s%05u", i);
        world_node(&world, id, &config);
        sites[i] = geo_point(site.lat, site.lon);
        prepared.by_id[i] = i;
    }
    network_layout(&world.network, NULL);
}

static void world_make(const struct quality_draw *draw)
{
    uint32_t items = quality_draw_items(draw);
    uint32_t sources = quality_draw_sites(draw);
    int32_t *units = must(calloc((size_t)items * sources, sizeof *units));
    prepared.by_id = must(calloc(sources, sizeof *prepared.by_id));
    prepared.by_metres = must(calloc(sources, sizeof *prepared.by_metres));
    prepared.metres = must(calloc(sources, sizeof *prepared.metres));
    plan.is_used = must(calloc(sources, sizeof *plan.is_used));
    world_init(&world, items);
    nodes_make(draw, sources);
    for (uint32_t item = 0; item < items; item++) {
        char id[16];
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
        for (uint32_t i = 0; i < sources; i++) {
            uint32_t held = quality_draw_units(draw, i, item);
            units[(size_t)item * sources + i] = (int32_t)held;
            if (held > 0) {
                world_stock(&world, item, (uint16_t)i, (int32_t)held, 0);
            }
        }
    }
    prepared.basket = (struct rule_basket){0, prepared.item, prepared.qty, sources,
                                           prepared.by_metres, prepared.by_id, units};
}

static int by_metres(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a;
    uint32_t y = *(const uint32_t *)b;
    if (prepared.metres[x] != prepared.metres[y]) {
        return prepared.metres[x] < prepared.metres[y] ? -1 : 1;
    }
    return x < y ? -1 : x > y;
}

/* Lines of one item are added up: the rules know quantities of items. */
static void basket_merge(const struct quality_order *order)
{
    struct rule_basket *basket = &prepared.basket;
    basket->lines = 0;
    for (uint32_t i = 0; i < order->count; i++) {
        uint32_t at = 0;
        while (at < basket->lines && prepared.item[at] != order->item[i]) {
            at++;
        }
        if (at == basket->lines) {
            prepared.item[basket->lines++] = order->item[i];
            prepared.qty[at] = 0;
        }
        prepared.qty[at] += order->qty[i];
    }
}

static void basket_prepare(const struct quality_order *order)
{
    struct rule_basket *basket = &prepared.basket;
    basket_merge(order);
    prepared.dest = geo_point(order->lat, order->lon);
    for (uint32_t i = 0; i < basket->sources; i++) {
        prepared.metres[i] = geo_metres(&prepared.dest, &sites[i]);
        prepared.by_metres[i] = i;
    }
    qsort(prepared.by_metres, basket->sources, sizeof *prepared.by_metres, by_metres);
}

static void add(uint32_t who, uint64_t shipments, uint64_t metres, uint64_t unfilled,
                bool is_refused)
{
    for (uint32_t part = 0; part < (prepared.basket.lines <= ITEMS_SHORT ? 2 : 1); part++) {
        struct tally *tally = &tallies[part][who];
        tally->baskets++;
        tally->shipments += shipments;
        tally->metres += metres;
        tally->unfilled += unfilled;
        tally->refused += is_refused;
    }
}

static void run_rule(uint32_t which)
{
    uint64_t shipments = 0;
    uint64_t metres = 0;
    memset(plan.is_used, 0, prepared.basket.sources * sizeof *plan.is_used);
    plan.unfilled = 0;
    plan.is_refused = false;
    rules[which].decide(&prepared.basket, &plan);
    for (uint32_t i = 0; i < prepared.basket.sources; i++) {
        shipments += plan.is_used[i];
        metres += plan.is_used[i] ? prepared.metres[i] : 0;
    }
    add(which, shipments, metres, plan.unfilled, plan.is_refused);
}

static struct route_answer decide(void)
{
    struct route_answer answer;
    for (uint32_t i = 0; i < prepared.basket.lines; i++) {
        prepared.lines[i] = (struct route_line){prepared.item[i], prepared.qty[i],
                                                SERVICE_STANDARD, NODE_NONE, 0};
    }
    struct route_request request = {.lines = prepared.lines,
                                    .line_count = prepared.basket.lines,
                                    .has_dest = true,
                                    .dest = prepared.dest,
                                    .country = "US",
                                    .postcode = "",
                                    .max_splits = ROUTE_NO_LIMIT,
                                    .max_m = ROUTE_NO_LIMIT,
                                    .allow_partial = true};
    route_decide(world.route, &world.view, &request, &answer);
    return answer;
}

static uint64_t unfilled_of(const struct route_answer *answer)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        sum += answer->unfilled[i].qty;
    }
    return sum;
}

static void run_ours(void)
{
    struct route_answer answer = decide();
    bool is_refused = answer.status == ORDER_REFUSED;
    add(RULES, is_refused ? 0 : answer.part_count, is_refused ? 0 : answer.total_m,
        unfilled_of(&answer), is_refused);
    if (prepared.basket.lines > ITEMS_SHORT) {
        return;
    }
    if (!answer.is_optimal && !is_refused) {
        uint32_t bound = route_steps_max(world.route);
        route_steps_max_set(world.route, STEPS_EXACT);
        answer = decide();
        route_steps_max_set(world.route, bound);
        unproved += !answer.is_optimal;
    }
    add(RULES + 1, is_refused ? 0 : answer.part_count, is_refused ? 0 : answer.total_m,
        unfilled_of(&answer), is_refused);
}

static void report(const char *name, const struct tally *some, uint32_t count)
{
    printf("\"%s\":{", name);
    for (uint32_t who = 0; who < count; who++) {
        const struct tally *tally = &some[who];
        const char *text = who < RULES ? rules[who].name : who == RULES ? "nearshelf" : "exact";
        double per = tally->baskets > 0 ? 10000.0 / (double)tally->baskets : 0;
        printf("%s\"%s\":{\"baskets\":%llu,\"shipments\":%.0f,\"km\":%.0f,\"unfilled\":%.1f,"
               "\"refused\":%.1f}",
               who > 0 ? "," : "", text, (unsigned long long)tally->baskets,
               (double)tally->shipments * per, (double)tally->metres / 1000 * per,
               (double)tally->unfilled * per, (double)tally->refused * per);
    }
    printf("}");
}

int main(int argc, char **argv)
{
    static struct quality_order order;
    bool is_smoke = argc == 2 && strcmp(argv[1], "--smoke") == 0;
    uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 10000;
    const char *data = argc > 1 && !is_smoke ? argv[1] : NULL;
    if (argc > 3 || (argc > 1 && !is_smoke && argv[1][0] == '-')) {
        fputs("usage: bench_rules [DATA_FOLDER [BASKETS]] | --smoke\n"
              "Without real baskets: drawn consumer orders over the drawn network.\n",
              stderr);
        return 2;
    }
    struct quality_draw *draw = quality_draw_open(data != NULL, data, is_smoke ? 100 : 2000, 1);
    if (!draw) {
        return 1;
    }
    world_make(draw);
    for (uint32_t i = 0; i < (is_smoke ? 50 : count); i++) {
        quality_draw_order(draw, i, &order);
        basket_prepare(&order);
        for (uint32_t which = 0; which < RULES; which++) {
            run_rule(which);
        }
        run_ours();
    }
    printf("{\"real\":%s,\"unproved\":%llu,", data ? "true" : "false",
           (unsigned long long)unproved);
    report("all", tallies[0], RULES + 1);
    printf(",");
    report("up_to_12_items", tallies[1], RULES + 2);
    printf("}\n");
    quality_draw_close(draw);
    world_close(&world);
    return 0;
}
