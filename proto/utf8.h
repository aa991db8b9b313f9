/* Text as it may come in: UTF-8, checked, and made fit to be shown. */
#ifndef PROTO_UTF8_H
#define PROTO_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/* Whether len bytes are UTF-8: shortest forms only, no surrogates, at most U+10FFFF. */
bool utf8_is_valid(const char *text, uint32_t len);

/* The most bytes, at most len, that do not cut the last character of a valid text. */
uint32_t utf8_cut(const char *text, uint32_t len);

/* Copy up to size - 1 bytes of text as something that any terminal and log line can show, with
 * a NUL behind: control bytes become '?', and so does what is above ASCII where the text is not
 * UTF-8. What does not fit is cut and ends in "...". size is at least 8. Gives its length. */
uint32_t utf8_show(char *out, uint32_t size, const char *text, uint32_t len);

#endif
