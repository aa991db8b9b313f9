/* The bounded reader.
 *
 * Three layers: `take_head` reads the first bytes of any value into a struct head (kind, number
 * or length); the readers of values check kind and range; maps and arrays keep count. The good
 * path of the frequent kinds goes round the first layer. */
#include "reader.h"

#include <inttypes.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "big_endian.h"
#include "check.h"
#include "utf8.h"

enum kind {
    KIND_NIL,
    KIND_BOOL,
    KIND_INT,      /* fits int64_t: head.integer */
    KIND_UINT_BIG, /* over INT64_MAX: head.bits */
    KIND_FLOAT,
    KIND_TEXT, /* str and bin: head.length bytes follow */
    KIND_ARRAY,
    KIND_MAP,
    KIND_EXT,
    KIND_NONE /* not a value, or cut short */
};

struct head {
    enum kind kind;
    uint32_t size;   /* bytes of the head, the value's own for numbers */
    uint32_t length; /* bytes or values that follow */
    int64_t integer;
    uint64_t bits;
    double number;
};

static const char *const kind_texts[] = {
    "nil", "true or false", "an integer", "an integer", "a float", "text", "a list",
    "a map", "an extension type", "cut short"};

/* One row per first byte from 0xc0 to 0xdf. width: bytes behind the first that belong to the
 * head, of which the number or length is read. */
struct form {
    uint8_t kind;
    uint8_t width;
    bool is_signed;
};
static const struct form forms[32] = {
    {KIND_NIL, 0, false},  {KIND_NONE, 0, false},  {KIND_BOOL, 0, false},  {KIND_BOOL, 0, false},
    {KIND_TEXT, 1, false}, {KIND_TEXT, 2, false},  {KIND_TEXT, 4, false},  {KIND_EXT, 1, false},
    {KIND_EXT, 2, false},  {KIND_EXT, 4, false},   {KIND_FLOAT, 4, false}, {KIND_FLOAT, 8, false},
    {KIND_INT, 1, false},  {KIND_INT, 2, false},   {KIND_INT, 4, false},   {KIND_INT, 8, false},
    {KIND_INT, 1, true},   {KIND_INT, 2, true},    {KIND_INT, 4, true},    {KIND_INT, 8, true},
    {KIND_EXT, 0, false},  {KIND_EXT, 0, false},   {KIND_EXT, 0, false},   {KIND_EXT, 0, false},
    {KIND_EXT, 0, false},  {KIND_TEXT, 1, false},  {KIND_TEXT, 2, false},  {KIND_TEXT, 4, false},
    {KIND_ARRAY, 2, false}, {KIND_ARRAY, 4, false}, {KIND_MAP, 2, false},  {KIND_MAP, 4, false}};

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

static uint64_t load_bits(const uint8_t *at, uint32_t width)
{
    switch (width) {
    case 0:
        return 0;
    case 1:
        return at[0];
    case 2:
        return be16_load(at);
    case 4:
        return be32_load(at);
    default:
        return be64_load(at);
    }
}

static double float_of(uint64_t bits, uint32_t width)
{
    double number;
    float narrow;
    if (width == 8) {
        memcpy(&number, &bits, sizeof number);
        return number;
    }
    uint32_t bits32 = (uint32_t)bits;
    memcpy(&narrow, &bits32, sizeof narrow);
    return (double)narrow;
}

/* Extend the sign of a number of width bytes. */
static int64_t sign_of(uint64_t bits, uint32_t width)
{
    switch (width) {
    case 1:
        return (int8_t)bits;
    case 2:
        return (int16_t)bits;
    case 4:
        return (int32_t)bits;
    default:
        return (int64_t)bits;
    }
}

static void set_number(struct head *head, const struct form *form)
{
    if (form->kind == KIND_FLOAT) {
        head->number = float_of(head->bits, form->width);
    } else if (form->is_signed) {
        head->integer = sign_of(head->bits, form->width);
    } else if (head->bits > INT64_MAX) {
        head->kind = KIND_UINT_BIG;
    } else {
        head->integer = (int64_t)head->bits;
    }
}

/* Heads whose one byte says all. */
static struct head short_head(uint8_t first)
{
    struct head head = {.kind = KIND_INT, .size = 1, .integer = (int8_t)first};
    if (first >= 0x80 && first < 0xe0) {
        head.kind = first < 0x90 ? KIND_MAP : first < 0xa0 ? KIND_ARRAY : KIND_TEXT;
        head.length = first < 0xa0 ? first & 15u : first & 31u;
    }
    return head;
}

