/* reserve.create, reserve.update, reserve.release, reserve.get. */
#include <string.h>

#include "content_internal.h"
#include "reserve_internal.h"

/* A reservation as it is asked for: what it shares with an order is in ask. */
struct reserve_ask {
    struct ask ask;
    struct text id, key;
    uint64_t ttl_ms;
    bool has_ttl, has_lines, has_service;
};

/* -- answers -- */

slab_ref need_reservation(struct service_core *service, struct call *call, struct text id)
{
    const struct reserves *reserves = &service->tables.reserves;
    slab_ref ref = reserves_find(reserves, reserves_hash(reserves, id.at, id.len), id.at, id.len);
    if (!ref) {
        reply_error(service, call, CODE_UNKNOWN_RESERVATION,
                    "reservation_id: \"%.*s\" is not in memory: it was never made, or ended over "
                    "order_window ago", (int)id.len, id.at);
    }
    return ref;
}

/* Numbers of the pieces ordered by their lines, and where each line's begin. */
struct by_line {
    uint16_t first[EFFECT_LINES_MAX + 1];
    uint16_t pieces[EFFECT_SHARES_MAX];
};

static void sort_by_line(const struct reserves *reserves, const struct reservation *own,
                         struct by_line *out)
{
    const struct reservation_piece *pieces = reservation_pieces(reserves, own);
    uint16_t at[EFFECT_LINES_MAX];
    memset(out->first, 0, sizeof out->first);
    for (uint32_t i = 0; i < own->piece_count; i++) {
        out->first[pieces[i].line + 1]++;
    }
    for (uint32_t i = 0; i < own->line_count; i++) {
        out->first[i + 1] = (uint16_t)(out->first[i + 1] + out->first[i]);
        at[i] = out->first[i];
    }
    for (uint32_t i = 0; i < own->piece_count; i++) {
        out->pieces[at[pieces[i].line]++] = (uint16_t)i;
    }
}

/* A line with one of its pieces; NULL: it has none. */
static void put_piece(struct service_core *service, struct writer *writer,
                      const struct reservation *own, uint32_t index,
                      const struct reservation_piece *piece)
{
    const struct reserves *reserves = &service->tables.reserves;
    const struct reservation_line *line = &reservation_lines(reserves, own)[index];
    const struct item *item = &service->tables.catalogue.items[line->item];
    char scratch[12];
    uint32_t len;
    const char *name = reservation_line_text(reserves, own, index, scratch, &len);
    writer_map(writer, piece ? 5 : 4);
    put_text(writer, "line", name, len);
    put_text(writer, "item", item->id, item->id_len);
    put_int(writer, "qty", line->qty);
    if (piece) {
        const struct node *node = &service->tables.network.nodes[piece->node];
        put_text(writer, "node", node->id, node->id_len);
    }
    put_int(writer, "held", piece ? piece->held : 0);
}

static void put_lines(struct service_core *service, struct writer *writer,
                      const struct reservation *own)
{
    const struct reservation_piece *pieces = reservation_pieces(&service->tables.reserves, own);
    struct by_line order;
    uint32_t count = 0;
    sort_by_line(&service->tables.reserves, own, &order);
    writer_str(writer, "lines");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < own->line_count; i++) {
        uint32_t at = order.first[i];
        uint32_t end = order.first[i + 1];
        count += at == end ? 1 : end - at;
        if (at == end) {
            put_piece(service, writer, own, i, NULL);
        }
        for (; at < end; at++) {
            put_piece(service, writer, own, i, &pieces[order.pieces[at]]);
        }
    }
    writer_array_close(writer, mark, count);
}

