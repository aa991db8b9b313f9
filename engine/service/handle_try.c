/* strategy.try: the orders that came last, decided again by another strategy with the production
 * decision, a few between other work; nothing is changed. Those of the log (try_log.c); those that
 * came before its begin out of memory. */
#include <string.h>

#include "strategy_internal.h"
#include "try_internal.h"

enum {
    TRY_SLICE = 4,          /* orders of a slice, fewer when they search long: */
    TRY_SLICE_STEPS = 8000, /* of searches, after which no further order is begun */
    TRY_SKIPPED = 250       /* orders of a slice that there is nothing to decide of */
};

/* -- the orders, newest first -- */

static slab_ref next_ref(const struct service_core *service, struct trial *trial)
{
    const struct orders *orders = &service->tables.orders;
    if (!trial->is_begun) {
        trial->is_begun = true;
        return orders->newest;
    }
    uint64_t hash = orders_hash(orders, trial->last_id, trial->last_len);
    slab_ref last = orders_find(orders, hash, trial->last_id, trial->last_len);
    if (!last || order_at(orders, last)->lsn != trial->last_lsn) {
        trial->is_cut = true;
        return 0;
    }
    return order_at(orders, last)->older;
}

static void note_last(struct trial *trial, const struct order *order)
{
    trial->last_lsn = order->lsn;
    trial->last_len = order->id_len;
    memcpy(trial->last_id, order_id(order), order->id_len);
}

/* -- one order -- */

/* When the last of its open fulfilments is promised, in minutes; 0 = none is. */
static uint32_t promised(const struct again *again)
{
    struct order *order = again->order;
    uint32_t latest = 0;
    for (uint32_t i = 0; i < order->part_count; i++) {
        uint32_t by_min = order_parts(order)[i].dates.by_min;
        latest = again_has(again, i) && by_min > latest ? by_min : latest;
    }
    return latest;
}

static void sum_was(struct trial *trial, struct order *order)
{
    for (uint32_t i = 0; i < order->part_count; i++) {
        const struct order_part *part = &order_parts(order)[i];
        if (again_has(&trial->again, i)) {
            trial->was.shipments++;
            trial->was.metres += part->metres;
            trial->was.cents += part->cost_cents;
            trial->loads[0][part->node]++;
        }
    }
}

uint32_t try_sum_would(struct trial *trial, const struct route_answer *answer)
{
    uint32_t latest = 0;
    for (uint32_t i = 0; i < answer->part_count; i++) {
        const struct route_part *part = &answer->parts[i];
        trial->would.shipments++;
        trial->would.metres += part->metres;
        trial->would.cents += part->cost_cents;
        trial->loads[1][part->node]++;
        latest = part->dates.by_min > latest ? part->dates.by_min : latest;
    }
    return latest;
}

/* Minutes from the order's coming to its promise, against those from now to the new one. */
void try_sum_dates(const struct service_core *service, struct trial *trial, uint64_t created_ms,
                   uint32_t was_min, uint32_t would_min)
{
    uint64_t created_min = created_ms / 60000;
    uint64_t now_min = service->now_ms / 60000;
    if (was_min <= created_min || would_min <= now_min) {
        return;
    }
    uint64_t was = was_min - created_min;
    uint64_t would = would_min - now_min;
    trial->dated++;
    trial->was.minutes += was;
    trial->would.minutes += would;
    trial->sooner += would < was;
    trial->later += would > was;
}

/* Whether the order's open units are at nodes that the answer has none at. */
static bool is_moved(const struct again *again, const struct route_answer *answer)
{
    struct order *order = again->order;
    uint32_t open = 0;
    for (uint32_t i = 0; i < order->part_count; i++) {
        if (!again_has(again, i)) {
            continue;
        }
        open++;
        bool is_kept = false;
        for (uint32_t k = 0; k < answer->part_count && !is_kept; k++) {
            is_kept = answer->parts[k].node == order_parts(order)[i].node;
        }
        if (!is_kept) {
            return true;
        }
    }
    return open != answer->part_count;
}

/* Steps of the search that it took; 0: there was nothing to decide. */
static uint32_t try_order(struct service_core *service, struct trial *trial, struct order *order)
{
    struct route_answer answer;
    if (!again_begin(service, order, true, &trial->again)) {
        trial->skipped++;
        return 0;
    }
    trial->again.request.strategy = strategies_at(&service->tables.strategies, trial->handle);
    again_decide(service, &trial->again, &answer);
    trial->orders++;
    if (answer.status == ORDER_REFUSED) {
        trial->refused++;
        return answer.steps + 1;
    }
    trial->moved += is_moved(&trial->again, &answer);
    sum_was(trial, order);
    try_sum_dates(service, trial, order->created_ms, promised(&trial->again),
                  try_sum_would(trial, &answer));
    return answer.steps + 1;
}

/* -- the answer -- */

static void put_sums(struct writer *writer, const char *name, const struct try_sums *sums,
                     uint64_t dated)
{
    writer_string(writer, name);
    writer_map(writer, 3u + (dated > 0));
    put_int(writer, "shipments", (int64_t)sums->shipments);
    put_km(writer, "total_km", sums->metres);
    put_int(writer, "cost_cents", (int64_t)sums->cents);
    if (dated > 0) {
        put_float(writer, "delivery_minutes", (double)sums->minutes / (double)dated);
    }
}

