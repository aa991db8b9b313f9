/* Changes of an order after its routing; see replan_internal.h. */
#include "replan_internal.h"

#include <string.h>

#include "short.h"
#include "told.h"

/* -- what is wanted -- */

static void lines_begin(struct replan *replan)
{
    struct order *order = replan->order;
    replan->line_count = order->line_count;
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order_lines(order)[i];
        struct order_kit kit = line_kit(order, i);
        replan->lines[i] = (struct replan_line){line->item, line->service, line->node,
                                                kit.item ? (uint16_t)(kit.first + 1) : 0, kit.item};
        replan->wanted[i] = 0;
        replan->left[i] = 0;
        replan->owed_index[i] = OWED_NONE;
        replan->first_share[i] = REPLAN_NO_SHARE;
    }
}

/* The shares of each line, last one first. */
static void shares_begin(struct replan *replan)
{
    for (uint32_t i = 0; i < replan->order->share_count; i++) {
        uint16_t *first = &replan->first_share[order_shares(replan->order)[i].line];
        replan->next_share[i] = *first;
        replan->cut[i] = 0;
        *first = (uint16_t)i;
    }
}

static void owed_begin(const struct service_core *service, struct replan *replan)
{
    const struct owed *owed = &service->tables.owed;
    for (uint32_t i = replan->order->owed_first; i != OWED_NONE;
         i = owed_at(owed, i)->next_of_order) {
        replan->owed_index[owed_at(owed, i)->line] = i;
    }
}

static void place_begin(struct replan *replan)
{
    struct order *order = replan->order;
    replan->has_dest = order->has_dest;
    replan->lat = order->lat;
    replan->lon = order->lon;
    memset(replan->country, 0, sizeof replan->country);
    memcpy(replan->country, order->country, sizeof order->country);
    memset(replan->postcode, 0, sizeof replan->postcode);
    memcpy(replan->postcode, order_postcode(order), order->postcode_len);
}

struct replan *replan_begin(struct service_core *service, slab_ref ref, enum cause cause)
{
    struct replan *replan = service->replan;
    struct order *order = order_at(&service->tables.orders, ref);
    CHECK(order->done_ms == 0);
    replan->ref = ref;
    replan->order = order;
    replan->effect = (struct effect_replan){
        .id = {order_id(order), order->id_len},
        .row = order,
        .cause = (uint8_t)cause,
        .at_ms = service->now_ms,
        .service = order->service,
        .moves = replan->moves,
        .cancels = replan->cancels,
        .counts = replan->counts,
        .missing = replan->missing,
        .lines = replan->changes,
        .parts = replan->parts,
        .shares = replan->shares,
        .owed = replan->owed,
    };
    lines_begin(replan);
    shares_begin(replan);
    owed_begin(service, replan);
    place_begin(replan);
    return replan;
}

uint32_t replan_movable(struct order *order, uint32_t share)
{
    const struct order_share *own = &order_shares(order)[share];
    return share_active(own) - own->reached[STEP_PICKED];
}

void replan_move(struct replan *replan, uint32_t share, uint32_t units)
{
    const struct order_share *own = &order_shares(replan->order)[share];
    if (units > 0) {
        replan->moves[replan->effect.move_count++] = (struct effect_quantity){share, units};
        replan->wanted[own->line] += units;
    }
}

void replan_cancel(struct replan *replan)
{
    for (uint32_t i = 0; i < replan->order->share_count; i++) {
        if (replan->cut[i] > 0) {
            replan->cancels[replan->effect.cancel_count++] =
                (struct effect_quantity){i, replan->cut[i]};
        }
    }
}

uint32_t replan_owed(const struct service_core *service, const struct replan *replan,
                     uint32_t line)
{
    uint32_t index = line < replan->order->line_count ? replan->owed_index[line] : OWED_NONE;
    return index == OWED_NONE ? 0 : owed_at(&service->tables.owed, index)->qty;
}

