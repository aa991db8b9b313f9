/* Nothing is allocated on the path of an order: not to route, refuse, repeat, ship, track, cancel
 * or show one. malloc and its kin are this file's, and count on the engine's thread while a batch
 * runs; sanitizers bring their own, then the test is skipped by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "shelf.h"

enum { BATCH = 200, FRAME_ROOM = 512, ITEMS = 20, ROUNDS = 20 };

#ifdef NEARSHELF_SANITIZED
#define IS_SANITIZED true
static bool counts(void)
{
    return false;
}
static uint64_t counted;
static bool is_counting;
#else
#define IS_SANITIZED false
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void __libc_free(void *memory);

static _Thread_local uint64_t counted;
static _Thread_local bool is_counting;

void *malloc(size_t size)
{
    counted += is_counting;
    return __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
    counted += is_counting;
    return __libc_calloc(count, size);
}

void *realloc(void *memory, size_t size)
{
    counted += is_counting;
    return __libc_realloc(memory, size);
}

void free(void *memory)
{
    counted += is_counting && memory;
    __libc_free(memory);
}

/* Whether the counting works at all: a test that cannot fail would be none. */
static bool counts(void)
{
    void *volatile memory;
    counted = 0;
    is_counting = true;
    memory = malloc(10);
    free(memory);
    is_counting = false;
    return counted == 2;
}
#endif

struct batch {
    uint8_t frames[BATCH][FRAME_ROOM];
    struct frame_head heads[BATCH];
    struct service_request requests[BATCH];
};

static struct shelf shelf;
static struct batch batch;

static struct writer request(uint32_t i, const char *method)
{
    struct writer writer;
    writer_init(&writer, batch.frames[i], FRAME_ROOM);
    writer_request(&writer, i, method);
    return writer;
}

static void put_order_id(struct writer *writer, const char *name, uint32_t order, const char *end)
{
    char text[48];
    snprintf(text, sizeof text, "order-%u%s", order, end);
    writer_string(writer, name);
    writer_string(writer, text);
}

static uint32_t make_route(uint32_t i, uint32_t order, uint32_t qty)
{
    char item[16];
    struct writer writer = request(i, "order.route");
    writer_map(&writer, 4);
    put_order_id(&writer, "order_id", order, "");
    writer_str(&writer, "lines");
    writer_array(&writer, 2);
    for (uint32_t line = 0; line < 2; line++) {
        writer_map(&writer, 2);
        writer_str(&writer, "item");
        shelf_item(item, (order * 7 + line * 3) % ITEMS);
        writer_string(&writer, item);
        writer_str(&writer, "qty");
        writer_uint(&writer, qty);
    }
    writer_str(&writer, "service");
    writer_str(&writer, "standard");
    writer_str(&writer, "dest");
    writer_map(&writer, 2);
    writer_str(&writer, "lat");
    writer_float(&writer, 30 + order % 15);
    writer_str(&writer, "lon");
    writer_float(&writer, -75 - (double)(order % 40));
    return writer_size(&writer);
}

static uint32_t make_update(uint32_t i, uint32_t order, const char *state, bool is_tracked)
{
    struct writer writer = request(i, "fulfil.update");
    writer_map(&writer, is_tracked ? 3 : 2);
    put_order_id(&writer, "fulfilment", order, "/1");
    writer_str(&writer, "state");
    writer_string(&writer, state);
    if (is_tracked) {
        writer_str(&writer, "tracking");
        writer_str(&writer, "1Z999AA10123456784");
    }
    return writer_size(&writer);
}

static uint32_t make_named(uint32_t i, const char *method, uint32_t order)
{
    struct writer writer = request(i, method);
    writer_map(&writer, 1);
    put_order_id(&writer, "order_id", order, "");
    return writer_size(&writer);
}

/* Bytes of the frame. */
static uint32_t make(uint32_t i, uint32_t order)
{
    switch (i % 10) {
    case 0:
        return make_route(i, order, 900000); /* refused */
    case 1:
        return make_route(i, order - 9, 1); /* again, or in conflict */
    case 2:
        return make_named(i, "order.cancel", order - 4);
    case 3:
        return make_update(i, order - 4, "accepted", false);
    case 4:
        return make_update(i, order - BATCH, "shipped", true);
    case 5:
        return make_named(i, "order.get", order - 11);
    default:
        return make_route(i, order, 1 + i % 2);
    }
}

static uint64_t run(uint32_t first)
{
    for (uint32_t i = 0; i < BATCH; i++) {
        const uint8_t *frame = batch.frames[i];
        uint32_t size = make(i, first + i);
        assert_true(frame_head_read(frame, size, &batch.heads[i]));
        batch.requests[i] =
            (struct service_request){&shelf, &batch.heads[i], bench_now_ns()};
    }
    counted = 0;
    is_counting = true;
    shelf_batch(&shelf, batch.requests, BATCH);
    is_counting = false;
    return counted;
}

static void orders_allocate_nothing(void **state)
{
    (void)state;
    if (IS_SANITIZED) {
        skip();
    }
    assert_true(counts());
    shelf_open(&shelf, true);
    shelf_world(&shelf, 300, ITEMS, 2, 1000, 1);
    uint64_t routed = shelf.routed;
    for (uint32_t round = 1; round <= ROUNDS; round++) {
        assert_int_equal(run(round * BATCH), 0);
    }
    assert_in_range(shelf.routed - routed, ROUNDS * BATCH / 4, ROUNDS * BATCH);
    shelf_close(&shelf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(orders_allocate_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
