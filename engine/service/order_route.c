/* order.route, one at a time, after order_stage.c brought near what it needs: decide or confirm the
 * guess, log, take, answer. */
#include <string.h>

#include "ask.h"
#include "reserve_internal.h"
#include "short.h"
#include "strategy_internal.h"

static void effect_lines(struct asks *asks, const struct ask *ask,
                         const struct route_answer *answer)
{
    for (uint32_t i = 0; i < ask->line_count; i++) {
        const struct route_line *own = &ask->route_lines[i];
        const struct text line = ask->lines[i].line;
        asks->effect_lines[i] =
            (struct effect_line){own->item, own->qty, 0, {line.at, line.len},
                                 (uint8_t)own->service, own->node,
                                 ask->has_kits ? ask->lines[i].kit : (struct order_kit){0, 0, i}};
    }
    memset(asks->effect_owed, 0, ask->backorder ? ask->line_count * sizeof(uint32_t) : 0);
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        uint32_t line = answer->unfilled[i].line;
        if (ask->backorder) {
            asks->effect_owed[line] = answer->unfilled[i].qty;
        } else {
            asks->effect_lines[line].unfilled = answer->unfilled[i].qty;
        }
    }
}

static void effect_build(struct asks *asks, const struct ask *ask,
                         const struct route_answer *answer, struct effect_order *effect)
{
    uint32_t parts = answer->part_count;
    uint32_t shares = answer->share_count;
    CHECK(parts <= EFFECT_PARTS_MAX);
    CHECK(shares <= EFFECT_SHARES_MAX);
    effect_lines(asks, ask, answer);
    for (uint32_t i = 0; i < parts; i++) {
        const struct route_part *part = &answer->parts[i];
        asks->effect_parts[i] = (struct effect_part){part->node, part->way, part->service,
                                                     part->metres, part->cost_cents,
                                                     part->dates};
    }
    for (uint32_t i = 0; i < shares; i++) {
        const struct route_share *share = &answer->shares[i];
        asks->effect_shares[i] = (struct effect_share){share->part, share->line, share->qty};
    }
    *effect = (struct effect_order){
        .id = {ask->order_id.at, ask->order_id.len},
        .id_hash = ask->order_hash,
        .content = ask->content,
        .status = (uint8_t)answer->status,
        .reason = (uint8_t)answer->reason,
        .service = (uint8_t)ask->service,
        .is_optimal = answer->is_optimal,
        .has_dest = ask->has_lat,
        .is_po_box = ask->is_po_box,
        .allow_partial = ask->allow_partial,
        .is_backorder = ask->backorder,
        .lat = ask->lat,
        .lon = ask->lon,
        .postcode = {ask->postcode, (uint32_t)strlen(ask->postcode)},
        .ref = {ask->ref.at, ask->ref.len},
        .channel = {ask->channel.at, ask->channel.len},
        .max_splits = ask->max_splits,
        .max_m = ask->max_m,
        .include_count = ask->include_count,
        .exclude_count = ask->exclude_count,
        .include = asks->include,
        .exclude = asks->exclude,
        .sold_at = ask->sold_at.len ? (uint16_t)(ask->sold_node + 1) : 0,
        .required_by_ms = ask->required_by_ms,
        .deliver_after_ms = ask->deliver_after_ms,
        .strategy = ask->rule_handle,
        .splits = answer->splits,
        .total_m = answer->total_m,
        .line_count = ask->line_count,
        .part_count = parts,
        .share_count = shares,
        .lines = asks->effect_lines,
        .parts = asks->effect_parts,
        .shares = asks->effect_shares,
        .owed = asks->effect_owed,
    };
    memcpy(effect->country, ask->country, sizeof effect->country);
}

/* A refused order changes nothing; at most 1,000 a second are kept in the log all the same, so
 * that they can be tried again under another strategy. No reply waits for them. */
static void log_refused(struct service_core *service, const struct ask *ask,
                        const struct route_answer *answer)
{
    struct effect_order effect;
    if (service->now_ms / 1000 != service->refused_logged_ms / 1000) {
        service->refused_logged_ms = service->now_ms;
        service->refused_logged = 0;
    }
    if (ask->dry_run || service->is_draining || service->refused_logged >= 1000) {
        return;
    }
    effect_build(service->asks, ask, answer, &effect);
    uint32_t size = effect_order_size(&effect);
    if (wal_room(service->wal, size, 1, WAL_CLAIM_CHANGE) != WAL_ROOM_OK) {
        return;
    }
    service->refused_logged++;
    uint64_t lsn = log_end(service, EFFECT_REFUSED,
                           effect_order_encode(log_begin(service, size), &effect));
    service->tables.lsn = lsn;
}

