/* The port of a service without sockets, and JSON on both sides of it. */
#include "service_harness.h"

#include <dirent.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "reader.h"
#include "writer.h"

enum { TURNS_MAX = 1000000, START_MS_STEP = 1 };

static const uint64_t START_MS = 1790000000000;

struct harness_call {
    uint32_t number;
    bool is_sent;
    void *conn;
    uint8_t *request;
    uint32_t request_size;
    uint8_t *reply; /* NULL = not answered yet */
    uint32_t reply_size;
    uint64_t release_lsn;
};

/* -- port -- */

static struct harness *the_harness; /* connections do not know whose they are */

static uint8_t *on_reply_begin(void *conn, uint32_t size)
{
    CHECK(!the_harness->reply);
    the_harness->reply = malloc(size + 1);
    the_harness->reply_conn = conn;
    CHECK(the_harness->reply);
    return the_harness->reply;
}

static struct harness_call *call_of(struct harness *harness, uint32_t number)
{
    uint32_t likely = harness->call_count ? number - harness->calls[0].number : 0;
    if (likely < harness->call_count && harness->calls[likely].number == number) {
        return &harness->calls[likely]; /* numbers rise, and few are taken out of their order */
    }
    for (uint32_t i = 0; i < harness->call_count; i++) {
        if (harness->calls[i].number == number) {
            return &harness->calls[i];
        }
    }
    CHECK_UNREACHABLE("a reply to nothing that was asked");
}

static uint32_t msgid_of(const uint8_t *bytes, uint32_t size)
{
    struct reader reader;
    struct reader_array array;
    reader_init(&reader, bytes, size);
    uint32_t count = reader_array_begin(&reader, &array, 4);
    bool has_type = reader_array_next(&reader, &array);
    int64_t type = reader_int(&reader, 1, 1);
    bool has_msgid = reader_array_next(&reader, &array);
    int64_t msgid = reader_int(&reader, 0, UINT32_MAX);
    CHECK(reader_is_ok(&reader));
    CHECK(count == 4);
    CHECK(type == 1);
    CHECK(has_type);
    CHECK(has_msgid);
    return (uint32_t)msgid;
}

static void on_reply_end(void *conn, uint32_t size, uint64_t release_lsn)
{
    struct harness *harness = the_harness;
    CHECK(harness->reply_conn == conn);
    struct harness_call *call = call_of(harness, msgid_of(harness->reply, size));
    CHECK(call->conn == conn);
    CHECK(!call->reply);
    call->reply = harness->reply;
    call->reply_size = size;
    call->release_lsn = release_lsn;
    harness->reply = NULL;
}

static void on_done(void *conn)
{
    (void)conn;
    CHECK_UNREACHABLE("the harness sends no notifications");
}

static void on_hold(void *conn, bool held)
{
    for (uint32_t i = 0; i < HARNESS_CONNS; i++) {
        if (conn == &the_harness->conns[i]) {
            the_harness->is_held[i] = held;
        }
    }
}

static void on_release(void *owner, uint64_t lsn)
{
    struct harness *harness = owner;
    CHECK(lsn >= harness->released);
    harness->released = lsn;
}

static void on_pause(void *owner, bool paused)
{
    struct harness *harness = owner;
    harness->is_paused = paused;
}

static uint64_t on_clock(void *owner)
{
    const struct harness *harness = owner;
    return harness->now_ns;
}

static bool on_checkpoint(void *owner, uint64_t lsn, char why_out[WAL_ERROR_SIZE])
{
    struct harness *harness = owner;
    (void)why_out;
    CHECK(!harness->checkpoint_lsn);
    harness->checkpoint_lsn = lsn;
    return true;
}

static void on_failed(void *owner, const char *why)
{
    (void)owner;
    fprintf(stderr, "log failed: %s\n", why);
    CHECK_UNREACHABLE("the log failed");
}

const uint8_t *harness_request(struct harness *harness, uint32_t number, uint32_t *size_out)
{
    const struct harness_call *call = call_of(harness, number);
    *size_out = call->request_size;
    return call->request;
}

/* -- life -- */

