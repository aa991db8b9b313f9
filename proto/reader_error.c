/* The errors of the reader. The path is built from the open maps and arrays, only here. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "reader_internal.h"
#include "utf8.h"

static const char *const kind_texts[] = {
    "nil",  "true or false", "an integer", "an integer",        "a float",
    "text", "a list",        "a map",      "an extension type", "cut short"};

/* Append to the error text. */
static uint32_t append(struct reader *reader, uint32_t at, const char *text, uint32_t len)
{
    uint32_t space = READER_ERROR_SIZE - 1 - at;
    uint32_t kept = len < space ? len : utf8_cut(text, space);
    memcpy(reader->error + at, text, kept);
    reader->error[at + kept] = 0;
    return at + kept;
}

static uint32_t append_map(struct reader *reader, uint32_t at, const struct reader_map *map)
{
    char key[44];
    if (map->current < 0) {
        return at;
    }
    if (at > 0) {
        at = append(reader, at, ".", 1);
    }
    if (map->fields != NULL) {
        const char *field = map->fields[map->current];
        return append(reader, at, field, (uint32_t)strlen(field));
    }
    return append(reader, at, key, utf8_show(key, sizeof key, map->key.at, map->key.len));
}

static uint32_t append_array(struct reader *reader, uint32_t at, const struct reader_array *array)
{
    char index[16];
    if (array->index == UINT32_MAX) {
        return at;
    }
    int len = snprintf(index, sizeof index, "[%" PRIu32 "]", array->index);
    return append(reader, at, index, (uint32_t)len);
}

/* Begin the error text with the path of what is being read; gives its length. */
static uint32_t append_path(struct reader *reader)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < reader->depth; i++) {
        const struct reader_level *level = &reader->levels[i];
        at = level->map != NULL ? append_map(reader, at, level->map)
                                : append_array(reader, at, level->array);
    }
    return at;
}

void reader_fail(struct reader *reader, const char *format, ...)
{
    char text[READER_ERROR_SIZE];
    if (reader->is_bad) {
        return;
    }
    reader->is_bad = true;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(len >= 0);
    uint32_t at = append_path(reader);
    if (at > 0) {
        at = append(reader, at, ": ", 2);
    }
    append(reader, at, text, (uint32_t)strlen(text));
}

const char *reader_kind_text(enum reader_kind kind)
{
    return kind_texts[kind];
}

void reader_fail_kind(struct reader *reader, const char *wanted, const struct head *head)
{
    reader_fail(reader, "must be %s, is %s", wanted, kind_texts[head->kind]);
}

void reader_fail_unknown(struct reader *reader, const struct reader_map *map, struct text key)
{
    char shown[44];
    const struct names names = {map->fields, map->count};
    const char *nearest = names_nearest(&names, key.at, key.len);
    utf8_show(shown, sizeof shown, key.at, key.len);
    if (nearest != NULL) {
        reader_fail(reader, "unknown field %s, did you mean %s?", shown, nearest);
    } else {
        reader_fail(reader, "unknown field %s", shown);
    }
}

void reader_require(struct reader *reader, const struct reader_map *map, uint32_t field)
{
    CHECK(field < map->count);
    if (reader->is_bad || reader_map_has(map, field)) {
        return;
    }
    uint32_t at = append_path(reader);
    if (at > 0) {
        at = append(reader, at, ".", 1);
    }
    at = append(reader, at, map->fields[field], (uint32_t)strlen(map->fields[field]));
    append(reader, at, ": missing", 9);
    reader->is_bad = true;
}
