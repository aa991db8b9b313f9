/* fulfil.update: a fulfilment moves along its life.
 *
 * from                 to                       what happens
 * any step             any later step of its way  units reach it; on_hand and hold fall at the
 *                                               first of shipped, delivered, collected
 * any held step        no_show (pickup)         the hold is released
 * no_show              collected                while the units are free: they leave after all
 * a step               the same step            nothing, duplicate: true
 * a later step or end  an earlier step          refusal INVALID_STATE
 * any                  rejected, cancelled      refusal INVALID_STATE, which says what does it */
#include <string.h>

#include "content_internal.h"
#include "load_internal.h"
#include "order_names_internal.h"
#include "quick.h"
#include "told.h"

enum { TRACKING_MAX = 127 };

#define COLLECT_BY_MAX INT64_C(253402300799999)

struct update {
    struct text fulfilment, tracking, key;
    int state; /* enum state */
    bool has_lines, has_at, has_tracking;
    uint64_t at_ms, collect_by;
    uint32_t count;
    struct named_qty lines[EFFECT_LINES_MAX];
};

/* The part that is updated, and what each of its shares shall have reached. */
struct target {
    struct text name; /* its id, as it was asked for: there is one way to write it */
    slab_ref ref;
    struct order *order;
    struct order_part *part;
    uint32_t index;
    enum way way;
    enum state before;
    int step; /* of the state asked for; -1: none of the way's */
    uint32_t totals[EFFECT_LINES_MAX]; /* by share of the part; NOT_ASKED */
    struct effect_quantity moved[EFFECT_LINES_MAX];
    uint32_t moved_count;
};

#define NOT_ASKED UINT32_MAX

static void read_field(struct service_core *service, struct reader *reader, int field,
                       struct update *update)
{
    switch (field) {
    case 0:
        update->fulfilment = reader_text(reader, 1, ID_MAX + 7);
        break;
    case 1:
        update->state = reader_word(reader, &names_states);
        break;
    case 2:
        update->count = read_named_lines(reader, update->lines, true);
        break;
    case 3:
        update->at_ms = read_time(service, reader);
        break;
    case 4:
        update->tracking = reader_text(reader, 0, TRACKING_MAX);
        break;
    case 5:
        update->collect_by = (uint64_t)reader_int(reader, 1, COLLECT_BY_MAX);
        break;
    default:
        update->key = reader_text(reader, 1, ID_MAX);
        break;
    }
}

/* Without lines and times, as most come. */
static bool decode_quick(const struct call *call, struct update *update)
{
    static const struct quick_field fields[] = {{QUICK_NAME("fulfilment"), 1, ID_MAX + 7},
                                                {QUICK_NAME("state"), 1, 31},
                                                {QUICK_NAME("tracking"), 0, TRACKING_MAX},
                                                {QUICK_NAME("key"), 1, ID_MAX}};
    struct text texts[4];
    uint32_t seen = quick_texts(call, fields, 4, texts);
    if ((seen & 3) != 3) {
        return false;
    }
    update->fulfilment = texts[0];
    update->state = names_find(&names_states, texts[1].at, texts[1].len);
    update->tracking = texts[2];
    update->key = texts[3];
    update->has_tracking = (seen & 4) != 0;
    update->has_lines = update->has_at = false;
    update->count = 0;
    update->at_ms = update->collect_by = 0;
    return update->state >= 0;
}

static bool decode(struct service_core *service, struct reader *reader, const struct call *call,
                   struct update *update)
{
    static const char *const fields[] = {"fulfilment", "state", "lines", "at", "tracking",
                                         "collect_by", "key"};
    struct reader_map map;
    update->fulfilment = update->tracking = update->key = (struct text){"", 0};
    update->count = 0;
    update->state = -1;
    update->at_ms = update->collect_by = 0;
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 7);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_field(service, reader, field, update);
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
    update->has_lines = reader_map_has(&map, 2);
    update->has_at = reader_map_has(&map, 3);
    update->has_tracking = reader_map_has(&map, 4);
    if (reader_is_ok(reader) && update->collect_by && update->state != STATE_READY) {
        reader_fail(reader, "collect_by: only with state ready");
    }
    return reader_is_ok(reader);
}

static uint64_t content_of(const struct update *update)
{
    struct content content;
    content_begin(&content, METHOD_FULFIL_UPDATE);
    content_text(&content, update->fulfilment.at, update->fulfilment.len);
    content_int(&content, update->state);
    content_int(&content, (int64_t)update->at_ms);
    content_int(&content, (int64_t)update->collect_by);
    content_text(&content, update->tracking.at, update->tracking.len);
    content_int(&content, update->has_lines ? (int64_t)update->count : -1);
    for (uint32_t i = 0; i < update->count; i++) {
        content_text(&content, update->lines[i].line.at, update->lines[i].line.len);
        content_int(&content, update->lines[i].qty);
    }
    return content.hash;
}

