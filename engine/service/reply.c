/* Replies: results, errors, refusals. Everything is written to the scratch and then copied to
 * the connection at its true size; it leaves when all that was begun so far is durable. */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "service_internal.h"

enum { ERROR_TEXT_SIZE = 1024 };

/* A load whose connection is gone has no conn. */
void reply_hand_over(struct service_core *service, struct call *call, uint32_t size)
{
    const struct service_port *port = &service->options.port;
    if (!call->conn) {
        return;
    }
    if (call->is_notify) {
        port->done(call->conn);
        return;
    }
    uint8_t *at = port->reply_begin(call->conn, size);
    if (at) {
        memcpy(at, service->scratch, size);
        port->reply_end(call->conn, size, lsn_begun(service));
    }
}

void reply_error_text(struct service_core *service, struct call *call, enum code code,
                      const char *text, uint32_t size)
{
    CHECK(!call->is_answered);
    call->is_answered = true;
    service->codes[code]++;
    if (call->method < METHOD_COUNT) {
        service->methods[call->method].errors++;
    }
    writer_init(&service->writer, service->scratch, REPLY_SIZE_MAX);
    writer_reply_error(&service->writer, call->msgid, code, text, size);
    reply_hand_over(service, call, writer_size(&service->writer));
}

void reply_error(struct service_core *service, struct call *call, enum code code,
                 const char *format, ...)
{
    char text[ERROR_TEXT_SIZE];
    va_list args;
    va_start(args, format);
    int len = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    CHECK(len >= 0);
    uint32_t kept = len < ERROR_TEXT_SIZE ? (uint32_t)len : ERROR_TEXT_SIZE - 1;
    reply_error_text(service, call, code, text, kept);
}

void reply_invalid(struct service_core *service, struct call *call, const struct reader *reader)
{
    CHECK(!reader_is_ok(reader));
    reply_error(service, call, CODE_INVALID_ARGUMENT, "%s", reader_error(reader));
}

struct writer *reply_begin(struct service_core *service, struct call *call)
{
    CHECK(!call->is_answered);
    writer_init(&service->writer, service->scratch, REPLY_SIZE_MAX);
    writer_reply(&service->writer, call->msgid);
    return &service->writer;
}

void reply_send(struct service_core *service, struct call *call)
{
    if (service->writer.is_full) {
        reply_error(service, call, CODE_TOO_LARGE,
                    "the answer is over %d bytes: ask for less of it, with limit or fewer items",
                    REPLY_SIZE_MAX);
        return;
    }
    reply_hand_over(service, call, writer_size(&service->writer));
}

void reply_refused(struct service_core *service, struct call *call, enum reason reason,
                   const char *detail_name, const char *detail)
{
    service->refusals[reason]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, detail_name ? 4 : 3);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(reason));
    if (detail_name) {
        put_string(writer, detail_name, detail);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- fields -- */

void put_text(struct writer *writer, const char *name, const char *text, uint32_t len)
{
    writer_string(writer, name);
    writer_text(writer, text, len);
}

void put_string(struct writer *writer, const char *name, const char *text)
{
    writer_string(writer, name);
    writer_string(writer, text);
}

void put_int(struct writer *writer, const char *name, int64_t value)
{
    writer_string(writer, name);
    writer_int(writer, value);
}

void put_bool(struct writer *writer, const char *name, bool value)
{
    writer_string(writer, name);
    writer_bool(writer, value);
}

void put_float(struct writer *writer, const char *name, double value)
{
    writer_string(writer, name);
    writer_float(writer, value);
}

void put_km(struct writer *writer, const char *name, uint64_t metres)
{
    put_float(writer, name, (double)metres / 1000.0);
}

void put_lsn(struct service_core *service, struct writer *writer)
{
    put_int(writer, "lsn", (int64_t)lsn_begun(service));
}
