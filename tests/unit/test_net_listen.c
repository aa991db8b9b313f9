/* Properties of engine/net's addresses: what is refused and why, unix sockets, file limit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "support/net_rig.h"

static void no_batch(void *owner, struct net_request *requests, uint32_t count)
{
    (void)owner;
    (void)requests;
    (void)count;
}

/* Try to listen on address; the error text goes to text. On success the net is closed again. */
static enum err try_listen(const char *address, char *text, size_t size)
{
    uv_loop_t loop;
    struct rig rig = {0};
    struct net *net = NULL;
    const char *const listen[] = {address};
    assert_int_equal(uv_loop_init(&loop), 0);
    struct net_options options = {.loop = &loop, .listen = listen, .listen_count = 1};
    text[0] = '\0';
    const enum err err = net_open(&options, no_batch, &rig, &net, text, size);
    if (err == ERR_OK) {
        net_drain(net, rig_drained);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    if (err == ERR_OK) {
        assert_true(rig.is_drained);
        net_free(net);
    }
    assert_int_equal(uv_loop_close(&loop), 0);
    return err;
}

/* Only loopback addresses are taken, and the refusal says what to do. */
static void only_loopback(void **state)
{
    (void)state;
    char text[256];
    static const char *const open_ones[] = {"0.0.0.0:0",   "192.168.1.1:7420",
                                            "[::]:0",      "[2001:db8::1]:7420",
                                            "126.0.0.1:1", "128.0.0.1:1"};
    for (size_t i = 0; i < sizeof open_ones / sizeof open_ones[0]; i++) {
        assert_int_equal(try_listen(open_ones[i], text, sizeof text), ERR_ACCESS);
        assert_non_null(strstr(text, "no access control yet: listen on a loopback address"));
    }
    assert_int_equal(try_listen("127.0.0.1:0", text, sizeof text), ERR_OK);
    assert_int_equal(try_listen("127.200.0.9:0", text, sizeof text), ERR_OK);
    assert_int_equal(try_listen("localhost:0", text, sizeof text), ERR_OK);
}

/* What is no address is refused by name. */
static void unreadable_addresses(void **state)
{
    (void)state;
    char text[256];
    static const char *const bad[] = {
        "",           "7420",          ":7420",         "127.0.0.1",
        "127.0.0.1:", "127.0.0.1:x",   "127.0.0.1:-1",  "127.0.0.1:65536",
        "host.x:80",  "127.0.0.1:80x", "127.0.0.1: 80", "unix:"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(try_listen(bad[i], text, sizeof text), ERR_INVALID);
        assert_non_null(strstr(text, bad[i]));
    }
}

/* Port 0 is resolved in the text; that port is then taken for a second net. */
static void port_in_use(void **state)
{
    (void)state;
    struct rig rig = {0};
    char text[256];
    rig_open(&rig);
    const char *address = net_listen_text(rig.net, 0);
    assert_int_equal(net_listen_count(rig.net), 1);
    assert_int_equal(strncmp(address, "127.0.0.1:", 10), 0);
    assert_true(strtoul(address + 10, NULL, 10) > 0);
    assert_int_equal(try_listen(address, text, sizeof text), ERR_INUSE);
    assert_non_null(strstr(text, "address already in use"));
    rig_close(&rig);
}

static int unix_connect(const char *path)
{
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    assert_int_equal(connect(fd, (const struct sockaddr *)&addr, sizeof addr), 0);
    return fd;
}

/* A folder for a socket, and its address. */
struct place {
    char folder[32];
    char address[64];
    const char *path; /* in address */
};

static void place_open(struct place *place)
{
    snprintf(place->folder, sizeof place->folder, "net_test_XXXXXX");
    assert_non_null(mkdtemp(place->folder));
    snprintf(place->address, sizeof place->address, "unix:%s/s", place->folder);
    place->path = place->address + 5;
}

static void place_close(struct place *place)
{
    unlink(place->path);
    assert_int_equal(rmdir(place->folder), 0);
}

/* A unix socket serves, belongs to its owner alone, is refused to a second net, and its file is
 * gone afterwards. */
static void unix_serves(void **state)
{
    (void)state;
    struct place place;
    struct stat found;
    char text[256];
    uint8_t frame[64];
    place_open(&place);
    const char *const listen[] = {place.address, "127.0.0.1:0"};
    struct rig rig = {.options = {.listen = listen, .listen_count = 2}};
    rig_open(&rig);
    assert_string_equal(net_listen_text(rig.net, 0), place.address);
    assert_int_equal(stat(place.path, &found), 0);
    assert_int_equal(found.st_mode & 07777, 0600);
    const int fd = unix_connect(place.path);
    rig_send(&rig, fd, frame, rig_request(frame, 4, "hello", 0));
    assert_true(rig_has_replies(&rig, fd, 4, 1));
    assert_int_equal(try_listen(place.address, text, sizeof text), ERR_INUSE);
    assert_non_null(strstr(text, "a running process listens there"));
    close(fd);
    rig_close(&rig);
    assert_int_not_equal(stat(place.path, &found), 0);
    place_close(&place);
}

/* The socket file that a dead process left is replaced; any other file is left alone. */
static void unix_stale_file(void **state)
{
    (void)state;
    struct place place;
    char text[256];
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    place_open(&place);
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", place.path);
    const int dead = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(dead, (const struct sockaddr *)&addr, sizeof addr), 0);
    close(dead);
    assert_int_equal(try_listen(place.address, text, sizeof text), ERR_OK);
    fclose(fopen(place.path, "w"));
    assert_int_equal(try_listen(place.address, text, sizeof text), ERR_INVALID);
    assert_non_null(strstr(text, "exists and is no socket"));
    assert_int_equal(access(place.path, F_OK), 0);
    place_close(&place);
}