/* How it is now; with the dates of this very decision, where it tells some. */
static void answer_dated(struct service_core *service, struct call *call, slab_ref ref,
                         bool is_duplicate, const struct order_dates *dates)
{
    const struct reservation *own = reservation_at(&service->tables.reserves, ref);
    struct writer *writer = reply_begin(service, call);
    bool has_dates = dates->by_min != 0;
    writer_map(writer, 5u + is_duplicate + 2u * has_dates);
    if (has_dates) {
        put_int(writer, "deliver_from", (int64_t)(dates->from_min * DATE_MINUTE_MS));
        put_int(writer, "deliver_by", (int64_t)(dates->by_min * DATE_MINUTE_MS));
    }
    put_text(writer, "reservation_id", reservation_id(own), own->id_len);
    put_string(writer, "state", reservation_state_text((enum reservation_state)own->state));
    put_lines(service, writer, own);
    put_int(writer, "expires_at", (int64_t)own->expires_ms);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static void answer(struct service_core *service, struct call *call, slab_ref ref,
                   bool is_duplicate)
{
    answer_dated(service, call, ref, is_duplicate, &(struct order_dates){0, 0, 0, 0});
}

/* The last of the parts says when all of it is there; without a service nothing is promised. */
static struct order_dates dates_of(const struct reserve_ask *ask, const struct route_answer *found)
{
    struct order_dates last = {0, 0, 0, 0};
    for (uint32_t i = 0; i < found->part_count && ask->has_service; i++) {
        const struct order_dates *dates = &found->parts[i].dates;
        last.from_min = dates->from_min > last.from_min ? dates->from_min : last.from_min;
        last.by_min = dates->by_min > last.by_min ? dates->by_min : last.by_min;
    }
    return last;
}

void reserve_refuse_state(struct service_core *service, struct call *call, slab_ref ref)
{
    const struct reservation *own = reservation_at(&service->tables.reserves, ref);
    bool is_expired = own->state == RESERVATION_EXPIRED;
    enum reason reason = is_expired ? REASON_RESERVATION_EXPIRED : REASON_INVALID_STATE;
    service->refusals[reason]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 5);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(reason));
    put_text(writer, "reservation_id", reservation_id(own), own->id_len);
    put_string(writer, "state", reservation_state_text((enum reservation_state)own->state));
    put_lsn(service, writer);
    reply_send(service, call);
}

static void refuse(struct service_core *service, struct call *call, const struct reserve_ask *ask,
                   const struct route_answer *found)
{
    bool has_rejected = found->reason == REASON_NO_FEASIBLE_SOURCE;
    service->refusals[found->reason]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 5u + has_rejected);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(found->reason));
    put_text(writer, "reservation_id", ask->id.at, ask->id.len);
    ask_put_unfilled(service, writer, &ask->ask, found);
    if (has_rejected) {
        ask_put_rejected(writer, found);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- reading -- */

enum {
    F_ID, F_TTL, F_LINES, F_SERVICE, F_DEST, F_PICKUP_NODE, F_CHANNEL, F_REQUIRED,
    F_PARTIAL, CREATE_FIELDS
};
static const char *const create_fields[CREATE_FIELDS] = {
    "reservation_id", "ttl_ms", "lines", "service", "dest", "pickup_node", "channel",
    "required_by", "allow_partial"};

static void read_create_field(struct reader *reader, int field, struct reserve_ask *ask)
{
    switch (field) {
    case F_ID:
        ask->id = reader_text(reader, 1, ID_MAX);
        break;
    case F_TTL:
        ask->ttl_ms = (uint64_t)reader_int(reader, 1, RESERVE_TTL_MAX);
        break;
    case F_LINES:
        ask_read_lines(reader, &ask->ask);
        break;
    case F_SERVICE:
        ask->ask.service = reader_word(reader, &names_services);
        ask->has_service = true;
        break;
    case F_DEST:
        ask_read_dest(reader, &ask->ask);
        break;
    case F_PICKUP_NODE:
        ask->ask.pickup_node = reader_text(reader, 1, ID_MAX);
        break;
    case F_CHANNEL:
        ask->ask.channel = reader_text(reader, 1, ID_MAX);
        break;
    case F_REQUIRED:
        ask->ask.required_by_ms = (uint64_t)reader_int(reader, 1, TIME_MAX_MS);
        break;
    default:
        ask->ask.allow_partial = reader_bool(reader);
    }
}

/* What an order's line may have besides, a reservation's has not. */
static void check_lines(struct reader *reader, const struct ask *ask)
{
    for (uint32_t i = 0; i < ask->line_count && reader_is_ok(reader); i++) {
        if (ask->lines[i].service >= 0 || ask->lines[i].pickup_node.len) {
            reader_fail(reader, "lines[%u]: a line of a reservation has item, qty, line and node; "
                        "service and pickup_node are those of all", i);
        }
    }
}

static void ask_init(struct service_core *service, struct reserve_ask *ask)
{
    memset(ask, 0, sizeof *ask);
    ask_begin(service, &ask->ask, service->asks->lines + ASK_LINE_POOL);
    ask->ask.service = SERVICE_STANDARD;
}

static bool read_create(struct service_core *service, struct reader *reader,
                        const struct call *call, struct reserve_ask *ask)
{
    struct reader_map map;
    ask_init(service, ask);
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, create_fields, CREATE_FIELDS);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_create_field(reader, field, ask);
    }
    reader_require(reader, &map, F_ID);
    reader_require(reader, &map, F_TTL);
    reader_require(reader, &map, F_LINES);
    ask->has_ttl = ask->has_lines = true;
    ask->ask.may_float = !ask->has_service;
    check_lines(reader, &ask->ask);
    return reader_is_ok(reader) && ask_settle(service, reader, &ask->ask);
}

