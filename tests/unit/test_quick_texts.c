/* Properties of quick_texts: what it takes, the general reader takes and gives the same for; the
 * usual shapes it does take; it reads no byte that is not there. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "quick.h"
#include "rng.h"

enum { FIELDS = 3, FRAME_ROOM = 1024, DRAWS = 40000 };

static const struct quick_field quick_fields[FIELDS] = {
    {QUICK_NAME("order_id"), 1, 63}, {QUICK_NAME("reason"), 0, 40}, {QUICK_NAME("key"), 2, 63}};
static const char *const names[FIELDS] = {"order_id", "reason", "key"};

static bool slow_texts(const struct call *call, struct text *texts, uint32_t *seen)
{
    struct reader reader;
    struct reader_map map;
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, names, FIELDS);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        texts[field] = reader_text(&reader, quick_fields[field].min, quick_fields[field].max);
        *seen |= 1u << field;
    }
    return reader_is_ok(&reader);
}

/* Read an exact copy both ways. What quick_texts gave. */
static uint32_t hold(const uint8_t *params, uint32_t size)
{
    struct text quick[FIELDS];
    struct text slow[FIELDS] = {{"", 0}, {"", 0}, {"", 0}};
    uint32_t slow_seen = 0;
    uint8_t *copy = malloc(size ? size : 1);
    assert_non_null(copy);
    memcpy(copy, params, size);
    const struct call call = {.params = copy, .params_size = size};
    uint32_t seen = quick_texts(&call, quick_fields, FIELDS, quick);
    if (seen) {
        assert_true(slow_texts(&call, slow, &slow_seen));
        assert_int_equal(seen, slow_seen);
    }
    for (uint32_t i = 0; i < FIELDS && seen; i++) {
        assert_int_equal(quick[i].len, slow[i].len);
        assert_memory_equal(quick[i].at, slow[i].at, quick[i].len);
    }
    free(copy);
    return seen;
}

static void put_value(struct writer *writer, struct rng *rng)
{
    char text[80];
    uint32_t len = (uint32_t)rng_below(rng, sizeof text);
    memset(text, 'a' + (int)rng_below(rng, 26), sizeof text);
    switch (rng_below(rng, 12)) {
    case 0:
        writer_uint(writer, rng_below(rng, 1000));
        break;
    case 1:
        text[rng_below(rng, sizeof text)] = '\xc3'; /* not ASCII, seldom UTF-8 */
        writer_text(writer, text, len);
        break;
    default:
        writer_text(writer, text, len % (1 + (uint32_t)rng_below(rng, sizeof text)));
        break;
    }
}

static uint32_t draw(uint8_t *frame, struct rng *rng)
{
    static const char *const keys[] = {"order_id", "reason", "key", "order_id", "keys"};
    struct writer writer;
    writer_init(&writer, frame, FRAME_ROOM);
    writer_array(&writer, 1);
    uint32_t count = (uint32_t)rng_below(rng, 4);
    writer_map(&writer, count);
    for (uint32_t i = 0; i < count; i++) {
        writer_string(&writer, keys[rng_below(rng, 5)]);
        put_value(&writer, rng);
    }
    assert_false(writer.is_full);
    return writer_size(&writer);
}

/* Whole requests, and what is left of them when some bytes are lost or changed. */
static void drawn_maps_are_read_alike(void **state)
{
    struct rng rng;
    uint8_t frame[FRAME_ROOM];
    uint32_t taken = 0;
    (void)state;
    rng_init(&rng, 20261122);
    for (int i = 0; i < DRAWS; i++) {
        uint32_t size = draw(frame, &rng);
        taken += hold(frame, size) != 0;
        hold(frame, (uint32_t)rng_below(&rng, size));
        frame[rng_below(&rng, size)] ^= (uint8_t)(1u << rng_below(&rng, 8));
        hold(frame, size);
    }
    assert_in_range(taken, DRAWS / 10, DRAWS);
}

static uint32_t one_text(const char *key, uint32_t len)
{
    uint8_t frame[FRAME_ROOM];
    char text[FRAME_ROOM / 2];
    struct writer writer;
    memset(text, 'x', sizeof text);
    writer_init(&writer, frame, sizeof frame);
    writer_array(&writer, 1);
    writer_map(&writer, 1);
    writer_string(&writer, key);
    writer_text(&writer, text, len);
    return hold(frame, writer_size(&writer));
}

/* Each field is taken from its shortest to its longest text, and not beyond. */
static void lengths_end_where_the_reader_ends(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < FIELDS; i++) {
        uint32_t least = quick_fields[i].min > 0 ? quick_fields[i].min : 1; /* "" ends the pass */
        assert_int_equal(one_text(names[i], least), 1u << i);
        assert_int_equal(one_text(names[i], quick_fields[i].max), 1u << i);
        assert_int_equal(one_text(names[i], quick_fields[i].max + 1), 0);
    }
    assert_int_equal(one_text("order_id", 0), 0);
    assert_int_equal(one_text("key", 1), 0);
    assert_int_equal(one_text("lines", 3), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(drawn_maps_are_read_alike),
        cmocka_unit_test(lengths_end_where_the_reader_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
