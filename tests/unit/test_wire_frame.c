/* Properties of proto/frame: where a frame ends, what is refused, and what its head says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "frame.h"
#include "rng.h"
#include "writer.h"

static const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};

static enum frame_state scan_all(const uint8_t *bytes, uint32_t size, uint32_t *pos_out)
{
    struct frame_scan scan;
    frame_scan_init(&scan);
    enum frame_state state = frame_scan_run(&scan, bytes, size, &limits);
    *pos_out = scan.pos;
    return state;
}

/* The scan of an exact copy, so that a read past the end is found by the sanitizer. */
static enum frame_state scan_copy(const uint8_t *bytes, uint32_t size)
{
    uint32_t pos;
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    enum frame_state state = scan_all(copy, size, &pos);
    free(copy);
    return state;
}

static uint32_t build_route(uint8_t *out, uint32_t size)
{
    struct writer writer;
    writer_init(&writer, out, size);
    writer_request(&writer, 70000, "order.route");
    writer_map(&writer, 3);
    writer_str(&writer, "order_id");
    writer_str(&writer, "an order id of more than thirty-one bytes");
    writer_str(&writer, "lines");
    writer_array(&writer, 17);
    for (uint32_t i = 0; i < 17; i++) {
        writer_map(&writer, 2);
        writer_str(&writer, "item");
        writer_str(&writer, "A");
        writer_str(&writer, "qty");
        writer_int(&writer, (int64_t)1 << (i * 2));
    }
    writer_str(&writer, "dest");
    writer_map(&writer, 1);
    writer_str(&writer, "lat");
    writer_float(&writer, 52.5);
    assert_false(writer.is_full);
    return writer_size(&writer);
}

/* One value of every first byte from 0xc0 to 0xdf but 0xc1, with contents that fit. */
static const struct {
    uint8_t bytes[24];
    uint32_t size;
} values[] = {
    {{0xc0}, 1},
    {{0xc2}, 1},
    {{0xc3}, 1},
    {{0xc4, 1}, 3},
    {{0xc5, 0, 2}, 5},
    {{0xc6, 0, 0, 0, 3}, 8},
    {{0xc7, 2}, 5},
    {{0xc8, 0, 1}, 5},
    {{0xc9, 0, 0, 0, 1}, 7},
    {{0xca}, 5},
    {{0xcb}, 9},
    {{0xcc}, 2},
    {{0xcd}, 3},
    {{0xce}, 5},
    {{0xcf}, 9},
    {{0xd0}, 2},
    {{0xd1}, 3},
    {{0xd2}, 5},
    {{0xd3}, 9},
    {{0xd4}, 3},
    {{0xd5}, 4},
    {{0xd6}, 6},
    {{0xd7}, 10},
    {{0xd8}, 18},
    {{0xd9, 4}, 6},
    {{0xda, 0, 5}, 8},
    {{0xdb, 0, 0, 0, 6}, 11},
    {{0xdc, 0, 2}, 5},
    {{0xdd, 0, 0, 0, 2}, 7},
    {{0xde, 0, 2}, 7},
    {{0xdf, 0, 0, 0, 1}, 7},
    {{0x7f}, 1},
    {{0xe0}, 1},
    {{0xa3}, 4},
    {{0x92}, 3},
    {{0x82}, 5},
};

/* Each encoding has the length that the MessagePack specification gives it. */
static void scan_knows_every_encoding(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof values / sizeof values[0]; i++) {
        uint8_t frame[40] = {0x93, 2, 0xa0};
        uint32_t pos;
        memcpy(frame + 3, values[i].bytes, sizeof values[i].bytes);
        assert_int_equal(scan_all(frame, sizeof frame, &pos), FRAME_DONE);
        assert_int_equal(pos, 3 + values[i].size);
    }
}

/* Every true prefix of a frame wants more, whether scanned anew or gone on with; the whole is
 * done, at its own size also with another frame behind it. */
static void scan_resumes_at_every_byte(void **state)
{
    (void)state;
    uint8_t bytes[600];
    uint32_t size = build_route(bytes, sizeof bytes - 8);
    struct frame_scan scan;
    frame_scan_init(&scan);
    for (uint32_t there = 0; there < size; there++) {
        assert_int_equal(scan_copy(bytes, there), FRAME_MORE);
        assert_int_equal(frame_scan_run(&scan, bytes, there, &limits), FRAME_MORE);
    }
    memcpy(bytes + size, "\x94\x00\x01\xa1", 4);
    assert_int_equal(frame_scan_run(&scan, bytes, size + 4, &limits), FRAME_DONE);
    assert_int_equal(scan.pos, size);
    assert_int_equal(scan_copy(bytes, size), FRAME_DONE);
}

