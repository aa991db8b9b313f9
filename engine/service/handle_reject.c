/* fulfil.reject: a node says no to a fulfilment, or to some of it. What is missing goes to
 * another node at once; what has no source is owed. The same for a node that kept silent. */
#include <string.h>

#include "content_internal.h"
#include "load_internal.h"
#include "order_names_internal.h"
#include "replan_internal.h"

#define NOT_COUNTED INT64_MIN

enum { ON_HAND_MAX = 1000000000 };

/* Facts that a key remembers. */
enum { FACT_FIRST_PART, FACT_PARTS, FACT_ATTEMPT, FACT_REASON };

struct found_line {
    struct text line;
    char scratch[READER_INT_TEXT_SIZE];
    uint32_t qty_found;
    int64_t on_hand; /* NOT_COUNTED */
};

struct refusal {
    struct text fulfilment, key;
    int reason;       /* enum decline */
    int stock_action; /* enum stock_action, -1 = by reason */
    bool has_lines, reroute;
    uint32_t count;
    struct found_line lines[EFFECT_LINES_MAX];
};

struct reject_target {
    slab_ref ref;
    struct order *order;
    struct order_part *part;
    uint32_t index;
    uint32_t missing[EFFECT_LINES_MAX]; /* by share of the part */
    uint32_t units;                     /* sum of missing */
    int64_t on_hand[EFFECT_LINES_MAX];  /* as counted, by share of the part */
};

/* -- the request -- */

static void read_line(struct reader *reader, struct found_line *line)
{
    static const char *const fields[] = {"line", "qty_found", "on_hand"};
    struct reader_map map;
    line->on_hand = NOT_COUNTED;
    reader_map_begin(reader, &map, fields, 3);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            line->line = reader_text_or_int(reader, line->scratch, 1, ID_MAX);
        } else if (field == 1) {
            line->qty_found = (uint32_t)reader_int(reader, 0, QTY_MAX);
        } else {
            line->on_hand = reader_int(reader, 0, ON_HAND_MAX);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
}

static void read_lines(struct reader *reader, struct refusal *refusal)
{
    struct reader_array array;
    reader_array_begin(reader, &array, EFFECT_LINES_MAX);
    while (reader_array_next(reader, &array)) {
        read_line(reader, &refusal->lines[refusal->count++]);
    }
    refusal->has_lines = true;
    if (reader_is_ok(reader) && refusal->count == 0) {
        reader_fail(reader, "names no line: leave it out where nothing was found");
    }
}

static void read_field(struct reader *reader, int field, struct refusal *refusal)
{
    switch (field) {
    case 0:
        refusal->fulfilment = reader_text(reader, 1, ID_MAX + 7);
        break;
    case 1:
        refusal->reason = reader_word(reader, &names_declines);
        break;
    case 2:
        read_lines(reader, refusal);
        break;
    case 3:
        refusal->stock_action = reader_word(reader, &names_stock_actions);
        break;
    case 4:
        refusal->reroute = reader_bool(reader);
        break;
    default:
        refusal->key = reader_text(reader, 1, ID_MAX);
        break;
    }
}

static enum stock_action action_of(const struct refusal *refusal)
{
    bool is_gone = refusal->reason == DECLINE_OUT_OF_STOCK || refusal->reason == DECLINE_DAMAGED;
    if (refusal->stock_action >= 0) {
        return (enum stock_action)refusal->stock_action;
    }
    return is_gone ? STOCK_ACTION_MISSING : STOCK_ACTION_NONE;
}

/* on_hand goes with stock_action set, and only with it. */
static void check_counts(struct reader *reader, const struct refusal *refusal)
{
    bool is_set = action_of(refusal) == STOCK_ACTION_SET;
    for (uint32_t i = 0; i < refusal->count; i++) {
        bool is_counted = refusal->lines[i].on_hand != NOT_COUNTED;
        if (is_counted != is_set) {
            reader_fail(reader, is_set ? "lines[%u].on_hand: missing, with stock_action set"
                                       : "lines[%u].on_hand: only with stock_action set", i);
            return;
        }
    }
    if (is_set && refusal->count == 0) {
        reader_fail(reader, "stock_action: set needs lines with on_hand");
    }
}

static bool decode(struct reader *reader, const struct call *call, struct refusal *refusal)
{
    static const char *const fields[] = {"fulfilment", "reason",  "lines",
                                         "stock_action", "reroute", "key"};
    struct reader_map map;
    refusal->fulfilment = refusal->key = (struct text){"", 0};
    refusal->reason = refusal->stock_action = -1;
    refusal->reroute = true;
    refusal->has_lines = false;
    refusal->count = 0;
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_field(reader, field, refusal);
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
    if (reader_is_ok(reader)) {
        check_counts(reader, refusal);
    }
    return reader_is_ok(reader);
}

