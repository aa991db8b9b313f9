/* The frame of a read on another thread: which methods, the reply's head, counters. */
#include "glance_internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const enum method method_of[GLANCE_METHODS] = {METHOD_STOCK_GET, METHOD_STOCK_FIND};

/* -- birth -- */

static struct glance *glance_new(const struct service_core *service, uint32_t number)
{
    struct glance *glance = calloc(1, sizeof *glance);
    uint8_t *scratch = malloc(REPLY_SIZE_MAX);
    if (!glance || !scratch) {
        free(glance);
        free(scratch);
        return NULL;
    }
    glance->service = service;
    glance->number = number;
    glance->scratch = scratch;
    for (int i = 0; i < GLANCE_METHODS; i++) {
        hist_init(&glance->stats[i].latency_us);
    }
    return glance;
}

enum err glances_open(struct service_core *service, uint32_t count)
{
    CHECK(!service->glances);
    enum err err = tables_share(&service->tables, count);
    if (err != ERR_OK) {
        return err;
    }
    service->glances = calloc(count, sizeof(struct glance *));
    if (!service->glances) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < count; i++) {
        service->glances[i] = glance_new(service, i);
        if (!service->glances[i]) {
            return ERR_NOMEM;
        }
        service->glance_count++;
    }
    return ERR_OK;
}

void glances_close(struct service_core *service)
{
    for (uint32_t i = 0; i < service->glance_count; i++) {
        free(service->glances[i]->scratch);
        free(service->glances[i]);
    }
    free(service->glances);
}

struct glance *glances_at(const struct service_core *service, uint32_t number)
{
    CHECK(number < service->glance_count);
    return service->glances[number];
}

uint64_t glance_memory(void)
{
    return sizeof(struct glance) + REPLY_SIZE_MAX;
}

/* -- its thread -- */

/* One writer: a plain sum, stored so that another thread may read it. */
static void count_one(uint64_t *counter)
{
    __atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static void settle(struct glance *glance, uint64_t now_ns)
{
    for (uint32_t i = 0; i < glance->pending; i++) {
        uint64_t read_ns = glance->pending_ns[i];
        uint64_t took_ns = now_ns > read_ns ? now_ns - read_ns : 0;
        hist_record_shared(&glance->stats[glance->pending_method[i]].latency_us, took_ns / 1000);
    }
    glance->pending = 0;
}

void glance_enter(struct glance *glance)
{
    epoch_enter(glance->service->tables.epoch, glance->number);
}

void glance_leave(struct glance *glance, uint64_t now_ns)
{
    settle(glance, now_ns);
    epoch_leave(glance->service->tables.epoch, glance->number);
}

void glance_handed(struct glance *glance)
{
    count_one(&glance->handed);
}

uint64_t glance_lsn(const struct glance *glance)
{
    return __atomic_load_n(&glance->service->begun.lsn, __ATOMIC_ACQUIRE);
}

static enum glance_method method_find(const struct frame_head *head)
{
    if (head->method_len == 9 && memcmp(head->method, "stock.get", 9) == 0) {
        return GLANCE_GET;
    }
    if (head->method_len == 10 && memcmp(head->method, "stock.find", 10) == 0) {
        return GLANCE_FIND;
    }
    return GLANCE_METHODS;
}

static bool is_late(const struct glance *glance, uint64_t read_ns, uint64_t now_ns)
{
    uint64_t limit = (uint64_t)glance->service->options.max_delay_ms * 1000000;
    return limit && now_ns > read_ns && now_ns - read_ns > limit;
}

static void refuse_late(struct glance *glance, struct glance_stats *stats, uint32_t msgid,
                        struct writer *writer)
{
    uint32_t limit = glance->service->options.max_delay_ms;
    char text[128];
    int len = snprintf(text, sizeof text,
                       "waited over max_delay_ms=%u: try again, retry_after_ms=%u", limit,
                       limit * 4);
    count_one(&glance->overloaded);
    count_one(&stats->errors);
    writer_reply_error(writer, msgid, CODE_OVERLOADED, text, (uint32_t)len);
}

static uint32_t stage_read(struct glance *glance, const struct frame_head *const *heads,
                           uint32_t count)
{
    uint32_t plain = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct frame_head *head = heads[i];
        glance->looks[i].is_plain = false;
        if (method_find(head) == GLANCE_GET &&
            look_read(head->params, head->params_size, &glance->looks[i])) {
            glance->plain[plain++] = (uint8_t)i;
        }
    }
    return plain;
}

