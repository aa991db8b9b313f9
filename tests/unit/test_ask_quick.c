/* Properties of ask_quick: what it takes, ask_decode takes and gives the same for; the usual
 * shapes it does take; it reads no byte that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "ask.h"
#include "rng.h"

enum { FRAME_ROOM = 4096 };

struct fixture {
    struct service_core service;
    struct ask quick, slow;
    uint64_t taken;
};

static int setup(void **state)
{
    struct fixture *fixture = calloc(1, sizeof *fixture);
    assert_non_null(fixture);
    memcpy(fixture->service.options.country, "US", 3);
    *state = fixture;
    return asks_new(&fixture->service.asks) == ERR_OK ? 0 : -1;
}

static int teardown(void **state)
{
    struct fixture *fixture = *state;
    asks_free(fixture->service.asks);
    free(fixture);
    return 0;
}

static void same_text(struct text a, struct text b)
{
    assert_int_equal(a.len, b.len);
    assert_true(a.len == 0 || memcmp(a.at, b.at, a.len) == 0);
}

static void same_line(const struct ask *a, const struct ask *b, uint32_t i)
{
    const struct route_line *x = &a->route_lines[i];
    const struct route_line *y = &b->route_lines[i];
    same_text(a->lines[i].item, b->lines[i].item);
    same_text(a->lines[i].line, b->lines[i].line);
    same_text(a->lines[i].node, b->lines[i].node);
    same_text(a->lines[i].pickup_node, b->lines[i].pickup_node);
    assert_int_equal(a->lines[i].service, b->lines[i].service);
    assert_int_equal(x->qty, y->qty);
    assert_int_equal(x->service, y->service);
    assert_int_equal(x->node, y->node);
    assert_int_equal(x->item, y->item);
}

/* All else of struct ask lies between its fields that point or are padded: copies of both with
 * those made equal are the same bytes, so that a field added later is compared too. */
static void same_rest(const struct ask *a, const struct ask *b)
{
    struct ask x;
    struct ask y;
    memcpy(&x, a, sizeof x); /* padding too: both began as zeroes */
    memcpy(&y, b, sizeof y);
    struct text *const texts[] = {&x.order_id,    &y.order_id, &x.pickup_node, &y.pickup_node,
                                  &x.channel,     &y.channel,  &x.strategy,    &y.strategy,
                                  &x.ref,         &y.ref,      &x.include_raw, &y.include_raw,
                                  &x.exclude_raw, &y.exclude_raw};
    for (uint32_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        memset(texts[i], 0, sizeof *texts[i]);
    }
    x.lines = y.lines = NULL;
    x.route_lines = y.route_lines = NULL;
    assert_memory_equal(&x, &y, sizeof x);
}

static void same_ask(const struct ask *a, const struct ask *b)
{
    same_text(a->order_id, b->order_id);
    same_text(a->pickup_node, b->pickup_node);
    same_text(a->channel, b->channel);
    same_text(a->strategy, b->strategy);
    same_text(a->ref, b->ref);
    same_text(a->include_raw, b->include_raw);
    same_text(a->exclude_raw, b->exclude_raw);
    same_rest(a, b);
    for (uint32_t i = 0; i < a->line_count; i++) {
        same_line(a, b, i);
    }
}

static uint64_t content(struct asks *asks, const struct ask *ask)
{
    uint32_t size = ask_canon(asks, ask);
    return hash_fixed(asks->canon, size);
}

/* Decode an exact copy both ways. Whether ask_quick took it. */
static bool hold(struct fixture *fixture, const uint8_t *params, uint32_t size)
{
    struct asks *asks = fixture->service.asks;
    uint8_t *copy = malloc(size ? size : 1);
    struct reader reader;
    assert_non_null(copy);
    memcpy(copy, params, size);
    struct call call = {.params = copy, .params_size = size};
    bool is_quick = ask_quick(&fixture->service, &call, &fixture->quick, asks->lines);
    if (is_quick) {
        fixture->taken++;
        assert_true(ask_decode(&fixture->service, &reader, &call, &fixture->slow,
                               asks->lines + ASK_LINES_MAX));
        same_ask(&fixture->quick, &fixture->slow);
        assert_int_equal(content(asks, &fixture->quick), content(asks, &fixture->slow));
    }
    free(copy);
    return is_quick;
}

