/* Sums of what the tables have noted of themselves; bounds where nothing is noted. */
#include "grown.h"

#include "area.h"

enum {
    QUARTERS = 5, /* of what is asked for: an allocator rounds up by a quarter at most */
    NODE_LISTS = 64, /* bytes of a node's list of items that has none */
    CELL_LIST = 3, /* bytes of a cell in it: two, and a quarter in advance */
    CELL_NEW = 96 /* of a new cell: a row's head, its share of a bitmap, its place */
};

static uint64_t rounded(uint64_t bytes)
{
    return bytes / 4 * QUARTERS;
}

/* Bytes of a table of slots (0: none yet) that is made anew with at least per slots for each row
 * where used rows are more than half of its slots. */
static uint64_t slots_peak(uint64_t slots, uint64_t first, uint64_t used, uint64_t per,
                           uint64_t size)
{
    uint64_t wanted = slots ? slots : first;
    if (slots && used * 2 < slots) {
        return slots * size;
    }
    while (wanted <= used * per) {
        wanted *= 2;
    }
    return (slots + wanted) * size;
}

/* Bytes of a list that doubles when it is full. */
static uint64_t list_peak(uint64_t room, uint64_t used, uint64_t first, uint64_t size)
{
    uint64_t wanted = room ? room : first;
    if (used < room || used == 0) {
        return room * size;
    }
    while (wanted <= used) {
        wanted *= 2;
    }
    return (room + wanted) * size;
}

static uint64_t names_peak(const struct area_names *names, uint64_t more)
{
    const uint64_t each = sizeof *names->all + 2 * sizeof *names->slots;
    const uint64_t used = names->count + more;
    return list_peak(names->room, used < AREA_NAMES_MAX ? used : AREA_NAMES_MAX, 64, each);
}

static uint64_t carriers_peak(const struct carriers *carriers, uint64_t more)
{
    const uint64_t columns = carriers->columns ? (uint64_t)carriers->column_mask + 1 : 0;
    return names_peak(&carriers->areas, 2 * more) +
           slots_peak(columns, 256, carriers->column_count + more, 2,
                      sizeof(struct lane_column)) +
           (carriers->lane_room + 6 * more) * sizeof(struct lane);
}

static uint64_t travels_peak(const struct travels *travels, uint64_t more)
{
    const uint64_t slots = travels->roads ? travels->mask + 1 : 0;
    return names_peak(&travels->areas, more) +
           slots_peak(slots, 256, travels->used + more, 4, sizeof(struct road));
}

static uint64_t policies_peak(const struct policies *policies, const struct grown_rules *more)
{
    const struct quotas *quotas = &policies->quotas;
    return policies_peak_bytes(policies, more->overrides) +
           list_peak(quotas->room, quotas->used + 1 + (uint64_t)more->quotas, 64,
                     sizeof(struct quota)) +
           quotas_names_bytes(quotas);
}

static uint64_t kits_peak(const struct kits *kits, uint64_t more)
{
    const uint64_t slots = kits->slots ? kits->mask + 1 : 0;
    return slots_peak(slots, 64, kits->used + more, 2, sizeof(struct kit)) +
           ((uint64_t)kits->count * KIT_PARTS_MAX + more) * sizeof(struct kit_part);
}

static uint64_t nodes_peak(const struct tables *tables, const struct grown_rules *more)
{
    const struct network *network = &tables->network;
    const uint64_t bitmap = (network->words / 16 + 2) * 16 * sizeof(slot_bits);
    return network_rules_bytes(network, more->node_areas) +
           more->node_areas * (sizeof(struct area) + bitmap) +
           (tables->timing.capacity.count + (uint64_t)more->capacities) *
               sizeof(struct capacity_node) +
           tables->timing.schedules.exception_bytes +
           more->exceptions * sizeof(struct hours_exception);
}

uint64_t grown_rules(const struct tables *tables, const struct grown_rules *more)
{
    const struct incoming *incoming = &tables->incoming;
    const uint64_t items =
        tables->catalogue.area_bytes + more->item_areas * sizeof(struct area) +
        list_peak(incoming->room, incoming->used + (uint64_t)more->incoming, 1024,
                  sizeof(struct incoming_entry));
    return rounded(carriers_peak(&tables->timing.carriers, more->lanes) +
                   travels_peak(&tables->timing.travels, more->roads) +
                   policies_peak(&tables->policies, more) +
                   gazetteer_bytes(&tables->gazetteer, more->places) +
                   kits_peak(&tables->kits, more->kit_parts) + nodes_peak(tables, more) + items);
}

uint64_t grown_stock(const struct tables *tables, uint64_t cells)
{
    const uint64_t groups = tables->catalogue.count / 65536 + 1;
    return rounded(tables->row_bytes + cells * CELL_NEW + (tables->cells + cells) * CELL_LIST +
                   (uint64_t)tables->network.count * groups * NODE_LISTS);
}
