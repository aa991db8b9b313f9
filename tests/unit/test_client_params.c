/* The builder of parameters and the readers of values: what is written is what is read back. */
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client_internal.h" /* inside: the bytes that a call would send */

/* The params as msgpack-c sees them: the root map. */
struct decoded {
    msgpack_unpacked unpacked;
    const struct nearshelf_value *root;
};

static void decode(struct decoded *decoded, const struct nearshelf_params *params)
{
    const uint8_t *bytes;
    size_t size, offset = 0;
    assert_true(params_span(params, &bytes, &size));
    msgpack_unpacked_init(&decoded->unpacked);
    assert_int_equal(msgpack_unpack_next(&decoded->unpacked, (const char *)bytes, size, &offset),
                     MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(offset, size);
    const void *array = &decoded->unpacked.data;
    assert_int_equal(nearshelf_count(array), 1);
    decoded->root = nearshelf_at(array, 0);
    assert_int_equal(nearshelf_type(decoded->root), NEARSHELF_MAP);
}

static bool is_good(const struct nearshelf_params *params)
{
    const uint8_t *bytes;
    size_t size;
    return params_span(params, &bytes, &size);
}

/* Every kind of value comes back as it was put. */
static void values_round_trip(void **state)
{
    static const int64_t ints[] = {0, 127, 128, -1, -33, 65536, INT64_MAX, INT64_MIN};
    (void)state;
    struct decoded decoded;
    char key[16], text[8];
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_nil(params, "nil");
    nearshelf_params_bool(params, "bool", true);
    nearshelf_params_float(params, "float", 2.5);
    nearshelf_params_text(params, "text", "A\xc3\xa4");
    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
        snprintf(key, sizeof(key), "i%zu", i);
        nearshelf_params_int(params, key, ints[i]);
    }
    decode(&decoded, params);
    const struct nearshelf_value *root = decoded.root;
    assert_int_equal(nearshelf_type(nearshelf_get(root, "nil")), NEARSHELF_NIL);
    assert_true(nearshelf_bool(nearshelf_get(root, "bool"), false));
    assert_true(fabs(nearshelf_float(nearshelf_get(root, "float"), 0) - 2.5) < 1e-9);
    assert_true(nearshelf_text_is(nearshelf_get(root, "text"), "A\xc3\xa4"));
    assert_string_equal(nearshelf_text_copy(nearshelf_get(root, "text"), text, 2), "A");
    for (size_t i = 0; i < sizeof(ints) / sizeof(ints[0]); i++) {
        snprintf(key, sizeof(key), "i%zu", i);
        assert_true(nearshelf_int(nearshelf_get(root, key), 5) == ints[i]);
    }
    msgpack_unpacked_destroy(&decoded.unpacked);
    nearshelf_params_free(params);
}

static void fill_rows(struct nearshelf_params *params, uint32_t rows)
{
    nearshelf_params_array(params, "rows");
    for (uint32_t i = 0; i < rows; i++) {
        nearshelf_params_array(params, NULL);
        nearshelf_params_int(params, NULL, i);
        nearshelf_params_end(params);
    }
    nearshelf_params_end(params);
    nearshelf_params_text(params, "after", "x");
}

/* Headers grow at the 16th and the 65,536th entry, and what stands around them stays whole. */
static void counts_grow_their_headers(void **state)
{
    static const uint32_t counts[] = {0, 1, 15, 16, 17, 65535, 65536, 65537};
    (void)state;
    struct nearshelf_params *params = nearshelf_params_new();
    for (size_t i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
        struct decoded decoded;
        nearshelf_params_clear(params);
        fill_rows(params, counts[i]);
        decode(&decoded, params);
        const struct nearshelf_value *rows = nearshelf_get(decoded.root, "rows");
        assert_int_equal(nearshelf_count(rows), counts[i]);
        for (uint32_t row = 0; row < counts[i]; row++) {
            assert_int_equal(nearshelf_int(nearshelf_at(nearshelf_at(rows, row), 0), -1), row);
        }
        assert_true(nearshelf_text_is(nearshelf_get(decoded.root, "after"), "x"));
        msgpack_unpacked_destroy(&decoded.unpacked);
    }
    nearshelf_params_free(params);
}

