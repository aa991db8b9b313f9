/* Listening: addresses, stale socket files, accepting, and how many files the system allows. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "net_internal.h"
#include "say.h"

enum {
    BACKLOG = 1024,
    RECEIVE_BUFFER = 256 << 10, /* the kernel doubles it for its own needs */
    FILES_BESIDE = 64, /* files that the process needs beside the connections */
    CONNS_MIN = 1
};

static const char unix_prefix[] = "unix:";

static struct net_listener *listener_new(struct net *net, bool is_pipe)
{
    CHECK(net->listeners_count < NET_LISTEN_MAX);
    struct net_listener *listener = &net->listeners[net->listeners_count++];
    *listener = (struct net_listener){.net = net, .is_pipe = is_pipe};
    const int status = is_pipe ? uv_pipe_init(net->options.loop, &listener->socket.pipe, 0)
                               : uv_tcp_init(net->options.loop, &listener->socket.tcp);
    CHECK(status == 0);
    listener->socket.handle.data = listener;
    net->handles++;
    return listener;
}

static void refuse(struct net *net, struct net_conn *conn, const char *why)
{
    net->stats.conns_refused++;
    net_warn(net, NET_GATE_REFUSED, "connection_refused", conn, why);
    if (conn) {
        conn_close(conn);
    }
}

/* Hand the socket to whoever serves it: a second descriptor of it stays when ours is closed. */
static void pass_on(struct net *net, struct net_conn *conn)
{
    uv_os_fd_t own;
    const bool is_pipe = conn->socket.handle.type == UV_NAMED_PIPE;
    CHECK(uv_fileno(&conn->socket.handle, &own) == 0);
    const int fd = fcntl(own, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) {
        refuse(net, conn, "no file to be had"); /* UNTESTED: FILES_BESIDE are kept free */
        return;
    }
    if (!net->options.accepted(net->owner, fd, is_pipe)) {
        close(fd);
        refuse(net, conn, "conns_max reached");
        return;
    }
    net->stats.conns_total++;
    conn_close(conn);
}

static void on_connection(uv_stream_t *server, int status)
{
    struct net_listener *listener = server->data;
    struct net *net = listener->net;
    CHECK(net->magic == NET_MAGIC);
    if (status < 0) {
        refuse(net, NULL, uv_strerror(status)); /* not EMFILE: libuv has a spare file for that */
        return;
    }
    /* libuv listens on only when the connection was accepted: one that is refused is, too. */
    struct net_conn *conn = conn_new(net, listener->is_pipe);
    listener->is_waiting = !conn;
    if (!conn) {
        return; /* the spare one is being closed: taken behind it, net_listen_again */
    }
    if (uv_accept(server, &conn->socket.stream) != 0) {
        refuse(net, conn, "accept failed");
    } else if (net->options.accepted) {
        pass_on(net, conn);
    } else if (conn->is_spare) {
        refuse(net, conn, "out of memory");
    } else if (net->stats.conns >= net->options.conns_max) {
        refuse(net, conn, "conns_max reached");
    } else {
        conn_start(conn);
    }
}

void net_listen_again(struct net *net)
{
    for (uint32_t i = 0; i < net->listeners_count && net->spare; i++) {
        struct net_listener *listener = &net->listeners[i];
        if (listener->is_waiting && !uv_is_closing(&listener->socket.handle)) {
            on_connection(&listener->socket.stream, 0);
        }
    }
}

static int socket_open(struct net_conn *conn, int fd, bool is_pipe)
{
    return is_pipe ? uv_pipe_open(&conn->socket.pipe, fd) : uv_tcp_open(&conn->socket.tcp, fd);
}

struct net_conn *net_adopt(struct net *net, int fd, bool is_pipe)
{
    CHECK(net->magic == NET_MAGIC);
    struct net_conn *conn = net->is_draining || net->is_failed ? NULL : conn_new(net, is_pipe);
    if (!conn) {
        close(fd);
        return NULL;
    }
    if (socket_open(conn, fd, is_pipe) != 0) {
        close(fd);
        refuse(net, conn, "adopting failed"); /* UNTESTED: the socket was just accepted */
        return NULL;
    }
    if (net->stats.conns >= net->options.conns_max) {
        refuse(net, conn, "conns_max reached");
        return NULL;
    }
    conn_start(conn);
    return conn;
}

