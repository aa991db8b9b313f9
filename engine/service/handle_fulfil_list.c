/* fulfil.list: the work of a node, oldest first, or of all nodes.
 *
 * What still holds stock stands in the node's own list, which is used when a node and only such
 * states are asked for; else all orders are walked. Both give the same cursors (walk_internal.h),
 * so a page may go on either way: when the fulfilment of a cursor has left the node's list, the
 * orders behind it are walked until one is in the list again. */
#include "prefetch.h"
#include "walk_internal.h"

struct list {
    struct text node_id, after;
    uint16_t node; /* NODE_NONE = any */
    uint32_t states; /* bit per enum state, 0 = any */
    uint64_t due_before;
    uint32_t limit;
};

/* Place in a node's list; order 0 = its end. */
struct place {
    uint32_t order;
    uint16_t part;
};

#define DUE_MAX INT64_C(253402300799999)

static const uint32_t held_states = 1u << STATE_OPEN | 1u << STATE_ACCEPTED | 1u << STATE_PICKING |
                                    1u << STATE_PICKED | 1u << STATE_PACKED | 1u << STATE_READY;

static uint32_t read_states(struct reader *reader)
{
    struct reader_array array;
    uint32_t states = 0;
    reader_array_begin(reader, &array, 2 * STATE_COUNT);
    while (reader_array_next(reader, &array)) {
        int state = reader_word(reader, &names_states);
        states |= state >= 0 ? 1u << state : 0;
    }
    if (reader_is_ok(reader) && states == 0) {
        reader_fail(reader, "names no state: leave it out to mean all");
    }
    return states;
}

static bool decode(struct reader *reader, const struct call *call, struct list *list)
{
    static const char *const fields[] = {"node", "states", "due_before", "after", "limit"};
    struct reader_map map;
    *list = (struct list){.node = NODE_NONE, .limit = PAGE_DEFAULT};
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 5);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            list->node_id = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            list->states = read_states(reader);
            break;
        case 2:
            list->due_before = (uint64_t)reader_int(reader, 1, DUE_MAX);
            break;
        case 3:
            list->after = reader_text(reader, 1, WALK_CURSOR_MAX);
            break;
        default:
            list->limit = (uint32_t)reader_int(reader, 1, PAGE_MAX);
            break;
        }
    }
    return reader_is_ok(reader);
}

static bool is_wanted(const struct service_core *service, const struct list *list,
                      struct order *order, uint32_t index)
{
    const struct order_part *part = &order_parts(order)[index];
    if (list->node != NODE_NONE && part->node != list->node) {
        return false;
    }
    uint64_t due_ms = tables_part_due_ms(&service->tables, order, index, service->now_ms);
    if (list->due_before && (due_ms == 0 || due_ms >= list->due_before)) {
        return false;
    }
    return list->states == 0 || list->states >> part_state(order, index) & 1;
}

/* Steps of one fulfilment: its shares are summed, and told. */
static uint32_t part_steps(struct order *order, uint32_t index)
{
    return 1 + order_parts(order)[index].share_count;
}

/* One fulfilment was looked at; it is put where it is wanted. */
static uint32_t look(struct service_core *service, struct writer *writer, const struct list *list,
                     struct walk *walk, struct order *order, uint32_t index)
{
    bool is_put = is_wanted(service, list, order, index);
    if (is_put) {
        put_fulfilment(service, writer, order, index, true);
    }
    walk_told(walk, order, index + 1, part_steps(order, index));
    return is_put;
}

/* -- all orders -- */

/* The rest of an order's parts, as far as page and work allow. False: some are left, and the
 * walk stands at the order again. */
static bool look_order(struct service_core *service, struct writer *writer,
                       const struct list *list, struct walk *walk, struct order *order,
                       uint32_t part, uint32_t *count)
{
    for (; part < order->part_count; part++) {
        if (*count == list->limit || walk->steps >= WORK_STEPS) {
            walk->at = walk->last;
            return false;
        }
        *count += look(service, writer, list, walk, order, part);
    }
    return true;
}