static void content_lines(struct content *content, const struct ask *ask)
{
    content_int(content, ask->line_count);
    for (uint32_t i = 0; i < ask->line_count; i++) {
        content_text(content, ask->lines[i].item.at, ask->lines[i].item.len);
        content_text(content, ask->lines[i].line.at, ask->lines[i].line.len);
        content_text(content, ask->lines[i].node.at, ask->lines[i].node.len);
        content_int(content, ask->route_lines[i].qty);
    }
}

static uint64_t content_of(const struct reserve_ask *ask, enum method method)
{
    const struct ask *own = &ask->ask;
    struct content content;
    content_begin(&content, method);
    content_text(&content, ask->id.at, ask->id.len);
    content_int(&content, ask->has_ttl ? (int64_t)ask->ttl_ms : -1);
    content_lines(&content, own);
    content_int(&content, ask->has_service ? own->service : -1);
    content_text(&content, (const char *)&own->lat, sizeof own->lat);
    content_text(&content, (const char *)&own->lon, sizeof own->lon);
    content_text(&content, own->country, (uint32_t)strlen(own->country));
    content_text(&content, own->postcode, (uint32_t)strlen(own->postcode));
    content_text(&content, own->pickup_node.at, own->pickup_node.len);
    content_text(&content, own->channel.at, own->channel.len);
    content_int(&content, (int64_t)own->required_by_ms);
    content_int(&content, own->has_lat | own->is_po_box << 1 | own->allow_partial << 2);
    return content.hash;
}

/* -- taking -- */

/* Find every name; false: answered with the error. */
static bool resolve(struct service_core *service, struct call *call, struct ask *ask)
{
    for (uint32_t i = 0; i < ask->line_count; i++) {
        struct ask_line *line = &ask->lines[i];
        line->item_hash =
            catalogue_hash(&service->tables.catalogue, line->item.at, line->item.len);
    }
    return ask_resolve(service, call, ask);
}

