/* Properties of proto/writer: smallest encodings, sticky overflow, late counts. The reference is
 * msgpack-c, which packs the smallest too. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>
#include <msgpack.h>

#include "frame.h"
#include "writer.h"

static uint8_t ours[300000];
static struct writer writer;
static msgpack_sbuffer theirs;
static msgpack_packer packer;

static int set_up(void **state)
{
    (void)state;
    writer_init(&writer, ours, sizeof ours);
    msgpack_sbuffer_init(&theirs);
    msgpack_packer_init(&packer, &theirs, msgpack_sbuffer_write);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    msgpack_sbuffer_destroy(&theirs);
    return 0;
}

static void assert_same(void)
{
    assert_false(writer.is_full);
    assert_int_equal(writer_size(&writer), theirs.size);
    assert_memory_equal(ours, theirs.data, theirs.size);
}

/* Integers at and around every power of two, of both signs, are as short as msgpack-c's. */
static void ints_are_smallest(void **state)
{
    (void)state;
    for (uint32_t bit = 0; bit < 64; bit++) {
        for (int64_t off = -2; off <= 2; off++) {
            int64_t value = (int64_t)((UINT64_C(1) << bit) + (uint64_t)off);
            int64_t negative = (int64_t)(0 - (uint64_t)value);
            writer_int(&writer, value);
            msgpack_pack_int64(&packer, value);
            writer_int(&writer, negative);
            msgpack_pack_int64(&packer, negative);
            writer_uint(&writer, (uint64_t)value);
            msgpack_pack_uint64(&packer, (uint64_t)value);
        }
    }
    assert_same();
}

/* Texts and counts around every border of an encoding. */
static void lengths_are_smallest(void **state)
{
    (void)state;
    static const uint32_t lengths[] = {0, 1, 15, 16, 31, 32, 255, 256, 65535, 65536};
    static char text[65536];
    memset(text, 'x', sizeof text);
    for (size_t i = 0; i < sizeof lengths / sizeof lengths[0]; i++) {
        writer_text(&writer, text, lengths[i]);
        msgpack_pack_str(&packer, lengths[i]);
        msgpack_pack_str_body(&packer, text, lengths[i]);
        writer_map(&writer, lengths[i]);
        msgpack_pack_map(&packer, lengths[i]);
        writer_array(&writer, lengths[i]);
        msgpack_pack_array(&packer, lengths[i]);
    }
    assert_same();
}

/* The other kinds; a float stays a float64 also where it is integral. */
static void scalars_are_as_packed(void **state)
{
    (void)state;
    writer_nil(&writer);
    msgpack_pack_nil(&packer);
    writer_bool(&writer, true);
    msgpack_pack_true(&packer);
    writer_bool(&writer, false);
    msgpack_pack_false(&packer);
    writer_float(&writer, 52.0);
    msgpack_pack_double(&packer, 52.0);
    writer_float(&writer, -0.1);
    msgpack_pack_double(&packer, -0.1);
    writer_str(&writer, "routed");
    msgpack_pack_str_with_body(&packer, "routed", 6);
    writer_raw(&writer, "\x93\x01\x02\x03", 4);
    msgpack_pack_array(&packer, 3);
    for (int i = 1; i <= 3; i++) {
        msgpack_pack_int(&packer, i);
    }
    assert_same();
}

/* A count that is known only at the end gives the same bytes as one known before. */
static void late_counts_are_smallest(void **state)
{
    (void)state;
    static const uint32_t counts[] = {0, 1, 15, 16, 17, 65535, 65536};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        uint32_t outer = writer_open(&writer);
        uint32_t inner = writer_open(&writer);
        msgpack_pack_map(&packer, 1);
        msgpack_pack_array(&packer, counts[i]);
        for (uint32_t j = 0; j < counts[i]; j++) {
            writer_uint(&writer, j & 127);
            msgpack_pack_uint32(&packer, j & 127);
        }
        writer_array_close(&writer, inner, counts[i]);
        writer_nil(&writer);
        msgpack_pack_nil(&packer);
        writer_map_close(&writer, outer, 1);
    }
    assert_same();
}

/* Write one of each into a buffer of size bytes. */
static void write_all(struct writer *out)
{
    uint32_t mark = writer_open(out);
    writer_reply(out, 70000);
    for (uint32_t i = 0; i < 16; i++) {
        writer_int(out, -1 - (int64_t)i * 1000);
    }
    writer_float(out, 1.5);
    writer_str(out, "a text");
    writer_map(out, 300);
    writer_text(out, (const char *)ours, 40);
    writer_array_close(out, mark, 20);
}

/* Too small a buffer of any size: is_full, nothing behind the end, nothing later after it. */
static void overflow_is_sticky(void **state)
{
    (void)state;
    uint8_t bytes[256];
    struct writer out;
    writer_init(&out, bytes, sizeof bytes);
    write_all(&out);
    assert_false(out.is_full);
    const uint32_t whole = writer_size(&out);
    for (uint32_t size = 0; size < whole; size++) {
        memset(bytes, 0xc1, sizeof bytes);
        writer_init(&out, bytes, size);
        write_all(&out);
        assert_true(out.is_full);
        const uint32_t stopped = writer_size(&out);
        writer_nil(&out);
        assert_int_equal(writer_size(&out), stopped);
        assert_int_equal(bytes[size], 0xc1);
    }
}

/* A request of the writer is one to the frame reader. */
static void request_is_a_frame(void **state)
{
    (void)state;
    const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    struct frame_scan scan;
    struct frame_head head;
    writer_request(&writer, UINT32_MAX, "stock.get");
    writer_map(&writer, 0);
    frame_scan_init(&scan);
    assert_int_equal(frame_scan_run(&scan, ours, writer_size(&writer), &limits), FRAME_DONE);
    assert_true(frame_head_read(ours, scan.pos, &head));
    assert_int_equal(head.msgid, UINT32_MAX);
    assert_memory_equal(head.method, "stock.get", 9);
}

/* An error is [kind, "CODE text"] with a nil result, of every length of text. */
static void error_has_its_shape(void **state)
{
    (void)state;
    static char text[301];
    memset(text, 'e', sizeof text);
    for (uint32_t len = 0; len <= 300; len += 3) {
        char whole[400];
        int size =
            snprintf(whole, sizeof whole, "UNKNOWN_ITEM%s%.*s", len > 0 ? " " : "", (int)len, text);
        writer_reply_error(&writer, 7, CODE_UNKNOWN_ITEM, text, len);
        msgpack_pack_array(&packer, 4);
        msgpack_pack_int(&packer, 1);
        msgpack_pack_int(&packer, 7);
        msgpack_pack_array(&packer, 2);
        msgpack_pack_int(&packer, 1);
        msgpack_pack_str_with_body(&packer, whole, (size_t)size);
        msgpack_pack_nil(&packer);
    }
    assert_same();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(ints_are_smallest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lengths_are_smallest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scalars_are_as_packed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(late_counts_are_smallest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overflow_is_sticky, set_up, tear_down),
        cmocka_unit_test_setup_teardown(request_is_a_frame, set_up, tear_down),
        cmocka_unit_test_setup_teardown(error_has_its_shape, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
