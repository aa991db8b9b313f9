/* The frame scan beside msgpack-c, on random messages, whole, cut and mutated.
 *
 * msgpack-c reserves memory for a declared count, so it is asked only where the scan found all
 * counts within the limit (small here), which it does in the same order of bytes. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <msgpack.h>

#include "big_endian.h"
#include "frame.h"
#include "reader.h"
#include "rng.h"

enum { MESSAGE_SIZE_MAX = 2048, ROUNDS = 20000, SEED = 20 };
static const struct frame_limits limits = {MESSAGE_SIZE_MAX, FRAME_DEPTH_MAX};

/* A message under construction: left[d] values to come at depth d. */
struct maker {
    struct rng rng;
    uint8_t bytes[4096];
    uint32_t size;
    uint32_t depth;
    uint32_t left[FRAME_DEPTH_MAX + 1];
};

static void put(struct maker *maker, uint8_t byte)
{
    assert_true(maker->size < sizeof maker->bytes);
    maker->bytes[maker->size++] = byte;
}

static void put_random(struct maker *maker, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        put(maker, (uint8_t)rng_next(&maker->rng));
    }
}

/* A length or count in a field of width bytes, small as it is. */
static void put_length(struct maker *maker, uint8_t type, uint32_t width, uint32_t length)
{
    put(maker, type);
    for (uint32_t i = width; i > 0; i--) {
        put(maker, (uint8_t)(i > 4 ? 0 : length >> (8 * (i - 1))));
    }
}

static void put_number(struct maker *maker)
{
    static const uint8_t types[] = {0xc0, 0xc2, 0xc3, 0xca, 0xcb, 0xcc, 0xcd,
                                    0xce, 0xcf, 0xd0, 0xd1, 0xd2, 0xd3};
    static const uint8_t sizes[] = {0, 0, 0, 4, 8, 1, 2, 4, 8, 1, 2, 4, 8};
    uint64_t row = rng_below(&maker->rng, sizeof types + 2);
    if (row >= sizeof types) {
        put(maker, (uint8_t)(rng_below(&maker->rng, 160) + 0xe0));
        return;
    }
    put(maker, types[row]);
    put_random(maker, sizes[row]);
}

static void put_bytes(struct maker *maker)
{
    static const uint8_t types[] = {0xc4, 0xc5, 0xc6, 0xd9, 0xda, 0xdb, 0xc7, 0xc8, 0xc9};
    static const uint8_t widths[] = {1, 2, 4, 1, 2, 4, 1, 2, 4};
    uint64_t row = rng_below(&maker->rng, sizeof types + 4);
    uint32_t length = (uint32_t)rng_below(&maker->rng, 40);
    if (row >= sizeof types + 1) {
        put(maker, (uint8_t)(0xa0 | (length & 31)));
        put_random(maker, length & 31);
    } else if (row == sizeof types) {
        uint32_t power = length % 5;
        put(maker, (uint8_t)(0xd4 + power));
        put_random(maker, 1 + (1u << power));
    } else {
        put_length(maker, types[row], widths[row], length);
        put_random(maker, length + (types[row] >= 0xc7 && types[row] <= 0xc9));
    }
}

static void put_container(struct maker *maker)
{
    uint32_t count = (uint32_t)rng_below(&maker->rng, 6);
    bool is_map = rng_below(&maker->rng, 2) == 0;
    switch (rng_below(&maker->rng, 3)) {
    case 0:
        put(maker, (uint8_t)((is_map ? 0x80 : 0x90) | count));
        break;
    case 1:
        put_length(maker, is_map ? 0xde : 0xdc, 2, count);
        break;
    default:
        put_length(maker, is_map ? 0xdf : 0xdd, 4, count);
        break;
    }
    maker->left[++maker->depth] = count * (is_map ? 2 : 1);
}

/* One whole message of at most about a kilobyte. */
static void make(struct maker *maker)
{
    maker->size = 0;
    maker->depth = 1;
    maker->left[1] = 3 + (uint32_t)rng_below(&maker->rng, 2);
    put(maker, (uint8_t)(0x90 | maker->left[1]));
    while (maker->depth > 0) {
        if (maker->left[maker->depth] == 0) {
            maker->depth--;
            continue;
        }
        maker->left[maker->depth]--;
        uint64_t draw = rng_below(&maker->rng, 10);
        if (draw < 3 && maker->depth < FRAME_DEPTH_MAX && maker->size < 500) {
            put_container(maker);
        } else if (draw < 6 && maker->size < 1000) {
            put_bytes(maker);
        } else {
            put_number(maker);
        }
    }
}