/* A root map of more than 15 fields is whole at every step. */
static void bytes_are_whole_at_every_step(void **state)
{
    (void)state;
    struct nearshelf_params *params = nearshelf_params_new();
    for (int i = 0; i < 40; i++) {
        char key[16];
        struct decoded decoded;
        snprintf(key, sizeof(key), "key%d", i);
        nearshelf_params_int(params, key, i);
        decode(&decoded, params);
        assert_int_equal(nearshelf_count(decoded.root), i + 1);
        assert_int_equal(nearshelf_int(nearshelf_get(decoded.root, key), -1), i);
        msgpack_unpacked_destroy(&decoded.unpacked);
    }
    nearshelf_params_free(params);
}

/* Each mistake sticks until the builder is cleared. */
static void mistakes_stick(void **state)
{
    (void)state;
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_int(params, NULL, 1);
    assert_false(is_good(params));
    nearshelf_params_int(params, "fine", 1);
    assert_false(is_good(params));
    nearshelf_params_clear(params);
    assert_true(is_good(params));
    nearshelf_params_array(params, "open");
    assert_false(is_good(params));
    nearshelf_params_int(params, "key in an array", 1);
    nearshelf_params_end(params);
    assert_false(is_good(params));
    nearshelf_params_clear(params);
    nearshelf_params_end(params);
    assert_false(is_good(params));
    nearshelf_params_clear(params);
    nearshelf_params_text(params, "text", NULL);
    assert_false(is_good(params));
    nearshelf_params_free(params);
}

/* Nesting goes as deep as the engine reads, not deeper. */
static void depth_is_bounded(void **state)
{
    (void)state;
    struct nearshelf_params *params = nearshelf_params_new();
    for (int depth = 12; depth <= 15; depth++) {
        nearshelf_params_clear(params);
        nearshelf_params_array(params, "deep");
        for (int i = 2; i < depth; i++) {
            nearshelf_params_array(params, NULL);
        }
        for (int i = 1; i < depth; i++) {
            nearshelf_params_end(params);
        }
        assert_int_equal(is_good(params), depth <= CLIENT_DEPTH_MAX);
    }
    nearshelf_params_free(params);
}

/* Ready-made bytes are taken as they are, and nothing can be added to them. */
static void ready_made_bytes(void **state)
{
    (void)state;
    const uint8_t *bytes;
    size_t size;
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_bytes(params, "\x81\xa1k\x01", 4);
    assert_true(params_span(params, &bytes, &size));
    assert_int_equal(size, 5);
    assert_memory_equal(bytes, "\x91\x81\xa1k\x01", 5);
    nearshelf_params_int(params, "more", 1);
    assert_false(is_good(params));
    nearshelf_params_bytes(params, "\x91\x01", 2);
    assert_false(is_good(params));
    nearshelf_params_bytes(params, "", 0);
    assert_false(is_good(params));
    nearshelf_params_free(params);
}

/* Readers of absent values and of other types give the fallback, so look-ups can be chained. */
static void absent_values_give_the_fallback(void **state)
{
    (void)state;
    size_t size = 9;
    const struct nearshelf_value *nothing = nearshelf_get(nearshelf_at(NULL, 3), "x");
    assert_null(nothing);
    assert_int_equal(nearshelf_type(nothing), NEARSHELF_ABSENT);
    assert_int_equal(nearshelf_int(nothing, 42), 42);
    assert_true(nearshelf_bool(nothing, true));
    assert_string_equal(nearshelf_text(nothing, &size), "");
    assert_int_equal(size, 0);
    assert_false(nearshelf_text_is(nothing, ""));
    assert_int_equal(nearshelf_count(nothing), 0);
    assert_null(nearshelf_pair(nothing, 0, NULL));
}

