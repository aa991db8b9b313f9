/* The connection of a client: its address, how it comes up, and how it ends.
 *
 *   DOWN -> RESOLVING -> CONNECTING -> UP -> (lost) BACKOFF -> DOWN
 *              |             |
 *              +-------------+--> BACKOFF (nobody there)
 *
 * It leaves DOWN only when a call is queued. The wait doubles with each failure and each loss,
 * and starts small again with the first answer: a server that accepts and dies at once is not
 * hammered. Each wait is drawn from its upper half, so that a fleet does not return as one. */
#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "check.h"
#include "client_internal.h"

#define TEXT(name)              NEARSHELF_TEXT_OF(name)
#define NEARSHELF_TEXT_OF(name) #name

/* A name look-up; outlives a client that closes meanwhile by being counted as its handle. */
struct link_resolve {
    uv_getaddrinfo_t request;
    struct nearshelf *client;
    bool is_cancelled;
};

static bool copy_part(char *to, size_t size, const char *from, size_t length)
{
    if (length == 0 || length >= size) {
        return false;
    }
    memcpy(to, from, length);
    to[length] = '\0';
    return true;
}

static bool port_is_good(const char *port)
{
    size_t digits = strspn(port, "0123456789");
    unsigned long number = strtoul(port, NULL, 10);
    return digits > 0 && port[digits] == '\0' && number >= 1 && number <= 65535;
}

static bool port_parse(struct link_address *address, const char *text)
{
    if (*text == '\0') {
        return copy_part(address->port, sizeof(address->port), TEXT(NEARSHELF_PORT_DEFAULT),
                         strlen(TEXT(NEARSHELF_PORT_DEFAULT)));
    }
    return *text == ':' && port_is_good(text + 1) &&
           copy_part(address->port, sizeof(address->port), text + 1, strlen(text + 1));
}

bool link_address_parse(struct link_address *address, const char *text)
{
    *address = (struct link_address){0};
    if (strncmp(text, "unix:", 5) == 0) {
        struct sockaddr_un un;
        address->is_unix = true;
        return strlen(text + 5) < sizeof(un.sun_path) &&
               copy_part(address->host, sizeof(address->host), text + 5, strlen(text + 5));
    }
    if (*text == '[') {
        size_t length = strcspn(text, "]");
        return text[length] == ']' &&
               copy_part(address->host, sizeof(address->host), text + 1, length - 1) &&
               port_parse(address, text + length + 1);
    }
    size_t length = strcspn(text, ":");
    return copy_part(address->host, sizeof(address->host), text, length) &&
           port_parse(address, text + length);
}

static void say_why(struct nearshelf *client, const char *why)
{
    const struct link_address *address = &client->address;
    snprintf(client->connect_text, sizeof(client->connect_text), "cannot connect to %s%s%s%s: %s",
             address->is_unix ? "unix:" : "", address->host, address->is_unix ? "" : ":",
             address->port, why);
}

static void addresses_free(struct nearshelf *client)
{
    if (client->addresses) {
        freeaddrinfo(client->addresses);
    }
    client->addresses = NULL;
    client->address_next = NULL;
}

static void back_off(struct nearshelf *client)
{
    uint32_t half_ms = client->backoff_ms / 2;
    uint64_t wait_ms = half_ms + rng_below(&client->rng, client->backoff_ms - half_ms + 1);
    addresses_free(client);
    client->state = LINK_BACKOFF;
    client->link_deadline_ms = uv_now(client->loop) + wait_ms;
    uint64_t doubled_ms = (uint64_t)client->backoff_ms * 2;
    uint32_t max_ms = client->options.backoff_max_ms;
    client->backoff_ms = doubled_ms < max_ms ? (uint32_t)doubled_ms : max_ms;
    client_wake_at(client, client->link_deadline_ms);
}

static void on_poll_closed(uv_handle_t *handle)
{
    struct link_socket *link = handle->data;
    client_handle_closed(link->client);
    free(link);
}

