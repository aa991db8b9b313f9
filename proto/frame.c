/* The structural scan and the head of a frame.
 *
 * The scan knows only how long a value is and how many values it holds. It steps from value to
 * value; `pos` may point past the bytes that are there (a text whose tail has not come). The
 * order of the branches is that of real frames: fixint, fixstr, small containers, the rest by
 * table. Branches and not one table for all: the step of a predicted branch does not wait for
 * the load of the byte. */
#include "frame.h"

#include "big_endian.h"
#include "check.h"

/* Whole size of the values 0xc0-0xdf that have a fixed one; else 0. */
static const uint8_t fixed_sizes[32] = {
    [0x00] = 1, [0x02] = 1, [0x03] = 1, [0x0a] = 5, [0x0b] = 9,  [0x0c] = 2,
    [0x0d] = 3, [0x0e] = 5, [0x0f] = 9, [0x10] = 2, [0x11] = 3,  [0x12] = 5,
    [0x13] = 9, [0x14] = 3, [0x15] = 4, [0x16] = 6, [0x17] = 10, [0x18] = 18};

/* Bytes of the length field of the others, and what follows the length: ext has a type byte. */
struct sized {
    uint8_t width;
    uint8_t extra;
    uint8_t values; /* per unit of the length: 0 = bytes, 1 = array, 2 = map */
};
static const struct sized sized_table[32] = {
    [0x04] = {1, 0, 0}, [0x05] = {2, 0, 0}, [0x06] = {4, 0, 0}, [0x07] = {1, 1, 0},
    [0x08] = {2, 1, 0}, [0x09] = {4, 1, 0}, [0x19] = {1, 0, 0}, [0x1a] = {2, 0, 0},
    [0x1b] = {4, 0, 0}, [0x1c] = {2, 0, 1}, [0x1d] = {4, 0, 1}, [0x1e] = {2, 0, 2},
    [0x1f] = {4, 0, 2}};

static uint64_t load_length(const uint8_t *at, uint32_t width)
{
    switch (width) {
    case 1:
        return at[0];
    case 2:
        return be16_load(at);
    default:
        return be32_load(at);
    }
}

/* A value that holds others or has a length field: its bytes without the values in it (size),
 * and how many these are (count). room is what the limit leaves; each value to come needs a byte
 * of it. FRAME_MORE while the length field is not there. */
static inline enum frame_state measure(const uint8_t *at, uint32_t there, uint32_t room,
                                       uint32_t *size_out, uint32_t *count_out)
{
    uint64_t size = 1;
    uint64_t count = *at < 0x90 ? 2 * (*at & 15) : *at & 15;
    if (*at >= 0xa0) {
        const struct sized *sized = &sized_table[*at & 31];
        if (sized->width == 0) {
            return FRAME_BAD;
        }
        if (there < 1u + sized->width) {
            return FRAME_MORE;
        }
        const uint64_t length = load_length(at + 1, sized->width);
        size += sized->width + sized->extra + (sized->values == 0 ? length : 0);
        count = length * sized->values;
    }
    if (size + count > room) {
        return FRAME_TOO_LARGE;
    }
    *size_out = (uint32_t)size;
    *count_out = (uint32_t)count;
    return FRAME_DONE;
}

/* Whether the first bytes can be the outer array of a request, response or notification. */
static enum frame_state check_root(const uint8_t *bytes, uint32_t size)
{
    if (bytes[0] == 0x93 || bytes[0] == 0x94) {
        return FRAME_DONE;
    }
    if (bytes[0] != 0xdc && bytes[0] != 0xdd) {
        return FRAME_BAD;
    }
    uint32_t width = bytes[0] == 0xdc ? 2 : 4;
    if (size < 1 + width) {
        return FRAME_MORE;
    }
    uint64_t count = load_length(bytes + 1, width);
    return count == 3 || count == 4 ? FRAME_DONE : FRAME_BAD;
}

void frame_scan_init(struct frame_scan *scan)
{
    scan->pos = 0;
    scan->depth = 0;
    scan->left[0] = 1;
}

