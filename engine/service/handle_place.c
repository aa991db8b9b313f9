/* place.load: postcode prefixes with coordinates; and the rows of every load, which are decoded
 * from a copy slice by slice. */
#include <string.h>

#include "load_internal.h"

/* -- rows -- */

static const char *const rows_field[] = {"rows"};
static const uint8_t rows_head[ROW_SOURCE_HEAD] = {0x81, 0xa4, 'r', 'o', 'w', 's'};

uint32_t row_source_count(struct text raw)
{
    struct reader reader;
    struct reader_array array;
    reader_init(&reader, (const uint8_t *)raw.at, raw.len);
    return reader_array_begin(&reader, &array, LOAD_ROWS_MAX);
}

void row_source_begin(struct row_source *source, struct text raw, uint8_t *bytes)
{
    memset(source, 0, sizeof *source);
    memcpy(bytes, rows_head, ROW_SOURCE_HEAD);
    memcpy(bytes + ROW_SOURCE_HEAD, raw.at, raw.len);
    reader_init(&source->reader, bytes, raw.len + ROW_SOURCE_HEAD);
    reader_map_begin(&source->reader, &source->map, rows_field, 1);
    int field = reader_map_next(&source->reader, &source->map);
    CHECK(field == 0);
    source->count = reader_array_begin(&source->reader, &source->array, LOAD_ROWS_MAX);
}

bool row_next(struct row_source *source, struct reader_array *row, uint32_t width)
{
    struct reader *reader = &source->reader;
    if (!reader_array_next(reader, &source->array)) {
        return false;
    }
    source->at++;
    uint32_t count = reader_array_begin(reader, row, UINT32_MAX);
    if (reader_is_ok(reader) && count != width) {
        reader_fail(reader, "a row has %u values, this one has %u", width, count);
    }
    return reader_array_next(reader, row);
}

void row_end(struct row_source *source, struct reader_array *row)
{
    bool has_more = reader_array_next(&source->reader, row);
    CHECK(!has_more);
}

/* -- place.load -- */

/* A new prefix touches a cold place of the gazetteer: fewer of them are a slice. */
enum { SLICE_PLACES = 250 };

/* Owned by the job: one block with the rows and the bytes behind it. */
struct place_load {
    struct row_source source;
    bool is_taken;
    struct content content;
    char key[ID_MAX];
    uint32_t key_len; /* 0 = none */
    struct effect_place rows[];
};

static void content_of_row(struct place_load *load, const struct effect_place *row)
{
    content_text(&load->content, row->postcode, (uint32_t)strlen(row->postcode));
    content_text(&load->content, (const char *)&row->lat, sizeof row->lat);
    content_text(&load->content, (const char *)&row->lon, sizeof row->lon);
}

static void read_row(struct row_source *source, struct reader_array *array,
                     struct effect_place *row)
{
    struct reader *reader = &source->reader;
    struct text text = reader_text(reader, 1, 40);
    if (reader_is_ok(reader) && !postcode_normalise(text.at, text.len, row->postcode)) {
        reader_fail(reader, "must have 1 to %d letters and digits", POSTCODE_MAX);
    }
    reader_array_next(reader, array);
    row->lat = reader_float(reader, -90, 90);
    reader_array_next(reader, array);
    row->lon = reader_float(reader, -180, 180);
    row_end(source, array);
}

/* Decode one slice. False: a row is bad, answered. */
static bool decode(struct service_core *service, struct job *job, struct place_load *load)
{
    struct row_source *source = &load->source;
    struct reader_array row;
    for (uint32_t i = 0; i < SLICE_PLACES && source->at < source->count; i++) {
        if (row_next(source, &row, 3)) {
            read_row(source, &row, &load->rows[source->at - 1]);
        }
        if (!reader_is_ok(&source->reader)) {
            reply_invalid(service, &job->call, &source->reader);
            return false;
        }
        if (load->key_len) {
            content_of_row(load, &load->rows[source->at - 1]);
        }
    }
    return true;
}

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

