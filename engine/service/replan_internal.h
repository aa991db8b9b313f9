/* A change of an order after its routing: what fulfil.reject, order.reroute, order.modify, a
 * node's reroute and new stock have in common. Each fills in what leaves and what is wanted,
 * decides with the production decision, and logs one record (effect_replan).
 *
 *     replan_begin -> replan_move, replan_want ... -> replan_decide -> replan_owe -> replan_take
 */
#ifndef SERVICE_REPLAN_INTERNAL_H
#define SERVICE_REPLAN_INTERNAL_H

#include "service_internal.h"

/* A line as it will be. */
struct replan_line {
    uint32_t item;
    uint8_t service;
    uint16_t node;
    uint16_t kit; /* as in struct route_line */
    uint32_t kit_item; /* the kit + 1 that it is a component of, 0 = none */
};

/* What a decision keeps to. */
struct replan_where {
    const uint16_t *include, *exclude;
    uint32_t include_count, exclude_count;
    uint32_t max_splits, max_m; /* ROUTE_NO_LIMIT = none asked */
    uint64_t required_by_ms;    /* 0 = any time */
    bool allow_partial;
    bool forgives; /* nodes that said no before may be chosen again */
    bool lends;    /* units that are about to move count as free where they are */
};

#define REPLAN_NO_SHARE UINT16_MAX

/* One at a time, made once: too large for the stack. */
struct replan {
    slab_ref ref;
    struct order *order;
    struct effect_replan effect;
    struct route_answer answer; /* of replan_decide; points into the router */
    uint32_t line_count;        /* new lines included */
    struct replan_line lines[EFFECT_LINES_MAX];
    uint32_t wanted[EFFECT_LINES_MAX]; /* units by line that are to get a source */
    uint32_t left[EFFECT_LINES_MAX];   /* of them without one, after replan_decide */
    uint8_t why[EFFECT_LINES_MAX];     /* enum reason, where some are left */
    uint32_t owed_index[EFFECT_LINES_MAX]; /* of what is owed of the line, OWED_NONE = nothing */
    uint16_t first_share[EFFECT_LINES_MAX], next_share[EFFECT_SHARES_MAX]; /* REPLAN_NO_SHARE */
    uint32_t cut[EFFECT_SHARES_MAX];       /* units of the share in cancels */
    /* -- place -- */
    bool has_dest;
    double lat, lon;
    char country[3];
    char postcode[17];
    /* -- lists of the effect -- */
    struct effect_quantity moves[EFFECT_SHARES_MAX], cancels[EFFECT_SHARES_MAX];
    struct effect_stock_row counts[EFFECT_LINES_MAX], missing[EFFECT_LINES_MAX];
    struct effect_replan_line changes[EFFECT_LINES_MAX];
    struct effect_part parts[EFFECT_PARTS_MAX];
    struct effect_share shares[EFFECT_SHARES_MAX];
    struct effect_owed owed[EFFECT_LINES_MAX];
    struct effect_late lates[EFFECT_PARTS_MAX];
    /* -- of replan_late.c, by line; late_of by part of the order: its place in lates + 1 -- */
    uint32_t line_by[EFFECT_LINES_MAX];
    bool is_unsourced[EFFECT_LINES_MAX], is_moved[EFFECT_LINES_MAX];
    bool is_paid[EFFECT_LINES_MAX];
    uint64_t owed_lsn[EFFECT_LINES_MAX];
    uint16_t late_of[EFFECT_PARTS_MAX];
    /* -- of the decision -- */
    struct route_line route_lines[EFFECT_LINES_MAX];
    uint16_t line_of[EFFECT_LINES_MAX]; /* by line of the decision */
    uint16_t include[LIST_MAX], exclude[LIST_MAX];
    uint16_t rejected[EFFECT_PARTS_MAX];
};

/* The change that the service has room for; the one before is forgotten. */
struct replan *replan_begin(struct service_core *service, slab_ref ref, enum cause cause);

/* Units of a share that are not picked yet: they may go elsewhere. */
uint32_t replan_movable(struct order *order, uint32_t share);

/* Take units from a share to have them from elsewhere: they become wanted. */
void replan_move(struct replan *replan, uint32_t share, uint32_t units);

/* Cancel what stands in cut. */
void replan_cancel(struct replan *replan);

/* Units that are owed of the line now. */
uint32_t replan_owed(const struct service_core *service, const struct replan *replan,
                     uint32_t line);

/* As the order was asked, its required_by included. */
struct replan_where replan_where_of(struct replan *replan);

/* Find sources for all that is wanted; fills in new parts and shares, left and why. False: there
 * is none (answer.reason), or the order cannot get more fulfilments. */
bool replan_decide(struct service_core *service, struct replan *replan,
                   const struct replan_where *where);

/* The same for what must have a source, if late: whole by what was promised (0 = nothing) or by
 * what the order requires, the earlier first; else as soon as can be, in parts where allowed.
 * answer.steps are those of all tries. */
bool replan_decide_soon(struct service_core *service, struct replan *replan,
                        const struct replan_where *where, uint64_t promised_ms);

/* New units that came to be where old ones of the same line were: neither moves. */
void replan_settle(struct replan *replan);

/* All units that the order is owed are wanted. */
void replan_want_owed(const struct service_core *service, struct replan *replan);

/* Note what is owed less, of the wanted units that found a source. */
void replan_pay(const struct service_core *service, struct replan *replan);

/* Note that what is left of each line is owed beside what was owed of it. */
void replan_owe(struct service_core *service, struct replan *replan, enum order_status status);

/* Note which promises the change, complete but for this, does not keep. Asking for room does it. */
void replan_note_late(const struct service_core *service, struct replan *replan);

/* Whether tables and log have room; else the call, if there is one, is answered. */
bool replan_has_room(struct service_core *service, struct call *call, struct replan *replan);

/* Whether a table has no room for it. */
bool replan_is_full(const struct service_core *service, const struct replan *replan);

/* Log and apply. */
uint64_t replan_take(struct service_core *service, struct replan *replan);

/* Fields of answers: the new parts as order.route tells them, numbered from first_part; what is
 * left of each line (kept: and what was owed before); name of a line. */
void replan_put_parts(struct service_core *service, struct writer *writer,
                      const struct replan *replan, uint32_t first_part);
void replan_put_left(struct service_core *service, struct writer *writer,
                     const struct replan *replan);
void put_owed(struct service_core *service, struct writer *writer, struct order *order);
void put_order_line(struct writer *writer, struct order *order, uint32_t line);

#endif
