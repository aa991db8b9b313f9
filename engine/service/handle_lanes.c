/* carrier.load and travel.load: validated whole, then applied in slices, as place.load is. */
#include <math.h>
#include <string.h>

#include "load_internal.h"

enum { SLICE_LANES = 250, CENTS_MAX = 100000000, MINUTES_MAX = 100000 };

static const double ROAD_KM_MAX = 40000;

_Static_assert((int)SLICE_LANES <= (int)EFFECT_LANES_MAX, "a slice is one record");
_Static_assert((int)SLICE_LANES <= (int)EFFECT_ROADS_MAX, "a slice is one record");

/* Owned by the job: one block with the rows and the bytes behind it. */
struct lanes_load {
    struct row_source source;
    struct content content;
    bool is_roads;
    bool is_replace;
    bool is_taken;
    uint32_t carrier_len;
    char carrier[CARRIER_NAME_MAX + 1];
    char key[ID_MAX];
    uint32_t key_len;
    uint64_t lengths, origin_lengths; /* of areas, those that are loaded already included */
    struct carrier_row *lanes;        /* one of the two */
    struct travel_row *roads;
};

/* The request; the texts borrow it. */
struct lanes_ask {
    struct text raw, key, carrier;
    bool is_replace;
};

/* -- rows -- */

static void read_area_name(struct reader *reader, struct area_name *name, uint64_t *lengths)
{
    struct area area;
    memset(name, 0, sizeof *name);
    read_area(reader, &area);
    if (reader_is_ok(reader) && area.is_out) {
        reader_fail(reader, "an area without a leading -");
    }
    if (!reader_is_ok(reader)) {
        return;
    }
    memcpy(name->text, area.text, area.len);
    name->len = area.len;
    *lengths |= (uint64_t)1 << area.len;
    if (__builtin_popcountll(*lengths) > AREA_MATCHES) {
        reader_fail(reader, "areas of at most %d different lengths", AREA_MATCHES);
    }
}

static void read_lane(struct lanes_load *load, struct reader_array *array)
{
    struct reader *reader = &load->source.reader;
    struct carrier_row *row = &load->lanes[load->source.at - 1];
    int service = reader_word(reader, &names_services);
    memset(row, 0, sizeof *row);
    row->service = (uint8_t)(service < 0 ? 0 : service);
    bool is_carried = service == SERVICE_STANDARD || service == SERVICE_NEXT_DAY;
    if (reader_is_ok(reader) && !is_carried) {
        reader_fail(reader, "carriers have rows of standard and next_day only");
    }
    reader_array_next(reader, array);
    read_area_name(reader, &row->origin, &load->origin_lengths);
    reader_array_next(reader, array);
    read_area_name(reader, &row->dest, &load->lengths);
    reader_array_next(reader, array);
    row->business_days = (uint32_t)reader_int(reader, 0, CARRIER_DAYS_MAX);
    reader_array_next(reader, array);
    row->cents = (uint32_t)reader_int(reader, 0, CENTS_MAX);
    reader_array_next(reader, array);
    row->cents_per_kg = (uint32_t)reader_int(reader, 0, CENTS_MAX);
    row_end(&load->source, array);
}

static void read_road(struct service_core *service, struct lanes_load *load,
                      struct reader_array *array)
{
    struct reader *reader = &load->source.reader;
    struct travel_row *row = &load->roads[load->source.at - 1];
    memset(row, 0, sizeof *row);
    struct text node = reader_text(reader, 1, ID_MAX);
    row->node = network_find(&service->tables.network, node.at, node.len);
    if (reader_is_ok(reader) && row->node == NODE_NONE) {
        reader_fail(reader, "node \"%.*s\" is not known: node.put it first", (int)node.len,
                    node.at);
    }
    reader_array_next(reader, array);
    read_area_name(reader, &row->area, &load->lengths);
    reader_array_next(reader, array);
    double km = reader_float(reader, 0, ROAD_KM_MAX);
    row->metres = reader_is_ok(reader) ? (uint32_t)llround(km * 1000) : 0;
    reader_array_next(reader, array);
    row->minutes = (uint32_t)reader_int(reader, 0, MINUTES_MAX);
    row_end(&load->source, array);
}

static void content_of_row(struct lanes_load *load)
{
    uint32_t at = load->source.at - 1;
    if (load->key_len && load->is_roads) {
        content_text(&load->content, (const char *)&load->roads[at], sizeof load->roads[at]);
    } else if (load->key_len) {
        content_text(&load->content, (const char *)&load->lanes[at], sizeof load->lanes[at]);
    }
}

/* Decode one slice. False: a row is bad, answered. */
static bool decode(struct service_core *service, struct job *job, struct lanes_load *load)
{
    struct row_source *source = &load->source;
    struct reader_array row;
    for (uint32_t i = 0; i < SLICE_LANES && source->at < source->count; i++) {
        if (row_next(source, &row, load->is_roads ? 4 : 6)) {
            if (load->is_roads) {
                read_road(service, load, &row);
            } else {
                read_lane(load, &row);
            }
        }
        if (!reader_is_ok(&source->reader)) {
            reply_invalid(service, &job->call, &source->reader);
            return false;
        }
        content_of_row(load);
    }
    return true;
}

