/* stock.adjust, stock.set, stock.policy: changes of one cell.
 *
 * A keyed change answers from its facts alone, so that the answer to a repeat is the first one
 * with `duplicate: true`. */
#include <string.h>

#include "adjust_hold_internal.h"
#include "load_internal.h"
#include "short.h"

enum {
    DELTA_MAX = 1000000000,
    SAFETY_MAX = 1000000,
    NOTE_MAX = 127,         /* bytes of reason and ref */
    SAME_MOMENT_MS = 1000   /* how far arrivals in one moment may run ahead of the clock */
};

/* -- times of counts and movements -- */

uint64_t time_of_arrival(uint64_t now_ms, uint64_t counted_ms)
{
    bool is_now = counted_ms >= now_ms && counted_ms - now_ms < SAME_MOMENT_MS;
    return is_now ? counted_ms + 1 : now_ms;
}

uint64_t time_of_count(uint64_t now_ms, uint64_t counted_ms, uint64_t latest_ms)
{
    const uint64_t at = time_of_arrival(now_ms, counted_ms);
    return latest_ms > at && latest_ms - at < SAME_MOMENT_MS ? latest_ms : at;
}

bool count_is_too_old(const struct service_core *service, uint64_t counted_at)
{
    return counted_at + service->options.count_window_ms < service->now_ms ||
           counted_at < service->tables.movements.lost_ms;
}

int64_t count_now(const struct service_core *service, uint32_t item, uint16_t node, int64_t value,
                  uint64_t counted_at)
{
    return value + movements_sum(&service->tables.movements, item, node, counted_at);
}

/* -- what the changes share -- */

/* The cell that a change is about, and what its answer tells. */
struct change {
    uint32_t item;
    uint16_t node;
    struct cell cell;
    struct effect_key key;
};

/* Facts of adjust and set, in the order of the key's facts. */
enum { FACT_ON_HAND, FACT_RESERVED, FACT_ATS, FACT_FLAG };

static bool change_find(struct service_core *service, struct call *call, struct text item,
                        struct text node, struct change *change)
{
    change->node = need_node(service, call, "node", node);
    if (change->node == NODE_NONE) {
        return false;
    }
    change->item = need_item(service, call, "item", item);
    if (change->item == ITEM_NONE || refuse_kit(service, call, "item", change->item)) {
        return false;
    }
    change->cell = tables_cell(&service->tables, change->item, change->node);
    return true;
}

static void facts_fill(const struct service_core *service, const struct change *change,
                       int64_t on_hand, bool flag, int64_t facts[KEY_FACTS_MAX])
{
    cell_word word = tables_word(&change->cell);
    int32_t safety = stock_safety(&service->tables.view, change->item, change->node, word);
    facts[FACT_ON_HAND] = on_hand;
    facts[FACT_RESERVED] = cell_reserved(word);
    facts[FACT_ATS] = on_hand - cell_reserved(word) - safety;
    facts[FACT_FLAG] = flag;
}

