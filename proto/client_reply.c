/* How a call ended: parsing of a response frame, the texts, and the readers of values. */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client_internal.h"

#define RETRY_AFTER_DEFAULT_MS 50

struct error_row {
    const char *code; /* as nearshelf_reply_code gives it */
    const char *text;
};

static const struct error_row error_rows[] = {
    [NEARSHELF_OK] = {"", ""},
    [NEARSHELF_SERVER] = {"ERROR", "the engine answered with an error"},
    [NEARSHELF_TIMEOUT] = {"TIMEOUT", "no answer in time"},
    [NEARSHELF_UNKNOWN] = {"UNKNOWN", "the connection was lost before the answer: the change may "
                                      "or may not have happened; look, or give it a key"},
    [NEARSHELF_UNREACHABLE] = {"UNREACHABLE", "no connection to be had; nothing was sent"},
    [NEARSHELF_TOO_LARGE] = {"TOO_LARGE", "over the limit of 1 MiB a request, 16 MiB a reply"},
    [NEARSHELF_PROTOCOL] = {"PROTOCOL", "the other side does not speak MessagePack-RPC"},
    [NEARSHELF_ARGUMENT] = {"ARGUMENT", "malformed address, method or parameters"},
    [NEARSHELF_FULL] = {"FULL", "too many calls outstanding: receive some first"},
    [NEARSHELF_EMPTY] = {"EMPTY", "no call is outstanding"},
    [NEARSHELF_CLOSED] = {"CLOSED", "the client was closed before the answer"},
    [NEARSHELF_MEMORY] = {"MEMORY", "out of memory"},
};

static const struct error_row *error_row(enum nearshelf_error error)
{
    size_t index = (size_t)error;
    return &error_rows[index < sizeof(error_rows) / sizeof(error_rows[0]) ? index
                                                                          : NEARSHELF_PROTOCOL];
}

const char *nearshelf_error_text(enum nearshelf_error error)
{
    return error == NEARSHELF_OK ? "ok" : error_row(error)->text;
}

struct nearshelf_reply *reply_new(uint32_t id, enum nearshelf_error error)
{
    struct nearshelf_reply *reply = calloc(1, sizeof(*reply));
    if (reply) {
        reply->id = id;
        reply->kind = -1;
        reply_fail(reply, error, NULL);
    }
    return reply;
}

void reply_fail(struct nearshelf_reply *reply, enum nearshelf_error error, const char *text)
{
    const struct error_row *row = error_row(error);
    reply->error = error;
    snprintf(reply->code, sizeof(reply->code), "%s", row->code);
    snprintf(reply->text, sizeof(reply->text), "%s", text ? text : row->text);
}

/* Bytes of the leading CODE of an error text, 0 if there is none. */
static size_t code_size(const char *text, size_t size)
{
    size_t i = 0;
    while (i < size && ((text[i] >= 'A' && text[i] <= 'Z') || text[i] == '_' ||
                        (text[i] >= '0' && text[i] <= '9'))) {
        i++;
    }
    bool is_whole = i == size || text[i] == ' ';
    return is_whole && i < CLIENT_CODE_MAX ? i : 0;
}

static void set_error_text(struct nearshelf_reply *reply, const char *text, size_t size)
{
    size_t code = code_size(text, size);
    if (code > 0) {
        snprintf(reply->code, sizeof(reply->code), "%.*s", (int)code, text);
    }
    size_t from = code > 0 && code < size ? code + 1 : code;
    size_t rest = size - from < CLIENT_TEXT_MAX ? size - from : CLIENT_TEXT_MAX - 1;
    snprintf(reply->text, sizeof(reply->text), "%.*s", (int)rest, text + from);
}

/* The contract's shape is [kind, "CODE text"]; of any other the text is kept if there is one. */
static void set_server_error(struct nearshelf_reply *reply, const msgpack_object *error)
{
    reply_fail(reply, NEARSHELF_SERVER, NULL);
    const msgpack_object *text = error;
    if (error->type == MSGPACK_OBJECT_ARRAY && error->via.array.size == 2) {
        const msgpack_object *kind = &error->via.array.ptr[0];
        text = &error->via.array.ptr[1];
        reply->kind = (int)nearshelf_int((const struct nearshelf_value *)(const void *)kind, -1);
    }
    size_t size;
    const char *at = nearshelf_text((const struct nearshelf_value *)(const void *)text, &size);
    if (size > 0) {
        set_error_text(reply, at, size);
    }
}

static void set_outcome(struct nearshelf_reply *reply, const msgpack_object *frame)
{
    const msgpack_object *error = &frame->via.array.ptr[2];
    if (error->type != MSGPACK_OBJECT_NIL) {
        set_server_error(reply, error);
        return;
    }
    reply_fail(reply, NEARSHELF_OK, NULL);
    reply->result = &frame->via.array.ptr[3];
}

void reply_parse(struct nearshelf_reply *reply, const uint8_t *frame, uint32_t size)
{
    size_t offset = 0;
    reply->bytes = malloc(size);
    if (!reply->bytes) {
        reply_fail(reply, NEARSHELF_MEMORY, NULL);
        return;
    }
    memcpy(reply->bytes, frame, size);
    msgpack_unpacked_init(&reply->unpacked);
    reply->is_unpacked = true;
    msgpack_unpack_return got =
        msgpack_unpack_next(&reply->unpacked, (const char *)reply->bytes, size, &offset);
    if (got == MSGPACK_UNPACK_NOMEM_ERROR) {
        reply_fail(reply, NEARSHELF_MEMORY, NULL);
    } else if (got != MSGPACK_UNPACK_SUCCESS) {
        reply_fail(reply, NEARSHELF_PROTOCOL, NULL);
    } else {
        set_outcome(reply, &reply->unpacked.data);
    }
}

uint32_t reply_retry_after_ms(const struct nearshelf_reply *reply)
{
    const char *at = strstr(reply->text, "retry_after_ms=");
    if (!at) {
        return RETRY_AFTER_DEFAULT_MS;
    }
    unsigned long wait = strtoul(at + strlen("retry_after_ms="), NULL, 10);
    return wait > 0 && wait < 60000 ? (uint32_t)wait : RETRY_AFTER_DEFAULT_MS;
}

void nearshelf_reply_free(struct nearshelf_reply *reply)
{
    if (!reply) {
        return;
    }
    if (reply->is_unpacked) {
        msgpack_unpacked_destroy(&reply->unpacked);
    }
    free(reply->bytes);
    free(reply);
}

enum nearshelf_error nearshelf_reply_error(const struct nearshelf_reply *reply)
{
    return reply->error;
}

uint32_t nearshelf_reply_id(const struct nearshelf_reply *reply)
{
    return reply->id;
}

bool nearshelf_reply_may_have_happened(const struct nearshelf_reply *reply)
{
    return reply->may_have_happened;
}

int nearshelf_reply_kind(const struct nearshelf_reply *reply)
{
    return reply->kind;
}

const char *nearshelf_reply_code(const struct nearshelf_reply *reply)
{
    return reply->code;
}

const char *nearshelf_reply_text(const struct nearshelf_reply *reply)
{
    return reply->text;
}

const struct nearshelf_value *nearshelf_reply_result(const struct nearshelf_reply *reply)
{
    return (const struct nearshelf_value *)(const void *)reply->result;
}
