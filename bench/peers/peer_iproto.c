/* Tarantool: IPROTO CALL of a stored procedure, answers are one integer in an array. */
#include <stdio.h>
#include <string.h>

#include "big_endian.h"
#include "cursor.h"
#include "peer_proto.h"
#include "writer.h"

enum { GREETING = 128, KEY_CODE = 0x00, KEY_SYNC = 0x01, KEY_FUNCTION = 0x22, KEY_TUPLE = 0x21,
       KEY_DATA = 0x30, CALL = 0x0a, PREFIX = 5, ERROR_BIT = 0x8000 };

static uint32_t hello(const struct peer_world *world, uint8_t *out)
{
    (void)world;
    (void)out;
    return 0;
}

static int32_t welcome(const uint8_t *bytes, uint32_t size)
{
    if (size < GREETING) {
        return 0;
    }
    return memcmp(bytes, "Tarantool", 9) == 0 ? GREETING : -1;
}

static void item_write(struct writer *writer, uint32_t item)
{
    char id[PEER_ITEM_SIZE];
    peer_world_item(item, id);
    writer_text(writer, id, sizeof id);
    writer_uint(writer, 1);
}

static uint32_t request(const struct peer_world *world, enum peer_job job,
                        const struct peer_order *order, uint32_t slot, uint8_t *out)
{
    char id[PEER_ID_SIZE];
    struct writer writer;
    (void)job;
    writer_init(&writer, out + PREFIX, PEER_REQUEST_MAX - PREFIX);
    writer_map(&writer, 2);
    writer_uint(&writer, KEY_CODE);
    writer_uint(&writer, CALL);
    writer_uint(&writer, KEY_SYNC);
    writer_uint(&writer, slot);
    writer_map(&writer, 2);
    writer_uint(&writer, KEY_FUNCTION);
    writer_str(&writer, "route");
    writer_uint(&writer, KEY_TUPLE);
    writer_array(&writer, 6);
    peer_world_id(world, order->number, id);
    writer_text(&writer, id, sizeof id);
    writer_uint(&writer, order->area);
    item_write(&writer, order->item[0]);
    item_write(&writer, order->item[1]);
    out[0] = 0xce;
    be32_store(out + 1, writer_size(&writer));
    return PREFIX + writer_size(&writer);
}

static void failed(struct peer_answer *out, struct cursor *cursor)
{
    static bool is_told;
    out->outcome = PEER_FAILED;
    if (is_told || cursor_map(cursor) == 0) {
        return;
    }
    cursor_int(cursor);
    struct span text = cursor_text(cursor);
    fprintf(stderr, "bench-peer: tarantool: %.*s\n", (int)text.size, text.at);
    is_told = true;
}

static int32_t reply(const struct peer_world *world, const uint8_t *bytes, uint32_t size,
                     struct peer_answer *out)
{
    (void)world;
    if (size < PREFIX || size < PREFIX + be32_load(bytes + 1)) {
        return 0;
    }
    uint32_t whole = PREFIX + be32_load(bytes + 1);
    struct cursor cursor = {.at = bytes + PREFIX, .end = bytes + whole};
    int64_t code = 0;
    for (uint32_t left = cursor_map(&cursor); left > 0 && !cursor.is_bad; left--) {
        int64_t key = cursor_int(&cursor);
        int64_t value = cursor_int(&cursor);
        code = key == KEY_CODE ? value : code;
        out->slot = key == KEY_SYNC ? value : out->slot;
    }
    if ((code & ERROR_BIT) != 0) {
        failed(out, &cursor);
        return (int32_t)whole;
    }
    if (cursor_map(&cursor) != 1 || cursor_int(&cursor) != KEY_DATA ||
        cursor_array(&cursor) != 1) {
        return -1;
    }
    peer_answer_packed(out, cursor_int(&cursor));
    return cursor.is_bad ? -1 : (int32_t)whole;
}

const struct peer_proto peer_iproto = {"tarantool", hello, welcome, request, NULL, reply};
