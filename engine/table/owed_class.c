/* Classes of what is owed: entries of one item of which the same nodes can be said to be no help.
 * Within a class, as within an item, who waits longest comes first. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "effect.h"
#include "owed_internal.h"
#include "quota.h"

enum { TILE_DEGREES = 2 };

/* -- items -- */

struct owed_item *owed_item_need(struct owed *owed, struct item *item, uint32_t handle)
{
    if (item->owed_item) {
        return &owed->items[item->owed_item];
    }
    uint32_t index = owed->item_free;
    if (index) {
        owed->item_free = owed->items[index].newer;
    } else {
        index = ++owed->item_used;
    }
    owed->items[index] = (struct owed_item){.item = handle, .newer = owed->items_first};
    if (owed->items_first) {
        owed->items[owed->items_first].older = index;
    }
    owed->items[index].swept = owed->round;
    owed->items_first = index;
    owed->item_count++;
    item->owed_item = index;
    return &owed->items[index];
}

void owed_item_free(struct owed *owed, struct item *item)
{
    uint32_t index = item->owed_item;
    struct owed_item *own = &owed->items[index];
    CHECK(own->classes == 0);
    if (own->older) {
        owed->items[own->older].newer = own->newer;
    } else {
        owed->items_first = own->newer;
    }
    if (own->newer) {
        owed->items[own->newer].older = own->older;
    }
    owed->sweep = owed->sweep == index ? own->newer : owed->sweep;
    owed->item_count--;
    own->newer = owed->item_free;
    owed->item_free = index;
    item->owed_item = 0;
}

/* -- traits -- */

/* Order of nodes in a list is part of it: another order of the same costs a class more. */
static uint64_t nodes_hash(struct order *order)
{
    const struct order_rules *rules = order_rules(order);
    uint16_t nodes[EFFECT_PARTS_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < order->part_count && order->rejects; i++) {
        if (order_parts(order)[i].is_rejected) {
            nodes[count++] = order_parts(order)[i].node;
        }
    }
    uint64_t hash = count ? hash_fixed(nodes, count * sizeof nodes[0]) : 0;
    if (rules && rules->include_count + rules->exclude_count > 0) {
        const uint32_t listed = (uint32_t)rules->include_count + rules->exclude_count;
        const uint64_t own[3] = {hash, hash_fixed(rules->nodes, listed * sizeof rules->nodes[0]),
                                 rules->include_count};
        hash = hash_fixed(own, sizeof own);
    }
    return hash;
}

static uint64_t kit_hash(const struct owed *owed, struct order *order, uint32_t line,
                         const struct order_kit *kit, uint64_t hash)
{
    const uint32_t count = line_run(order, kit->first);
    for (uint32_t i = kit->first; i < kit->first + count; i++) {
        const uint64_t own[3] = {hash, (uint64_t)order_lines(order)[i].item << 1 | (i == line),
                                 owed_find(owed, order, i) != OWED_NONE};
        hash = hash_fixed(own, sizeof own);
    }
    return hash;
}

static void place_note(struct order *order, struct owed_traits *traits)
{
    const char *postcode = order_postcode(order);
    const uint32_t len = order->postcode_len;
    const uint32_t used = len < OWED_PREFIX_MAX ? len : OWED_PREFIX_MAX;
    memcpy(traits->country, order->country, sizeof traits->country);
    memcpy(traits->prefix, postcode, used);
    traits->is_whole = len == used;
    traits->has_dest = order->has_dest;
    traits->has_tile = order->has_dest &&
                       (traits->max_m != UINT32_MAX || traits->service == SERVICE_SAME_DAY);
    if (traits->has_tile) {
        traits->tile_lat = (int8_t)floor(order->lat / TILE_DEGREES);
        traits->tile_lon = (int8_t)floor(order->lon / TILE_DEGREES);
    }
}

static void traits_of(const struct owed *owed, struct order *order,
                      const struct owed_entry *entry, struct owed_traits *traits)
{
    const struct order_line *line = &order_lines(order)[entry->line];
    const struct order_rules *rules = order_rules(order);
    const struct order_kit kit = line_kit(order, entry->line);
    memset(traits, 0, sizeof *traits);
    traits->item = entry->item;
    traits->channel =
        order->channel_len ? quota_channel(order_channel(order), order->channel_len) : 0;
    traits->max_m = rules ? rules->max_m : UINT32_MAX;
    traits->place = line->node;
    traits->service = line->service;
    traits->is_kit = kit.item != 0;
    traits->waits_for_stock = entry->reason == REASON_MAX_REJECTS_REACHED;
    traits->lists = nodes_hash(order);
    if (kit.item) {
        traits->lists = kit_hash(owed, order, entry->line, &kit, traits->lists);
    }
    place_note(order, traits);
}

static struct geo_point middle_of(const struct owed_traits *traits)
{
    return traits->has_tile ? geo_point(traits->tile_lat * TILE_DEGREES + TILE_DEGREES / 2,
                                        traits->tile_lon * TILE_DEGREES + TILE_DEGREES / 2)
                            : (struct geo_point){0, 0, 0};
}

/* -- classes -- */

static uint32_t class_find(const struct owed *owed, const struct owed_traits *traits,
                           uint64_t hash)
{
    uint32_t index = owed->class_slots[hash & owed->slot_mask];
    while (index && (owed->classes[index].hash != hash ||
                     memcmp(&owed->classes[index].traits, traits, sizeof *traits) != 0)) {
        index = owed->classes[index].chain;
    }
    return index;
}