/* -- requests from a seed -- */

struct maker {
    struct rng rng;
    struct writer writer;
    uint32_t odd; /* one in so many choices is an unusual one; 0 = none */
};

static bool is_odd(struct maker *maker)
{
    return maker->odd && rng_below(&maker->rng, maker->odd) == 0;
}

static void put_id(struct maker *maker, uint32_t max)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyz0123456789-_/.ABCDEFGHIJKLMNOPQ";
    char text[160];
    uint32_t len = 1 + (uint32_t)rng_below(&maker->rng, max);
    for (uint32_t i = 0; i < len; i++) {
        text[i] = letters[rng_below(&maker->rng, sizeof letters - 1)];
    }
    if (is_odd(maker)) {
        text[rng_below(&maker->rng, len)] = (char)rng_below(&maker->rng, 256);
    }
    writer_text(&maker->writer, text, len);
}

static void put_number(struct maker *maker, double low, double high)
{
    double number = low + rng_unit(&maker->rng) * (high - low);
    if (is_odd(maker)) {
        writer_int(&maker->writer, (int64_t)number);
    } else {
        writer_float(&maker->writer, is_odd(maker) ? number * 3 : is_odd(maker) ? -0.0 : number);
    }
}

static void put_qty(struct maker *maker)
{
    uint64_t qty = 1 + rng_below(&maker->rng, (uint64_t)1 << (1 + rng_below(&maker->rng, 19)));
    if (is_odd(maker)) {
        writer_float(&maker->writer, (double)qty);
    } else {
        writer_uint(&maker->writer, is_odd(maker) ? qty * 4 - 4 : qty);
    }
}

static void put_line(struct maker *maker, uint32_t index)
{
    struct writer *writer = &maker->writer;
    bool has_name = rng_below(&maker->rng, 4) == 0;
    char name[12];
    writer_map(writer, 2u + has_name);
    bool is_turned = rng_below(&maker->rng, 2) == 0;
    for (int half = 0; half < 2; half++) {
        if ((half == 0) == is_turned) {
            writer_str(writer, "qty");
            put_qty(maker);
        } else {
            writer_string(writer, is_odd(maker) ? "node" : "item");
            put_id(maker, 63);
        }
    }
    if (has_name) {
        writer_str(writer, "line");
        snprintf(name, sizeof name, "%u", is_odd(maker) ? 1 : index + 1);
        writer_string(writer, name);
    }
}

static void put_dest(struct maker *maker)
{
    struct writer *writer = &maker->writer;
    bool has_place = rng_below(&maker->rng, 2) == 0;
    bool has_point = !has_place || rng_below(&maker->rng, 2) == 0;
    writer_map(writer, (has_point ? 2u : 0u) + (has_place ? 2u : 0u));
    if (has_place) {
        writer_str(writer, "country");
        writer_string(writer, is_odd(maker) ? "us" : "CA");
        writer_str(writer, "postcode");
        put_id(maker, is_odd(maker) ? 40 : 1);
    }
    if (has_point) {
        writer_str(writer, "lat");
        put_number(maker, -90, 90);
        writer_str(writer, "lon");
        put_number(maker, -180, 180);
    }
}

