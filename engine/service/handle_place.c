/* place.load: postcode prefixes with coordinates. */
#include <string.h>

#include "load_internal.h"

/* A new prefix touches a cold place of the gazetteer: fewer of them are a slice. */
enum { SLICE_PLACES = 250 };

struct place_load {
    struct rows_load base; /* first */
    char country[3];
    struct effect_place rows[];
};

static struct place_load *of(struct rows_load *load)
{
    return (struct place_load *)(void *)load;
}

static void read_row(struct service_core *service, struct rows_load *load,
                     struct reader_array *array, uint32_t at)
{
    (void)service;
    struct reader *reader = &load->source.reader;
    struct effect_place *row = &of(load)->rows[at];
    struct text text = reader_text(reader, 1, 40);
    if (reader_is_ok(reader) && !postcode_normalise(text.at, text.len, row->postcode)) {
        reader_fail(reader, "must have 1 to %d letters and digits", POSTCODE_MAX);
    }
    reader_array_next(reader, array);
    row->lat = reader_float(reader, -90, 90);
    reader_array_next(reader, array);
    row->lon = reader_float(reader, -180, 180);
}

static void content_of_row(struct rows_load *load, uint32_t at)
{
    const struct effect_place *row = &of(load)->rows[at];
    content_text(&load->content, row->postcode, (uint32_t)strlen(row->postcode));
    content_text(&load->content, (const char *)&row->lat, sizeof row->lat);
    content_text(&load->content, (const char *)&row->lon, sizeof row->lon);
}

/* Places that are there already take no more. */
static bool has_room(struct service_core *service, struct job *job)
{
    const struct grown_rules more = {.places = job->count};
    if (!rules_room(service, &job->call, &more)) {
        return false;
    }
    job->rules_coming = more;
    return true;
}

static struct effect_places effect_of(struct rows_load *load, uint32_t at, uint32_t count)
{
    struct effect_places effect = {.count = count, .rows = of(load)->rows + at};
    memcpy(effect.country, of(load)->country, sizeof effect.country);
    return effect;
}

static uint32_t record_size(struct rows_load *load, uint32_t count)
{
    const struct effect_places effect = effect_of(load, 0, count);
    return effect_places_size(&effect);
}

static void rows_log(struct service_core *service, struct rows_load *load, uint32_t at,
                     uint32_t count)
{
    if (count == 0) {
        return;
    }
    const struct effect_places effect = effect_of(load, at, count);
    uint8_t *bytes = log_begin(service, effect_places_size(&effect));
    uint64_t lsn = log_end(service, EFFECT_PLACES, effect_places_encode(bytes, &effect));
    must_apply(tables_apply_places(&service->tables, lsn, service->now_ms, &effect), "places");
    service->tables.generation++; /* a guess in this batch may have asked for such a place */
}

static const struct load_kind place_kind = {
    .head = sizeof(struct place_load),
    .row = sizeof(struct effect_place),
    .slice = SLICE_PLACES,
    .width = 3,
    .read = read_row,
    .content = content_of_row,
    .has_room = has_room,
    .size = record_size,
    .log = rows_log,
};

/* The request; the texts borrow it. */
struct place_ask {
    struct text raw, key;
    char country[3];
};

static void load_begin(struct service_core *service, struct call *call, const struct place_ask *ask)
{
    struct job *job = rows_load_new(service, call, &place_kind, ask->raw, ask->key);
    if (job) {
        struct place_load *load = job->rows;
        content_text(&load->base.content, ask->country, 2);
        memcpy(load->country, ask->country, sizeof load->country);
        rows_load_start(service, job);
    }
}

static void ask_read(struct reader *reader, struct place_ask *ask)
{
    static const char *const fields[] = {"country", "rows", "key"};
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    reader_params(reader, &map, fields, 3);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            read_country(reader, ask->country);
            break;
        case 1:
            ask->raw = reader_raw_field(reader, &map);
            break;
        default:
            ask->key = reader_text(reader, 1, ID_MAX);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
}

void handle_place_load(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct place_ask ask;
    reader_init(&reader, call->params, call->params_size);
    ask_read(&reader, &ask);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint32_t size = SLICE_PLACES * sizeof(struct effect_place);
    if (log_room(service, call, size, 1, WAL_CLAIM_CHANGE)) {
        load_begin(service, call, &ask);
    }
}