static void socket_drop(struct nearshelf *client)
{
    struct link_socket *link = client->socket;
    if (link) {
        client->socket = NULL;
        uv_close((uv_handle_t *)&link->poll, on_poll_closed);
        close(link->fd);
    }
}

static void lose(struct nearshelf *client, enum nearshelf_error reason, const char *why)
{
    socket_drop(client);
    socket_reset(client);
    say_why(client, why);
    client->counters.losses++;
    call_on_loss(client, reason, reason == NEARSHELF_PROTOCOL ? NULL : why);
    back_off(client);
}

static void poll_for(struct nearshelf *client, int events);
static void connect_next(struct nearshelf *client);

static void receive(struct nearshelf *client)
{
    char why[CLIENT_TEXT_MAX];
    enum nearshelf_error reason;
    if (!socket_read(client, &reason, why, sizeof(why))) {
        lose(client, reason, why);
    }
}

/* An idle connection may have been closed by the other side long ago. To see that before a call
 * is written costs one system call; afterwards nobody could say whether the call was run. */
static bool is_alive(struct nearshelf *client)
{
    receive(client);
    return client->state == LINK_UP;
}

/* A peer that answers and closes leaves answers behind: read them before the loss is declared. */
static void lose_after_reading(struct nearshelf *client, const char *why)
{
    receive(client);
    if (client->state == LINK_UP) {
        lose(client, NEARSHELF_UNKNOWN, why);
    }
}

static void write_queued(struct nearshelf *client)
{
    if (client->is_torn) {
        lose(client, NEARSHELF_UNKNOWN, "a call ended half sent");
        return;
    }
    if (!client->sent.head && client->queued.head && !is_alive(client)) {
        return;
    }
    int status = socket_write(client);
    if (status < 0) {
        lose_after_reading(client, uv_strerror(status));
        return;
    }
    poll_for(client, client->queued.head ? UV_READABLE | UV_WRITABLE : UV_READABLE);
}

