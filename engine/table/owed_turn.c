/* What is owed and is to be tried again: the classes that new stock may help, in a heap by who
 * waits longest. A class that no node with free units may help costs one look, however many wait
 * in it; what is tried is tried because a node may help it. */
#include "check.h"
#include "owed_internal.h"

/* Bits of an item's owed_todo. */
enum { TODO_QUEUED = 1, TODO_STOCK = 2 };

/* -- raised -- */

/* The list with the node; how many, or OWED_NODES_ANY. */
static uint8_t node_note(uint16_t nodes[OWED_NODES_MAX], uint8_t count, uint16_t node)
{
    for (uint32_t i = 0; i < count && count < OWED_NODES_ANY; i++) {
        if (nodes[i] == node) {
            return count;
        }
    }
    if (node == NODE_NONE || count >= OWED_NODES_MAX) {
        return OWED_NODES_ANY;
    }
    nodes[count] = node;
    return (uint8_t)(count + 1);
}

void owed_raise(struct owed *owed, struct item *item, uint32_t handle, uint16_t node, bool is_stock)
{
    if (item->owed_first == OWED_NONE) {
        return;
    }
    if (!(item->owed_todo & TODO_QUEUED) && owed->todo_count == OWED_TODO_MAX) {
        owed_raise_all(owed);
        return;
    }
    struct owed_item *own = &owed->items[item->owed_item];
    own->node_count = node_note(own->nodes, own->node_count, node);
    if (!(item->owed_todo & TODO_QUEUED)) {
        owed->todo[(owed->todo_first + owed->todo_count++) % OWED_TODO_MAX] = handle;
    }
    item->owed_todo |= (uint8_t)(TODO_QUEUED | (is_stock ? TODO_STOCK : 0));
}

void owed_raise_node(struct owed *owed, uint16_t node)
{
    if (owed->live == 0) {
        return;
    }
    if (owed->round_left == 0) {
        owed->round_nodes_count = 0;
    }
    owed->round_nodes_count = node_note(owed->round_nodes, owed->round_nodes_count, node);
    owed->round++;
    owed->round_left = owed->item_count;
}

/* -- the heap -- */

static bool waits_longer(const struct owed *owed, uint32_t a, uint32_t b)
{
    const struct owed_class *x = &owed->classes[a];
    const struct owed_class *y = &owed->classes[b];
    return x->at_lsn != y->at_lsn ? x->at_lsn < y->at_lsn : x->at_line < y->at_line;
}

static void sift_down(struct owed *owed, uint32_t at)
{
    for (;;) {
        uint32_t child = 2 * at + 1;
        if (child >= owed->heap_count) {
            return;
        }
        child += child + 1 < owed->heap_count &&
                 waits_longer(owed, owed->heap[child + 1], owed->heap[child]);
        if (!waits_longer(owed, owed->heap[child], owed->heap[at])) {
            return;
        }
        const uint32_t moved = owed->heap[at];
        owed->heap[at] = owed->heap[child];
        owed->heap[child] = moved;
        at = child;
    }
}

static void heap_drop_first(struct owed *owed)
{
    struct owed_class *class = &owed->classes[owed->heap[0]];
    class->is_in_hand = false;
    if (class->first == OWED_NONE) {
        owed_class_free(owed, owed->heap[0]);
    }
    owed->heap[0] = owed->heap[--owed->heap_count];
    sift_down(owed, 0);
}

/* The class stands where its next entry does. */
static void at_note(struct owed *owed, struct owed_class *class)
{
    const struct owed_entry *entry = &owed->pool[class->at];
    class->at_lsn = entry->lsn;
    class->at_line = entry->line;
}

/* -- in hand -- */

static bool may_help(struct owed *owed, const struct owed_judge *judge, struct owed_class *class)
{
    class->served = owed->served;
    if (owed->is_hand_any) {
        owed->hand_count = judge->holders(judge->owner, owed->hand_item, owed->hand_nodes);
    }
    owed->looks++;
    return owed->hand_count > 0 &&
           judge->may_help(judge->owner, class, owed->hand_nodes, owed->hand_count);
}

static void take_classes(struct owed *owed, const struct owed_judge *judge,
                         const struct owed_item *own)
{
    for (uint32_t i = own->classes; i; i = owed->classes[i].newer) {
        struct owed_class *class = &owed->classes[i];
        if (class->traits.waits_for_stock && !owed->is_by_stock) {
            continue;
        }
        owed->looks++;
        if (judge->may_help(judge->owner, class, owed->hand_nodes, owed->hand_count)) {
            class->is_in_hand = true;
            class->at = class->first;
            class->served = owed->served;
            at_note(owed, class);
            owed->heap[owed->heap_count++] = i;
        }
    }
}