/* -- the decision -- */

struct replan_where replan_where_of(struct replan *replan)
{
    const struct order_rules *rules = order_rules(replan->order);
    if (!rules) {
        return (struct replan_where){.max_splits = ROUTE_NO_LIMIT, .max_m = ROUTE_NO_LIMIT};
    }
    return (struct replan_where){.include = rules->nodes,
                                 .exclude = rules->nodes + rules->include_count,
                                 .include_count = rules->include_count,
                                 .exclude_count = rules->exclude_count,
                                 .max_splits = rules->max_splits,
                                 .max_m = rules->max_m,
                                 .required_by_ms = order_time(rules->required_by)};
}

/* Nodes that said no to the order, now or before. */
static uint32_t rejected_fill(struct replan *replan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < replan->order->part_count; i++) {
        const struct order_part *part = &order_parts(replan->order)[i];
        bool is_now = replan->effect.has_part && replan->effect.part == i;
        if (part->is_rejected || is_now) {
            replan->rejected[count++] = part->node;
        }
    }
    return count;
}

static uint32_t route_lines_fill(struct replan *replan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < replan->line_count; i++) {
        const struct replan_line *line = &replan->lines[i];
        if (replan->wanted[i] > 0) {
            replan->line_of[count] = (uint16_t)i;
            replan->route_lines[count++] =
                (struct route_line){.item = line->item,
                                    .qty = replan->wanted[i],
                                    .service = (enum service)line->service,
                                    .node = line->node,
                                    .kit = line->kit};
        }
    }
    return count;
}

static bool point_find(const struct service_core *service, const struct replan *replan,
                       struct geo_point *point)
{
    if (replan->has_dest) {
        *point = geo_point(replan->lat, replan->lon);
        return true;
    }
    return replan->postcode[0] &&
           gazetteer_find(&service->tables.gazetteer, replan->country, replan->postcode, point);
}

static struct route_request request_of(const struct service_core *service, struct replan *replan,
                                       const struct replan_where *where)
{
    struct order *order = replan->order;
    const struct order_rules *rules = order_rules(order);
    struct route_request request = {
        .channel =
            channel_find(service, (struct text){order_channel(order), order->channel_len}),
        .lines = replan->route_lines,
        .line_count = route_lines_fill(replan),
        .country = replan->country,
        .postcode = replan->postcode,
        .is_po_box = replan->effect.has_place ? replan->effect.is_po_box
                                              : replan->order->is_po_box,
        .max_splits = where->max_splits,
        .max_m = where->max_m,
        .required_by_ms = where->required_by_ms,
        .deliver_after_ms = rules ? order_time(rules->deliver_after) : 0,
        .allow_partial = where->allow_partial,
        .include = where->include,
        .include_count = where->include_count,
        .exclude = where->exclude,
        .exclude_count = where->exclude_count,
        .rejected = replan->rejected,
        .rejected_count = where->forgives ? 0 : rejected_fill(replan),
        .strategy = strategies_at(&service->tables.strategies,
                                  replan->effect.has_strategy ? replan->effect.strategy
                                                              : replan->order->strategy),
    };
    request.has_dest = point_find(service, replan, &request.dest);
    return request;
}

/* Units that are about to move count as free where they are, for the decision only. */
static void lend(struct service_core *service, const void *what, bool is_lent)
{
    const struct replan *replan = what;
    for (uint32_t i = 0; i < replan->effect.move_count; i++) {
        const struct order_share *share = &order_shares(replan->order)[replan->moves[i].share];
        int32_t units = (int32_t)replan->moves[i].qty;
        tables_lend(&service->tables, order_lines(replan->order)[share->line].item,
                    order_parts(replan->order)[share->part].node, is_lent ? units : -units);
    }
}

