/* stock.load: many counts at one node, in phases between other work.
 *
 *   taken   the bytes were copied, which is enough for one turn where they are many
 *   decode  every row: item known, no item twice, values in range; nothing is changed before
 *           all of them are sound
 *   weigh   where cells would become empty: how many of the node's stocked ones; too many is a
 *           refusal, for such a file was cut short or has its columns mixed up
 *   order   rows by item, for the spans of those that confirm what is there
 *   rows    a record per slice: counts and the movements since
 *   absent  the node's other cells become zero, by the same rules
 *
 * A cell may change between phases. So each slice decides again what its rows come to; what was
 * counted later meanwhile is stale by then. */
#include <stdlib.h>
#include <string.h>

#include "load_internal.h"
#include "short.h"

enum {
    VALUE_MAX = 1000000000,
    STEP_BYTES = 2048, /* a new cell copies its item's row: so many bytes cost as much as a row */
    HELD_MAX = WORK_STEPS,       /* holds of a cell that one row looks at: with more it is stale */
    SLICE_STEPS = WORK_STEPS / 4, /* holds looked at in a slice before it ends */
    SLICE_BYTES = 128 + SLICE_ROWS * 20 /* of its record at most */
};

enum phase { PHASE_TAKEN, PHASE_DECODE, PHASE_WEIGH, PHASE_ORDER, PHASE_ROWS, PHASE_ABSENT };

/* Facts of the answer, in the order of the key's facts. */
enum { FACT_CHANGED, FACT_UNCHANGED, FACT_STALE, FACT_CREATED, FACT_ZEROED };
_Static_assert(FACT_ZEROED + 1 == KEY_FACTS_MAX, "every number of the answer is a fact");

/* The request; the texts borrow it. */
struct load_ask {
    struct text node, raw, key;
    uint64_t counted_at; /* 0 = arrival */
    bool is_available;
    bool is_zero;
    double zero_share;
};

/* Owned by the job: one block with the bitmap, the rows and the bytes behind it. */
struct stock_load {
    struct row_source source;
    struct content content;
    enum phase phase;
    bool is_arrival; /* counted_at was not given */
    bool is_available;
    bool is_too_old; /* every row is stale */
    double zero_share;
    uint32_t steps;    /* holds looked at in the running slice */
    uint64_t stocked;  /* cells of the node with on_hand > 0 */
    uint64_t emptied;  /* of them: would have none */
    uint32_t fresh;    /* rows of items that the node has no cell of */
    char key[ID_MAX];
    uint32_t key_len;
    bool has_key_place; /* one of service->keys_promised is its key's */
    struct effect_stock_row *rows;
    struct effect_stock_row *sorted; /* room for the rows in order; NULL where they are few */
    struct load_order order;
    uint32_t seen_bits;
    uint64_t seen[]; /* bit per item that has a row */
};

static bool is_seen(const struct stock_load *load, uint32_t item)
{
    return item < load->seen_bits && (load->seen[item / 64] >> (item % 64) & 1);
}

/* -- what a row comes to -- */

/* Take from reserved what carts hold at the cell, which a shop knows nothing of. False: too
 * many. */
static bool carts_out(const struct service_core *service, const struct job *job, uint32_t item,
                      int64_t *reserved)
{
    const struct reserves *reserves = &service->tables.reserves;
    struct stock_load *load = job->rows;
    struct piece_name name = reserves_newest(reserves, item, job->of.stock.node);
    for (uint32_t i = 0; name.ref; i++) {
        const struct reservation *own = reservation_at(reserves, name.ref);
        const struct reservation_piece *piece = &reservation_pieces(reserves, own)[name.piece];
        if (i == HELD_MAX) {
            return false;
        }
        load->steps++;
        *reserved -= piece->held;
        name = piece->older;
    }
    return true;
}

/* Take from reserved what is held at the cell by orders that came after counted_at: chains are
 * newest first. False: too many came since. */
static bool held_then(const struct service_core *service, const struct job *job, uint32_t item,
                      int64_t *reserved)
{
    const struct tables *tables = &service->tables;
    struct stock_load *load = job->rows;
    uint32_t index = holds_newest(&tables->holds, item, job->of.stock.node);
    for (uint32_t i = 0; index != HOLD_NONE; i++) {
        const struct hold *hold = holds_at(&tables->holds, index);
        uint64_t made_ms;
        uint32_t units = tables_hold_units(tables, hold, &made_ms);
        if (made_ms <= job->of.stock.counted_at && hold->kind != HOLD_RESERVATION) {
            break;
        }
        if (i == HELD_MAX) {
            return false;
        }
        load->steps++;
        *reserved -= hold->kind == HOLD_RESERVATION ? 0 : units;
        index = hold->older;
    }
    return true;
}

