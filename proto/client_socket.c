/* The socket of a client: connecting, sending queued calls, receiving answers.
 *
 * The library talks to the socket itself, through a uv_poll_t, and not through a uv_stream_t:
 * so it knows to the byte what the kernel took (a call whose last byte stayed here was not
 * run), and a dead peer raises no SIGPIPE in a program that never asked for one. */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "check.h"
#include "client_internal.h"

#define CALLS_PER_WRITE 64
#define INPUT_SIZE_MIN  (64 * 1024)
#define INPUT_SIZE_KEPT (1024 * 1024)
#define INPUT_SIZE_MAX  (NEARSHELF_REPLY_SIZE_MAX + INPUT_SIZE_MIN)
#define READS_PER_TURN  32

int socket_connect(const struct sockaddr *address, socklen_t size)
{
    const int on = 1;
    int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0) {
        return -1;
    }
    if (address->sa_family != AF_UNIX) {
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
        setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
    }
    if (connect(fd, address, size) == 0 || errno == EINPROGRESS) {
        return fd;
    }
    int error = errno;
    close(fd);
    errno = error;
    return -1;
}

void socket_reset(struct nearshelf *client)
{
    client->input_size = 0;
    client->head_sent = 0;
    client->is_torn = false;
    frame_scan_init(&client->scan);
}

static int gather(struct nearshelf *client, struct iovec *parts)
{
    int count = 0;
    uint32_t skip = client->head_sent;
    for (struct call *call = client->queued.head; call && count < CALLS_PER_WRITE;
         call = call->next) {
        parts[count++] = (struct iovec){call->request + skip, call->size - skip};
        skip = 0;
    }
    return count;
}

/* The kernel took size bytes: whole calls move to sent, the rest is remembered. */
static void consume(struct nearshelf *client, size_t size)
{
    size += client->head_sent;
    client->head_sent = 0;
    while (client->queued.head && size >= client->queued.head->size) {
        struct call *call = client->queued.head;
        size -= call->size;
        call->was_sent = true;
        call_list_remove(call);
        call_list_push(&client->sent, call);
    }
    client->head_sent = (uint32_t)size;
}

int socket_write(struct nearshelf *client)
{
    CHECK(!client->is_torn);
    while (client->queued.head) {
        struct iovec parts[CALLS_PER_WRITE];
        struct msghdr message = {.msg_iov = parts};
        message.msg_iovlen = (size_t)gather(client, parts);
        ssize_t size = sendmsg(client->socket->fd, &message, MSG_NOSIGNAL);
        if (size >= 0) {
            consume(client, (size_t)size);
        } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
            return 0;
        } else if (errno != EINTR) {
            return uv_translate_sys_error(errno);
        }
    }
    return 0;
}

/* Room for more input: it grows with what has come, never with what was announced. */
static bool input_reserve(struct nearshelf *client)
{
    if (client->input_size < client->input_max) {
        return true;
    }
    size_t size = client->input_max ? client->input_max * 2 : INPUT_SIZE_MIN;
    if (size > INPUT_SIZE_MAX) {
        size = INPUT_SIZE_MAX;
    }
    CHECK(size > client->input_size);
    uint8_t *input = realloc(client->input, size);
    if (!input) {
        return false;
    }
    client->input = input;
    client->input_max = size;
    return true;
}

static void input_shrink(struct nearshelf *client)
{
    if (client->input_size == 0 && client->input_max > INPUT_SIZE_KEPT) {
        free(client->input);
        client->input = NULL;
        client->input_max = 0;
    }
}

static bool on_frame(struct nearshelf *client, const uint8_t *bytes, uint32_t size)
{
    struct frame_head head;
    if (!frame_head_read(bytes, size, &head)) {
        return false;
    }
    if (head.type == FRAME_RESPONSE) {
        call_on_response(client, head.msgid, bytes, size);
    } else {
        client->counters.unsolicited++;
    }
    return true;
}

static uint32_t load_be(const uint8_t *at, size_t size)
{
    uint32_t value = 0;
    for (size_t i = 0; i < size; i++) {
        value = value << 8 | at[i];
    }
    return value;
}

/* The id at the head of an incomplete response, as far as it is there. */
static bool peek_id(const uint8_t *bytes, size_t size, uint32_t *id_out)
{
    if (size < 3 || bytes[0] != 0x94 || bytes[1] != FRAME_RESPONSE) {
        return false;
    }
    size_t width = bytes[2] < 0x80 ? 0 : bytes[2] == 0xcc ? 1 : bytes[2] == 0xcd ? 2 : 4;
    if (width == 4 && bytes[2] != 0xce) {
        return false;
    }
    if (size < 3 + width) {
        return false;
    }
    *id_out = width == 0 ? bytes[2] : load_be(bytes + 3, width);
    return true;
}

static enum nearshelf_error on_too_large(struct nearshelf *client, const uint8_t *bytes,
                                         size_t size)
{
    uint32_t id;
    if (!peek_id(bytes, size, &id)) {
        return NEARSHELF_PROTOCOL;
    }
    call_on_oversize(client, id);
    return NEARSHELF_UNKNOWN;
}

/* Answer the calls whose frames are whole; what is left moves to the front. */
static enum nearshelf_error input_take(struct nearshelf *client)
{
    static const struct frame_limits limits = {NEARSHELF_REPLY_SIZE_MAX, FRAME_DEPTH_MAX};
    size_t at = 0;
    enum frame_state state = FRAME_MORE;
    while (at < client->input_size) {
        const uint8_t *bytes = client->input + at;
        size_t there = client->input_size - at;
        state = frame_scan_run(&client->scan, bytes, (uint32_t)there, &limits);
        if (state != FRAME_DONE) {
            break;
        }
        if (!on_frame(client, bytes, client->scan.pos)) {
            return NEARSHELF_PROTOCOL;
        }
        at += client->scan.pos;
        frame_scan_init(&client->scan);
    }
    if (state == FRAME_TOO_LARGE) {
        return on_too_large(client, client->input + at, client->input_size - at);
    }
    client->input_size -= at;
    memmove(client->input, client->input + at, client->input_size);
    return state == FRAME_MORE || state == FRAME_DONE ? NEARSHELF_OK : NEARSHELF_PROTOCOL;
}

static const char *taken_text(enum nearshelf_error error)
{
    return error == NEARSHELF_PROTOCOL ? NULL : "a reply was too large to be received";
}

bool socket_read(struct nearshelf *client, enum nearshelf_error *error_out, char *text,
                 size_t text_size)
{
    *error_out = NEARSHELF_UNKNOWN;
    for (int turn = 0; turn < READS_PER_TURN; turn++) {
        if (!input_reserve(client)) {
            snprintf(text, text_size, "out of memory for a reply");
            return false;
        }
        size_t room = client->input_max - client->input_size;
        ssize_t size = recv(client->socket->fd, client->input + client->input_size, room, 0);
        if (size == 0) {
            snprintf(text, text_size, "the server closed the connection");
            return false;
        }
        if (size < 0) {
            snprintf(text, text_size, "%s", strerror(errno));
            return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR;
        }
        client->input_size += (size_t)size;
        enum nearshelf_error error = input_take(client);
        if (error != NEARSHELF_OK) {
            const char *why = taken_text(error);
            snprintf(text, text_size, "%s", why ? why : nearshelf_error_text(error));
            *error_out = error;
            return false;
        }
        if ((size_t)size < room) {
            break; /* the kernel has no more: spares the call that would say so */
        }
    }
    input_shrink(client);
    return true;
}
