/* stock.find: for each item what is free in total, and the nearest nodes that have it. The work
 * is one look at every cell of each item, so cells are what is bounded. */
#include <string.h>

#include "place_internal.h"

enum {
    FIND_ITEMS_MAX = 500,
    FIND_NODES_MAX = 100,
    FIND_NODES_DEFAULT = 3,
    FIND_CELLS_MAX = 12000, /* over all items; one item alone is always answered */
    FIND_ENTRIES_MAX = 10000
};

static const double KM_MAX = 20038;

struct find_item {
    struct text id;
    uint32_t qty;
    uint32_t item; /* ITEM_NONE = unknown */
};

struct find {
    struct find_item items[FIND_ITEMS_MAX];
    uint32_t count;
    int service; /* -1 = any */
    uint32_t k;
    struct place dest;
    struct text channel;
    struct route_request where;
};

/* -- reading -- */

static void read_item(struct reader *reader, struct find_item *item)
{
    static const char *const fields[] = {"item", "qty"};
    struct reader_map map;
    *item = (struct find_item){{"", 0}, 1, ITEM_NONE};
    reader_map_begin(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            item->id = reader_text(reader, 1, ID_MAX);
        } else {
            item->qty = (uint32_t)reader_int(reader, 1, QTY_MAX);
        }
    }
    reader_require(reader, &map, 0);
}

static void read_items(struct reader *reader, struct find *find)
{
    struct reader_array array;
    if (reader_array_begin(reader, &array, FIND_ITEMS_MAX) == 0) {
        reader_fail(reader, "name at least one item");
    }
    while (reader_array_next(reader, &array)) {
        read_item(reader, &find->items[find->count++]);
    }
}

static void read_field(struct reader *reader, struct find *find, int field)
{
    switch (field) {
    case 0:
        read_items(reader, find);
        break;
    case 1:
        place_read(reader, &find->dest);
        break;
    case 2:
        find->service = reader_word(reader, &names_services);
        break;
    case 3:
        find->channel = reader_text(reader, 1, ID_MAX);
        break;
    case 4:
        find->k = (uint32_t)reader_int(reader, 1, FIND_NODES_MAX);
        break;
    default: {
        double km = reader_float(reader, 0, KM_MAX);
        find->where.max_m = (uint32_t)(km * 1000 + 0.5);
    }
    }
}

static void find_read(struct reader *reader, struct find *find)
{
    static const char *const fields[] = {"items", "dest", "service", "channel", "k", "max_km"};
    struct reader_map map;
    find->count = 0;
    find->service = -1;
    find->k = FIND_NODES_DEFAULT;
    find->channel = (struct text){"", 0};
    memset(&find->dest, 0, sizeof find->dest);
    memset(&find->where, 0, sizeof find->where);
    find->where.max_splits = ROUTE_NO_LIMIT;
    find->where.max_m = ROUTE_NO_LIMIT;
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_field(reader, find, field);
    }
    reader_require(reader, &map, 0);
    if (reader_is_ok(reader) && reader_map_has(&map, 5) && !find->dest.is_given) {
        reader_fail(reader, "max_km: needs a dest to measure from");
    }
}

/* -- names and bounds -- */

/* False: the postcode is not loaded, answered. */
static bool where_find(struct service_core *service, struct call *call, struct find *find)
{
    struct place *dest = &find->dest;
    find->where.channel = channel_find(service, find->channel);
    find->where.has_dest = dest->is_given;
    find->where.is_po_box = dest->is_po_box;
    find->where.country = dest->country;
    find->where.postcode = dest->postcode;
    if (!dest->is_given) {
        memcpy(dest->country, service->options.country, sizeof dest->country);
        return true;
    }
    return place_point(service, call, "dest", dest, &find->where.dest);
}

/* What one of the item takes: itself, or the components of a kit. */
static uint32_t lines_of(const struct service_core *service, uint32_t item, int wanted,
                         struct route_line lines[KIT_PARTS_MAX])
{
    enum service own = wanted < 0 ? SERVICE_STANDARD : (enum service)wanted;
    const struct kit *kit = service->tables.catalogue.items[item].is_kit
                                ? kits_find(&service->tables.kits, item)
                                : NULL;
    lines[0] = (struct route_line){item, 1, own, NODE_NONE, 0};
    for (uint32_t i = 0; kit && i < kit->count; i++) {
        lines[i] = (struct route_line){kit->parts[i].item, kit->parts[i].qty, own, NODE_NONE, 1};
    }
    return kit ? kit->count : 1;
}