/* on_hand that follows from the row now. False: it is stale, too much happened since. */
static bool row_now(const struct service_core *service, const struct job *job,
                    const struct effect_stock_row *row, const struct cell *cell,
                    int64_t *on_hand_out)
{
    const struct stock_load *load = job->rows;
    int64_t reserved = load->is_available ? cell_reserved(tables_word(cell)) : 0;
    *on_hand_out = 0;
    if (reserved && (!carts_out(service, job, row->item, &reserved) ||
                     !held_then(service, job, row->item, &reserved))) {
        return false;
    }
    *on_hand_out = count_now(service, row->item, job->of.stock.node, row->value + reserved,
                             job->of.stock.counted_at);
    return true;
}

static bool is_in_range(int64_t on_hand)
{
    return on_hand >= -CELL_ON_HAND_MAX && on_hand <= CELL_ON_HAND_MAX;
}

/* -- answers -- */

static void answer_facts(struct service_core *service, struct call *call, const int64_t *facts,
                         bool is_duplicate)
{
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6u + is_duplicate);
    put_int(writer, "changed", facts[FACT_CHANGED]);
    put_int(writer, "unchanged", facts[FACT_UNCHANGED]);
    put_int(writer, "stale", facts[FACT_STALE]);
    put_int(writer, "created", facts[FACT_CREATED]);
    put_int(writer, "zeroed", facts[FACT_ZEROED]);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

static void facts_fill(const struct job *job, int64_t facts[KEY_FACTS_MAX])
{
    facts[FACT_CHANGED] = (int64_t)job->of.stock.changed;
    facts[FACT_UNCHANGED] = (int64_t)job->of.stock.unchanged;
    facts[FACT_STALE] = (int64_t)job->of.stock.stale;
    facts[FACT_CREATED] = (int64_t)job->of.stock.created;
    facts[FACT_ZEROED] = (int64_t)job->of.stock.zeroed;
}

static void refuse_zeroed(struct service_core *service, struct job *job)
{
    const struct stock_load *load = job->rows;
    service->refusals[REASON_TOO_MANY_ZEROED]++;
    struct writer *writer = reply_begin(service, &job->call);
    writer_map(writer, 6);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(REASON_TOO_MANY_ZEROED));
    put_int(writer, "stocked", (int64_t)load->stocked);
    put_int(writer, "zeroed", (int64_t)load->emptied);
    put_float(writer, "max_zero_share", load->zero_share);
    put_lsn(service, writer);
    reply_send(service, &job->call);
}

/* Keep a place for the key while rows go in: the last of them must not find the table full. */
static void key_place_take(struct service_core *service, struct job *job)
{
    struct stock_load *load = job->rows;
    load->has_key_place = job->of.stock.key.is_set;
    service->keys_promised += load->has_key_place;
}

static void key_place_give(struct service_core *service, struct job *job)
{
    struct stock_load *load = job->rows;
    CHECK(service->keys_promised >= load->has_key_place);
    service->keys_promised -= load->has_key_place;
    load->has_key_place = false;
}

/* Look for the key, twice: when the rows are known and, since another connection may have sent
 * the same, before it is remembered. False: answered. */
static bool key_is_new(struct service_core *service, struct job *job)
{
    const struct stock_load *load = job->rows;
    key_place_give(service, job);
    const struct key_entry *seen;
    const struct text key = {load->key, load->key_len};
    switch (key_look(service, &job->call, key, load->content.hash, &job->of.stock.key, &seen)) {
    case KEY_NEW:
        return true;
    case KEY_SEEN:
        answer_facts(service, &job->call, seen->facts, true);
        break;
    case KEY_ANSWERED:
        break;
    }
    return false;
}

/* Whether the slice that did i rows may do one more. */
static bool has_steps(const struct stock_load *load, uint64_t i)
{
    return i < SLICE_ROWS && load->steps < SLICE_STEPS;
}

/* -- decode -- */

/* Look at the row's cell as it is now: a bad result is an error while there can be one. False:
 * answered. */
