/* Model test of quotas: random rules, orders, carts, counts and time through the service, beside
 * books that keep a list of every unit that was taken, by whom and when, and count anew what is
 * left of each quota. Nobody gets what is kept for others, nobody is refused what is not.
 *
 * Usage: test_quota_books [seed [steps]]; a failure prints the command that replays it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "service_harness.h"

enum { ITEMS = 2, NODES = 2, CHANNELS = 3, TAKES = 4000, TTL = 60 };

/* Units that an order or cart took at a cell. */
struct taking {
    uint64_t id;
    bool is_cart;
    int item, node, channel; /* channel 0 = none */
    int held, shipped;
    uint64_t since; /* step that made the order or cart */
    int64_t expires; /* of a cart */
};

struct rule {
    int qty; /* 0 = none */
    uint64_t since;
};

static const char *const channels[CHANNELS] = {"", "web", "app"};
static struct rng rng;
static struct harness harness;
static struct taking takings[TAKES];
static int taking_count;
static struct rule rules[ITEMS][NODES][CHANNELS];
static int on_hand[ITEMS][NODES], safety[ITEMS][NODES];
static uint64_t step_now = 1, next_id = 1;
static int64_t now_ms = 1577836800000;
static uint64_t routed, refused, fenced, cancelled, shipped, expired, committed;

static int draw(int bound)
{
    return (int)rng_below(&rng, (uint64_t)bound);
}

/* -- the books -- */

static int held_at(int item, int node)
{
    int units = 0;
    for (int i = 0; i < taking_count; i++) {
        units += takings[i].item == item && takings[i].node == node ? takings[i].held : 0;
    }
    return units;
}

static int left_of(int item, int node, int channel)
{
    const struct rule *rule = &rules[item][node][channel];
    int left = rule->qty;
    for (int i = 0; i < taking_count && rule->qty > 0; i++) {
        const struct taking *at = &takings[i];
        bool counts = at->item == item && at->node == node && at->channel == channel &&
                      at->since > rule->since;
        left -= counts ? at->held + at->shipped : 0;
    }
    return left > 0 ? left : 0;
}

static int seen_by(int item, int node, int channel)
{
    int ats = on_hand[item][node] - held_at(item, node) - safety[item][node];
    int kept = 0;
    for (int other = 1; other < CHANNELS; other++) {
        kept += other == channel ? 0 : left_of(item, node, other);
    }
    return ats <= 0 ? ats : ats > kept ? ats - kept : 0;
}

static struct taking *add(bool is_cart, int item, int node, int channel, int qty)
{
    CHECK(taking_count < TAKES);
    takings[taking_count] = (struct taking){next_id, is_cart, item, node, channel, qty, 0,
                                            step_now, now_ms + TTL};
    return &takings[taking_count++];
}

static void books_time(int64_t by)
{
    now_ms += by;
    for (int i = 0; i < taking_count; i++) {
        if (takings[i].is_cart && takings[i].held > 0 && takings[i].expires <= now_ms) {
            takings[i].held = 0;
            expired++;
        }
    }
}

/* A taking that still holds something, or NULL. */
static struct taking *any_held(bool is_cart)
{
    for (int tries = 0; tries < 20 && taking_count > 0; tries++) {
        struct taking *taking = &takings[draw(taking_count)];
        if (taking->held > 0 && taking->is_cart == is_cart) {
            return taking;
        }
    }
    return NULL;
}

/* -- steps -- */

/* Ask for units pinned to a node; whether it was not refused. */
static bool ask_units(bool is_cart, int item, int node, int channel, int qty, const char *more)
{
    char name[24] = "";
    if (channel) {
        snprintf(name, sizeof name, "'channel':'%s',", channels[channel]);
    }
    json_t *answer = harness_ask(
        &harness, is_cart ? "reserve.create" : "order.route",
        "{'%s':'x%llu',%s%s%s'lines':[{'item':'i%d','qty':%d,'node':'n%d'}]}",
        is_cart ? "reservation_id" : "order_id", (unsigned long long)next_id, name,
        is_cart ? "'ttl_ms':60," : "'service':'standard','dest':{'lat':1,'lon':1},", more, item,
        qty, node);
    bool is_taken = !harness_has(answer, "reason");
    harness_drop(answer);
    return is_taken;
}

static void step_take(void)
{
    bool is_cart = draw(3) == 0;
    int item = draw(ITEMS);
    int node = draw(NODES);
    int channel = draw(CHANNELS);
    int qty = 1 + draw(6);
    bool is_free = seen_by(item, node, channel) >= qty;
    int all = on_hand[item][node] - held_at(item, node) - safety[item][node];
    CHECK(ask_units(is_cart, item, node, channel, qty, "") == is_free);
    if (is_free) {
        add(is_cart, item, node, channel, qty);
    }
    routed += is_free;
    refused += !is_free;
    fenced += !is_free && all >= qty;
    next_id++;
}

static void step_cancel(void)
{
    struct taking *taking = any_held(false);
    if (taking) {
        int qty = 1 + draw(taking->held);
        harness_do(&harness, "order.cancel", "{'order_id':'x%llu','lines':[{'line':1,'qty':%d}]}",
                   (unsigned long long)taking->id, qty);
        taking->held -= qty;
        cancelled++;
    }
}

static void step_ship(void)
{
    struct taking *taking = any_held(false);
    if (taking) {
        int total = taking->shipped + 1 + draw(taking->held);
        harness_do(&harness, "fulfil.update",
                   "{'fulfilment':'x%llu/1','state':'shipped','lines':[{'line':1,'qty':%d}]}",
                   (unsigned long long)taking->id, total);
        int units = total - taking->shipped;
        taking->held -= units;
        taking->shipped = total;
        on_hand[taking->item][taking->node] -= units;
        shipped++;
    }
}