static bool has_room(struct service_core *service, struct call *call,
                     const struct effect_order *effect)
{
    const char *setting = "holds_max";
    if (effect->is_backorder && !owed_has_room(&service->tables.owed, effect->line_count)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "setting=owed_max: raise it, or cancel what waits in vain");
        return false;
    }
    if (!holds_have_room(&service->tables.holds, effect->share_count) ||
        !orders_have_room(&service->tables.orders, tables_order_size(effect), &setting)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "setting=%s: raise it, or let finished orders leave sooner "
                    "(order_window)", setting);
        return false;
    }
    const uint32_t sold = effect->sold_at ? effect->line_count : 0;
    const uint32_t shorts = sold ? shorts_size(sold) : 0;
    return log_room(service, call, effect_order_size(effect) + EFFECT_SMALL_MAX + shorts,
                    2 + (sold ? shorts_records(sold) : 0), WAL_CLAIM_CHANGE);
}

/* What was carried out is never refused for stock, but on_hand has an end. */
static bool carry_out_has_room(struct service_core *service, struct call *call,
                               const struct ask *ask)
{
    for (uint32_t i = 0; i < ask->line_count && ask->sold_at.len; i++) {
        const struct route_line *line = &ask->route_lines[i];
        if (line->service != SERVICE_CARRY_OUT) {
            continue;
        }
        struct cell cell = tables_cell(&service->tables, line->item, line->node);
        if (!stock_room(service, call, cell.index < 0 ? ask->line_count : 0)) {
            return false;
        }
        int64_t sold = (int64_t)QTY_MAX * ask->line_count; /* nobody is that near the limit */
        if (cell_on_hand(tables_word(&cell)) - sold < -CELL_ON_HAND_MAX) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines[%u]: on_hand of %.*s would fall too low: count it", i,
                        (int)ask->lines[i].item.len, ask->lines[i].item.at);
            return false;
        }
    }
    return true;
}

/* What was carried out of a store may have been promised to others. */
static void sold_tell(struct service_core *service, const struct effect_order *effect)
{
    struct short_cell cells[EFFECT_LINES_MAX];
    uint32_t count = 0;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        if (effect->lines[i].service == SERVICE_CARRY_OUT) {
            cells[count++] =
                (struct short_cell){effect->lines[i].item, (uint16_t)(effect->sold_at - 1)};
        }
    }
    shorts_tell(service, cells, count);
}

static void take(struct service_core *service, struct call *call, const struct ask *ask,
                 const struct route_answer *answer)
{
    struct effect_order effect;
    effect_build(service->asks, ask, answer, &effect);
    stage_end(service, ask->line_count);
    if (!carry_out_has_room(service, call, ask) || !has_room(service, call, &effect)) {
        return;
    }
    if (ask->reservation) { /* in the same group: both or neither */
        reserve_end_log(service, ask->reservation, RESERVATION_COMMITTED);
    }
    uint8_t *bytes = log_begin(service, effect_order_size(&effect));
    uint64_t lsn = log_end(service, EFFECT_ORDER, effect_order_encode(bytes, &effect));
    must_apply(tables_apply_order(&service->tables, lsn, service->now_ms, &effect), "order");
    if (effect.sold_at) {
        sold_tell(service, &effect);
    }
    stage_end(service, ask->line_count);
    order_reply(service, call, ask, answer);
}

/* Whether the guess can still be the best: nothing grew and nothing else changed. */
static bool guess_holds(const struct service_core *service, const struct ask *ask)
{
    if (ask->rule && ask->rule->is_moving && service->tables.eased == service->tables.batch) {
        return false;
    }
    if (!ask->is_guessed || ask->generation != service->tables.generation || ask->explain ||
        ask->rule != ask->guess_rule) { /* the name has a new version since */
        return false;
    }
    for (uint32_t i = 0; i < ask->line_count; i++) {
        uint32_t item = ask->route_lines[i].item;
        if (service->tables.catalogue.items[item].raised == (uint32_t)service->tables.batch) {
            return false;
        }
    }
    return true;
}