static bool row_weigh(struct service_core *service, struct job *job,
                      const struct effect_stock_row *row)
{
    struct stock_load *load = job->rows;
    const struct cell cell = tables_cell(&service->tables, row->item, job->of.stock.node);
    uint64_t counted = tables_counted_at(&cell);
    if (load->is_arrival) {
        uint64_t at = time_of_arrival(job->of.stock.counted_at, counted);
        job->of.stock.counted_at = at;
    }
    int64_t on_hand;
    bool is_known = row_now(service, job, row, &cell, &on_hand);
    if (!is_in_range(on_hand)) {
        reply_error(service, &job->call, CODE_INVALID_ARGUMENT,
                    "rows[%u][1]: with the movements since counted_at on_hand would be %lld, it "
                    "must be within -%d to %d",
                    load->source.at - 1, (long long)on_hand, CELL_ON_HAND_MAX, CELL_ON_HAND_MAX);
        return false;
    }
    bool is_stale = !is_known || load->is_too_old || counted >= job->of.stock.counted_at;
    load->emptied += !is_stale && on_hand <= 0 && cell_on_hand(tables_word(&cell)) > 0;
    return true;
}

/* Enter a row by its item. False: answered. */
static bool row_enter(struct service_core *service, struct job *job, struct text id,
                      int64_t value)
{
    struct stock_load *load = job->rows;
    const struct catalogue *catalogue = &service->tables.catalogue;
    uint32_t number = load->source.at - 1;
    uint32_t item =
        catalogue_find(catalogue, catalogue_hash(catalogue, id.at, id.len), id.at, id.len);
    if (item == ITEM_NONE || item >= load->seen_bits) {
        reply_error(service, &job->call, CODE_UNKNOWN_ITEM,
                    "rows[%u][0]: no item %.*s is known: item.put makes one", number, (int)id.len,
                    id.at);
        return false;
    }
    if (refuse_kit(service, &job->call, "rows", item)) {
        return false;
    }
    if (is_seen(load, item)) {
        reply_error(service, &job->call, CODE_INVALID_ARGUMENT,
                    "rows[%u][0]: item %.*s has a row already: one row an item", number,
                    (int)id.len, id.at);
        return false;
    }
    load->seen[item / 64] |= (uint64_t)1 << (item % 64);
    load->fresh += !itemset_has(&service->tables.node_items[job->of.stock.node], item);
    load->rows[number] = (struct effect_stock_row){item, (int32_t)value};
    if (load->key_len) {
        content_int(&load->content, item);
        content_int(&load->content, value);
    }
    return row_weigh(service, job, &load->rows[number]);
}

/* One slice of rows. False: one is bad, answered. */
static bool decode(struct service_core *service, struct job *job)
{
    struct stock_load *load = job->rows;
    struct row_source *source = &load->source;
    struct reader *reader = &source->reader;
    struct reader_array row;
    for (uint32_t i = 0; has_steps(load, i) && source->at < source->count; i++) {
        struct text id = {"", 0};
        int64_t value = 0;
        if (row_next(source, &row, 2)) {
            id = reader_text(reader, 1, ID_MAX);
            reader_array_next(reader, &row);
            value = reader_int(reader, -VALUE_MAX, VALUE_MAX);
            row_end(source, &row);
        }
        if (!reader_is_ok(reader)) {
            reply_invalid(service, &job->call, reader);
            return false;
        }
        if (!row_enter(service, job, id, value)) {
            return false;
        }
    }
    return true;
}

static bool step_taken(struct stock_load *load)
{
    load->phase = PHASE_DECODE;
    return false;
}

/* True: the load is over. */
static bool step_decode(struct service_core *service, struct job *job)
{
    struct stock_load *load = job->rows;
    if (!decode(service, job)) {
        return true;
    }
    if (load->source.at < load->source.count) {
        return false;
    }
    if (!key_is_new(service, job) || !stock_room(service, &job->call, load->fresh)) {
        return true;
    }
    job->cells_coming = load->fresh;
    key_place_take(service, job);
    load->phase = job->of.stock.zero_absent || load->emptied ? PHASE_WEIGH : PHASE_ORDER;
    return false;
}

/* -- weigh -- */

/* on_hand that an item without a row would have, when its cell is to become zero. */
static bool absent_now(const struct service_core *service, const struct job *job, uint32_t item,
                       const struct cell *cell, int64_t *on_hand_out)
{
    const struct stock_load *load = job->rows;
    const struct effect_stock_row row = {item, 0};
    if (!job->of.stock.zero_absent || load->is_too_old || is_seen(load, item) ||
        tables_counted_at(cell) >= job->of.stock.counted_at) {
        return false;
    }
    return row_now(service, job, &row, cell, on_hand_out) && is_in_range(*on_hand_out);
}