/* A path that libuv would cut is refused, not served under another name. */
static void unix_path_too_long(void **state)
{
    (void)state;
    char address[128] = "unix:";
    char text[256];
    memset(address + 5, 'p', 108);
    assert_int_equal(try_listen(address, text, sizeof text), ERR_INVALID);
    assert_non_null(strstr(text, "1 to 107 bytes"));
}

/* Where the system allows fewer files, conns_max is lowered and both numbers are told. */
static void file_limit_lowers_conns(void **state)
{
    (void)state;
    struct rlimit before, tight;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = tight.rlim_cur < 200 ? tight.rlim_cur : 200;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    struct net_limits limits;
    struct rig raised = {.options = {.conns_max = 300}};
    rig_open(&raised);
    net_limits(raised.net, &limits);
    assert_int_equal(limits.conns_max, 300); /* the soft limit was raised */
    rig_close(&raised);
    struct rig lowered = {.options = {.conns_max = (uint32_t)before.rlim_max}};
    rig_open(&lowered);
    net_limits(lowered.net, &limits);
    assert_int_equal(limits.conns_wanted, before.rlim_max);
    assert_int_equal(limits.conns_max, before.rlim_max - 64);
    rig_close(&lowered);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

/* Without a file left a client is refused, not left hanging, and the next one is served. */
static void no_file_left(void **state)
{
    (void)state;
    enum { FILES = 120 };
    struct rlimit before, tight;
    struct rig rig = {.options = {.conns_max = 20}};
    uint8_t frame[64];
    int held[FILES];
    uint32_t count = 0;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    tight = before;
    tight.rlim_cur = FILES - 20;
    rig_open(&rig);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &tight), 0);
    const int fd = rig_connect(&rig);
    while (count < FILES && (held[count] = dup(fd)) >= 0) {
        count++;
    }
    close(held[--count]);
    const int refused = rig_connect(&rig); /* takes the last one */
    assert_true(rig_is_ended(&rig, refused));
    close(refused);
    close(held[--count]);
    const int served = rig_connect(&rig);
    rig_send(&rig, served, frame, rig_request(frame, 4, "hello", 0));
    assert_true(rig_has_replies(&rig, served, 4, 1));
    while (count > 0) {
        close(held[--count]);
    }
    close(served);
    close(fd);
    rig_close(&rig);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
}

static bool is_memory_out;
void *__real_calloc(size_t count, size_t size);
void *__wrap_calloc(size_t count, size_t size);