static enum frame_state scan_copy(const uint8_t *bytes, uint32_t size, uint32_t *pos_out)
{
    struct frame_scan scan;
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    frame_scan_init(&scan);
    enum frame_state state = frame_scan_run(&scan, copy, size, &limits);
    free(copy);
    *pos_out = scan.pos;
    return state;
}

static msgpack_unpack_return unpack(const uint8_t *bytes, uint32_t size, size_t *pos_out)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    *pos_out = 0;
    msgpack_unpack_return result =
        msgpack_unpack_next(&unpacked, (const char *)bytes, size, pos_out);
    msgpack_unpacked_destroy(&unpacked);
    return result;
}

/* The scan and msgpack-c say the same of these bytes, where msgpack-c may be asked. */
static enum frame_state compare(const uint8_t *bytes, uint32_t size)
{
    uint32_t pos;
    size_t their_pos;
    enum frame_state state = scan_copy(bytes, size, &pos);
    if (state == FRAME_TOO_LARGE || state == FRAME_TOO_DEEP || size == 0) {
        return state;
    }
    if (state == FRAME_BAD && pos == 0) {
        return state;
    }
    msgpack_unpack_return result = unpack(bytes, size, &their_pos);
    if (state == FRAME_DONE) {
        assert_int_equal(result, MSGPACK_UNPACK_SUCCESS);
        assert_int_equal(pos, their_pos);
    } else {
        assert_int_equal(result, state == FRAME_MORE ? MSGPACK_UNPACK_CONTINUE
                                                     : MSGPACK_UNPACK_PARSE_ERROR);
    }
    return state;
}

/* Valid messages end where msgpack-c ends them, and each cut wants more. */
static void valid_messages_agree(void **state)
{
    (void)state;
    static struct maker maker;
    rng_init(&maker.rng, SEED);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        make(&maker);
        assert_int_equal(compare(maker.bytes, maker.size), FRAME_DONE);
        uint32_t cut = (uint32_t)rng_below(&maker.rng, maker.size);
        assert_int_equal(compare(maker.bytes, cut), FRAME_MORE);
    }
}

/* A scan in pieces of random sizes ends as one in one piece. */
static void pieces_agree(void **state)
{
    (void)state;
    static struct maker maker;
    rng_init(&maker.rng, SEED + 1);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct frame_scan scan;
        uint32_t there = 0;
        make(&maker);
        frame_scan_init(&scan);
        while (there < maker.size) {
            assert_int_equal(frame_scan_run(&scan, maker.bytes, there, &limits), FRAME_MORE);
            there += 1 + (uint32_t)rng_below(&maker.rng, 50);
        }
        assert_int_equal(frame_scan_run(&scan, maker.bytes, there, &limits), FRAME_DONE);
        assert_int_equal(scan.pos, maker.size);
    }
}

static void mutate(struct maker *maker)
{
    uint64_t times = 1 + rng_below(&maker->rng, 4);
    for (uint64_t i = 0; i < times; i++) {
        uint64_t at = rng_below(&maker->rng, maker->size);
        maker->bytes[at] = (uint8_t)rng_next(&maker->rng);
    }
}

/* Mutated messages are judged alike, and all verdicts occur. */
static void mutated_messages_agree(void **state)
{
    (void)state;
    static struct maker maker;
    uint32_t seen[FRAME_TOO_DEEP + 1] = {0};
    rng_init(&maker.rng, SEED + 2);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        make(&maker);
        mutate(&maker);
        seen[compare(maker.bytes, maker.size)]++;
    }
    for (uint32_t i = 0; i <= FRAME_TOO_LARGE; i++) {
        assert_true(seen[i] > 0);
    }
}

/* What the scan passes, the reader skips to the same end. */
static void reader_skips_what_the_scan_passes(void **state)
{
    (void)state;
    static struct maker maker;
    rng_init(&maker.rng, SEED + 3);
    for (uint32_t i = 0; i < ROUNDS; i++) {
        struct reader reader;
        uint32_t pos;
        make(&maker);
        mutate(&maker);
        if (scan_copy(maker.bytes, maker.size, &pos) == FRAME_DONE) {
            reader_init(&reader, maker.bytes, maker.size);
            assert_int_equal(reader_raw(&reader).len, pos);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(valid_messages_agree),
        cmocka_unit_test(pieces_agree),
        cmocka_unit_test(mutated_messages_agree),
        cmocka_unit_test(reader_skips_what_the_scan_passes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