/* Look for the key when the rows are known and again before it is remembered: another connection
 * may have sent the same meanwhile. False: answered. */
static bool key_is_new(struct service_core *service, struct job *job,
                       const struct place_load *load, struct effect_key *key_out)
{
    const struct key_entry *seen;
    const struct text key = {load->key, load->key_len};
    enum key_result result =
        key_look(service, &job->call, key, load->content.hash, key_out, &seen);
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

/* Log and apply one slice. True: the load is over. */
static bool apply(struct service_core *service, struct job *job, const struct place_load *load)
{
    uint32_t left = job->count - job->at;
    struct effect_places effect = {.count = left < SLICE_PLACES ? left : SLICE_PLACES,
                                   .rows = load->rows + job->at};
    memcpy(effect.country, job->of.places.country, sizeof effect.country);
    bool is_last = effect.count == left;
    uint32_t size = effect_places_size(&effect);
    struct effect_key key = {.is_set = false};
    enum job_room room = job_room(service, job, size + 2 * EFFECT_SMALL_MAX);
    if (room != JOB_ROOM_OK) {
        return room == JOB_ROOM_GONE;
    }
    if (is_last && !key_is_new(service, job, load, &key)) {
        return true;
    }
    if (effect.count) {
        uint8_t *bytes = log_begin(service, size);
        uint64_t lsn = log_end(service, EFFECT_PLACES, effect_places_encode(bytes, &effect));
        must_apply(tables_apply_places(&service->tables, lsn, service->now_ms, &effect),
                   "places");
        service->tables.generation++; /* a guess in this batch may have asked for such a place */
    }
    job->at += effect.count;
    if (!is_last) {
        return false;
    }
    if (key.is_set) {
        key_log(service, job, &key);
    }
    answer_loaded(service, job, job->count, false);
    return true;
}

/* So that no slice finds the memory full. Places that are there already take no more. */
static bool has_room(struct service_core *service, struct job *job)
{
    const struct grown_rules more = {.places = job->count};
    if (!rules_room(service, &job->call, &more)) {
        return false;
    }
    job->rules_coming = more;
    return true;
}

static bool place_step(struct service_core *service, struct job *job)
{
    struct place_load *load = job->rows;
    if (!load->is_taken && load->source.count > SLICE_PLACES) {
        load->is_taken = true; /* to copy the bytes was enough for one turn */
        return false;
    }
    if (load->source.at < load->source.count) {
        struct effect_key key;
        if (!decode(service, job, load)) {
            return true;
        }
        if (load->source.at == load->source.count &&
            (!key_is_new(service, job, load, &key) || !has_room(service, job))) {
            return true;
        }
        if (load->source.count > SLICE_PLACES) {
            return false;
        }
    }
    return apply(service, job, load);
}

/* The request; the texts borrow it. */
struct place_ask {
    struct text raw, key;
    char country[3];
};

static void load_fill(struct place_load *load, const struct place_ask *ask)
{
    content_begin(&load->content, METHOD_PLACE_LOAD);
    content_text(&load->content, ask->country, 2);
    load->key_len = ask->key.len;
    if (ask->key.len) {
        memcpy(load->key, ask->key.at, ask->key.len);
    }
}

static void load_begin(struct service_core *service, struct call *call,
                       const struct place_ask *ask)
{
    const struct text raw = ask->raw;
    uint32_t count = row_source_count(raw);
    size_t rows = count * sizeof(struct effect_place);
    struct job *job =
        job_new(service, call, sizeof(struct place_load) + rows + ROW_SOURCE_HEAD + raw.len);
    if (!job) {
        return;
    }
    struct place_load *load = job->rows;
    load->is_taken = false;
    load_fill(load, ask);
    row_source_begin(&load->source, raw, (uint8_t *)load->rows + rows);
    job->step = place_step;
    job->count = count;
    memcpy(job->of.places.country, ask->country, sizeof job->of.places.country);
    if (!reader_is_ok(&load->source.reader)) {
        reply_invalid(service, call, &load->source.reader);
        job_free(service, job);
        return;
    }
    job_start(service, job);
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
