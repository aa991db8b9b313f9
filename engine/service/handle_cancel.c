/* order.cancel: what is still held is given back, least advanced units first.
 *
 * A repeat answers with the first one's facts: by key they are read back from the order's
 * history, which has an entry for each share; without a key, when all that is asked for is
 * cancelled already, they are what the shares say. */
#include <string.h>

#include "content_internal.h"
#include "decimal.h"
#include "order_names_internal.h"
#include "quick.h"
#include "told.h"
#include "touch.h"

enum { REASON_TEXT_MAX = 127 };

struct cancel {
    struct text order_id, reason, key;
    bool is_whole;
    uint32_t count;
    struct named_qty lines[EFFECT_LINES_MAX];
};

/* What a cancel comes to, by line and by share. */
struct cancel_plan {
    slab_ref ref;
    struct order *order;
    uint32_t asked[EFFECT_LINES_MAX]; /* units by line of the order */
    uint32_t taken[EFFECT_SHARES_MAX]; /* units to cancel by share */
    uint32_t units;                    /* sum of taken, and of owed */
    uint32_t owed[EFFECT_LINES_MAX];   /* units to cancel that have no source yet, by line */
    uint32_t kept[EFFECT_LINES_MAX];   /* asked for, but gone another way */
    uint32_t kept_units;
};

/* A whole order, as most come. */
static bool decode_quick(const struct call *call, struct cancel *cancel)
{
    static const struct quick_field fields[] = {{QUICK_NAME("order_id"), 1, ID_MAX},
                                                {QUICK_NAME("reason"), 0, REASON_TEXT_MAX},
                                                {QUICK_NAME("key"), 1, ID_MAX}};
    struct text texts[3];
    if ((quick_texts(call, fields, 3, texts) & 1) == 0) {
        return false;
    }
    cancel->order_id = texts[0];
    cancel->reason = texts[1];
    cancel->key = texts[2];
    cancel->is_whole = true;
    cancel->count = 0;
    return true;
}

static bool decode(struct reader *reader, const struct call *call, struct cancel *cancel)
{
    static const char *const fields[] = {"order_id", "lines", "reason", "key"};
    struct reader_map map;
    cancel->order_id = cancel->reason = cancel->key = (struct text){"", 0};
    cancel->count = 0;
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            cancel->order_id = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            cancel->count = read_named_lines(reader, cancel->lines, false);
            break;
        case 2:
            cancel->reason = reader_text(reader, 0, REASON_TEXT_MAX);
            break;
        default:
            cancel->key = reader_text(reader, 1, ID_MAX);
            break;
        }
    }
    reader_require(reader, &map, 0);
    cancel->is_whole = !reader_map_has(&map, 1);
    return reader_is_ok(reader);
}

static uint64_t content_of(const struct cancel *cancel)
{
    struct content content;
    content_begin(&content, METHOD_ORDER_CANCEL);
    content_text(&content, cancel->order_id.at, cancel->order_id.len);
    content_text(&content, cancel->reason.at, cancel->reason.len);
    content_int(&content, cancel->is_whole ? -1 : (int64_t)cancel->count);
    for (uint32_t i = 0; i < cancel->count; i++) {
        content_text(&content, cancel->lines[i].line.at, cancel->lines[i].line.len);
        content_int(&content, cancel->lines[i].qty);
    }
    return content.hash;
}


/* -- planning -- */