static struct order_share *share_at(const struct target *target, uint32_t i)
{
    return &order_shares(target->order)[target->part->share_first + i];
}

/* -- answers -- */

enum { ANSWER_MAX = 96 + ID_MAX + 8 }; /* bytes of the result below: constant parts, numbers, id */

static void answer(struct service_core *service, struct call *call, const struct target *target,
                   bool is_duplicate)
{
    bool has_time = target->part->collect_by != 0;
    struct writer writer = reply_sure(service, call, ANSWER_MAX);
    writer_map(&writer, 3u + is_duplicate + has_time);
    writer_str(&writer, "fulfilment");
    writer_text(&writer, target->name.at, target->name.len);
    writer_str(&writer, "state");
    writer_word(&writer, state_words[part_state(target->order, target->index)]);
    if (has_time) {
        writer_string(&writer,
                      part_is_under_way(target->part) ? "arrive_by" : "collect_by");
        writer_uint(&writer, tables_collect_by(&service->tables, target->order, target->index,
                                               service->now_ms));
    }
    if (is_duplicate) {
        writer_str(&writer, "duplicate");
        writer_bool(&writer, true);
    }
    writer_str(&writer, "lsn");
    writer_uint(&writer, lsn_begun(service));
    reply_sure_send(service, call, &writer, ANSWER_MAX);
}

/* The head of a refusal; fields more fields follow, then lsn. */
static struct writer *refuse(struct service_core *service, struct call *call,
                             const struct target *target, enum reason reason, uint32_t fields)
{
    service->refusals[reason]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 5 + fields);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(reason));
    put_text(writer, "fulfilment", target->name.at, target->name.len);
    put_string(writer, "state", state_text(target->before));
    return writer;
}

static void refuse_state(struct service_core *service, struct call *call,
                         const struct target *target, const char *message)
{
    struct writer *writer = refuse(service, call, target, REASON_INVALID_STATE, 1);
    put_string(writer, "message", message);
    put_lsn(service, writer);
    reply_send(service, call);
}

static void put_line_name(struct writer *writer, const struct target *target, uint32_t i)
{
    char scratch[12];
    uint32_t len;
    const char *name = line_text(target->order, share_at(target, i)->line, scratch, &len);
    put_text(writer, "line", name, len);
}

static void refuse_qty(struct service_core *service, struct call *call,
                       const struct target *target, uint32_t i)
{
    const struct order_share *share = share_at(target, i);
    struct writer *writer = refuse(service, call, target, REASON_QTY_EXCEEDS_ORDERED, 3);
    put_line_name(writer, target, i);
    uint32_t per = units_per(target->order, share->line);
    put_int(writer, "qty", target->totals[i] / per);
    put_int(writer, "ordered", (share->qty - share->cancelled - share->moved) / per);
    put_lsn(service, writer);
    reply_send(service, call);
}

static void refuse_stock(struct service_core *service, struct call *call,
                         const struct target *target, uint32_t i, uint32_t wanted,
                         int64_t available)
{
    struct writer *writer = refuse(service, call, target, REASON_INSUFFICIENT_STOCK, 3);
    put_line_name(writer, target, i);
    put_int(writer, "wanted", wanted);
    put_int(writer, "available", available > 0 ? available : 0);
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- what is asked -- */

/* All that may reach the state, where no lines are given. */
static uint32_t total_open(const struct target *target, const struct order_share *share,
                           enum state state)
{
    if (state == STATE_NO_SHOW) {
        return share->no_show + share_unfetched(share);
    }
    bool is_back = state == STATE_COLLECTED && target->before == STATE_NO_SHOW;
    return share_active(share) + (is_back ? share->no_show : 0);
}

/* False: answered. */
static bool totals_fill(struct service_core *service, struct call *call,
                        const struct update *update, struct target *target)
{
    struct order_names names;
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        target->totals[i] = update->has_lines ? NOT_ASKED
                                              : total_open(target, share_at(target, i),
                                                           (enum state)update->state);
    }
    if (!update->has_lines) {
        return true;
    }
    order_names_init(&names, target->order, (int)target->index);
    for (uint32_t i = 0; i < update->count; i++) {
        const struct named_qty *own = &update->lines[i];
        uint32_t share = order_names_find(&names, own->line, true);
        if (share == ORDER_NAMES_NONE) {
            reply_unknown_line(service, call, i, own->line, "fulfilment");
            return false;
        }
        uint32_t *total = &target->totals[share - target->part->share_first];
        if (*total != NOT_ASKED) {
            reply_line_twice(service, call, i, own->line);
            return false;
        }
        uint32_t run = share_run(target->order, share);
        for (uint32_t k = 0; k < run; k++) {
            total[k] =
                own->qty * units_per(target->order, order_shares(target->order)[share + k].line);
        }
    }
    return true;
}