static void decision_note(struct replan *replan)
{
    const struct route_answer *answer = &replan->answer;
    replan->effect.part_count = answer->part_count;
    replan->effect.share_count = answer->share_count;
    for (uint32_t i = 0; i < answer->part_count; i++) {
        const struct route_part *part = &answer->parts[i];
        replan->parts[i] = (struct effect_part){part->node, part->way, part->service,
                                                part->metres, part->cost_cents, part->dates};
    }
    for (uint32_t i = 0; i < answer->share_count; i++) {
        const struct route_share *share = &answer->shares[i];
        replan->shares[i] =
            (struct effect_share){share->part, replan->line_of[share->line], share->qty};
    }
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        uint32_t line = replan->line_of[answer->unfilled[i].line];
        replan->left[line] = answer->unfilled[i].qty;
        replan->why[line] = (uint8_t)answer->unfilled[i].reason;
    }
}

/* Nothing of what is wanted has a source. */
static void decision_void(struct replan *replan, enum reason reason)
{
    replan->effect.part_count = 0;
    replan->effect.share_count = 0;
    for (uint32_t i = 0; i < replan->line_count; i++) {
        bool is_told = replan->left[i] > 0;
        replan->left[i] = replan->wanted[i];
        replan->why[i] = is_told ? replan->why[i] : (uint8_t)reason;
    }
}

static bool has_part_room(const struct replan *replan)
{
    return replan->order->part_count + replan->effect.part_count <= EFFECT_PARTS_MAX &&
           replan->order->share_count + replan->effect.share_count <= EFFECT_SHARES_MAX;
}

bool replan_decide(struct service_core *service, struct replan *replan,
                   const struct replan_where *where)
{
    struct route_request request = request_of(service, replan, where);
    if (request.line_count == 0) {
        replan->answer = (struct route_answer){.is_optimal = true};
        return true;
    }
    if (where->lends) {
        lend_begin(service, lend, replan);
    }
    route_decide(service->route, &service->tables.view, &request, &replan->answer);
    if (where->lends) {
        lend_end(service);
    }
    decision_note(replan);
    if (replan->answer.status == ORDER_REFUSED) {
        decision_void(replan, replan->answer.reason);
    } else if (!has_part_room(replan)) {
        replan->answer.status = ORDER_REFUSED;
        replan->answer.reason = REASON_MAX_SPLITS_EXCEEDED;
        decision_void(replan, REASON_MAX_SPLITS_EXCEEDED);
    }
    return replan->answer.status != ORDER_REFUSED;
}

/* All of it by then, or nothing. */
static bool decide_by(struct service_core *service, struct replan *replan,
                      const struct replan_where *where, uint64_t by_ms)
{
    struct replan_where in_time = *where;
    in_time.required_by_ms = by_ms;
    in_time.allow_partial = false;
    if (replan_decide(service, replan, &in_time)) {
        return true;
    }
    memset(replan->left, 0, replan->line_count * sizeof replan->left[0]);
    return false;
}

bool replan_decide_soon(struct service_core *service, struct replan *replan,
                        const struct replan_where *where, uint64_t promised_ms)
{
    const uint64_t required_ms = where->required_by_ms;
    const bool is_promise_first = promised_ms && (!required_ms || promised_ms < required_ms);
    const uint64_t tries[2] = {is_promise_first ? promised_ms : required_ms,
                               is_promise_first ? required_ms : promised_ms};
    struct replan_where late = *where;
    uint32_t steps = 0;
    for (uint32_t i = 0; i < 2; i++) {
        const bool is_again = i > 0 && tries[i] == tries[0];
        if (tries[i] <= service->now_ms || is_again) { /* 0 too: nobody asked */
            continue;
        }
        const bool is_found = decide_by(service, replan, where, tries[i]);
        replan->answer.steps += steps;
        steps = replan->answer.steps;
        if (is_found) {
            return true;
        }
    }
    late.required_by_ms = 0;
    const bool is_found = replan_decide(service, replan, &late);
    replan->answer.steps += steps;
    return is_found;
}

/* -- what stays where it is -- */