void *__wrap_calloc(size_t count, size_t size)
{
    return is_memory_out ? NULL : __real_calloc(count, size);
}

/* Clients that come together while there is no memory are all refused, none is left hanging, and
 * with memory the next one is served. */
static void no_memory_left(void **state)
{
    (void)state;
    enum { CLIENTS = 5 };
    struct rig rig = {0};
    uint8_t frame[64];
    int fds[CLIENTS];
    rig_open(&rig);
    is_memory_out = true;
    for (int i = 0; i < CLIENTS; i++) {
        fds[i] = rig_connect(&rig);
    }
    for (int i = 0; i < CLIENTS; i++) {
        assert_true(rig_is_ended(&rig, fds[i]));
        close(fds[i]);
    }
    is_memory_out = false;
    assert_int_equal(rig_stats(&rig).conns_refused, CLIENTS);
    const int served = rig_connect(&rig);
    rig_send(&rig, served, frame, rig_request(frame, 4, "hello", 0));
    assert_true(rig_has_replies(&rig, served, 4, 1));
    close(served);
    rig_close(&rig);
}

static struct rig *taker; /* where on_accepted sends what it gets; NULL: it wants nothing */
static int accepted_buffer; /* of the last one that it got */

static bool on_accepted(void *owner, int fd, bool is_pipe)
{
    (void)owner;
    socklen_t size = sizeof accepted_buffer;
    assert_int_equal(getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &accepted_buffer, &size), 0);
    if (taker) {
        net_adopt(taker->net, fd, is_pipe);
    }
    return taker != NULL;
}

/* A net serves what another one accepted, up to its own limit; what nobody wants is closed and
 * counted where it was accepted. */
static void accepted_elsewhere(void **state)
{
    (void)state;
    struct rig door = {.options = {.accepted = on_accepted}};
    struct rig server = {.options = {.conns_max = 1}};
    uint8_t frame[64];
    rig_open(&door);
    rig_open(&server);
    taker = NULL;
    const int unwanted = rig_connect(&door);
    assert_true(rig_is_ended(&door, unwanted));
    taker = &server;
    const int served = rig_connect(&door);
    rig_turn(&door, 5);
    rig_send(&server, served, frame, rig_request(frame, 7, "hello", 0));
    assert_true(rig_has_replies(&server, served, 7, 1));
    const int over = rig_connect(&door);
    rig_turn(&door, 5);
    assert_true(rig_is_ended(&server, over));
    assert_int_equal(rig_stats(&door).conns, 0);
    assert_int_equal(rig_stats(&door).conns_total, 2);
    assert_int_equal(rig_stats(&door).conns_refused, 1);
    assert_int_equal(rig_stats(&server).conns, 1);
    assert_int_equal(rig_stats(&server).conns_refused, 1);
    close(unwanted);
    close(served);
    close(over);
    rig_close(&server);
    rig_close(&door);
}

/* What waits unread in the kernel is bounded: 256 KiB a connection, doubled by the kernel, or what
 * it allows at most. */
static void unread_bytes_are_bounded(void **state)
{
    (void)state;
    int allowed = 0;
    FILE *file = fopen("/proc/sys/net/core/rmem_max", "r");
    assert_non_null(file);
    assert_int_equal(fscanf(file, "%d", &allowed), 1);
    fclose(file);
    taker = NULL;
    struct rig door = {.options = {.accepted = on_accepted}};
    rig_open(&door);
    const int unwanted = rig_connect(&door);
    rig_turn(&door, 5);
    assert_int_equal(accepted_buffer, 2 * (allowed < 256 << 10 ? allowed : 256 << 10));
    close(unwanted);
    rig_close(&door);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unread_bytes_are_bounded),
        cmocka_unit_test(only_loopback),
        cmocka_unit_test(unreadable_addresses),
        cmocka_unit_test(port_in_use),
        cmocka_unit_test(unix_serves),
        cmocka_unit_test(unix_stale_file),
        cmocka_unit_test(unix_path_too_long),
        cmocka_unit_test(file_limit_lowers_conns),
        cmocka_unit_test(no_file_left),
        cmocka_unit_test(no_memory_left),
        cmocka_unit_test(accepted_elsewhere),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
