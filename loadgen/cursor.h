/* A light reader for the replies of an engine: no paths, no texts of errors, unknown keys are
 * passed over. Bounded by the end of the frame; errors are sticky, and after one every function
 * answers zero. For requests of strangers there is proto/reader.h instead. */
#ifndef LOADGEN_CURSOR_H
#define LOADGEN_CURSOR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* Borrowed bytes of the frame. */
struct span {
    const char *at;
    uint32_t size;
};

struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad;
};

/* One value, whatever it is, with all that it holds. */
void cursor_skip(struct cursor *cursor);

/* The count of a map or array that begins here; error if it is something else. */
uint32_t cursor_map(struct cursor *cursor);
uint32_t cursor_array(struct cursor *cursor);

/* Whether the next value is nil; then it is read. */
bool cursor_nil(struct cursor *cursor);

bool cursor_bool(struct cursor *cursor);
int64_t cursor_int(struct cursor *cursor);

/* A float, or an integer as one. */
double cursor_float(struct cursor *cursor);

/* A str or bin. */
struct span cursor_text(struct cursor *cursor);

/* Whether text is the literal. */
#define span_is(span, literal)                                                                     \
    ((span).size == sizeof(literal) - 1 && memcmp((span).at, literal, sizeof(literal) - 1) == 0)

#endif
