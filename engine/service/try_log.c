/* strategy.try over past orders: their records in the log, decided again from what they say.
 *
 * An order is decided as if it came now and alone, for the units that it was given; they are
 * counted as free where it took them, shipped or not, unless they came back since. What was asked
 * in times moves along: as much later as now is than its coming. Refused requests are in the
 * log as well (not all: their number is limited), and are asked again as they were. */
#include <stdlib.h>
#include <string.h>

#include "try_internal.h"

enum {
    SLICE = 4,          /* orders of a slice, fewer when they search long: */
    SLICE_STEPS = 8000, /* of searches, after which no further order is begun */
    SLICE_RECORDS = 500 /* of other kinds */
};

bool try_log_open(struct service_core *service, struct call *call, uint64_t from_lsn)
{
    const uint64_t oldest = wal_feed_oldest(service->wal);
    const struct service_options *options = &service->options;
    const struct wal_feed_options how = {
        .dir = options->log.dir,
        .force_buffered = options->log.force_buffered,
        .disk = options->feed_thread ? NULL : wal_disk(service->wal),
        .context_type = EFFECT_TIME,
    };
    if (from_lsn && from_lsn < oldest) {
        reply_error(service, call, CODE_EVENTS_GONE,
                    "from_lsn: orders before oldest_lsn=%llu are gone from the log",
                    (unsigned long long)oldest);
        return false;
    }
    if (!service->try_feed && wal_feed_new(&how, &service->try_feed) != ERR_OK) {
        reply_error(service, call, CODE_INTERNAL, "the log cannot be opened for reading");
        return false;
    }
    return true;
}

/* -- the request, out of the record -- */

/* Units of a line that the order was given. */
static uint32_t given(const struct effect_order *effect, uint32_t line)
{
    const struct effect_line *own = &effect->lines[line];
    return own->qty - own->unfilled - (effect->is_backorder ? effect->owed[line] : 0);
}

static uint32_t lines_fill(const struct effect_order *effect, bool was_refused, struct again *again)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < effect->line_count; i++) {
        const struct effect_line *own = &effect->lines[i];
        uint32_t qty = was_refused ? own->qty : given(effect, i);
        if (qty > 0 && own->service != SERVICE_CARRY_OUT) {
            again->lines[count++] =
                (struct route_line){.item = own->item,
                                    .qty = qty,
                                    .service = (enum service)own->service,
                                    .node = own->node,
                                    .kit = own->kit.item ? (uint16_t)(own->kit.first + 1) : 0};
        }
    }
    return count;
}

static void place_fill(const struct service_core *service, const struct effect_order *effect,
                       struct again *again)
{
    struct route_request *request = &again->request;
    memset(again->country, 0, sizeof again->country);
    memset(again->postcode, 0, sizeof again->postcode);
    memcpy(again->country, effect->country, sizeof again->country - 1);
    if (effect->postcode.len > 0) {
        memcpy(again->postcode, effect->postcode.at, effect->postcode.len);
    }
    request->country = again->country;
    request->postcode = again->postcode;
    request->is_po_box = effect->is_po_box;
    if (effect->has_dest) {
        request->dest = geo_point(effect->lat, effect->lon);
        request->has_dest = true;
    } else if (effect->postcode.len > 0) {
        request->has_dest = gazetteer_find(&service->tables.gazetteer, again->country,
                                           again->postcode, &request->dest);
    }
}

static void request_fill(const struct service_core *service, struct trial *trial,
                         const struct effect_order *effect, bool was_refused)
{
    struct again *again = &trial->again;
    struct route_request *request = &again->request;
    uint64_t created_ms = trial->log.at_ms;
    *request = (struct route_request){.lines = again->lines};
    request->line_count = lines_fill(effect, was_refused, again);
    place_fill(service, effect, again);
    request->max_splits = effect->max_splits;
    request->max_m = effect->max_m;
    request->allow_partial = was_refused && effect->allow_partial;
    request->include = effect->include;
    request->include_count = effect->include_count;
    request->exclude = effect->exclude;
    request->exclude_count = effect->exclude_count;
    request->required_by_ms = again_time(service, created_ms, effect->required_by_ms);
    request->deliver_after_ms = again_time(service, created_ms, effect->deliver_after_ms);
    request->strategy = strategies_at(&service->tables.strategies, trial->handle);
    request->channel =
        channel_find(service, (struct text){effect->channel.at, effect->channel.len});
}

