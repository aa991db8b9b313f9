/* Model test of reservations: random carts, orders, counts, rules and time through the service,
 * beside books that keep every hold in one list. Nothing expires early or late, nothing is held
 * that nobody holds, and a restart forgets nothing.
 *
 * Usage: test_reserve_books [seed [steps]]; a failure prints the command that replays it. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "rng.h"
#include "service_harness.h"

enum { ITEMS = 4, NODES = 3, CARTS = 40, LINES = 3, TTL = 80, AGE = 600000 };

struct piece {
    int item, node, qty;
    int held;
    uint64_t made; /* later = newer */
};

struct cart {
    uint64_t number; /* its id; 0 = none */
    const char *state;
    bool is_live;
    int64_t expires;
    int count;
    struct piece pieces[LINES];
};

static struct rng rng;
static struct harness harness;
static struct cart carts[CARTS];
static int on_hand[ITEMS][NODES], ordered[ITEMS][NODES], safety[ITEMS][NODES];
static uint64_t next_number = 1, next_made = 1, next_order = 1;
static int64_t now_ms = 1577836800000;
static uint64_t made, refused, expired, broken, committed;

static int draw(int bound)
{
    return (int)rng_below(&rng, (uint64_t)bound);
}

/* -- the books -- */

static int held_at(int item, int node)
{
    int units = 0;
    for (int i = 0; i < CARTS; i++) {
        for (int k = 0; carts[i].is_live && k < carts[i].count; k++) {
            const struct piece *piece = &carts[i].pieces[k];
            units += piece->item == item && piece->node == node ? piece->held : 0;
        }
    }
    return units;
}

static void books_end(struct cart *cart, const char *state)
{
    cart->is_live = false;
    cart->state = state;
    for (int k = 0; k < cart->count; k++) {
        cart->pieces[k].held = 0;
    }
}

static struct cart *newest_at(int item, int node, struct piece **piece_out)
{
    struct cart *newest = NULL;
    *piece_out = NULL;
    for (int i = 0; i < CARTS; i++) {
        for (int k = 0; carts[i].is_live && k < carts[i].count; k++) {
            struct piece *piece = &carts[i].pieces[k];
            bool is_here = piece->item == item && piece->node == node && piece->held > 0;
            if (is_here && (!*piece_out || piece->made > (*piece_out)->made)) {
                newest = &carts[i];
                *piece_out = piece;
            }
        }
    }
    return newest;
}

static void books_break(int item, int node)
{
    for (;;) {
        int ats = on_hand[item][node] - ordered[item][node] - held_at(item, node) -
                  safety[item][node];
        struct piece *piece;
        struct cart *cart = newest_at(item, node, &piece);
        if (ats >= 0 || !cart) {
            return;
        }
        piece->held -= -ats < piece->held ? -ats : piece->held;
        cart->state = "broken";
        broken++;
    }
}

static void books_time(int64_t to_ms)
{
    for (int i = 0; i < CARTS; i++) {
        if (carts[i].is_live && carts[i].expires <= to_ms) {
            books_end(&carts[i], "expired");
            expired++;
        }
    }
    now_ms = to_ms;
}

/* -- asking -- */

static json_t *ask(const char *method, const char *params)
{
    return harness_ask(&harness, method, "%s", params);
}

static bool is_refused(const json_t *answer)
{
    return harness_has(answer, "status") &&
           strcmp(harness_text(answer, "status"), "refused") == 0;
}

static void lines_text(const struct piece *pieces, int count, char *out, size_t size)
{
    size_t len = (size_t)snprintf(out, size, "[");
    for (int k = 0; k < count; k++) {
        len += (size_t)snprintf(out + len, size - len, "%s{'item':'i%d','qty':%d,'node':'n%d'}",
                                k ? "," : "", pieces[k].item, pieces[k].qty, pieces[k].node);
    }
    snprintf(out + len, size - len, "]");
}

static int lines_draw(struct piece *pieces)
{
    int count = 1 + draw(LINES);
    for (int k = 0; k < count; k++) {
        pieces[k] = (struct piece){draw(ITEMS), draw(NODES), 1 + draw(6), 0, 0};
        pieces[k].held = pieces[k].qty;
    }
    return count;
}

/* Whether all lines together fit, what own holds counted as free. */
static bool fits(const struct piece *pieces, int count, const struct cart *own)
{
    for (int k = 0; k < count; k++) {
        int wanted = 0;
        int mine = 0;
        for (int j = 0; j < count; j++) {
            bool is_same =
                pieces[j].item == pieces[k].item && pieces[j].node == pieces[k].node;
            wanted += is_same ? pieces[j].qty : 0;
        }
        for (int j = 0; own && own->is_live && j < own->count; j++) {
            bool is_same = own->pieces[j].item == pieces[k].item &&
                           own->pieces[j].node == pieces[k].node;
            mine += is_same ? own->pieces[j].held : 0;
        }
        int item = pieces[k].item;
        int node = pieces[k].node;
        int ats = on_hand[item][node] - ordered[item][node] - held_at(item, node) -
                  safety[item][node] + mine;
        if (ats < wanted) {
            return false;
        }
    }
    return true;
}