void harness_init(struct harness *harness)
{
    memset(harness, 0, sizeof *harness);
    snprintf(harness->dir, sizeof harness->dir, "service-scratch-XXXXXX");
    CHECK(mkdtemp(harness->dir) != NULL);
    harness->calls = calloc(HARNESS_CALLS_MAX, sizeof *harness->calls);
    CHECK(harness->calls);
    harness->wall_ms = START_MS;
    harness->step_ms = START_MS_STEP;
    harness->next_msgid = 1;
    service_options_default(&harness->options);
    harness->options.tables = (struct tables_options){.items_max = 20000,
                                                      .orders_max = 2000,
                                                      .orders_memory = 64 << 20,
                                                      .holds_max = 20000,
                                                      .owed_max = 2000,
                                                      .reservations_max = 2000,
                                                      .keys_max = 200,
                                                      .movements_max = 1000,
                                                      .documents_max = 100};
    harness->options.log.dir = harness->dir;
    harness->options.log.segment_size = 16 << 20;
    harness->options.log.backend = WAL_BACKEND_PWRITE;
    harness->options.log.force_buffered = true;
    harness->options.batch = 64;
    harness->options.max_delay_ms = 0;
    memcpy(harness->options.country, "US", 3);
    harness->options.port = (struct service_port){.owner = harness,
                                                  .reply_begin = on_reply_begin,
                                                  .reply_end = on_reply_end,
                                                  .done = on_done,
                                                  .hold = on_hold,
                                                  .release = on_release,
                                                  .pause = on_pause,
                                                  .clock_ns = on_clock,
                                                  .failed = on_failed,
                                                  .checkpoint = on_checkpoint};
}

void harness_start(struct harness *harness)
{
    char error[WAL_ERROR_SIZE];
    struct service_start start;
    the_harness = harness;
    harness->released = 0;
    enum err err = service_open(&harness->options, &harness->service, &start, error);
    if (err != ERR_OK) {
        fprintf(stderr, "service_open: %s: %s\n", err_text(err), error);
        CHECK_UNREACHABLE("the service did not open");
    }
}

void harness_open(struct harness *harness)
{
    harness_init(harness);
    harness_start(harness);
}

struct harness *harness_new(void)
{
    struct harness *harness = malloc(sizeof *harness);
    CHECK(harness != NULL);
    harness_open(harness);
    return harness;
}

int harness_end(void **state)
{
    struct harness *harness = *state;
    harness_restart(harness);
    harness_close(harness);
    free(harness);
    return 0;
}

int harness_end_by_snapshot(void **state)
{
    harness_restart(*state);
    harness_snapshot(*state);
    return harness_end(state);
}

static void folder_drop(const char *path)
{
    char name[600];
    DIR *dir = opendir(path);
    CHECK(dir != NULL);
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        snprintf(name, sizeof name, "%s/%s", path, entry->d_name);
        (void)unlink(name);
    }
    closedir(dir);
    CHECK(rmdir(path) == 0);
}

void harness_close(struct harness *harness)
{
    the_harness = harness;
    service_close(harness->service);
    harness->service = NULL;
    for (uint32_t i = 0; i < harness->call_count; i++) {
        free(harness->calls[i].request);
        free(harness->calls[i].reply);
    }
    free(harness->calls);
    folder_drop(harness->dir);
}

void harness_restart(struct harness *harness)
{
    const struct tables *tables = service_tables(harness->service);
    struct digest digest = tables->digest;
    CHECK(harness->call_count == 0);
    tables_check((struct tables *)(uintptr_t)tables);
    service_close(harness->service);
    harness_start(harness);
    tables = service_tables(harness->service);
    tables_check((struct tables *)(uintptr_t)tables);
    CHECK(digest_equal(&digest, &tables->digest));
}

/* -- JSON to MessagePack -- */

static void pack(struct writer *writer, const json_t *value)
{
    const char *name;
    json_t *field;
    switch (json_typeof(value)) {
    case JSON_OBJECT:
        writer_map(writer, (uint32_t)json_object_size(value));
        json_object_foreach((json_t *)(uintptr_t)value, name, field) {
            writer_string(writer, name);
            pack(writer, field);
        }
        break;
    case JSON_ARRAY:
        writer_array(writer, (uint32_t)json_array_size(value));
        for (size_t i = 0; i < json_array_size(value); i++) {
            pack(writer, json_array_get(value, i));
        }
        break;
    case JSON_STRING:
        writer_text(writer, json_string_value(value), (uint32_t)json_string_length(value));
        break;
    case JSON_INTEGER:
        writer_int(writer, json_integer_value(value));
        break;
    case JSON_REAL:
        writer_float(writer, json_real_value(value));
        break;
    case JSON_TRUE:
    case JSON_FALSE:
        writer_bool(writer, json_is_true(value));
        break;
    case JSON_NULL:
        writer_nil(writer);
        break;
    }
}