/* -- its own units -- */

/* The order of the record, where it is still in memory. */
static struct order *order_of(struct service_core *service, const struct effect_order *effect,
                              uint64_t lsn)
{
    const struct orders *orders = &service->tables.orders;
    uint64_t hash = orders_hash(orders, effect->id.at, effect->id.len);
    slab_ref ref = orders_find(orders, hash, effect->id.at, effect->id.len);
    struct order *order = ref ? order_at(orders, ref) : NULL;
    return order && order->lsn == lsn ? order : NULL;
}

/* Units of the share that the order holds, and that left the building. */
static void share_units(struct order *order, const struct effect_order *effect, uint32_t index,
                        int32_t *held_out, int32_t *gone_out)
{
    *held_out = 0;
    *gone_out = (int32_t)effect->shares[index].qty;
    if (order) {
        const struct order_share *share = &order_shares(order)[index];
        *held_out = (int32_t)order_share_held(order, index);
        *gone_out = (int32_t)share_active(share) - *held_out;
    }
}

/* What is lent for a share: as much as it holds, and of what left as much as there is room for. */
static void lent_fill(struct service_core *service, struct trial *trial,
                      const struct effect_order *effect, struct order *order)
{
    for (uint32_t i = 0; i < effect->share_count; i++) {
        const struct effect_share *share = &effect->shares[i];
        const struct effect_part *part = &effect->parts[share->part];
        const uint32_t item = effect->lines[share->line].item;
        const struct cell cell = tables_cell(&service->tables, item, part->node);
        int32_t held = 0;
        int32_t gone = 0;
        if (cell.index >= 0 && part->way != WAY_CARRY_OUT) {
            share_units(order, effect, i, &held, &gone);
        }
        trial->log.lent[i] = held;
        trial->log.lent_gone[i] = gone;
    }
}

/* A record's order, and what is lent for it. */
struct own_units {
    struct trial *trial;
    const struct effect_order *effect;
};

static void gone_lend(struct service_core *service, uint32_t item, uint16_t node, int32_t *gone)
{
    const struct cell cell = tables_cell(&service->tables, item, node);
    const int64_t room = (int64_t)CELL_ON_HAND_MAX - cell_on_hand(tables_word(&cell));
    *gone = *gone < room ? *gone : (int32_t)room;
    tables_lend_gone(&service->tables, item, node, *gone);
}

static void lend(struct service_core *service, const void *what, bool is_lent)
{
    const struct own_units *own = what;
    const struct effect_order *effect = own->effect;
    struct try_log *log = &own->trial->log;
    for (uint32_t i = 0; i < effect->share_count; i++) {
        const uint32_t item = effect->lines[effect->shares[i].line].item;
        const uint16_t node = effect->parts[effect->shares[i].part].node;
        if (log->lent[i] > 0) {
            tables_lend(&service->tables, item, node, is_lent ? log->lent[i] : -log->lent[i]);
        }
        if (log->lent_gone[i] > 0 && is_lent) {
            gone_lend(service, item, node, &log->lent_gone[i]);
        } else if (log->lent_gone[i] > 0) {
            tables_lend_gone(&service->tables, item, node, -log->lent_gone[i]);
        }
    }
}

/* -- one order -- */

/* Sums of what it was given; its latest promise in minutes, 0 = none. */
static uint32_t sum_was(struct trial *trial, const struct effect_order *effect)
{
    uint32_t latest = 0;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        const struct effect_part *part = &effect->parts[i];
        if (part->way == WAY_CARRY_OUT) {
            continue;
        }
        trial->was.shipments++;
        trial->was.metres += part->metres;
        trial->was.cents += part->cost_cents;
        trial->loads[0][part->node]++;
        latest = part->dates.by_min > latest ? part->dates.by_min : latest;
    }
    return latest;
}

/* Whether the answer has other nodes than the order was given. */
static bool is_moved(const struct effect_order *effect, const struct route_answer *answer)
{
    uint32_t parts = 0;
    for (uint32_t i = 0; i < effect->part_count; i++) {
        bool is_kept = effect->parts[i].way == WAY_CARRY_OUT;
        parts += !is_kept;
        for (uint32_t k = 0; k < answer->part_count && !is_kept; k++) {
            is_kept = answer->parts[k].node == effect->parts[i].node;
        }
        if (!is_kept) {
            return true;
        }
    }
    return parts != answer->part_count;
}

