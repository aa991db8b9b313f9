/* Properties of engine/net at its limits: each has an answer, and nobody else feels it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/net_rig.h"

static void send_requests(struct rig *rig, int fd, uint32_t first, uint32_t count)
{
    uint8_t *bytes = malloc((size_t)count * 64);
    size_t size = 0;
    for (uint32_t i = 0; i < count; i++) {
        size += rig_request(bytes + size, first + i, "hello", 0);
    }
    rig_send(rig, fd, bytes, size);
    free(bytes);
}

/* A frame of exactly frame_size_max passes; one byte more is told by msgid, then the end. */
static void frame_size_edge(void **state)
{
    (void)state;
    static uint8_t frame[8192];
    struct rig rig = {.options = {.frame_size_max = 5000}};
    uint8_t got[256] = {0};
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    const uint32_t head = rig_request(frame, 70000, "hello", 0);
    rig_send(&rig, fd, frame, rig_request(frame, 70000, "hello", 5000 - head));
    assert_true(rig_has_replies(&rig, fd, 70000, 1));
    rig_send(&rig, fd, frame, rig_request(frame, 70000, "hello", 5001 - head));
    const size_t size = rig_receive(&rig, fd, got, sizeof got);
    static const uint8_t start[] = {0x94, 1, 0xce, 0, 1, 0x11, 0x70, 0x92, 1};
    assert_true(size > sizeof start);
    assert_memory_equal(got, start, sizeof start);
    assert_non_null(memmem(got, size, "TOO_LARGE a frame has at most 5000 bytes", 40));
    assert_int_equal(rig_stats(&rig).frames_too_large, 1);
    assert_int_equal(rig.requests, 1);
    close(fd);
    rig_close(&rig);
}

/* The error arrives also while the client is still pushing the rest of its megabytes. */
static void too_large_while_sending(void **state)
{
    (void)state;
    static uint8_t frame[4 << 20];
    struct rig rig = {0};
    uint8_t got[256];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, frame, rig_request(frame, 3, "hello", sizeof frame - 256));
    const size_t size = rig_receive(&rig, fd, got, sizeof got);
    assert_non_null(memmem(got, size, "TOO_LARGE", 9));
    close(fd);
    rig_close(&rig);
}

static uint32_t nested_request(uint8_t *frame, uint32_t depth)
{
    const uint8_t head[] = {0x94, 0, 9, 0xa1, 'm'};
    memcpy(frame, head, sizeof head);
    memset(frame + sizeof head, 0x91, depth - 2);
    frame[sizeof head + depth - 2] = 0x90;
    return (uint32_t)sizeof head + depth - 1;
}

/* Depth 16 passes; depth 17 is told by msgid. */
static void depth_edge(void **state)
{
    (void)state;
    struct rig rig = {0};
    uint8_t frame[64], got[256];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, frame, nested_request(frame, 16));
    assert_true(rig_has_replies(&rig, fd, 9, 1));
    rig_send(&rig, fd, frame, nested_request(frame, 17));
    const size_t size = rig_receive(&rig, fd, got, sizeof got);
    assert_non_null(memmem(got, size, "TOO_LARGE a frame nests at most 16 deep", 39));
    close(fd);
    rig_close(&rig);
}

/* The connection over conns_max is closed at once; when one leaves, the next gets in. */
static void conns_max_edge(void **state)
{
    (void)state;
    struct rig rig = {.options = {.conns_max = 2}};
    rig_open(&rig);
    const int first = rig_connect(&rig);
    const int second = rig_connect(&rig);
    const int third = rig_connect(&rig);
    assert_true(rig_is_ended(&rig, third));
    assert_int_equal(rig_stats(&rig).conns, 2);
    assert_int_equal(rig_stats(&rig).conns_refused, 1);
    close(first);
    close(third);
    rig_turn(&rig, 5);
    const int fourth = rig_connect(&rig);
    send_requests(&rig, fourth, 1, 1);
    send_requests(&rig, second, 1, 1);
    assert_true(rig_has_replies(&rig, fourth, 1, 1));
    assert_true(rig_has_replies(&rig, second, 1, 1));
    close(second);
    close(fourth);
    rig_close(&rig);
}

