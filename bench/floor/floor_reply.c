/* The contract's reply and the log's record of one order, byte by byte. */
#include <string.h>

#include "big_endian.h"
#include "floor.h"

/* Copy a literal without its NUL. */
#define PUT(at, literal)                                                                           \
    do {                                                                                           \
        memcpy((at), "" literal "", sizeof(literal) - 1);                                          \
        (at) += sizeof(literal) - 1;                                                               \
    } while (0)

static uint8_t *put_uint(uint8_t *at, uint64_t value)
{
    if (value < 0x80) {
        *at = (uint8_t)value;
        return at + 1;
    }
    if (value <= UINT32_MAX) {
        *at = 0xce;
        be32_store(at + 1, (uint32_t)value);
        return at + 5;
    }
    *at = 0xcf;
    be64_store(at + 1, value);
    return at + 9;
}

static uint8_t *put_float(uint8_t *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *at = 0xcb;
    be64_store(at + 1, bits);
    return at + 9;
}

static uint8_t *put_head(uint8_t *at, uint32_t size)
{
    if (size < 32) {
        *at = (uint8_t)(0xa0 | size);
        return at + 1;
    }
    at[0] = 0xd9;
    at[1] = (uint8_t)size;
    return at + 2;
}

static uint8_t *put_text(uint8_t *at, const char *text, uint32_t size)
{
    at = put_head(at, size);
    memcpy(at, text, size);
    return at + size;
}

/* The lines of order that leave from slot, as an array. */
static uint8_t *put_lines(const struct floor_order *order, uint16_t slot, uint8_t *at)
{
    uint8_t *head = at++;
    uint32_t count = 0;
    for (uint32_t k = 0; k < order->count; k++) {
        if (order->node[k] != slot) {
            continue;
        }
        PUT(at, "\x83\xa4line\xa1");
        *at++ = (uint8_t)('1' + k);
        PUT(at, "\xa4item");
        at = put_text(at, order->lines[k].item, order->lines[k].item_size);
        PUT(at, "\xa3qty");
        at = put_uint(at, order->lines[k].qty);
        count++;
    }
    *head = (uint8_t)(0x90 | count);
    return at;
}

static uint8_t *put_part(const struct floor_tables *tables, const struct floor_order *order,
                         uint32_t line, uint32_t number, uint8_t *at, uint32_t *metres)
{
    const struct floor_node *node = &tables->nodes[tables->by_slot[order->node[line]]];
    uint32_t far = geo_metres(&order->point, &node->point);
    *metres += far;
    PUT(at, "\x87\xaa" "fulfilment");
    at = put_head(at, order->id_size + 2);
    memcpy(at, order->id, order->id_size);
    at += order->id_size;
    *at++ = '/';
    *at++ = (uint8_t)('0' + number);
    PUT(at, "\xa4node");
    at = put_text(at, node->name.at, node->name.size);
    PUT(at, "\xa7service\xa8standard\xa6method");
    if (node->is_warehouse) {
        PUT(at, "\xb3ship_from_warehouse");
    } else {
        PUT(at, "\xafship_from_store");
    }
    PUT(at, "\xa2km");
    at = put_float(at, far / 1000.0);
    PUT(at, "\xaa" "cost_cents\x00\xa5lines");
    return put_lines(order, order->node[line], at);
}

static bool is_first_of_node(const struct floor_order *order, uint32_t line)
{
    for (uint32_t k = 0; k < line; k++) {
        if (order->node[k] == order->node[line]) {
            return false;
        }
    }
    return true;
}

static uint8_t *put_refusal(const struct floor_tables *tables, const struct floor_order *order,
                            uint8_t *at)
{
    PUT(at, "\x84\xa3lsn");
    at = put_uint(at, tables->lsn);
    PUT(at, "\xa8order_id");
    at = put_text(at, order->id, order->id_size);
    PUT(at, "\xa6status\xa7refused\xa6reason\xb2INSUFFICIENT_STOCK");
    return at;
}

uint32_t floor_reply(const struct floor_tables *tables, const struct floor_order *order,
                     uint8_t *begin)
{
    uint8_t *at = begin;
    uint32_t parts = 0;
    uint32_t metres = 0;
    PUT(at, "\x94\x01\xce");
    be32_store(at, order->msgid);
    at += 4;
    *at++ = 0xc0;
    if (order->is_refused) {
        return (uint32_t)(put_refusal(tables, order, at) - begin);
    }
    *at++ = order->is_known ? 0x89 : 0x88;
    PUT(at, "\xa3lsn");
    at = put_uint(at, order->lsn);
    PUT(at, "\xa8order_id");
    at = put_text(at, order->id, order->id_size);
    PUT(at, "\xa6status\xa6routed\xab" "fulfilments");
    uint8_t *head = at++;
    for (uint32_t k = 0; k < order->count; k++) {
        if (is_first_of_node(order, k)) {
            at = put_part(tables, order, k, ++parts, at, &metres);
        }
    }
    *head = (uint8_t)(0x90 | parts);
    PUT(at, "\xa8unfilled\x90\xa6splits");
    *at++ = (uint8_t)(parts - 1);
    PUT(at, "\xa8total_km");
    at = put_float(at, metres / 1000.0);
    PUT(at, "\xa7optimal\xc3");
    if (order->is_known) {
        PUT(at, "\xa9" "duplicate\xc3");
    }
    return (uint32_t)(at - begin);
}

uint32_t floor_record_write(const struct floor_order *order, uint8_t *begin)
{
    uint8_t *at = begin + 2;
    *at++ = (uint8_t)order->id_size;
    memcpy(at, order->id, order->id_size);
    at += order->id_size;
    memcpy(at, &order->lat, sizeof order->lat);
    memcpy(at + 8, &order->lon, sizeof order->lon);
    at += 16;
    *at++ = (uint8_t)order->count;
    for (uint32_t k = 0; k < order->count; k++) {
        memcpy(at, &order->item_hash[k], 4);
        memcpy(at + 4, &order->node[k], 2);
        memcpy(at + 6, &order->lines[k].qty, 4);
        at += 10;
    }
    uint16_t size = (uint16_t)(at - begin);
    memcpy(begin, &size, 2);
    return size;
}