/* Nodes whose load would change, in the order of their making. */
static uint32_t put_nodes(const struct service_core *service, struct writer *writer,
                          const struct trial *trial)
{
    uint32_t changed = 0;
    uint32_t told = 0;
    writer_str(writer, "nodes");
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < service->tables.network.count; i++) {
        const struct node *node = &service->tables.network.nodes[i];
        if (trial->loads[0][i] == trial->loads[1][i]) {
            continue;
        }
        changed++;
        if (told < PAGE_MAX) {
            writer_map(writer, 3);
            put_text(writer, "node", node->id, node->id_len);
            put_int(writer, "was", trial->loads[0][i]);
            put_int(writer, "would", trial->loads[1][i]);
            told++;
        }
    }
    writer_array_close(writer, mark, told);
    return changed;
}

void try_answer(struct service_core *service, struct call *call, const struct trial *trial)
{
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 14 + STRATEGY_NAME_FIELDS);
    put_strategy_name(service, writer, trial->handle);
    put_int(writer, "orders", (int64_t)trial->orders);
    put_int(writer, "skipped", (int64_t)trial->skipped);
    put_int(writer, "refused", (int64_t)trial->refused);
    put_int(writer, "were_refused", (int64_t)trial->were_refused);
    put_int(writer, "now_routed", (int64_t)trial->now_routed);
    put_int(writer, "moved", (int64_t)trial->moved);
    put_int(writer, "sooner", (int64_t)trial->sooner);
    put_int(writer, "later", (int64_t)trial->later);
    put_bool(writer, "complete", !trial->is_cut);
    put_sums(writer, "was", &trial->was, trial->dated);
    put_sums(writer, "would", &trial->would, trial->dated);
    uint32_t changed = put_nodes(service, writer, trial);
    put_int(writer, "nodes_changed", changed);
    put_lsn(service, writer);
    reply_send(service, call);
}

bool try_memory(struct service_core *service, struct trial *trial, uint64_t before_lsn)
{
    uint32_t steps = 0;
    uint32_t skipped = 0;
    slab_ref ref = trial->last_n > 0 ? next_ref(service, trial) : 0;
    for (uint32_t done = 0; ref && done < TRY_SLICE && skipped < TRY_SKIPPED;) {
        struct order *order = order_at(&service->tables.orders, ref);
        const bool is_asked = order->lsn < before_lsn;
        const uint32_t own = is_asked ? try_order(service, trial, order) : 0;
        note_last(trial, order);
        trial->last_n -= is_asked;
        done += own > 0;
        skipped += own == 0;
        steps += own;
        ref = trial->last_n > 0 ? order->older : 0;
        if (steps > TRY_SLICE_STEPS) {
            break;
        }
    }
    return !ref;
}

/* -- the request -- */

struct try_ask {
    struct text name;
    uint32_t version; /* 0 = the newest */
    uint32_t last_n;
    uint64_t from_lsn; /* 0 = last_n is given */
};

static bool decode(struct reader *reader, const struct call *call, struct try_ask *ask)
{
    static const char *const fields[] = {"name", "version", "last_n", "from_lsn"};
    struct reader_map map;
    *ask = (struct try_ask){.last_n = TRY_ORDERS_MAX};
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            ask->name = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            ask->version = (uint32_t)reader_int(reader, 1, STRATEGY_VERSIONS_MAX);
            break;
        case 2:
            ask->last_n = (uint32_t)reader_int(reader, 1, TRY_ORDERS_MAX);
            break;
        default:
            ask->from_lsn = (uint64_t)reader_int(reader, 1, INT64_MAX);
        }
    }
    reader_require(reader, &map, 0);
    if (reader_is_ok(reader) && reader_map_has(&map, 2) == reader_map_has(&map, 3)) {
        reader_fail(reader, "last_n: give it or from_lsn, one of the two");
    }
    return reader_is_ok(reader);
}

void handle_strategy_try(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct try_ask ask;
    uint16_t handle;
    if (!decode(&reader, call, &ask)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!strategies_find(&service->tables.strategies, ask.name.at, ask.name.len, ask.version,
                         &handle)) {
        reply_error(service, call, CODE_UNKNOWN_STRATEGY,
                    "name: \"%.*s\"%s is not known: strategy.list tells them", (int)ask.name.len,
                    ask.name.at, ask.version ? " of that version" : "");
        return;
    }
    if (!try_log_open(service, call, ask.from_lsn)) {
        return;
    }
    struct job *job = job_new(service, call, sizeof(struct trial));
    if (!job) {
        return;
    }
    struct trial *trial = job->rows;
    memset(trial, 0, sizeof *trial);
    trial->handle = handle;
    trial->last_n = ask.last_n;
    trial->log.next = ask.from_lsn;
    trial->log.last = lsn_begun(service);
    trial->log.from = trial->log.end = trial->log.last + 1;
    trial->is_last_n = ask.from_lsn == 0;
    trial->phase = trial->is_last_n ? TRY_COUNT : TRY_REPLAY;
    job->step = try_log_step;
    job_start(service, job);
}