/* Units of each line that are asked for. False: answered. */
static bool asked_fill(struct service_core *service, struct call *call, const struct cancel *cancel,
                       struct cancel_plan *plan)
{
    struct order *order = plan->order;
    struct order_names names;
    memset(plan->asked, 0, order->line_count * sizeof plan->asked[0]);
    if (cancel->is_whole) {
        for (uint32_t i = 0; i < order->line_count; i++) {
            plan->asked[i] = order_lines(order)[i].qty;
        }
        return true;
    }
    order_names_init(&names, order, -1);
    for (uint32_t i = 0; i < cancel->count; i++) {
        const struct named_qty *own = &cancel->lines[i];
        uint32_t line = order_names_find(&names, own->line, false);
        if (line == ORDER_NAMES_NONE) {
            reply_unknown_line(service, call, i, own->line, "order");
            return false;
        }
        if (plan->asked[line]) {
            reply_line_twice(service, call, i, own->line);
            return false;
        }
        uint32_t run = line_run(order, line);
        for (uint32_t k = line; k < line + run; k++) {
            plan->asked[k] = own->qty ? own->qty * units_per(order, k) : order_lines(order)[k].qty;
        }
    }
    return true;
}

/* Units of the share that reached exactly this step (-1: none) and are still held. */
static uint32_t units_at(const struct order_share *share, int step, int end)
{
    uint32_t here = step < 0 ? share_active(share) : share->reached[step];
    return step + 1 > end ? 0 : here - share->reached[step + 1];
}

static int held_end(enum way way)
{
    return way == WAY_PICKUP ? STEP_LAST : STEP_OUT;
}

/* What has no source yet goes first. */
static void plan_owed(const struct service_core *service, struct cancel_plan *plan,
                      uint32_t *left)
{
    const struct owed *owed = &service->tables.owed;
    memset(plan->owed, 0, plan->order->line_count * sizeof plan->owed[0]);
    for (uint32_t i = plan->order->owed_first; i != OWED_NONE;
         i = owed_at(owed, i)->next_of_order) {
        const struct owed_entry *entry = owed_at(owed, i);
        uint32_t units = entry->qty < left[entry->line] ? entry->qty : left[entry->line];
        plan->owed[entry->line] = units;
        plan->units += units;
        left[entry->line] -= units;
    }
}

/* Take from the least advanced units first; among equals from the last fulfilment. */
static void plan_take(struct cancel_plan *plan, uint32_t *left)
{
    struct order *order = plan->order;
    memset(plan->taken, 0, order->share_count * sizeof plan->taken[0]);
    for (int step = -1; step < STEP_LAST; step++) {
        for (uint32_t i = order->share_count; i-- > 0;) {
            const struct order_share *share = &order_shares(order)[i];
            int end = held_end((enum way)order_parts(order)[share->part].way);
            uint32_t here = units_at(share, step, end);
            uint32_t units = here < left[share->line] ? here : left[share->line];
            plan->taken[i] += units;
            plan->units += units;
            left[share->line] -= units;
        }
    }
}

/* What of the rest is gone another way: shipped, collected, never fetched. */
static void plan_keep(struct cancel_plan *plan, uint32_t *left)
{
    struct order *order = plan->order;
    memset(plan->kept, 0, order->line_count * sizeof plan->kept[0]);
    plan->kept_units = 0;
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        enum way way = (enum way)order_parts(order)[share->part].way;
        uint32_t gone = share_active(share) - share_held(share, way) + share->no_show;
        uint32_t units = gone < left[share->line] ? gone : left[share->line];
        plan->kept[share->line] += units;
        plan->kept_units += units;
        left[share->line] -= units;
    }
}

static void plan_make(const struct service_core *service, struct cancel_plan *plan)
{
    uint32_t left[EFFECT_LINES_MAX];
    memcpy(left, plan->asked, plan->order->line_count * sizeof left[0]);
    plan->units = 0;
    plan_owed(service, plan, left);
    plan_take(plan, left);
    plan_keep(plan, left);
}

/* -- the answer -- */

static void put_line_name(struct writer *writer, struct order *order, uint32_t line)
{
    char scratch[12];
    uint32_t len;
    const char *name = line_text(order, line, scratch, &len);
    put_text(writer, "line", name, len);
}

static uint32_t count_set(const uint32_t *units, uint32_t count)
{
    uint32_t set = 0;
    for (uint32_t i = 0; i < count; i++) {
        set += units[i] > 0;
    }
    return set;
}