/* -- applying -- */

static void answer_loaded(struct service_core *service, struct job *job, int64_t loaded,
                          bool is_duplicate)
{
    struct writer *writer = reply_begin(service, &job->call);
    writer_map(writer, 2u + is_duplicate);
    put_int(writer, "loaded", loaded);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, &job->call);
}

static bool key_is_new(struct service_core *service, struct job *job, const struct lanes_load *load,
                       struct effect_key *key_out)
{
    const struct key_entry *seen;
    const struct text key = {load->key, load->key_len};
    enum key_result result = key_look(service, &job->call, key, load->content.hash, key_out, &seen);
    if (result == KEY_SEEN) {
        answer_loaded(service, job, seen->facts[0], true);
    }
    return result == KEY_NEW;
}

/* The key goes into a record of its own, of no cells, in the group of the last rows. */
static void key_log(struct service_core *service, const struct job *job,
                    const struct effect_key *key)
{
    struct effect_stock effect = {.at_ms = service->now_ms, .key = *key};
    effect.key.facts[0] = job->count;
    uint8_t *bytes = log_begin(service, effect_stock_size(&effect));
    uint64_t lsn = log_end(service, EFFECT_STOCK, effect_stock_encode(bytes, &effect));
    must_apply(tables_apply_stock(&service->tables, lsn, service->now_ms, &effect), "key");
}

static void lanes_log(struct service_core *service, const struct effect_lanes *effect)
{
    uint8_t *bytes = log_begin(service, effect_lanes_size(effect));
    uint64_t lsn = log_end(service, EFFECT_LANES, effect_lanes_encode(bytes, effect));
    must_apply(tables_apply_lanes(&service->tables, lsn, service->now_ms, effect), "lanes");
}

static void roads_log(struct service_core *service, const struct effect_roads *effect)
{
    uint8_t *bytes = log_begin(service, effect_roads_size(effect));
    uint64_t lsn = log_end(service, EFFECT_ROADS, effect_roads_encode(bytes, effect));
    must_apply(tables_apply_roads(&service->tables, lsn, service->now_ms, effect), "roads");
}

/* Rows from job->at on, count of them; the first slice takes the old ones away. */
static void slice_log(struct service_core *service, const struct job *job,
                      const struct lanes_load *load, uint32_t count)
{
    bool is_replace = load->is_replace && job->at == 0;
    if (load->is_roads) {
        roads_log(service, &(struct effect_roads){is_replace, count, load->roads + job->at});
        return;
    }
    struct effect_lanes effect = {.carrier_len = load->carrier_len,
                                  .is_replace = is_replace,
                                  .count = count,
                                  .rows = load->lanes + job->at};
    memcpy(effect.carrier, load->carrier, sizeof effect.carrier);
    lanes_log(service, &effect);
}

static uint32_t slice_size(const struct lanes_load *load, uint32_t count)
{
    return load->is_roads ? effect_roads_size(&(struct effect_roads){.count = count})
                          : effect_lanes_size(&(struct effect_lanes){.count = count});
}

/* Log and apply one slice. True: the load is over. */
static bool apply(struct service_core *service, struct job *job, const struct lanes_load *load)
{
    uint32_t left = job->count - job->at;
    uint32_t count = left < SLICE_LANES ? left : SLICE_LANES;
    bool is_last = count == left;
    struct effect_key key = {.is_set = false};
    enum job_room room = job_room(service, job, slice_size(load, count) + 2 * EFFECT_SMALL_MAX);
    if (room != JOB_ROOM_OK) {
        return room == JOB_ROOM_GONE;
    }
    if (is_last && !key_is_new(service, job, load, &key)) {
        return true;
    }
    if (count > 0 || load->is_replace) {
        slice_log(service, job, load, count);
    }
    job->at += count;
    if (!is_last) {
        return false;
    }
    if (key.is_set) {
        key_log(service, job, &key);
    }
    answer_loaded(service, job, job->count, false);
    return true;
}

/* Room in the tables, so that no slice finds them full. */
static bool has_room(struct service_core *service, struct job *job, const struct lanes_load *load)
{
    const struct timing *timing = &service->tables.timing;
    uint64_t rows = load->is_roads ? timing->travels.rows : timing->carriers.rows;
    uint64_t max = load->is_roads ? TRAVEL_ROWS_MAX : CARRIER_ROWS_MAX;
    const struct area_names *areas =
        load->is_roads ? &timing->travels.areas : &timing->carriers.areas;
    bool has_carrier = load->is_roads || carriers_has_room(&timing->carriers);
    if (rows + job->count > max || areas->count + 2 * (uint64_t)job->count > AREA_NAMES_MAX ||
        !has_carrier) {
        reply_error(service, &job->call, CODE_TABLE_FULL,
                    "rows: at most %llu rows, %d areas and %d carriers are kept",
                    (unsigned long long)max, AREA_NAMES_MAX, CARRIERS_MAX);
        return false;
    }
    const struct grown_rules more = {.lanes = load->is_roads ? 0 : job->count,
                                     .roads = load->is_roads ? job->count : 0};
    if (!rules_room(service, &job->call, &more)) {
        return false;
    }
    job->rules_coming = more;
    return true;
}