static json_t *params_read(char *text)
{
    json_error_t error;
    for (char *at = text; *at; at++) {
        *at = *at == '\'' ? '"' : *at;
    }
    json_t *params = json_loads(text, JSON_DECODE_ANY, &error);
    if (!params) {
        fprintf(stderr, "%s: %s\n", error.text, text);
        CHECK_UNREACHABLE("params are not JSON");
    }
    return params;
}

static void request_write(struct harness_call *call, const char *method, char *text)
{
    static uint8_t scratch[FRAME_SIZE_MAX];
    json_t *params = params_read(text);
    struct writer writer;
    writer_init(&writer, scratch, FRAME_SIZE_MAX);
    writer_request(&writer, call->number, method);
    pack(&writer, params);
    CHECK(!writer.is_full);
    call->request_size = writer_size(&writer);
    call->request = malloc(call->request_size); /* there is no byte to read behind it */
    CHECK(call->request);
    memcpy(call->request, scratch, call->request_size);
    json_decref(params);
}

static uint32_t stage(struct harness *harness, uint32_t conn, const char *method,
                      const char *format, va_list args)
{
    CHECK(harness->call_count < HARNESS_CALLS_MAX);
    CHECK(conn < HARNESS_CONNS);
    char *text = NULL;
    int len = vasprintf(&text, format, args);
    CHECK(len >= 0);
    struct harness_call *call = &harness->calls[harness->call_count++];
    *call = (struct harness_call){.number = harness->next_msgid++, .conn = &harness->conns[conn]};
    request_write(call, method, text);
    free(text);
    return call->number;
}

uint32_t harness_stage(struct harness *harness, uint32_t conn, const char *method,
                       const char *format, ...)
{
    va_list args;
    va_start(args, format);
    uint32_t number = stage(harness, conn, method, format, args);
    va_end(args);
    return number;
}

/* -- turns -- */

/* What the loop does between two slices of a turn. */
static void slices_end(struct harness *harness)
{
    while (service_is_suspended(harness->service) && !harness->leaves_suspended) {
        const struct service_turn turn = {harness->wall_ms + 1, harness->now_ns + 1};
        wal_drive(service_wal(harness->service));
        if (harness->suspended) {
            harness->suspended(harness);
        }
        service_tick(harness->service, &turn);
    }
}

static struct service_turn turn_now(const struct harness *harness)
{
    return (struct service_turn){harness->wall_ms, harness->now_ns};
}

void harness_batch(struct harness *harness)
{
    struct service_request requests[HARNESS_CALLS_MAX];
    struct frame_head heads[HARNESS_CALLS_MAX];
    uint32_t count = 0;
    the_harness = harness;
    harness->wall_ms += harness->step_ms;
    harness->now_ns += harness->step_ms * 1000000;
    for (uint32_t i = 0; i < harness->call_count; i++) {
        struct harness_call *call = &harness->calls[i];
        if (call->is_sent) {
            continue;
        }
        call->is_sent = true;
        bool is_frame = frame_head_read(call->request, call->request_size, &heads[count]);
        CHECK(is_frame);
        requests[count] = (struct service_request){call->conn, &heads[count],
                                                    harness->now_ns - harness->waited_ns};
        count++;
    }
    const struct service_turn turn = turn_now(harness);
    service_batch(harness->service, &turn, requests, count);
    slices_end(harness);
}

static bool all_released(const struct harness *harness)
{
    for (uint32_t i = 0; i < harness->call_count; i++) {
        const struct harness_call *call = &harness->calls[i];
        if (!call->reply || call->release_lsn > harness->released) {
            return false;
        }
    }
    return true;
}

/* The log wants no batch before it has room again. */
static void pause_wait(struct harness *harness)
{
    const struct service_turn turn = turn_now(harness);
    for (uint32_t i = 0; harness->is_paused; i++) {
        CHECK(i < TURNS_MAX);
        wal_wait(service_wal(harness->service));
        service_tick(harness->service, &turn);
        slices_end(harness);
    }
}

/* What the daemon's child does, here in this process. */
static void checkpoint_run(struct harness *harness)
{
    char error[WAL_ERROR_SIZE];
    struct checkpoint_made made;
    const struct disk_options where = {
        .dir = harness->dir, .access = DISK_CHECKPOINT, .method = DISK_METHOD_FDATASYNC};
    struct checkpoint_options options = {.tables = harness->options.tables,
                                         .lsn = harness->checkpoint_lsn};
    CHECK(disk_pwrite_new(&where, &options.disk) == ERR_OK);
    const enum err err = checkpoint_make(&options, &made, error);
    options.disk->ops->free(options.disk);
    harness->checkpoint_lsn = 0;
    service_checkpoint_done(harness->service, err, &made, error);
    while (service_has_checkpoint(harness->service)) {
        wal_wait(service_wal(harness->service));
    }
}

