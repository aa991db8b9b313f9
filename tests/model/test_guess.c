/* Model test of batches: guesses made beforehand, then confirmed in order while stock falls and
 * rises, give exactly what deciding one at a time gives.
 *
 * Usage: test_guess [seed [rounds]]; a failure prints the command that replays it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "world.h"

enum { NODES = 300, ITEMS = 12, LINES = 3, BATCH_MAX = 64 };

struct order {
    struct route_line lines[LINES];
    struct route_request request;
    struct route_guess guess;
};

static struct rng rng;
static struct world world;
static uint64_t seed;
static uint32_t round_now;
static uint64_t stood, fell, void_ones;

static uint32_t draw(uint32_t bound)
{
    return (uint32_t)rng_below(&rng, bound);
}

static void fail(const char *what)
{
    fprintf(stderr, "%s\nreplay: test_guess %llu 1\n", what,
            (unsigned long long)(seed + round_now * 1000003u));
    exit(1);
}

static void draw_world(void)
{
    bool has_priorities = draw(3) == 0;
    world_init(&world, 100);
    for (uint32_t i = 0; i < NODES; i++) {
        char id[16];
        struct node_config config =
            world_config(NODE_STORE, 25 + 24 * rng_unit(&rng), -124 + 57 * rng_unit(&rng));
        config.priority = has_priorities ? (int32_t)draw(3) : 0;
        config.safety_stock = draw(4) == 0;
        snprintf(id, sizeof id, "n%u", i);
        world_node(&world, id, &config);
    }
    world_layout(&world);
    for (uint32_t item = 0; item < ITEMS; item++) {
        char id[16];
        double density = item % 2 ? 0.6 : 0.05;
        snprintf(id, sizeof id, "i%u", item);
        world_item(&world, id);
        for (uint32_t node = 0; node < NODES; node++) {
            if (rng_unit(&rng) < density) {
                world_stock(&world, item, (uint16_t)node, (int32_t)(draw(4) * draw(12)), 0);
            }
        }
    }
}

static void draw_order(struct order *order)
{
    bool is_odd = draw(10) == 0; /* not of the common case: two services */
    order->request = (struct route_request){.lines = order->lines,
                                            .line_count = 1 + draw(LINES),
                                            .has_dest = true,
                                            .dest = geo_point(25 + 24 * rng_unit(&rng), -100),
                                            .country = "",
                                            .postcode = "",
                                            .max_splits = ROUTE_NO_LIMIT,
                                            .max_m = ROUTE_NO_LIMIT,
                                            .allow_partial = draw(4) == 0};
    for (uint32_t i = 0; i < LINES; i++) {
        order->lines[i] =
            (struct route_line){draw(ITEMS), 1 + draw(2), SERVICE_STANDARD, NODE_NONE, 0};
    }
    order->lines[LINES - 1].service = is_odd ? SERVICE_PICKUP : SERVICE_STANDARD;
}

/* What route_decide says, copied, as answers live until the next call. */
struct copy {
    struct route_answer answer;
    struct route_part parts[ROUTE_PARTS_MAX];
    struct route_share shares[ROUTE_SHARES_MAX];
};

static void copy_answer(struct copy *copy, const struct route_answer *answer)
{
    copy->answer = *answer;
    memcpy(copy->parts, answer->parts, answer->part_count * sizeof *answer->parts);
    memcpy(copy->shares, answer->shares, answer->share_count * sizeof *answer->shares);
}

static void compare(const struct copy *wanted, const struct route_answer *answer)
{
    const struct route_answer *full = &wanted->answer;
    if (full->status != answer->status || full->part_count != answer->part_count ||
        full->share_count != answer->share_count || full->total_m != answer->total_m ||
        full->is_optimal != answer->is_optimal) {
        fail("a confirmed guess is not the decision");
    }
    for (uint32_t i = 0; i < full->part_count; i++) {
        const struct route_part *a = &wanted->parts[i];
        const struct route_part *b = &answer->parts[i];
        if (a->node != b->node || a->metres != b->metres || a->way != b->way ||
            a->service != b->service || a->cost_cents != b->cost_cents) {
            fail("a confirmed guess has another part");
        }
    }
    for (uint32_t i = 0; i < full->share_count; i++) {
        const struct route_share *a = &wanted->shares[i];
        const struct route_share *b = &answer->shares[i];
        if (a->part != b->part || a->line != b->line || a->qty != b->qty) {
            fail("a confirmed guess has another share");
        }
    }
}

static bool is_void(const struct order *order, const bool *raised)
{
    for (uint32_t i = 0; i < order->request.line_count; i++) {
        if (raised[order->lines[i].item]) {
            return true;
        }
    }
    return false;
}

static void apply(const struct order *order, const bool *raised)
{
    static struct copy wanted;
    struct route_answer answer;
    route_decide(world.route, &world.view, &order->request, &answer);
    copy_answer(&wanted, &answer);
    if (is_void(order, raised)) {
        void_ones++;
    } else if (route_confirm(world.route, &world.view, &order->request, &order->guess, &answer)) {
        compare(&wanted, &answer);
        stood++;
    } else {
        fell++;
    }
    route_decide(world.route, &world.view, &order->request, &answer);
    compare(&wanted, &answer);
    world_apply(&world, &order->request, &answer);
}

static void raise(bool *raised)
{
    uint32_t item = draw(ITEMS);
    uint16_t node = (uint16_t)draw(NODES);
    const struct row *row = world.catalogue.items[item].row;
    if (row_find(row, world.network.nodes[node].slot) >= 0) {
        world_stock(&world, item, node, (int32_t)draw(6), 0);
        raised[item] = true;
    }
}

static void run_batch(uint32_t count)
{
    static struct order orders[BATCH_MAX];
    bool raised[ITEMS] = {false};
    for (uint32_t i = 0; i < count; i++) {
        draw_order(&orders[i]);
        const struct route_request *request = &orders[i].request;
        route_prefetch(world.route, &world.view, request->lines, request->line_count,
                       &request->dest);
        route_prefetch_rows(world.route, &world.view, request->lines, request->line_count,
                            &request->dest);
        route_guess(world.route, &world.view, request, &orders[i].guess);
        route_guess_prefetch_places(&world.view, request->lines, request->line_count,
                                    &orders[i].guess);
        route_guess_prefetch(&world.view, request->lines, request->line_count, &orders[i].guess);
    }
    for (uint32_t i = 0; i < count; i++) {
        apply(&orders[i], raised);
        if (draw(16) == 0) {
            raise(raised);
        }
    }
}

int main(int argc, char **argv)
{
    static const uint32_t sizes[] = {1, 2, 7, BATCH_MAX};
    seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261122;
    uint32_t rounds = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 20;
    printf("seed %llu, %u rounds\n", (unsigned long long)seed, rounds);
    for (round_now = 0; round_now < rounds; round_now++) {
        rng_init(&rng, seed + round_now * 1000003u);
        draw_world();
        for (uint32_t i = 0; i < 40; i++) {
            run_batch(sizes[draw(4)]);
        }
        world_close(&world);
    }
    printf("%llu guesses stood, %llu fell, %llu were void\n", (unsigned long long)stood,
           (unsigned long long)fell, (unsigned long long)void_ones);
    return !stood || !fell || !void_ones;
}
