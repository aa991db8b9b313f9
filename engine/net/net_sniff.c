/* Who is there: the first bytes of a connection, and the msgid of a frame that is refused. */
#include <string.h>

#include "net_internal.h"

static enum sniff sniff_http(const uint8_t *bytes, uint32_t size)
{
    static const char *const verbs[] = {"GET ",     "POST ",  "PUT ",     "HEAD ",  "DELETE ",
                                        "OPTIONS ", "PATCH ", "CONNECT ", "TRACE ", "PRI "};
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++) {
        const size_t length = strlen(verbs[i]);
        if (memcmp(bytes, verbs[i], size < length ? size : length) == 0) {
            return size < length ? SNIFF_MORE : SNIFF_HTTP;
        }
    }
    return SNIFF_OTHER;
}

enum sniff net_sniff(const uint8_t *bytes, uint32_t size)
{
    switch (bytes[0]) {
    case 0x93:
    case 0x94:
    case 0xdc:
    case 0xdd:
        return SNIFF_RPC;
    case '*':
    case '$':
        return SNIFF_RESP;
    case 0x16:
        return SNIFF_TLS;
    default:
        return sniff_http(bytes, size);
    }
}

/* Big-endian value of the size bytes at bytes. */
static uint64_t big_endian(const uint8_t *bytes, uint32_t size)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < size; i++) {
        value = value << 8 | bytes[i];
    }
    return value;
}

/* Length of the outer array's header if it announces four elements, else 0. */
static uint32_t request_header_size(const uint8_t *bytes, uint32_t size)
{
    static const uint8_t wide[] = {0xdd, 0, 0, 0, 4};
    static const uint8_t middle[] = {0xdc, 0, 4};
    if (size >= 1 && bytes[0] == 0x94) {
        return 1;
    }
    if (size >= sizeof middle && memcmp(bytes, middle, sizeof middle) == 0) {
        return sizeof middle;
    }
    return size >= sizeof wide && memcmp(bytes, wide, sizeof wide) == 0 ? sizeof wide : 0;
}

bool net_msgid_peek(const uint8_t *bytes, uint32_t size, uint32_t *msgid)
{
    const uint32_t head = request_header_size(bytes, size);
    if (head == 0 || size < head + 2 || bytes[head] != 0) {
        return false;
    }
    const uint8_t *at = bytes + head + 1;
    const uint32_t left = size - head - 1;
    if (at[0] < 0x80) {
        *msgid = at[0];
        return true;
    }
    if (at[0] < 0xcc || at[0] > 0xcf) {
        return false;
    }
    const uint32_t width = 1u << (at[0] - 0xcc);
    if (left < 1 + width) {
        return false;
    }
    const uint64_t value = big_endian(at + 1, width);
    *msgid = (uint32_t)value;
    return value <= UINT32_MAX;
}