/* Integral floats are ints, ints are floats, and what fits neither is neither. */
static void numbers_convert_where_exact(void **state)
{
    (void)state;
    struct decoded decoded;
    struct nearshelf_params *params = nearshelf_params_new();
    nearshelf_params_float(params, "whole", 3.0);
    nearshelf_params_float(params, "half", 3.5);
    nearshelf_params_float(params, "huge", 1e300);
    nearshelf_params_float(params, "nan", NAN);
    nearshelf_params_int(params, "int", -4);
    decode(&decoded, params);
    const struct nearshelf_value *root = decoded.root;
    assert_int_equal(nearshelf_int(nearshelf_get(root, "whole"), 0), 3);
    assert_int_equal(nearshelf_int(nearshelf_get(root, "half"), 9), 9);
    assert_int_equal(nearshelf_int(nearshelf_get(root, "huge"), 9), 9);
    assert_int_equal(nearshelf_int(nearshelf_get(root, "nan"), 9), 9);
    assert_true(fabs(nearshelf_float(nearshelf_get(root, "int"), 0) + 4) < 1e-9);
    msgpack_unpacked_destroy(&decoded.unpacked);
    nearshelf_params_free(params);
}

static struct nearshelf_reply *parse_error(const msgpack_sbuffer *frame)
{
    struct nearshelf_reply *reply = reply_new(1, NEARSHELF_OK);
    reply_parse(reply, (const uint8_t *)frame->data, (uint32_t)frame->size);
    return reply;
}

static void pack_frame_with_text(msgpack_sbuffer *frame, const char *text, size_t size)
{
    msgpack_packer packer;
    msgpack_sbuffer_init(frame);
    msgpack_packer_init(&packer, frame, msgpack_sbuffer_write);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_int(&packer, 1);
    msgpack_pack_int(&packer, 1);
    msgpack_pack_array(&packer, 2);
    msgpack_pack_int(&packer, 0);
    msgpack_pack_str(&packer, size);
    msgpack_pack_str_body(&packer, text, size);
    msgpack_pack_nil(&packer);
}

/* Error texts of any length and shape are cut to what the reply holds. */
static void error_texts_are_bounded(void **state)
{
    static const struct {
        const char *text, *code, *rest;
    } rows[] = {
        {"INTERNAL disk", "INTERNAL", "disk"},
        {"INTERNAL", "INTERNAL", ""},
        {"just words", "ERROR", "just words"},
        {"INTERNAL: x", "ERROR", "INTERNAL: x"},
    };
    (void)state;
    msgpack_sbuffer frame;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        pack_frame_with_text(&frame, rows[i].text, strlen(rows[i].text));
        struct nearshelf_reply *reply = parse_error(&frame);
        assert_string_equal(nearshelf_reply_code(reply), rows[i].code);
        assert_string_equal(nearshelf_reply_text(reply), rows[i].rest);
        assert_int_equal(nearshelf_reply_kind(reply), 0);
        nearshelf_reply_free(reply);
        msgpack_sbuffer_destroy(&frame);
    }
    char *longest = calloc(1, 5000);
    assert_non_null(longest);
    memset(longest, 'A', 4999);
    pack_frame_with_text(&frame, longest, 4999);
    struct nearshelf_reply *reply = parse_error(&frame);
    assert_string_equal(nearshelf_reply_code(reply), "ERROR");
    assert_int_equal(strlen(nearshelf_reply_text(reply)), CLIENT_TEXT_MAX - 1);
    nearshelf_reply_free(reply);
    msgpack_sbuffer_destroy(&frame);
    free(longest);
}

/* OVERLOADED tells how long to wait; nonsense there is replaced by a default. */
static void retry_after_is_read(void **state)
{
    (void)state;
    msgpack_sbuffer frame;
    static const char *const texts[] = {"OVERLOADED retry_after_ms=17", "OVERLOADED",
                                        "OVERLOADED retry_after_ms=99999999"};
    static const uint32_t waits[] = {17, 50, 50};
    for (size_t i = 0; i < 3; i++) {
        pack_frame_with_text(&frame, texts[i], strlen(texts[i]));
        struct nearshelf_reply *reply = parse_error(&frame);
        assert_int_equal(reply_retry_after_ms(reply), waits[i]);
        nearshelf_reply_free(reply);
        msgpack_sbuffer_destroy(&frame);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_round_trip),
        cmocka_unit_test(counts_grow_their_headers),
        cmocka_unit_test(bytes_are_whole_at_every_step),
        cmocka_unit_test(mistakes_stick),
        cmocka_unit_test(depth_is_bounded),
        cmocka_unit_test(ready_made_bytes),
        cmocka_unit_test(absent_values_give_the_fallback),
        cmocka_unit_test(numbers_convert_where_exact),
        cmocka_unit_test(error_texts_are_bounded),
        cmocka_unit_test(retry_after_is_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