static bool lanes_step(struct service_core *service, struct job *job)
{
    struct lanes_load *load = job->rows;
    bool is_long = load->source.count > SLICE_LANES;
    if (!load->is_taken && is_long) {
        load->is_taken = true; /* to copy the bytes was enough for one turn */
        return false;
    }
    if (load->source.at < load->source.count) {
        struct effect_key key;
        if (!decode(service, job, load)) {
            return true;
        }
        bool is_read = load->source.at == load->source.count;
        if (is_read && (!key_is_new(service, job, load, &key) || !has_room(service, job, load))) {
            return true;
        }
        if (is_long) {
            return false;
        }
    }
    return apply(service, job, load);
}

/* -- the request -- */

static void ask_read(struct reader *reader, struct lanes_ask *ask, bool is_roads)
{
    static const char *const fields[] = {"rows", "replace", "key", "carrier"};
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    reader_params(reader, &map, fields, is_roads ? 3 : 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            ask->raw = reader_raw_field(reader, &map);
            break;
        case 1:
            ask->is_replace = reader_bool(reader);
            break;
        case 2:
            ask->key = reader_text(reader, 1, ID_MAX);
            break;
        default:
            ask->carrier = reader_text(reader, 1, CARRIER_NAME_MAX);
        }
    }
    reader_require(reader, &map, 0);
    if (!is_roads) {
        reader_require(reader, &map, 3);
    }
}

static void load_fill(const struct service_core *service, struct lanes_load *load,
                      const struct lanes_ask *ask, enum method method)
{
    const struct timing *timing = &service->tables.timing;
    content_begin(&load->content, method);
    content_text(&load->content, ask->carrier.at ? ask->carrier.at : "", ask->carrier.len);
    content_int(&load->content, ask->is_replace);
    load->is_replace = ask->is_replace;
    load->key_len = ask->key.len;
    if (ask->key.len) {
        memcpy(load->key, ask->key.at, ask->key.len);
    }
    load->carrier_len = ask->carrier.len;
    if (ask->carrier.len) {
        memcpy(load->carrier, ask->carrier.at, ask->carrier.len);
    }
    load->lengths = load->is_roads ? timing->travels.areas.lengths : timing->carriers.areas.lengths;
    load->origin_lengths = timing->carriers.areas.origin_lengths;
}

static struct job *load_new(struct service_core *service, struct call *call,
                            const struct lanes_ask *ask, uint32_t count, bool is_roads)
{
    size_t rows = count * (is_roads ? sizeof(struct travel_row) : sizeof(struct carrier_row));
    struct job *job =
        job_new(service, call, sizeof(struct lanes_load) + rows + ROW_SOURCE_HEAD + ask->raw.len);
    if (job) {
        struct lanes_load *load = job->rows;
        memset(load, 0, sizeof *load);
        load->is_roads = is_roads;
        load->lanes = (struct carrier_row *)(void *)(load + 1);
        load->roads = (struct travel_row *)(void *)(load + 1);
        row_source_begin(&load->source, ask->raw, (uint8_t *)(load + 1) + rows);
    }
    return job;
}

static void load_begin(struct service_core *service, struct call *call, const struct lanes_ask *ask,
                       bool is_roads)
{
    uint32_t count = row_source_count(ask->raw);
    struct job *job = load_new(service, call, ask, count, is_roads);
    if (!job) {
        return;
    }
    struct lanes_load *load = job->rows;
    load_fill(service, load, ask, call->method);
    job->step = lanes_step;
    job->count = count;
    if (!reader_is_ok(&load->source.reader)) {
        reply_invalid(service, call, &load->source.reader);
        job_free(service, job);
        return;
    }
    job_start(service, job);
}

static void lanes_load(struct service_core *service, struct call *call, bool is_roads)
{
    struct reader reader;
    struct lanes_ask ask;
    reader_init(&reader, call->params, call->params_size);
    ask_read(&reader, &ask, is_roads);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint32_t size = effect_lanes_size(&(struct effect_lanes){.count = SLICE_LANES});
    if (log_room(service, call, size, 1, WAL_CLAIM_CHANGE)) {
        load_begin(service, call, &ask, is_roads);
    }
}

void handle_carrier_load(struct service_core *service, struct call *call)
{
    lanes_load(service, call, false);
}

void handle_travel_load(struct service_core *service, struct call *call)
{
    lanes_load(service, call, true);
}
