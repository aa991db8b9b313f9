/* Staging and answering of plain stock.get: names, row, cell, each brought near one step ahead. */
#include "look.h"

#include "prefetch.h"
#include "quick.h"

static inline const uint8_t *take_name(const uint8_t *at, const uint8_t *end, struct look *look,
                                       uint32_t *seen)
{
    struct text key;
    at = take_key(at, end, &key);
    if (!at || key.len != 4) {
        return NULL;
    }
    if (IS(key, "item") && first_time(seen, 1)) {
        return take_text(at, end, 1, ID_MAX, &look->item);
    }
    if (IS(key, "node") && first_time(seen, 2)) {
        return take_text(at, end, 1, ID_MAX, &look->node);
    }
    return NULL;
}

bool look_read(const uint8_t *params, uint32_t size, struct look *look)
{
    const uint8_t *end = params + size;
    uint32_t seen = 0;
    look->is_plain = false;
    if (size < 2 || params[0] != 0x91 || params[1] != 0x82) {
        return false;
    }
    const uint8_t *at = take_name(params + 2, end, look, &seen);
    at = at ? take_name(at, end, look, &seen) : NULL;
    look->is_plain = at == end;
    return look->is_plain;
}

/* -- staging -- */

void look_slots(const struct tables *tables, struct look *look)
{
    look->item_hash = catalogue_hash(&tables->catalogue, look->item.at, look->item.len);
    look->node_hash = network_hash(look->node.at, look->node.len);
    catalogue_prefetch(&tables->catalogue, look->item_hash);
    network_prefetch(&tables->network, look->node_hash);
}

void look_names(const struct tables *tables, struct look *look)
{
    catalogue_prefetch_item(&tables->catalogue, look->item_hash);
    network_prefetch_node(&tables->network, look->node_hash);
}

void look_row(const struct tables *tables, struct look *look)
{
    look->of_item = catalogue_find(&tables->catalogue, look->item_hash, look->item.at,
                                   look->item.len);
    look->at_node = network_find_hashed(&tables->network, look->node_hash, look->node.at,
                                        look->node.len);
    if (look->of_item != ITEM_NONE) {
        prefetch_read(catalogue_row(&tables->catalogue, look->of_item));
    }
}

static const struct row *row_of(const struct tables *tables, const struct look *look,
                                struct node_place *place)
{
    if (look->of_item == ITEM_NONE || look->at_node == NODE_NONE) {
        return NULL;
    }
    const struct row *row = catalogue_row(&tables->catalogue, look->of_item);
    network_place(&tables->network, look->at_node, place); /* behind the row: glance_read.c */
    return row;
}

void look_place(const struct tables *tables, struct look *look)
{
    struct node_place place;
    const struct row *row = row_of(tables, look, &place);
    if (row) {
        row_prefetch_find(row, place.slot);
    }
}

void look_cell(const struct tables *tables, struct look *look)
{
    struct node_place place;
    const struct row *row = row_of(tables, look, &place);
    int32_t index = row ? row_find(row, place.slot) : -1;
    if (index >= 0) {
        row_prefetch_cell(row, (uint32_t)index);
    }
}

/* -- the answer -- */

bool look_answer(struct service_core *service, struct call *call, const struct look *look)
{
    const struct tables *tables = &service->tables;
    if (!look->is_plain || look->of_item == ITEM_NONE || look->at_node == NODE_NONE ||
        tables->catalogue.items[look->of_item].is_kit) {
        return false;
    }
    struct cell cell = tables_cell(tables, look->of_item, look->at_node);
    cell_word word = tables_word(&cell);
    if (cell_has_override(word)) {
        return false;
    }
    struct writer writer = reply_sure(service, call, LOOK_REPLY_MAX);
    look_write(&writer, word, tables_counted_at(&cell),
               tables->network.hot[look->at_node].safety_stock, lsn_begun(service));
    reply_sure_send(service, call, &writer, LOOK_REPLY_MAX);
    return true;
}