/* No more than inflight_max are taken while none is released; all are answered in the end. */
static void inflight_edge(void **state)
{
    (void)state;
    struct rig rig = {.options = {.inflight_max = 4}, .is_counting = true};
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    send_requests(&rig, fd, 0, 11);
    rig_turn(&rig, 10);
    assert_int_equal(rig.requests, 4);
    net_release(rig.net, 1); /* three in flight: more than half, so it waits */
    rig_turn(&rig, 10);
    assert_int_equal(rig.requests, 4);
    net_release(rig.net, 4);
    rig_turn(&rig, 10);
    assert_int_equal(rig.requests, 8);
    net_release(rig.net, 100);
    assert_true(rig_has_replies(&rig, fd, 0, 11));
    close(fd);
    rig_close(&rig);
}

/* A client that does not read is not read from beyond its soft limit, and cut after the
 * patience; another client feels nothing. */
static void slow_reader_stopped_then_cut(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct rig rig = {.options = {.output_soft = 64 << 10, .output_patience_ms = 700},
                      .reply_size = 4096};
    rig_open(&rig);
    const int slow = rig_connect(&rig);
    uint8_t *bytes = malloc(COUNT * 64);
    size_t size = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    assert_true(send(slow, bytes, size, MSG_NOSIGNAL) > 0);
    for (int turn = 0; turn < 1000 && rig_stats(&rig).pauses == 0; turn++) {
        rig_turn(&rig, 1);
    }
    assert_true(rig_stats(&rig).pauses > 0);
    assert_int_equal(rig_stats(&rig).slow_cut, 0);
    const int other = rig_connect(&rig);
    send_requests(&rig, other, 1, 1);
    assert_true(rig_has_replies(&rig, other, 1, 1));
    for (int turn = 0; turn < 200 && rig_stats(&rig).slow_cut == 0; turn++) {
        rig_turn_ms(&rig, 100);
    }
    assert_int_equal(rig_stats(&rig).slow_cut, 1);
    assert_int_equal(rig_stats(&rig).conns, 1);
    assert_true(rig.requests < COUNT);
    free(bytes);
    close(slow);
    close(other);
    rig_close(&rig);
}

/* A client that reads late gets every reply, in order and whole. */
static void late_reader_gets_all(void **state)
{
    (void)state;
    enum { COUNT = 4000 };
    struct rig rig = {
        .options = {.output_soft = 32 << 10}, .is_counting = true, .reply_size = 3000};
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    uint8_t *bytes = malloc(COUNT * 64);
    size_t size = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    rig_send(&rig, fd, bytes, size);
    for (uint32_t round = 0; round < 400; round++) {
        rig_turn(&rig, 1);
        net_release(rig.net, rig.lsn > 3 ? rig.lsn - 3 : 0);
    }
    assert_true(rig_stats(&rig).pauses > 0);
    uint32_t seen = 0;
    while (seen < COUNT) {
        net_release(rig.net, rig.lsn);
        assert_true(rig_has_replies(&rig, fd, seen, 1));
        seen++;
    }
    assert_int_equal(rig_stats(&rig).slow_cut, 0);
    assert_int_equal(rig_stats(&rig).bytes_out, (uint64_t)COUNT * 3000);
    free(bytes);
    close(fd);
    rig_close(&rig);
}

/* Many large replies asked for at once are served in portions below the hard limit. */
static void large_replies_in_portions(void **state)
{
    (void)state;
    struct rig rig = {.options = {.output_hard = 2 << 20}, .reply_size = 200000};
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    send_requests(&rig, fd, 0, 200);
    assert_true(rig_has_replies(&rig, fd, 0, 200));
    assert_int_equal(rig_stats(&rig).slow_cut, 0);
    close(fd);
    rig_close(&rig);
}

/* A burst whose replies grow large all at once is served as well: what would go over the limit
 * is given back, also where the client has sent its end meanwhile. */
static void sudden_large_replies(void **state)
{
    (void)state;
    for (int is_ended = 0; is_ended < 2; is_ended++) {
        struct rig rig = {.options = {.output_hard = 2 << 20}};
        rig_open(&rig);
        const int fd = rig_connect(&rig);
        for (uint32_t i = 0; i < 10; i++) { /* its replies are known to be small */
            send_requests(&rig, fd, 0, 100);
            assert_true(rig_has_replies(&rig, fd, 0, 100));
        }
        rig.reply_size = 400000;
        send_requests(&rig, fd, 0, 64);
        if (is_ended) {
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        }
        assert_true(rig_has_replies(&rig, fd, 0, 64));
        assert_int_equal(rig_stats(&rig).slow_cut, 0);
        assert_int_equal(rig_stats(&rig).frames, 1064);
        assert_int_equal(rig.requests, 1064);
        if (is_ended) {
            assert_true(rig_is_ended(&rig, fd));
        }
        close(fd);
        rig_close(&rig);
    }
}