static uint64_t content_of(const struct refusal *refusal)
{
    struct content content;
    content_begin(&content, METHOD_FULFIL_REJECT);
    content_text(&content, refusal->fulfilment.at, refusal->fulfilment.len);
    content_int(&content, refusal->reason);
    content_int(&content, action_of(refusal));
    content_int(&content, refusal->reroute);
    content_int(&content, refusal->has_lines ? (int64_t)refusal->count : -1);
    for (uint32_t i = 0; i < refusal->count; i++) {
        const struct found_line *line = &refusal->lines[i];
        content_text(&content, line->line.at, line->line.len);
        content_int(&content, line->qty_found);
        content_int(&content, line->on_hand);
    }
    return content.hash;
}

/* -- answers -- */

static struct writer *refuse(struct service_core *service, struct call *call,
                             const struct reject_target *target, enum reason reason,
                             uint32_t fields)
{
    char id[ID_MAX + 8];
    service->refusals[reason]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 5 + fields);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(reason));
    put_text(writer, "fulfilment", id, fulfilment_text(target->order, target->index, id));
    put_string(writer, "state", state_text(part_state(target->order, target->index)));
    put_lsn(service, writer);
    return writer;
}

static void refuse_state(struct service_core *service, struct call *call,
                         const struct reject_target *target)
{
    struct writer *writer = refuse(service, call, target, REASON_INVALID_STATE, 1);
    put_string(writer, "message", "nothing of it is there that could be rejected");
    reply_send(service, call);
}

static void refuse_qty(struct service_core *service, struct call *call,
                       const struct reject_target *target, uint32_t line, uint32_t found,
                       uint32_t open)
{
    struct writer *writer = refuse(service, call, target, REASON_QTY_EXCEEDS_ORDERED, 3);
    put_order_line(writer, target->order, line);
    put_int(writer, "qty", found);
    put_int(writer, "ordered", open);
    reply_send(service, call);
}

static void put_date(struct writer *writer, const char *name, int64_t minutes)
{
    writer_string(writer, name);
    if (minutes > 0) {
        writer_uint(writer, (uint64_t)minutes * DATE_MINUTE_MS);
    } else {
        writer_nil(writer);
    }
}

/* When the last of the fulfilments is delivered, in minutes; 0 = none tells. */
static uint32_t latest_of(struct order *order, int64_t first, int64_t count)
{
    uint32_t latest = 0;
    for (int64_t i = first; i < first + count; i++) {
        uint32_t by_min = order_parts(order)[i].dates.by_min;
        latest = by_min > latest ? by_min : latest;
    }
    return latest;
}

/* What was promised for the rejected units, and what is now: kept when all come in time. */
static void put_promise(struct writer *writer, struct order *order, uint32_t part, int64_t first,
                        int64_t count)
{
    uint32_t was = order_parts(order)[part].dates.by_min;
    uint32_t now = latest_of(order, first, count);
    bool is_late = was > 0 && (now == 0 || now > was);
    writer_str(writer, "promise");
    writer_map(writer, 3);
    put_date(writer, "deliver_by", now);
    put_date(writer, "was", was);
    put_bool(writer, "kept", order->owed_first == OWED_NONE && !is_late);
}

static void answer(struct service_core *service, struct call *call,
                   const struct reject_target *target, const int64_t facts[KEY_FACTS_MAX],
                   bool is_duplicate)
{
    struct order *order = target->order;
    enum reason reason = (enum reason)facts[FACT_REASON];
    int64_t first = facts[FACT_FIRST_PART];
    /* An order of the same id may have come since a key was remembered: it has its own parts. */
    int64_t parts = first + facts[FACT_PARTS] <= order->part_count ? facts[FACT_PARTS] : 0;
    bool is_owed = order->owed_first != OWED_NONE;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 7u + (reason != REASON_NONE) + is_duplicate);
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_string(writer, "status",
               order_status_text(is_owed ? order_status_now(order) : ORDER_ROUTED));
    if (reason != REASON_NONE) {
        put_string(writer, "reason", reason_text(reason));
    }
    writer_str(writer, "fulfilments");
    writer_array(writer, (uint32_t)parts);
    for (int64_t i = 0; i < parts; i++) {
        put_fulfilment(service, writer, order, (uint32_t)(first + i), false);
    }
    put_owed(service, writer, order);
    put_int(writer, "attempt", facts[FACT_ATTEMPT]);
    put_promise(writer, order, target->index, first, parts);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- what is missing -- */