/* -- steps -- */

static void hold(struct cart *cart, const struct piece *pieces, int count)
{
    cart->count = count;
    memcpy(cart->pieces, pieces, (size_t)count * sizeof *pieces);
    for (int k = 0; k < count; k++) {
        cart->pieces[k].made = next_made++;
    }
    cart->state = "held";
}

static void step_create(void)
{
    char lines[400];
    char params[600];
    struct piece pieces[LINES];
    struct cart *cart = &carts[draw(CARTS)];
    if (cart->is_live) {
        return;
    }
    int count = lines_draw(pieces);
    int ttl = 1 + draw(TTL);
    lines_text(pieces, count, lines, sizeof lines);
    snprintf(params, sizeof params, "{'reservation_id':'c%llu','ttl_ms':%d,'lines':%s}",
             (unsigned long long)next_number, ttl, lines);
    bool is_possible = fits(pieces, count, NULL);
    json_t *answer = ask("reserve.create", params);
    CHECK(is_refused(answer) == !is_possible);
    if (is_possible) {
        *cart = (struct cart){.number = next_number, .is_live = true, .expires = now_ms + ttl};
        hold(cart, pieces, count);
        CHECK(harness_int(answer, "expires_at") == cart->expires);
        made++;
    } else {
        refused++;
    }
    next_number++;
    harness_drop(answer);
}

static void step_update(void)
{
    char lines[400];
    char params[600];
    struct piece pieces[LINES];
    struct cart *cart = &carts[draw(CARTS)];
    if (!cart->number) {
        return;
    }
    bool has_lines = draw(2);
    int ttl = 1 + draw(TTL);
    int count = lines_draw(pieces);
    lines_text(pieces, count, lines, sizeof lines);
    snprintf(params, sizeof params, "{'reservation_id':'c%llu','ttl_ms':%d%s%s}",
             (unsigned long long)cart->number, ttl, has_lines ? ",'lines':" : "",
             has_lines ? lines : "");
    bool is_possible = cart->is_live && (!has_lines || fits(pieces, count, cart));
    json_t *answer = ask("reserve.update", params);
    CHECK(is_refused(answer) == !is_possible);
    if (is_possible) {
        cart->expires = now_ms + ttl;
        if (has_lines) {
            hold(cart, pieces, count);
        }
    }
    harness_drop(answer);
}

static void step_release(void)
{
    char params[80];
    struct cart *cart = &carts[draw(CARTS)];
    if (!cart->number) {
        return;
    }
    snprintf(params, sizeof params, "{'reservation_id':'c%llu'}",
             (unsigned long long)cart->number);
    json_t *answer = ask("reserve.release", params);
    CHECK(is_refused(answer) == (strcmp(cart->state, "committed") == 0));
    if (cart->is_live) {
        books_end(cart, "released");
    }
    harness_drop(answer);
}

/* An order in the place of a cart, of the same or other lines; it is shipped or cancelled. */
static void step_order(void)
{
    char lines[400];
    char params[700];
    struct piece pieces[LINES];
    struct cart *cart = &carts[draw(CARTS)];
    bool is_used = cart->number && draw(4) > 0;
    int count = lines_draw(pieces);
    if (is_used && draw(2)) {
        count = cart->count;
        memcpy(pieces, cart->pieces, sizeof pieces);
    }
    lines_text(pieces, count, lines, sizeof lines);
    int len = snprintf(params, sizeof params,
                       "{'order_id':'o%llu','service':'standard','lines':%s",
                       (unsigned long long)next_order, lines);
    if (is_used) {
        len += snprintf(params + len, sizeof params - (size_t)len, ",'reservation_id':'c%llu'",
                        (unsigned long long)cart->number);
    }
    snprintf(params + len, sizeof params - (size_t)len, "}");
    bool is_taken = is_used && strcmp(cart->state, "committed") == 0;
    bool is_possible = !is_taken && fits(pieces, count, is_used ? cart : NULL);
    json_t *answer = ask("order.route", params);
    CHECK(is_refused(answer) == !is_possible);
    harness_drop(answer);
    if (!is_possible) {
        next_order++;
        return;
    }
    if (is_used && cart->is_live) {
        books_end(cart, "committed");
        committed++;
    }
    bool is_shipped = draw(2);
    for (int k = 0; k < count; k++) {
        on_hand[pieces[k].item][pieces[k].node] -= is_shipped ? pieces[k].qty : 0;
    }
    snprintf(params, sizeof params, "{'order_id':'o%llu'}", (unsigned long long)next_order);
    answer = is_shipped ? ask("order.get", params) : ask("order.cancel", params);
    for (uint32_t i = 0; is_shipped && i < harness_count(answer, "fulfilments"); i++) {
        snprintf(params, sizeof params, "{'fulfilment':'o%llu/%u','state':'shipped'}",
                 (unsigned long long)next_order, i + 1);
        harness_do(&harness, "fulfil.update", "%s", params);
    }
    harness_drop(answer);
    next_order++;
}

