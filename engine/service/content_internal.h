/* The content of a keyed change: what was asked, after decoding with defaults filled in, as one
 * number. Two requests with the same key are the same change when their contents are equal. */
#ifndef SERVICE_CONTENT_INTERNAL_H
#define SERVICE_CONTENT_INTERNAL_H

#include <stdint.h>

#include "names.h"

/* On the caller's stack. */
struct content {
    uint64_t hash;
};

/* Begin with the method; then every field in a fixed order, also those that are absent. */
void content_begin(struct content *content, enum method method);
void content_int(struct content *content, int64_t value);
void content_text(struct content *content, const char *text, uint32_t len);

#endif