static bool per_kit(const struct reject_target *target, uint32_t share)
{
    return line_kit(target->order, order_shares(target->order)[share].line).item != 0;
}

/* Of a kit line all components of so many kits are missing: which of them is, nobody told. */
static void missing_set(struct reject_target *target, uint32_t share, uint32_t qty, int64_t on_hand)
{
    uint32_t run = share_run(target->order, share);
    for (uint32_t k = share; k < share + run; k++) {
        uint32_t at = k - target->part->share_first;
        target->missing[at] = qty * units_per(target->order, order_shares(target->order)[k].line);
        target->on_hand[at] = on_hand;
    }
}

static bool missing_of_lines(struct service_core *service, struct call *call,
                             const struct refusal *refusal, struct reject_target *target)
{
    struct order_names names;
    bool named[EFFECT_LINES_MAX] = {false};
    order_names_init(&names, target->order, (int)target->index);
    for (uint32_t i = 0; i < refusal->count; i++) {
        const struct found_line *line = &refusal->lines[i];
        uint32_t share = order_names_find(&names, line->line, true);
        if (share == ORDER_NAMES_NONE) {
            reply_unknown_line(service, call, i, line->line, "fulfilment");
            return false;
        }
        uint32_t at = share - target->part->share_first;
        uint32_t per = units_per(target->order, order_shares(target->order)[share].line);
        uint32_t open = order_share_held(target->order, share) / per;
        if (named[at]) {
            reply_line_twice(service, call, i, line->line);
            return false;
        }
        if (line->qty_found > open) {
            refuse_qty(service, call, target, order_shares(target->order)[share].line,
                       line->qty_found, open);
            return false;
        }
        if (per_kit(target, share) && line->on_hand != NOT_COUNTED) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines[%u].on_hand: line %.*s is a kit: count its components", i,
                        (int)line->line.len, line->line.at);
            return false;
        }
        named[at] = true;
        missing_set(target, share, open - line->qty_found, line->on_hand);
    }
    return true;
}

/* Units of each share that the node does not have. False: answered. */
static bool missing_fill(struct service_core *service, struct call *call,
                         const struct refusal *refusal, struct reject_target *target)
{
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        uint32_t held = order_share_held(target->order, target->part->share_first + i);
        target->missing[i] = refusal->has_lines ? 0 : held;
        target->on_hand[i] = NOT_COUNTED;
    }
    if (refusal->has_lines && !missing_of_lines(service, call, refusal, target)) {
        return false;
    }
    target->units = 0;
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        target->units += target->missing[i];
    }
    return true;
}

static uint32_t held_units(const struct reject_target *target)
{
    uint32_t held = 0;
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        held += order_share_held(target->order, target->part->share_first + i);
    }
    return held;
}

/* -- the cells of the node -- */

struct cell_sums { /* of one item in the fulfilment */
    uint32_t item;
    uint32_t missing, found;
    int64_t on_hand;
    bool is_torn; /* two lines of it were counted differently */
};

static uint32_t share_line(const struct reject_target *target, uint32_t i)
{
    return order_shares(target->order)[target->part->share_first + i].line;
}

/* Sums over the shares of the item of share i, those of kits aside; false: an earlier share has the
 * same item. */
static bool cell_sum(const struct reject_target *target, uint32_t i, struct cell_sums *sums)
{
    struct order *order = target->order;
    const struct order_share *shares = &order_shares(order)[target->part->share_first];
    *sums = (struct cell_sums){.item = order_lines(order)[shares[i].line].item,
                               .on_hand = NOT_COUNTED};
    for (uint32_t k = 0; k < target->part->share_count; k++) {
        if (order_lines(order)[shares[k].line].item != sums->item ||
            line_kit(order, shares[k].line).item) {
            continue;
        }
        if (k < i) {
            return false;
        }
        int64_t counted = target->on_hand[k];
        sums->missing += target->missing[k];
        sums->found += share_held(&shares[k], (enum way)target->part->way) - target->missing[k];
        sums->is_torn = sums->is_torn || (counted != NOT_COUNTED &&
                                          sums->on_hand != NOT_COUNTED && counted != sums->on_hand);
        sums->on_hand = counted != NOT_COUNTED ? counted : sums->on_hand;
    }
    return true;
}

