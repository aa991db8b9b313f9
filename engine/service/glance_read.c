/* stock.get and stock.find as another thread reads them. Only the usual fields, only cells without
 * an override, only rows that nobody is changing just then: at anything else they give up. */
#include "glance_internal.h"

#include <math.h>
#include <string.h>

enum { FIND_ITEMS = 100, FIND_NODES = 100, FIND_NODES_DEFAULT = 3, FIND_CELLS = 12000 };

static const double KM_MAX = 20038;

static uint32_t item_find(const struct glance *glance, struct text id)
{
    const struct catalogue *catalogue = &glance->service->tables.catalogue;
    return catalogue_find(catalogue, catalogue_hash(catalogue, id.at, id.len), id.at, id.len);
}

/* -- stock.get -- */

/* The row is loaded before the node's slot: slots may be laid out anew until there is a row. */
static bool cell_read(const struct glance *glance, uint32_t item, uint16_t node, cell_word *word,
                      uint64_t *counted, struct node_place *place)
{
    const struct tables *tables = &glance->service->tables;
    const struct row *row = catalogue_row(&tables->catalogue, item);
    *word = 0;
    *counted = 0;
    if (!row || catalogue_is_kit(&tables->catalogue, item)) {
        return false;
    }
    network_place(&tables->network, node, place);
    int32_t index = row_find(row, place->slot);
    return index < 0 ||
           (row_glance(row, (uint32_t)index, word, counted) && !cell_has_override(*word));
}

bool glance_get(struct glance *glance, const struct look *look, struct writer *writer,
                uint64_t *lsn_out)
{
    struct node_place place;
    cell_word word;
    uint64_t counted;
    if (!look->is_plain || look->of_item == ITEM_NONE || look->at_node == NODE_NONE ||
        !cell_read(glance, look->of_item, look->at_node, &word, &counted, &place)) {
        return false;
    }
    *lsn_out = glance_lsn(glance);
    struct writer copy = *writer; /* lives in registers: writer.h */
    look_write(&copy, word, counted, place.safety_stock, *lsn_out);
    *writer = copy;
    return true;
}

/* -- stock.find: its request -- */

struct wanted {
    struct text id;
    uint32_t qty;
    uint32_t item;
    const struct row *row; /* NULL: unknown */
};

struct near {
    uint16_t node;
    uint32_t metres;
    uint32_t free;
};

struct find {
    struct wanted items[FIND_ITEMS];
    uint32_t count;
    uint32_t k;
    uint32_t max_m;
    bool has_dest;
    struct geo_point dest;
};

static void item_read(struct reader *reader, struct wanted *wanted)
{
    static const char *const fields[] = {"item", "qty"};
    struct reader_map map;
    *wanted = (struct wanted){.qty = 1};
    reader_map_begin(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            wanted->id = reader_text(reader, 1, ID_MAX);
        } else {
            wanted->qty = (uint32_t)reader_int(reader, 1, QTY_MAX);
        }
    }
    reader_require(reader, &map, 0);
}

/* Where it lies; what else a place may say does not matter here. */
static void dest_read(struct reader *reader, struct find *find)
{
    static const char *const fields[] = {"lat", "lon"};
    struct reader_map map;
    double at[2] = {0, 0};
    reader_map_begin(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        double most = field == 0 ? 90 : 180;
        at[field] = reader_float(reader, -most, most);
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
    find->has_dest = true;
    find->dest = geo_point(at[0], at[1]);
}

static void items_read(struct reader *reader, struct find *find)
{
    struct reader_array array;
    reader_array_begin(reader, &array, FIND_ITEMS);
    while (reader_array_next(reader, &array)) {
        item_read(reader, &find->items[find->count++]);
    }
}

static bool find_read(struct reader *reader, struct find *find)
{
    static const char *const fields[] = {"items", "dest", "k", "max_km"};
    struct reader_map map;
    find->count = 0;
    find->k = FIND_NODES_DEFAULT;
    find->max_m = UINT32_MAX;
    find->has_dest = false;
    reader_params(reader, &map, fields, 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            items_read(reader, find);
        } else if (field == 1) {
            dest_read(reader, find);
        } else if (field == 2) {
            find->k = (uint32_t)reader_int(reader, 1, FIND_NODES);
        } else {
            find->max_m = (uint32_t)(reader_float(reader, 0, KM_MAX) * 1000 + 0.5);
        }
    }
    bool is_measured = find->has_dest || !reader_map_has(&map, 3);
    return reader_is_ok(reader) && find->count > 0 && is_measured;
}

/* False: for the engine loop, as an item is a kit or has no cell, or it is too much. */
static bool rows_load(const struct glance *glance, struct find *find)
{
    const struct catalogue *catalogue = &glance->service->tables.catalogue;
    uint64_t cells = 0;
    for (uint32_t i = 0; i < find->count; i++) {
        struct wanted *wanted = &find->items[i];
        wanted->item = item_find(glance, wanted->id);
        if (wanted->item == ITEM_NONE) {
            continue;
        }
        wanted->row = catalogue_row(catalogue, wanted->item);
        if (!wanted->row || catalogue_is_kit(catalogue, wanted->item)) {
            return false;
        }
        cells += wanted->row->count;
    }
    return cells <= FIND_CELLS;
}

/* -- stock.find: the nearest nodes of one item -- */

