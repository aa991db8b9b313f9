/* Properties of engine/net: frames in, replies out by LSN, first bytes, drain and failure. */
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

/* A frame is answered once, wherever the network cuts it in two. */
static void split_at_every_byte(void **state)
{
    (void)state;
    struct rig rig = {0};
    uint8_t frame[256];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    const uint32_t size = rig_request(frame, 7, "hello", 40);
    for (uint32_t cut = 1; cut < size; cut++) {
        rig_send(&rig, fd, frame, cut);
        assert_true(rig_is_silent(&rig, fd));
        rig_send(&rig, fd, frame + cut, size - cut);
        assert_true(rig_has_replies(&rig, fd, 7, 1));
    }
    assert_int_equal(rig.requests, size - 1);
    close(fd);
    rig_close(&rig);
}

/* Frames that come byte by byte, several connections mixed, are all answered. */
static void byte_by_byte_mixed(void **state)
{
    (void)state;
    struct rig rig = {0};
    uint8_t frame[256];
    int fds[3];
    rig_open(&rig);
    for (uint32_t c = 0; c < 3; c++) {
        fds[c] = rig_connect(&rig);
    }
    const uint32_t size = rig_request(frame, 300, "hello", 10);
    for (uint32_t i = 0; i < size; i++) {
        for (uint32_t c = 0; c < 3; c++) {
            rig_send(&rig, fds[c], frame + i, 1);
        }
    }
    for (uint32_t c = 0; c < 3; c++) {
        assert_true(rig_has_replies(&rig, fds[c], 300, 1));
        close(fds[c]);
    }
    rig_close(&rig);
}