static bool port_parse(const char *text, uint16_t *port)
{
    char *end = NULL;
    errno = 0;
    const unsigned long value = strtoul(text, &end, 10);
    if (errno || end == text || *end || *text < '0' || *text > '9' || value > UINT16_MAX) {
        return false;
    }
    *port = (uint16_t)value;
    return true;
}

static bool host_copy(char *host, size_t host_size, const char *from, size_t length)
{
    if (length >= 2 && from[0] == '[' && from[length - 1] == ']') {
        from++;
        length -= 2;
    }
    if (length == 0 || length >= host_size) {
        return false;
    }
    memcpy(host, from, length);
    host[length] = '\0';
    return true;
}

static bool host_parse(const char *host, uint16_t port, struct sockaddr_storage *addr)
{
    const char *numeric = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    memset(addr, 0, sizeof *addr);
    return uv_ip4_addr(numeric, port, (struct sockaddr_in *)(void *)addr) == 0 ||
           uv_ip6_addr(numeric, port, (struct sockaddr_in6 *)(void *)addr) == 0;
}

static bool tcp_parse(const char *address, struct sockaddr_storage *addr)
{
    char host[64];
    uint16_t port;
    const char *colon = strrchr(address, ':');
    return colon && host_copy(host, sizeof host, address, (size_t)(colon - address)) &&
           port_parse(colon + 1, &port) && host_parse(host, port, addr);
}

static bool is_loopback(const struct sockaddr_storage *addr)
{
    if (addr->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
        return ntohl(in->sin_addr.s_addr) >> 24 == 127;
    }
    const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)addr;
    return IN6_IS_ADDR_LOOPBACK(&in->sin6_addr);
}

/* Where a bound TCP listener really listens. */
static int tcp_text(struct net_listener *listener)
{
    struct sockaddr_storage addr = {0};
    int length = sizeof addr;
    char ip[INET6_ADDRSTRLEN] = "";
    const int status = uv_tcp_getsockname(&listener->socket.tcp, (struct sockaddr *)&addr, &length);
    if (status != 0) {
        return status;
    }
    if (addr.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)&addr;
        uv_ip4_name(in, ip, sizeof ip);
        snprintf(listener->text, sizeof listener->text, "%s:%u", ip, ntohs(in->sin_port));
    } else {
        const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)(const void *)&addr;
        uv_ip6_name(in, ip, sizeof ip);
        snprintf(listener->text, sizeof listener->text, "[%s]:%u", ip, ntohs(in->sin6_port));
    }
    return 0;
}

static enum err tcp_check(const char *address, struct sockaddr_storage *addr, char *error,
                          size_t error_size)
{
    if (!tcp_parse(address, addr)) {
        snprintf(error, error_size, "%s: not an address: write IP:PORT, [IPv6]:PORT or unix:PATH",
                 address);
        return ERR_INVALID;
    }
    if (!is_loopback(addr)) {
        snprintf(error, error_size,
                 "%s: no access control yet: listen on a loopback address or a unix socket",
                 address);
        return ERR_ACCESS;
    }
    return ERR_OK;
}

/* Connections inherit it. Left to itself the kernel lets some megabytes of requests wait for each,
 * unread and so of no age for the admission: after an overload they are seconds of stale work. A
 * kernel that refuses keeps its own size. */
static void receive_bound(uv_handle_t *handle)
{
    int size = RECEIVE_BUFFER;
    (void)uv_recv_buffer_size(handle, &size);
}

static enum err tcp_open(struct net *net, const char *address, char *error, size_t error_size)
{
    struct sockaddr_storage addr;
    const enum err err = tcp_check(address, &addr, error, error_size);
    if (err) {
        return err;
    }
    struct net_listener *listener = listener_new(net, false);
    int status = uv_tcp_bind(&listener->socket.tcp, (const struct sockaddr *)&addr, 0);
    if (status == 0) {
        receive_bound(&listener->socket.handle);
        status = uv_listen(&listener->socket.stream, BACKLOG, on_connection);
    }
    if (status == 0) {
        status = tcp_text(listener);
    }
    if (status != 0) {
        snprintf(error, error_size, "%s: %s", address, uv_strerror(status));
    }
    return err_from_errno(-status);
}