/* What cannot begin a message is refused on its first byte, an arity on its own. */
static void scan_refuses_foreign_roots(void **state)
{
    (void)state;
    for (uint32_t first = 0; first < 256; first++) {
        uint8_t byte = (uint8_t)first;
        bool is_root = first == 0x93 || first == 0x94 || first == 0xdc || first == 0xdd;
        assert_int_equal(scan_copy(&byte, 1), is_root ? FRAME_MORE : FRAME_BAD);
    }
    assert_int_equal(scan_copy((const uint8_t *)"\xdc\x00\x05", 3), FRAME_BAD);
    assert_int_equal(scan_copy((const uint8_t *)"\xdc\x01\x04", 3), FRAME_BAD);
    assert_int_equal(scan_copy((const uint8_t *)"\xdd\x00\x00\x00\x02", 5), FRAME_BAD);
    assert_int_equal(scan_copy((const uint8_t *)"\xdd\x00\x00\x00\x03\x02\xa0\x90", 8), FRAME_DONE);
}

/* 0xc1 is no MessagePack: refused where it stands as a value, not inside a text. */
static void scan_refuses_c1(void **state)
{
    (void)state;
    assert_int_equal(scan_copy((const uint8_t *)"\x93\x02\xc1", 3), FRAME_BAD);
    assert_int_equal(scan_copy((const uint8_t *)"\x93\x02\xa1\xc1\x90", 5), FRAME_DONE);
}

/* A frame nested `depth` deep, of arrays, the outermost being the message. */
static uint32_t build_nested(uint8_t *out, uint32_t depth)
{
    memcpy(out, "\x93\x02\xa0", 3);
    for (uint32_t i = 1; i < depth; i++) {
        out[2 + i] = i + 1 < depth ? 0x91 : 0x90;
    }
    return 2 + depth;
}

/* 16 levels pass, 17 do not, however the last is encoded and though it is empty. */
static void scan_limits_depth(void **state)
{
    (void)state;
    uint8_t bytes[64];
    uint32_t size = build_nested(bytes, 16);
    assert_int_equal(scan_copy(bytes, size), FRAME_DONE);
    size = build_nested(bytes, 17);
    assert_int_equal(scan_copy(bytes, size), FRAME_TOO_DEEP);
    bytes[size - 1] = 0x80;
    assert_int_equal(scan_copy(bytes, size), FRAME_TOO_DEEP);
    memcpy(bytes + size - 1, "\xdd\x00\x00\x00\x00", 5);
    assert_int_equal(scan_copy(bytes, size + 4), FRAME_TOO_DEEP);
}

/* A frame of exactly size_max passes; one byte more is refused as soon as it is declared. */
static void scan_limits_size(void **state)
{
    (void)state;
    static uint8_t bytes[FRAME_SIZE_MAX + 16] = {0x93, 2, 0xa0, 0xdb};
    uint32_t pos;
    be32_store(bytes + 4, FRAME_SIZE_MAX - 8);
    assert_int_equal(scan_all(bytes, FRAME_SIZE_MAX - 1, &pos), FRAME_MORE);
    assert_int_equal(scan_all(bytes, FRAME_SIZE_MAX, &pos), FRAME_DONE);
    assert_int_equal(pos, FRAME_SIZE_MAX);
    be32_store(bytes + 4, FRAME_SIZE_MAX - 7);
    assert_int_equal(scan_all(bytes, 8, &pos), FRAME_TOO_LARGE);
}

/* A value that would begin at or behind the limit is refused, whatever came before it. */
static void scan_limits_values_behind_a_text(void **state)
{
    (void)state;
    const struct frame_limits small = {32, 16};
    uint8_t bytes[64] = {0x93, 2, 0xa0, 0x92, 0xba};
    struct frame_scan scan;
    frame_scan_init(&scan);
    assert_int_equal(frame_scan_run(&scan, bytes, 5, &small), FRAME_MORE);
    bytes[31] = 0xc0;
    assert_int_equal(frame_scan_run(&scan, bytes, 32, &small), FRAME_DONE);
    bytes[4] = 0xbb;
    frame_scan_init(&scan);
    assert_int_equal(frame_scan_run(&scan, bytes, 5, &small), FRAME_TOO_LARGE);
    bytes[4] = 0xba;
    bytes[31] = 0xa1;
    frame_scan_init(&scan);
    assert_int_equal(frame_scan_run(&scan, bytes, 40, &small), FRAME_TOO_LARGE);
}