/* Whether stock that comes may help: some node could be the source of all that is missing. */
static bool may_wait(const struct route_answer *answer)
{
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        if (answer->unfilled[i].reason != REASON_INSUFFICIENT_STOCK) {
            return false;
        }
    }
    return answer->unfilled_count > 0;
}

/* Whether all that is asked for is told as unfilled: a refusal may be for other reasons (its date),
 * and then tells only of some lines. */
static bool is_all_unfilled(const struct ask *ask, const struct route_answer *answer)
{
    uint64_t units = 0;
    for (uint32_t i = 0; i < ask->line_count; i++) {
        units += ask->route_lines[i].qty;
    }
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        units -= answer->unfilled[i].qty;
    }
    return units == 0;
}

/* The customer waits for what has no source now, unless no stock will ever help. */
static void backorder(const struct ask *ask, struct route_answer *answer)
{
    const bool is_refused = answer->status == ORDER_REFUSED;
    if (answer->status == ORDER_ROUTED || (is_refused && !is_all_unfilled(ask, answer))) {
        return;
    }
    if (may_wait(answer)) {
        answer->status = ORDER_BACKORDERED;
        answer->reason = REASON_NONE;
    } else if (answer->status == ORDER_PARTIAL) {
        answer->status = ORDER_REFUSED;
        answer->reason = REASON_NO_FEASIBLE_SOURCE;
        answer->part_count = answer->share_count = 0;
        answer->splits = 0;
        answer->total_m = 0;
    }
}

static bool confirm(struct service_core *service, const struct ask *ask,
                    const struct route_request *request, struct route_answer *answer)
{
    const struct stock_view *view = &service->tables.view;
    return ask->rule ? route_confirm_ruled(service->route, view, request, &ask->guess, &ask->rank,
                                           answer)
                     : route_confirm(service->route, view, request, &ask->guess, answer);
}

static void decide(struct service_core *service, struct ask *ask, struct route_answer *answer)
{
    struct route_request request;
    if (ask->reservation) {
        reserve_decide(service, ask, answer);
    } else {
        ask_request(service->asks, ask, &request);
        if (guess_holds(service, ask) && confirm(service, ask, &request, answer)) {
            return;
        }
        route_decide(service->route, &service->tables.view, &request, answer);
    }
    if (ask->backorder) {
        backorder(ask, answer);
    }
}

/* The strategy that decides it, as things are now. False: answered. */
static bool strategy_resolve(struct service_core *service, struct call *call, struct ask *ask)
{
    if (ask->strategy.len == 0) {
        ask_choose(service, ask);
        return true;
    }
    const struct text none = {"", 0};
    bool is_known = need_strategy(service, call, ask->strategy, (enum service)ask->service, none,
                                  &ask->rule_handle);
    ask->rule = is_known ? strategies_at(&service->tables.strategies, ask->rule_handle) : NULL;
    return is_known;
}

void asks_apply(struct service_core *service, struct call *calls, uint32_t i)
{
    struct asks *asks = service->asks;
    struct call *call = &calls[i];
    struct ask *ask = &asks->asks[i];
    if (!ask->is_decoded) {
        struct reader reader;
        struct ask again;
        if (!ask_decode(service, &reader, call, &again, asks->lines + ASK_LINE_POOL)) {
            reply_invalid(service, call, &reader);
            return;
        }
        CHECK_UNREACHABLE("a request that could not be decoded could be, the second time");
    }
    if (!strategy_resolve(service, call, ask)) {
        return;
    }
    if (!ask->dry_run && order_reply_seen(service, call, ask)) {
        return;
    }
    bool is_fresh = ask->is_resolved && ask->generation == service->tables.generation;
    if (!is_fresh && !ask_resolve(service, call, ask)) {
        return;
    }
    if (ask->reservation_id.len && !reserve_for_order(service, call, ask)) {
        return;
    }
    struct route_answer answer;
    decide(service, ask, &answer);
    stage_end(service, ask->line_count);
    if (answer.status == ORDER_REFUSED) {
        service->refusals[answer.reason]++;
        order_reply(service, call, ask, &answer); /* before the record: it waits for nothing */
        log_refused(service, ask, &answer);
    } else if (ask->dry_run) {
        order_reply(service, call, ask, &answer);
    } else {
        take(service, call, ask, &answer);
    }
}
