/* The calls that fill the floor: the engine's own readers, off the order path. */
#include <string.h>

#include "floor_loop.h"
#include "frame.h"
#include "reader.h"
#include "writer.h"

enum { ANSWER_SIZE = 256 };

static bool is_method(const struct frame_head *head, const char *name)
{
    return head->method_len == strlen(name) && memcmp(head->method, name, head->method_len) == 0;
}

static bool hello(struct writer *writer)
{
    writer_map(writer, 2);
    writer_str(writer, "server");
    writer_str(writer, "floor");
    writer_str(writer, "version");
    writer_str(writer, "0");
    return true;
}

static bool node_put(struct floor_tables *tables, struct reader *reader)
{
    struct reader_map map;
    struct text id = {"", 0};
    double lat = 0;
    double lon = 0;
    bool is_warehouse = false;
    struct text key;
    reader_params(reader, &map, NULL, 0);
    while (reader_map_next_key(reader, &map, &key)) {
        if (key.len == 4 && memcmp(key.at, "node", 4) == 0) {
            id = reader_text(reader, 1, FLOOR_NAME_MAX);
        } else if (key.len == 3 && memcmp(key.at, "lat", 3) == 0) {
            lat = reader_float(reader, -90, 90);
        } else if (key.len == 3 && memcmp(key.at, "lon", 3) == 0) {
            lon = reader_float(reader, -180, 180);
        } else if (key.len == 4 && memcmp(key.at, "type", 4) == 0) {
            is_warehouse = reader_text(reader, 1, 63).at[0] == 'w';
        } else {
            reader_raw(reader);
        }
    }
    return reader_is_ok(reader) &&
           floor_node_put(tables, id.at, id.len, lat, lon, is_warehouse) != FLOOR_NODE_NONE;
}

static bool item_put(struct floor_tables *tables, struct reader *reader)
{
    static const char *const fields[] = {"item"};
    struct reader_map map;
    struct text id = {"", 0};
    reader_params(reader, &map, fields, 1);
    while (reader_map_next(reader, &map) >= 0) {
        id = reader_text(reader, 1, FLOOR_NAME_MAX);
    }
    return reader_is_ok(reader) && floor_item_put(tables, id.at, id.len) != NULL;
}

static bool row_load(struct floor_tables *tables, struct reader *reader, uint16_t node)
{
    struct reader_array row;
    bool is_well = reader_array_begin(reader, &row, 2) == 2 && reader_array_next(reader, &row);
    struct text id = reader_text(reader, 1, FLOOR_NAME_MAX);
    is_well = is_well && reader_array_next(reader, &row);
    uint32_t on_hand = (uint32_t)reader_int(reader, 0, 1000000000);
    is_well = is_well && !reader_array_next(reader, &row) && reader_is_ok(reader);
    struct floor_item *item = is_well ? floor_item_put(tables, id.at, id.len) : NULL;
    return item && floor_stock_set(tables, item, node, on_hand);
}

static bool stock_load(struct floor_tables *tables, struct reader *reader)
{
    static const char *const fields[] = {"node", "rows"};
    struct reader_map map;
    struct reader_array rows;
    uint16_t node = FLOOR_NODE_NONE;
    bool is_well = true;
    reader_params(reader, &map, fields, 2);
    for (int field; is_well && (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            struct text id = reader_text(reader, 1, FLOOR_NAME_MAX);
            node = floor_node_put(tables, id.at, id.len, 0, 0, false);
            continue;
        }
        is_well = node != FLOOR_NODE_NONE;
        reader_array_begin(reader, &rows, UINT32_MAX);
        while (is_well && reader_array_next(reader, &rows)) {
            is_well = row_load(tables, reader, node);
        }
    }
    return is_well && reader_is_ok(reader);
}

static bool answer(struct floor_tables *tables, const struct frame_head *head,
                   struct writer *writer)
{
    struct reader reader;
    bool is_well = false;
    reader_init(&reader, head->params, head->params_size);
    writer_reply(writer, head->msgid);
    if (is_method(head, "hello")) {
        return hello(writer);
    }
    if (is_method(head, "node.put")) {
        is_well = node_put(tables, &reader);
    } else if (is_method(head, "item.put")) {
        is_well = item_put(tables, &reader);
    } else if (is_method(head, "stock.load")) {
        is_well = stock_load(tables, &reader);
    }
    writer_map(writer, 0);
    return is_well;
}

int32_t floor_setup(struct floor_loop *loop, struct floor_conn *conn, const uint8_t *at,
                    uint32_t size)
{
    static const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    static const char no[] = "the floor does not do that";
    struct frame_scan scan;
    struct frame_head head;
    frame_scan_init(&scan);
    enum frame_state state = frame_scan_run(&scan, at, size, &limits);
    if (state == FRAME_MORE) {
        return 0;
    }
    if (state != FRAME_DONE || !frame_head_read(at, scan.pos, &head)) {
        return -1;
    }
    struct writer writer;
    writer_init(&writer, floor_conn_room(loop, conn, ANSWER_SIZE), ANSWER_SIZE);
    if (!answer(&loop->tables, &head, &writer)) {
        writer.at = writer.begin;
        writer_reply_error(&writer, head.msgid, CODE_INVALID_ARGUMENT, no, sizeof no - 1);
    }
    conn->out_used += writer_size(&writer);
    return (int32_t)scan.pos;
}
