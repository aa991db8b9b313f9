/* One helper for all: slabs, pools and rings, which fill up from their beginning on. */
#include "tables_warm.h"

enum region_name {
    ORDERS,
    HOLDS,
    DONE,
    TIMERS,
    MOVEMENTS,
    KEYS,
    OWED,
    ITEMS,
    ITEM_IDS,
    NODES,
    RESERVES,
    RESERVED_CELLS, /* hash tables, also those of ids below: all of it at once */
    RESERVE_IDS,
    DOCUMENTS,
    DOCUMENT_IDS,
    REGIONS
};

_Static_assert((uint32_t)REGIONS <= (uint32_t)WARM_REGIONS_MAX, "a region each");

#define MIB ((uint64_t)1 << 20)

enum {
    ORDERS_AHEAD = 64, /* MiB touched before their use */
    HOLDS_AHEAD = 16,
    OTHERS_AHEAD = 4
};

/* Of a two-line order, over the bytes of its block: two holds an eighth; two movements once it is
 * shipped a quarter; its place among the done ones a 96th. */
enum { HOLDS_SHARE = 8, MOVEMENTS_SHARE = 4, DONE_SHARE = 64 };

#define HUGE_PAGE (2 * MIB)

static void used_fill(const struct tables *tables, uint64_t used[REGIONS])
{
    const struct orders *orders = &tables->orders;
    const struct keyring *keyring = &tables->keyring;
    used[ORDERS] = orders->slab.used;
    used[HOLDS] = (uint64_t)tables->holds.used * sizeof(struct hold);
    used[DONE] = (orders->done_head + orders->done_count) * sizeof(slab_ref);
    used[TIMERS] = (uint64_t)tables->wheel.used * sizeof(struct wheel_timer);
    used[MOVEMENTS] = tables->movements.next * sizeof(struct movement);
    used[KEYS] = (keyring->first + keyring->count) * sizeof(struct key_entry);
    used[OWED] = (uint64_t)tables->owed.used * sizeof(struct owed_entry);
    used[ITEMS] = (uint64_t)tables->catalogue.count * sizeof(struct item);
    used[ITEM_IDS] = tables->catalogue.ids_used;
    used[NODES] = (uint64_t)tables->network.count * sizeof(struct node);
    used[RESERVES] = tables->reserves.slab.used;
    used[RESERVED_CELLS] = 0;
    used[RESERVE_IDS] = 0;
    used[DOCUMENTS] = tables->documents.slab.used;
    used[DOCUMENT_IDS] = 0;
}

static void table_set(struct warm_region *region, void *memory, uint64_t size)
{
    *region = (struct warm_region){memory, size, size, 0};
}

static void region_set(struct warm_region *region, void *memory, uint64_t size, uint64_t ahead)
{
    *region = (struct warm_region){memory, size, ahead, 0};
}

static void orders_fill(const struct tables *tables, struct warm_region regions[REGIONS])
{
    const struct orders *orders = &tables->orders;
    const struct holds *holds = &tables->holds;
    const struct wheel *wheel = &tables->wheel;
    const struct owed *owed = &tables->owed;
    const uint64_t some = OTHERS_AHEAD * MIB;
    region_set(&regions[ORDERS], orders->slab.base, orders->slab.size, ORDERS_AHEAD * MIB);
    region_set(&regions[HOLDS], holds->pool, ((uint64_t)holds->max + 1) * sizeof(struct hold),
               HOLDS_AHEAD * MIB);
    region_set(&regions[DONE], orders->done, (orders->done_mask + 1) * sizeof(slab_ref), some);
    region_set(&regions[TIMERS], wheel->pool, wheel_pool_size(wheel->max), some);
    region_set(&regions[OWED], owed->pool, ((uint64_t)owed->max + 1) * sizeof(struct owed_entry),
               some);
}

