/* Readers of the values inside a reply. A struct nearshelf_value is a msgpack-c object under
 * a name of our own, so that msgpack-c's header is no part of the public face. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "client_internal.h"

static const msgpack_object *object_of(const struct nearshelf_value *value)
{
    return (const msgpack_object *)(const void *)value;
}

static const struct nearshelf_value *value_of(const msgpack_object *object)
{
    return (const struct nearshelf_value *)(const void *)object;
}

enum nearshelf_type nearshelf_type(const struct nearshelf_value *value)
{
    if (!value) {
        return NEARSHELF_ABSENT;
    }
    const msgpack_object *object = object_of(value);
    switch (object->type) {
    case MSGPACK_OBJECT_NIL:
        return NEARSHELF_NIL;
    case MSGPACK_OBJECT_BOOLEAN:
        return NEARSHELF_BOOL;
    case MSGPACK_OBJECT_POSITIVE_INTEGER:
        return object->via.u64 <= INT64_MAX ? NEARSHELF_INT : NEARSHELF_FLOAT;
    case MSGPACK_OBJECT_NEGATIVE_INTEGER:
        return NEARSHELF_INT;
    case MSGPACK_OBJECT_FLOAT32:
    case MSGPACK_OBJECT_FLOAT64:
        return NEARSHELF_FLOAT;
    case MSGPACK_OBJECT_STR:
    case MSGPACK_OBJECT_BIN:
        return NEARSHELF_TEXT;
    case MSGPACK_OBJECT_ARRAY:
        return NEARSHELF_ARRAY;
    case MSGPACK_OBJECT_MAP:
        return NEARSHELF_MAP;
    case MSGPACK_OBJECT_EXT:
        return NEARSHELF_NIL;
    }
    return NEARSHELF_NIL;
}

bool nearshelf_bool(const struct nearshelf_value *value, bool fallback)
{
    return nearshelf_type(value) == NEARSHELF_BOOL ? object_of(value)->via.boolean : fallback;
}

static bool is_whole_float(double number)
{
    return number >= -0x1p63 && number < 0x1p63 && floor(number) == number;
}

int64_t nearshelf_int(const struct nearshelf_value *value, int64_t fallback)
{
    enum nearshelf_type type = nearshelf_type(value);
    if (type == NEARSHELF_INT) {
        return object_of(value)->via.i64;
    }
    if (type != NEARSHELF_FLOAT) {
        return fallback;
    }
    double number = nearshelf_float(value, NAN);
    return is_whole_float(number) ? (int64_t)number : fallback;
}

double nearshelf_float(const struct nearshelf_value *value, double fallback)
{
    enum nearshelf_type type = nearshelf_type(value);
    if (type == NEARSHELF_INT) {
        return (double)object_of(value)->via.i64;
    }
    if (type != NEARSHELF_FLOAT) {
        return fallback;
    }
    const msgpack_object *object = object_of(value);
    return object->type == MSGPACK_OBJECT_POSITIVE_INTEGER ? (double)object->via.u64
                                                           : object->via.f64;
}

const char *nearshelf_text(const struct nearshelf_value *value, size_t *size_out)
{
    *size_out = 0;
    if (nearshelf_type(value) != NEARSHELF_TEXT) {
        return "";
    }
    const msgpack_object *object = object_of(value);
    bool is_str = object->type == MSGPACK_OBJECT_STR;
    *size_out = is_str ? object->via.str.size : object->via.bin.size;
    return is_str ? object->via.str.ptr : object->via.bin.ptr;
}

bool nearshelf_text_is(const struct nearshelf_value *value, const char *text)
{
    size_t size;
    const char *at = nearshelf_text(value, &size);
    return nearshelf_type(value) == NEARSHELF_TEXT && size == strlen(text) &&
           memcmp(at, text, size) == 0;
}

const char *nearshelf_text_copy(const struct nearshelf_value *value, char *buffer, size_t size)
{
    size_t length;
    const char *at = nearshelf_text(value, &length);
    size_t copied = length < size ? length : size - 1;
    memcpy(buffer, at, copied);
    buffer[copied] = '\0';
    return buffer;
}

uint32_t nearshelf_count(const struct nearshelf_value *value)
{
    enum nearshelf_type type = nearshelf_type(value);
    if (type == NEARSHELF_ARRAY) {
        return object_of(value)->via.array.size;
    }
    return type == NEARSHELF_MAP ? object_of(value)->via.map.size : 0;
}

const struct nearshelf_value *nearshelf_at(const struct nearshelf_value *array, uint32_t index)
{
    bool is_there = nearshelf_type(array) == NEARSHELF_ARRAY && index < nearshelf_count(array);
    return is_there ? value_of(&object_of(array)->via.array.ptr[index]) : NULL;
}

const struct nearshelf_value *nearshelf_pair(const struct nearshelf_value *map, uint32_t index,
                                             const struct nearshelf_value **key_out)
{
    if (key_out) {
        *key_out = NULL;
    }
    if (nearshelf_type(map) != NEARSHELF_MAP || index >= nearshelf_count(map)) {
        return NULL;
    }
    const msgpack_object_kv *pair = &object_of(map)->via.map.ptr[index];
    if (key_out) {
        *key_out = value_of(&pair->key);
    }
    return value_of(&pair->val);
}

const struct nearshelf_value *nearshelf_get(const struct nearshelf_value *map, const char *key)
{
    uint32_t count = nearshelf_type(map) == NEARSHELF_MAP ? nearshelf_count(map) : 0;
    for (uint32_t i = 0; i < count; i++) {
        const msgpack_object_kv *pair = &object_of(map)->via.map.ptr[i];
        if (nearshelf_text_is(value_of(&pair->key), key)) {
            return value_of(&pair->val);
        }
    }
    return NULL;
}
