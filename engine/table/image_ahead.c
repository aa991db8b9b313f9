/* Two stages for an order that a record names: its head, then the lines of its body. */
#include "image_ahead_internal.h"

#include <string.h>

#include "prefetch.h"

_Static_assert(IMAGE_AHEAD_RING >= IMAGE_AHEAD_STEP, "a name stays until its last stage");
_Static_assert((IMAGE_AHEAD_RING & (IMAGE_AHEAD_RING - 1)) == 0, "index by mask");

/* The next record of the piece at hand, or NULL. */
static const uint8_t *peek(struct image_ahead *ahead, uint32_t *size_out)
{
    const size_t left = (size_t)(ahead->end - ahead->at);
    uint32_t size = 0;
    if (left >= IMAGE_RECORD_HEAD) {
        memcpy(&size, ahead->at, sizeof size);
    }
    if (left < IMAGE_RECORD_HEAD || size > left - IMAGE_RECORD_HEAD) {
        ahead->at = ahead->end;
        return NULL;
    }
    const uint8_t *record = ahead->at + IMAGE_RECORD_HEAD;
    ahead->at = record + size;
    *size_out = size;
    return record;
}

void image_ahead(struct image_ahead *ahead, const struct tables *tables,
                 struct image_source *source, uint32_t lead, image_ahead_look *look)
{
    uint32_t size = 0;
    if (source->end != ahead->end || source->at < ahead->taken || source->at > ahead->at) {
        ahead->at = source->at;
        ahead->end = source->end;
        ahead->lead = 0;
    }
    ahead->taken = source->at;
    for (; ahead->lead < lead; ahead->lead++) {
        const uint8_t *record = peek(ahead, &size);
        look(ahead, tables, source, record, size);
    }
    ahead->lead--;
}

static void fetch_head(const struct tables *tables, slab_ref ref)
{
    const char *order = (const char *)order_at(&tables->orders, ref);
    for (uint32_t at = 0; at < sizeof(struct order); at += 64) {
        prefetch_write(order + at);
    }
}

static void fetch_body(const struct image_ahead *ahead, const struct tables *tables, uint32_t at)
{
    const uint32_t index = ahead->ring[at].index;
    if (!ahead->ring[at].ref) {
        return;
    }
    struct order *order = order_at(&tables->orders, ahead->ring[at].ref);
    if (index >= (ahead->ring[at].is_part ? order->part_count : order->share_count)) {
        return;
    }
    prefetch_write(order_parts(order) + (ahead->ring[at].is_part ? index : 0));
    if (!ahead->ring[at].is_part) {
        prefetch_write(order_shares(order) + index);
        prefetch_read(order_lines(order));
    }
}

static void note(struct image_ahead *ahead, const struct tables *tables, slab_ref ref,
                 uint32_t index, bool is_part)
{
    const uint32_t at = ahead->next++;
    ahead->ring[at % IMAGE_AHEAD_RING].ref = ref;
    ahead->ring[at % IMAGE_AHEAD_RING].index = index;
    ahead->ring[at % IMAGE_AHEAD_RING].is_part = is_part;
    if (ref) {
        fetch_head(tables, ref);
    }
    fetch_body(ahead, tables, (at - IMAGE_AHEAD_STEP) % IMAGE_AHEAD_RING);
}

/* -- orders: the cells that they take -- */

static void look_order(struct image_ahead *ahead, const struct tables *tables,
                       struct image_source *source, const uint8_t *record, uint32_t size)
{
    uint32_t effect_size = 0;
    (void)source;
    if (record && size >= sizeof effect_size) {
        memcpy(&effect_size, record, sizeof effect_size);
    }
    if (effect_size == 0 || effect_size > size - sizeof effect_size) {
        replay_ahead(&ahead->orders, tables, 0, NULL, 0);
        return;
    }
    replay_ahead(&ahead->orders, tables, EFFECT_ORDER, record + sizeof effect_size, effect_size);
}

void image_ahead_order(struct image_ahead *ahead, const struct tables *tables,
                       struct image_source *source)
{
    image_ahead(ahead, tables, source, REPLAY_AHEAD, look_order);
}

/* -- holds: the cell's chain, and the share of the first one -- */

static void look_hold(struct image_ahead *ahead, const struct tables *tables,
                      struct image_source *source, const uint8_t *record, uint32_t size)
{
    slab_ref ref = 0;
    uint32_t share = 0;
    struct bytes_source fields = {record, record ? record + size : NULL, record == NULL};
    if (record) {
        const uint32_t item = (uint32_t)bytes_get_max(&fields, UINT32_MAX);
        const uint16_t node = (uint16_t)bytes_get_max(&fields, NODE_MAX - 1);
        (void)bytes_get_int(&fields);
        if (bytes_get_byte(&fields) == HOLD_ORDER && !fields.is_bad) {
            ref = image_order(source, bytes_get_int(&fields));
            share = (uint32_t)bytes_get_max(&fields, HOLD_SHARE_MAX);
        }
        holds_prefetch(&tables->holds, item, node);
    }
    note(ahead, tables, fields.is_bad ? 0 : ref, share, false);
}

void image_ahead_hold(struct image_ahead *ahead, const struct tables *tables,
                      struct image_source *source)
{
    image_ahead(ahead, tables, source, IMAGE_AHEAD, look_hold);
}

void image_ahead_part(struct image_ahead *ahead, const struct tables *tables,
                      struct image_source *source, uint64_t lsn, uint32_t part)
{
    note(ahead, tables, lsn ? image_order(source, lsn) : 0, part, true);
}