static bool target_find(struct service_core *service, struct call *call,
                        const struct update *update, struct target *target)
{
    if (!need_fulfilment(service, call, update->fulfilment, &target->ref, &target->index)) {
        return false;
    }
    target->name = update->fulfilment;
    target->order = order_at(&service->tables.orders, target->ref);
    target->part = &order_parts(target->order)[target->index];
    target->way = (enum way)target->part->way;
    target->before = part_state(target->order, target->index);
    target->step = state_step((enum state)update->state, target->way);
    target->moved_count = 0;
    CHECK(target->part->share_count <= EFFECT_LINES_MAX);
    return totals_fill(service, call, update, target);
}

/* -- the rules -- */

static const char *never_reason(const struct target *target, enum state state)
{
    switch (state) {
    case STATE_OPEN:
        return "a fulfilment never goes back to open";
    case STATE_REJECTED:
        return "fulfil.reject rejects";
    case STATE_CANCELLED:
        return "order.cancel cancels";
    case STATE_NO_SHOW:
        return "only what is to be collected can be a no-show";
    case STATE_ACCEPTED:
    case STATE_PICKING:
    case STATE_PICKED:
    case STATE_PACKED:
    case STATE_SHIPPED:
    case STATE_DELIVERED:
    case STATE_READY:
    case STATE_COLLECTED:
    case STATE_COUNT:
        break;
    }
    if (target->way == WAY_SHIP_TO_STORE) {
        return "this is shipped, ready at its store, then collected";
    }
    return target->way == WAY_PICKUP      ? "a pickup becomes ready, then collected"
           : target->way == WAY_CARRY_OUT ? "the customer carried it out"
                                          : "this is shipped, then delivered";
}

/* Units of the cell that are in the building and promised to nobody. */
static int64_t spare(const struct service_core *service, const struct target *target,
                     const struct order_share *share)
{
    uint32_t item = order_lines(target->order)[share->line].item;
    struct cell cell = tables_cell(&service->tables, item, target->part->node);
    cell_word word = tables_word(&cell);
    return (int64_t)cell_on_hand(word) - cell_reserved(word);
}

/* Whether no-shows may turn into collected: their units were given back, are they still free?
 * Two lines of the fulfilment may want the same item: all of them together. */
static bool back_is_allowed(struct service_core *service, struct call *call,
                            const struct target *target)
{
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        const struct order_share *share = share_at(target, i);
        uint32_t item = order_lines(target->order)[share->line].item;
        uint32_t wanted = 0;
        if (target->totals[i] == NOT_ASKED || target->totals[i] <= share_active(share)) {
            continue;
        }
        for (uint32_t k = 0; k <= i; k++) {
            const struct order_share *other = share_at(target, k);
            bool is_back = target->totals[k] != NOT_ASKED &&
                           target->totals[k] > share_active(other) &&
                           order_lines(target->order)[other->line].item == item;
            wanted += is_back ? target->totals[k] - share_active(other) : 0;
        }
        int64_t available = spare(service, target, share);
        if (available < wanted) {
            refuse_stock(service, call, target, i, wanted, available);
            return false;
        }
    }
    return true;
}

/* What is sent to a store comes there as a whole; fetched or not, its node has it no more. */
static bool store_is_possible(struct service_core *service, struct call *call,
                              const struct update *update, const struct target *target)
{
    if (target->way != WAY_SHIP_TO_STORE) {
        return true;
    }
    if (update->state == STATE_READY && update->has_lines) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "lines: what is sent to a store is ready there as a whole: leave lines out");
        return false;
    }
    if (update->state == STATE_COLLECTED && target->before == STATE_NO_SHOW) {
        refuse_state(service, call, target, "it was given up: return.receive books it");
        return false;
    }
    return true;
}