static void refused_note(struct trial *trial, const struct route_answer *answer)
{
    trial->were_refused++;
    trial->now_routed += answer->status != ORDER_REFUSED;
}

static void order_note(const struct service_core *service, struct trial *trial,
                       const struct effect_order *effect, const struct route_answer *answer)
{
    trial->orders++;
    if (answer->status == ORDER_REFUSED) {
        trial->refused++;
        return;
    }
    trial->moved += is_moved(effect, answer);
    uint32_t was_min = sum_was(trial, effect);
    uint32_t would_min = try_sum_would(trial, answer);
    try_sum_dates(service, trial, trial->log.at_ms, was_min, would_min);
}

/* Steps of the search that it took; 0: there was nothing to decide. */
static uint32_t order_try(struct service_core *service, struct trial *trial, uint64_t lsn,
                          const struct effect_order *effect, bool was_refused)
{
    struct route_answer answer;
    request_fill(service, trial, effect, was_refused);
    if (trial->again.request.line_count == 0) {
        trial->skipped++;
        return 0;
    }
    const struct own_units own = {trial, effect};
    lent_fill(service, trial, effect, order_of(service, effect, lsn));
    lend_begin(service, lend, &own);
    route_decide(service->route, &service->tables.view, &trial->again.request, &answer);
    lend_end(service);
    if (was_refused) {
        refused_note(trial, &answer);
    } else {
        order_note(service, trial, effect, &answer);
    }
    return answer.steps + 1;
}

/* -- records -- */

/* Whether the order, or refused request, is among those asked for. */
static bool is_wanted(struct trial *trial, bool was_refused)
{
    const bool is_before = trial->log.skip > 0;
    trial->log.skip -= is_before && !was_refused;
    trial->last_n -= !is_before && !(trial->is_last_n && was_refused) && trial->last_n > 0;
    return !is_before;
}

/* The next record of the part; *steps_out as order_try. False: it cannot be read. */
static bool record_take(struct service_core *service, struct trial *trial, uint32_t *steps_out)
{
    struct try_log *log = &trial->log;
    const uint8_t *head = log->part.bytes;
    const uint8_t *bytes = head + WAL_RECORD_HEADER_SIZE;
    const uint32_t size = wal_record_size(head);
    enum err err = ERR_OK;
    *steps_out = 0;
    if (head[0] == EFFECT_TIME) {
        err = effect_time_decode(bytes, size, &log->at_ms);
    } else if (head[0] == EFFECT_ORDER || head[0] == EFFECT_REFUSED) {
        const bool was_refused = head[0] == EFFECT_REFUSED;
        struct effect_order effect;
        err = effect_order_decode(bytes, size, service->tables.scratch, &effect);
        if (err == ERR_OK && is_wanted(trial, was_refused)) {
            *steps_out = order_try(service, trial, log->next, &effect, was_refused);
        }
    }
    log->part.bytes = bytes + size;
    log->part.count--;
    log->next++;
    return err == ERR_OK;
}

/* Behind the last of n orders may be requests that were refused. */
static bool wants_more(const struct trial *trial)
{
    return trial->last_n > 0 || trial->is_last_n;
}

/* Records until enough was done. */
static bool records_take(struct service_core *service, struct trial *trial)
{
    uint32_t steps = 0;
    uint32_t orders = 0;
    for (uint32_t i = 0;
         i < SLICE_RECORDS && orders < SLICE && steps <= SLICE_STEPS && trial->log.part.count > 0 &&
         trial->log.next <= trial->log.last && wants_more(trial);
         i++) {
        uint32_t own;
        if (!record_take(service, trial, &own)) {
            return false;
        }
        steps += own;
        orders += own > 0;
    }
    return true;
}

/* What the feed brought becomes the part. */
static enum err part_take(struct service_core *service, struct try_log *log)
{
    enum err err;
    struct wal_feed_part part;
    if (!wal_feed_take(service->try_feed, &err, &part)) {
        return ERR_OK;
    }
    if (!log->is_asked) {
        return ERR_OK; /* a trial that nobody waited for any more had asked for it */
    }
    log->is_asked = false;
    if (err == ERR_OK) {
        CHECK(part.lsn == log->next);
        log->part = part;
        log->at_ms = part.time_ms;
        if (part.context) {
            err = effect_time_decode(part.context + WAL_RECORD_HEADER_SIZE,
                                     wal_record_size(part.context), &log->at_ms);
        }
    }
    return err;
}

