/* carrier.load and travel.load: validated whole, then applied in slices, as place.load is. */
#include <math.h>
#include <string.h>

#include "load_internal.h"

enum { SLICE_LANES = 250, CENTS_MAX = 100000000, MINUTES_MAX = 100000 };

static const double ROAD_KM_MAX = 40000;

_Static_assert((int)SLICE_LANES <= (int)EFFECT_LANES_MAX, "a slice is one record");
_Static_assert((int)SLICE_LANES <= (int)EFFECT_ROADS_MAX, "a slice is one record");

struct lanes_load {
    struct rows_load base; /* first */
    bool is_replace;
    uint32_t carrier_len;
    char carrier[CARRIER_NAME_MAX + 1];
    uint64_t lengths, origin_lengths; /* of areas, those that are loaded already included */
};

static struct lanes_load *of(struct rows_load *load)
{
    return (struct lanes_load *)(void *)load;
}

static struct carrier_row *lanes(struct rows_load *load)
{
    return (struct carrier_row *)(void *)(of(load) + 1);
}

static struct travel_row *roads(struct rows_load *load)
{
    return (struct travel_row *)(void *)(of(load) + 1);
}

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

static void read_lane(struct service_core *unused, struct rows_load *load,
                      struct reader_array *array, uint32_t at)
{
    (void)unused;
    struct reader *reader = &load->source.reader;
    struct carrier_row *row = &lanes(load)[at];
    int service = reader_word(reader, &names_services);
    memset(row, 0, sizeof *row);
    row->service = (uint8_t)(service < 0 ? 0 : service);
    bool is_carried = service == SERVICE_STANDARD || service == SERVICE_NEXT_DAY;
    if (reader_is_ok(reader) && !is_carried) {
        reader_fail(reader, "carriers have rows of standard and next_day only");
    }
    reader_array_next(reader, array);
    read_area_name(reader, &row->origin, &of(load)->origin_lengths);
    reader_array_next(reader, array);
    read_area_name(reader, &row->dest, &of(load)->lengths);
    reader_array_next(reader, array);
    row->business_days = (uint32_t)reader_int(reader, 0, CARRIER_DAYS_MAX);
    reader_array_next(reader, array);
    row->cents = (uint32_t)reader_int(reader, 0, CENTS_MAX);
    reader_array_next(reader, array);
    row->cents_per_kg = (uint32_t)reader_int(reader, 0, CENTS_MAX);
}

static void read_road(struct service_core *service, struct rows_load *load,
                      struct reader_array *array, uint32_t at)
{
    struct reader *reader = &load->source.reader;
    struct travel_row *row = &roads(load)[at];
    memset(row, 0, sizeof *row);
    struct text node = reader_text(reader, 1, ID_MAX);
    row->node = network_find(&service->tables.network, node.at, node.len);
    if (reader_is_ok(reader) && row->node == NODE_NONE) {
        reader_fail(reader, "node \"%.*s\" is not known: node.put it first", (int)node.len,
                    node.at);
    }
    reader_array_next(reader, array);
    read_area_name(reader, &row->area, &of(load)->lengths);
    reader_array_next(reader, array);
    double km = reader_float(reader, 0, ROAD_KM_MAX);
    row->metres = reader_is_ok(reader) ? (uint32_t)llround(km * 1000) : 0;
    reader_array_next(reader, array);
    row->minutes = (uint32_t)reader_int(reader, 0, MINUTES_MAX);
}

static void content_of_lane(struct rows_load *load, uint32_t at)
{
    content_text(&load->content, (const char *)&lanes(load)[at], sizeof(struct carrier_row));
}

static void content_of_road(struct rows_load *load, uint32_t at)
{
    content_text(&load->content, (const char *)&roads(load)[at], sizeof(struct travel_row));
}

/* Room in the tables for the rows and the two areas of each. */
static bool tables_have_room(struct service_core *service, struct job *job, uint64_t rows,
                             uint64_t max, const struct area_names *areas, bool has_carrier)
{
    bool has_all = rows + job->count <= max && has_carrier &&
                   areas->count + 2 * (uint64_t)job->count <= AREA_NAMES_MAX;
    if (!has_all) {
        reply_error(service, &job->call, CODE_TABLE_FULL,
                    "rows: at most %llu rows, %d areas and %d carriers are kept",
                    (unsigned long long)max, AREA_NAMES_MAX, CARRIERS_MAX);
    }
    return has_all;
}