/* Without counted_at the call counts the cells without a row now, as later than what was counted
 * there in this very moment. */
static void arrival_settle(struct job *job, uint32_t item, const struct cell *cell)
{
    const struct stock_load *load = job->rows;
    uint64_t at = job->of.stock.counted_at;
    if (load->is_arrival && job->of.stock.zero_absent && !is_seen(load, item)) {
        job->of.stock.counted_at = time_of_arrival(at, tables_counted_at(cell));
    }
}

static bool step_weigh(struct service_core *service, struct job *job)
{
    struct stock_load *load = job->rows;
    uint16_t node = job->of.stock.node;
    const struct itemset *set = &service->tables.node_items[node];
    uint32_t item = itemset_next(set, job->of.stock.zero_at);
    for (uint32_t i = 0; has_steps(load, i) && item != UINT32_MAX; i++) {
        const struct cell cell = tables_cell(&service->tables, item, node);
        bool is_stocked = cell_on_hand(tables_word(&cell)) > 0;
        int64_t on_hand;
        load->stocked += is_stocked;
        arrival_settle(job, item, &cell);
        if (is_stocked && absent_now(service, job, item, &cell, &on_hand)) {
            load->emptied += on_hand <= 0;
        }
        job->of.stock.zero_at = item + 1;
        item = itemset_next(set, item + 1);
    }
    if (item != UINT32_MAX) {
        return false;
    }
    if ((double)load->emptied > load->zero_share * (double)load->stocked) {
        refuse_zeroed(service, job);
        return true;
    }
    job->of.stock.zero_at = 0;
    load->phase = PHASE_ORDER;
    return false;
}

/* -- order -- */

static int by_item(const void *a, const void *b)
{
    const struct effect_stock_row *x = a;
    const struct effect_stock_row *y = b;
    return x->item < y->item ? -1 : x->item > y->item;
}

static bool step_order(const struct job *job)
{
    struct stock_load *load = job->rows;
    if (!load->sorted) {
        qsort(load->rows, job->count, sizeof load->rows[0], by_item);
    } else if (!load_order_step(&load->order, load->rows, load->sorted, job->count)) {
        return false;
    } else {
        load->rows = load->sorted;
    }
    load->phase = PHASE_ROWS;
    return false;
}

/* -- apply -- */

/* Note the cells that the slice left with less than is promised. */
static void slice_tell(struct service_core *service, const struct effect_stock *effect)
{
    struct short_cell cells[SLICE_ROWS];
    for (uint32_t i = 0; i < effect->count; i++) {
        cells[i] = (struct short_cell){effect->rows[i].item, effect->node};
    }
    shorts_tell(service, cells, effect->count);
}

/* Log and apply what a slice came to; the last one takes the key with it. */
static bool slice_end(struct service_core *service, struct job *job,
                      const struct load_slice *slice, bool is_last)
{
    struct effect_stock effect = {.is_count = true,
                                  .node = job->of.stock.node,
                                  .at_ms = job->of.stock.counted_at,
                                  .count = slice->count,
                                  .rows = slice->rows,
                                  .span_count = slice->span_count,
                                  .spans = slice->spans};
    if (is_last && job->of.stock.key.is_set) {
        if (!key_is_new(service, job)) {
            return true;
        }
        effect.key = job->of.stock.key;
        facts_fill(job, effect.key.facts);
    }
    if (slice->count + slice->span_count > 0 || effect.key.is_set) {
        uint8_t *bytes = log_begin(service, effect_stock_size(&effect));
        uint64_t lsn = log_end(service, EFFECT_STOCK, effect_stock_encode(bytes, &effect));
        must_apply(tables_apply_stock(&service->tables, lsn, service->now_ms, &effect), "stock");
        slice_tell(service, &effect);
    }
    if (is_last) {
        int64_t facts[KEY_FACTS_MAX];
        facts_fill(job, facts);
        answer_facts(service, &job->call, facts, false);
    }
    return is_last;
}

