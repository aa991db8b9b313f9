/* Parameters being built: msgpack-c packs the values, and the header of each open map or
 * array is kept right at every step, so that the bytes are whole whenever they are asked for. */
#include <stdlib.h>
#include <string.h>

#include "client_internal.h"

struct level {
    size_t at;      /* offset of the header */
    uint32_t count; /* entries or pairs so far */
    uint8_t head;   /* bytes of the header: 1, 3 or 5 */
    bool is_map;
};

struct nearshelf_params {
    msgpack_sbuffer buffer; /* array of one, then the root map */
    msgpack_packer packer;
    struct level levels[CLIENT_DEPTH_MAX];
    uint32_t depth; /* open levels; 1 = only the root map */
    bool is_bad;
    bool is_ready_made; /* by nearshelf_params_bytes */
};

static void append(struct nearshelf_params *params, const void *bytes, size_t size)
{
    if (msgpack_sbuffer_write(&params->buffer, bytes, size) != 0) {
        params->is_bad = true;
    }
}

static uint8_t head_size(uint32_t count)
{
    if (count < 16) {
        return 1;
    }
    return count <= UINT16_MAX ? 3 : 5;
}

static void head_write(uint8_t *at, const struct level *level)
{
    uint32_t count = level->count;
    switch (level->head) {
    case 1:
        at[0] = (uint8_t)((level->is_map ? 0x80u : 0x90u) | count);
        return;
    case 3:
        at[0] = level->is_map ? 0xde : 0xdc;
        at[1] = (uint8_t)(count >> 8);
        at[2] = (uint8_t)count;
        return;
    default:
        at[0] = level->is_map ? 0xdf : 0xdd;
        for (int i = 0; i < 4; i++) {
            at[1 + i] = (uint8_t)(count >> (24 - 8 * i));
        }
    }
}

/* One entry more in the innermost level. When its header must grow, its content moves up: that
 * happens at the 16th and the 65,536th entry only, and no other open level lies behind it. */
static void level_count(struct nearshelf_params *params)
{
    struct level *level = &params->levels[params->depth - 1];
    level->count++;
    uint8_t grown = head_size(level->count);
    if (grown > level->head) {
        static const uint8_t room[4];
        size_t extra = (size_t)(grown - level->head);
        size_t from = level->at + level->head;
        size_t moved = params->buffer.size - from;
        append(params, room, extra);
        if (params->is_bad) {
            return;
        }
        memmove(params->buffer.data + from + extra, params->buffer.data + from, moved);
        level->head = grown;
    }
    head_write((uint8_t *)params->buffer.data + level->at, level);
}

static void pack_text(struct nearshelf_params *params, const char *text, size_t size)
{
    if (size > NEARSHELF_REQUEST_SIZE_MAX || msgpack_pack_str(&params->packer, size) != 0 ||
        msgpack_pack_str_body(&params->packer, text, size) != 0) {
        params->is_bad = true;
    }
}

/* Count one entry and write its key. False: nothing may follow. */
static bool entry(struct nearshelf_params *params, const char *key)
{
    if (params->is_bad || params->is_ready_made) {
        params->is_bad = true;
        return false;
    }
    if (params->levels[params->depth - 1].is_map != (key != NULL)) {
        params->is_bad = true;
        return false;
    }
    level_count(params);
    if (key && !params->is_bad) {
        pack_text(params, key, strlen(key));
    }
    return !params->is_bad;
}

static void open_level(struct nearshelf_params *params, bool is_map)
{
    if (params->depth == CLIENT_DEPTH_MAX) {
        params->is_bad = true;
        return;
    }
    struct level *level = &params->levels[params->depth++];
    *level = (struct level){.at = params->buffer.size, .head = 1, .is_map = is_map};
    uint8_t head = is_map ? 0x80 : 0x90;
    append(params, &head, 1);
}

void nearshelf_params_clear(struct nearshelf_params *params)
{
    static const uint8_t array_of_one = 0x91;
    msgpack_sbuffer_clear(&params->buffer);
    params->depth = 0;
    params->is_bad = false;
    params->is_ready_made = false;
    append(params, &array_of_one, 1);
    open_level(params, true);
}

struct nearshelf_params *nearshelf_params_new(void)
{
    struct nearshelf_params *params = calloc(1, sizeof(*params));
    if (!params) {
        return NULL;
    }
    msgpack_sbuffer_init(&params->buffer);
    msgpack_packer_init(&params->packer, &params->buffer, msgpack_sbuffer_write);
    nearshelf_params_clear(params);
    return params;
}

void nearshelf_params_free(struct nearshelf_params *params)
{
    if (params) {
        msgpack_sbuffer_destroy(&params->buffer);
        free(params);
    }
}

void nearshelf_params_nil(struct nearshelf_params *params, const char *key)
{
    if (entry(params, key) && msgpack_pack_nil(&params->packer) != 0) {
        params->is_bad = true;
    }
}

void nearshelf_params_bool(struct nearshelf_params *params, const char *key, bool value)
{
    if (entry(params, key)) {
        int failed =
            value ? msgpack_pack_true(&params->packer) : msgpack_pack_false(&params->packer);
        params->is_bad = failed != 0;
    }
}

void nearshelf_params_int(struct nearshelf_params *params, const char *key, int64_t value)
{
    if (entry(params, key) && msgpack_pack_int64(&params->packer, value) != 0) {
        params->is_bad = true;
    }
}

void nearshelf_params_float(struct nearshelf_params *params, const char *key, double value)
{
    if (entry(params, key) && msgpack_pack_double(&params->packer, value) != 0) {
        params->is_bad = true;
    }
}

void nearshelf_params_text(struct nearshelf_params *params, const char *key, const char *text)
{
    nearshelf_params_text_n(params, key, text, text ? strlen(text) : 0);
}

void nearshelf_params_text_n(struct nearshelf_params *params, const char *key, const char *text,
                             size_t size)
{
    if (!text) {
        params->is_bad = true;
    } else if (entry(params, key)) {
        pack_text(params, text, size);
    }
}

void nearshelf_params_map(struct nearshelf_params *params, const char *key)
{
    if (entry(params, key)) {
        open_level(params, true);
    }
}

void nearshelf_params_array(struct nearshelf_params *params, const char *key)
{
    if (entry(params, key)) {
        open_level(params, false);
    }
}

void nearshelf_params_end(struct nearshelf_params *params)
{
    if (params->depth <= 1) {
        params->is_bad = true;
        return;
    }
    params->depth--;
}

static bool is_map_byte(uint8_t byte)
{
    return (byte & 0xf0) == 0x80 || byte == 0xde || byte == 0xdf;
}

void nearshelf_params_bytes(struct nearshelf_params *params, const void *map, size_t size)
{
    static const uint8_t array_of_one = 0x91;
    nearshelf_params_clear(params);
    params->is_ready_made = true;
    msgpack_sbuffer_clear(&params->buffer);
    append(params, &array_of_one, 1);
    if (size == 0 || !is_map_byte(*(const uint8_t *)map)) {
        params->is_bad = true;
        return;
    }
    append(params, map, size);
}

size_t nearshelf_params_size(const struct nearshelf_params *params)
{
    return params->buffer.size;
}

bool params_span(const struct nearshelf_params *params, const uint8_t **at_out, size_t *size_out)
{
    static const uint8_t nothing = 0x90;
    *at_out = &nothing;
    *size_out = 1;
    if (!params) {
        return true;
    }
    *at_out = (const uint8_t *)params->buffer.data;
    *size_out = params->buffer.size;
    return !params->is_bad && params->depth == 1;
}
