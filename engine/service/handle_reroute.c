/* order.reroute: sources for what an order is owed, or other ones for what its nodes have not
 * picked yet. Refused means that all stays as it was. */
#include <math.h>
#include <string.h>

#include "content_internal.h"
#include "replan_internal.h"
#include "strategy_internal.h"

enum {
    F_ORDER_ID,
    F_FULFILMENTS,
    F_STRATEGY,
    F_INCLUDE,
    F_EXCLUDE,
    F_MAX_SPLITS,
    F_MAX_KM,
    F_ALLOW_PARTIAL,
    F_REQUIRED_BY,
    F_DRY_RUN,
    F_KEY,
    F_COUNT
};

static const char *const fields[F_COUNT] = {
    "order_id", "fulfilments",   "strategy",    "include_nodes", "exclude_nodes", "max_splits",
    "max_km",   "allow_partial", "required_by", "dry_run",       "key",
};

/* Facts that a key remembers. */
enum { FACT_FIRST_PART, FACT_PARTS, FACT_SPLITS, FACT_TOTAL_M, FACT_OPTIMAL };

struct reroute {
    struct text order_id, strategy, key;
    struct text named[LIST_MAX], include[LIST_MAX], exclude[LIST_MAX]; /* ids */
    uint32_t named_count, include_count, exclude_count;
    uint32_t max_splits, max_m;
    uint64_t required_by_ms; /* 0 = as ordered */
    uint16_t rule;           /* handle of the strategy, where one is named */
    bool has_named, has_max_splits, has_max_m, allow_partial, dry_run;
};

/* -- the request -- */

static uint32_t read_ids(struct reader *reader, struct text *ids, uint32_t len_max)
{
    struct reader_array array;
    uint32_t count = 0;
    reader_array_begin(reader, &array, LIST_MAX);
    while (reader_array_next(reader, &array)) {
        ids[count++] = reader_text(reader, 1, len_max);
    }
    return count;
}

static void read_some(struct reader *reader, uint32_t count, const char *what)
{
    if (reader_is_ok(reader) && count == 0) {
        reader_fail(reader, "names no %s: leave it out to mean all", what);
    }
}

static void read_field(struct reader *reader, int field, struct reroute *reroute)
{
    switch (field) {
    case F_ORDER_ID:
        reroute->order_id = reader_text(reader, 1, ID_MAX);
        break;
    case F_FULFILMENTS:
        reroute->named_count = read_ids(reader, reroute->named, ID_MAX + 7);
        read_some(reader, reroute->named_count, "fulfilment");
        break;
    case F_STRATEGY:
        reroute->strategy = reader_text(reader, 1, ID_MAX);
        break;
    case F_INCLUDE:
        reroute->include_count = read_ids(reader, reroute->include, ID_MAX);
        read_some(reader, reroute->include_count, "node");
        break;
    case F_EXCLUDE:
        reroute->exclude_count = read_ids(reader, reroute->exclude, ID_MAX);
        break;
    case F_MAX_SPLITS:
        reroute->max_splits = (uint32_t)reader_int(reader, 0, 1000000);
        break;
    case F_MAX_KM:
        reroute->max_m = (uint32_t)lround(reader_float(reader, 0, 20038) * 1000);
        break;
    case F_ALLOW_PARTIAL:
        reroute->allow_partial = reader_bool(reader);
        break;
    case F_REQUIRED_BY:
        reroute->required_by_ms = (uint64_t)reader_int(reader, 1, TIME_MAX_MS);
        break;
    case F_DRY_RUN:
        reroute->dry_run = reader_bool(reader);
        break;
    default:
        reroute->key = reader_text(reader, 1, ID_MAX);
        break;
    }
}

static bool decode(struct reader *reader, const struct call *call, struct reroute *reroute)
{
    struct reader_map map;
    memset(reroute, 0, offsetof(struct reroute, named));
    reroute->named_count = reroute->include_count = reroute->exclude_count = 0;
    reroute->allow_partial = reroute->dry_run = false;
    reroute->rule = STRATEGY_NEAREST;
    reroute->required_by_ms = 0;
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, F_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_field(reader, field, reroute);
    }
    reader_require(reader, &map, F_ORDER_ID);
    reroute->has_named = reader_map_has(&map, F_FULFILMENTS);
    reroute->has_max_splits = reader_map_has(&map, F_MAX_SPLITS);
    reroute->has_max_m = reader_map_has(&map, F_MAX_KM);
    if (reader_is_ok(reader) && reroute->has_named && reroute->allow_partial) {
        reader_fail(reader, "allow_partial: not with fulfilments, which move whole or stay");
    }
    return reader_is_ok(reader);
}

static void content_ids(struct content *content, const struct text *ids, uint32_t count)
{
    content_int(content, count);
    for (uint32_t i = 0; i < count; i++) {
        content_text(content, ids[i].at, ids[i].len);
    }
}