static bool totals_are_possible(struct service_core *service, struct call *call,
                                const struct target *target, enum state state)
{
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        const struct order_share *share = share_at(target, i);
        uint32_t total = target->totals[i];
        if (total == NOT_ASKED) {
            continue;
        }
        if (total > share->qty - share->cancelled - share->moved) {
            refuse_qty(service, call, target, i);
            return false;
        }
        uint32_t possible = state == STATE_NO_SHOW
                                ? share->no_show + share_unfetched(share)
                                : share_active(share);
        if (total > possible && state != STATE_COLLECTED) {
            refuse_state(service, call, target, state == STATE_NO_SHOW
                                                    ? "the units were collected"
                                                    : "the units were not fetched (no_show)");
            return false;
        }
    }
    return true;
}

/* The shares of which more units than so far reach the state. */
static void moved_fill(struct target *target, enum state state)
{
    for (uint32_t i = 0; i < target->part->share_count; i++) {
        const struct order_share *share = share_at(target, i);
        uint32_t total = target->totals[i];
        uint32_t so_far =
            state == STATE_NO_SHOW ? share->no_show : share->reached[target->step];
        if (total != NOT_ASKED && total > so_far) {
            target->moved[target->moved_count++] =
                (struct effect_quantity){target->part->share_first + i, total};
        }
    }
}

/* Where nothing moves: whether the fulfilment stands at or before the state, so that the call
 * only repeats what is known. */
static bool is_repeat(const struct target *target, enum state state)
{
    if (state == STATE_NO_SHOW || target->before == STATE_NO_SHOW) {
        return target->before == state;
    }
    if (target->before == STATE_CANCELLED) {
        return false;
    }
    return state_step(target->before, target->way) <= target->step;
}

/* on_hand may fall below zero, where counts were too low, but not without end. Asked for all
 * moved units at each cell: nobody is that near the limit. */
static bool on_hand_has_room(struct service_core *service, struct call *call,
                             const struct target *target)
{
    int64_t units = 0;
    for (uint32_t i = 0; i < target->moved_count; i++) {
        units += target->moved[i].qty;
    }
    for (uint32_t i = 0; i < target->moved_count; i++) {
        const struct order_share *share = &order_shares(target->order)[target->moved[i].share];
        uint32_t item = order_lines(target->order)[share->line].item;
        struct cell cell = tables_cell(&service->tables, item, target->part->node);
        if (cell_on_hand(tables_word(&cell)) - units < -(int64_t)CELL_ON_HAND_MAX) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines: on_hand=%d cannot fall by %lld more: count the cells of the node "
                        "with stock.set first",
                        cell_on_hand(tables_word(&cell)), (long long)units);
            return false;
        }
    }
    return true;
}

/* -- the change -- */

static bool has_news(const struct service_core *service, const struct update *update,
                     const struct target *target)
{
    const struct order_part *part = target->part;
    if (update->collect_by && update->collect_by != part->collect_by) {
        return true;
    }
    if (target->way == WAY_SHIP_TO_STORE && update->state == STATE_READY && !part->is_arrived) {
        return true;
    }
    if (!update->has_tracking || update->tracking.len == 0) {
        return false;
    }
    const uint8_t *block =
        part->tracking ? slab_at(&service->tables.orders.slab, part->tracking) : NULL;
    return !block || block[0] != update->tracking.len ||
           memcmp(block + 1, update->tracking.at, update->tracking.len) != 0;
}

uint64_t fulfil_arrive_by(const struct service_core *service, struct order *order, uint32_t index,
                          uint64_t at_ms)
{
    const struct order_part *part = &order_parts(order)[index];
    const uint16_t to = part_to(order, index);
    const uint64_t by_ms = part->dates.by_min * DATE_MINUTE_MS;
    if (part->way != WAY_SHIP_TO_STORE || to == NODE_NONE || part->is_arrived) {
        return 0;
    }
    const uint64_t minutes = service->tables.timing.terms[to].accept_min;
    uint64_t from_ms = at_ms > service->now_ms ? at_ms : service->now_ms;
    from_ms = by_ms > from_ms ? by_ms : from_ms;
    return minutes ? from_ms + minutes * DATE_MINUTE_MS : 0;
}

static uint64_t collect_by_of(const struct service_core *service, const struct update *update,
                              const struct target *target, uint64_t at_ms)
{
    if (update->state == STATE_SHIPPED && target->order->done_ms == 0) {
        return fulfil_arrive_by(service, target->order, target->index, at_ms);
    }
    if (update->state != STATE_READY || update->collect_by) {
        return update->collect_by;
    }
    uint16_t to = part_to(target->order, target->index);
    uint16_t at = to == NODE_NONE ? target->part->node : to;
    uint64_t hours = service->tables.network.nodes[at].config.collect_hours;
    bool is_first = target->part->collect_by == 0 || part_is_under_way(target->part);
    return hours > 0 && is_first ? at_ms + hours * 3600 * 1000 : 0;
}