/* flag_name is told always, or only when it is set (absorbed). */
static void answer_facts(struct service_core *service, struct call *call, const int64_t *facts,
                         const char *flag_name, bool is_flag_told, bool is_duplicate)
{
    struct writer *writer = reply_begin(service, call);
    bool has_flag = is_flag_told || facts[FACT_FLAG];
    writer_map(writer, 4u + has_flag + is_duplicate);
    put_int(writer, "on_hand", facts[FACT_ON_HAND]);
    put_int(writer, "reserved", facts[FACT_RESERVED]);
    put_int(writer, "ats", facts[FACT_ATS]);
    if (has_flag) {
        put_bool(writer, flag_name, facts[FACT_FLAG] != 0);
    }
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* Log and apply one row, or none where only the key is to be remembered. False: answered. */
static bool stock_log(struct service_core *service, struct call *call,
                      const struct effect_stock *effect)
{
    uint32_t size = effect_stock_size(effect);
    const uint32_t more =
        effect->count > 0 ? short_size(service, effect->rows[0].item, effect->node) : 0;
    if (effect->count > 0 &&
        !stock_room_cell(service, call, effect->rows[0].item, effect->node)) {
        return false;
    }
    if (!log_room(service, call, size + more, 2, WAL_CLAIM_CHANGE)) {
        return false;
    }
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn = log_end(service, EFFECT_STOCK, effect_stock_encode(bytes, effect));
    must_apply(tables_apply_stock(&service->tables, lsn, service->now_ms, effect), "stock");
    if (effect->count > 0) {
        short_tell(service, effect->rows[0].item, effect->node);
    }
    return true;
}

static bool is_in_range(int64_t on_hand)
{
    return on_hand >= -CELL_ON_HAND_MAX && on_hand <= CELL_ON_HAND_MAX;
}

/* -- stock.adjust -- */

struct adjust {
    struct text item, node, reason, ref, key, fulfilment, reservation_id;
    int64_t delta;
    uint64_t at; /* 0 = arrival */
};

static void adjust_read(struct service_core *service, struct reader *reader,
                        struct adjust *adjust)
{
    static const char *const fields[] = {"item", "node", "delta", "at", "reason", "ref", "key",
                                         "fulfilment", "reservation_id"};
    struct reader_map map;
    memset(adjust, 0, sizeof *adjust);
    reader_params(reader, &map, fields, 9);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            adjust->item = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            adjust->node = reader_text(reader, 1, ID_MAX);
            break;
        case 2:
            adjust->delta = reader_int(reader, -DELTA_MAX, DELTA_MAX);
            break;
        case 3:
            adjust->at = read_time(service, reader);
            break;
        case 4:
            adjust->reason = reader_text(reader, 0, NOTE_MAX);
            break;
        case 5:
            adjust->ref = reader_text(reader, 0, NOTE_MAX);
            break;
        case 7:
            adjust->fulfilment = reader_text(reader, 1, ID_MAX + 7);
            break;
        case 8:
            adjust->reservation_id = reader_text(reader, 1, ID_MAX);
            break;
        default:
            adjust->key = reader_text(reader, 1, ID_MAX);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
    reader_require(reader, &map, 2);
    if (reader_is_ok(reader) && adjust->fulfilment.len && adjust->reservation_id.len) {
        reader_fail(reader, "give fulfilment or reservation_id, not both");
    }
}

static uint64_t adjust_content(const struct adjust *adjust)
{
    struct content content;
    content_begin(&content, METHOD_STOCK_ADJUST);
    content_text(&content, adjust->item.at, adjust->item.len);
    content_text(&content, adjust->node.at, adjust->node.len);
    content_int(&content, adjust->delta);
    content_int(&content, (int64_t)adjust->at);
    content_text(&content, adjust->reason.at, adjust->reason.len);
    content_text(&content, adjust->ref.at, adjust->ref.len);
    if (adjust->fulfilment.len || adjust->reservation_id.len) {
        content_text(&content, adjust->fulfilment.at, adjust->fulfilment.len);
        content_text(&content, adjust->reservation_id.at, adjust->reservation_id.len);
    }
    return content.hash;
}

/* The units that are held leave first, each with its hold; the rest only leaves. */
static bool adjust_log(struct service_core *service, struct call *call,
                       const struct adjust_hold *hold, const struct change *change, uint32_t units,
                       struct effect_stock *effect, struct effect_stock_row *row)
{
    uint32_t bytes = effect_stock_size(effect) + adjust_hold_size(service, hold) +
                     short_size(service, change->item, change->node);
    if (!stock_room_cell(service, call, change->item, change->node) ||
        !log_room(service, call, bytes, 3, WAL_CLAIM_CHANGE)) {
        return false;
    }
    int64_t fell = adjust_hold_take(service, hold, change->item, change->node, units,
                                    effect->at_ms);
    row->value += row->value != 0 ? (int32_t)fell : 0; /* absorbed: neither changes on_hand */
    effect->count = row->value != 0;
    bool is_change = row->value != 0 || effect->key.is_set;
    return !is_change || stock_log(service, call, effect);
}

static void adjust_apply(struct service_core *service, struct call *call,
                         const struct adjust *adjust, struct change *change)
{
    uint64_t counted = tables_counted_at(&change->cell);
    uint64_t at = adjust->at ? adjust->at : time_of_arrival(service->now_ms, counted);
    bool is_absorbed = at <= counted;
    int64_t moved = is_absorbed ? 0 : adjust->delta;
    int64_t on_hand = cell_on_hand(tables_word(&change->cell)) + moved;
    struct adjust_hold hold;
    if (!is_in_range(on_hand)) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "delta: on_hand would become %lld, it must stay within -%d to %d",
                    (long long)on_hand, CELL_ON_HAND_MAX, CELL_ON_HAND_MAX);
        return;
    }
    if (!adjust_hold_find(service, call, adjust->fulfilment, adjust->reservation_id, &hold)) {
        return;
    }
    uint32_t units =
        adjust_hold_units(service, &hold, change->item, change->node, adjust->delta);
    struct effect_stock_row row = {change->item, (int32_t)moved};
    struct effect_stock effect = {
        .node = change->node, .at_ms = at, .count = moved != 0, .rows = &row, .key = change->key};
    facts_fill(service, change, on_hand, is_absorbed, effect.key.facts);
    effect.key.facts[FACT_RESERVED] -= units;
    effect.key.facts[FACT_ATS] += units;
    if (adjust_log(service, call, &hold, change, units, &effect, &row)) {
        answer_facts(service, call, effect.key.facts, "absorbed", false, false);
    }
}

