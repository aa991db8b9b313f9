/* Loads of rows: read slice by slice from a copy, whole before anything changes, then logged and
 * applied slice by slice. What a row is, and where it goes, is the method's (struct load_kind). */
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

/* -- the key -- */

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
static bool key_is_new(struct service_core *service, struct job *job, struct effect_key *key_out)
{
    const struct rows_load *load = job->rows;
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

/* -- slices -- */

/* Decode one slice. False: a row is bad, answered. */
static bool decode(struct service_core *service, struct job *job)
{
    struct rows_load *load = job->rows;
    struct row_source *source = &load->source;
    struct reader_array row;
    for (uint32_t i = 0; i < load->kind->slice && source->at < source->count; i++) {
        const uint32_t at = source->at;
        if (row_next(source, &row, load->kind->width)) {
            load->kind->read(service, load, &row, at);
            row_end(source, &row);
        }
        if (!reader_is_ok(&source->reader)) {
            reply_invalid(service, &job->call, &source->reader);
            return false;
        }
        if (load->key_len) {
            load->kind->content(load, at);
        }
    }
    return true;
}

/* Log and apply one slice. True: the load is over. */
static bool apply(struct service_core *service, struct job *job)
{
    struct rows_load *load = job->rows;
    uint32_t left = job->count - job->at;
    uint32_t count = left < load->kind->slice ? left : load->kind->slice;
    bool is_last = count == left;
    struct effect_key key = {.is_set = false};
    uint32_t size = load->kind->size(load, count);
    enum job_room room = job_room(service, job, size + 2 * EFFECT_SMALL_MAX);
    if (room != JOB_ROOM_OK) {
        return room == JOB_ROOM_GONE;
    }
    if (is_last && !key_is_new(service, job, &key)) {
        return true;
    }
    load->kind->log(service, load, job->at, count);
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

static bool step(struct service_core *service, struct job *job)
{
    struct rows_load *load = job->rows;
    bool is_long = load->source.count > load->kind->slice;
    if (!load->is_taken && is_long) {
        load->is_taken = true; /* to copy the bytes was enough for one turn */
        return false;
    }
    if (load->source.at < load->source.count) {
        struct effect_key key;
        if (!decode(service, job)) {
            return true;
        }
        bool is_read = load->source.at == load->source.count;
        if (is_read && (!key_is_new(service, job, &key) || !load->kind->has_room(service, job))) {
            return true;
        }
        if (is_long) {
            return false;
        }
    }
    return apply(service, job);
}

struct job *rows_load_new(struct service_core *service, struct call *call,
                          const struct load_kind *kind, struct text raw, struct text key)
{
    uint32_t count = row_source_count(raw);
    size_t before = kind->head + count * kind->row;
    struct job *job = job_new(service, call, before + ROW_SOURCE_HEAD + raw.len);
    if (!job) {
        return NULL;
    }
    struct rows_load *load = job->rows;
    memset(load, 0, kind->head);
    load->kind = kind;
    content_begin(&load->content, call->method);
    load->key_len = key.len;
    if (key.len) {
        memcpy(load->key, key.at, key.len);
    }
    row_source_begin(&load->source, raw, (uint8_t *)load + before);
    job->step = step;
    job->count = count;
    return job;
}

void rows_load_start(struct service_core *service, struct job *job)
{
    struct rows_load *load = job->rows;
    if (!reader_is_ok(&load->source.reader)) {
        reply_invalid(service, &job->call, &load->source.reader);
        job_free(service, job);
        return;
    }
    job_start(service, job);
}
