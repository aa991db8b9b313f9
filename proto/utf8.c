/* The check of UTF-8. Ids and words are hardly ever anything but ASCII: that is asked first. */
#include "utf8.h"

#include <string.h>

#include "check.h"

/* Bytes of the character that begins with first; 0 if none does. */
static uint32_t width_of(uint8_t first)
{
    if (first < 0x80) {
        return 1;
    }
    if (first >= 0xc2 && first <= 0xdf) {
        return 2;
    }
    if (first >= 0xe0 && first <= 0xef) {
        return 3;
    }
    return first >= 0xf0 && first <= 0xf4 ? 4 : 0;
}

/* Whether the second byte is none of those that would make a longer form than needed, a
 * surrogate, or a character past U+10FFFF. */
static bool second_is_valid(uint8_t first, uint8_t second)
{
    switch (first) {
    case 0xe0:
        return second >= 0xa0;
    case 0xed:
        return second <= 0x9f;
    case 0xf0:
        return second >= 0x90;
    case 0xf4:
        return second <= 0x8f;
    default:
        return true;
    }
}

static bool character_is_valid(const uint8_t *at, uint32_t width)
{
    for (uint32_t i = 1; i < width; i++) {
        if ((at[i] & 0xc0) != 0x80) {
            return false;
        }
    }
    return width == 1 || second_is_valid(at[0], at[1]);
}

/* Whether no byte has its high bit; short texts in two loads that may overlap. */
static bool is_ascii(const char *text, uint32_t len)
{
    uint64_t high = 0;
    uint64_t eight = 0;
    uint32_t four[2] = {0, 0};
    if (len >= 8) {
        for (uint32_t i = 0; i + 8 < len; i += 8) {
            memcpy(&eight, text + i, sizeof eight);
            high |= eight;
        }
        memcpy(&eight, text + len - 8, sizeof eight);
        return ((high | eight) & 0x8080808080808080u) == 0;
    }
    if (len >= 4) {
        memcpy(&four[0], text, 4);
        memcpy(&four[1], text + len - 4, 4);
        return ((four[0] | four[1]) & 0x80808080u) == 0;
    }
    for (uint32_t i = 0; i < len; i++) {
        high |= (uint8_t)text[i];
    }
    return (high & 0x80) == 0;
}

bool utf8_is_valid(const char *text, uint32_t len)
{
    if (is_ascii(text, len)) {
        return true;
    }
    const uint8_t *at = (const uint8_t *)text;
    const uint8_t *end = at + len;
    while (at < end) {
        uint32_t width = width_of(*at);
        if (width == 0 || width > end - at || !character_is_valid(at, width)) {
            return false;
        }
        at += width;
    }
    return true;
}

uint32_t utf8_cut(const char *text, uint32_t len)
{
    uint32_t start = len;
    while (start > 0 && ((uint8_t)text[start - 1] & 0xc0) == 0x80) {
        start--;
    }
    if (start == 0) {
        return 0;
    }
    return start - 1 + width_of((uint8_t)text[start - 1]) == len ? len : start - 1;
}

uint32_t utf8_show(char *out, uint32_t size, const char *text, uint32_t len)
{
    CHECK(size >= 8);
    bool is_text = utf8_is_valid(text, len);
    bool fits = len < size;
    uint32_t kept = fits ? len : size - 4;
    if (!fits && is_text) {
        kept = utf8_cut(text, kept);
    }
    for (uint32_t i = 0; i < kept; i++) {
        uint8_t byte = (uint8_t)text[i];
        bool is_shown = byte >= 0x80 ? is_text : byte >= 0x20 && byte != 0x7f;
        out[i] = is_shown ? (char)byte : '?';
    }
    if (!fits) {
        memcpy(out + kept, "...", 3);
        kept += 3;
    }
    out[kept] = 0;
    return kept;
}