void glance_stage(struct glance *glance, const struct frame_head *const *heads, uint32_t count)
{
    static void (*const steps[])(const struct tables *, struct look *) = {
        look_slots, look_names, look_row, look_place, look_cell};
    CHECK(count <= GLANCE_AHEAD);
    uint32_t plain = stage_read(glance, heads, count);
    for (size_t step = 0; step < sizeof steps / sizeof steps[0]; step++) {
        for (uint32_t i = 0; i < plain; i++) {
            steps[step](&glance->service->tables, &glance->looks[glance->plain[i]]);
        }
    }
}

static bool result_write(struct glance *glance, enum glance_method method,
                         const struct frame_head *head, uint32_t i, struct writer *writer,
                         uint64_t *lsn_out)
{
    struct reader reader;
    bool is_written;
    writer_reply(writer, head->msgid);
    if (method == GLANCE_GET) {
        is_written = glance_get(glance, &glance->looks[i], writer, lsn_out);
    } else {
        reader_init(&reader, head->params, head->params_size);
        is_written = glance_find(glance, &reader, writer, lsn_out);
    }
    return is_written && !writer->is_full;
}

bool glance_answer(struct glance *glance, const struct frame_head *head, uint32_t i,
                   uint64_t read_ns, uint64_t now_ns, struct glance_reply *out)
{
    struct writer writer;
    enum glance_method method = method_find(head);
    if (method == GLANCE_METHODS) {
        return false;
    }
    *out = (struct glance_reply){glance->scratch, 0, 0};
    writer_init(&writer, glance->scratch, REPLY_SIZE_MAX);
    if (is_late(glance, read_ns, now_ns)) {
        refuse_late(glance, &glance->stats[method], head->msgid, &writer);
    } else if (!result_write(glance, method, head, i, &writer, &out->lsn)) {
        return false;
    }
    count_one(&glance->stats[method].calls);
    out->size = writer_size(&writer);
    if (head->type == FRAME_NOTIFY) {
        out->bytes = NULL;
    }
    if (glance->pending == GLANCE_PENDING) {
        settle(glance, now_ns);
    }
    glance->pending_ns[glance->pending] = read_ns;
    glance->pending_method[glance->pending++] = (uint8_t)method;
    return true;
}

/* -- the engine loop: statistics -- */

static uint64_t counter(const uint64_t *from)
{
    return __atomic_load_n(from, __ATOMIC_RELAXED);
}

static uint32_t own_of(enum method method)
{
    uint32_t own = 0;
    while (own < GLANCE_METHODS && method_of[own] != method) {
        own++;
    }
    return own;
}

bool glances_answer(const struct service_core *service, enum method method)
{
    return service->glance_count > 0 && own_of(method) < GLANCE_METHODS;
}

void glances_add(const struct service_core *service, enum method method, struct method_stats *to)
{
    uint32_t own = own_of(method);
    for (uint32_t i = 0; i < service->glance_count; i++) {
        const struct glance_stats *stats = &service->glances[i]->stats[own];
        to->calls += counter(&stats->calls);
        to->errors += counter(&stats->errors);
        hist_merge_shared(&to->latency_us, &stats->latency_us);
    }
}

uint64_t glances_overloaded(const struct service_core *service)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; i < service->glance_count; i++) {
        sum += counter(&service->glances[i]->overloaded);
    }
    return sum;
}

void glances_put(const struct service_core *service, struct writer *writer)
{
    if (service->glance_count == 0) {
        return;
    }
    writer_str(writer, "read_loops");
    writer_array(writer, service->glance_count);
    for (uint32_t i = 0; i < service->glance_count; i++) {
        const struct glance *glance = service->glances[i];
        uint64_t answered = 0;
        for (int own = 0; own < GLANCE_METHODS; own++) {
            answered += counter(&glance->stats[own].calls);
        }
        writer_map(writer, 2);
        put_int(writer, "answered", (int64_t)answered);
        put_int(writer, "handed_over", (int64_t)counter(&glance->handed));
    }
}