uint64_t harness_snapshot(struct harness *harness)
{
    json_t *answer = harness_ask(harness, "snapshot", "{}");
    const uint64_t lsn = (uint64_t)harness_int(answer, "lsn");
    harness_drop(answer);
    return lsn;
}

void harness_tick(struct harness *harness)
{
    if (wal_is_busy(service_wal(harness->service))) {
        wal_wait(service_wal(harness->service));
    }
    const struct service_turn turn = turn_now(harness);
    service_tick(harness->service, &turn);
    slices_end(harness);
}

void harness_run(struct harness *harness)
{
    pause_wait(harness);
    harness_batch(harness);
    for (uint32_t i = 0; !all_released(harness) || !service_is_idle(harness->service); i++) {
        CHECK(i < TURNS_MAX);
        harness_tick(harness);
        if (harness->checkpoint_lsn) {
            checkpoint_run(harness);
        }
    }
}

/* -- MessagePack to JSON -- */

static json_t *unpack(struct reader *reader);

static json_t *unpack_list(struct reader *reader)
{
    struct reader_array array;
    json_t *list = json_array();
    reader_array_begin(reader, &array, UINT32_MAX);
    while (reader_array_next(reader, &array)) {
        json_array_append_new(list, unpack(reader));
    }
    return list;
}

static json_t *unpack_map(struct reader *reader)
{
    struct reader_map map;
    struct text key;
    json_t *object = json_object();
    reader_map_begin(reader, &map, NULL, 0);
    while (reader_map_next_key(reader, &map, &key)) {
        char name[256];
        CHECK(key.len < sizeof name);
        memcpy(name, key.at, key.len);
        name[key.len] = '\0';
        CHECK(!json_object_get(object, name)); /* an answer names no field twice */
        json_object_set_new(object, name, unpack(reader));
    }
    return object;
}

static json_t *unpack(struct reader *reader)
{
    struct text text;
    switch (reader_peek(reader)) {
    case READER_KIND_NIL:
        CHECK(reader_nil(reader));
        return json_null();
    case READER_KIND_BOOL:
        return json_boolean(reader_bool(reader));
    case READER_KIND_INT:
        return json_integer(reader_int(reader, INT64_MIN, INT64_MAX));
    case READER_KIND_FLOAT:
        return json_real(reader_float(reader, -1e300, 1e300));
    case READER_KIND_TEXT:
        text = reader_text(reader, 0, UINT32_MAX);
        return json_stringn(text.at, text.len);
    case READER_KIND_ARRAY:
        return unpack_list(reader);
    case READER_KIND_MAP:
        return unpack_map(reader);
    case READER_KIND_UINT_BIG:
    case READER_KIND_EXT:
    case READER_KIND_NONE:
        break;
    }
    CHECK_UNREACHABLE("an answer holds what the contract does not know");
}

static json_t *answer_of(const struct harness_call *call)
{
    struct reader reader;
    reader_init(&reader, call->reply, call->reply_size);
    json_t *frame = unpack(&reader);
    CHECK(reader_is_ok(&reader));
    CHECK(reader_peek(&reader) == READER_KIND_NONE); /* nothing left over */
    CHECK(json_array_size(frame) == 4);
    json_t *error = json_array_get(frame, 2);
    json_t *answer = json_incref(json_array_get(frame, 3));
    if (!json_is_null(error)) {
        CHECK(json_is_null(answer));
        answer = json_object();
        json_object_set(answer, "error", error);
    }
    json_decref(frame);
    return answer;
}

static void call_remove(struct harness *harness, struct harness_call *call)
{
    free(call->request);
    free(call->reply);
    harness->call_count--;
    memmove(call, call + 1,
            (size_t)(harness->calls + harness->call_count - call) * sizeof *call);
}

json_t *harness_take(struct harness *harness, uint32_t number)
{
    struct harness_call *call = call_of(harness, number);
    CHECK(call->reply);
    CHECK(call->release_lsn <= harness->released);
    json_t *answer = answer_of(call);
    call_remove(harness, call);
    return answer;
}