/* Arrival, as later than counts of its cells made in this very moment: what leaves is not in
 * them yet. */
static uint64_t arrival(const struct service_core *service, const struct target *target)
{
    uint64_t at_ms = service->now_ms;
    for (uint32_t i = 0; i < target->moved_count; i++) {
        const struct order_share *share = &order_shares(target->order)[target->moved[i].share];
        uint32_t item = order_lines(target->order)[share->line].item;
        const struct cell cell = tables_cell(&service->tables, item, target->part->node);
        at_ms = time_of_arrival(at_ms, tables_counted_at(&cell));
    }
    return at_ms;
}

/* What leaves for a store is its order's business until somebody fetches it; an order that is done
 * is not opened again. */
static bool begins_to_wait(const struct update *update, const struct target *target)
{
    return target->way == WAY_SHIP_TO_STORE && !target->part->is_awaited &&
           target->order->done_ms == 0 &&
           (update->state == STATE_SHIPPED || update->state == STATE_READY);
}

void fulfil_log(struct service_core *service, struct effect_fulfil *effect)
{
    struct order *order = effect->row;
    const bool was_done = order->done_ms != 0;
    uint8_t *bytes = log_begin(service, effect_fulfil_size(effect));
    const uint32_t size = effect_fulfil_encode(bytes, effect);
    uint64_t lsn = log_end(service, EFFECT_FULFIL, size);
    must_apply(tables_apply_fulfil(&service->tables, lsn, service->now_ms, effect), "fulfil");
    told_done(bytes, size, !was_done && order->done_ms != 0);
}

static void take(struct service_core *service, struct call *call, const struct update *update,
                 const struct target *target, const struct effect_key *key)
{
    uint64_t at_ms = update->has_at ? update->at_ms : arrival(service, target);
    struct effect_fulfil effect = {
        .id = {order_id(target->order), target->order->id_len},
        .order = target->ref,
        .row = target->order,
        .part = target->index,
        .state = (uint8_t)update->state,
        .at_ms = at_ms,
        .collect_by = collect_by_of(service, update, target, at_ms),
        .is_awaited = begins_to_wait(update, target),
        .tracking = {update->tracking.at, update->tracking.len},
        .count = target->moved_count,
        .shares = target->moved,
        .key = *key,
    };
    uint32_t size = effect_fulfil_size(&effect);
    if (!log_room(service, call, size, 1, WAL_CLAIM_RELEASE)) {
        return;
    }
    fulfil_log(service, &effect);
    answer(service, call, target, false);
}

/* States that no update leads to, and whether the call is answered by that. */
static bool answer_never(struct service_core *service, struct call *call,
                         const struct target *target, enum state state)
{
    bool is_fetched = target->way == WAY_PICKUP || target->part->is_arrived;
    bool is_known = target->step >= 0 || (state == STATE_NO_SHOW && is_fetched);
    if (is_known) {
        return false;
    }
    if (target->before == state) {
        answer(service, call, target, true);
    } else {
        refuse_state(service, call, target, never_reason(target, state));
    }
    return true;
}

static void decide(struct service_core *service, struct call *call, const struct update *update,
                   struct target *target)
{
    enum state state = (enum state)update->state;
    struct effect_key key;
    const struct key_entry *seen;
    uint64_t content = update->key.len ? content_of(update) : 0;
    enum key_result result = key_look(service, call, update->key, content, &key, &seen);
    if (result == KEY_SEEN) {
        answer(service, call, target, true);
    }
    if (result != KEY_NEW || answer_never(service, call, target, state) ||
        !store_is_possible(service, call, update, target) ||
        !totals_are_possible(service, call, target, state) ||
        (state == STATE_COLLECTED && !back_is_allowed(service, call, target))) {
        return;
    }
    moved_fill(target, state);
    if (!on_hand_has_room(service, call, target)) {
        return;
    }
    bool is_news = target->moved_count == 0 && is_repeat(target, state) &&
                   has_news(service, update, target);
    if (target->moved_count > 0 || is_news) {
        take(service, call, update, target, &key);
    } else if (is_repeat(target, state)) {
        answer(service, call, target, true);
    } else {
        refuse_state(service, call, target, "a state never goes back");
    }
}

void handle_fulfil_update(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct update update;
    struct target target;
    if (!decode_quick(call, &update) && !decode(service, &reader, call, &update)) {
        reply_invalid(service, call, &reader);
    } else if (target_find(service, call, &update, &target)) {
        decide(service, call, &update, &target);
    }
}