static uint64_t content_of(const struct reroute *reroute)
{
    struct content content;
    content_begin(&content, METHOD_ORDER_REROUTE);
    content_text(&content, reroute->order_id.at, reroute->order_id.len);
    content_ids(&content, reroute->named, reroute->named_count);
    content_ids(&content, reroute->include, reroute->include_count);
    content_ids(&content, reroute->exclude, reroute->exclude_count);
    content_int(&content, reroute->has_max_splits ? (int64_t)reroute->max_splits : -1);
    content_int(&content, reroute->has_max_m ? (int64_t)reroute->max_m : -1);
    content_int(&content, reroute->allow_partial);
    content_int(&content, (int64_t)reroute->required_by_ms);
    return content.hash;
}

/* -- names -- */

static bool nodes_find(struct service_core *service, struct call *call, const char *field,
                       const struct text *ids, uint32_t count, uint16_t *out)
{
    for (uint32_t i = 0; i < count; i++) {
        out[i] = need_node(service, call, field, ids[i]);
        if (out[i] == NODE_NONE) {
            return false;
        }
    }
    return true;
}

/* What the request says in place of what the order was asked with. False: answered. */
static bool where_fill(struct service_core *service, struct call *call,
                       const struct reroute *reroute, struct replan *replan,
                       struct replan_where *where)
{
    *where = replan_where_of(replan);
    where->allow_partial = reroute->allow_partial;
    where->lends = reroute->has_named;
    if (reroute->required_by_ms) {
        where->required_by_ms = reroute->required_by_ms;
    }
    if (reroute->has_max_splits) {
        where->max_splits = reroute->max_splits;
    }
    if (reroute->has_max_m) {
        where->max_m = reroute->max_m;
    }
    if (reroute->include_count > 0) { /* who names nodes means them, whatever they said before */
        where->include = replan->include;
        where->include_count = reroute->include_count;
        where->forgives = true;
    }
    if (reroute->exclude_count > 0) {
        where->exclude = replan->exclude;
        where->exclude_count = reroute->exclude_count;
    }
    return nodes_find(service, call, "include_nodes", reroute->include, reroute->include_count,
                      replan->include) &&
           nodes_find(service, call, "exclude_nodes", reroute->exclude, reroute->exclude_count,
                      replan->exclude);
}

/* -- answers -- */

static void refuse_state(struct service_core *service, struct call *call, struct order *order,
                         const char *id, uint32_t id_len, enum state state)
{
    service->refusals[REASON_INVALID_STATE]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 5u + (id != NULL));
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(REASON_INVALID_STATE));
    if (id) {
        put_text(writer, "fulfilment", id, id_len);
        put_string(writer, "state", state_text(state));
    } else {
        put_string(writer, "state", order_status_text(order_status_now(order)));
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* What a decision gave, as order.route tells it. */
static void put_sums(struct writer *writer, const int64_t facts[KEY_FACTS_MAX])
{
    put_int(writer, "splits", facts[FACT_SPLITS]);
    put_km(writer, "total_km", (uint64_t)facts[FACT_TOTAL_M]);
    put_bool(writer, "optimal", facts[FACT_OPTIMAL] != 0);
}

static void answer(struct service_core *service, struct call *call, const struct replan *replan,
                   uint32_t first_part, const int64_t facts[KEY_FACTS_MAX], bool is_dry)
{
    bool is_refused = replan->answer.status == ORDER_REFUSED;
    bool is_short = false;
    for (uint32_t i = 0; i < replan->line_count; i++) {
        is_short = is_short || replan->left[i] > 0;
    }
    enum order_status status = is_dry && is_short ? ORDER_PARTIAL : ORDER_ROUTED;
    if (!is_dry && replan->order->owed_first != OWED_NONE) {
        status = order_status_now(replan->order);
    }
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 8u + is_refused + is_dry);
    put_lsn(service, writer);
    put_text(writer, "order_id", order_id(replan->order), replan->order->id_len);
    put_string(writer, "status", order_status_text(is_refused ? ORDER_REFUSED : status));
    if (is_refused) {
        put_string(writer, "reason", reason_text(replan->answer.reason));
    }
    replan_put_parts(service, writer, replan, first_part);
    replan_put_left(service, writer, replan);
    put_sums(writer, facts);
    if (is_dry) {
        put_bool(writer, "dry_run", true);
    }
    reply_send(service, call);
}

/* A repeat: the fulfilments of then as they are now. */
static void answer_seen(struct service_core *service, struct call *call, struct order *order,
                        const int64_t facts[KEY_FACTS_MAX])
{
    int64_t first = facts[FACT_FIRST_PART];
    int64_t parts = first + facts[FACT_PARTS] <= order->part_count ? facts[FACT_PARTS] : 0;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 9);
    put_lsn(service, writer);
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_string(writer, "status", order_status_text(order_status_now(order)));
    writer_str(writer, "fulfilments");
    writer_array(writer, (uint32_t)parts);
    for (int64_t i = 0; i < parts; i++) {
        put_fulfilment(service, writer, order, (uint32_t)(first + i), false);
    }
    put_owed(service, writer, order);
    put_sums(writer, facts);
    put_bool(writer, "duplicate", true);
    reply_send(service, call);
}