/* Lines and pieces of the effect, from what was decided. */
static void effect_fill(struct asks *asks, const struct ask *ask, const struct route_answer *found,
                        struct effect_piece *pieces, struct effect_reserve *effect)
{
    for (uint32_t i = 0; i < ask->line_count; i++) {
        const struct text line = ask->lines[i].line;
        bool is_named = ask->lines[i].node.len > 0;
        asks->effect_lines[i] =
            (struct effect_line){.item = ask->route_lines[i].item,
                                 .qty = ask->route_lines[i].qty,
                                 .line = {line.at, line.len},
                                 .node = is_named ? ask->route_lines[i].node : NODE_NONE};
    }
    for (uint32_t i = 0; i < found->share_count; i++) {
        const struct route_share *share = &found->shares[i];
        pieces[i] = (struct effect_piece){share->line, found->parts[share->part].node, share->qty};
    }
    effect->has_lines = true;
    effect->line_count = ask->line_count;
    effect->piece_count = found->share_count;
    effect->lines = asks->effect_lines;
    effect->pieces = pieces;
}

static bool has_room(struct service_core *service, struct call *call,
                     const struct effect_reserve *effect)
{
    bool has_holds = holds_have_room(&service->tables.holds, effect->piece_count);
    if (!has_holds || !reserves_have_room(&service->tables.reserves, effect->is_new,
                                          effect->piece_count)) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "setting=%s: raise it, or let what ended leave sooner (order_window)",
                    has_holds ? "reservations_max" : "holds_max");
        return false;
    }
    return log_room(service, call, effect_reserve_size(effect), 1, WAL_CLAIM_CHANGE);
}

static bool take(struct service_core *service, struct call *call,
                 const struct effect_reserve *effect)
{
    if (!has_room(service, call, effect)) {
        return false;
    }
    uint8_t *bytes = log_begin(service, effect_reserve_size(effect));
    uint64_t lsn = log_end(service, EFFECT_RESERVE, effect_reserve_encode(bytes, effect));
    must_apply(tables_apply_reserve(&service->tables, lsn, service->now_ms, effect), "reserve");
    return true;
}

static slab_ref find(const struct service_core *service, struct text id)
{
    const struct reserves *reserves = &service->tables.reserves;
    return reserves_find(reserves, reserves_hash(reserves, id.at, id.len), id.at, id.len);
}

/* -- reserve.create -- */

static void create(struct service_core *service, struct call *call, struct reserve_ask *ask,
                   uint64_t content)
{
    const struct ask *own = &ask->ask;
    struct route_request request;
    struct route_answer found;
    struct effect_piece pieces[EFFECT_SHARES_MAX];
    if (!resolve(service, call, &ask->ask)) {
        return;
    }
    uint16_t pickup = NODE_NONE;
    if (own->pickup_node.len) {
        pickup = need_node(service, call, "pickup_node", own->pickup_node);
        if (pickup == NODE_NONE) {
            return;
        }
    }
    ask_choose(service, &ask->ask);
    ask_request(service->asks, own, &request);
    route_decide(service->route, &service->tables.view, &request, &found);
    if (found.status == ORDER_REFUSED) {
        refuse(service, call, ask, &found);
        return;
    }
    struct effect_reserve effect = {
        .id = {ask->id.at, ask->id.len},
        .is_new = true,
        .has_dest = own->has_lat,
        .is_po_box = own->is_po_box,
        .allow_partial = own->allow_partial,
        .content = content,
        .expires_ms = service->now_ms + ask->ttl_ms,
        .service = ask->has_service ? (uint8_t)own->service : RESERVE_NO_SERVICE,
        .pickup_node = pickup,
        .required_by_ms = own->required_by_ms,
        .channel = quota_channel(own->channel.at, own->channel.len),
        .lat = own->lat,
        .lon = own->lon,
        .postcode = {own->postcode, (uint32_t)strlen(own->postcode)},
    };
    memcpy(effect.country, own->country, sizeof effect.country);
    effect_fill(service->asks, own, &found, pieces, &effect);
    struct order_dates dates = dates_of(ask, &found);
    if (take(service, call, &effect)) {
        answer_dated(service, call, find(service, ask->id), false, &dates);
    }
}