/* Counts and lengths of up to 2^32-1 are refused at once: nothing waits for them. */
static void scan_refuses_lies(void **state)
{
    (void)state;
    static const uint8_t types[] = {0xc6, 0xc9, 0xdb, 0xdd, 0xdf};
    for (size_t i = 0; i < sizeof types; i++) {
        uint8_t bytes[] = {0x93, 2, 0xa0, types[i], 0xff, 0xff, 0xff, 0xff};
        assert_int_equal(scan_copy(bytes, sizeof bytes), FRAME_TOO_LARGE);
        bytes[4] = 0x80;
        bytes[5] = bytes[6] = bytes[7] = 0;
        assert_int_equal(scan_copy(bytes, sizeof bytes), FRAME_TOO_LARGE);
    }
    const uint8_t map[] = {0x93, 2, 0xa0, 0xdf, 0, 0x08, 0, 0};
    assert_int_equal(scan_copy(map, sizeof map), FRAME_TOO_LARGE);
}

static bool head_of(const char *bytes, uint32_t size, struct frame_head *out)
{
    uint32_t pos;
    uint8_t *copy = malloc(size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    assert_int_equal(scan_all(copy, size, &pos), FRAME_DONE);
    assert_int_equal(pos, size);
    bool is_rpc = frame_head_read(copy, size, out);
    free(copy);
    return is_rpc;
}
#define HEAD(literal, out) head_of(literal, sizeof(literal) - 1, out)

/* Bytes of a message, well or not: mostly short values, some containers, seldom anything. */
static uint32_t draw_frame(struct rng *rng, uint8_t *out, uint32_t room)
{
    static const uint8_t usual[] = {0x00, 0x7f, 0xe0, 0xff, 0xa0, 0xa3, 0xbf, 0x80, 0x81,
                                    0x82, 0x90, 0x91, 0x92, 0x9f, 0xc0, 0xc3, 0xcb, 0xcc,
                                    0xcd, 0xd9, 0xd9, 0xc4, 0xdc, 0xde, 0xdd, 0xc1};
    uint32_t size = 1 + (uint32_t)rng_below(rng, room);
    uint32_t variety = 1 + (uint32_t)rng_below(rng, sizeof usual);
    for (uint32_t i = 0; i < size; i++) {
        uint8_t any = (uint8_t)rng_below(rng, 256);
        out[i] = rng_below(rng, 64) == 0 ? any : usual[rng_below(rng, variety)];
    }
    out[0] = rng_below(rng, 2) ? 0x94 : 0x93;
    return size;
}

/* A scan that begins with all bytes there, and one that has its first byte only at first, which
 * goes value by value, come to the same end; both of exact copies. */
static void a_whole_frame_ends_where_its_pieces_do(void **state)
{
    enum { ROOM = 120, DRAWS = 200000 };
    struct rng rng;
    uint8_t bytes[ROOM];
    uint32_t counts[FRAME_TOO_DEEP + 1] = {0};
    (void)state;
    rng_init(&rng, 27);
    for (int i = 0; i < DRAWS; i++) {
        const struct frame_limits own = {8 + (uint32_t)rng_below(&rng, ROOM),
                                         1 + (uint32_t)rng_below(&rng, FRAME_DEPTH_MAX)};
        uint32_t size = draw_frame(&rng, bytes, ROOM);
        struct frame_scan whole;
        struct frame_scan pieces;
        uint8_t *copy = malloc(size);
        assert_non_null(copy);
        memcpy(copy, bytes, size);
        frame_scan_init(&whole);
        frame_scan_init(&pieces);
        assert_int_equal(frame_scan_run(&pieces, copy, 1, &own), FRAME_MORE);
        enum frame_state end = frame_scan_run(&pieces, copy, size, &own);
        assert_int_equal(frame_scan_run(&whole, copy, size, &own), end);
        assert_int_equal(whole.pos, pieces.pos);
        counts[end]++;
        free(copy);
    }
    for (int i = 0; i <= FRAME_TOO_DEEP; i++) {
        assert_true(counts[i] > DRAWS / 1000);
    }
}

/* msgid comes in any integer width, signed ones included, up to 2^32-1 and no further. */
static void head_reads_every_msgid(void **state)
{
    (void)state;
    struct frame_head head;
    assert_true(HEAD("\x94\x00\x00\xa1m\x90", &head) && head.msgid == 0);
    assert_true(HEAD("\x94\x00\x7f\xa1m\x90", &head) && head.msgid == 127);
    assert_true(HEAD("\x94\x00\xcc\xff\xa1m\x90", &head) && head.msgid == 255);
    assert_true(HEAD("\x94\x00\xcd\xff\xff\xa1m\x90", &head) && head.msgid == 65535);
    assert_true(HEAD("\x94\x00\xce\xff\xff\xff\xff\xa1m\x90", &head) && head.msgid == UINT32_MAX);
    assert_true(HEAD("\x94\x00\xcf\0\0\0\0\0\0\0\x05\xa1m\x90", &head) && head.msgid == 5);
    assert_true(HEAD("\x94\x00\xd0\x7f\xa1m\x90", &head) && head.msgid == 127);
    assert_true(HEAD("\x94\x00\xd1\x01\x00\xa1m\x90", &head) && head.msgid == 256);
    assert_true(HEAD("\x94\x00\xd2\x00\x01\x00\x00\xa1m\x90", &head) && head.msgid == 65536);
    assert_true(HEAD("\x94\x00\xd3\0\0\0\0\xff\xff\xff\xff\xa1m\x90", &head));
    assert_int_equal(head.msgid, UINT32_MAX);
    assert_false(HEAD("\x94\x00\xcf\0\0\0\x01\0\0\0\0\xa1m\x90", &head));
    assert_false(HEAD("\x94\x00\xff\xa1m\x90", &head));
    assert_false(HEAD("\x94\x00\xd0\xff\xa1m\x90", &head));
    assert_false(HEAD("\x94\x00\xcb\x40\0\0\0\0\0\0\0\xa1m\x90", &head));
    assert_false(HEAD("\x94\x00\xc0\xa1m\x90", &head));
    assert_false(HEAD("\x94\x00\xa1"
                      "1\xa1m\x90",
                      &head));
}

/* The three types have their arity; method is str or bin of any width; params are what is left. */
static void head_reads_every_type(void **state)
{
    (void)state;
    struct frame_head head;
    assert_true(HEAD("\x94\x00\x01\xa5hello\x91\x80", &head));
    assert_int_equal(head.type, FRAME_REQUEST);
    assert_int_equal(head.method_len, 5);
    assert_int_equal(head.params_size, 2);
    assert_true(HEAD("\xdc\x00\x04\x00\x01\xd9\x05hello\x90", &head) && head.method_len == 5);
    assert_true(HEAD("\xdd\0\0\0\x04\x00\x01\xc5\x00\x05hello\x90", &head) && head.method_len == 5);
    assert_true(HEAD("\x93\x02\xc4\x02hi\x90", &head));
    assert_int_equal(head.type, FRAME_NOTIFY);
    assert_int_equal(head.method_len, 2);
    assert_true(HEAD("\x94\x01\x09\xc0\x07", &head));
    assert_int_equal(head.type, FRAME_RESPONSE);
    assert_int_equal(head.msgid, 9);
    assert_null(head.method);
    assert_int_equal(head.params_size, 2);
}

/* What is MessagePack but not MessagePack-RPC is told apart. */
static void head_refuses_the_rest(void **state)
{
    (void)state;
    struct frame_head head;
    assert_false(HEAD("\x93\x00\x01\xa1m", &head));
    assert_false(HEAD("\x94\x02\xa1m\x90\x90", &head));
    assert_false(HEAD("\x94\x03\x01\xa1m\x90", &head));
    assert_false(HEAD("\x94\xa1m\x01\xa1m\x90", &head));
    assert_false(HEAD("\x94\x00\x01\x05\x90", &head));
    assert_false(HEAD("\x94\x00\x01\x81\x01\x02\x90", &head));
    assert_false(HEAD("\x93\x01\x09\xc0", &head));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scan_knows_every_encoding),
        cmocka_unit_test(scan_resumes_at_every_byte),
        cmocka_unit_test(scan_refuses_foreign_roots),
        cmocka_unit_test(scan_refuses_c1),
        cmocka_unit_test(scan_limits_depth),
        cmocka_unit_test(scan_limits_size),
        cmocka_unit_test(scan_limits_values_behind_a_text),
        cmocka_unit_test(scan_refuses_lies),
        cmocka_unit_test(a_whole_frame_ends_where_its_pieces_do),
        cmocka_unit_test(head_reads_every_msgid),
        cmocka_unit_test(head_reads_every_type),
        cmocka_unit_test(head_refuses_the_rest),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
