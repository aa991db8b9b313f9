/* Names in requests to handles, and the fields that several methods share. */
#include <stdlib.h>
#include <string.h>

#include "service_internal.h"

enum { AHEAD_MS = 60000 }; /* how far a client's clock may run ahead */

/* Latest time a client may name: the end of the year 9999. */
#define TIME_MAX INT64_C(253402300799999)

uint16_t need_node(struct service_core *service, struct call *call, const char *field,
                   struct text node)
{
    uint16_t handle = network_find(&service->tables.network, node.at, node.len);
    if (handle == NODE_NONE) {
        reply_error(service, call, CODE_UNKNOWN_NODE,
                    "%s: no node %.*s is known: node.put makes one, node.list tells them", field,
                    (int)node.len, node.at);
    }
    return handle;
}

uint32_t need_item(struct service_core *service, struct call *call, const char *field,
                   struct text item)
{
    const struct catalogue *catalogue = &service->tables.catalogue;
    uint64_t hash = catalogue_hash(catalogue, item.at, item.len);
    uint32_t handle = catalogue_find(catalogue, hash, item.at, item.len);
    if (handle == ITEM_NONE) {
        reply_error(service, call, CODE_UNKNOWN_ITEM,
                    "%s: no item %.*s is known: item.put makes one", field, (int)item.len,
                    item.at);
    }
    return handle;
}

/* The very bytes that staging has hashed, or others. */
static slab_ref find_order(const struct service_core *service, const struct call *call,
                           const char *id, uint32_t len)
{
    const struct orders *orders = &service->tables.orders;
    bool is_known = call->order_id.at == id && call->order_id.len == len && len > 0;
    return orders_find(orders, is_known ? call->order_hash : orders_hash(orders, id, len), id, len);
}

slab_ref need_order(struct service_core *service, struct call *call, struct text order_id)
{
    slab_ref order = find_order(service, call, order_id.at, order_id.len);
    if (!order) {
        reply_error(service, call, CODE_UNKNOWN_ORDER,
                    "order_id: no order %.*s is in memory: done orders leave it after "
                    "order_window_ms=%llu",
                    (int)order_id.len, order_id.at,
                    (unsigned long long)service->options.order_window_ms);
    }
    return order;
}

/* The number behind the last '/', from 1; 0 where there is none in plain decimal. */
static uint32_t part_number(struct text fulfilment, uint32_t *id_len_out)
{
    uint32_t slash = fulfilment.len;
    while (slash > 0 && fulfilment.at[slash - 1] != '/') {
        slash--;
    }
    uint32_t digits = fulfilment.len - slash;
    if (slash < 2 || digits < 1 || digits > 5 || fulfilment.at[slash] == '0') {
        return 0;
    }
    uint32_t number = 0;
    for (uint32_t i = slash; i < fulfilment.len; i++) {
        if (fulfilment.at[i] < '0' || fulfilment.at[i] > '9') {
            return 0;
        }
        number = number * 10 + (uint32_t)(fulfilment.at[i] - '0');
    }
    *id_len_out = slash - 1;
    return number;
}

bool need_fulfilment(struct service_core *service, struct call *call, struct text fulfilment,
                     slab_ref *order_out, uint32_t *part_out)
{
    uint32_t id_len = 0;
    uint32_t number = part_number(fulfilment, &id_len);
    slab_ref order = number ? find_order(service, call, fulfilment.at, id_len) : 0;
    if (!order || number > order_at(&service->tables.orders, order)->part_count) {
        reply_error(service, call, CODE_UNKNOWN_FULFILMENT,
                    "fulfilment: no fulfilment %.*s is in memory: it is <order_id>/<n> as "
                    "order.route and order.get tell it",
                    (int)fulfilment.len, fulfilment.at);
        return false;
    }
    *order_out = order;
    *part_out = number - 1;
    return true;
}

uint64_t read_time(struct service_core *service, struct reader *reader)
{
    int64_t time = reader_int(reader, 1, TIME_MAX);
    if (reader_is_ok(reader) && (uint64_t)time > service->now_ms + AHEAD_MS) {
        reader_fail(reader,
                    "is more than %d s ahead of the engine's clock, now=%llu: set the clocks, and "
                    "send milliseconds",
                    AHEAD_MS / 1000, (unsigned long long)service->now_ms);
        return 0;
    }
    return (uint64_t)time;
}

static bool is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static char upper(char c)
{
    return c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
}

void read_country(struct reader *reader, char out[3])
{
    struct text text = reader_text(reader, 2, 2);
    memset(out, 0, 3);
    if (!reader_is_ok(reader)) {
        return;
    }
    if (!is_letter(text.at[0]) || !is_letter(text.at[1])) {
        reader_fail(reader, "must be two letters (ISO 3166), such as US");
        return;
    }
    out[0] = upper(text.at[0]);
    out[1] = upper(text.at[1]);
}

/* "CC" or "CC:prefix" without its sign. False: neither. */
static bool area_parse(struct text text, struct area *area)
{
    char postcode[POSTCODE_MAX + 1];
    if (text.len < 2 || !is_letter(text.at[0]) || !is_letter(text.at[1])) {
        return false;
    }
    area->text[0] = upper(text.at[0]);
    area->text[1] = upper(text.at[1]);
    area->len = 2;
    if (text.len == 2) {
        return true;
    }
    if (text.at[2] != ':' || !postcode_normalise(text.at + 3, text.len - 3, postcode)) {
        return false;
    }
    size_t len = strlen(postcode);
    area->text[2] = ':';
    memcpy(area->text + 3, postcode, len);
    area->len = (uint8_t)(3 + len);
    return true;
}

void read_area(struct reader *reader, struct area *area)
{
    struct text text = reader_text(reader, 2, ID_MAX);
    memset(area, 0, sizeof *area);
    if (!reader_is_ok(reader)) {
        return;
    }
    area->is_out = text.at[0] == '-';
    text.at += area->is_out;
    text.len -= area->is_out;
    if (!area_parse(text, area)) {
        reader_fail(reader, "must be an area such as US, US:9021 or -US:99 (country, postcode "
                            "prefix of at most 16)");
    }
}

static int by_text(const void *a, const void *b)
{
    const struct area *x = a;
    const struct area *y = b;
    int order = strcmp(x->text, y->text);
    return order ? order : (int)x->is_out - (int)y->is_out;
}

/* Drop repeated areas of a sorted list; one that is both in and out is an error. */
static uint32_t areas_unique(struct reader *reader, struct area *areas, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        bool is_same = kept > 0 && strcmp(areas[kept - 1].text, areas[i].text) == 0;
        if (is_same && areas[kept - 1].is_out != areas[i].is_out) {
            reader_fail(reader, "names %s both with and without a leading '-'", areas[i].text);
            return 0;
        }
        if (!is_same) {
            areas[kept++] = areas[i];
        }
    }
    return kept;
}

uint32_t read_areas(struct reader *reader, struct area *areas, uint32_t max)
{
    struct reader_array array;
    uint32_t count = 0;
    reader_array_begin(reader, &array, max);
    while (reader_array_next(reader, &array)) {
        read_area(reader, &areas[count++]);
    }
    if (!reader_is_ok(reader)) {
        return 0;
    }
    qsort(areas, count, sizeof *areas, by_text);
    return areas_unique(reader, areas, count);
}

uint64_t channel_find(const struct service_core *service, struct text channel)
{
    bool has_quotas = service->tables.policies.quotas.count > 0;
    return has_quotas ? quota_channel(channel.at, channel.len) : 0;
}