void handle_reserve_create(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct reserve_ask ask;
    if (!read_create(service, &reader, call, &ask)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint64_t content = content_of(&ask, METHOD_RESERVE_CREATE);
    slab_ref ref = find(service, ask.id);
    if (!ref) {
        create(service, call, &ask, content);
    } else if (reservation_at(&service->tables.reserves, ref)->content == content) {
        answer(service, call, ref, true);
    } else {
        reply_error(service, call, CODE_IDEMPOTENCY_CONFLICT,
                    "reservation_id \"%.*s\" was used for another reservation: reserve.get shows "
                    "it, reserve.update changes it", (int)ask.id.len, ask.id.at);
    }
}

/* -- reserve.update -- */

static bool read_update(struct service_core *service, struct reader *reader,
                        const struct call *call, struct reserve_ask *ask)
{
    static const char *const fields[] = {"reservation_id", "ttl_ms", "lines", "key"};
    struct reader_map map;
    ask_init(service, ask);
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 3) {
            ask->key = reader_text(reader, 1, ID_MAX);
        } else {
            read_create_field(reader, field, ask);
        }
    }
    reader_require(reader, &map, F_ID);
    ask->has_ttl = reader_map_has(&map, F_TTL);
    ask->has_lines = reader_map_has(&map, F_LINES);
    if (reader_is_ok(reader) && !ask->has_ttl && !ask->has_lines) {
        reader_fail(reader, "give ttl_ms, lines or both: else nothing is changed");
    }
    check_lines(reader, &ask->ask);
    return reader_is_ok(reader);
}

/* Where it goes, as it was asked for when it was made. */
static void place_fill(const struct service_core *service, const struct reservation *own,
                       struct reserve_ask *ask)
{
    struct ask *to = &ask->ask;
    ask->has_service = own->service != RESERVE_NO_SERVICE;
    to->service = ask->has_service ? own->service : SERVICE_STANDARD;
    to->may_float = !ask->has_service;
    to->has_lat = to->has_lon = own->has_dest;
    to->lat = own->lat;
    to->lon = own->lon;
    to->is_po_box = own->is_po_box;
    to->allow_partial = own->allow_partial;
    to->required_by_ms = own->required_by_ms;
    memcpy(to->country, own->country, sizeof to->country);
    memcpy(to->postcode, own->postcode, sizeof to->postcode);
    if (own->pickup_node != NODE_NONE) {
        const struct node *node = &service->tables.network.nodes[own->pickup_node];
        to->pickup_node = (struct text){node->id, node->id_len};
    }
}

/* The lines as they are wanted now, with what it holds counted as free. False: answered. */
static bool update_lines(struct service_core *service, struct call *call, slab_ref ref,
                         struct reserve_ask *ask, struct effect_piece *pieces,
                         struct effect_reserve *effect, struct order_dates *dates)
{
    struct reader reader;
    struct route_request request;
    struct route_answer found;
    place_fill(service, reservation_at(&service->tables.reserves, ref), ask);
    reader_init(&reader, call->params, call->params_size);
    if (!ask_settle(service, &reader, &ask->ask)) {
        reply_invalid(service, call, &reader);
        return false;
    }
    if (!resolve(service, call, &ask->ask)) {
        return false;
    }
    ask_choose(service, &ask->ask);
    ask_request(service->asks, &ask->ask, &request);
    request.channel = reservation_at(&service->tables.reserves, ref)->channel;
    lend_begin(service, reserve_lend, &ref);
    route_decide(service->route, &service->tables.view, &request, &found);
    lend_end(service);
    if (found.status == ORDER_REFUSED) {
        refuse(service, call, ask, &found);
        return false;
    }
    effect_fill(service->asks, &ask->ask, &found, pieces, effect);
    *dates = dates_of(ask, &found);
    return true;
}