/* 20,000 requests in one write come in batches of at most batch_max, in order. */
static void many_in_one_write(void **state)
{
    (void)state;
    enum { COUNT = 20000 };
    struct rig rig = {.options = {.batch_max = 100}};
    uint8_t *bytes = malloc(COUNT * 64);
    size_t size = 0;
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    for (uint32_t i = 0; i < COUNT; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    rig_send(&rig, fd, bytes, size);
    assert_true(rig_has_replies(&rig, fd, 0, COUNT));
    assert_int_equal(rig.requests, COUNT);
    assert_int_equal(rig.batch_size_max, 100);
    free(bytes);
    close(fd);
    rig_close(&rig);
}

/* Large frames between small ones, in pieces of every kind of size, arrive whole. */
static void large_between_small(void **state)
{
    (void)state;
    static const uint32_t paddings[] = {0, 4090, 4200, 70000, 300000, 1000000, 3, 65530};
    static uint8_t bytes[1600000];
    struct rig rig = {0};
    size_t size = 0;
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    for (uint32_t i = 0; i < 8; i++) {
        size += rig_request(bytes + size, i, "hello", paddings[i]);
    }
    static const size_t pieces[] = {sizeof bytes, 65536, 5000, 1447};
    for (uint32_t p = 0; p < 4; p++) {
        for (size_t done = 0; done < size; done += pieces[p]) {
            rig_send(&rig, fd, bytes + done, size - done < pieces[p] ? size - done : pieces[p]);
        }
        assert_true(rig_has_replies(&rig, fd, 0, 8));
    }
    assert_int_equal(rig_stats(&rig).frames, 32);
    close(fd);
    rig_close(&rig);
}

/* No reply leaves before its LSN is durable; then all up to it do, in order. */
static void release_by_lsn(void **state)
{
    (void)state;
    struct rig rig = {.is_counting = true};
    uint8_t frame[128];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    for (uint32_t i = 1; i <= 6; i++) {
        rig_send(&rig, fd, frame, rig_request(frame, i, "hello", 0));
    }
    assert_true(rig_is_silent(&rig, fd));
    net_release(rig.net, 2);
    assert_true(rig_has_replies(&rig, fd, 1, 2));
    assert_true(rig_is_silent(&rig, fd));
    net_release(rig.net, 1); /* an older value takes nothing back */
    assert_true(rig_is_silent(&rig, fd));
    net_release(rig.net, 6);
    assert_true(rig_has_replies(&rig, fd, 3, 4));
    close(fd);
    rig_close(&rig);
}

/* Replies come while earlier ones have left and others wait: exactly the released ones are out,
 * whatever the output buffer did in between. */
static void release_while_growing(void **state)
{
    (void)state;
    struct rig rig = {.is_counting = true, .reply_size = 900};
    uint8_t frame[128];
    uint32_t sent = 0, seen = 0;
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    for (uint32_t round = 0; round < 130; round++) {
        for (uint32_t i = 0; i < 1 + round % 7; i++) {
            rig_send(&rig, fd, frame, rig_request(frame, sent++, "hello", 0));
        }
        const uint32_t lag = 8 + round % 9; /* more than come in a round: never empty */
        const uint32_t free = sent > lag + seen ? sent - lag : seen;
        net_release(rig.net, free);
        assert_true(rig_has_replies(&rig, fd, seen, free - seen));
        seen = free;
        assert_true(rig_is_silent(&rig, fd));
    }
    assert_int_equal(rig_stats(&rig).bytes_out, (uint64_t)seen * 900);
    close(fd);
    rig_close(&rig);
}

/* A reply that could go at once still waits for an earlier one of its connection, but not for
 * those of others. */
static void order_within_connection(void **state)
{
    (void)state;
    struct rig rig = {.lsn = 5};
    uint8_t frame[128];
    rig_open(&rig);
    const int first = rig_connect(&rig);
    const int second = rig_connect(&rig);
    rig_send(&rig, first, frame, rig_request(frame, 1, "hello", 0));
    rig.lsn = 0;
    rig_send(&rig, first, frame, rig_request(frame, 2, "hello", 0));
    rig_send(&rig, second, frame, rig_request(frame, 3, "hello", 0));
    assert_true(rig_has_replies(&rig, second, 3, 1));
    assert_true(rig_is_silent(&rig, first));
    net_release(rig.net, 5);
    assert_true(rig_has_replies(&rig, first, 1, 2));
    close(first);
    close(second);
    rig_close(&rig);
}

/* One group's replies of a connection leave in one write. */
static void one_write_a_group(void **state)
{
    (void)state;
    struct rig rig = {.is_counting = true};
    uint8_t bytes[50 * 64];
    uint32_t size = 0;
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    for (uint32_t i = 0; i < 50; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    rig_send(&rig, fd, bytes, size);
    assert_int_equal(rig_stats(&rig).writes, 0);
    net_release(rig.net, 50);
    assert_int_equal(rig_stats(&rig).writes, 1);
    assert_true(rig_has_replies(&rig, fd, 0, 50));
    close(fd);
    rig_close(&rig);
}

/* Requests after which small replies of a connection are taken for granted. */
static size_t warm_up(uint8_t *bytes)
{
    size_t size = 0;
    for (uint32_t i = 0; i < 200; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    return size;
}

/* COUNT requests pressed into one connection; the largest batch that came of them from then on. */
static uint32_t flood(struct rig *rig, int fd)
{
    enum { COUNT = 6000 };
    uint8_t *bytes = malloc(COUNT * 64);
    size_t size = 0;
    for (uint32_t i = 0; i < COUNT; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    rig->batch_size_max = 0;
    rig_send(rig, fd, bytes, size);
    assert_true(rig_has_replies(rig, fd, 0, COUNT));
    free(bytes);
    return rig->batch_size_max;
}

/* While batches take longer than the delay twice over, less is read at a time, down to a least;
 * when they are quick again, as much as before. Every request is answered all the time. */
static void pace_follows_the_owner(void **state)
{
    (void)state;
    struct rig rig = {.options = {.delay_ns = UINT64_C(1000000000)}};
    uint8_t frame[64];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    const uint32_t most = flood(&rig, fd);
    rig_close(&rig);
    close(fd);
    struct rig slow = {.options = {.delay_ns = 10000000}, .batch_ns = 21000000};
    rig_open(&slow);
    const int other = rig_connect(&slow);
    for (uint32_t i = 0; i < 3; i++) {
        (void)flood(&slow, other);
    }
    assert_int_equal(rig_stats(&slow).read_max, 4096);
    const uint32_t least = flood(&slow, other);
    assert_true(least <= 4096 / rig_request(frame, 0, "hello", 0) + 1);
    assert_true(least < most);
    slow.batch_ns = 0;
    for (uint32_t i = 0; i < 200 && rig_stats(&slow).read_max < 65536; i++) {
        (void)flood(&slow, other);
    }
    assert_true(rig_stats(&slow).read_max >= 65536);
    close(other);
    rig_close(&slow);
}

/* Without a delay nothing is paced. */
static void no_pace_without_delay(void **state)
{
    (void)state;
    struct rig rig = {.batch_ns = 1000000};
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    (void)flood(&rig, fd);
    assert_int_equal(rig_stats(&rig).read_max, 256 << 10);
    close(fd);
    rig_close(&rig);
}

/* A flood on one connection does not hold back a single request on another. */
static void flood_does_not_starve(void **state)
{
    (void)state;
    enum { COUNT = 8000 };
    struct rig rig = {.options = {.batch_max = 128}};
    uint8_t *bytes = malloc(COUNT * 64);
    uint8_t frame[64];
    size_t size = 0;
    rig_open(&rig);
    const int flood = rig_connect(&rig);
    const int single = rig_connect(&rig);
    rig_send(&rig, flood, bytes, warm_up(bytes));
    assert_true(rig_has_replies(&rig, flood, 0, 200));
    for (uint32_t i = 0; i < COUNT; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    assert_true(send(flood, bytes, size, MSG_NOSIGNAL) > 60000);
    const uint32_t one = rig_request(frame, 1, "marked", 0);
    assert_int_equal(send(single, frame, one, MSG_NOSIGNAL), one);
    const uint32_t before = rig.batches;
    rig_turn(&rig, 40);
    assert_int_equal(rig.batch_of_marked, before + 1);
    free(bytes);
    close(flood);
    close(single);
    rig_close(&rig);
}

/* A response is only counted; a notification is handed over and gets no reply. */
static void responses_and_notifications(void **state)
{
    (void)state;
    static const uint8_t response[] = {0x94, 1, 5, 0xc0, 0xc0};
    static const uint8_t notify[] = {0x93, 2, 0xa1, 'x', 0x90};
    struct rig rig = {0};
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, response, sizeof response);
    rig_send(&rig, fd, notify, sizeof notify);
    assert_true(rig_is_silent(&rig, fd));
    assert_int_equal(rig_stats(&rig).responses_ignored, 1);
    assert_int_equal(rig.notifications, 1);
    assert_int_equal(rig_stats(&rig).conns, 1);
    close(fd);
    rig_close(&rig);
}

/* What a client that speaks something else gets, byte for byte; then the stream ends. */
static void foreign_first_bytes(void **state)
{
    (void)state;
    static const struct {
        const char *say, *answer;
    } rows[] = {{"GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
                {"OPTIONS * HTTP/1.1\r\n\r\n", "HTTP/1.1 400 Bad Request\r\n"},
                {"*1\r\n$4\r\nPING\r\n", "-ERR this port speaks MessagePack-RPC\r\n"},
                {"$4\r\nPING\r\n", "-ERR this port speaks MessagePack-RPC\r\n"},
                {"\x16\x03\x01\x02", ""},
                {"GARBAGE", ""},
                {"\x95\x01", ""},
                {"\xff", ""}};
    struct rig rig = {0};
    rig_open(&rig);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char got[512] = "";
        const int fd = rig_connect(&rig);
        rig_send(&rig, fd, rows[i].say, 2 < strlen(rows[i].say) ? 2 : strlen(rows[i].say));
        rig_send(&rig, fd, rows[i].say + 2, strlen(rows[i].say) > 2 ? strlen(rows[i].say) - 2 : 0);
        rig_receive(&rig, fd, got, sizeof got - 1);
        assert_memory_equal(got, rows[i].answer, strlen(rows[i].answer));
        assert_int_equal(*got == '\0', *rows[i].answer == '\0');
        close(fd);
    }
    assert_int_equal(rig_stats(&rig).foreign, sizeof rows / sizeof rows[0]);
    assert_int_equal(rig.requests, 0);
    rig_close(&rig);
}

/* The length that the HTTP answer announces is that of its line. */
static void http_answer_is_whole(void **state)
{
    (void)state;
    struct rig rig = {0};
    char got[512] = "";
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, "POST /x HTTP/1.1\r\n\r\n", 20);
    rig_receive(&rig, fd, got, sizeof got - 1);
    const char *length = strstr(got, "Content-Length: ");
    const char *body = strstr(got, "\r\n\r\n");
    assert_non_null(length);
    assert_non_null(body);
    assert_int_equal(strtoul(length + 16, NULL, 10), strlen(body + 4));
    close(fd);
    rig_close(&rig);
}

/* After a frame that is not MessagePack-RPC nothing more is taken, but what is owed is sent. */
static void bad_frame_after_good(void **state)
{
    (void)state;
    static const uint8_t bad[][6] = {
        {0xc1}, {0x94, 0, 1, 0xc1}, {0x93, 9, 1, 1}, {0x94, 0, 0xa1, 'x', 0xa1, 'y'}};
    static const uint32_t sizes[] = {1, 4, 4, 6};
    struct rig rig = {.lsn = 3};
    rig_open(&rig);
    for (uint32_t i = 0; i < 4; i++) {
        uint8_t bytes[256];
        const int fd = rig_connect(&rig);
        rig.lsn = 3 + i;
        uint32_t size = rig_request(bytes, i, "hello", 0);
        memcpy(bytes + size, bad[i], sizes[i]);
        size += sizes[i];
        size += rig_request(bytes + size, 99, "hello", 0);
        rig_send(&rig, fd, bytes, size);
        assert_true(rig_is_silent(&rig, fd));
        net_release(rig.net, rig.lsn);
        assert_true(rig_has_replies(&rig, fd, i, 1));
        assert_true(rig_is_ended(&rig, fd));
        close(fd);
    }
    assert_int_equal(rig.requests, 4);
    assert_int_equal(rig_stats(&rig).frames_bad, 4);
    rig_close(&rig);
}

/* A client that sends all and ends its side gets all replies before the end. */
static void half_close_gets_replies(void **state)
{
    (void)state;
    enum { COUNT = 3000 };
    struct rig rig = {.options = {.batch_max = 64}, .lsn = 1};
    uint8_t *bytes = malloc(COUNT * 64);
    size_t size = 0;
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    for (uint32_t i = 0; i < COUNT; i++) {
        size += rig_request(bytes + size, i, "hello", 0);
    }
    rig_send(&rig, fd, bytes, size);
    assert_int_equal(shutdown(fd, SHUT_WR), 0);
    rig_turn(&rig, 100);
    net_release(rig.net, 1);
    assert_true(rig_has_replies(&rig, fd, 0, COUNT));
    assert_true(rig_is_ended(&rig, fd));
    rig_turn(&rig, 5);
    assert_int_equal(rig_stats(&rig).conns, 0);
    assert_int_equal(rig.closed, 1);
    free(bytes);
    close(fd);
    rig_close(&rig);
}

static void reset(int fd)
{
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
}

/* A connection that is held lives until it is let go, though it was reset and its last request is
 * finished: whoever holds it may still name it. */
static void held_connection_lives(void **state)
{
    (void)state;
    struct rig rig = {.is_later = true};
    uint8_t frame[64];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, frame, rig_request(frame, 1, "hello", 0));
    reset(fd);
    rig_turn(&rig, 5);
    net_conn_hold(rig.later[0], true);
    assert_false(rig_answer(&rig, 0, 0));
    assert_int_equal(rig.closed, 0);
    net_conn_hold(rig.later[0], false);
    assert_int_equal(rig.closed, 1);
    rig_close(&rig);
}

/* Requests outlive their connection: a late answer is refused, then the connection is gone. */
static void late_answer_after_reset(void **state)
{
    (void)state;
    struct rig rig = {.is_later = true};
    struct linger hard = {.l_onoff = 1, .l_linger = 0};
    uint8_t frame[64];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, frame, rig_request(frame, 1, "hello", 0));
    rig_send(&rig, fd, frame, rig_request(frame, 2, "hello", 0));
    assert_int_equal(rig.later_count, 2);
    setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
    close(fd);
    rig_turn(&rig, 5);
    assert_int_equal(rig_stats(&rig).conns, 0);
    assert_int_equal(rig.closed, 0);
    assert_false(rig_answer(&rig, 0, 0));
    assert_int_equal(rig.closed, 0);
    net_conn_done(rig.later[1]);
    assert_int_equal(rig.closed, 1);
    rig_close(&rig);
}

/* Answers made outside of a batch leave, in the order in which they were made. */
static void answers_later(void **state)
{
    (void)state;
    struct rig rig = {.is_later = true};
    uint8_t frame[64];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, frame, rig_request(frame, 1, "hello", 0));
    rig_send(&rig, fd, frame, rig_request(frame, 2, "hello", 0));
    assert_true(rig_is_silent(&rig, fd));
    assert_true(rig_answer(&rig, 1, 0));
    assert_true(rig_answer(&rig, 0, 0));
    assert_true(rig_has_replies(&rig, fd, 2, 1));
    assert_true(rig_has_replies(&rig, fd, 1, 1));
    close(fd);
    rig_close(&rig);
}

