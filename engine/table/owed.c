/* Pool, two lists, and what is to be tried again. */
#include "owed.h"

#include <string.h>

#include "check.h"
#include "mem.h"

enum { TAG_OWED = 20 };

/* Bits of an item's owed_todo. */
enum { TODO_QUEUED = 1, TODO_STOCK = 2 };

enum err owed_init(struct owed *owed, uint32_t max)
{
    memset(owed, 0, sizeof *owed);
    owed->max = max;
    void *memory;
    enum err err = mem_reserve(((size_t)max + 1) * sizeof(struct owed_entry), &memory);
    if (err == ERR_OK) {
        owed->pool = memory;
    }
    return err;
}

void owed_close(struct owed *owed)
{
    mem_release(owed->pool, ((size_t)owed->max + 1) * sizeof(struct owed_entry));
    memset(owed, 0, sizeof *owed);
}

uint64_t owed_memory(uint32_t max)
{
    return mem_size(((size_t)max + 1) * sizeof(struct owed_entry));
}

uint64_t owed_bytes(const struct owed *owed)
{
    return owed->live * sizeof(struct owed_entry);
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

static void link_item(struct owed *owed, struct item *item, uint32_t index)
{
    owed->pool[index].ahead = item->owed_last;
    if (item->owed_last) {
        owed->pool[item->owed_last].behind = index;
    } else {
        item->owed_first = index;
    }
    item->owed_last = index;
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
        item->owed_last = entry->ahead;
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

static uint32_t entry_new(struct owed *owed, struct item *item, struct order *order,
                          uint16_t line)
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
    link_item(owed, item, index);
    link_order(owed, order, index, line);
    owed->live++;
    return index;
}

static void entry_free(struct owed *owed, struct item *item, struct order *order, uint32_t index)
{
    struct owed_entry *entry = &owed->pool[index];
    owed->at = owed->at == index ? entry->behind : owed->at;
    owed->sweep = owed->sweep == index ? entry->newer : owed->sweep;
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
        index = entry_new(owed, item, order, what->line);
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
        entry_free(owed, item, order, index);
    } else {
        owed->units += entry->qty;
        entry_digest(entry, order, digest, true);
    }
    status_settle(owed, order);
}

/* -- to be tried again -- */

void owed_raise(struct owed *owed, struct item *item, uint32_t handle, bool is_stock)
{
    if (item->owed_first == OWED_NONE) {
        return;
    }
    item->owed_todo |= is_stock ? TODO_STOCK : 0;
    if (item->owed_todo & TODO_QUEUED) {
        return;
    }
    if (owed->todo_count == OWED_TODO_MAX) {
        owed_raise_all(owed);
        return;
    }
    item->owed_todo |= TODO_QUEUED;
    owed->todo[(owed->todo_first + owed->todo_count++) % OWED_TODO_MAX] = handle;
}

void owed_raise_all(struct owed *owed)
{
    owed->sweep = owed->oldest;
}

static bool take_in_hand(struct owed *owed, const struct catalogue *catalogue)
{
    if (owed->todo_count == 0) {
        return false;
    }
    struct item *item = &catalogue->items[owed->todo[owed->todo_first]];
    owed->todo_first = (owed->todo_first + 1) % OWED_TODO_MAX;
    owed->todo_count--;
    owed->is_in_hand = true;
    owed->is_by_stock = (item->owed_todo & TODO_STOCK) != 0;
    owed->at = item->owed_first;
    item->owed_todo = 0;
    return true;
}

static bool is_tried(const struct owed_entry *entry, bool is_by_stock)
{
    return is_by_stock || entry->reason != REASON_MAX_REJECTS_REACHED;
}

uint32_t owed_next(struct owed *owed, const struct catalogue *catalogue)
{
    while (owed->is_in_hand || take_in_hand(owed, catalogue)) {
        while (owed->at != OWED_NONE) {
            uint32_t index = owed->at;
            owed->at = owed->pool[index].behind;
            if (is_tried(&owed->pool[index], owed->is_by_stock)) {
                return index;
            }
        }
        owed->is_in_hand = false;
    }
    while (owed->sweep != OWED_NONE) {
        uint32_t index = owed->sweep;
        owed->sweep = owed->pool[index].newer;
        if (is_tried(&owed->pool[index], false)) {
            return index;
        }
    }
    return OWED_NONE;
}

void owed_again(struct owed *owed, uint32_t index)
{
    if (owed->is_in_hand) {
        owed->at = index;
    } else {
        owed->sweep = index;
    }
}

void owed_item_over(struct owed *owed)
{
    owed->is_in_hand = false;
    owed->at = OWED_NONE;
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
    CHECK(owed->newest == older);
    CHECK(count == owed->live);
    CHECK(by_item == owed->live);
    CHECK(units == owed->units);
}
