/* The readers of values: each checks kind and range, and goes on behind the value. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "reader_internal.h"
#include "utf8.h"

enum reader_kind reader_peek(const struct reader *reader)
{
    return reader->is_bad ? READER_KIND_NONE : take_head(reader->at, reader->end).kind;
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
    if (head.kind != READER_KIND_BOOL) {
        reader_fail_kind(reader, "true or false", &head);
        return false;
    }
    return *reader->at++ == 0xc3;
}

/* Make an integral float an integer; else leave it. 2^63 itself does not fit. */
static void float_to_int(struct head *head)
{
    double number = head->number;
    if (number >= -0x1p63 && number < 0x1p63 && number == trunc(number)) {
        head->kind = READER_KIND_INT;
        head->integer = (int64_t)number;
    }
}

static void fail_int(struct reader *reader, const struct head *head, int64_t min, int64_t max)
{
    if (head->kind == READER_KIND_INT) {
        reader_fail(reader, "must be from %" PRId64 " to %" PRId64 ", is %" PRId64, min, max,
                    head->integer);
    } else if (head->kind == READER_KIND_UINT_BIG) {
        reader_fail(reader, "must be from %" PRId64 " to %" PRId64 ", is %" PRIu64, min, max,
                    head->bits);
    } else if (head->kind == READER_KIND_FLOAT && isfinite(head->number)) {
        reader_fail(reader, "must be an integer, is %g", head->number);
    } else {
        reader_fail_kind(reader, "an integer", head);
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
    if (head.kind == READER_KIND_FLOAT) {
        float_to_int(&head);
    }
    if (head.kind != READER_KIND_INT || head.integer < min || head.integer > max) {
        fail_int(reader, &head, min, max);
        return 0;
    }
    reader->at += head.size;
    return head.integer;
}

static bool head_to_float(struct head *head)
{
    if (head->kind == READER_KIND_INT) {
        head->number = (double)head->integer;
        return true;
    }
    if (head->kind == READER_KIND_UINT_BIG) {
        head->number = (double)head->bits;
        return true;
    }
    return head->kind == READER_KIND_FLOAT;
}

double reader_float(struct reader *reader, double min, double max)
{
    if (reader->is_bad) {
        return 0;
    }
    const uint8_t *at = reader->at;
    if (reader->end - at >= 9 && *at == 0xcb) {
        double number = float_of(be64_load(at + 1), 8);
        if (number >= min && number <= max && isfinite(number)) {
            reader->at += 9;
            return number + 0.0; /* -0.0 is 0.0: contents are compared by their bytes */
        }
    }
    struct head head = take_head(reader->at, reader->end);
    if (!head_to_float(&head)) {
        reader_fail_kind(reader, "a number", &head);
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
    return head.number + 0.0;
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
    const uint8_t *at = reader->at;
    if (at < reader->end && (*at & 0xe0) == 0xa0 && (*at & 31) < reader->end - at) {
        struct text fixed = {(const char *)at + 1, *at & 31u}; /* nearly every text is one */
        reader->at += 1 + fixed.len;
        return check_text(reader, fixed, min_len, max_len);
    }
    struct head head = take_head(at, reader->end);
    if (head.kind != READER_KIND_TEXT) {
        reader_fail_kind(reader, "text", &head);
        return none;
    }
    struct text text = {(const char *)at + head.size, head.length};
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
    if (head.kind == READER_KIND_FLOAT) {
        float_to_int(&head);
    }
    if (head.kind != READER_KIND_INT && head.kind != READER_KIND_UINT_BIG) {
        return reader_text(reader, min_len, max_len);
    }
    int len = head.kind == READER_KIND_INT
                  ? snprintf(scratch, READER_INT_TEXT_SIZE, "%" PRId64, head.integer)
                  : snprintf(scratch, READER_INT_TEXT_SIZE, "%" PRIu64, head.bits);
    CHECK(len > 0);
    CHECK(len < READER_INT_TEXT_SIZE);
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
        if (head.kind == READER_KIND_NONE) {
            return NULL;
        }
        at += head.size;
        if (head.kind == READER_KIND_ARRAY || head.kind == READER_KIND_MAP) {
            left += (uint64_t)head.length * (head.kind == READER_KIND_MAP ? 2 : 1);
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

struct text reader_raw_field(struct reader *reader, const struct reader_map *map)
{
    if (reader->is_bad || map->left > 0 || reader->depth != 1 || reader->at == reader->end) {
        return reader_raw(reader);
    }
    struct text text = {(const char *)reader->at, (uint32_t)(reader->end - reader->at)};
    reader->at = reader->end;
    return text;
}