static bool has_more(const struct trial *trial)
{
    const struct try_log *log = &trial->log;
    return log->next < (trial->phase == TRY_COUNT ? log->end : log->last + 1);
}

/* Read on, where what comes next is durable. */
static void part_ask(struct service_core *service, struct trial *trial)
{
    struct try_log *log = &trial->log;
    const uint64_t oldest = wal_feed_oldest(service->wal);
    if (log->next < oldest) {
        trial->is_cut = true; /* a snapshot took it over meanwhile */
        log->next = oldest;
    }
    if (has_more(trial) && log->next <= wal_lsn_durable(service->wal)) {
        log->is_asked = true;
        wal_feed_ask(service->try_feed, service->wal, log->next);
    }
}

/* -- counting back -- */

static void records_count(struct try_log *log)
{
    for (; log->part.count > 0 && log->next < log->end; log->next++, log->part.count--) {
        log->counted += log->part.bytes[0] == EFFECT_ORDER;
        log->part.bytes += WAL_RECORD_HEADER_SIZE + wal_record_size(log->part.bytes);
    }
}

/* The segment before the one that was counted; else all are known that the trial is about. */
static void count_on(struct service_core *service, struct trial *trial)
{
    struct try_log *log = &trial->log;
    const uint64_t before = wal_feed_before(service->wal, log->from);
    log->part.count = 0;
    if (log->counted < trial->last_n && before) {
        log->end = log->from;
        log->from = log->next = before;
        return;
    }
    trial->phase = log->counted < trial->last_n ? TRY_MEMORY : TRY_REPLAY;
    log->skip = log->counted < trial->last_n ? 0 : log->counted - trial->last_n;
    if (trial->phase == TRY_MEMORY) {
        trial->later_n = (uint32_t)log->counted;
        trial->last_n -= trial->later_n;
    }
    log->next = log->from;
}

/* What memory has from before the log's begin; more of it may be gone than is left. */
static void memory_on(struct service_core *service, struct trial *trial)
{
    if (try_memory(service, trial, trial->log.from)) {
        trial->is_cut = trial->is_cut || (trial->last_n > 0 && trial->log.from > 1);
        trial->last_n = trial->later_n;
        trial->phase = TRY_REPLAY;
    }
}

/* -- a slice -- */

/* Look at what was read, or read on. */
static enum err read_on(struct service_core *service, struct trial *trial)
{
    struct try_log *log = &trial->log;
    enum err err = ERR_OK;
    if (log->part.count > 0 && trial->phase == TRY_COUNT) {
        records_count(log);
    } else if (log->part.count > 0) {
        err = records_take(service, trial) ? ERR_OK : ERR_DAMAGED;
    } else if (has_more(trial)) {
        err = part_take(service, log);
        err = err == ERR_NOTFOUND ? ERR_OK : err;
        if (log->part.count == 0 && !wal_feed_is_busy(service->try_feed)) {
            part_ask(service, trial);
        }
    }
    return err;
}

bool try_log_step(struct service_core *service, struct job *job)
{
    struct trial *trial = job->rows;
    struct try_log *log = &trial->log;
    if (job->is_orphan) {
        return true; /* nobody waits for it */
    }
    if (job != service->jobs) {
        return false; /* just begun behind another, whose answers the feed may have */
    }
    if (trial->phase == TRY_MEMORY) {
        memory_on(service, trial);
        return false;
    }
    if (trial->phase == TRY_COUNT && (log->from == log->end || !has_more(trial))) {
        count_on(service, trial);
        return false;
    }
    const enum err err = read_on(service, trial);
    if (err != ERR_OK) {
        reply_error(service, &job->call, CODE_INTERNAL, "the log cannot be read at lsn=%llu: %s",
                    (unsigned long long)log->next, err_text(err));
        return true;
    }
    if (trial->phase == TRY_COUNT || (has_more(trial) && wants_more(trial))) {
        return false;
    }
    trial->is_cut = trial->is_cut || (has_more(trial) && !trial->is_last_n);
    try_answer(service, &job->call, trial);
    return true;
}
