/* Maps and arrays: they keep count, and stand on a stack for the path of an error.
 *
 * Three files: reader_internal.h reads the first bytes of any value into a struct head;
 * reader_value.c checks kinds and ranges; reader_error.c makes the texts. */
#include "reader.h"

#include <inttypes.h>

#include "check.h"
#include "reader_internal.h"
#include "utf8.h"

void reader_init(struct reader *reader, const uint8_t *bytes, uint32_t size)
{
    reader->at = bytes;
    reader->end = bytes + size;
    reader->is_bad = false;
    reader->depth = 0;
    reader->error[0] = 0;
}

bool reader_is_ok(const struct reader *reader)
{
    return !reader->is_bad;
}

const char *reader_error(const struct reader *reader)
{
    return reader->error;
}

static void push(struct reader *reader, const struct reader_map *map,
                 const struct reader_array *array)
{
    if (reader->depth == READER_LEVELS_MAX) {
        reader_fail(reader, "nested too deep");
        return;
    }
    reader->levels[reader->depth++] = (struct reader_level){map, array};
}

static void map_init(struct reader_map *map, const char *const *fields, uint32_t count)
{
    CHECK(count <= READER_FIELDS_MAX);
    *map = (struct reader_map){.fields = fields, .count = count, .current = -1};
}

void reader_map_begin(struct reader *reader, struct reader_map *map, const char *const *fields,
                      uint32_t count)
{
    map_init(map, fields, count);
    if (reader->is_bad) {
        return;
    }
    struct head head = take_head(reader->at, reader->end);
    if (head.kind != READER_KIND_MAP) {
        reader_fail_kind(reader, "a map", &head);
        return;
    }
    reader->at += head.size;
    map->left = head.length;
    push(reader, map, NULL);
}

void reader_params(struct reader *reader, struct reader_map *map, const char *const *fields,
                   uint32_t count)
{
    map_init(map, fields, count);
    if (reader->is_bad) {
        return;
    }
    struct head head = take_head(reader->at, reader->end);
    if (head.kind != READER_KIND_ARRAY || head.length > 1) {
        reader_fail(reader, "params must be a list that holds one map");
        return;
    }
    reader->at += head.size;
    if (head.length == 0) {
        push(reader, map, NULL);
        return;
    }
    if (take_head(reader->at, reader->end).kind != READER_KIND_MAP) {
        reader_fail(reader, "params must be a list that holds one map");
        return;
    }
    reader_map_begin(reader, map, fields, count);
}

/* Leave the innermost level, which must be the one that ended. */
static void pop(struct reader *reader, const void *ended)
{
    CHECK(reader->depth > 0);
    const struct reader_level *level = &reader->levels[--reader->depth];
    CHECK((level->map != NULL ? (const void *)level->map : (const void *)level->array) == ended);
}

/* Step to the next pair and read its key. */
static bool take_key(struct reader *reader, struct reader_map *map, struct text *key)
{
    map->current = -1;
    map->left--;
    const uint8_t *at = reader->at;
    if (at < reader->end && (*at & 0xe0) == 0xa0 && (*at & 31) < reader->end - at) {
        *key = (struct text){(const char *)at + 1, *at & 31u};
        reader->at += 1 + key->len;
        return true;
    }
    struct head head = take_head(at, reader->end);
    if (head.kind != READER_KIND_TEXT) {
        reader_fail(reader, "a key of a map must be text, is %s", reader_kind_text(head.kind));
        return false;
    }
    *key = (struct text){(const char *)at + head.size, head.length};
    reader->at += head.size + head.length;
    return true;
}

/* Stops at the field's NUL whatever the key holds: a field is never read past its end. */
static bool key_is(const struct text *key, const char *field)
{
    for (uint32_t i = 0; i < key->len; i++) {
        if (key->at[i] != field[i] || field[i] == 0) {
            return false;
        }
    }
    return field[key->len] == 0;
}

static int find_field(struct reader *reader, const struct reader_map *map, struct text key)
{
    for (uint32_t i = 0; i < map->count; i++) {
        if (key_is(&key, map->fields[i])) {
            return (int)i;
        }
    }
    reader_fail_unknown(reader, map, key);
    return -1;
}

int reader_map_next(struct reader *reader, struct reader_map *map)
{
    struct text key;
    if (reader->is_bad) {
        return -1;
    }
    if (map->left == 0) {
        pop(reader, map);
        return -1;
    }
    if (!take_key(reader, map, &key)) {
        return -1;
    }
    uint32_t field = map->expected;
    if (field >= map->count || !key_is(&key, map->fields[field])) {
        int found = find_field(reader, map, key);
        if (found < 0) {
            return -1;
        }
        field = (uint32_t)found;
    }
    if (map->seen >> field & 1) {
        reader_fail(reader, "duplicate field %s", map->fields[field]);
        return -1;
    }
    map->seen |= UINT64_C(1) << field;
    map->expected = field + 1;
    map->current = (int32_t)field;
    return (int)field;
}

bool reader_map_next_key(struct reader *reader, struct reader_map *map, struct text *key_out)
{
    *key_out = (struct text){"", 0};
    if (reader->is_bad) {
        return false;
    }
    if (map->left == 0) {
        pop(reader, map);
        return false;
    }
    struct text key;
    if (!take_key(reader, map, &key)) {
        return false;
    }
    if (!utf8_is_valid(key.at, key.len)) {
        reader_fail(reader, "a key is not UTF-8");
        return false;
    }
    map->key = key;
    map->current = 0;
    *key_out = key;
    return true;
}

bool reader_map_has(const struct reader_map *map, uint32_t field)
{
    CHECK(field < READER_FIELDS_MAX);
    return map->seen >> field & 1;
}

uint32_t reader_array_begin(struct reader *reader, struct reader_array *array, uint32_t max)
{
    *array = (struct reader_array){.left = 0, .index = UINT32_MAX};
    if (reader->is_bad) {
        return 0;
    }
    struct head head = take_head(reader->at, reader->end);
    if (head.kind != READER_KIND_ARRAY) {
        reader_fail_kind(reader, "a list", &head);
        return 0;
    }
    if (head.length > max) {
        reader_fail(reader, "at most %" PRIu32 ", has %" PRIu32, max, head.length);
        return 0;
    }
    reader->at += head.size;
    array->left = head.length;
    push(reader, NULL, array);
    return reader->is_bad ? 0 : head.length;
}

bool reader_array_next(struct reader *reader, struct reader_array *array)
{
    if (reader->is_bad) {
        return false;
    }
    if (array->left == 0) {
        pop(reader, array);
        return false;
    }
    array->left--;
    array->index++;
    return true;
}
