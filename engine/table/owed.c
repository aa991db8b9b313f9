/* What orders are owed: the pool, its lists, what is told of it. */
#include "owed.h"

#include <string.h>

#include "check.h"
#include "mem.h"
#include "owed_internal.h"

enum { TAG_OWED = 20, BLOCKS = 5 };

/* Slots of the hash table of classes: at least twice as many as there can be. */
static uint32_t slots_of(uint32_t max)
{
    uint32_t slots = 64;
    while (slots < 2 * (uint64_t)max && slots < 1u << 31) {
        slots *= 2;
    }
    return slots;
}

/* Bytes of the blocks: entries, classes, slots, items, heap. */
static void sizes(uint32_t max, size_t out[BLOCKS])
{
    const size_t count = (size_t)max + 1;
    out[0] = count * sizeof(struct owed_entry);
    out[1] = count * sizeof(struct owed_class);
    out[2] = slots_of(max) * sizeof(uint32_t);
    out[3] = count * sizeof(struct owed_item);
    out[4] = count * sizeof(uint32_t);
}

enum err owed_init(struct owed *owed, uint32_t max)
{
    size_t bytes[BLOCKS];
    void *blocks[BLOCKS] = {0};
    enum err err = ERR_OK;
    memset(owed, 0, sizeof *owed);
    owed->max = max;
    sizes(max, bytes);
    for (uint32_t i = 0; i < BLOCKS && err == ERR_OK; i++) {
        err = mem_reserve(bytes[i], &blocks[i]);
    }
    owed->pool = blocks[0];
    owed->classes = blocks[1];
    owed->class_slots = blocks[2];
    owed->items = blocks[3];
    owed->heap = blocks[4];
    owed->slot_mask = slots_of(max) - 1;
    return err;
}

void owed_close(struct owed *owed)
{
    size_t bytes[BLOCKS];
    void *const blocks[BLOCKS] = {owed->pool, owed->classes, owed->class_slots, owed->items,
                                  owed->heap};
    sizes(owed->max, bytes);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        if (blocks[i]) {
            mem_release(blocks[i], bytes[i]);
        }
    }
    memset(owed, 0, sizeof *owed);
}

uint64_t owed_memory(uint32_t max)
{
    size_t bytes[BLOCKS];
    uint64_t sum = 0;
    sizes(max, bytes);
    for (uint32_t i = 0; i < BLOCKS; i++) {
        sum += mem_size(bytes[i]);
    }
    return sum;
}

uint64_t owed_bytes(const struct owed *owed)
{
    return owed->live * sizeof(struct owed_entry) + owed->class_count * sizeof(struct owed_class);
}

bool owed_has_room(const struct owed *owed, uint32_t count)
{
    return owed->live + count <= owed->max;
}

/* -- entries -- */

uint32_t owed_find(const struct owed *owed, const struct order *order, uint32_t line)
{
    uint32_t index = order->owed_first;
    while (index != OWED_NONE && owed->pool[index].line != line) {
        index = owed->pool[index].next_of_order;
    }
    return index;
}

uint32_t owed_units(const struct owed *owed, const struct order *order, uint32_t line)
{
    uint32_t index = owed_find(owed, order, line);
    return index == OWED_NONE ? 0 : owed->pool[index].qty;
}

static void entry_digest(const struct owed_entry *entry, const struct order *order,
                         struct digest *digest, bool is_add)
{
    uint64_t who = (order->id_hash ^ order->lsn * 0x9e3779b97f4a7c15u) + entry->line;
    uint64_t how = (uint64_t)entry->qty << 32 | (uint64_t)entry->status << 8 | entry->reason;
    if (is_add) {
        digest_add_words(digest, TAG_OWED, who, how, entry->lsn);
    } else {
        digest_take_words(digest, TAG_OWED, who, how, entry->lsn);
    }
}

static void link_all(struct owed *owed, uint32_t index)
{
    struct owed_entry *entry = &owed->pool[index];
    entry->older = owed->newest;
    if (owed->newest) {
        owed->pool[owed->newest].newer = index;
    } else {
        owed->oldest = index;
    }
    owed->newest = index;
}

static void unlink_all(struct owed *owed, const struct owed_entry *entry)
{
    if (entry->older) {
        owed->pool[entry->older].newer = entry->newer;
    } else {
        owed->oldest = entry->newer;
    }
    if (entry->newer) {
        owed->pool[entry->newer].older = entry->older;
    } else {
        owed->newest = entry->older;
    }
}

static void link_item(struct owed *owed, struct item *item, uint32_t handle, uint32_t index)
{
    struct owed_item *own = owed_item_need(owed, item, handle);
    owed->pool[index].ahead = own->last;
    if (own->last) {
        owed->pool[own->last].behind = index;
    } else {
        item->owed_first = index;
    }
    own->last = index;
}