static void put_field(struct maker *maker, uint32_t field)
{
    static const char *const names[] = {"order_id", "lines", "service",       "dest",
                                        "channel",  "ref",   "allow_partial", "max_splits"};
    static const char *const services[] = {"standard", "next_day", "same_day", "pickup"};
    struct writer *writer = &maker->writer;
    writer_string(writer, is_odd(maker) ? "explain" : names[field]);
    if (field == 1) {
        uint32_t count = (uint32_t)rng_below(&maker->rng, 5) == 0 ? 20 : 2;
        writer_array(writer, is_odd(maker) ? 0 : count);
        for (uint32_t i = 0; i < count; i++) {
            put_line(maker, i);
        }
    } else if (field == 2) {
        writer_string(writer, is_odd(maker) ? "teleport" : services[rng_below(&maker->rng, 4)]);
    } else if (field == 3) {
        put_dest(maker);
    } else if (field == 6) {
        writer_bool(writer, rng_below(&maker->rng, 2) == 0);
    } else if (field == 7) {
        writer_uint(writer, rng_below(&maker->rng, 2000000));
    } else {
        put_id(maker, field == 5 ? 127 : 63);
    }
}

/* Fields in any order, the last four sometimes. Bytes of the params. */
static uint32_t make(struct maker *maker, uint8_t *out)
{
    uint32_t fields[8] = {0, 1, 2, 3};
    uint32_t count = 4;
    for (uint32_t field = 4; field < 8; field++) {
        fields[count] = field;
        count += rng_below(&maker->rng, 4) == 0;
    }
    for (uint32_t i = count - 1; i > 0; i--) {
        uint32_t j = (uint32_t)rng_below(&maker->rng, i + 1);
        uint32_t field = fields[i];
        fields[i] = fields[j];
        fields[j] = field;
    }
    writer_init(&maker->writer, out, FRAME_ROOM);
    writer_array(&maker->writer, 1);
    writer_map(&maker->writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_field(maker, is_odd(maker) ? 0 : fields[i]);
    }
    assert_false(maker->writer.is_full);
    return writer_size(&maker->writer);
}

/* -- properties -- */

/* What clients usually send is taken by the quick way: all of it but numbers out of range. */
static void takes_what_is_usual(void **state)
{
    struct fixture *fixture = *state;
    struct maker maker = {.odd = 0};
    uint8_t params[FRAME_ROOM];
    uint32_t refused = 0;
    rng_init(&maker.rng, 1);
    for (uint32_t i = 0; i < 2000; i++) {
        uint32_t size = make(&maker, params);
        refused += !hold(fixture, params, size);
    }
    assert_in_range(refused, 1, 400); /* max_splits over a million, a postcode of no letters */
}

/* Requests with unusual and wrong parts give the same, or are left to ask_decode. */
static void agrees_on_odd_requests(void **state)
{
    struct fixture *fixture = *state;
    struct maker maker = {.odd = 40};
    uint8_t params[FRAME_ROOM];
    rng_init(&maker.rng, 2);
    for (uint32_t i = 0; i < 20000; i++) {
        uint32_t size = make(&maker, params);
        hold(fixture, params, size);
    }
    assert_in_range(fixture->taken, 4000, 18000);
}

/* The same with bytes changed, taken out and cut off, each length and byte of some requests. */
static void agrees_on_changed_bytes(void **state)
{
    struct fixture *fixture = *state;
    struct maker maker = {.odd = 0};
    uint8_t params[FRAME_ROOM];
    rng_init(&maker.rng, 3);
    for (uint32_t i = 0; i < 60; i++) {
        uint32_t size = make(&maker, params);
        for (uint32_t at = 0; at < size; at++) {
            uint8_t before = params[at];
            hold(fixture, params, at);
            for (uint32_t bit = 0; bit < 8; bit++) {
                params[at] = (uint8_t)(before ^ 1u << bit);
                hold(fixture, params, size);
            }
            params[at] = (uint8_t)rng_below(&maker.rng, 256);
            hold(fixture, params, size);
            params[at] = before;
        }
    }
    assert_in_range(fixture->taken, 10000, 1000000);
}