uint8_t *harness_take_bytes(struct harness *harness, uint32_t number, uint32_t *size_out)
{
    struct harness_call *call = call_of(harness, number);
    CHECK(call->reply);
    CHECK(call->release_lsn <= harness->released);
    uint8_t *bytes = call->reply;
    *size_out = call->reply_size;
    call->reply = NULL;
    call_remove(harness, call);
    return bytes;
}

void harness_forget(struct harness *harness, uint32_t number)
{
    call_remove(harness, call_of(harness, number));
}

static json_t *ask(struct harness *harness, const char *method, const char *format, va_list args)
{
    uint32_t number = stage(harness, 0, method, format, args);
    harness_run(harness);
    return harness_take(harness, number);
}

json_t *harness_ask(struct harness *harness, const char *method, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_t *answer = ask(harness, method, format, args);
    va_end(args);
    return answer;
}

void harness_drop(json_t *answer)
{
    json_decref(answer);
}

/* -- reading answers -- */

static void show(const json_t *answer)
{
    char *text = json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY);
    fprintf(stderr, "answer: %s\n", text ? text : "(none)");
    free(text);
}

static const json_t *at_path(const json_t *answer, const char *path)
{
    char step[128];
    while (answer && *path) {
        size_t len = strcspn(path, ".");
        CHECK(len < sizeof step);
        memcpy(step, path, len);
        step[len] = '\0';
        answer = json_is_array(answer) ? json_array_get(answer, (size_t)strtoul(step, NULL, 10))
                                       : json_object_get(answer, step);
        path += len + (path[len] == '.');
    }
    return answer;
}

static const json_t *need(const json_t *answer, const char *path)
{
    const json_t *value = at_path(answer, path);
    if (!value) {
        show(answer);
        fprintf(stderr, "no field %s\n", path);
        CHECK_UNREACHABLE("the answer has no such field");
    }
    return value;
}

int64_t harness_int(const json_t *answer, const char *path)
{
    const json_t *value = need(answer, path);
    CHECK(json_is_integer(value));
    return json_integer_value(value);
}

const char *harness_text(const json_t *answer, const char *path)
{
    const json_t *value = need(answer, path);
    CHECK(json_is_string(value));
    return json_string_value(value);
}

bool harness_bool(const json_t *answer, const char *path)
{
    const json_t *value = need(answer, path);
    CHECK(json_is_boolean(value));
    return json_is_true(value);
}

double harness_float(const json_t *answer, const char *path)
{
    const json_t *value = need(answer, path);
    CHECK(json_is_real(value));
    return json_real_value(value);
}

uint32_t harness_count(const json_t *answer, const char *path)
{
    const json_t *value = need(answer, path);
    CHECK(json_is_array(value) || json_is_object(value));
    return (uint32_t)(json_is_array(value) ? json_array_size(value) : json_object_size(value));
}

bool harness_has(const json_t *answer, const char *path)
{
    return at_path(answer, path) != NULL;
}

void harness_refute(struct harness *harness, const char *method, const char *params,
                    const char *begin, const char *part)
{
    json_t *answer = harness_ask(harness, method, "%s", params);
    const json_t *text = at_path(answer, "error.1");
    const char *is = text ? json_string_value(text) : "";
    if (strncmp(is, begin, strlen(begin)) != 0 || !strstr(is, part)) {
        show(answer);
        fprintf(stderr, "%s %s: wanted %s ... %s\n", method, params, begin, part);
        CHECK_UNREACHABLE("another answer than the error wanted");
    }
    json_decref(answer);
}

void harness_do(struct harness *harness, const char *method, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    json_t *answer = ask(harness, method, format, args);
    va_end(args);
    const json_t *status = at_path(answer, "status");
    bool is_refused = status && json_is_string(status) &&
                      strcmp(json_string_value(status), "refused") == 0;
    if (is_refused || at_path(answer, "error")) {
        show(answer);
        fprintf(stderr, "%s %s\n", method, format);
        CHECK_UNREACHABLE("not done");
    }
    json_decref(answer);
}

void harness_expect_cell(struct harness *harness, const char *item, const char *node,
                         int64_t on_hand, int64_t reserved)
{
    json_t *answer = harness_ask(harness, "stock.get", "{'item':'%s','node':'%s'}", item, node);
    if (harness_int(answer, "on_hand") != on_hand || harness_int(answer, "reserved") != reserved) {
        show(answer);
        fprintf(stderr, "%s at %s: on_hand %lld and reserved %lld were expected\n", item, node,
                (long long)on_hand, (long long)reserved);
        CHECK_UNREACHABLE("another cell than expected");
    }
    harness_drop(answer);
}