void handle_stock_adjust(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct adjust adjust;
    struct change change;
    const struct key_entry *seen;
    reader_init(&reader, call->params, call->params_size);
    adjust_read(service, &reader, &adjust);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!change_find(service, call, adjust.item, adjust.node, &change)) {
        return;
    }
    switch (key_look(service, call, adjust.key, adjust_content(&adjust), &change.key, &seen)) {
    case KEY_NEW:
        adjust_apply(service, call, &adjust, &change);
        break;
    case KEY_SEEN:
        answer_facts(service, call, seen->facts, "absorbed", false, true);
        break;
    case KEY_ANSWERED:
        break;
    }
}

/* -- stock.set -- */

struct set {
    struct text item, node, key;
    int64_t on_hand;
    uint64_t counted_at; /* 0 = arrival */
};

static void set_read(struct service_core *service, struct reader *reader, struct set *set)
{
    static const char *const fields[] = {"item", "node", "on_hand", "counted_at", "key"};
    struct reader_map map;
    memset(set, 0, sizeof *set);
    reader_params(reader, &map, fields, 5);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            set->item = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            set->node = reader_text(reader, 1, ID_MAX);
            break;
        case 2:
            set->on_hand = reader_int(reader, -DELTA_MAX, DELTA_MAX);
            break;
        case 3:
            set->counted_at = read_time(service, reader);
            break;
        default:
            set->key = reader_text(reader, 1, ID_MAX);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
    reader_require(reader, &map, 2);
}

static uint64_t set_content(const struct set *set)
{
    struct content content;
    content_begin(&content, METHOD_STOCK_SET);
    content_text(&content, set->item.at, set->item.len);
    content_text(&content, set->node.at, set->node.len);
    content_int(&content, set->on_hand);
    content_int(&content, (int64_t)set->counted_at);
    return content.hash;
}

/* A count is stale when a later one is there, or movements since may be forgotten. */
static void refuse_stale(struct service_core *service, struct call *call, uint64_t counted)
{
    service->refusals[REASON_STALE_COUNT]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, counted ? 5 : 4);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(REASON_STALE_COUNT));
    if (counted) {
        put_int(writer, "counted_at", (int64_t)counted);
    }
    put_int(writer, "count_window_ms", (int64_t)service->options.count_window_ms);
    put_lsn(service, writer);
    reply_send(service, call);
}