static void update(struct service_core *service, struct call *call, slab_ref ref,
                   struct reserve_ask *ask)
{
    const struct reservation *own = reservation_at(&service->tables.reserves, ref);
    struct effect_piece pieces[EFFECT_SHARES_MAX];
    struct effect_reserve effect = {
        .id = {ask->id.at, ask->id.len},
        .expires_ms = ask->has_ttl ? service->now_ms + ask->ttl_ms : own->expires_ms};
    const struct key_entry *seen;
    uint64_t content = content_of(ask, METHOD_RESERVE_UPDATE);
    switch (key_look(service, call, ask->key, content, &effect.key, &seen)) {
    case KEY_SEEN:
        answer(service, call, ref, true);
        return;
    case KEY_ANSWERED:
        return;
    case KEY_NEW:
        break;
    }
    if (!reservation_is_live(own)) {
        reserve_refuse_state(service, call, ref);
        return;
    }
    struct order_dates dates = {0, 0, 0, 0};
    if (ask->has_lines && !update_lines(service, call, ref, ask, pieces, &effect, &dates)) {
        return;
    }
    if (take(service, call, &effect)) {
        answer_dated(service, call, ref, false, &dates);
    }
}

void handle_reserve_update(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct reserve_ask ask;
    if (!read_update(service, &reader, call, &ask)) {
        reply_invalid(service, call, &reader);
        return;
    }
    slab_ref ref = need_reservation(service, call, ask.id);
    if (ref) {
        update(service, call, ref, &ask);
    }
}

/* -- reserve.release, reserve.get -- */

static bool read_id(struct reader *reader, const struct call *call, bool has_key,
                    struct text *id, struct text *key)
{
    static const char *const fields[] = {"reservation_id", "key"};
    struct reader_map map;
    *id = *key = (struct text){"", 0};
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, has_key ? 2 : 1);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        *(field == 0 ? id : key) = reader_text(reader, 1, ID_MAX);
    }
    reader_require(reader, &map, 0);
    return reader_is_ok(reader);
}

static void release(struct service_core *service, struct call *call, slab_ref ref, struct text id,
                    struct text key)
{
    struct effect_reserve_end effect = {.id = {id.at, id.len}, .state = RESERVATION_RELEASED};
    const struct reservation *own = reservation_at(&service->tables.reserves, ref);
    const struct key_entry *seen;
    struct content content;
    content_begin(&content, METHOD_RESERVE_RELEASE);
    content_text(&content, id.at, id.len);
    enum key_result result = key_look(service, call, key, content.hash, &effect.key, &seen);
    if (result == KEY_ANSWERED) {
        return;
    }
    if (result == KEY_SEEN || own->state == RESERVATION_RELEASED ||
        own->state == RESERVATION_EXPIRED) {
        answer(service, call, ref, true); /* what it held is free */
    } else if (own->state == RESERVATION_COMMITTED) {
        reserve_refuse_state(service, call, ref);
    } else if (log_room(service, call, EFFECT_SMALL_MAX, 1, WAL_CLAIM_RELEASE)) {
        uint8_t *bytes = log_begin(service, EFFECT_SMALL_MAX);
        uint64_t lsn =
            log_end(service, EFFECT_RESERVE_END, effect_reserve_end_encode(bytes, &effect));
        must_apply(tables_apply_reserve_end(&service->tables, lsn, service->now_ms, &effect),
                   "reserve_end");
        answer(service, call, ref, false);
    }
}

void handle_reserve_release(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct text id;
    struct text key;
    if (!read_id(&reader, call, true, &id, &key)) {
        reply_invalid(service, call, &reader);
        return;
    }
    slab_ref ref = need_reservation(service, call, id);
    if (ref) {
        release(service, call, ref, id, key);
    }
}

void handle_reserve_get(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct text id;
    struct text key;
    if (!read_id(&reader, call, false, &id, &key)) {
        reply_invalid(service, call, &reader);
        return;
    }
    slab_ref ref = need_reservation(service, call, id);
    if (ref) {
        answer(service, call, ref, false);
    }
}