static void unlink_item(struct owed *owed, struct item *item, const struct owed_entry *entry)
{
    if (entry->ahead) {
        owed->pool[entry->ahead].behind = entry->behind;
    } else {
        item->owed_first = entry->behind;
    }
    if (entry->behind) {
        owed->pool[entry->behind].ahead = entry->ahead;
    } else {
        owed->items[item->owed_item].last = entry->ahead;
    }
    if (item->owed_first == OWED_NONE) {
        owed_item_free(owed, item);
    }
}

static void unlink_order(struct owed *owed, struct order *order, uint32_t index)
{
    uint32_t *from = &order->owed_first;
    while (*from != index) {
        CHECK(*from != OWED_NONE);
        from = &owed->pool[*from].next_of_order;
    }
    *from = owed->pool[index].next_of_order;
}

/* By line, whatever the order in which they came to be owed. */
static void link_order(struct owed *owed, struct order *order, uint32_t index, uint16_t line)
{
    uint32_t *from = &order->owed_first;
    while (*from != OWED_NONE && owed->pool[*from].line < line) {
        from = &owed->pool[*from].next_of_order;
    }
    owed->pool[index].next_of_order = *from;
    *from = index;
}

static uint32_t entry_new(struct owed *owed, struct item *item, uint32_t handle,
                          struct order *order, uint16_t line)
{
    uint32_t index = owed->free_head;
    CHECK(owed->live < owed->max);
    if (index) {
        owed->free_head = owed->pool[index].newer;
    } else {
        index = ++owed->used;
    }
    memset(&owed->pool[index], 0, sizeof owed->pool[index]);
    link_all(owed, index);
    link_item(owed, item, handle, index);
    link_order(owed, order, index, line);
    owed->live++;
    return index;
}

static void entry_free(struct owed *owed, struct catalogue *catalogue, struct order *order,
                       uint32_t index)
{
    struct owed_entry *entry = &owed->pool[index];
    struct item *item = &catalogue->items[entry->item];
    owed_unfile(owed, index, catalogue);
    unlink_all(owed, entry);
    unlink_item(owed, item, entry);
    unlink_order(owed, order, index);
    entry->newer = owed->free_head;
    owed->free_head = index;
    owed->live--;
}

static void status_count(struct owed *owed, uint8_t status, uint32_t change)
{
    owed->orders_held += status == ORDER_HELD ? change : 0;
    owed->orders_backordered += status == ORDER_BACKORDERED ? change : 0;
}

/* Held while anything of it is held. */
static void status_settle(struct owed *owed, struct order *order)
{
    uint8_t status = 0;
    for (uint32_t i = order->owed_first; i != OWED_NONE; i = owed->pool[i].next_of_order) {
        status = status == ORDER_HELD ? status : owed->pool[i].status;
    }
    status_count(owed, order->owed_status, UINT32_MAX);
    status_count(owed, status, 1);
    order->owed_status = status;
}

void owed_set(struct owed *owed, struct catalogue *catalogue, struct digest *digest,
              struct order *order, slab_ref ref, const struct owed_entry *what)
{
    struct item *item = &catalogue->items[what->item];
    uint32_t index = owed_find(owed, order, what->line);
    uint64_t lsn = what->lsn;
    if (index == OWED_NONE && what->qty == 0) {
        return;
    }
    if (index == OWED_NONE) {
        index = entry_new(owed, item, what->item, order, what->line);
    } else {
        entry_digest(&owed->pool[index], order, digest, false);
        owed->units -= owed->pool[index].qty;
        lsn = owed->pool[index].lsn;
    }
    struct owed_entry *entry = &owed->pool[index];
    entry->lsn = lsn;
    entry->item = what->item;
    entry->order = ref;
    entry->line = what->line;
    entry->qty = what->qty;
    entry->status = what->status;
    entry->reason = what->reason;
    if (what->qty == 0) {
        entry_free(owed, catalogue, order, index);
    } else {
        owed->units += entry->qty;
        entry_digest(entry, order, digest, true);
    }
    status_settle(owed, order);
}

/* -- check -- */

void owed_check(const struct owed *owed, const struct catalogue *catalogue)
{
    uint32_t count = 0;
    uint32_t by_item = 0;
    uint64_t units = 0;
    uint32_t older = OWED_NONE;
    for (uint32_t i = owed->oldest; i != OWED_NONE; i = owed->pool[i].newer) {
        CHECK(owed->pool[i].older == older);
        CHECK(owed->pool[i].qty > 0);
        units += owed->pool[i].qty;
        older = i;
        count++;
    }
    for (uint32_t item = 0; item < catalogue->count; item++) {
        for (uint32_t i = catalogue->items[item].owed_first; i; i = owed->pool[i].behind) {
            CHECK(owed->pool[i].item == item);
            by_item++;
        }
    }
    uint32_t filed = 0;
    for (uint32_t i = owed->items_first; i; i = owed->items[i].newer) {
        CHECK(catalogue->items[owed->items[i].item].owed_item == i);
        filed += owed_classes_check(owed, &owed->items[i]);
    }
    CHECK(filed == owed->live);
    CHECK(owed->newest == older);
    CHECK(count == owed->live);
    CHECK(by_item == owed->live);
    CHECK(units == owed->units);
}