static bool items_find(struct service_core *service, struct call *call, struct find *find)
{
    const struct catalogue *catalogue = &service->tables.catalogue;
    uint64_t cells = 0;
    for (uint32_t i = 0; i < find->count; i++) {
        struct find_item *item = &find->items[i];
        uint64_t hash = catalogue_hash(catalogue, item->id.at, item->id.len);
        item->item = catalogue_find(catalogue, hash, item->id.at, item->id.len);
        struct route_line lines[KIT_PARTS_MAX];
        uint32_t parts = item->item == ITEM_NONE ? 0 : lines_of(service, item->item, -1, lines);
        const struct row *row = parts ? catalogue->items[lines[0].item].row : NULL;
        cells += row ? (uint64_t)row->count * parts : 0;
    }
    if ((find->count > 1 && cells > FIND_CELLS_MAX) || find->count * find->k > FIND_ENTRIES_MAX) {
        reply_error(service, call, CODE_TOO_LARGE,
                    "items: %u items with %llu cells and k=%u are too much for one call: at most "
                    "%d cells and %d nodes told, ask for fewer items",
                    find->count, (unsigned long long)cells, find->k, FIND_CELLS_MAX,
                    FIND_ENTRIES_MAX);
        return false;
    }
    return true;
}

/* -- the answer -- */

/* Sets of the lines that the node has, of which the first one's cell is word. */
static uint32_t sets_at(const struct tables *tables, const struct stock_view *view,
                        const struct route_line *lines, uint32_t count, uint16_t node,
                        cell_word word)
{
    uint32_t least = stock_free(view, lines[0].item, node, word) / lines[0].qty;
    for (uint32_t i = 1; i < count && least > 0; i++) {
        struct cell cell = tables_cell(tables, lines[i].item, node);
        uint32_t free = cell.index < 0 ? 0
                                       : stock_free(view, lines[i].item, node, tables_word(&cell));
        least = free / lines[i].qty < least ? free / lines[i].qty : least;
    }
    return least;
}

/* What orders of the channel may take of the item, over all nodes. */
static uint64_t total_free(const struct service_core *service, const struct route_line *lines,
                           uint32_t count, uint64_t channel)
{
    const struct tables *tables = &service->tables;
    struct stock_view view = tables->view;
    view.channel = channel;
    const struct row *row = tables->catalogue.items[lines[0].item].row;
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    uint64_t total = 0;
    if (!row) {
        return 0;
    }
    row_walk_begin(row, &walk);
    while (row_walk_next(row, &walk, &slot, &index)) {
        uint16_t node = tables->network.node_of_slot[slot];
        total += sets_at(tables, &view, lines, count, node, row_word(row, index));
    }
    return total;
}

static void put_near(const struct service_core *service, struct writer *writer,
                     const struct route_near *near, bool has_km)
{
    const struct node *node = &service->tables.network.nodes[near->node];
    writer_map(writer, has_km ? 3 : 2);
    put_text(writer, "node", node->id, node->id_len);
    put_int(writer, "ats", near->free);
    if (has_km) {
        put_km(writer, "km", near->metres);
    }
}

static void put_item(struct service_core *service, struct writer *writer, const struct find *find,
                     const struct find_item *item)
{
    struct route_near near[FIND_NODES_MAX];
    if (item->item == ITEM_NONE) {
        writer_map(writer, 2);
        put_text(writer, "item", item->id.at, item->id.len);
        put_bool(writer, "unknown", true);
        return;
    }
    struct route_line lines[KIT_PARTS_MAX];
    uint32_t parts = lines_of(service, item->item, find->service, lines);
    uint32_t count = route_nearest(service->route, &service->tables.view, lines, parts, item->qty,
                                   &find->where, find->service, find->k, near);
    writer_map(writer, 3);
    put_text(writer, "item", item->id.at, item->id.len);
    put_int(writer, "ats", (int64_t)total_free(service, lines, parts, find->where.channel));
    writer_str(writer, "nodes");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_near(service, writer, &near[i], find->where.has_dest);
    }
}

void handle_stock_find(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct find find;
    reader_init(&reader, call->params, call->params_size);
    find_read(&reader, &find);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!where_find(service, call, &find) || !items_find(service, call, &find)) {
        return;
    }
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 2);
    writer_str(writer, "items");
    writer_array(writer, find.count);
    for (uint32_t i = 0; i < find.count; i++) {
        put_item(service, writer, &find, &find.items[i]);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}