static void set_apply(struct service_core *service, struct call *call, const struct set *set,
                      struct change *change)
{
    uint64_t counted = tables_counted_at(&change->cell);
    uint64_t latest = movements_latest(&service->tables.movements, change->item, change->node);
    uint64_t at = set->counted_at ? set->counted_at
                                  : time_of_count(service->now_ms, counted, latest);
    if (at <= counted || (set->counted_at && count_is_too_old(service, at))) {
        refuse_stale(service, call, counted);
        return;
    }
    int64_t on_hand = count_now(service, change->item, change->node, set->on_hand, at);
    if (!is_in_range(on_hand)) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "on_hand: with the movements since counted_at it would be %lld, it must be "
                    "within -%d to %d",
                    (long long)on_hand, CELL_ON_HAND_MAX, CELL_ON_HAND_MAX);
        return;
    }
    const struct effect_stock_row row = {change->item, (int32_t)on_hand};
    struct effect_stock effect = {.is_count = true,
                                  .node = change->node,
                                  .at_ms = at,
                                  .count = 1,
                                  .rows = &row,
                                  .key = change->key};
    bool is_changed = on_hand != cell_on_hand(tables_word(&change->cell));
    facts_fill(service, change, on_hand, is_changed, effect.key.facts);
    if (stock_log(service, call, &effect)) {
        answer_facts(service, call, effect.key.facts, "changed", true, false);
    }
}

void handle_stock_set(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct set set;
    struct change change;
    const struct key_entry *seen;
    reader_init(&reader, call->params, call->params_size);
    set_read(service, &reader, &set);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!change_find(service, call, set.item, set.node, &change)) {
        return;
    }
    switch (key_look(service, call, set.key, set_content(&set), &change.key, &seen)) {
    case KEY_NEW:
        set_apply(service, call, &set, &change);
        break;
    case KEY_SEEN:
        answer_facts(service, call, seen->facts, "changed", true, true);
        break;
    case KEY_ANSWERED:
        break;
    }
}

/* -- stock.policy -- */

struct rule {
    struct text item, node, key;
    bool has_safety, is_safety_given, is_listed, is_listed_given;
    int32_t safety_stock;
    bool has_quotas;
    uint32_t quota_count;
    struct effect_quota quotas[QUOTAS_EACH_MAX];
};

/* Channels and units kept for them; of nil none. */
static void rule_read_quotas(struct reader *reader, struct rule *rule)
{
    struct reader_map map;
    struct text channel;
    rule->has_quotas = true;
    if (reader_nil(reader)) {
        return;
    }
    reader_map_begin(reader, &map, NULL, 0);
    while (reader_map_next_key(reader, &map, &channel)) {
        uint32_t qty = (uint32_t)reader_int(reader, 0, QTY_MAX);
        for (uint32_t i = 0; i < rule->quota_count; i++) {
            const struct effect_text *own = &rule->quotas[i].channel;
            if (own->len == channel.len && memcmp(own->at, channel.at, own->len) == 0) {
                reader_fail(reader, "comes twice");
            }
        }
        if (channel.len == 0 || channel.len > ID_MAX) {
            reader_fail(reader, "a channel has 1 to %d bytes", ID_MAX);
        } else if (rule->quota_count == QUOTAS_EACH_MAX) {
            reader_fail(reader, "at most %d channels", QUOTAS_EACH_MAX);
        } else {
            rule->quotas[rule->quota_count++] =
                (struct effect_quota){{channel.at, channel.len}, qty};
        }
    }
}

static void rule_read(struct reader *reader, struct rule *rule)
{
    static const char *const fields[] = {"item", "node", "safety_stock", "listed", "key", "quotas"};
    struct reader_map map;
    memset(rule, 0, sizeof *rule);
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            rule->item = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            rule->node = reader_text(reader, 1, ID_MAX);
            break;
        case 2:
            rule->is_safety_given = true;
            rule->has_safety = !reader_nil(reader);
            rule->safety_stock =
                rule->has_safety ? (int32_t)reader_int(reader, 0, SAFETY_MAX) : 0;
            break;
        case 3:
            rule->is_listed_given = true;
            rule->is_listed = reader_nil(reader) || reader_bool(reader);
            break;
        case 4:
            rule->key = reader_text(reader, 1, ID_MAX);
            break;
        default:
            rule_read_quotas(reader, rule);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
}