static bool rules_have_room(struct service_core *service, struct job *job, struct grown_rules more)
{
    if (!rules_room(service, &job->call, &more)) {
        return false;
    }
    job->rules_coming = more;
    return true;
}

/* -- carrier.load -- */

static bool lanes_have_room(struct service_core *service, struct job *job)
{
    const struct carriers *carriers = &service->tables.timing.carriers;
    return tables_have_room(service, job, carriers->rows, CARRIER_ROWS_MAX, &carriers->areas,
                            carriers_has_room(carriers)) &&
           rules_have_room(service, job, (struct grown_rules){.lanes = job->count});
}

static uint32_t lanes_size(struct rows_load *load, uint32_t count)
{
    (void)load;
    return effect_lanes_size(&(struct effect_lanes){.count = count});
}

/* The first slice takes the old rows away. */
static bool is_replaced(struct rows_load *load, uint32_t at)
{
    return of(load)->is_replace && at == 0;
}

static void lanes_log(struct service_core *service, struct rows_load *base, uint32_t at,
                      uint32_t count)
{
    const struct lanes_load *load = of(base);
    struct effect_lanes effect = {.carrier_len = load->carrier_len,
                                  .is_replace = is_replaced(base, at),
                                  .count = count,
                                  .rows = lanes(base) + at};
    if (count == 0 && !effect.is_replace) {
        return;
    }
    memcpy(effect.carrier, load->carrier, sizeof effect.carrier);
    uint8_t *bytes = log_begin(service, effect_lanes_size(&effect));
    uint64_t lsn = log_end(service, EFFECT_LANES, effect_lanes_encode(bytes, &effect));
    must_apply(tables_apply_lanes(&service->tables, lsn, service->now_ms, &effect), "lanes");
}

static const struct load_kind lanes_kind = {
    .head = sizeof(struct lanes_load),
    .row = sizeof(struct carrier_row),
    .slice = SLICE_LANES,
    .width = 6,
    .read = read_lane,
    .content = content_of_lane,
    .has_room = lanes_have_room,
    .size = lanes_size,
    .log = lanes_log,
};

/* -- travel.load -- */

static bool roads_have_room(struct service_core *service, struct job *job)
{
    const struct travels *travels = &service->tables.timing.travels;
    return tables_have_room(service, job, travels->rows, TRAVEL_ROWS_MAX, &travels->areas, true) &&
           rules_have_room(service, job, (struct grown_rules){.roads = job->count});
}

static uint32_t roads_size(struct rows_load *load, uint32_t count)
{
    (void)load;
    return effect_roads_size(&(struct effect_roads){.count = count});
}

static void roads_log(struct service_core *service, struct rows_load *load, uint32_t at,
                      uint32_t count)
{
    const struct effect_roads effect = {is_replaced(load, at), count, roads(load) + at};
    if (count == 0 && !effect.is_replace) {
        return;
    }
    uint8_t *bytes = log_begin(service, effect_roads_size(&effect));
    uint64_t lsn = log_end(service, EFFECT_ROADS, effect_roads_encode(bytes, &effect));
    must_apply(tables_apply_roads(&service->tables, lsn, service->now_ms, &effect), "roads");
}

static const struct load_kind roads_kind = {
    .head = sizeof(struct lanes_load),
    .row = sizeof(struct travel_row),
    .slice = SLICE_LANES,
    .width = 4,
    .read = read_road,
    .content = content_of_road,
    .has_room = roads_have_room,
    .size = roads_size,
    .log = roads_log,
};

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

static void load_begin(struct service_core *service, struct call *call, const struct lanes_ask *ask,
                       bool is_roads)
{
    const struct timing *timing = &service->tables.timing;
    struct job *job =
        rows_load_new(service, call, is_roads ? &roads_kind : &lanes_kind, ask->raw, ask->key);
    if (!job) {
        return;
    }
    struct lanes_load *load = job->rows;
    content_text(&load->base.content, ask->carrier.at ? ask->carrier.at : "", ask->carrier.len);
    content_int(&load->base.content, ask->is_replace);
    load->is_replace = ask->is_replace;
    load->carrier_len = ask->carrier.len;
    if (ask->carrier.len) {
        memcpy(load->carrier, ask->carrier.at, ask->carrier.len);
    }
    load->lengths = is_roads ? timing->travels.areas.lengths : timing->carriers.areas.lengths;
    load->origin_lengths = timing->carriers.areas.origin_lengths;
    rows_load_start(service, job);
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