/* Units of the line that are about to leave a share at the node by the same way: taken off the
 * list, up to qty. */
static uint32_t moves_keep(struct replan *replan, const struct effect_part *part, uint32_t line,
                           uint32_t qty)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < replan->effect.move_count && kept < qty; i++) {
        struct effect_quantity *move = &replan->moves[i];
        const struct order_share *share = &order_shares(replan->order)[move->share];
        const struct order_part *from = &order_parts(replan->order)[share->part];
        if (share->line == line && from->node == part->node && from->way == part->way &&
            from->service == part->service) {
            uint32_t units = move->qty < qty - kept ? move->qty : qty - kept;
            move->qty -= units;
            kept += units;
        }
    }
    return kept;
}

static void moves_compact(struct replan *replan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < replan->effect.move_count; i++) {
        if (replan->moves[i].qty > 0) {
            replan->moves[count++] = replan->moves[i];
        }
    }
    replan->effect.move_count = count;
}

/* Shares without units leave, and parts without shares. */
static void parts_compact(struct replan *replan)
{
    uint32_t parts = 0;
    uint32_t shares = 0;
    uint32_t last = UINT32_MAX;
    for (uint32_t i = 0; i < replan->effect.share_count; i++) {
        struct effect_share share = replan->shares[i];
        if (share.qty == 0) {
            continue;
        }
        if (share.part != last) {
            last = share.part;
            replan->parts[parts++] = replan->parts[last];
        }
        share.part = parts - 1;
        replan->shares[shares++] = share;
    }
    replan->effect.part_count = parts;
    replan->effect.share_count = shares;
}

void replan_settle(struct replan *replan)
{
    for (uint32_t i = 0; i < replan->effect.share_count; i++) {
        struct effect_share *share = &replan->shares[i];
        share->qty -= moves_keep(replan, &replan->parts[share->part], share->line, share->qty);
    }
    moves_compact(replan);
    parts_compact(replan);
}

/* -- owed -- */

void replan_want_owed(const struct service_core *service, struct replan *replan)
{
    const struct owed *owed = &service->tables.owed;
    for (uint32_t i = replan->order->owed_first; i != OWED_NONE;
         i = owed_at(owed, i)->next_of_order) {
        replan->wanted[owed_at(owed, i)->line] = owed_at(owed, i)->qty;
    }
}

void replan_pay(const struct service_core *service, struct replan *replan)
{
    const struct owed *owed = &service->tables.owed;
    for (uint32_t i = replan->order->owed_first; i != OWED_NONE;
         i = owed_at(owed, i)->next_of_order) {
        const struct owed_entry *entry = owed_at(owed, i);
        uint32_t left = replan->left[entry->line];
        if (replan->wanted[entry->line] > left) {
            uint32_t qty = entry->qty - (replan->wanted[entry->line] - left);
            replan->owed[replan->effect.owed_count++] =
                (struct effect_owed){entry->line, qty, entry->status, entry->reason};
        }
    }
}

void replan_owe(struct service_core *service, struct replan *replan, enum order_status status)
{
    for (uint32_t i = 0; i < replan->effect.owed_count; i++) { /* those that were cut */
        struct effect_owed *owed = &replan->owed[i];
        owed->qty += replan->left[owed->line];
        replan->left[owed->line] = 0;
    }
    for (uint32_t i = 0; i < replan->line_count; i++) {
        if (replan->left[i] > 0) {
            uint32_t qty = replan_owed(service, replan, i) + replan->left[i];
            replan->owed[replan->effect.owed_count++] =
                (struct effect_owed){i, qty, (uint8_t)status, replan->why[i]};
        }
    }
}

/* -- the change -- */