/* Nothing was wrong up to pos: how far that is. */
static enum frame_state verdict(uint32_t pos, uint32_t left, uint32_t size, uint32_t size_max)
{
    if (pos + (left > 0) > size_max) {
        return FRAME_TOO_LARGE;
    }
    return left > 0 || pos > size ? FRAME_MORE : FRAME_DONE;
}

/* The loop of frame_scan_run; pos, depth and left stay in registers. */
static enum frame_state run(struct frame_scan *scan, const uint8_t *bytes, uint32_t size,
                            const struct frame_limits *limits)
{
    const uint32_t size_max = limits->size_max;
    const uint32_t end = size < size_max ? size : size_max;
    uint32_t pos = scan->pos;
    uint32_t depth = scan->depth;
    uint32_t left = scan->left[depth];
    enum frame_state state = FRAME_DONE;
    for (;;) {
        while (left == 0 && depth > 0) {
            left = scan->left[--depth];
        }
        if (left == 0 || pos >= end) {
            break;
        }
        const uint32_t first = bytes[pos];
        if (first < 0x80 || first >= 0xe0) {
            left--;
            pos++;
            continue;
        }
        if ((first & 0xe0) == 0xa0) {
            /* The length and the byte itself; the shortest way from load to load. */
            left--;
            pos += first - 0x9f;
            continue;
        }
        if (fixed_sizes[first & 31] != 0 && first >= 0xc0) {
            left--;
            pos += fixed_sizes[first & 31];
            continue;
        }
        uint32_t value_size;
        uint32_t count;
        state = measure(bytes + pos, size - pos, size_max - pos, &value_size, &count);
        if (state != FRAME_DONE) {
            break;
        }
        left--;
        pos += value_size;
        if (first >= 0xa0 && first < 0xdc) {
            continue;
        }
        if (depth == limits->depth_max) {
            state = FRAME_TOO_DEEP;
            break;
        }
        scan->left[depth++] = left;
        left = count;
    }
    scan->pos = pos;
    scan->depth = depth;
    scan->left[depth] = left;
    return state != FRAME_DONE ? state : verdict(pos, left, size, size_max);
}

/* The size of a frame that is all there and made of short values, as nearly every request is; 0
 * where it is not, or may not be well. Only the values to come are counted, over all containers:
 * where no more of these come than may be open at a time, none is nested too deep, and what ends
 * within the limit declares nothing beyond it. */
static uint32_t run_short(const uint8_t *bytes, uint32_t end, uint32_t depth_max)
{
    uint32_t pos = 0;
    uint32_t to_come = 1;
    uint32_t containers = 0;
    while (to_come > 0 && pos < end) {
        const uint32_t first = bytes[pos];
        to_come--;
        if (first < 0x80 || first >= 0xe0) {
            pos++;
        } else if ((first & 0xe0) == 0xa0) {
            pos += first - 0x9f;
        } else if (first < 0xa0) {
            if (++containers > depth_max) {
                return 0;
            }
            to_come += first < 0x90 ? 2 * (first & 15) : first & 15;
            pos++;
        } else if (fixed_sizes[first & 31] != 0) {
            pos += fixed_sizes[first & 31];
        } else if (first == 0xd9 && pos + 1 < end) {
            pos += 2 + bytes[pos + 1];
        } else {
            return 0;
        }
    }
    return to_come == 0 && pos <= end ? pos : 0;
}

enum frame_state frame_scan_run(struct frame_scan *scan, const uint8_t *bytes, uint32_t size,
                                const struct frame_limits *limits)
{
    CHECK(limits->depth_max <= FRAME_DEPTH_MAX);
    if (size == 0) {
        return FRAME_MORE;
    }
    if (scan->pos == 0) {
        enum frame_state state = check_root(bytes, size);
        if (state != FRAME_DONE) {
            return state;
        }
        const uint32_t end = size < limits->size_max ? size : limits->size_max;
        scan->pos = run_short(bytes, end, limits->depth_max);
        if (scan->pos > 0) {
            scan->left[0] = 0;
            return FRAME_DONE;
        }
    }
    return run(scan, bytes, size, limits);
}

