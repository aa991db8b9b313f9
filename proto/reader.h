/* Reads one MessagePack value, such as the params of a call: bounded, without allocation, with
 * sticky errors that name the field.
 *
 * Read all fields straight down and ask reader_is_ok once at the end: after the first error
 * every function answers zero, an empty text, false or -1. The bytes must have passed
 * frame_scan_run (nothing here depends on it for safety; only a value that is cut short would
 * otherwise be told as such). Texts borrow the bytes. A reader belongs to one thread.
 *
 *     static const char *const fields[] = {"item", "qty"};
 *     struct reader_map map;
 *     reader_params(&reader, &map, fields, 2);
 *     for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
 *         switch (field) {
 *         case 0: item = reader_text(&reader, 1, 63); break;
 *         case 1: qty = reader_int(&reader, 1, 1000000); break;
 *         }
 *     }
 *     reader_require(&reader, &map, 0);
 *
 * Rules: after a key exactly one value is read; maps and arrays are read to their end (where
 * next answers -1 or false); their structs stay in place until then, since the path of an error
 * is built from them, and only when there is one. */
#ifndef PROTO_READER_H
#define PROTO_READER_H

#include <stdbool.h>
#include <stdint.h>

#include "names.h"

enum {
    READER_ERROR_SIZE = 400,  /* bytes of an error text, with its NUL */
    READER_FIELDS_MAX = 64,   /* fields of a map that are known by name */
    READER_LEVELS_MAX = 16,   /* maps and arrays open at a time */
    READER_INT_TEXT_SIZE = 24 /* scratch for an integer as text */
};

/* What a value is. */
enum reader_kind {
    READER_KIND_NIL,
    READER_KIND_BOOL,
    READER_KIND_INT,      /* fits int64_t */
    READER_KIND_UINT_BIG, /* an integer over INT64_MAX */
    READER_KIND_FLOAT,
    READER_KIND_TEXT, /* str and bin */
    READER_KIND_ARRAY,
    READER_KIND_MAP,
    READER_KIND_EXT,
    READER_KIND_NONE /* no value: the end, or bytes cut short */
};

/* Borrowed bytes, not NUL-terminated; UTF-8 where it comes from reader_text. */
struct text {
    const char *at;
    uint32_t len;
};

/* A map that is being read. On the caller's stack; the fields are reader.c's. */
struct reader_map {
    const char *const *fields; /* NULL: any keys */
    uint32_t count;            /* of fields */
    uint32_t left;             /* pairs to come */
    uint32_t expected;         /* field that comes next if keys come in table order */
    int32_t current;           /* field being read, -1 between fields */
    uint64_t seen;             /* bit per field */
    struct text key;           /* current key of a map with any keys */
};

/* An array that is being read. On the caller's stack. */
struct reader_array {
    uint32_t left;  /* elements to come */
    uint32_t index; /* of the element being read; UINT32_MAX before the first */
};

/* An open map or array: one of the two is set. */
struct reader_level {
    const struct reader_map *map;
    const struct reader_array *array;
};

/* On the caller's stack; the fields are reader.c's. */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad;
    uint32_t depth;
    struct reader_level levels[READER_LEVELS_MAX];
    char error[READER_ERROR_SIZE];
};

/* bytes stay the caller's and must outlive the reader and the texts read. */
void reader_init(struct reader *reader, const uint8_t *bytes, uint32_t size);

bool reader_is_ok(const struct reader *reader);

/* The first error, such as "lines[1].qty: must be from 1 to 1000000, is 0"; "" without one. At
 * most READER_ERROR_SIZE - 1 bytes of UTF-8. Valid as long as the reader. */
const char *reader_error(const struct reader *reader);

/* Begin the params of a call: an array of one map, or an empty one, which means an empty map. */
void reader_params(struct reader *reader, struct reader_map *map, const char *const *fields,
                   uint32_t count);

/* Begin a map with these fields, at most READER_FIELDS_MAX, none twice. fields NULL: any keys. */
void reader_map_begin(struct reader *reader, struct reader_map *map, const char *const *fields,
                      uint32_t count);

/* The next key as index in fields, or -1 at the end and after an error. An unknown key and one
 * that came before are errors by name. Quickest where keys come in table order. */
int reader_map_next(struct reader *reader, struct reader_map *map);

/* The next key of a map with any keys; false at the end and after an error. That a key comes
 * twice is for the caller to see. */
bool reader_map_next_key(struct reader *reader, struct reader_map *map, struct text *key_out);

/* Whether the field has come so far. Also after the end of the map. */
bool reader_map_has(const struct reader_map *map, uint32_t field);

/* After the end of map: "order_id: missing" unless the field came. */
void reader_require(struct reader *reader, const struct reader_map *map, uint32_t field);

/* Begin an array; gives its count. Over max is an error: "lines: at most 1000, has 1001". */
uint32_t reader_array_begin(struct reader *reader, struct reader_array *array, uint32_t max);

/* Whether there is one more element, which the caller then reads. */
bool reader_array_next(struct reader *reader, struct reader_array *array);

/* What the next value is; READER_KIND_NONE after an error. Reads nothing. */
enum reader_kind reader_peek(const struct reader *reader);

/* True, and the value is read, if it is nil; else nothing is. */
bool reader_nil(struct reader *reader);

bool reader_bool(struct reader *reader);

/* An integer of any width, or a float with an integral value, from min to max. */
int64_t reader_int(struct reader *reader, int64_t min, int64_t max);

/* A float or an integer from min to max; neither NaN nor infinite. */
double reader_float(struct reader *reader, double min, double max);

/* A str or bin of min_len to max_len bytes of UTF-8. */
struct text reader_text(struct reader *reader, uint32_t min_len, uint32_t max_len);

/* As reader_text; an integer is taken as its decimal text, which is written to scratch. */
struct text reader_text_or_int(struct reader *reader, char scratch[READER_INT_TEXT_SIZE],
                               uint32_t min_len, uint32_t max_len);

/* One word of a family: its index; another word is an error that lists them, and gives -1. */
int reader_word(struct reader *reader, const struct names *names);

/* One value whatever it is: its bytes, MessagePack as it came. */
struct text reader_raw(struct reader *reader);

/* The same for a field of the params' map. Where it is the last one, it is all that is left, and
 * is taken without a look at it: only for bytes that frame_scan_run found to be whole. */
struct text reader_raw_field(struct reader *reader, const struct reader_map *map);

/* Note an error about what is being read now; the first one stays. The path goes before it:
 * "lines[1].qty: ...". */
void reader_fail(struct reader *reader, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
