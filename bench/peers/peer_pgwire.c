/* PostgreSQL: protocol 3, one prepared statement, binary arguments, one Sync per batch. What a
 * batch asks for is one transaction; its answers count when the ReadyForQuery behind them comes. */
#include <stdio.h>
#include <string.h>

#include "big_endian.h"
#include "peer_proto.h"

enum { PARAMETERS = 4, OID_INT4 = 23, OID_TEXT = 25, HEAD = 5 };

struct message {
    uint8_t *begin, *at;
};

static struct message message_begin(uint8_t *at, char type)
{
    at[0] = (uint8_t)type;
    return (struct message){at, at + HEAD};
}

static uint8_t *message_end(const struct message *message)
{
    be32_store(message->begin + 1, (uint32_t)(message->at - message->begin - 1));
    return message->at;
}

static void put16(struct message *message, uint32_t value)
{
    be16_store(message->at, (uint16_t)value);
    message->at += 2;
}

static void put32(struct message *message, uint32_t value)
{
    be32_store(message->at, value);
    message->at += 4;
}

static void put_string(struct message *message, const char *text)
{
    size_t size = strlen(text) + 1;
    memcpy(message->at, text, size);
    message->at += size;
}

static void put_text(struct message *message, const char *text, uint32_t size)
{
    put32(message, size);
    memcpy(message->at, text, size);
    message->at += size;
}

static uint32_t batch_end(uint8_t *out)
{
    struct message sync = message_begin(out, 'S');
    return (uint32_t)(message_end(&sync) - out);
}

static uint32_t hello(const struct peer_world *world, uint8_t *out)
{
    static const char start[] = "user\0bench\0database\0bench\0";
    (void)world;
    be32_store(out, (uint32_t)(8 + sizeof start));
    be32_store(out + 4, 3 << 16);
    memcpy(out + 8, start, sizeof start);
    struct message parse = message_begin(out + 8 + sizeof start, 'P');
    put_string(&parse, "route");
    put_string(&parse, "SELECT route($1,$2,$3,1,$4,1)");
    put16(&parse, PARAMETERS);
    put32(&parse, OID_TEXT);
    put32(&parse, OID_INT4);
    put32(&parse, OID_TEXT);
    put32(&parse, OID_TEXT);
    uint8_t *at = message_end(&parse);
    at += batch_end(at);
    return (uint32_t)(at - out);
}

/* Size of a whole message, or 0. */
static uint32_t message_size(const uint8_t *bytes, uint32_t size)
{
    if (size < HEAD || size < 1 + be32_load(bytes + 1)) {
        return 0;
    }
    return 1 + be32_load(bytes + 1);
}

static void tell_error(const uint8_t *bytes, uint32_t size)
{
    static bool is_told;
    for (uint32_t at = HEAD; !is_told && at + 1 < size && bytes[at] != 0;) {
        const char *text = (const char *)bytes + at + 1;
        if (bytes[at] == 'M') {
            fprintf(stderr, "bench-peer: postgres: %s\n", text);
            is_told = true;
        }
        at += 2 + (uint32_t)strnlen(text, size - at - 1);
    }
}

/* Until the second ReadyForQuery: of the start, and of the Parse. */
static int32_t welcome(const uint8_t *bytes, uint32_t size)
{
    uint32_t ready = 0;
    for (uint32_t at = 0; ready < 2;) {
        uint32_t whole = message_size(bytes + at, size - at);
        if (whole == 0) {
            return 0;
        }
        if (bytes[at] == 'E') {
            tell_error(bytes + at, whole);
            return -1;
        }
        ready += bytes[at] == 'Z';
        at += whole;
        if (ready == 2) {
            return (int32_t)at;
        }
    }
    return -1;
}

static uint32_t request(const struct peer_world *world, enum peer_job job,
                        const struct peer_order *order, uint32_t slot, uint8_t *out)
{
    char id[PEER_ID_SIZE];
    char item[2][PEER_ITEM_SIZE];
    (void)job;
    (void)slot;
    peer_world_id(world, order->number, id);
    peer_world_item(order->item[0], item[0]);
    peer_world_item(order->item[1], item[1]);
    struct message bind = message_begin(out, 'B');
    put_string(&bind, "");
    put_string(&bind, "route");
    put16(&bind, 1);
    put16(&bind, 1); /* all arguments binary */
    put16(&bind, PARAMETERS);
    put_text(&bind, id, sizeof id);
    put32(&bind, 4);
    put32(&bind, order->area);
    put_text(&bind, item[0], sizeof item[0]);
    put_text(&bind, item[1], sizeof item[1]);
    put16(&bind, 1);
    put16(&bind, 1); /* the result too */
    struct message execute = message_begin(message_end(&bind), 'E');
    put_string(&execute, "");
    put32(&execute, 0);
    return (uint32_t)(message_end(&execute) - out);
}

static int32_t reply(const struct peer_world *world, const uint8_t *bytes, uint32_t size,
                     struct peer_answer *out)
{
    (void)world;
    uint32_t at = 0;
    out->slot = PEER_SLOT_NEXT;
    for (;;) {
        uint32_t whole = message_size(bytes + at, size - at);
        if (whole == 0) {
            return 0;
        }
        const uint8_t *body = bytes + at + HEAD;
        char type = (char)bytes[at];
        at += whole;
        if (type == 'E') {
            tell_error(bytes + at - whole, whole);
        } else if (type == 'Z') {
            out->outcome = PEER_END;
            return (int32_t)at;
        } else if (type == 'D' && whole == HEAD + 14) {
            peer_answer_packed(out, (int64_t)be64_load(body + 6));
            out->is_held = true;
            return (int32_t)at;
        }
    }
}

const struct peer_proto peer_pgwire = {"postgres", hello, welcome, request, batch_end, reply};