static uint32_t put_all(struct service_core *service, struct writer *writer,
                        const struct list *list, struct walk *walk)
{
    uint32_t count = 0;
    uint32_t part;
    struct order *order;
    while (count < list->limit && (order = walk_next(service, walk, &part)) != NULL) {
        if (!look_order(service, writer, list, walk, order, part, &count)) {
            break;
        }
    }
    return count;
}

/* -- a node's own list -- */

/* First part of the order, from part on, that stands in the node's list. */
static struct place place_in(const struct list *list, slab_ref ref, struct order *order,
                             uint32_t part)
{
    for (; part < order->part_count; part++) {
        const struct order_part *own = &order_parts(order)[part];
        if (own->is_listed && own->node == list->node) {
            return (struct place){ref, (uint16_t)part};
        }
    }
    return (struct place){0, 0};
}

static struct place place_next(const struct service_core *service, struct place place)
{
    struct order *order = order_at(&service->tables.orders, place.order);
    const struct order_part *part = &order_parts(order)[place.part];
    return (struct place){part->next_order, part->next_part};
}

/* Where the page begins: the list's head, or what comes behind the cursor. Order 0 with
 * walk->at set: not found yet, the work of a page is done. */
static struct place place_begin(struct service_core *service, const struct list *list,
                                struct walk *walk)
{
    const struct node_queue *queue = &service->tables.queues[list->node];
    if (list->after.len == 0) {
        walk->at = 0; /* an empty list has no next page */
        return (struct place){queue->first_order, queue->first_part};
    }
    slab_ref at = walk->at;
    struct order *cursor = at ? order_at(&service->tables.orders, at) : NULL;
    if (cursor && cursor->lsn == walk->floor_lsn && walk->floor_part > 0 &&
        walk->floor_part <= cursor->part_count) {
        struct place last = place_in(list, at, cursor, walk->floor_part - 1);
        if (last.order && last.part == walk->floor_part - 1) {
            walk->at = 0;
            return place_next(service, last);
        }
    }
    uint32_t part;
    struct order *order;
    while ((order = walk_next(service, walk, &part)) != NULL) {
        struct place place = place_in(list, walk->last, order, part);
        if (place.order) {
            return place;
        }
        walk_told(walk, order, order->part_count, order->part_count);
    }
    return (struct place){0, 0};
}

static uint32_t put_listed(struct service_core *service, struct writer *writer,
                           const struct list *list, struct walk *walk)
{
    uint32_t count = 0;
    struct place place = place_begin(service, list, walk);
    if (!place.order) {
        return 0;
    }
    while (place.order && count < list->limit && walk->steps < WORK_STEPS) {
        struct order *order = order_at(&service->tables.orders, place.order);
        walk->last = place.order;
        count += look(service, writer, list, walk, order, place.part);
        place = place_next(service, place);
        if (place.order) {
            prefetch_read(order_at(&service->tables.orders, place.order));
        }
    }
    walk->at = place.order; /* only whether there is more: next is put from what was told */
    return count;
}

void handle_fulfil_list(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct list list;
    struct walk walk;
    if (!decode(&reader, call, &list)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (list.node_id.len > 0) {
        list.node = need_node(service, call, "node", list.node_id);
        if (list.node == NODE_NONE) {
            return;
        }
    }
    if (!walk_begin(service, call, list.after, &walk)) {
        return;
    }
    bool is_listed = list.node != NODE_NONE && list.states && !(list.states & ~held_states);
    struct writer *writer = reply_begin(service, call);
    uint32_t map = writer_open(writer);
    writer_str(writer, "fulfilments");
    uint32_t mark = writer_open(writer);
    uint32_t count = is_listed ? put_listed(service, writer, &list, &walk)
                               : put_all(service, writer, &list, &walk);
    writer_array_close(writer, mark, count);
    if (walk.at) {
        walk_put_next(service, writer, &walk);
    }
    put_lsn(service, writer);
    writer_map_close(writer, map, walk.at ? 3 : 2);
    reply_send(service, call);
}