/* units by line; only lines that have some. */
WRITER_INLINE void put_units(struct writer *writer, struct order *order, const uint32_t *units)
{
    writer_str(writer, "cancelled");
    writer_array(writer, count_set(units, order->line_count));
    for (uint32_t i = 0; i < order->line_count; i++) {
        char scratch[12];
        uint32_t len;
        if (units[i] > 0) {
            const char *name = line_text(order, i, scratch, &len);
            writer_map(writer, 2);
            writer_str(writer, "line");
            writer_text(writer, name, len);
            writer_str(writer, "qty");
            writer_uint(writer, units[i]);
        }
    }
}

static uint32_t put_kept(struct writer *writer, struct order *order,
                         const struct order_share *share, enum state state, uint32_t units,
                         uint32_t *left)
{
    units = units < *left ? units : *left;
    if (units == 0) {
        return 0;
    }
    *left -= units;
    writer_map(writer, 3);
    put_line_name(writer, order, share->line);
    put_int(writer, "qty", units);
    put_string(writer, "state", state_text(state));
    return 1;
}

/* What is not cancelled, with the state that it has; kept is used up. */
static void put_not_cancelled(struct writer *writer, struct order *order, uint32_t *kept)
{
    uint32_t count = 0;
    writer_str(writer, "not_cancelled");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        bool is_pickup = order_parts(order)[share->part].way == WAY_PICKUP;
        uint32_t last = share->reached[STEP_LAST];
        uint32_t out = is_pickup ? 0 : share->reached[STEP_OUT] - last;
        uint32_t *left = &kept[share->line];
        count += put_kept(writer, order, share, STATE_SHIPPED, out, left);
        count += put_kept(writer, order, share, is_pickup ? STATE_COLLECTED : STATE_DELIVERED,
                          last, left);
        count += put_kept(writer, order, share, STATE_NO_SHOW, share->no_show, left);
    }
    writer_array_close(writer, mark, count);
}

/* units by share: what went back to which cell. */
WRITER_INLINE void put_released(struct service_core *service, struct writer *writer,
                                struct order *order, const uint32_t *units)
{
    writer_str(writer, "released");
    writer_array(writer, count_set(units, order->share_count));
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        if (units[i] == 0) {
            continue;
        }
        const struct node *node =
            &service->tables.network.nodes[order_parts(order)[share->part].node];
        const struct item *item =
            &service->tables.catalogue.items[order_lines(order)[share->line].item];
        writer_map(writer, 3);
        writer_str(writer, "node");
        writer_text(writer, node->id, node->id_len);
        writer_str(writer, "item");
        writer_text(writer, item->id, item->id_len);
        writer_str(writer, "qty");
        writer_uint(writer, units[i]);
    }
}

/* kept is used up; NULL: all that was asked for is cancelled. */
WRITER_INLINE void put_answer(struct service_core *service, struct writer *writer,
                              struct order *order, const uint32_t *by_line, const uint32_t *units,
                              uint32_t *kept, bool is_duplicate)
{
    writer_map(writer, 6u + is_duplicate);
    writer_str(writer, "order_id");
    writer_text(writer, order_id(order), order->id_len);
    writer_str(writer, "status");
    writer_word(writer, order_status_words[order_status_now(order)]);
    put_units(writer, order, by_line);
    if (kept) {
        put_not_cancelled(writer, order, kept);
    } else {
        writer_str(writer, "not_cancelled");
        writer_array(writer, 0);
    }
    put_released(service, writer, order, units);
    if (is_duplicate) {
        writer_str(writer, "duplicate");
        writer_bool(writer, true);
    }
    writer_str(writer, "lsn");
    writer_uint(writer, lsn_begun(service));
}