/* Output that grows over the hard limit cuts the connection; what was asked counts as
 * finished. */
static void output_hard_cuts(void **state)
{
    (void)state;
    struct rig rig = {.options = {.output_soft = 1 << 20, .output_hard = 1 << 20}};
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    send_requests(&rig, fd, 0, 100); /* until then its replies are judged large */
    assert_true(rig_has_replies(&rig, fd, 0, 100));
    rig.is_later = true;
    send_requests(&rig, fd, 7, 8);
    rig_turn(&rig, 10);
    assert_int_equal(rig.later_count, 8);
    rig.reply_size = 600000;
    assert_true(rig_answer(&rig, 0, 50));
    assert_true(rig_answer(&rig, 1, 50));
    for (uint32_t i = 2; i < 8; i++) {
        assert_false(rig_answer(&rig, i, 50));
    }
    assert_int_equal(rig_stats(&rig).slow_cut, 1);
    rig_turn(&rig, 5);
    assert_int_equal(rig.closed, 1);
    close(fd);
    rig_close(&rig);
}

/* When all buffers together reach their limit, the connection that wants more is cut and the
 * others go on. */
static void buffers_max_cuts_one(void **state)
{
    (void)state;
    static uint8_t frame[700000];
    struct rig rig = {.options = {.buffers_max = 256 << 10}};
    rig_open(&rig);
    const int greedy = rig_connect(&rig);
    const int modest = rig_connect(&rig);
    const uint32_t size = rig_request(frame, 1, "hello", sizeof frame - 256);
    rig_send(&rig, greedy, frame, size - 1);
    assert_true(rig_is_ended(&rig, greedy));
    assert_int_equal(rig_stats(&rig).nomem_cut, 1);
    assert_true(rig_stats(&rig).buffer_bytes <= 256 << 10);
    send_requests(&rig, modest, 5, 3);
    assert_true(rig_has_replies(&rig, modest, 5, 3));
    close(greedy);
    close(modest);
    rig_close(&rig);
}

/* 200 connections with a full arena each turn: all are served, and at the end none holds a
 * buffer beyond the pool's. */
static void arena_shared_by_many(void **state)
{
    (void)state;
    enum { CONNS = 40, EACH = 400 };
    static uint8_t bytes[EACH * 700];
    struct rig rig = {.options = {.arena_size = 1, .batch_max = 256}};
    int fds[CONNS];
    size_t size = 0;
    rig_open(&rig);
    for (uint32_t i = 0; i < EACH; i++) {
        size += rig_request(bytes + size, i, "hello", 600);
    }
    for (uint32_t c = 0; c < CONNS; c++) {
        fds[c] = rig_connect(&rig);
    }
    for (uint32_t c = 0; c < CONNS; c++) {
        rig_send(&rig, fds[c], bytes, size);
    }
    for (uint32_t c = 0; c < CONNS; c++) {
        assert_true(rig_has_replies(&rig, fds[c], 0, EACH));
        close(fds[c]);
    }
    assert_int_equal(rig.requests, CONNS * EACH);
    rig_close(&rig);
}

/* What net_limits tells is what was asked for, with the defaults filled in. */
static void limits_told(void **state)
{
    (void)state;
    struct rig rig = {.options = {.conns_max = 50}};
    struct net_limits limits;
    rig_open(&rig);
    net_limits(rig.net, &limits);
    assert_int_equal(limits.conns_max, 50);
    assert_int_equal(limits.conns_wanted, 50);
    assert_int_equal(limits.frame_size_max, 1 << 20);
    assert_int_equal(limits.depth_max, 16);
    assert_int_equal(limits.inflight_max, 16384);
    assert_true(limits.memory_max > (uint64_t)1 << 30);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frame_size_edge),      cmocka_unit_test(too_large_while_sending),
        cmocka_unit_test(depth_edge),           cmocka_unit_test(conns_max_edge),
        cmocka_unit_test(inflight_edge),        cmocka_unit_test(slow_reader_stopped_then_cut),
        cmocka_unit_test(late_reader_gets_all), cmocka_unit_test(large_replies_in_portions),
        cmocka_unit_test(sudden_large_replies),
        cmocka_unit_test(output_hard_cuts),     cmocka_unit_test(buffers_max_cuts_one),
        cmocka_unit_test(arena_shared_by_many), cmocka_unit_test(limits_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
