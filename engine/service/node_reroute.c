/* node.status with reroute: the open fulfilments of a node that takes no more work go elsewhere, a
 * few in each slice. What is picked stays, and so does, at a node on hold, what has no other
 * source; at a closed one that is held. The node is not blamed: it may be chosen again when it is
 * back. */
#include <string.h>

#include "load_internal.h"
#include "replan_internal.h"

enum {
    LOOKS = 100,   /* fulfilments that a slice looks at */
    MOVES = 4,     /* and moves at most */
    STEPS = 20000 /* search steps after which it ends early */
};

/* The fulfilment that comes next; the order may be gone by then, which its LSN tells. */
struct place {
    slab_ref order;
    uint16_t part;
    uint64_t lsn;
};

struct reroute_job {
    uint16_t node;
    bool is_duplicate;
    bool is_begun;
    struct place next; /* order 0: the end */
    uint64_t moved, held, kept;
};

static void answer(struct service_core *service, struct job *job,
                   const struct reroute_job *reroute)
{
    const struct node *node = &service->tables.network.nodes[reroute->node];
    struct writer *writer = reply_begin(service, &job->call);
    writer_map(writer, 6u + reroute->is_duplicate);
    put_text(writer, "node", node->id, node->id_len);
    put_string(writer, "status", node_status_text(node->config.status));
    put_int(writer, "moved", (int64_t)reroute->moved);
    put_int(writer, "held", (int64_t)reroute->held);
    put_int(writer, "kept", (int64_t)reroute->kept);
    if (reroute->is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, &job->call);
}

static struct place place_of(const struct service_core *service, slab_ref order, uint16_t part)
{
    uint64_t lsn = order ? order_at(&service->tables.orders, order)->lsn : 0;
    return (struct place){order, part, lsn};
}

/* A block that was given back keeps what it said, but no part of it is listed any more. */
static bool is_there(const struct service_core *service, const struct reroute_job *reroute)
{
    struct order *order = order_at(&service->tables.orders, reroute->next.order);
    if (order->lsn != reroute->next.lsn || reroute->next.part >= order->part_count) {
        return false;
    }
    const struct order_part *part = &order_parts(order)[reroute->next.part];
    return part->is_listed && part->node == reroute->node;
}

/* Where to go on: what was to come next may have left the node's list meanwhile; then all that is
 * still there is looked at again, and what stays is counted afresh. */
static void place_settle(const struct service_core *service, struct reroute_job *reroute)
{
    const struct node_queue *queue = &service->tables.queues[reroute->node];
    if (!reroute->is_begun || (reroute->next.order && !is_there(service, reroute))) {
        reroute->is_begun = true;
        reroute->kept = 0;
        reroute->next = place_of(service, queue->first_order, queue->first_part);
    }
}

/* What of the fulfilment may move is put into a change of its order; the units. */
static uint32_t units_take(struct service_core *service, const struct place *at,
                           struct replan **replan_out)
{
    struct order *order = order_at(&service->tables.orders, at->order);
    const struct order_part *part = &order_parts(order)[at->part];
    const struct node *node = &service->tables.network.nodes[part->node];
    uint32_t units = 0;
    if (node_is_active(node, (enum service)part->service)) {
        return 0;
    }
    struct replan *replan = replan_begin(service, at->order, CAUSE_NODE_STATUS);
    for (uint32_t i = 0; i < part->share_count; i++) {
        uint32_t movable = replan_movable(order, part->share_first + i);
        replan_move(replan, part->share_first + i, movable);
        units += movable;
    }
    *replan_out = replan;
    return units;
}

/* Whether the change is worth making: at a node on hold only when all of it finds a source. */
static bool decide(struct service_core *service, struct replan *replan, uint32_t promised_min,
                   bool is_closed, bool *is_held_out)
{
    struct replan_where where = replan_where_of(replan);
    where.allow_partial = is_closed;
    bool is_found =
        replan_decide_soon(service, replan, &where, promised_min * DATE_MINUTE_MS);
    *is_held_out = false;
    for (uint32_t i = 0; i < replan->line_count; i++) {
        *is_held_out = *is_held_out || replan->left[i] > 0;
    }
    if (is_closed) {
        replan_owe(service, replan,
                   replan->order->is_backorder ? ORDER_BACKORDERED : ORDER_HELD);
    }
    return is_found || is_closed;
}

/* Move the next fulfilment, if it can be. */
static enum job_room move(struct service_core *service, struct job *job,
                          struct reroute_job *reroute, uint32_t *steps)
{
    struct order *order = order_at(&service->tables.orders, reroute->next.order);
    const struct order_part *part = &order_parts(order)[reroute->next.part];
    struct place following = place_of(service, part->next_order, part->next_part);
    const struct node *node = &service->tables.network.nodes[reroute->node];
    struct replan *replan = NULL;
    bool is_held = false;
    bool is_moving = units_take(service, &reroute->next, &replan) > 0;
    if (is_moving) {
        is_moving = decide(service, replan, part->dates.by_min,
                           node->config.status == NODE_CLOSED, &is_held);
        *steps += 1 + replan->answer.steps;
    }
    if (is_moving && !replan_is_full(service, replan)) {
        replan_note_late(service, replan);
        enum job_room room = job_room(service, job, effect_replan_size(&replan->effect));
        if (room != JOB_ROOM_OK) {
            return room;
        }
        replan_take(service, replan);
        reroute->held += is_held;
        reroute->moved += !is_held;
    } else {
        reroute->kept++;
    }
    reroute->next = following;
    return JOB_ROOM_OK;
}

static bool step(struct service_core *service, struct job *job)
{
    struct reroute_job *reroute = job->rows;
    uint32_t steps = 0;
    place_settle(service, reroute);
    uint64_t before = reroute->moved + reroute->held;
    for (uint32_t i = 0; i < LOOKS && steps < STEPS && reroute->next.order; i++) {
        enum job_room room = move(service, job, reroute, &steps);
        if (room != JOB_ROOM_OK) {
            return room == JOB_ROOM_GONE;
        }
        if (reroute->moved + reroute->held >= before + MOVES) {
            break;
        }
    }
    if (reroute->next.order) {
        return false;
    }
    if (!job->is_orphan) {
        answer(service, job, reroute);
    }
    return true;
}

void node_reroute(struct service_core *service, struct call *call, uint16_t node,
                  bool is_duplicate)
{
    struct job *job = job_new(service, call, sizeof(struct reroute_job));
    if (!job) {
        return;
    }
    struct reroute_job *reroute = job->rows;
    *reroute = (struct reroute_job){.node = node, .is_duplicate = is_duplicate};
    job->step = step;
    job_start(service, job);
}