/* Bytes of it at most, where nothing is kept: constant parts, numbers, ids. */
static uint32_t answer_max(const struct order *order)
{
    return 128u + ID_MAX + order->line_count * (32u + ID_MAX) +
           order->share_count * (40u + 2u * ID_MAX);
}

_Static_assert(128 + ID_MAX + EFFECT_LINES_MAX * (32 + ID_MAX) +
                       EFFECT_SHARES_MAX * (40 + 2 * ID_MAX) < REPLY_SIZE_MAX - 64,
               "an answer that tells all of an order fits");

/* units by share, owed ones by line, of this cancel or of the one that it repeats. */
static void answer(struct service_core *service, struct call *call, struct cancel_plan *plan,
                   const uint32_t *units, const uint32_t *owed, bool is_duplicate)
{
    struct order *order = plan->order;
    uint32_t by_line[EFFECT_LINES_MAX];
    memcpy(by_line, owed, order->line_count * sizeof by_line[0]);
    for (uint32_t i = 0; i < order->share_count; i++) {
        by_line[order_shares(order)[i].line] += units[i];
    }
    if (plan->kept_units == 0) {
        uint32_t size_max = answer_max(order);
        struct writer writer = reply_sure(service, call, size_max);
        put_answer(service, &writer, order, by_line, units, NULL, is_duplicate);
        reply_sure_send(service, call, &writer, size_max);
    } else {
        struct writer *writer = reply_begin(service, call);
        put_answer(service, writer, order, by_line, units, plan->kept, is_duplicate);
        reply_send(service, call);
    }
}

static void refuse_qty(struct service_core *service, struct call *call, struct order *order,
                       uint32_t line, uint32_t asked)
{
    service->refusals[REASON_QTY_EXCEEDS_ORDERED]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(REASON_QTY_EXCEEDS_ORDERED));
    put_line_name(writer, order, line);
    put_int(writer, "qty", asked / units_per(order, line));
    put_int(writer, "ordered", order_lines(order)[line].qty / units_per(order, line));
    put_lsn(service, writer);
    reply_send(service, call);
}

/* Nothing is left that could be cancelled, and not because it is cancelled. */
static void refuse_state(struct service_core *service, struct call *call, struct cancel_plan *plan)
{
    service->refusals[REASON_INVALID_STATE]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 5);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(REASON_INVALID_STATE));
    put_string(writer, "state", order_status_text(order_status_now(plan->order)));
    put_not_cancelled(writer, plan->order, plan->kept);
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- repeats -- */

/* Units by share of the cancel whose record is lsn, from the history, where the entries of a
 * record are in the order of the shares. */
static void units_of_record(struct service_core *service, struct order *order, uint64_t lsn,
                            uint32_t *units, uint32_t *owed)
{
    const struct order_entry *entries =
        order->history ? slab_at(&service->tables.orders.slab, order->history) : NULL;
    uint32_t share = 0;
    memset(units, 0, order->share_count * sizeof units[0]);
    memset(owed, 0, order->line_count * sizeof owed[0]);
    for (uint32_t i = 0; i < order->history_count; i++) {
        const struct order_entry *entry = &entries[i];
        if (entry->lsn != lsn || entry->event != ORDER_EVENT_CANCELLED) {
            continue;
        }
        if (entry->part == ORDER_NO_PART) {
            owed[entry->line] = entry->qty;
            continue;
        }
        while (share < order->share_count && (order_shares(order)[share].part != entry->part ||
                                              order_shares(order)[share].line != entry->line)) {
            share++;
        }
        if (share < order->share_count) {
            units[share] = entry->qty;
        }
    }
}

/* Units of the asked lines that are cancelled, by share. */
static void units_cancelled(const struct cancel_plan *plan, uint32_t *units)
{
    uint32_t left[EFFECT_LINES_MAX];
    struct order *order = plan->order;
    memcpy(left, plan->asked, order->line_count * sizeof left[0]);
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        units[i] = share->cancelled < left[share->line] ? share->cancelled : left[share->line];
        left[share->line] -= units[i];
    }
}