/* -- what moves -- */

static uint32_t want_part(struct replan *replan, uint32_t part)
{
    const struct order_part *own = &order_parts(replan->order)[part];
    uint32_t units = 0;
    for (uint32_t i = 0; i < own->share_count; i++) {
        uint32_t share = own->share_first + i;
        uint32_t movable = replan_movable(replan->order, share);
        replan_move(replan, share, movable);
        units += movable;
    }
    return units;
}

/* What is not picked yet of the named fulfilments. False: answered. */
static bool want_named(struct service_core *service, struct call *call,
                       const struct reroute *reroute, struct replan *replan)
{
    bool named[EFFECT_PARTS_MAX] = {false};
    for (uint32_t i = 0; i < reroute->named_count; i++) {
        struct text id = reroute->named[i];
        slab_ref ref;
        uint32_t part;
        if (!need_fulfilment(service, call, id, &ref, &part)) {
            return false;
        }
        if (ref != replan->ref) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "fulfilments[%u]: %.*s is of another order", i, (int)id.len, id.at);
            return false;
        }
        if (!named[part] && want_part(replan, part) == 0) {
            refuse_state(service, call, replan->order, id.at, id.len,
                         part_state(replan->order, part));
            return false;
        }
        named[part] = true;
    }
    return true;
}

/* -- the change -- */

static void reroute_decide(struct service_core *service, struct call *call,
                           const struct reroute *reroute, struct replan *replan,
                           const struct effect_key *key)
{
    struct replan_where where;
    uint32_t first_part = replan->order->part_count;
    if (!where_fill(service, call, reroute, replan, &where)) {
        return;
    }
    bool is_found = replan_decide(service, replan, &where);
    replan->effect.key = *key;
    int64_t *facts = replan->effect.key.facts;
    facts[FACT_SPLITS] = replan->answer.splits;
    facts[FACT_TOTAL_M] = (int64_t)replan->answer.total_m;
    facts[FACT_OPTIMAL] = replan->answer.is_optimal;
    if (!is_found) {
        service->refusals[replan->answer.reason]++;
        answer(service, call, replan, first_part, facts, reroute->dry_run);
        return;
    }
    if (reroute->has_named) {
        replan_settle(replan);
    } else {
        replan_pay(service, replan);
    }
    facts[FACT_FIRST_PART] = first_part;
    facts[FACT_PARTS] = replan->effect.part_count;
    if (reroute->dry_run) {
        answer(service, call, replan, first_part, facts, true);
    } else if (replan->effect.part_count == 0) {
        answer_seen(service, call, replan->order, facts);
    } else if (replan_has_room(service, call, replan)) {
        replan_take(service, replan);
        answer(service, call, replan, first_part, facts, false);
    }
}

static void decide(struct service_core *service, struct call *call, const struct reroute *reroute,
                   slab_ref ref)
{
    struct order *order = order_at(&service->tables.orders, ref);
    struct effect_key key = {.is_set = false};
    const struct key_entry *seen = NULL;
    int64_t none[KEY_FACTS_MAX] = {[FACT_OPTIMAL] = 1};
    enum key_result result =
        reroute->dry_run ? KEY_NEW
                         : key_look(service, call, reroute->key, content_of(reroute), &key, &seen);
    if (result == KEY_SEEN) {
        answer_seen(service, call, order, seen->facts);
    } else if (result == KEY_NEW && order->done_ms) {
        refuse_state(service, call, order, NULL, 0, STATE_OPEN);
    } else if (result == KEY_NEW && !reroute->has_named && order->owed_first == OWED_NONE) {
        answer_seen(service, call, order, none);
    } else if (result == KEY_NEW) {
        struct replan *replan = replan_begin(service, ref, CAUSE_REROUTE);
        replan->effect.has_strategy = reroute->strategy.len > 0; /* and the order remembers it */
        replan->effect.strategy = reroute->rule;
        if (!reroute->has_named) {
            replan_want_owed(service, replan);
        }
        if (!reroute->has_named || want_named(service, call, reroute, replan)) {
            reroute_decide(service, call, reroute, replan, &key);
        }
    }
}

static bool strategy_resolve(struct service_core *service, struct call *call,
                             struct reroute *reroute)
{
    const struct text none = {"", 0};
    return reroute->strategy.len == 0 ||
           need_strategy(service, call, reroute->strategy, SERVICE_STANDARD, none, &reroute->rule);
}

void handle_order_reroute(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct reroute reroute;
    if (!decode(&reader, call, &reroute)) {
        reply_invalid(service, call, &reader);
        return;
    }
    slab_ref ref = need_order(service, call, reroute.order_id);
    if (ref && strategy_resolve(service, call, &reroute)) {
        decide(service, call, &reroute, ref);
    }
}