static void cell_note(struct replan *replan, enum stock_action action,
                      const struct cell_sums *sums)
{
    struct effect_replan *effect = &replan->effect;
    if (action == STOCK_ACTION_MISSING && sums->missing > 0) {
        replan->missing[effect->missing_count++] =
            (struct effect_stock_row){sums->item, -(int32_t)sums->missing};
    } else if (action == STOCK_ACTION_ZERO && sums->missing > 0) {
        replan->counts[effect->count_count++] =
            (struct effect_stock_row){sums->item, (int32_t)sums->found};
    } else if (action == STOCK_ACTION_SET && sums->on_hand != NOT_COUNTED) {
        replan->counts[effect->count_count++] =
            (struct effect_stock_row){sums->item, (int32_t)sums->on_hand};
    }
}

/* The record's time, now later than the last count of this cell too; a count on arrival has in it
 * what moved before it came (as stock.set). One time for all cells: a few milliseconds more take
 * nothing from those before. */
static uint64_t cell_time(const struct service_core *service, const struct replan *replan,
                          enum stock_action action, const struct cell_sums *sums, uint16_t node)
{
    const struct cell cell = tables_cell(&service->tables, sums->item, node);
    const bool is_count = action == STOCK_ACTION_SET || action == STOCK_ACTION_ZERO;
    const uint64_t latest =
        is_count ? movements_latest(&service->tables.movements, sums->item, node) : 0;
    return time_of_count(replan->effect.at_ms, tables_counted_at(&cell), latest);
}

/* What the node's cells become. False: answered. */
static bool cells_fill(struct service_core *service, struct call *call,
                       const struct refusal *refusal, const struct reject_target *target,
                       struct replan *replan)
{
    enum stock_action action = action_of(refusal);
    for (uint32_t i = 0; i < target->part->share_count && action != STOCK_ACTION_NONE; i++) {
        struct cell_sums sums;
        bool is_of_kit = line_kit(target->order, share_line(target, i)).item != 0;
        if (is_of_kit || !cell_sum(target, i, &sums)) {
            continue; /* of a kit nobody told which component is missing */
        }
        struct cell cell = tables_cell(&service->tables, sums.item, target->part->node);
        int64_t on_hand = cell_on_hand(tables_word(&cell));
        if (sums.is_torn || on_hand - sums.missing < -(int64_t)CELL_ON_HAND_MAX) {
            const struct item *item = &service->tables.catalogue.items[sums.item];
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        sums.is_torn ? "lines: on_hand of item %.*s is told twice, differently"
                                     : "lines: on_hand of item %.*s cannot fall further: count it "
                                       "with stock.set first", (int)item->id_len, item->id);
            return false;
        }
        cell_note(replan, action, &sums);
        replan->effect.at_ms = cell_time(service, replan, action, &sums, target->part->node);
    }
    return true;
}

/* -- the change -- */

/* Other nodes for what is missing: in time for what was promised, else as soon as can be. */
static void find_sources(struct service_core *service, struct replan *replan)
{
    struct replan_where where = replan_where_of(replan);
    const uint64_t by_min = order_parts(replan->order)[replan->effect.part].dates.by_min;
    where.allow_partial = true;
    (void)replan_decide_soon(service, replan, &where, by_min * DATE_MINUTE_MS);
}

static const struct strategy *strategy_of(const struct service_core *service,
                                          const struct order *order)
{
    return strategies_at(&service->tables.strategies, order->strategy);
}

/* How often nodes may say no to the order before it is held. */
static uint32_t rejects_max(const struct service_core *service, const struct order *order)
{
    const struct strategy *strategy = strategy_of(service, order);
    return strategy && strategy->reject_max ? strategy->reject_max
                                            : service->options.rejects_max;
}

/* Until when the node that says no gets no new orders; 0 = it gets them. */
static uint64_t block_until_ms(const struct service_core *service, const struct order *order)
{
    const struct strategy *strategy = strategy_of(service, order);
    return strategy && strategy->block_ms ? service->now_ms + strategy->block_ms : 0;
}

/* Find other nodes for what is missing, or note it as owed; the reason that it is. */
static enum reason replace(struct service_core *service, struct replan *replan, bool reroute,
                           uint32_t attempt)
{
    struct order *order = replan->order;
    enum reason reason = REASON_NONE;
    if (reroute && attempt < rejects_max(service, order)) {
        find_sources(service, replan);
        for (uint32_t i = 0; i < replan->line_count; i++) {
            reason = replan->left[i] > 0 ? (enum reason)replan->why[i] : reason;
        }
    } else {
        reason = reroute ? REASON_MAX_REJECTS_REACHED : REASON_NONE;
        memcpy(replan->left, replan->wanted, replan->line_count * sizeof replan->left[0]);
        memset(replan->why, (int)reason, replan->line_count);
    }
    bool waits = order->is_backorder && reason != REASON_MAX_REJECTS_REACHED && reroute;
    replan_owe(service, replan, waits ? ORDER_BACKORDERED : ORDER_HELD);
    return reason;
}

