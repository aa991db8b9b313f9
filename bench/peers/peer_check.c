/* The oracle: walks an area's nodes from the nearest on, counting on paper what is left. */
#include "peer_check.h"

#include <stdio.h>
#include <stdlib.h>

#include "check.h"

enum { SHOWN_MAX = 5 };

void peer_check_init(struct peer_check *check, const struct peer_world *world, uint64_t first,
                     uint64_t orders_max)
{
    uint32_t nodes = world->network.count;
    *check = (struct peer_check){.world = world, .first = first, .orders_max = orders_max};
    check->units = calloc((size_t)world->drawn * nodes, sizeof *check->units);
    check->answers = calloc(orders_max, sizeof *check->answers);
    CHECK(check->units);
    CHECK(check->answers);
    for (uint32_t item = 0; item < world->drawn; item++) {
        for (uint32_t node = 0; node < nodes; node++) {
            check->units[item * nodes + node] =
                (int32_t)stock_model_units(&world->model, node, item);
        }
    }
    for (uint64_t i = 0; i < orders_max; i++) {
        check->answers[i].outcome = PEER_END; /* not asked yet */
    }
}

void peer_check_close(struct peer_check *check)
{
    free(check->units);
    free(check->answers);
}

static int32_t *units_at(const struct peer_check *check, uint32_t item, uint32_t node)
{
    return &check->units[item * check->world->network.count + node];
}

/* Rank of the nearest node that has both items; of the one that has the item. Or NONE. */
static uint32_t nearest(const struct peer_check *check, uint32_t area, uint32_t one, uint32_t two)
{
    uint32_t nodes = check->world->network.count;
    const uint16_t *near = &check->world->near[area * nodes];
    for (uint32_t rank = 0; rank < nodes; rank++) {
        if (*units_at(check, one, near[rank]) > 0 && *units_at(check, two, near[rank]) > 0) {
            return rank;
        }
    }
    return UINT32_MAX;
}

static struct peer_answer decide(const struct peer_check *check, const struct peer_order *order)
{
    const uint16_t *near = &check->world->near[order->area * check->world->network.count];
    struct peer_answer answer = {.outcome = PEER_TAKEN};
    uint32_t both = nearest(check, order->area, order->item[0], order->item[1]);
    for (int i = 0; i < 2; i++) {
        uint32_t rank = both != UINT32_MAX
                            ? both
                            : nearest(check, order->area, order->item[i], order->item[i]);
        if (rank == UINT32_MAX) {
            answer.outcome = PEER_REFUSED;
            return answer;
        }
        answer.node[i] = near[rank];
    }
    return answer;
}

static uint32_t metres_to(const struct peer_check *check, uint32_t area, uint16_t node)
{
    uint32_t nodes = check->world->network.count;
    for (uint32_t rank = 0; rank < nodes; rank++) {
        if (check->world->near[area * nodes + rank] == node) {
            return check->world->metres[area * nodes + rank];
        }
    }
    return UINT32_MAX;
}

/* As far as the oracle's node, give or take the slack. */
static bool is_near(const struct peer_check *check, uint32_t area, uint16_t a, uint16_t b)
{
    uint32_t far_a = metres_to(check, area, a);
    uint32_t far_b = metres_to(check, area, b);
    return (far_a > far_b ? far_a - far_b : far_b - far_a) <= check->slack_m;
}

static void show(struct peer_check *check, uint64_t number, const struct peer_answer *wanted,
                 const struct peer_answer *got)
{
    if (check->shown++ < SHOWN_MAX) {
        fprintf(stderr, "order %llu: wanted %d %u %u known %d, got %d %u %u known %d\n",
                (unsigned long long)number, wanted->outcome, wanted->node[0], wanted->node[1],
                wanted->is_known, got->outcome, got->node[0], got->node[1], got->is_known);
    }
}

void peer_check_answer(void *owner, uint64_t number, const struct peer_answer *answer)
{
    struct peer_check *check = owner;
    struct peer_order order;
    CHECK(number - check->first < check->orders_max);
    struct peer_answer *known = &check->answers[number - check->first];
    struct peer_answer wanted = *known;
    peer_world_draw(check->world, number, &order);
    bool is_new = known->outcome != PEER_TAKEN; /* refusals are not remembered */
    if (is_new) {
        wanted = decide(check, &order);
    } else {
        wanted.is_known = true;
    }
    bool is_same = wanted.outcome == answer->outcome && wanted.is_known == answer->is_known;
    bool is_exact = is_same && (wanted.outcome != PEER_TAKEN ||
                                (wanted.node[0] == answer->node[0] &&
                                 wanted.node[1] == answer->node[1]));
    bool is_close = is_same && !is_exact && is_near(check, order.area, wanted.node[0],
                                                    answer->node[0]) &&
                    is_near(check, order.area, wanted.node[1], answer->node[1]);
    check->right += is_exact;
    check->near += is_close;
    check->wrong += !is_exact && !is_close;
    if (!is_exact && !is_close) {
        show(check, number, &wanted, answer);
    }
    if (is_new && answer->outcome == PEER_TAKEN) {
        for (int i = 0; i < 2; i++) { /* what was really taken, so that one fault stays one */
            (*units_at(check, order.item[i], answer->node[i]))--;
        }
        *known = *answer;
    }
}
