/* What is owed and is to be tried again: the classes that new stock may help, in a heap by who
 * waits longest. A class that no node with free units may help costs one look, however many wait
 * in it; what is tried is tried because a node may help it. */
#include "check.h"
#include "owed_internal.h"

/* Bits of an item's owed_todo. */
enum { TODO_QUEUED = 1, TODO_STOCK = 2 };

/* -- raised -- */

static void node_note(struct owed_item *own, uint16_t node)
{
    for (uint32_t i = 0; i < own->node_count && own->node_count < OWED_NODES_ANY; i++) {
        if (own->nodes[i] == node) {
            return;
        }
    }
    if (node == NODE_NONE || own->node_count >= OWED_NODES_MAX) {
        own->node_count = OWED_NODES_ANY;
    } else {
        own->nodes[own->node_count++] = node;
    }
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
    node_note(&owed->items[item->owed_item], node);
    if (!(item->owed_todo & TODO_QUEUED)) {
        owed->todo[(owed->todo_first + owed->todo_count++) % OWED_TODO_MAX] = handle;
    }
    item->owed_todo |= (uint8_t)(TODO_QUEUED | (is_stock ? TODO_STOCK : 0));
}

void owed_raise_all(struct owed *owed)
{
    owed->is_swept = owed->live > 0;
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
    uint16_t nodes[OWED_NODES_MAX];
    uint32_t count;
    class->served = owed->served;
    if (!owed->is_by_sweep) {
        return judge->may_help(judge->owner, class, owed->hand_nodes, owed->hand_count);
    }
    count = judge->holders(judge->owner, class->traits.item, nodes);
    return count > 0 && judge->may_help(judge->owner, class, nodes, count);
}

static void take_classes(struct owed *owed, const struct owed_judge *judge,
                         const struct owed_item *own, const uint16_t *nodes, uint32_t count)
{
    for (uint32_t i = own->classes; i; i = owed->classes[i].newer) {
        struct owed_class *class = &owed->classes[i];
        if ((class->traits.waits_for_stock && !owed->is_by_stock) ||
            !judge->may_help(judge->owner, class, nodes, count)) {
            continue;
        }
        class->is_in_hand = true;
        class->at = class->first;
        class->served = owed->served;
        at_note(owed, class);
        owed->heap[owed->heap_count++] = i;
    }
}

static void heap_begin(struct owed *owed)
{
    for (uint32_t i = owed->heap_count / 2; i-- > 0;) {
        sift_down(owed, i);
    }
    owed->is_in_hand = true;
}

static void take_item(struct owed *owed, const struct catalogue *catalogue,
                      const struct owed_judge *judge)
{
    const uint32_t handle = owed->todo[owed->todo_first];
    struct item *item = &catalogue->items[handle];
    owed->todo_first = (owed->todo_first + 1) % OWED_TODO_MAX;
    owed->todo_count--;
    owed->is_by_stock = (item->owed_todo & TODO_STOCK) != 0;
    owed->is_by_sweep = false;
    item->owed_todo = 0;
    if (item->owed_first == OWED_NONE) {
        return;
    }
    struct owed_item *own = &owed->items[item->owed_item];
    owed->hand_count = own->node_count;
    for (uint32_t i = 0; i < OWED_NODES_MAX; i++) {
        owed->hand_nodes[i] = own->nodes[i];
    }
    if (own->node_count == 0 || own->node_count == OWED_NODES_ANY) {
        owed->hand_count = judge->holders(judge->owner, handle, owed->hand_nodes);
    }
    own->node_count = 0;
    if (owed->hand_count > 0) {
        take_classes(owed, judge, own, owed->hand_nodes, owed->hand_count);
        heap_begin(owed);
    }
}

static void take_all(struct owed *owed, const struct owed_judge *judge)
{
    owed->is_swept = false;
    owed->is_by_stock = false;
    owed->is_by_sweep = true;
    for (uint32_t i = owed->items_first; i; i = owed->items[i].newer) {
        uint16_t nodes[OWED_NODES_MAX];
        const uint32_t count = judge->holders(judge->owner, owed->items[i].item, nodes);
        if (count > 0) {
            take_classes(owed, judge, &owed->items[i], nodes, count);
        }
    }
    heap_begin(owed);
}

/* The next entry of the classes in hand, or OWED_NONE. */
static uint32_t next_in_hand(struct owed *owed, const struct owed_judge *judge)
{
    while (owed->heap_count > 0) {
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
            owed->tries++;
            return index;
        }
    }
    owed->is_in_hand = false;
    return OWED_NONE;
}

uint32_t owed_next(struct owed *owed, struct catalogue *catalogue, const struct owed_judge *judge)
{
    for (;;) {
        const uint32_t index = owed->is_in_hand ? next_in_hand(owed, judge) : OWED_NONE;
        if (index != OWED_NONE) {
            return index;
        }
        if (owed->todo_count > 0) {
            take_item(owed, catalogue, judge);
        } else if (owed->is_swept) {
            take_all(owed, judge);
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
