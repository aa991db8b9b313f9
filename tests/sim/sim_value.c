/* Replies as trees. Recursion is bounded by the depth of what the engine writes. */
#include "sim_value.h"

#include <stdio.h>
#include <string.h>

#include "check.h"

static const struct sim_value *read_value(struct sim_reply *reply, struct reader *reader);

static struct sim_value *value_new(struct sim_reply *reply)
{
    CHECK(reply->used < SIM_VALUES_MAX);
    struct sim_value *value = &reply->values[reply->used++];
    *value = (struct sim_value){0};
    return value;
}

/* Hang each new one behind the last: tail is where the pointer to it goes. */
static void read_list(struct sim_reply *reply, struct reader *reader, struct sim_value *list)
{
    struct reader_array array;
    const struct sim_value **tail = &list->first;
    reader_array_begin(reader, &array, UINT32_MAX);
    while (reader_array_next(reader, &array)) {
        struct sim_value *value = (struct sim_value *)(uintptr_t)read_value(reply, reader);
        *tail = value;
        tail = &value->next;
        list->count++;
    }
}

static void read_map(struct sim_reply *reply, struct reader *reader, struct sim_value *map)
{
    struct reader_map fields;
    struct text key;
    const struct sim_value **tail = &map->first;
    reader_map_begin(reader, &fields, NULL, 0);
    while (reader_map_next_key(reader, &fields, &key)) {
        struct sim_value *value = (struct sim_value *)(uintptr_t)read_value(reply, reader);
        value->name = key;
        *tail = value;
        tail = &value->next;
        map->count++;
    }
}

static const struct sim_value *read_value(struct sim_reply *reply, struct reader *reader)
{
    struct sim_value *value = value_new(reply);
    value->kind = reader_peek(reader);
    switch (value->kind) {
    case READER_KIND_NIL:
        (void)reader_nil(reader);
        break;
    case READER_KIND_BOOL:
        value->number = reader_bool(reader);
        break;
    case READER_KIND_INT:
        value->number = reader_int(reader, INT64_MIN, INT64_MAX);
        break;
    case READER_KIND_FLOAT:
        value->real = reader_float(reader, -1e300, 1e300);
        break;
    case READER_KIND_TEXT:
        value->text = reader_text(reader, 0, UINT32_MAX);
        break;
    case READER_KIND_ARRAY:
        read_list(reply, reader, value);
        break;
    case READER_KIND_MAP:
        read_map(reply, reader, value);
        break;
    case READER_KIND_UINT_BIG:
    case READER_KIND_EXT:
    case READER_KIND_NONE:
        CHECK_UNREACHABLE("an answer holds what the contract does not know");
    }
    return value;
}

void sim_reply_read(struct sim_reply *reply, const uint8_t *bytes, uint32_t size)
{
    struct reader reader;
    reader_init(&reader, bytes, size);
    reply->used = 0;
    const struct sim_value *frame = read_value(reply, &reader);
    CHECK(reader_is_ok(&reader));
    CHECK(reader.at == reader.end);
    CHECK(frame->count == 4);
    const struct sim_value *type = frame->first;
    const struct sim_value *error = type->next->next;
    CHECK(type->number == 1);
    reply->msgid = (uint32_t)type->next->number;
    reply->error = error->kind == READER_KIND_NIL ? NULL : error;
    reply->result = reply->error ? NULL : error->next;
    CHECK(!reply->error || error->next->kind == READER_KIND_NIL);
}

static void print_list(const struct sim_value *list)
{
    const bool is_map = list->kind == READER_KIND_MAP;
    fputc(is_map ? '{' : '[', stderr);
    for (const struct sim_value *at = list->first; at; at = at->next) {
        if (is_map) {
            fprintf(stderr, "%.*s:", (int)at->name.len, at->name.at);
        }
        sim_value_print(at);
        fputs(at->next ? "," : "", stderr);
    }
    fputc(is_map ? '}' : ']', stderr);
}

void sim_value_print(const struct sim_value *value)
{
    if (value->kind == READER_KIND_INT) {
        fprintf(stderr, "%lld", (long long)value->number);
    } else if (value->kind == READER_KIND_FLOAT) {
        fprintf(stderr, "%g", value->real);
    } else if (value->kind == READER_KIND_TEXT) {
        fprintf(stderr, "\"%.*s\"", (int)value->text.len, value->text.at);
    } else if (value->kind == READER_KIND_ARRAY || value->kind == READER_KIND_MAP) {
        print_list(value);
    } else {
        fputs(value->kind == READER_KIND_NIL ? "nil" : value->number ? "true" : "false", stderr);
    }
}

const struct sim_value *sim_field(const struct sim_value *map, const char *name)
{
    const size_t len = strlen(name);
    const struct sim_value *at = map ? map->first : NULL;
    while (at && (at->name.len != len || memcmp(at->name.at, name, len) != 0)) {
        at = at->next;
    }
    return at;
}

static const struct sim_value *need(const struct sim_value *map, const char *name,
                                    enum reader_kind kind)
{
    const struct sim_value *value = sim_field(map, name);
    if (!value || value->kind != kind) {
        fprintf(stderr, "the answer has no such field %s\n", name);
        CHECK_UNREACHABLE("a field of the contract is missing");
    }
    return value;
}

int64_t sim_int(const struct sim_value *map, const char *name)
{
    return need(map, name, READER_KIND_INT)->number;
}

const struct sim_value *sim_list(const struct sim_value *map, const char *name)
{
    return need(map, name, READER_KIND_ARRAY);
}

const struct sim_value *sim_text(const struct sim_value *map, const char *name)
{
    return need(map, name, READER_KIND_TEXT);
}

bool sim_is(const struct sim_value *value, const char *text)
{
    const size_t len = strlen(text);
    return value && value->kind == READER_KIND_TEXT && value->text.len == len &&
           memcmp(value->text.at, text, len) == 0;
}

bool sim_is_true(const struct sim_value *map, const char *name)
{
    const struct sim_value *value = sim_field(map, name);
    return value && value->kind == READER_KIND_BOOL && value->number;
}

uint32_t sim_id(const struct sim_value *value, char letter)
{
    uint32_t id = 0;
    if (!value || value->kind != READER_KIND_TEXT || value->text.len < 2 ||
        value->text.at[0] != letter) {
        return UINT32_MAX;
    }
    for (uint32_t i = 1; i < value->text.len && value->text.at[i] != '/'; i++) {
        const char digit = value->text.at[i];
        if (digit < '0' || digit > '9' || id > 100000000) {
            return UINT32_MAX;
        }
        id = id * 10 + (uint32_t)(digit - '0');
    }
    return id;
}

bool sim_is_error(const struct sim_reply *reply, const char *code)
{
    const size_t len = strlen(code);
    const struct sim_value *text = reply->error ? reply->error->first->next : NULL;
    return text && text->text.len > len && memcmp(text->text.at, code, len) == 0 &&
           text->text.at[len] == ' ';
}

bool sim_is_refused(const struct sim_reply *reply, const char *reason)
{
    return sim_is(sim_field(reply->result, "status"), "refused") &&
           (!reason || sim_is(sim_field(reply->result, "reason"), reason));
}
