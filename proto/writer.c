/* The rarer encodings, the late counts, and the heads of replies and requests. */
#include "writer.h"

#include "check.h"

static bool has(const uint8_t *at, const uint8_t *end, uint32_t size)
{
    return (uint64_t)(end - at) >= size;
}

uint8_t *writer_uint_wide(uint8_t *at, const uint8_t *end, uint64_t value)
{
    uint32_t size = value <= UINT8_MAX ? 2 : value <= UINT16_MAX ? 3 : value <= UINT32_MAX ? 5 : 9;
    if (!has(at, end, size)) {
        return NULL;
    }
    switch (size) {
    case 2:
        at[0] = 0xcc;
        at[1] = (uint8_t)value;
        break;
    case 3:
        at[0] = 0xcd;
        be16_store(at + 1, (uint16_t)value);
        break;
    case 5:
        at[0] = 0xce;
        be32_store(at + 1, (uint32_t)value);
        break;
    default:
        at[0] = 0xcf;
        be64_store(at + 1, value);
        break;
    }
    return at + size;
}

uint8_t *writer_int_negative(uint8_t *at, const uint8_t *end, int64_t value)
{
    CHECK(value < 0);
    uint32_t size = value >= -32         ? 1
                    : value >= INT8_MIN  ? 2
                    : value >= INT16_MIN ? 3
                    : value >= INT32_MIN ? 5
                                         : 9;
    if (!has(at, end, size)) {
        return NULL;
    }
    switch (size) {
    case 1:
        at[0] = (uint8_t)value;
        break;
    case 2:
        at[0] = 0xd0;
        at[1] = (uint8_t)value;
        break;
    case 3:
        at[0] = 0xd1;
        be16_store(at + 1, (uint16_t)value);
        break;
    case 5:
        at[0] = 0xd2;
        be32_store(at + 1, (uint32_t)value);
        break;
    default:
        at[0] = 0xd3;
        be64_store(at + 1, (uint64_t)value);
        break;
    }
    return at + size;
}

static uint8_t *text_head_wide(uint8_t *at, const uint8_t *end, uint32_t len)
{
    uint32_t size = len <= UINT8_MAX ? 2 : len <= UINT16_MAX ? 3 : 5;
    if (!has(at, end, size)) {
        return NULL;
    }
    if (size == 2) {
        at[0] = 0xd9;
        at[1] = (uint8_t)len;
    } else if (size == 3) {
        at[0] = 0xda;
        be16_store(at + 1, (uint16_t)len);
    } else {
        at[0] = 0xdb;
        be32_store(at + 1, len);
    }
    return at + size;
}

uint8_t *writer_text_wide(uint8_t *at, const uint8_t *end, const char *text, uint32_t len)
{
    at = text_head_wide(at, end, len);
    if (!at || !has(at, end, len)) {
        return NULL;
    }
    memcpy(at, text, len);
    return at + len;
}

uint8_t *writer_count_wide(uint8_t *at, const uint8_t *end, uint8_t type16, uint32_t count)
{
    uint32_t size = count <= UINT16_MAX ? 3 : 5;
    if (!has(at, end, size)) {
        return NULL;
    }
    if (size == 3) {
        at[0] = type16;
        be16_store(at + 1, (uint16_t)count);
    } else {
        at[0] = (uint8_t)(type16 + 1);
        be32_store(at + 1, count);
    }
    return at + size;
}

/* Give the head at mark its count; fix is the type of a one-byte head. */
static void set_head(struct writer *writer, uint32_t mark, uint8_t fix, uint8_t type16,
                     uint32_t count)
{
    if (writer->is_full) {
        return;
    }
    CHECK(mark < writer_size(writer));
    uint8_t *head = writer->begin + mark;
    if (count < 16) {
        *head = (uint8_t)(fix | count);
        return;
    }
    uint32_t more = count <= UINT16_MAX ? 2 : 4;
    uint32_t contents = writer_size(writer) - mark - 1;
    if (!writer_has(writer, more)) {
        return;
    }
    memmove(head + 1 + more, head + 1, contents);
    writer_count_wide(head, head + 1 + more, type16, count);
    writer->at += more;
}

void writer_map_close(struct writer *writer, uint32_t mark, uint32_t count)
{
    set_head(writer, mark, 0x80, 0xde, count);
}

void writer_array_close(struct writer *writer, uint32_t mark, uint32_t count)
{
    set_head(writer, mark, 0x90, 0xdc, count);
}

void writer_reply_error(struct writer *writer, uint32_t msgid, enum code code, const char *text,
                        uint32_t len)
{
    const char *name = code_text(code);
    uint32_t name_len = (uint32_t)strlen(name);
    uint32_t whole = name_len + (len > 0 ? 1 + len : 0);
    writer_byte(writer, 0x94);
    writer_byte(writer, 1);
    writer_uint(writer, msgid);
    writer_array(writer, 2);
    writer_int(writer, code_kind(code));
    if (whole < 32) {
        writer_byte(writer, (uint8_t)(0xa0 | whole));
    } else {
        writer_go(writer, text_head_wide(writer->at, writer->end, whole));
    }
    writer_raw(writer, name, name_len);
    if (len > 0) {
        writer_byte(writer, ' ');
        writer_raw(writer, text, len);
    }
    writer_nil(writer);
}

void writer_request(struct writer *writer, uint32_t msgid, const char *method)
{
    writer_byte(writer, 0x94);
    writer_byte(writer, 0);
    writer_uint(writer, msgid);
    writer_string(writer, method);
    writer_array(writer, 1);
}