/* Add what the row comes to now; a stale one is left out. work grows by what it costs. */
static void row_settle(const struct service_core *service, struct job *job,
                       const struct effect_stock_row *row, struct load_slice *slice,
                       uint64_t *work)
{
    const struct stock_load *load = job->rows;
    const struct cell cell = tables_cell(&service->tables, row->item, job->of.stock.node);
    int64_t on_hand;
    bool is_known = row_now(service, job, row, &cell, &on_hand);
    *work += 1 + (cell.row && cell.index < 0 ? row_size(cell.row) / STEP_BYTES : 0);
    if (!is_known || load->is_too_old || tables_counted_at(&cell) >= job->of.stock.counted_at ||
        !is_in_range(on_hand)) {
        job->of.stock.stale++;
        return;
    }
    bool is_changed = on_hand != cell_on_hand(tables_word(&cell));
    job->of.stock.created += cell.index < 0;
    job->of.stock.changed += cell.index >= 0 && is_changed;
    job->of.stock.unchanged += cell.index >= 0 && !is_changed;
    if (cell.index >= 0 && !is_changed) {
        load_slice_confirm(slice, row->item);
    } else {
        load_slice_row(slice, row->item, (int32_t)on_hand);
    }
}

static bool step_rows(struct service_core *service, struct job *job)
{
    struct stock_load *load = job->rows;
    struct load_slice slice;
    uint64_t work = 0;
    enum job_room room = job_room(service, job, SLICE_BYTES + shorts_size(SLICE_ROWS));
    if (room != JOB_ROOM_OK) {
        return room == JOB_ROOM_GONE;
    }
    load_slice_begin(&slice, &service->tables.node_items[job->of.stock.node]);
    for (; has_steps(load, work) && job->at < job->count; job->at++) {
        row_settle(service, job, &load->rows[job->at], &slice, &work);
    }
    bool is_whole = job->at == job->count;
    if (is_whole && job->of.stock.zero_absent) {
        load->phase = PHASE_ABSENT;
    }
    return slice_end(service, job, &slice, is_whole && !job->of.stock.zero_absent);
}

static void absent_settle(struct job *job, uint32_t item, const struct cell *cell,
                          int64_t on_hand, struct load_slice *slice)
{
    if (on_hand == cell_on_hand(tables_word(cell))) {
        load_slice_confirm(slice, item);
        return;
    }
    job->of.stock.zeroed++;
    load_slice_row(slice, item, (int32_t)on_hand);
}

static bool step_absent(struct service_core *service, struct job *job)
{
    const struct stock_load *load = job->rows;
    uint16_t node = job->of.stock.node;
    const struct itemset *set = &service->tables.node_items[node];
    struct load_slice slice;
    enum job_room room = job_room(service, job, SLICE_BYTES + shorts_size(SLICE_ROWS));
    if (room != JOB_ROOM_OK) {
        return room == JOB_ROOM_GONE;
    }
    load_slice_begin(&slice, set);
    uint32_t item = itemset_next(set, job->of.stock.zero_at);
    for (uint32_t i = 0; has_steps(load, i) && item != UINT32_MAX; i++) {
        const struct cell cell = tables_cell(&service->tables, item, node);
        int64_t on_hand;
        if (absent_now(service, job, item, &cell, &on_hand)) {
            absent_settle(job, item, &cell, on_hand, &slice);
        }
        job->of.stock.zero_at = item + 1;
        item = itemset_next(set, item + 1);
    }
    return slice_end(service, job, &slice, item == UINT32_MAX);
}

/* One slice. A small load goes through its phases at once. */
static bool load_step(struct service_core *service, struct job *job)
{
    struct stock_load *load = job->rows;
    bool is_small = job->count + service->tables.node_items[job->of.stock.node].count <= SLICE_ROWS;
    load->steps = 0;
    for (;;) {
        enum phase phase = load->phase;
        bool is_over = phase == PHASE_TAKEN    ? step_taken(load)
                       : phase == PHASE_DECODE ? step_decode(service, job)
                       : phase == PHASE_WEIGH ? step_weigh(service, job)
                       : phase == PHASE_ORDER ? step_order(job)
                       : phase == PHASE_ROWS  ? step_rows(service, job)
                                              : step_absent(service, job);
        bool goes_on = is_small || (phase < PHASE_ROWS && job->count <= SLICE_ROWS / 2);
        if (is_over) {
            key_place_give(service, job);
        }
        if (is_over || load->phase == phase || !goes_on || load->steps >= SLICE_STEPS) {
            return is_over;
        }
    }
}

/* -- the request -- */