/* Head of the value at `at`. KIND_NONE where none is or its bytes are not all there. */
static struct head take_head(const uint8_t *at, const uint8_t *end)
{
    static const struct head none = {.kind = KIND_NONE};
    if (at >= end) {
        return none;
    }
    if (*at < 0xc0 || *at >= 0xe0) {
        struct head head = short_head(*at);
        bool is_cut = head.kind == KIND_TEXT && (uint64_t)(end - at) < 1 + head.length;
        return is_cut ? none : head;
    }
    const struct form *form = &forms[*at & 31];
    if ((uint64_t)(end - at) < 1u + form->width) {
        return none;
    }
    struct head head = {.kind = (enum kind)form->kind, .size = 1u + form->width};
    head.bits = load_bits(at + 1, form->width);
    if (head.kind == KIND_INT || head.kind == KIND_FLOAT) {
        set_number(&head, form);
        return head;
    }
    head.length = (uint32_t)head.bits;
    if (head.kind == KIND_EXT) {
        head.size += 1;
        head.length = *at >= 0xd4 && *at <= 0xd8 ? 1u << (*at - 0xd4) : head.length;
    }
    bool has_bytes = head.kind == KIND_TEXT || head.kind == KIND_EXT;
    return (uint64_t)(end - at) < head.size + (has_bytes ? (uint64_t)head.length : 0) ? none : head;
}