/* Between stop and start nothing is taken; afterwards everything is. */
static void stop_and_start_reading(void **state)
{
    (void)state;
    struct rig rig = {0};
    uint8_t frame[64];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    net_stop_reading(rig.net);
    for (uint32_t i = 0; i < 5; i++) {
        rig_send(&rig, fd, frame, rig_request(frame, i, "hello", 0));
    }
    assert_true(rig_is_silent(&rig, fd));
    assert_int_equal(rig.requests, 0);
    net_start_reading(rig.net);
    assert_true(rig_has_replies(&rig, fd, 0, 5));
    close(fd);
    rig_close(&rig);
}

/* A drain delivers what is owed, then ends each stream, then tells; nobody new gets in. */
static void drain_delivers_then_ends(void **state)
{
    (void)state;
    struct rig rig = {.lsn = 9};
    uint8_t frame[64];
    rig_open(&rig);
    const int busy = rig_connect(&rig);
    const int quiet = rig_connect(&rig);
    rig_send(&rig, busy, frame, rig_request(frame, 1, "hello", 0));
    net_drain(rig.net, rig_drained);
    assert_true(rig_is_ended(&rig, quiet));
    assert_true(rig_is_silent(&rig, busy));
    assert_false(rig.is_drained);
    net_release(rig.net, 9);
    assert_true(rig_has_replies(&rig, busy, 1, 1));
    assert_true(rig_is_ended(&rig, busy));
    close(busy);
    close(quiet);
    rig_turn(&rig, 10);
    assert_true(rig.is_drained);
    assert_int_equal(rig.closed, 2);
    rig_close(&rig);
}

