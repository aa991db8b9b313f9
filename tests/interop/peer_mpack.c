/* Peer: the MessagePack-RPC session of libmpack, an implementation in C that nobody here wrote.
 *
 * peer_mpack HOST PORT routes order peer-1 and then asks for an item that does not exist. */
#include <mpack.h>
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPLY_SIZE_MAX 65536
#define TEXT_SIZE_MAX 256

/* One connection: the library's session, bytes to send, bytes received and not yet read. */
struct peer {
    mpack_rpc_session_t session;
    int fd;
    char out[1024];
    char *out_at;
    size_t out_left;
    char in[REPLY_SIZE_MAX];
    const char *in_at;
    size_t in_left;
};

static void fail(const char *what)
{
    fprintf(stderr, "peer_mpack: %s\n", what);
    exit(1);
}

static void put(struct peer *peer, mpack_token_t token)
{
    if (mpack_write(&peer->session.writer, &peer->out_at, &peer->out_left, &token) != MPACK_OK) {
        fail("cannot write a token");
    }
}

static void put_text(struct peer *peer, const char *text)
{
    put(peer, mpack_pack_str((mpack_uint32_t)strlen(text)));
    put(peer, mpack_pack_chunk(text, (mpack_uint32_t)strlen(text)));
}

static void put_line(struct peer *peer, const char *item)
{
    put_text(peer, "lines");
    put(peer, mpack_pack_array(1));
    put(peer, mpack_pack_map(2));
    put_text(peer, "item");
    put_text(peer, item);
    put_text(peer, "qty");
    put(peer, mpack_pack_uint(2));
}

static void put_dest(struct peer *peer)
{
    put_text(peer, "dest");
    put(peer, mpack_pack_map(2));
    put_text(peer, "lat");
    put(peer, mpack_pack_float(40.7));
    put_text(peer, "lon");
    put(peer, mpack_pack_float(-74.0));
}

static void send_order(struct peer *peer, const char *order, const char *item)
{
    mpack_data_t note = {.u = 1};
    peer->out_at = peer->out;
    peer->out_left = sizeof peer->out;
    if (mpack_rpc_request(&peer->session, &peer->out_at, &peer->out_left, note) != MPACK_OK) {
        fail("cannot write a request");
    }
    put_text(peer, "order.route");
    put(peer, mpack_pack_array(1));
    put(peer, mpack_pack_map(4));
    put_text(peer, "order_id");
    put_text(peer, order);
    put_text(peer, "service");
    put_text(peer, "standard");
    put_line(peer, item);
    put_dest(peer);
    size_t size = sizeof peer->out - peer->out_left;
    if (write(peer->fd, peer->out, size) != (ssize_t)size) {
        fail("cannot send");
    }
}

static void fill(struct peer *peer)
{
    ssize_t got = read(peer->fd, peer->in, sizeof peer->in);
    if (got <= 0) {
        fail("the server closed the connection");
    }
    peer->in_at = peer->in;
    peer->in_left = (size_t)got;
}

static void receive_head(struct peer *peer)
{
    mpack_rpc_message_t message;
    int state = MPACK_EOF;
    while (state == MPACK_EOF) {
        if (peer->in_left == 0) {
            fill(peer);
        }
        state = mpack_rpc_receive(&peer->session, &peer->in_at, &peer->in_left, &message);
    }
    if (state != MPACK_RPC_RESPONSE || message.data.u != 1) {
        fail("not the response of a request of mine");
    }
}

static mpack_token_t next(struct peer *peer)
{
    mpack_token_t token;
    int state = MPACK_EOF;
    while (state == MPACK_EOF) {
        if (peer->in_left == 0) {
            fill(peer);
        }
        state = mpack_read(&peer->session.reader, &peer->in_at, &peer->in_left, &token);
    }
    if (state != MPACK_OK) {
        fail("not MessagePack");
    }
    return token;
}

/* The bytes of a string whose head was just read, as text. */
static void text_of(struct peer *peer, mpack_token_t head, char text[TEXT_SIZE_MAX])
{
    size_t have = 0;
    while (have < head.length) {
        mpack_token_t chunk = next(peer);
        if (chunk.type != MPACK_TOKEN_CHUNK || have + chunk.length >= TEXT_SIZE_MAX) {
            fail("a string that is too long");
        }
        memcpy(text + have, chunk.data.chunk_ptr, chunk.length);
        have += chunk.length;
    }
    text[have] = '\0';
}

/* Values that follow once `count` values are still open and `token` is read. */
static size_t open_after(size_t open, mpack_token_t token)
{
    if (token.type == MPACK_TOKEN_ARRAY) {
        return open - 1 + token.length;
    }
    return token.type == MPACK_TOKEN_MAP ? open - 1 + 2 * (size_t)token.length : open - 1;
}

/* Read one whole value and print the first `node` and the `total_km` that stand in it. */
static void print_answer(struct peer *peer)
{
    char text[TEXT_SIZE_MAX] = "";
    char node[TEXT_SIZE_MAX] = "";
    double km = -1.0;
    for (size_t open = 1; open > 0;) {
        mpack_token_t token = next(peer);
        open = open_after(open, token);
        if (token.type == MPACK_TOKEN_STR) {
            int is_node = strcmp(text, "node") == 0;
            text_of(peer, token, text);
            if (is_node && node[0] == '\0') {
                memcpy(node, text, sizeof node);
            }
        } else if (strcmp(text, "total_km") == 0 && km < 0.0) {
            km = mpack_unpack_number(token);
        }
    }
    printf("node=%s km=%.3f\n", node, km);
}

/* An error is [kind, text] and the result after it nil. */
static void print_error(struct peer *peer, mpack_token_t head)
{
    char text[TEXT_SIZE_MAX];
    if (head.type != MPACK_TOKEN_ARRAY || head.length != 2) {
        fail("an error is not an array of two");
    }
    if (next(peer).type != MPACK_TOKEN_UINT) {
        fail("the kind of an error is not an integer");
    }
    mpack_token_t token = next(peer);
    if (token.type != MPACK_TOKEN_STR) {
        fail("the text of an error is not a string");
    }
    text_of(peer, token, text);
    if (next(peer).type != MPACK_TOKEN_NIL) {
        fail("a result beside an error");
    }
    printf("error=%s\n", text);
}

static void receive(struct peer *peer)
{
    receive_head(peer);
    mpack_token_t error = next(peer);
    if (error.type == MPACK_TOKEN_NIL) {
        print_answer(peer);
    } else {
        print_error(peer, error);
    }
}

static int open_socket(const char *host, const char *port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || inet_pton(AF_INET, host, &address.sin_addr) != 1 ||
        connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        fail("cannot connect");
    }
    return fd;
}

int main(int argc, char **argv)
{
    static struct peer peer;
    if (argc != 3) {
        fail("usage: peer_mpack HOST PORT");
    }
    peer.fd = open_socket(argv[1], argv[2]);
    mpack_rpc_session_init(&peer.session, 0);
    send_order(&peer, "peer-1", "tea");
    receive(&peer);
    send_order(&peer, "peer-2", "coffee");
    receive(&peer);
    close(peer.fd);
    return 0;
}