/* -- the change -- */

static void take(struct service_core *service, struct call *call, struct cancel_plan *plan,
                 const struct effect_key *key)
{
    struct effect_quantity shares[EFFECT_SHARES_MAX];
    struct effect_quantity owed[EFFECT_LINES_MAX];
    struct effect_cancel effect = {.id = {order_id(plan->order), plan->order->id_len},
                                   .order = plan->ref,
                                   .row = plan->order,
                                   .shares = shares,
                                   .owed = owed,
                                   .key = *key};
    for (uint32_t i = 0; i < plan->order->share_count; i++) {
        if (plan->taken[i] > 0) {
            shares[effect.count++] = (struct effect_quantity){i, plan->taken[i]};
        }
    }
    for (uint32_t i = 0; i < plan->order->line_count; i++) {
        if (plan->owed[i] > 0) {
            owed[effect.owed_count++] = (struct effect_quantity){i, plan->owed[i]};
        }
    }
    uint32_t size = effect_cancel_size(&effect);
    stage_end(service, plan->order->share_count);
    if (!log_room(service, call, size, 1, WAL_CLAIM_RELEASE)) {
        return;
    }
    uint8_t *bytes = log_begin(service, size);
    size = effect_cancel_encode(bytes, &effect);
    uint64_t lsn = log_end(service, EFFECT_CANCEL, size);
    const bool was_done = plan->order->done_ms != 0;
    must_apply(tables_apply_cancel(&service->tables, lsn, service->now_ms, &effect), "cancel");
    told_done(bytes, size, !was_done && plan->order->done_ms != 0);
    stage_end(service, plan->order->share_count);
    answer(service, call, plan, plan->taken, plan->owed, false);
}

/* Only as many as the order has lines: most calls never look at the list. */
static void owed_none(const struct order *order, uint32_t *owed)
{
    memset(owed, 0, order->line_count * sizeof *owed);
}

static void decide(struct service_core *service, struct call *call, const struct cancel *cancel,
                   struct cancel_plan *plan)
{
    struct effect_key key;
    const struct key_entry *seen;
    uint32_t units[EFFECT_SHARES_MAX];
    uint32_t owed[EFFECT_LINES_MAX];
    uint64_t content = cancel->key.len ? content_of(cancel) : 0;
    switch (key_look(service, call, cancel->key, content, &key, &seen)) {
    case KEY_ANSWERED:
        return;
    case KEY_SEEN:
        units_of_record(service, plan->order, seen->lsn, units, owed);
        answer(service, call, plan, units, owed, true);
        return;
    case KEY_NEW:
        break;
    }
    for (uint32_t i = 0; i < plan->order->line_count; i++) {
        if (plan->asked[i] > order_lines(plan->order)[i].qty) {
            refuse_qty(service, call, plan->order, i, plan->asked[i]);
            return;
        }
    }
    if (plan->units > 0) {
        take(service, call, plan, &key);
    } else if (plan->kept_units > 0) {
        refuse_state(service, call, plan);
    } else {
        units_cancelled(plan, units);
        owed_none(plan->order, owed);
        answer(service, call, plan, units, owed, true);
    }
}

void handle_order_cancel(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct cancel cancel;
    struct cancel_plan plan;
    if (!decode_quick(call, &cancel) && !decode(&reader, call, &cancel)) {
        reply_invalid(service, call, &reader);
        return;
    }
    plan.ref = need_order(service, call, cancel.order_id);
    if (!plan.ref) {
        return;
    }
    plan.order = order_at(&service->tables.orders, plan.ref);
    if (plan.order->share_count >= TOUCH_LONG) {
        touch_order(service, plan.order);
    }
    if (!asked_fill(service, call, &cancel, &plan)) {
        return;
    }
    plan_make(service, &plan);
    decide(service, call, &cancel, &plan);
}