/* A drain of nothing tells as well; a peer that does not end its side delays it by linger_ms. */
static void drain_does_not_wait_for_peers(void **state)
{
    (void)state;
    struct rig idle = {0};
    struct rig rig = {.options = {.linger_ms = 40}};
    rig_open(&idle);
    net_drain(idle.net, rig_drained);
    rig_turn(&idle, 3);
    assert_true(idle.is_drained);
    rig_close(&idle);
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    net_drain(rig.net, rig_drained);
    rig_turn(&rig, 5);
    assert_false(rig.is_drained);
    rig_turn_ms(&rig, 120);
    assert_true(rig.is_drained);
    close(fd);
    rig_close(&rig);
}

/* After a failure not one byte leaves, releasable or not. */
static void fail_sends_nothing(void **state)
{
    (void)state;
    struct rig rig = {.lsn = 2};
    uint8_t frame[64];
    rig_open(&rig);
    const int fd = rig_connect(&rig);
    rig_send(&rig, fd, frame, rig_request(frame, 1, "hello", 0));
    net_fail(rig.net);
    net_release(rig.net, 2);
    net_flush(rig.net);
    assert_true(rig_is_ended(&rig, fd));
    assert_int_equal(rig_stats(&rig).bytes_out, 0);
    close(fd);
    rig_close(&rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(split_at_every_byte),
        cmocka_unit_test(byte_by_byte_mixed),
        cmocka_unit_test(many_in_one_write),
        cmocka_unit_test(large_between_small),
        cmocka_unit_test(release_by_lsn),
        cmocka_unit_test(release_while_growing),
        cmocka_unit_test(order_within_connection),
        cmocka_unit_test(one_write_a_group),
        cmocka_unit_test(flood_does_not_starve),
        cmocka_unit_test(pace_follows_the_owner),
        cmocka_unit_test(no_pace_without_delay),
        cmocka_unit_test(responses_and_notifications),
        cmocka_unit_test(foreign_first_bytes),
        cmocka_unit_test(http_answer_is_whole),
        cmocka_unit_test(bad_frame_after_good),
        cmocka_unit_test(half_close_gets_replies),
        cmocka_unit_test(late_answer_after_reset),
        cmocka_unit_test(held_connection_lives),
        cmocka_unit_test(answers_later),
        cmocka_unit_test(stop_and_start_reading),
        cmocka_unit_test(drain_delivers_then_ends),
        cmocka_unit_test(drain_does_not_wait_for_peers),
        cmocka_unit_test(fail_sends_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
