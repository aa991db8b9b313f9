/* The record of a document: encoder and decoder. */
#include "effect.h"

#include <string.h>

#include "check.h"
#include "effect_bytes_internal.h"

enum {
    BIT_CANCELLED = 1,
    BIT_UNVERIFIED = 2,
    HEAD_MAX = 400, /* bytes without the lines */
    LINE_MAX = 5 * 5 + 3 + 1 + DOCUMENT_REASON_MAX
};

uint32_t effect_document_size(const struct effect_document *effect)
{
    return HEAD_MAX + effect->line_count * LINE_MAX;
}

/* Handles are told plus one, NODE_NONE as 0. */
static uint8_t *put_node(uint8_t *at, uint16_t node)
{
    return bytes_put_int(at, node == NODE_NONE ? 0 : (uint64_t)node + 1);
}

static uint16_t get_node(struct bytes_source *source)
{
    uint64_t value = bytes_get_max(source, NODE_MAX);
    return value ? (uint16_t)(value - 1) : NODE_NONE;
}

static uint8_t *put_line(uint8_t *at, const struct effect_document_line *line)
{
    at = bytes_put_int(at, line->item);
    at = bytes_put_int(at, line->qty);
    for (int i = 0; i < DOCUMENT_COUNTS; i++) {
        at = bytes_put_int(at, line->counts[i]);
    }
    at = bytes_put_int(at, line->order_line);
    return bytes_put_text(at, line->reason.at, line->reason.len);
}

static void get_line(struct bytes_source *source, struct effect_document_line *line)
{
    line->item = (uint32_t)bytes_get_max(source, UINT32_MAX);
    line->qty = (uint32_t)bytes_get_max(source, INT32_MAX);
    for (int i = 0; i < DOCUMENT_COUNTS; i++) {
        line->counts[i] = (uint32_t)bytes_get_max(source, INT32_MAX);
    }
    line->order_line = (uint16_t)bytes_get_max(source, UINT16_MAX);
    line->reason = bytes_get_text(source, DOCUMENT_REASON_MAX);
}

uint32_t effect_document_encode(uint8_t *out, const struct effect_document *effect)
{
    CHECK(effect->line_count <= DOCUMENT_LINES_MAX);
    uint8_t *at = out;
    *at++ = effect->kind;
    *at++ = (uint8_t)((effect->is_cancelled ? BIT_CANCELLED : 0) |
                      (effect->is_unverified ? BIT_UNVERIFIED : 0));
    at = put_node(at, effect->node);
    at = put_node(at, effect->to);
    at = put_node(at, effect->at_node);
    at = bytes_put_bytes(at, &effect->content, sizeof effect->content);
    at = bytes_put_int(at, effect->order_lsn);
    at = bytes_put_int(at, effect->eta_ms);
    at = bytes_put_int(at, effect->at_ms);
    at = bytes_put_text(at, effect->id.at, effect->id.len);
    at = bytes_put_text(at, effect->order_id.at, effect->order_id.len);
    at = bytes_put_text(at, effect->note.at, effect->note.len);
    at = bytes_put_int(at, effect->line_count);
    for (uint32_t i = 0; i < effect->line_count; i++) {
        at = put_line(at, &effect->lines[i]);
    }
    at = bytes_put_key(at, &effect->key);
    return (uint32_t)(at - out);
}

enum err effect_document_decode(const uint8_t *bytes, uint32_t size, struct effect_scratch *scratch,
                                struct effect_document *out)
{
    struct bytes_source source = {bytes, bytes + size, false};
    memset(out, 0, sizeof *out);
    out->kind = bytes_get_byte(&source);
    uint8_t bits = bytes_get_byte(&source);
    out->is_cancelled = bits & BIT_CANCELLED;
    out->is_unverified = (bits & BIT_UNVERIFIED) != 0;
    out->node = get_node(&source);
    out->to = get_node(&source);
    out->at_node = get_node(&source);
    bytes_get_bytes(&source, &out->content, sizeof out->content);
    out->order_lsn = bytes_get_int(&source);
    out->eta_ms = bytes_get_int(&source);
    out->at_ms = bytes_get_int(&source);
    out->id = bytes_get_text(&source, ID_MAX);
    out->order_id = bytes_get_text(&source, ID_MAX);
    out->note = bytes_get_text(&source, DOCUMENT_REASON_MAX);
    out->line_count = (uint32_t)bytes_get_max(&source, DOCUMENT_LINES_MAX);
    out->lines = scratch->documents;
    for (uint32_t i = 0; i < out->line_count && !source.is_bad; i++) {
        get_line(&source, &scratch->documents[i]);
    }
    bytes_get_key(&source, &out->key);
    bool is_kind = out->kind >= DOCUMENT_RETURN && out->kind <= DOCUMENT_TRANSFER;
    source.is_bad = source.is_bad || !is_kind || out->id.len == 0;
    return bytes_finish(&source);
}