static void time_pass(int64_t by)
{
    books_time(now_ms + by);
    harness_do(&harness, "clock.set", "{'now':%lld}", (long long)now_ms);
}

/* A count, a movement or a rule, now and then below what is promised. */
static void step_stock(void)
{
    int item = draw(ITEMS);
    int node = draw(NODES);
    time_pass(2 + draw(6)); /* counts of one cell in one moment are told apart by time alone */
    if (draw(12) == 0) {
        safety[item][node] = draw(3);
        harness_do(&harness, "stock.policy", "{'item':'i%d','node':'n%d','safety_stock':%d}",
                   item, node, safety[item][node]);
    } else if (draw(2)) {
        on_hand[item][node] = draw(40);
        harness_do(&harness, "stock.set", "{'item':'i%d','node':'n%d','on_hand':%d}", item, node,
                   on_hand[item][node]);
    } else {
        int delta = draw(21) - 10;
        on_hand[item][node] += delta;
        harness_do(&harness, "stock.adjust", "{'item':'i%d','node':'n%d','delta':%d}", item, node,
                   delta);
    }
    books_break(item, node);
}

static void step_time(void)
{
    int64_t by = draw(40) == 0 ? AGE : draw(8);
    time_pass(by);
    for (int i = 0; by == AGE && i < CARTS; i++) {
        carts[i] = (struct cart){0}; /* those that ended before have left memory by now */
    }
}

/* -- comparing -- */

static void check_cell(int item, int node)
{
    json_t *answer = harness_ask(&harness, "stock.get", "{'item':'i%d','node':'n%d'}", item, node);
    CHECK(harness_int(answer, "on_hand") == on_hand[item][node]);
    CHECK(harness_int(answer, "reserved") == ordered[item][node] + held_at(item, node));
    harness_drop(answer);
}

static void check_cart(const struct cart *cart)
{
    if (!cart->number) {
        return;
    }
    json_t *answer = harness_ask(&harness, "reserve.get", "{'reservation_id':'c%llu'}",
                                 (unsigned long long)cart->number);
    CHECK(strcmp(harness_text(answer, "state"), cart->state) == 0);
    int64_t held = 0;
    int64_t wanted = 0;
    for (uint32_t i = 0; i < harness_count(answer, "lines"); i++) {
        char path[40];
        snprintf(path, sizeof path, "lines.%u.held", i);
        held += harness_int(answer, path);
    }
    for (int k = 0; k < cart->count; k++) {
        wanted += cart->pieces[k].held;
    }
    CHECK(held == wanted);
    harness_drop(answer);
}

static void check_all(void)
{
    for (int item = 0; item < ITEMS; item++) {
        for (int node = 0; node < NODES; node++) {
            check_cell(item, node);
        }
    }
    for (int i = 0; i < CARTS; i++) {
        check_cart(&carts[i]);
    }
    harness_restart(&harness); /* sums of holds, lists, digest */
}

static void world_make(void)
{
    harness_init(&harness);
    harness.options.test_clock = true;
    harness.options.log.unsafe_no_sync = true;
    harness_start(&harness);
    for (int node = 0; node < NODES; node++) {
        harness_do(&harness, "node.put", "{'node':'n%d','type':'warehouse','lat':1,'lon':%d}",
                   node, node);
    }
    for (int item = 0; item < ITEMS; item++) {
        harness_do(&harness, "item.put", "{'item':'i%d'}", item);
        for (int node = 0; node < NODES; node++) {
            on_hand[item][node] = 20;
            harness_do(&harness, "stock.set", "{'item':'i%d','node':'n%d','on_hand':20}", item,
                       node);
        }
    }
}

int main(int argc, char **argv)
{
    typedef void step(void);
    static step *const steps[] = {step_create, step_create, step_create, step_update,
                                  step_release, step_order, step_stock, step_time, step_time};
    uint64_t seed = argc > 1 ? strtoull(argv[1], NULL, 10) : 20261127;
    uint32_t count = argc > 2 ? (uint32_t)strtoul(argv[2], NULL, 10) : 4000;
    printf("replay: test_reserve_books %llu %u\n", (unsigned long long)seed, count);
    fflush(stdout);
    rng_init(&rng, seed);
    world_make();
    for (uint32_t i = 1; i <= count; i++) {
        steps[draw((int)(sizeof steps / sizeof steps[0]))]();
        check_cell(draw(ITEMS), draw(NODES));
        check_cart(&carts[draw(CARTS)]);
        if (i % 1000 == 0) {
            check_all();
        }
    }
    check_all();
    harness_close(&harness);
    printf("%llu made, %llu refused, %llu expired, %llu broken, %llu committed\n",
           (unsigned long long)made, (unsigned long long)refused, (unsigned long long)expired,
           (unsigned long long)broken, (unsigned long long)committed);
    CHECK(count < 1000 || (made && refused && expired && broken && committed));
    return 0;
}