/* Whether somebody accepts connections at path. */
static bool is_socket_live(const struct sockaddr_un *addr)
{
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0) {
        return true; /* cannot tell: leave it alone */
    }
    const int status = connect(fd, (const struct sockaddr *)addr, sizeof *addr);
    const bool is_dead = status != 0 && errno == ECONNREFUSED;
    close(fd);
    return !is_dead;
}

/* Remove the socket file of a dead process. Nothing there is fine. */
static enum err stale_remove(const char *path, char *error, size_t error_size)
{
    struct stat found;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    if (lstat(path, &found) != 0) {
        return ERR_OK; /* bind tells what is wrong, if anything is */
    }
    if (!S_ISSOCK(found.st_mode)) {
        snprintf(error, error_size, "unix:%s: exists and is no socket", path);
        return ERR_INVALID;
    }
    snprintf(addr.sun_path, sizeof addr.sun_path, "%s", path);
    if (is_socket_live(&addr)) {
        snprintf(error, error_size, "unix:%s: a running process listens there", path);
        return ERR_INUSE;
    }
    say(SAY_INFO, "stale_socket_removed", "path=%s", path);
    if (unlink(path) != 0) {
        snprintf(error, error_size, "unix:%s: %s", path, strerror(errno));
        return err_from_errno(errno);
    }
    return ERR_OK;
}

/* libuv 1.44 cuts a longer path silently. */
static enum err unix_check(const char *path, char *error, size_t error_size)
{
    if (*path == '\0' || strlen(path) >= sizeof(((struct sockaddr_un *)0)->sun_path)) {
        snprintf(error, error_size, "unix:%s: a path has 1 to 107 bytes", path);
        return ERR_INVALID;
    }
    return ERR_OK;
}

static enum err unix_open(struct net *net, const char *path, char *error, size_t error_size)
{
    enum err err = unix_check(path, error, error_size);
    if (err == ERR_OK) {
        err = stale_remove(path, error, error_size);
    }
    if (err) {
        return err;
    }
    struct net_listener *listener = listener_new(net, true);
    const mode_t before = umask(0177); /* so that it is never open to others, not for a moment */
    int status = uv_pipe_bind(&listener->socket.pipe, path);
    umask(before);
    if (status == 0) {
        status = uv_listen(&listener->socket.stream, BACKLOG, on_connection);
    }
    snprintf(listener->text, sizeof listener->text, "unix:%s", path);
    if (status != 0) {
        snprintf(error, error_size, "unix:%s: %s", path, uv_strerror(status));
    }
    return err_from_errno(-status);
}

enum err net_listen_open(struct net *net, const char *address, char *error, size_t error_size)
{
    const size_t prefix = sizeof unix_prefix - 1;
    if (strncmp(address, unix_prefix, prefix) == 0) {
        return unix_open(net, address + prefix, error, error_size);
    }
    return tcp_open(net, address, error, error_size);
}

enum err net_address_check(const char *address, char *error, size_t error_size)
{
    struct sockaddr_storage addr;
    const size_t prefix = sizeof unix_prefix - 1;
    if (strncmp(address, unix_prefix, prefix) == 0) {
        return unix_check(address + prefix, error, error_size);
    }
    return tcp_check(address, &addr, error, error_size);
}

static void on_listener_closed(uv_handle_t *handle)
{
    const struct net_listener *listener = handle->data;
    net_handle_closed(listener->net);
}

void net_listen_close(struct net *net)
{
    for (uint32_t i = 0; i < net->listeners_count; i++) {
        uv_handle_t *handle = &net->listeners[i].socket.handle;
        if (!uv_is_closing(handle)) {
            uv_close(handle, on_listener_closed); /* libuv removes the file of a unix socket */
        }
    }
}

void net_files_fit(struct net *net)
{
    struct rlimit limit;
    const rlim_t wanted = (rlim_t)net->options.conns_max + FILES_BESIDE;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    if (setrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur < wanted) {
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_cur < wanted) {
        const rlim_t room = limit.rlim_cur > FILES_BESIDE ? limit.rlim_cur - FILES_BESIDE : 0;
        net->options.conns_max = room > CONNS_MIN ? (uint32_t)room : CONNS_MIN;
        say(SAY_WARN, "conns_lowered", "conns_max=%u wanted=%u the file limit (ulimit -n) is %llu",
            net->options.conns_max, net->conns_wanted, (unsigned long long)limit.rlim_cur);
    }
}