static const char *full_setting(const struct service_core *service, const struct replan *replan)
{
    const struct tables *tables = &service->tables;
    const struct effect_replan *effect = &replan->effect;
    uint32_t lines = replan->line_count - replan->order->line_count;
    if (!holds_have_room(&tables->holds, effect->share_count)) {
        return "holds_max";
    }
    if (!tables_replan_owed_fits(tables, replan->order, effect)) {
        return "owed_max";
    }
    return orders_have_growth(&tables->orders, replan->order, effect->part_count,
                              effect->share_count, lines, tables_replan_text(effect))
               ? NULL
               : "orders_memory";
}

bool replan_is_full(const struct service_core *service, const struct replan *replan)
{
    return full_setting(service, replan) != NULL;
}

bool replan_has_room(struct service_core *service, struct call *call, struct replan *replan)
{
    const char *setting = full_setting(service, replan);
    replan_note_late(service, replan);
    const uint32_t cells = replan->effect.count_count + replan->effect.missing_count;
    const uint32_t size = effect_replan_size(&replan->effect) + (cells ? shorts_size(cells) : 0);
    const uint32_t records = 1 + (cells ? shorts_records(cells) : 0);
    if (!call) {
        /* What falls due has a claim to the last room of a full disk, as clock.c takes for granted:
         * else time would stand still there. What is owed can wait. */
        const enum wal_claim claim =
            replan->effect.is_by_engine ? WAL_CLAIM_RELEASE : WAL_CLAIM_CHANGE;
        return !setting && wal_room(service->wal, size, records, claim) == WAL_ROOM_OK;
    }
    if (setting) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "setting=%s: raise it, or let finished orders leave sooner (order_window)",
                    setting);
        return false;
    }
    return log_room(service, call, size, records, WAL_CLAIM_CHANGE);
}

/* What the node that said no has less than was thought may be promised to others. */
static void cells_tell(struct service_core *service, const struct replan *replan)
{
    const struct effect_replan *effect = &replan->effect;
    struct short_cell cells[2 * EFFECT_LINES_MAX];
    uint32_t count = 0;
    if (effect->count_count + effect->missing_count == 0) {
        return;
    }
    const uint16_t node = order_parts(replan->order)[effect->part].node;
    for (uint32_t i = 0; i < effect->count_count; i++) {
        cells[count++] = (struct short_cell){effect->counts[i].item, node};
    }
    for (uint32_t i = 0; i < effect->missing_count; i++) {
        cells[count++] = (struct short_cell){effect->missing[i].item, node};
    }
    shorts_tell(service, cells, count);
}

uint64_t replan_take(struct service_core *service, struct replan *replan)
{
    uint8_t *bytes = log_begin(service, effect_replan_size(&replan->effect));
    const uint32_t size = effect_replan_encode(bytes, &replan->effect);
    uint64_t lsn = log_end(service, effect_replan_type(&replan->effect), size);
    must_apply(tables_apply_replan(&service->tables, lsn, service->now_ms, &replan->effect),
               "replan");
    told_done(bytes, size, replan->order->done_ms != 0); /* done ones are not changed */
    cells_tell(service, replan);
    return lsn;
}

/* -- pieces of answers -- */

void put_order_line(struct writer *writer, struct order *order, uint32_t line)
{
    char scratch[12];
    uint32_t len;
    const char *name = line_text(order, line, scratch, &len);
    put_text(writer, "line", name, len);
}

static void put_line_head(struct service_core *service, struct writer *writer,
                          const struct replan *replan, uint32_t line)
{
    const struct item *item = &service->tables.catalogue.items[replan->lines[line].item];
    char scratch[12];
    uint32_t len = 0;
    const char *name = line < replan->order->line_count
                           ? line_text(replan->order, line, scratch, &len)
                           : NULL;
    for (uint32_t i = 0; !name && i < replan->effect.line_count; i++) {
        const struct effect_replan_line *change = &replan->changes[i];
        if (change->index == line) {
            name = change->line.line.at;
            len = change->line.line.len;
        }
    }
    put_text(writer, "line", name ? name : "", len);
    put_kit(service, writer, &(struct order_kit){.item = replan->lines[line].kit_item});
    put_text(writer, "item", item->id, item->id_len);
}