static bool is_before(const struct network *network, bool has_dest, const struct near *a,
                      const struct near *b)
{
    if (!has_dest) {
        return a->node < b->node;
    }
    if (a->metres != b->metres) {
        return a->metres < b->metres;
    }
    const struct node *x = &network->nodes[a->node];
    const struct node *y = &network->nodes[b->node];
    int order = memcmp(x->id, y->id, x->id_len < y->id_len ? x->id_len : y->id_len);
    return order < 0 || (order == 0 && x->id_len < y->id_len);
}

/* Insert into the k best, sorted; the last falls out where there is no room. */
static uint32_t insert(const struct network *network, const struct find *find, struct near *out,
                       uint32_t count, const struct near *near)
{
    uint32_t at = count < find->k ? count : find->k - 1;
    if (count == find->k && !is_before(network, find->has_dest, near, &out[at])) {
        return count;
    }
    for (; at > 0 && is_before(network, find->has_dest, near, &out[at - 1]); at--) {
        out[at] = out[at - 1];
    }
    out[at] = *near;
    return count < find->k ? count + 1 : count;
}

/* Squared chord beyond which a node is certainly farther than metres, rounding included. */
static double chord_beyond(uint32_t metres)
{
    double angle = ((double)metres + 2) / (2 * GEO_RADIUS_M);
    double chord = angle < M_PI / 2 ? 2 * sin(angle) : 2;
    return chord * chord + 1e-15;
}

static bool is_beyond(const struct geo_point *a, const struct geo_point *b, double limit)
{
    double dx = a->x - b->x;
    double dy = a->y - b->y;
    double dz = a->z - b->z;
    return dx * dx + dy * dy + dz * dz > limit;
}

struct found {
    struct near near[FIND_NODES];
    uint32_t count;
    uint64_t total; /* free units, over all nodes */
    double limit;   /* squared chord: farther ones are not among the k best */
};

static void node_add(const struct network *network, const struct find *find,
                     const struct node_place *place, uint16_t node, uint32_t units,
                     struct found *found)
{
    struct near near = {node, 0, units};
    if (find->has_dest && is_beyond(&place->point, &find->dest, found->limit)) {
        return;
    }
    near.metres = find->has_dest ? geo_metres(&place->point, &find->dest) : 0;
    if (near.metres > find->max_m) {
        return;
    }
    found->count = insert(network, find, found->near, found->count, &near);
    if (find->has_dest && found->count == find->k) {
        found->limit = chord_beyond(found->near[find->k - 1].metres);
    }
}

/* False: a cell has an override or is being changed. */
static bool nearest(const struct network *network, const struct find *find,
                    const struct wanted *wanted, struct found *found)
{
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    found->count = 0;
    found->total = 0;
    found->limit = find->max_m == UINT32_MAX ? 5 : chord_beyond(find->max_m);
    row_walk_begin(wanted->row, &walk);
    while (row_walk_next(wanted->row, &walk, &slot, &index)) {
        cell_word word;
        uint64_t counted;
        struct node_place place;
        uint16_t node = network_at_slot(network, slot);
        if (!row_glance(wanted->row, index, &word, &counted) || cell_has_override(word)) {
            return false;
        }
        network_place(network, node, &place);
        int64_t ats = (int64_t)cell_on_hand(word) - cell_reserved(word) - place.safety_stock;
        if (ats > 0) {
            found->total += (uint64_t)ats;
            if (ats >= wanted->qty) {
                node_add(network, find, &place, node, (uint32_t)ats, found);
            }
        }
    }
    return true;
}

/* -- stock.find: the answer -- */

static void near_put(const struct network *network, struct writer *writer,
                     const struct near *near, bool has_km)
{
    const struct node *node = &network->nodes[near->node];
    writer_map(writer, has_km ? 3 : 2);
    put_text(writer, "node", node->id, node->id_len);
    put_int(writer, "ats", near->free);
    if (has_km) {
        put_km(writer, "km", near->metres);
    }
}

static bool item_put(const struct network *network, const struct find *find,
                     const struct wanted *wanted, struct writer *writer)
{
    struct found found;
    if (wanted->item == ITEM_NONE) {
        writer_map(writer, 2);
        put_text(writer, "item", wanted->id.at, wanted->id.len);
        put_bool(writer, "unknown", true);
        return true;
    }
    if (!nearest(network, find, wanted, &found)) {
        return false;
    }
    writer_map(writer, 3);
    put_text(writer, "item", wanted->id.at, wanted->id.len);
    put_int(writer, "ats", (int64_t)found.total);
    writer_str(writer, "nodes");
    writer_array(writer, found.count);
    for (uint32_t i = 0; i < found.count; i++) {
        near_put(network, writer, &found.near[i], find->has_dest);
    }
    return true;
}

bool glance_find(struct glance *glance, struct reader *reader, struct writer *writer,
                 uint64_t *lsn_out)
{
    const struct network *network = &glance->service->tables.network;
    uint64_t placed = __atomic_load_n(&network->placed, __ATOMIC_ACQUIRE);
    struct find find;
    if (placed % 2 || !find_read(reader, &find) || !rows_load(glance, &find)) {
        return false;
    }
    writer_map(writer, 2);
    writer_str(writer, "items");
    writer_array(writer, find.count);
    for (uint32_t i = 0; i < find.count; i++) {
        if (!item_put(network, &find, &find.items[i], writer)) {
            return false;
        }
    }
    if (__atomic_load_n(&network->placed, __ATOMIC_ACQUIRE) != placed) {
        return false;
    }
    *lsn_out = glance_lsn(glance);
    put_int(writer, "lsn", (int64_t)*lsn_out);
    return true;
}