static void fail_kind(struct reader *reader, const char *wanted, const struct head *head)
{
    reader_fail(reader, "must be %s, is %s", wanted, kind_texts[head->kind]);
}

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
    if (head.kind != KIND_MAP) {
        fail_kind(reader, "a map", &head);
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
    if (head.kind != KIND_ARRAY || head.length > 1) {
        reader_fail(reader, "params must be a list that holds one map");
        return;
    }
    reader->at += head.size;
    if (head.length == 0) {
        push(reader, map, NULL);
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
    if (head.kind != KIND_TEXT) {
        reader_fail(reader, "a key of a map must be text, is %s", kind_texts[head.kind]);
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

static void fail_unknown(struct reader *reader, const struct reader_map *map, struct text key)
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

static int find_field(struct reader *reader, const struct reader_map *map, struct text key)
{
    for (uint32_t i = 0; i < map->count; i++) {
        if (key_is(&key, map->fields[i])) {
            return (int)i;
        }
    }
    fail_unknown(reader, map, key);
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

uint32_t reader_array_begin(struct reader *reader, struct reader_array *array, uint32_t max)
{
    *array = (struct reader_array){.left = 0, .index = UINT32_MAX};
    if (reader->is_bad) {
        return 0;
    }
    struct head head = take_head(reader->at, reader->end);
    if (head.kind != KIND_ARRAY) {
        fail_kind(reader, "a list", &head);
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

bool reader_nil(struct reader *reader)
{
    if (reader->is_bad || reader->at >= reader->end || *reader->at != 0xc0) {
        return false;
    }
    reader->at++;
    return true;
}

bool reader_bool(struct reader *reader)
{
    if (reader->is_bad) {
        return false;
    }
    struct head head = take_head(reader->at, reader->end);
    if (head.kind != KIND_BOOL) {
        fail_kind(reader, "true or false", &head);
        return false;
    }
    return *reader->at++ == 0xc3;
}

/* Make an integral float an integer; else leave it. 2^63 itself does not fit. */
static void float_to_int(struct head *head)
{
    double number = head->number;
    if (number >= -0x1p63 && number < 0x1p63 && number == trunc(number)) {
        head->kind = KIND_INT;
        head->integer = (int64_t)number;
    }
}

static void fail_int(struct reader *reader, const struct head *head, int64_t min, int64_t max)
{
    if (head->kind == KIND_INT) {
        reader_fail(reader, "must be from %" PRId64 " to %" PRId64 ", is %" PRId64, min, max,
                    head->integer);
    } else if (head->kind == KIND_UINT_BIG) {
        reader_fail(reader, "must be from %" PRId64 " to %" PRId64 ", is %" PRIu64, min, max,
                    head->bits);
    } else if (head->kind == KIND_FLOAT && isfinite(head->number)) {
        reader_fail(reader, "must be an integer, is %g", head->number);
    } else {
        fail_kind(reader, "an integer", head);
    }
}

int64_t reader_int(struct reader *reader, int64_t min, int64_t max)
{
    if (reader->is_bad) {
        return 0;
    }
    const uint8_t *at = reader->at;
    if (at < reader->end && *at < 0x80 && *at >= min && *at <= max) {
        reader->at++;
        return *at;
    }
    struct head head = take_head(at, reader->end);
    if (head.kind == KIND_FLOAT) {
        float_to_int(&head);
    }
    if (head.kind != KIND_INT || head.integer < min || head.integer > max) {
        fail_int(reader, &head, min, max);
        return 0;
    }
    reader->at += head.size;
    return head.integer;
}

static bool head_to_float(struct head *head)
{
    if (head->kind == KIND_INT) {
        head->number = (double)head->integer;
        return true;
    }
    if (head->kind == KIND_UINT_BIG) {
        head->number = (double)head->bits;
        return true;
    }
    return head->kind == KIND_FLOAT;
}

double reader_float(struct reader *reader, double min, double max)
{
    if (reader->is_bad) {
        return 0;
    }
    struct head head = take_head(reader->at, reader->end);
    if (!head_to_float(&head)) {
        fail_kind(reader, "a number", &head);
        return 0;
    }
    if (!isfinite(head.number)) {
        reader_fail(reader, "must be a finite number");
        return 0;
    }
    if (head.number < min || head.number > max) {
        reader_fail(reader, "must be from %.15g to %.15g, is %.15g", min, max, head.number);
        return 0;
    }
    reader->at += head.size;
    return head.number;
}

static struct text check_text(struct reader *reader, struct text text, uint32_t min_len,
                              uint32_t max_len)
{
    static const struct text none = {"", 0};
    if (text.len < min_len || text.len > max_len) {
        reader_fail(reader, "must have %" PRIu32 " to %" PRIu32 " bytes, has %" PRIu32, min_len,
                    max_len, text.len);
        return none;
    }
    if (!utf8_is_valid(text.at, text.len)) {
        reader_fail(reader, "is not UTF-8");
        return none;
    }
    return text;
}

struct text reader_text(struct reader *reader, uint32_t min_len, uint32_t max_len)
{
    static const struct text none = {"", 0};
    if (reader->is_bad) {
        return none;
    }
    struct head head = take_head(reader->at, reader->end);
    if (head.kind != KIND_TEXT) {
        fail_kind(reader, "text", &head);
        return none;
    }
    struct text text = {(const char *)reader->at + head.size, head.length};
    reader->at += head.size + head.length;
    return check_text(reader, text, min_len, max_len);
}

struct text reader_text_or_int(struct reader *reader, char scratch[READER_INT_TEXT_SIZE],
                               uint32_t min_len, uint32_t max_len)
{
    static const struct text none = {"", 0};
    if (reader->is_bad) {
        return none;
    }
    struct head head = take_head(reader->at, reader->end);
    if (head.kind == KIND_FLOAT) {
        float_to_int(&head);
    }
    if (head.kind != KIND_INT && head.kind != KIND_UINT_BIG) {
        return reader_text(reader, min_len, max_len);
    }
    int len = head.kind == KIND_INT
                  ? snprintf(scratch, READER_INT_TEXT_SIZE, "%" PRId64, head.integer)
                  : snprintf(scratch, READER_INT_TEXT_SIZE, "%" PRIu64, head.bits);
    CHECK(len > 0 && len < READER_INT_TEXT_SIZE);
    reader->at += head.size;
    return check_text(reader, (struct text){scratch, (uint32_t)len}, min_len, max_len);
}

/* The words of a family in one line. */
static void list_words(const struct names *names, char *out, size_t size)
{
    size_t at = 0;
    out[0] = 0;
    for (uint32_t i = 0; i < names->count && at < size; i++) {
        int len = snprintf(out + at, size - at, "%s%s", i > 0 ? ", " : "", names->texts[i]);
        at += (size_t)len;
    }
}

int reader_word(struct reader *reader, const struct names *names)
{
    char words[240];
    char shown[44];
    struct text text = reader_text(reader, 0, UINT32_MAX);
    if (reader->is_bad) {
        return -1;
    }
    int word = names_find(names, text.at, text.len);
    if (word < 0) {
        list_words(names, words, sizeof words);
        utf8_show(shown, sizeof shown, text.at, text.len);
        reader_fail(reader, "must be one of %s; is %s", words, shown);
    }
    return word;
}

/* Where the value at `at` ends, or NULL. Counts values instead of nesting: no depth. */
static const uint8_t *skip(const uint8_t *at, const uint8_t *end)
{
    for (uint64_t left = 1; left > 0; left--) {
        struct head head = take_head(at, end);
        if (head.kind == KIND_NONE) {
            return NULL;
        }
        at += head.size;
        if (head.kind == KIND_ARRAY || head.kind == KIND_MAP) {
            left += (uint64_t)head.length * (head.kind == KIND_MAP ? 2 : 1);
        } else {
            at += head.length;
        }
    }
    return at;
}

struct text reader_raw(struct reader *reader)
{
    if (reader->is_bad) {
        return (struct text){"", 0};
    }
    const uint8_t *at = reader->at;
    const uint8_t *end = skip(at, reader->end);
    if (end == NULL) {
        reader_fail(reader, "cut short");
        return (struct text){"", 0};
    }
    reader->at = end;
    return (struct text){(const char *)at, (uint32_t)(end - at)};
}