static void step_release(void)
{
    struct taking *taking = any_held(true);
    if (taking) {
        harness_do(&harness, "reserve.release", "{'reservation_id':'x%llu'}",
                   (unsigned long long)taking->id);
        taking->held = 0;
    }
}

/* An order of the same channel takes the place of a cart, to the last unit of it. */
static void step_commit(void)
{
    struct taking *cart = any_held(true);
    if (cart) {
        char more[48];
        int qty = cart->held;
        int channel = cart->channel;
        snprintf(more, sizeof more, "'reservation_id':'x%llu',", (unsigned long long)cart->id);
        CHECK(ask_units(false, cart->item, cart->node, channel, qty, more));
        cart->held = 0;
        add(false, cart->item, cart->node, channel, qty);
        next_id++;
        committed++;
    }
}

static void step_rule(void)
{
    char text[80] = "";
    size_t len = 0;
    int item = draw(ITEMS);
    int node = draw(NODES);
    bool is_quota = draw(4) > 0;
    on_hand[item][node] += 40; /* what is there always covers what carts hold: none is broken */
    harness_do(&harness, "stock.adjust", "{'item':'i%d','node':'n%d','delta':40}", item, node);
    safety[item][node] = is_quota ? safety[item][node] : draw(3);
    for (int channel = 1; channel < CHANNELS && is_quota; channel++) {
        struct rule *rule = &rules[item][node][channel];
        *rule = (struct rule){draw(12), step_now};
        len += (size_t)snprintf(text + len, sizeof text - len, "%s'%s':%d", len ? "," : "",
                                channels[channel], rule->qty);
    }
    harness_do(&harness, "stock.policy", "{'item':'i%d','node':'n%d',%s%s%s'safety_stock':%d}",
               item, node, is_quota ? "'quotas':{" : "", text, is_quota ? "}," : "",
               safety[item][node]);
}

static void step_stock(void)
{
    int item = draw(ITEMS);
    int node = draw(NODES);
    int spare = on_hand[item][node] - held_at(item, node) - safety[item][node];
    int delta = spare > 30 ? -spare + draw(20) : draw(6);
    on_hand[item][node] += delta;
    harness_do(&harness, "stock.adjust", "{'item':'i%d','node':'n%d','delta':%d}", item, node,
               delta);
}

static void step_time(void)
{
    books_time(1 + draw(30));
    harness_do(&harness, "clock.set", "{'now':%lld}", (long long)now_ms);
}

/* -- comparing -- */

static void check_cell(int item, int node)
{
    for (int channel = 0; channel < CHANNELS; channel++) {
        const char *name = channel ? channels[channel] : "other";
        json_t *answer =
            harness_ask(&harness, "stock.get", "{'item':'i%d','node':'n%d','channel':'%s'}", item,
                        node, name);
        CHECK(harness_int(answer, "on_hand") == on_hand[item][node]);
        CHECK(harness_int(answer, "reserved") == held_at(item, node));
        CHECK(harness_int(answer, "ats") == seen_by(item, node, channel));
        harness_drop(answer);
    }
}

static void check_all(bool with_snapshot)
{
    for (int i = 0; i < ITEMS * NODES; i++) {
        check_cell(i / NODES, i % NODES);
    }
    if (with_snapshot) {
        harness_snapshot(&harness);
    }
    harness_restart(&harness);
    int kept = 0;
    for (int i = 0; i < taking_count; i++) { /* what is done matters to quotas that it counts in */
        const struct taking *at = &takings[i];
        const struct rule *rule = &rules[at->item][at->node][at->channel];
        if (at->held > 0 || (at->channel && at->since > rule->since)) {
            takings[kept++] = *at;
        }
    }
    taking_count = kept;
}

static void world_make(void)
{
    harness_init(&harness);
    harness.options.test_clock = true;
    harness.options.log.unsafe_no_sync = true;
    harness_start(&harness);
    for (int node = 0; node < NODES; node++) {
        harness_do(&harness, "node.put", "{'node':'n%d','type':'warehouse','lat':1,'lon':%d}", node,
                   node);
    }
    for (int item = 0; item < ITEMS; item++) {
        harness_do(&harness, "item.put", "{'item':'i%d'}", item);
        for (int node = 0; node < NODES; node++) {
            harness_do(&harness, "stock.set", "{'item':'i%d','node':'n%d','on_hand':0}", item,
                       node);
        }
    }
}

int main(int argc, char **argv)
{
    typedef void step(void);
    static step *const steps[] = {step_take,   step_take, step_take,    step_take,
                                  step_cancel, step_ship, step_release, step_commit,
                                  step_rule,   step_stock, step_time};
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261122;
    uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4000;
    printf("replay: test_quota_books %llu %u\n", (unsigned long long)seed, count);
    fflush(stdout);
    rng_init(&rng, seed);
    world_make();
    for (uint32_t i = 1; i <= count; i++) {
        steps[draw((int)(sizeof steps / sizeof steps[0]))]();
        step_now++;
        check_cell(draw(ITEMS), draw(NODES));
        if (i % 500 == 0) {
            check_all(i % 1000 == 0);
        }
    }
    check_all(true);
    harness_close(&harness);
    printf("%llu routed, %llu refused of them %llu by quotas, %llu cancelled, %llu shipped, "
           "%llu expired, %llu committed\n",
           (unsigned long long)routed, (unsigned long long)refused, (unsigned long long)fenced,
           (unsigned long long)cancelled, (unsigned long long)shipped, (unsigned long long)expired,
           (unsigned long long)committed);
    CHECK(count < 1000 || (fenced && cancelled && shipped && expired && committed));
    return 0;
}