/* A cursor in the head; sticky. The frame is known to be whole. */
struct cursor {
    const uint8_t *at;
    const uint8_t *end;
    bool is_bad;
};

/* An integer from 0 to 2^32-1 in any width; floats do not count. */
static uint32_t take_uint32(struct cursor *cursor)
{
    const uint8_t *at = cursor->at;
    uint32_t size = *at < 0x80 ? 1 : (*at & 0xe0) == 0xc0 ? fixed_sizes[*at & 31] : 0;
    if (size == 0 || *at == 0xc0 || size > (uint32_t)(cursor->end - at)) {
        cursor->is_bad = true;
        return 0;
    }
    cursor->at += size;
    int64_t value = -1;
    switch (*at) {
    case 0xcc:
        value = at[1];
        break;
    case 0xcd:
        value = be16_load(at + 1);
        break;
    case 0xce:
        value = be32_load(at + 1);
        break;
    case 0xd0:
        value = (int8_t)at[1];
        break;
    case 0xd1:
        value = (int16_t)be16_load(at + 1);
        break;
    case 0xd2:
        value = (int32_t)be32_load(at + 1);
        break;
    case 0xcf:
    case 0xd3:
        value = (int64_t)be64_load(at + 1);
        break;
    default:
        value = *at < 0x80 ? *at : -1;
        break;
    }
    cursor->is_bad = value < 0 || value > UINT32_MAX;
    return (uint32_t)value;
}

static void take_method(struct cursor *cursor, struct frame_head *head)
{
    const uint8_t *at = cursor->at;
    uint64_t length = 0;
    uint32_t before = 1;
    if (at == cursor->end) {
        cursor->is_bad = true;
        return;
    }
    if ((*at & 0xe0) == 0xa0) {
        length = *at & 31;
    } else if ((*at >= 0xc4 && *at <= 0xc6) || (*at >= 0xd9 && *at <= 0xdb)) {
        before += sized_table[*at & 31].width;
        length = before <= cursor->end - at ? load_length(at + 1, before - 1) : UINT32_MAX;
    } else {
        cursor->is_bad = true;
        return;
    }
    if (before + length > (uint64_t)(cursor->end - at)) {
        cursor->is_bad = true;
        return;
    }
    head->method = (const char *)at + before;
    head->method_len = (uint32_t)length;
    cursor->at += before + length;
}

static uint32_t take_arity(struct cursor *cursor)
{
    const uint8_t *at = cursor->at;
    cursor->at += *at == 0xdc ? 3 : *at == 0xdd ? 5 : 1;
    if (cursor->at >= cursor->end) {
        cursor->is_bad = true;
        return 0;
    }
    return at[0] == 0xdc ? at[2] : at[0] == 0xdd ? at[4] : at[0] & 15u;
}

bool frame_head_read(const uint8_t *bytes, uint32_t size, struct frame_head *out)
{
    struct cursor cursor = {.at = bytes, .end = bytes + size, .is_bad = size < 3};
    if (cursor.is_bad || check_root(bytes, size) != FRAME_DONE) {
        return false;
    }
    *out = (struct frame_head){.type = FRAME_OTHER};
    const uint32_t arity = take_arity(&cursor);
    const uint32_t type = cursor.is_bad ? FRAME_OTHER : take_uint32(&cursor);
    if (cursor.is_bad || type > FRAME_NOTIFY || arity != (type == FRAME_NOTIFY ? 3u : 4u)) {
        return false;
    }
    out->type = (enum frame_type)type;
    if (type != FRAME_NOTIFY) {
        if (cursor.at == cursor.end) {
            return false;
        }
        out->msgid = take_uint32(&cursor);
    }
    if (type != FRAME_RESPONSE && !cursor.is_bad) {
        take_method(&cursor, out);
    }
    out->params = cursor.at;
    out->params_size = (uint32_t)(cursor.end - cursor.at);
    return !cursor.is_bad && out->params_size > 0;
}