/* The longest ids and the most lines; one more of each is not taken. */
static void takes_up_to_the_limits(void **state)
{
    struct fixture *fixture = *state;
    static uint8_t params[64 << 10];
    for (uint32_t more = 0; more < 2; more++) {
        char id[ID_MAX + 1];
        struct writer writer;
        memset(id, 'x', sizeof id);
        writer_init(&writer, params, sizeof params);
        writer_array(&writer, 1);
        writer_map(&writer, 4);
        writer_str(&writer, "order_id");
        writer_text(&writer, id, ID_MAX);
        writer_str(&writer, "service");
        writer_str(&writer, "standard");
        writer_str(&writer, "dest");
        writer_map(&writer, 1);
        writer_str(&writer, "postcode");
        writer_str(&writer, "12345");
        writer_str(&writer, "lines");
        writer_array(&writer, ASK_LINES_MAX + more);
        for (uint32_t i = 0; i < ASK_LINES_MAX + more; i++) {
            writer_map(&writer, 2);
            writer_str(&writer, "item");
            writer_str(&writer, "A");
            writer_str(&writer, "qty");
            writer_uint(&writer, QTY_MAX);
        }
        assert_int_equal(hold(fixture, params, writer_size(&writer)), more == 0);
    }
}

static void pinned_text(struct writer *writer, const char *name, const char *text)
{
    writer_string(writer, name);
    writer_string(writer, text);
}

static void pinned_line(struct writer *writer, const char *item, uint32_t qty, bool is_full)
{
    writer_map(writer, is_full ? 4 : 2);
    pinned_text(writer, "item", item);
    writer_string(writer, "qty");
    writer_uint(writer, qty);
    if (is_full) {
        pinned_text(writer, "line", item + 1);
        pinned_text(writer, "node", "W-a-rather-long-name-of-a-warehouse-1");
    }
}

static void pinned_write(struct writer *writer, bool is_full)
{
    writer_map(writer, is_full ? 9 : 4);
    pinned_text(writer, "order_id", "order-2026-11-27-0001");
    writer_string(writer, "lines");
    writer_array(writer, 2);
    pinned_line(writer, "SKU-1", 1, false);
    pinned_line(writer, "SKU-2", 300, is_full);
    pinned_text(writer, "service", "standard");
    writer_string(writer, "dest");
    writer_map(writer, is_full ? 4 : 2);
    writer_string(writer, "lat");
    writer_float(writer, 40.5);
    writer_string(writer, "lon");
    writer_float(writer, -74.25);
    if (is_full) {
        pinned_text(writer, "country", "DE");
        pinned_text(writer, "postcode", "10115");
        pinned_text(writer, "channel", "web");
        pinned_text(writer, "ref", "R-9");
        writer_string(writer, "max_splits");
        writer_uint(writer, 2);
        pinned_text(writer, "strategy", "nearest");
        writer_string(writer, "exclude_nodes");
        writer_array(writer, 1);
        writer_string(writer, "S1");
    }
}

/* Logs hold contents: what they are made of is for ever, with all fields and with few. */
static void contents_stay_what_old_logs_hold(void **state)
{
    struct fixture *fixture = *state;
    struct asks *asks = fixture->service.asks;
    struct writer writer;
    uint8_t frame[FRAME_ROOM];
    static const uint64_t pinned[] = {0xa508999656a40e07u, 0x5ba1c2de2c55b92bu};
    for (int is_full = 0; is_full < 2; is_full++) {
        writer_init(&writer, frame, sizeof frame);
        writer_array(&writer, 1);
        pinned_write(&writer, is_full);
        struct reader reader;
        const struct call call = {.params = frame, .params_size = writer_size(&writer)};
        assert_true(ask_decode(&fixture->service, &reader, &call, &fixture->slow, asks->lines));
        assert_int_equal(content(asks, &fixture->slow), pinned[is_full]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(takes_what_is_usual, setup, teardown),
        cmocka_unit_test_setup_teardown(agrees_on_odd_requests, setup, teardown),
        cmocka_unit_test_setup_teardown(agrees_on_changed_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(takes_up_to_the_limits, setup, teardown),
        cmocka_unit_test_setup_teardown(contents_stay_what_old_logs_hold, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