static uint32_t class_new(struct owed *owed, struct owed_item *own,
                          const struct owed_traits *traits, uint64_t hash, bool is_alone)
{
    uint32_t index = owed->class_free;
    if (index) {
        owed->class_free = owed->classes[index].chain;
    } else {
        CHECK(owed->class_used < owed->max);
        index = ++owed->class_used;
    }
    struct owed_class *class = &owed->classes[index];
    *class = (struct owed_class){.traits = *traits,
                                 .hash = hash,
                                 .middle = middle_of(traits),
                                 .newer = own->classes,
                                 .is_alone = is_alone};
    if (own->classes) {
        owed->classes[own->classes].older = index;
    }
    own->classes = index;
    owed->class_count++;
    if (!is_alone) {
        class->chain = owed->class_slots[hash & owed->slot_mask];
        owed->class_slots[hash & owed->slot_mask] = index;
    }
    return index;
}

static void class_unchain(struct owed *owed, uint32_t index)
{
    uint32_t *from = &owed->class_slots[owed->classes[index].hash & owed->slot_mask];
    while (*from != index) {
        CHECK(*from);
        from = &owed->classes[*from].chain;
    }
    *from = owed->classes[index].chain;
}

void owed_class_free(struct owed *owed, uint32_t index)
{
    owed->classes[index].chain = owed->class_free;
    owed->class_free = index;
    owed->class_count--;
}

/* An empty class is not found any more; what is in hand lets go of it by itself. */
static void class_leave(struct owed *owed, struct owed_item *own, uint32_t index)
{
    struct owed_class *class = &owed->classes[index];
    if (!class->is_alone) {
        class_unchain(owed, index);
    }
    if (class->older) {
        owed->classes[class->older].newer = class->newer;
    } else {
        own->classes = class->newer;
    }
    if (class->newer) {
        owed->classes[class->newer].older = class->older;
    }
    if (!class->is_in_hand) {
        owed_class_free(owed, index);
    }
}

/* -- filing -- */

void owed_unfile(struct owed *owed, uint32_t index, struct catalogue *catalogue)
{
    struct owed_entry *entry = &owed->pool[index];
    struct owed_class *class = &owed->classes[entry->class];
    if (entry->class == 0) {
        return;
    }
    class->at = class->at == index ? entry->junior : class->at;
    if (entry->senior) {
        owed->pool[entry->senior].junior = entry->junior;
    } else {
        class->first = entry->junior;
    }
    if (entry->junior) {
        owed->pool[entry->junior].senior = entry->senior;
    } else {
        class->last = entry->senior;
    }
    if (class->first == OWED_NONE) {
        class_leave(owed, &owed->items[catalogue->items[entry->item].owed_item], entry->class);
    }
    entry->class = entry->senior = entry->junior = 0;
}

/* Behind all of the class: else it gets one of its own. */
static void file(struct owed *owed, struct owed_item *own, uint32_t index,
                 const struct owed_traits *traits)
{
    struct owed_entry *entry = &owed->pool[index];
    const uint64_t hash = hash_fixed(traits, sizeof *traits);
    uint32_t to = class_find(owed, traits, hash);
    bool is_late = to && !owed_is_before(&owed->pool[owed->classes[to].last], entry->lsn,
                                         entry->line);
    if (!to || is_late) {
        to = class_new(owed, own, traits, hash, is_late);
    }
    struct owed_class *class = &owed->classes[to];
    entry->class = to;
    entry->senior = class->last;
    if (class->last) {
        owed->pool[class->last].junior = index;
    } else {
        class->first = index;
    }
    class->last = index;
}

static void entry_file(struct owed *owed, struct catalogue *catalogue, struct order *order,
                       uint32_t index)
{
    struct owed_entry *entry = &owed->pool[index];
    struct owed_traits traits;
    traits_of(owed, order, entry, &traits);
    if (entry->class &&
        memcmp(&owed->classes[entry->class].traits, &traits, sizeof traits) == 0) {
        return;
    }
    owed_unfile(owed, index, catalogue);
    file(owed, &owed->items[catalogue->items[entry->item].owed_item], index, &traits);
}

void owed_file(struct owed *owed, struct catalogue *catalogue, struct order *order)
{
    for (uint32_t i = order->owed_first; i != OWED_NONE; i = owed->pool[i].next_of_order) {
        entry_file(owed, catalogue, order, i);
    }
}

void owed_file_all(struct owed *owed, struct catalogue *catalogue, const struct orders *orders)
{
    for (uint32_t i = owed->oldest; i != OWED_NONE; i = owed->pool[i].newer) {
        if (owed->pool[i].class == 0) {
            entry_file(owed, catalogue, order_at(orders, owed->pool[i].order), i);
        }
    }
}

/* -- check -- */

uint32_t owed_classes_check(const struct owed *owed, const struct owed_item *own)
{
    uint32_t count = 0;
    CHECK(own->classes);
    for (uint32_t i = own->classes; i; i = owed->classes[i].newer) {
        const struct owed_class *class = &owed->classes[i];
        const struct owed_entry *before = NULL;
        CHECK(class->first);
        CHECK(class->traits.item == own->item);
        for (uint32_t k = class->first; k; k = owed->pool[k].junior) {
            const struct owed_entry *entry = &owed->pool[k];
            CHECK(entry->class == i);
            CHECK(entry->item == own->item);
            CHECK(!before || owed_is_before(before, entry->lsn, entry->line));
            before = entry;
            count++;
        }
        CHECK(before == &owed->pool[class->last]);
    }
    return count;
}