static void reject_take(struct service_core *service, struct call *call,
                        const struct refusal *refusal, const struct reject_target *target,
                        const struct effect_key *key)
{
    struct replan *replan = replan_begin(service, target->ref, CAUSE_REJECT);
    uint32_t attempt = target->order->rejects + 1u;
    replan->effect.decline = (uint8_t)refusal->reason;
    replan->effect.has_part = true;
    replan->effect.part = target->index;
    replan->effect.block_until_ms = block_until_ms(service, target->order);
    replan->effect.key = *key;
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        replan_move(replan, target->part->share_first + i, target->missing[i]);
    }
    if (!cells_fill(service, call, refusal, target, replan)) {
        return;
    }
    enum reason reason = replace(service, replan, refusal->reroute, attempt);
    int64_t *facts = replan->effect.key.facts;
    facts[FACT_FIRST_PART] = target->order->part_count;
    facts[FACT_PARTS] = replan->effect.part_count;
    facts[FACT_ATTEMPT] = attempt;
    facts[FACT_REASON] = reason;
    if (replan_has_room(service, call, replan)) {
        replan_take(service, replan);
        answer(service, call, target, facts, false);
    }
}

static void decide(struct service_core *service, struct call *call, const struct refusal *refusal,
                   struct reject_target *target)
{
    struct effect_key key;
    const struct key_entry *seen;
    int64_t facts[KEY_FACTS_MAX] = {[FACT_ATTEMPT] = target->order->rejects};
    switch (key_look(service, call, refusal->key, content_of(refusal), &key, &seen)) {
    case KEY_ANSWERED:
        return;
    case KEY_SEEN:
        answer(service, call, target, seen->facts, true);
        return;
    case KEY_NEW:
        break;
    }
    if (held_units(target) == 0) {
        if (part_state(target->order, target->index) == STATE_REJECTED) {
            answer(service, call, target, facts, true);
        } else {
            refuse_state(service, call, target);
        }
    } else if (!missing_fill(service, call, refusal, target)) {
        return;
    } else if (target->units == 0) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "lines: all of it was found: nothing is rejected");
    } else {
        reject_take(service, call, refusal, target, &key);
    }
}

void handle_fulfil_reject(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct refusal refusal;
    struct reject_target target;
    if (!decode(&reader, call, &refusal)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!need_fulfilment(service, call, refusal.fulfilment, &target.ref, &target.index)) {
        return;
    }
    target.order = order_at(&service->tables.orders, target.ref);
    target.part = &order_parts(target.order)[target.index];
    CHECK(target.part->share_count <= EFFECT_LINES_MAX);
    decide(service, call, &refusal, &target);
}

/* -- nodes that keep silent -- */

static struct replan *silent_begin(struct service_core *service, slab_ref ref, uint32_t part)
{
    struct replan *replan = replan_begin(service, ref, CAUSE_REJECT);
    replan->effect.decline = DECLINE_NO_RESPONSE;
    replan->effect.is_by_engine = true;
    replan->effect.has_part = true;
    replan->effect.part = part;
    return replan;
}

/* The full tables may have room when it has had its time once more. */
static bool put_off(struct service_core *service, slab_ref ref, uint32_t part)
{
    struct replan *replan = silent_begin(service, ref, part);
    replan->effect.is_put_off = true;
    if (!replan_has_room(service, NULL, replan)) {
        return false;
    }
    replan_take(service, replan);
    return true;
}

static bool silent_try(struct service_core *service, slab_ref ref, uint32_t part, bool reroute)
{
    struct order *order = order_at(&service->tables.orders, ref);
    const struct order_part *own = &order_parts(order)[part];
    struct replan *replan = silent_begin(service, ref, part);
    replan->effect.block_until_ms = block_until_ms(service, order);
    for (uint32_t i = 0; i < own->share_count; i++) {
        uint32_t share = own->share_first + i;
        replan_move(replan, share, order_share_held(order, share));
    }
    (void)replace(service, replan, reroute, order->rejects + 1u);
    if (!replan_has_room(service, NULL, replan)) {
        return false;
    }
    replan_take(service, replan);
    return true;
}

bool reject_silent(struct service_core *service, slab_ref ref, uint32_t part)
{
    const struct order *order = order_at(&service->tables.orders, ref);
    CHECK(order->done_ms == 0);
    /* Full tables must not stop the clock: then it is held, or, where even that has no room,
     * tried again later. */
    return silent_try(service, ref, part, true) || silent_try(service, ref, part, false) ||
           put_off(service, ref, part);
}