static uint32_t put_share_lines(struct service_core *service, struct writer *writer,
                                const struct replan *replan, uint32_t part, uint32_t share)
{
    uint32_t end = share;
    while (end < replan->effect.share_count && replan->shares[end].part == part) {
        end++;
    }
    writer_str(writer, "lines");
    writer_array(writer, end - share);
    for (; share < end; share++) {
        writer_map(writer, 3u + (replan->lines[replan->shares[share].line].kit_item != 0));
        put_line_head(service, writer, replan, replan->shares[share].line);
        put_int(writer, "qty", replan->shares[share].qty);
    }
    return end;
}

void replan_put_parts(struct service_core *service, struct writer *writer,
                      const struct replan *replan, uint32_t first_part)
{
    char id[ID_MAX + 8];
    uint32_t share = 0;
    writer_str(writer, "fulfilments");
    writer_array(writer, replan->effect.part_count);
    for (uint32_t i = 0; i < replan->effect.part_count; i++) {
        const struct effect_part *part = &replan->parts[i];
        const struct node *node = &service->tables.network.nodes[part->node];
        uint32_t line = replan->shares[share].line;
        uint16_t to = part->way == WAY_SHIP_TO_STORE ? order_lines(replan->order)[line].node
                                                     : NODE_NONE;
        writer_map(writer, 7u + part_dates_fields(&part->dates) + (to != NODE_NONE));
        put_text(writer, "fulfilment", id, fulfilment_text(replan->order, first_part + i, id));
        put_text(writer, "node", node->id, node->id_len);
        if (to != NODE_NONE) {
            const struct node *store = &service->tables.network.nodes[to];
            put_text(writer, "to", store->id, store->id_len);
        }
        put_string(writer, "service", service_text((enum service)part->service));
        put_string(writer, "method", way_text((enum way)part->way));
        put_km(writer, "km", part->metres);
        put_int(writer, "cost_cents", part->cost_cents);
        put_part_dates(writer, &part->dates);
        share = put_share_lines(service, writer, replan, i, share);
    }
}

void replan_put_left(struct service_core *service, struct writer *writer,
                     const struct replan *replan)
{
    uint32_t count = 0;
    writer_str(writer, "unfilled");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < replan->line_count; i++) {
        if (replan->left[i] > 0) {
            writer_map(writer, 4u + (replan->lines[i].kit_item != 0));
            put_line_head(service, writer, replan, i);
            put_int(writer, "qty", replan->left[i]);
            put_string(writer, "reason", reason_text((enum reason)replan->why[i]));
            count++;
        }
    }
    writer_array_close(writer, mark, count);
}

void put_owed(struct service_core *service, struct writer *writer, struct order *order)
{
    const struct owed *owed = &service->tables.owed;
    uint32_t count = 0;
    writer_str(writer, "unfilled");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = order->owed_first; i != OWED_NONE; i = owed_at(owed, i)->next_of_order) {
        const struct owed_entry *entry = owed_at(owed, i);
        const struct item *item = &service->tables.catalogue.items[entry->item];
        bool is_told = entry->reason == REASON_INSUFFICIENT_STOCK && count < AVAILABLE_TOLD;
        uint64_t at_ms = is_told ? available_at_owed(service, entry->order, entry->line) : 0;
        struct order_kit kit = line_kit(order, entry->line);
        writer_map(writer, 4u + (at_ms != 0) + (kit.item != 0));
        put_order_line(writer, order, entry->line);
        put_kit(service, writer, &kit);
        put_text(writer, "item", item->id, item->id_len);
        put_int(writer, "qty", entry->qty);
        put_string(writer, "reason", reason_text((enum reason)entry->reason));
        if (at_ms) {
            put_int(writer, "available_at", (int64_t)at_ms);
        }
        count++;
    }
    writer_array_close(writer, mark, count);
}