static void read_field(struct service_core *service, struct reader *reader,
                       const struct reader_map *map, struct load_ask *ask, int field)
{
    static const char *const bases[] = {"on_hand", "available"};
    static const char *const absents[] = {"keep", "zero"};
    static const struct names basis_names = {bases, 2};
    static const struct names absent_names = {absents, 2};
    switch (field) {
    case 0:
        ask->node = reader_text(reader, 1, ID_MAX);
        break;
    case 1:
        ask->raw = reader_raw_field(reader, map);
        break;
    case 2:
        ask->counted_at = read_time(service, reader);
        break;
    case 3:
        ask->is_available = reader_word(reader, &basis_names) == 1;
        break;
    case 4:
        ask->is_zero = reader_word(reader, &absent_names) == 1;
        break;
    case 5:
        ask->zero_share = reader_float(reader, 0, 1);
        break;
    default:
        ask->key = reader_text(reader, 1, ID_MAX);
    }
}

static void read_ask(struct service_core *service, struct reader *reader, struct load_ask *ask)
{
    static const char *const fields[] = {"node",   "rows",           "counted_at", "basis",
                                         "absent", "max_zero_share", "key"};
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    ask->zero_share = 0.5;
    reader_params(reader, &map, fields, 7);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_field(service, reader, &map, ask, field);
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
}

static void content_of_ask(const struct load_ask *ask, uint16_t node, struct content *content)
{
    content_begin(content, METHOD_STOCK_LOAD);
    content_int(content, node);
    content_int(content, (int64_t)ask->counted_at);
    content_int(content, ask->is_available);
    content_int(content, ask->is_zero);
    content_text(content, (const char *)&ask->zero_share, sizeof ask->zero_share);
}

static struct job *load_new(struct service_core *service, struct call *call,
                            struct text raw, uint32_t count)
{
    uint32_t items = service->tables.catalogue.count;
    size_t rows = count * sizeof(struct effect_stock_row);
    size_t words = items / 64 + 1;
    size_t order = count > SLICE_ROWS ? rows + words * sizeof(uint32_t) : 0;
    const size_t size = sizeof(struct stock_load) + rows + order + words * 8 + ROW_SOURCE_HEAD;
    struct job *job = job_new(service, call, size + raw.len);
    if (job) {
        struct stock_load *load = job->rows;
        memset(load, 0, sizeof *load + words * 8);
        load->rows = (struct effect_stock_row *)(void *)(load->seen + words);
        load->seen_bits = items;
        if (order) {
            load->sorted = load->rows + count;
            load->order.ranks = (uint32_t *)(void *)(load->sorted + count);
            load_order_begin(&load->order, load->seen, (uint32_t)words);
        }
        row_source_begin(&load->source, raw, (uint8_t *)load->rows + rows + order);
    }
    return job;
}

static void load_fill(struct service_core *service, struct job *job, const struct load_ask *ask)
{
    struct stock_load *load = job->rows;
    content_of_ask(ask, job->of.stock.node, &load->content);
    load->key_len = ask->key.len;
    if (ask->key.len) {
        memcpy(load->key, ask->key.at, ask->key.len);
    }
    load->is_available = ask->is_available;
    load->zero_share = ask->zero_share;
    load->is_arrival = ask->counted_at == 0;
    load->is_too_old = ask->counted_at && count_is_too_old(service, ask->counted_at);
    /* The rows come in slices: what moves between them is later. */
    job->of.stock.counted_at =
        ask->counted_at ? ask->counted_at
                        : time_of_count(service->now_ms, 0, service->tables.movements.latest_ms);
    job->of.stock.zero_absent = ask->is_zero;
}

static void load_begin(struct service_core *service, struct call *call,
                       const struct load_ask *ask, uint16_t node)
{
    uint32_t count = row_source_count(ask->raw);
    struct job *job = load_new(service, call, ask->raw, count);
    if (!job) {
        return;
    }
    struct stock_load *load = job->rows;
    job->step = load_step;
    job->count = count;
    job->of.stock.node = node;
    load_fill(service, job, ask);
    if (!reader_is_ok(&load->source.reader)) {
        reply_invalid(service, call, &load->source.reader);
        job_free(service, job);
        return;
    }
    job_start(service, job);
}

void handle_stock_load(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct load_ask ask;
    reader_init(&reader, call->params, call->params_size);
    read_ask(service, &reader, &ask);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint16_t node = need_node(service, call, "node", ask.node);
    if (node != NODE_NONE &&
        log_room(service, call, SLICE_BYTES + shorts_size(SLICE_ROWS), 2, WAL_CLAIM_CHANGE)) {
        load_begin(service, call, &ask, node);
    }
}
