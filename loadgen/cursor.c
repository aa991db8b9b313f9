/* Every value is one head: a first byte, a number in up to 8 bytes behind it, and perhaps a body
 * of bytes or of values. */
#include "cursor.h"

#include "big_endian.h"

struct head {
    uint8_t first;
    uint64_t number;   /* value, length or count */
    uint32_t size;     /* bytes of the head */
    uint64_t body;     /* bytes behind it */
    uint64_t children; /* values behind it */
};

/* Bytes of the number behind the first bytes 0xc0 to 0xdf. */
static const uint8_t number_sizes[32] = {0, 0, 0, 0, 1, 2, 4, 1, 2, 4, 4, 8, 1, 2, 4, 8,
                                         1, 2, 4, 8, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};

static uint64_t load_number(const uint8_t *at, uint32_t size)
{
    switch (size) {
    case 1:
        return at[0];
    case 2:
        return be16_load(at);
    case 4:
        return be32_load(at);
    case 8:
        return be64_load(at);
    default:
        return 0;
    }
}

static void set_body(struct head *head)
{
    switch (head->first) {
    case 0xc4: /* bin */
    case 0xc5:
    case 0xc6:
    case 0xd9: /* str */
    case 0xda:
    case 0xdb:
        head->body = head->number;
        break;
    case 0xc7: /* ext: one byte of type */
    case 0xc8:
    case 0xc9:
        head->body = head->number + 1;
        break;
    case 0xd4: /* fixext */
    case 0xd5:
    case 0xd6:
    case 0xd7:
    case 0xd8:
        head->body = (1u << (head->first - 0xd4)) + 1;
        break;
    case 0xdc:
    case 0xdd:
        head->children = head->number;
        break;
    case 0xde:
    case 0xdf:
        head->children = head->number * 2;
        break;
    default:
        break;
    }
}

/* Read one head and step behind it, not behind its body. */
static struct head take_head(struct cursor *cursor)
{
    struct head head = {.first = 0xc0, .size = 1};
    if (cursor->is_bad || cursor->at >= cursor->end) {
        cursor->is_bad = true;
        return head;
    }
    head.first = *cursor->at;
    if (head.first < 0x80 || head.first >= 0xe0) {
        head.number = head.first;
    } else if (head.first < 0xc0) {
        head.number = head.first & (head.first < 0xa0 ? 0x0f : 0x1f);
        head.body = head.first >= 0xa0 ? head.number : 0;
        head.children = head.first < 0x90 ? head.number * 2 : head.first < 0xa0 ? head.number : 0;
    } else {
        head.size += number_sizes[head.first & 31];
        if ((uint64_t)(cursor->end - cursor->at) < head.size) {
            cursor->is_bad = true;
            return (struct head){.first = 0xc0};
        }
        head.number = load_number(cursor->at + 1, head.size - 1);
        set_body(&head);
    }
    cursor->at += head.size;
    if ((uint64_t)(cursor->end - cursor->at) < head.body + head.children) {
        cursor->is_bad = true;
        return (struct head){.first = 0xc0};
    }
    return head;
}

void cursor_skip(struct cursor *cursor)
{
    uint64_t left = 1;
    while (left > 0 && !cursor->is_bad) {
        struct head head = take_head(cursor);
        cursor->at += cursor->is_bad ? 0 : head.body;
        left += head.children;
        left--;
    }
}

uint32_t cursor_map(struct cursor *cursor)
{
    struct head head = take_head(cursor);
    bool is_map = (head.first & 0xf0) == 0x80 || head.first == 0xde || head.first == 0xdf;
    cursor->is_bad = cursor->is_bad || !is_map;
    return cursor->is_bad ? 0 : (uint32_t)head.number;
}

uint32_t cursor_array(struct cursor *cursor)
{
    struct head head = take_head(cursor);
    bool is_array = (head.first & 0xf0) == 0x90 || head.first == 0xdc || head.first == 0xdd;
    cursor->is_bad = cursor->is_bad || !is_array;
    return cursor->is_bad ? 0 : (uint32_t)head.number;
}

bool cursor_nil(struct cursor *cursor)
{
    if (cursor->is_bad || cursor->at >= cursor->end || *cursor->at != 0xc0) {
        return false;
    }
    cursor->at++;
    return true;
}

bool cursor_bool(struct cursor *cursor)
{
    struct head head = take_head(cursor);
    cursor->is_bad = cursor->is_bad || (head.first != 0xc2 && head.first != 0xc3);
    return !cursor->is_bad && head.first == 0xc3;
}

/* The value of an integer's head. */
static int64_t signed_value(struct cursor *cursor, const struct head *head)
{
    uint8_t first = head->first;
    if (first < 0x80 || (first >= 0xcc && first <= 0xcf)) {
        return (int64_t)head->number;
    }
    if (first >= 0xe0) {
        return (int8_t)first;
    }
    switch (first) {
    case 0xd0:
        return (int8_t)head->number;
    case 0xd1:
        return (int16_t)head->number;
    case 0xd2:
        return (int32_t)head->number;
    case 0xd3:
        return (int64_t)head->number;
    default:
        cursor->is_bad = true;
        return 0;
    }
}

int64_t cursor_int(struct cursor *cursor)
{
    struct head head = take_head(cursor);
    return cursor->is_bad ? 0 : signed_value(cursor, &head);
}

double cursor_float(struct cursor *cursor)
{
    struct head head = take_head(cursor);
    if (cursor->is_bad) {
        return 0;
    }
    if (head.first == 0xcb) {
        double value;
        memcpy(&value, &head.number, sizeof value);
        return value;
    }
    if (head.first == 0xca) {
        float value;
        uint32_t bits = (uint32_t)head.number;
        memcpy(&value, &bits, sizeof value);
        return value;
    }
    return (double)signed_value(cursor, &head);
}

struct span cursor_text(struct cursor *cursor)
{
    struct head head = take_head(cursor);
    bool is_fixed = (head.first & 0xe0) == 0xa0;
    bool is_sized =
        (head.first >= 0xc4 && head.first <= 0xc6) || (head.first >= 0xd9 && head.first <= 0xdb);
    cursor->is_bad = cursor->is_bad || (!is_fixed && !is_sized);
    if (cursor->is_bad) {
        return (struct span){.at = "", .size = 0};
    }
    struct span text = {.at = (const char *)cursor->at, .size = (uint32_t)head.body};
    cursor->at += head.body;
    return text;
}
