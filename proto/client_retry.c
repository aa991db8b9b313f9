/* Which calls may be sent again after a lost connection. The table is the contract's section
 * on retries, turned into one row for each method that is safe without a `key` field. */
#include <string.h>

#include "client_internal.h"

struct retry_row {
    const char *method;
    enum retry_class class;
};

/* stock.set and stock.load are missing on purpose: a count repeated without its `key` would
 * be taken as a new one and undo the movements since. */
static const struct retry_row retry_rows[] = {
    {"hello", RETRY_READ},
    {"stats", RETRY_READ},
    {"node.get", RETRY_READ},
    {"node.list", RETRY_READ},
    {"item.get", RETRY_READ},
    {"stock.get", RETRY_READ},
    {"stock.list", RETRY_READ},
    {"stock.find", RETRY_READ},
    {"order.get", RETRY_READ},
    {"order.list", RETRY_READ},
    {"fulfil.list", RETRY_READ},
    {"reserve.get", RETRY_READ},
    {"promise.quote", RETRY_READ},
    {"capacity.get", RETRY_READ},
    {"strategy.list", RETRY_READ},
    {"strategy.try", RETRY_READ},
    {"explain.get", RETRY_READ},
    {"explain.why_not", RETRY_READ},
    {"return.quote", RETRY_READ},
    {"events.read", RETRY_READ},
    {"snapshot", RETRY_READ},
    {"order.route", RETRY_KEYED},
    {"reserve.create", RETRY_KEYED},
    {"return.create", RETRY_KEYED},
    {"return.receive", RETRY_KEYED},
    {"supply.put", RETRY_KEYED},
    {"supply.receive", RETRY_KEYED},
    {"supply.cancel", RETRY_KEYED},
    {"transfer.create", RETRY_KEYED},
    {"transfer.ship", RETRY_KEYED},
    {"transfer.receive", RETRY_KEYED},
    {"order.cancel", RETRY_GOAL},
    {"fulfil.update", RETRY_GOAL},
    {"node.put", RETRY_GOAL},
    {"node.status", RETRY_GOAL},
    {"item.put", RETRY_GOAL},
    {"place.load", RETRY_GOAL},
    {"stock.policy", RETRY_GOAL},
    {"reserve.update", RETRY_GOAL},
    {"reserve.release", RETRY_GOAL},
    {"carrier.load", RETRY_GOAL},
    {"travel.load", RETRY_GOAL},
    {"capacity.set", RETRY_GOAL},
    {"strategy.put", RETRY_GOAL},
    {"strategy.activate", RETRY_GOAL},
    {"clock.set", RETRY_GOAL},
};

enum retry_class retry_class_of(const char *method)
{
    for (size_t i = 0; i < sizeof(retry_rows) / sizeof(retry_rows[0]); i++) {
        if (strcmp(retry_rows[i].method, method) == 0) {
            return retry_rows[i].class;
        }
    }
    return RETRY_NEVER;
}

static bool is_key_name(const msgpack_object *name)
{
    if (name->type == MSGPACK_OBJECT_STR) {
        return name->via.str.size == 3 && memcmp(name->via.str.ptr, "key", 3) == 0;
    }
    if (name->type == MSGPACK_OBJECT_BIN) {
        return name->via.bin.size == 3 && memcmp(name->via.bin.ptr, "key", 3) == 0;
    }
    return false;
}

/* request is an own frame, scanned before it was accepted: [0, id, method, [map]]. */
static bool frame_has_key(const msgpack_object *frame)
{
    const msgpack_object *params = &frame->via.array.ptr[3];
    if (params->via.array.size != 1) {
        return false;
    }
    const msgpack_object_map *map = &params->via.array.ptr[0].via.map;
    for (uint32_t i = 0; i < map->size; i++) {
        if (is_key_name(&map->ptr[i].key)) {
            return map->ptr[i].val.type != MSGPACK_OBJECT_NIL;
        }
    }
    return false;
}

bool retry_has_key(const uint8_t *request, uint32_t size)
{
    msgpack_unpacked unpacked;
    msgpack_unpacked_init(&unpacked);
    size_t offset = 0;
    bool has_key = false;
    if (msgpack_unpack_next(&unpacked, (const char *)request, size, &offset) ==
        MSGPACK_UNPACK_SUCCESS) {
        has_key = frame_has_key(&unpacked.data);
    }
    msgpack_unpacked_destroy(&unpacked);
    return has_key;
}