static void network_fill(const struct tables *tables, struct warm_region regions[REGIONS])
{
    const struct movements *movements = &tables->movements;
    const struct keyring *keyring = &tables->keyring;
    const struct catalogue *catalogue = &tables->catalogue;
    const uint64_t some = OTHERS_AHEAD * MIB;
    region_set(&regions[MOVEMENTS], movements->ring,
               (uint64_t)movements->max * sizeof(struct movement), some);
    region_set(&regions[KEYS], keyring->ring, (uint64_t)keyring->max * sizeof(struct key_entry),
               some);
    region_set(&regions[ITEMS], catalogue->items, (uint64_t)catalogue->max * sizeof(struct item),
               some);
    region_set(&regions[ITEM_IDS], catalogue->ids, catalogue->ids_size, some);
    region_set(&regions[NODES], tables->network.nodes, NODE_MAX * sizeof(struct node), some);
}

static void owners_fill(const struct tables *tables, struct warm_region regions[REGIONS])
{
    const struct reserves *reserves = &tables->reserves;
    const struct documents *documents = &tables->documents;
    const uint64_t some = OTHERS_AHEAD * MIB;
    region_set(&regions[RESERVES], reserves->slab.base, reserves->slab.size, some);
    table_set(&regions[RESERVED_CELLS], reserves->cells,
              (reserves->cell_mask + 1) * sizeof(struct cell_pieces));
    table_set(&regions[RESERVE_IDS], reserves->slots,
              (reserves->slot_mask + 1) * sizeof(slab_ref));
    region_set(&regions[DOCUMENTS], documents->slab.base, documents->slab.size, some);
    table_set(&regions[DOCUMENT_IDS], documents->slots,
              (documents->slot_mask + 1) * sizeof(struct document_slot));
}

/* Before the first request, not beside it: on few cores the helper takes time from it. */
static void first_touch(struct warm_region *region, uint64_t used, uint64_t ready)
{
    const uint64_t from = used / HUGE_PAGE * HUGE_PAGE;
    const uint64_t beyond = ready > region->ahead ? ready : region->ahead;
    if (from < region->size) {
        const uint64_t left = region->size - from;
        const uint64_t size = used - from + beyond;
        warm_now((char *)region->memory + from, left < size ? left : size);
    }
    region->warm = used + beyond;
}

static uint64_t ready_of(uint32_t region, uint64_t orders_ready)
{
    static const uint64_t shares[REGIONS] = {[ORDERS] = 1, [HOLDS] = HOLDS_SHARE,
                                             [MOVEMENTS] = MOVEMENTS_SHARE, [DONE] = DONE_SHARE};
    return shares[region] ? orders_ready / shares[region] : 0;
}

static void keep_ahead(struct warm_region *region, uint64_t ready)
{
    region->ahead = ready > region->ahead ? ready : region->ahead;
}

enum err tables_warm_start(struct tables_warm *warm, const struct tables *tables,
                           uint64_t orders_ready, enum tables_warm_when when)
{
    struct warm_region regions[REGIONS];
    uint64_t used[REGIONS];
    orders_fill(tables, regions);
    network_fill(tables, regions);
    owners_fill(tables, regions);
    used_fill(tables, used);
    for (uint32_t i = 0; i < REGIONS; i++) {
        const uint64_t ready = ready_of(i, orders_ready);
        first_touch(&regions[i], used[i], when == TABLES_WARM_NOW ? ready : 0);
        if (when == TABLES_WARM_BESIDE) {
            keep_ahead(&regions[i], ready);
        }
    }
    return warm_start(regions, REGIONS, &warm->warm);
}

void tables_warm_note(const struct tables_warm *warm, const struct tables *tables)
{
    uint64_t used[REGIONS];
    if (!warm->warm) {
        return;
    }
    used_fill(tables, used);
    for (uint32_t i = 0; i < REGIONS; i++) {
        warm_note(warm->warm, i, used[i]);
    }
}

void tables_warm_stop(struct tables_warm *warm)
{
    warm_stop(warm->warm);
    warm->warm = NULL;
}