static void on_connected(struct nearshelf *client)
{
    int error = 0;
    socklen_t size = sizeof(error);
    if (getsockopt(client->socket->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0) {
        error = errno;
    }
    if (error != 0) {
        say_why(client, strerror(error));
        socket_drop(client);
        connect_next(client);
        return;
    }
    addresses_free(client);
    socket_reset(client);
    client->state = LINK_UP;
    client->connect_text[0] = '\0';
    client->counters.connects++;
    write_queued(client);
}

static void on_poll(uv_poll_t *poll, int status, int events)
{
    struct link_socket *link = poll->data;
    struct nearshelf *client = link->client;
    if (client->socket != link) {
        return;
    }
    if (client->state == LINK_CONNECTING) {
        on_connected(client);
    } else if (status < 0) {
        lose_after_reading(client, uv_strerror(status));
    } else {
        if (events & UV_READABLE) {
            receive(client);
        }
        if (client->state == LINK_UP && (events & UV_WRITABLE)) {
            write_queued(client);
        }
    }
    client_deliver(client);
}

static void poll_for(struct nearshelf *client, int events)
{
    if (client->poll_events != events) {
        client->poll_events = events;
        CHECK(uv_poll_start(&client->socket->poll, events, on_poll) == 0);
    }
}

/* Watch a connecting fd; false: it could not be, and the fd is closed. */
static bool watch(struct nearshelf *client, int fd)
{
    struct link_socket *link = calloc(1, sizeof(*link));
    if (!link || uv_poll_init(client->loop, &link->poll, fd) != 0) {
        free(link);
        close(fd);
        return false;
    }
    link->client = client;
    link->fd = fd;
    link->poll.data = link;
    client->socket = link;
    client->handles_open++;
    client->poll_events = 0;
    client->state = LINK_CONNECTING;
    client->link_deadline_ms = uv_now(client->loop) + client->options.connect_timeout_ms;
    client_wake_at(client, client->link_deadline_ms);
    poll_for(client, UV_WRITABLE);
    return true;
}

static bool connect_to(struct nearshelf *client, const struct sockaddr *address, socklen_t size)
{
    int fd = socket_connect(address, size);
    if (fd < 0) {
        say_why(client, strerror(errno));
        return false;
    }
    return watch(client, fd);
}

static void connect_next(struct nearshelf *client)
{
    while (client->address_next) {
        const struct addrinfo *address = client->address_next;
        client->address_next = address->ai_next;
        if (connect_to(client, address->ai_addr, address->ai_addrlen)) {
            return;
        }
    }
    back_off(client);
}

static void connect_unix(struct nearshelf *client)
{
    struct sockaddr_un un = {.sun_family = AF_UNIX};
    memcpy(un.sun_path, client->address.host, strlen(client->address.host));
    if (!connect_to(client, (const struct sockaddr *)&un, sizeof(un))) {
        back_off(client);
    }
}

static void on_resolved(uv_getaddrinfo_t *request, int status, struct addrinfo *addresses)
{
    struct link_resolve *resolve = request->data;
    struct nearshelf *client = resolve->client;
    bool is_cancelled = resolve->is_cancelled;
    free(resolve);
    if (is_cancelled) {
        uv_freeaddrinfo(addresses);
    } else {
        client->resolve = NULL;
        client->addresses = addresses;
        client->address_next = addresses;
        if (status < 0) {
            say_why(client, uv_strerror(status));
        }
        connect_next(client);
        client_deliver(client);
    }
    client_handle_closed(client);
}

static void resolve_name(struct nearshelf *client, const struct addrinfo *hints)
{
    struct link_resolve *resolve = calloc(1, sizeof(*resolve));
    if (!resolve) {
        back_off(client);
        return;
    }
    resolve->client = client;
    resolve->request.data = resolve;
    int status = uv_getaddrinfo(client->loop, &resolve->request, on_resolved, client->address.host,
                                client->address.port, hints);
    if (status < 0) {
        free(resolve);
        say_why(client, uv_strerror(status));
        back_off(client);
        return;
    }
    client->resolve = resolve;
    client->handles_open++;
    client->state = LINK_RESOLVING;
}

void link_start(struct nearshelf *client)
{
    CHECK(client->state == LINK_DOWN);
    if (client->address.is_unix) {
        connect_unix(client);
        return;
    }
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_NUMERICHOST};
    if (getaddrinfo(client->address.host, client->address.port, &hints, &client->addresses) == 0) {
        client->address_next = client->addresses;
        connect_next(client);
        return;
    }
    client->addresses = NULL;
    hints.ai_flags = 0;
    resolve_name(client, &hints);
}

void link_push(struct nearshelf *client)
{
    if (client->state == LINK_UP) {
        write_queued(client);
    } else if (client->state == LINK_DOWN && client->queued.head) {
        link_start(client);
    }
}

void link_on_time(struct nearshelf *client, uint64_t now_ms)
{
    if (client->is_torn) {
        lose(client, NEARSHELF_UNKNOWN, "a call ended half sent");
        return;
    }
    bool is_timed = client->state == LINK_CONNECTING || client->state == LINK_BACKOFF;
    if (!is_timed) {
        return;
    }
    if (now_ms < client->link_deadline_ms) {
        client_wake_at(client, client->link_deadline_ms);
    } else if (client->state == LINK_CONNECTING) {
        say_why(client, "timed out");
        socket_drop(client);
        connect_next(client);
    } else {
        client->state = LINK_DOWN;
        link_push(client);
    }
}

void link_close(struct nearshelf *client)
{
    socket_drop(client);
    addresses_free(client);
    if (client->resolve) {
        client->resolve->is_cancelled = true;
        uv_cancel((uv_req_t *)&client->resolve->request);
        client->resolve = NULL;
    }
    client->state = LINK_DOWN;
}