static uint64_t rule_content(const struct rule *rule)
{
    struct content content;
    content_begin(&content, METHOD_STOCK_POLICY);
    content_text(&content, rule->item.at, rule->item.len);
    content_text(&content, rule->node.at, rule->node.len);
    content_int(&content, rule->is_safety_given);
    content_int(&content, rule->has_safety);
    content_int(&content, rule->safety_stock);
    content_int(&content, rule->is_listed_given);
    content_int(&content, rule->is_listed);
    if (rule->has_quotas) { /* not where there are none: contents of old logs stay */
        content_int(&content, rule->quota_count);
    }
    for (uint32_t i = 0; i < rule->quota_count; i++) {
        content_text(&content, rule->quotas[i].channel.at, rule->quotas[i].channel.len);
        content_int(&content, rule->quotas[i].qty);
    }
    return content.hash;
}

static void answer_rule(struct service_core *service, struct call *call, int64_t ats,
                        bool is_duplicate)
{
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 2u + is_duplicate);
    put_int(writer, "ats", ats);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* Whether no quota has a name that there is no room for. */
static bool rule_has_room(struct service_core *service, struct call *call, const struct rule *rule)
{
    const struct quotas *quotas = &service->tables.policies.quotas;
    uint32_t names = quotas->channel_count;
    for (uint32_t i = 0; i < rule->quota_count; i++) {
        const struct effect_text *channel = &rule->quotas[i].channel;
        names += !quotas_know(quotas, channel->at, channel->len);
    }
    if (names > QUOTA_CHANNELS_MAX) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "quotas: at most %d different channels, %u are in use", QUOTA_CHANNELS_MAX,
                    quotas->channel_count);
    }
    return names <= QUOTA_CHANNELS_MAX;
}

static void rule_apply(struct service_core *service, struct call *call, const struct rule *rule,
                       struct change *change)
{
    struct tables *tables = &service->tables;
    cell_word word = tables_word(&change->cell);
    const struct policy *before = policies_find(&tables->policies, change->item, change->node);
    struct effect_policy effect = {
        .item = change->item,
        .node = change->node,
        .has_safety = rule->is_safety_given ? rule->has_safety : before && before->has_safety,
        .is_unlisted = rule->is_listed_given ? !rule->is_listed : before && before->is_unlisted,
        .key = change->key,
        .has_quotas = rule->has_quotas,
        .quota_count = rule->quota_count,
    };
    memcpy(effect.quotas, rule->quotas, sizeof effect.quotas);
    effect.safety_stock = rule->is_safety_given ? rule->safety_stock
                          : effect.has_safety   ? before->safety_stock
                                                : 0;
    int32_t safety = effect.has_safety ? effect.safety_stock
                                       : tables->network.nodes[change->node].config.safety_stock;
    int64_t ats = (int64_t)cell_on_hand(word) - cell_reserved(word) - safety;
    effect.key.facts[0] = ats;
    uint32_t size = effect_policy_size(&effect);
    const struct grown_rules more = {.overrides = 1, .quotas = rule->quota_count};
    if (!rule_has_room(service, call, rule) || !rules_room(service, call, &more) ||
        !stock_room_cell(service, call, change->item, change->node) ||
        !log_room(service, call, size + short_size(service, change->item, change->node), 2,
                  WAL_CLAIM_CHANGE)) {
        return;
    }
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn = log_end(service, EFFECT_POLICY, effect_policy_encode(bytes, &effect));
    must_apply(tables_apply_policy(tables, lsn, service->now_ms, &effect), "policy");
    short_tell(service, change->item, change->node);
    answer_rule(service, call, ats, false);
}

void handle_stock_policy(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct rule rule;
    struct change change;
    const struct key_entry *seen;
    reader_init(&reader, call->params, call->params_size);
    rule_read(&reader, &rule);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!change_find(service, call, rule.item, rule.node, &change)) {
        return;
    }
    switch (key_look(service, call, rule.key, rule_content(&rule), &change.key, &seen)) {
    case KEY_NEW:
        rule_apply(service, call, &rule, &change);
        break;
    case KEY_SEEN:
        answer_rule(service, call, seen->facts[0], true);
        break;
    case KEY_ANSWERED:
        break;
    }
}