static void heap_begin(struct owed *owed)
{
    for (uint32_t i = owed->heap_count / 2; i-- > 0;) {
        sift_down(owed, i);
    }
    owed->is_in_hand = true;
}

/* The nodes that may have units for the item in hand. */
static void hand_nodes_set(struct owed *owed, const struct owed_judge *judge,
                           const uint16_t *nodes, uint32_t count)
{
    owed->hand_count = 0;
    owed->is_hand_any = count == 0 || count > OWED_NODES_MAX;
    owed->looks++;
    if (owed->is_hand_any) {
        owed->hand_count = judge->holders(judge->owner, owed->hand_item, owed->hand_nodes);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (judge->holds(judge->owner, owed->hand_item, nodes[i])) {
            owed->hand_nodes[owed->hand_count++] = nodes[i];
        }
    }
}

static void take(struct owed *owed, const struct owed_judge *judge, struct owed_item *own,
                 const uint16_t *nodes, uint32_t count)
{
    owed->hand_item = own->item;
    hand_nodes_set(owed, judge, nodes, count);
    if (owed->hand_count > 0) {
        take_classes(owed, judge, own);
        heap_begin(owed);
    }
}

static void take_raised(struct owed *owed, const struct catalogue *catalogue,
                        const struct owed_judge *judge)
{
    struct item *item = &catalogue->items[owed->todo[owed->todo_first]];
    owed->todo_first = (owed->todo_first + 1) % OWED_TODO_MAX;
    owed->todo_count--;
    owed->is_by_stock = (item->owed_todo & TODO_STOCK) != 0;
    item->owed_todo = 0;
    if (item->owed_first != OWED_NONE) {
        struct owed_item *own = &owed->items[item->owed_item];
        const uint32_t count = own->node_count;
        own->node_count = 0;
        take(owed, judge, own, own->nodes, count);
    }
}

/* The next item of the round. */
static void take_swept(struct owed *owed, const struct owed_judge *judge)
{
    const uint32_t index = owed->sweep ? owed->sweep : owed->items_first;
    struct owed_item *own = &owed->items[index];
    if (!index) {
        owed->round_left = 0;
        return;
    }
    owed->round_left--;
    owed->sweep = own->newer;
    owed->is_by_stock = false;
    if (own->swept != owed->round) {
        own->swept = owed->round;
        take(owed, judge, own, owed->round_nodes, owed->round_nodes_count);
    }
}

/* The next entry of the classes in hand, or OWED_NONE: there is none, or looks were had to
 * looks_end, which leaves them in hand. */
static uint32_t next_in_hand(struct owed *owed, const struct owed_judge *judge,
                             uint32_t looks_end)
{
    while (owed->heap_count > 0) {
        if ((int32_t)(owed->looks - looks_end) >= 0) {
            return OWED_NONE;
        }
        struct owed_class *class = &owed->classes[owed->heap[0]];
        const struct owed_entry *entry = &owed->pool[class->at];
        if (class->at == OWED_NONE) {
            heap_drop_first(owed);
        } else if (entry->lsn != class->at_lsn || entry->line != class->at_line) {
            at_note(owed, class);
            sift_down(owed, 0);
        } else if (class->served != owed->served && !may_help(owed, judge, class)) {
            heap_drop_first(owed);
        } else {
            const uint32_t index = class->at;
            class->at = entry->junior;
            owed->looks++;
            if (judge->may_take(judge->owner, index, owed->hand_nodes, owed->hand_count)) {
                owed->tries++;
                return index;
            }
        }
    }
    owed->is_in_hand = false;
    return OWED_NONE;
}

uint32_t owed_next(struct owed *owed, const struct catalogue *catalogue,
                   const struct owed_judge *judge, uint32_t looks_max)
{
    const uint32_t looks = owed->looks;
    for (;;) {
        const uint32_t index =
            owed->is_in_hand ? next_in_hand(owed, judge, looks + looks_max) : OWED_NONE;
        if (index != OWED_NONE || owed->is_in_hand) {
            return index;
        }
        if (owed->todo_count > 0) {
            take_raised(owed, catalogue, judge);
        } else if (owed->round_left > 0 && owed->looks - looks < looks_max) {
            take_swept(owed, judge);
        } else {
            return OWED_NONE;
        }
    }
}

void owed_served(struct owed *owed)
{
    owed->served++;
}

void owed_again(struct owed *owed, uint32_t index)
{
    struct owed_class *class = &owed->classes[owed->pool[index].class];
    CHECK(class->is_in_hand);
    class->at = index;
}
