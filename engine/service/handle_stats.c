/* stats: counters, latencies and fill levels, for people and graphs. Rates are since the start;
 * who wants them of now asks twice. */
#include "glance_internal.h"
#include "prefetch.h"
#include "service_internal.h"

/* Nodes whose queues are looked at for the oldest fulfilment: more would hold the loop. */
enum { QUEUES_MAX = 16384, AHEAD = 8 };

static void put_percentiles(struct writer *writer, const char *name, const struct hist *hist)
{
    writer_string(writer, name);
    writer_map(writer, 4);
    put_int(writer, "p50", (int64_t)hist_percentile(hist, 50));
    put_int(writer, "p99", (int64_t)hist_percentile(hist, 99));
    put_int(writer, "p999", (int64_t)hist_percentile(hist, 99.9));
    put_int(writer, "max", (int64_t)hist->max);
}

static double uptime_s(const struct service_core *service)
{
    return service->now_ns > service->started_ns
               ? (double)(service->now_ns - service->started_ns) / 1e9
               : 0;
}

/* The loop's own count and those of the threads that answer the method too. */
static const struct method_stats *method_sum(const struct service_core *service,
                                             enum method method, struct method_stats *scratch)
{
    if (!glances_answer(service, method)) {
        return &service->methods[method];
    }
    *scratch = service->methods[method];
    glances_add(service, method, scratch);
    return scratch;
}

/* How many fields: none while it was never called. */
static uint32_t put_method(const struct service_core *service, struct writer *writer,
                       enum method method)
{
    struct method_stats sum;
    const struct method_stats *stats = method_sum(service, method, &sum);
    if (stats->calls == 0) {
        return 0;
    }
    double seconds = uptime_s(service);
    writer_string(writer, method_text(method));
    writer_map(writer, 4);
    put_int(writer, "calls", (int64_t)stats->calls);
    put_int(writer, "errors", (int64_t)stats->errors);
    put_float(writer, "per_second", seconds > 0 ? (double)stats->calls / seconds : 0);
    put_percentiles(writer, "latency_us", &stats->latency_us);
    return 1;
}

static void put_methods(const struct service_core *service, struct writer *writer)
{
    uint32_t count = 0;
    writer_str(writer, "methods");
    uint32_t mark = writer_open(writer);
    for (int i = 0; i < METHOD_COUNT; i++) {
        count += put_method(service, writer, (enum method)i);
    }
    writer_map_close(writer, mark, count);
}

static void put_refusals(const struct service_core *service, struct writer *writer)
{
    uint32_t count = 0;
    writer_str(writer, "refusals");
    uint32_t mark = writer_open(writer);
    for (int i = 0; i < REASON_COUNT; i++) {
        if (i != REASON_NONE && service->refusals[i] > 0) {
            put_int(writer, reason_text((enum reason)i), (int64_t)service->refusals[i]);
            count++;
        }
    }
    writer_map_close(writer, mark, count);
}

static void put_errors(const struct service_core *service, struct writer *writer)
{
    uint32_t count = 0;
    writer_str(writer, "errors");
    uint32_t mark = writer_open(writer);
    for (int i = 0; i < CODE_COUNT; i++) {
        uint64_t told = service->codes[i];
        told += i == CODE_OVERLOADED ? glances_overloaded(service) : 0;
        if (told > 0) {
            put_int(writer, code_text((enum code)i), (int64_t)told);
            count++;
        }
    }
    writer_map_close(writer, mark, count);
}

static void put_log(const struct service_core *service, struct writer *writer)
{
    const struct disk_facts *facts = wal_facts(service->wal);
    struct wal_stats stats;
    wal_stats(service->wal, &stats);
    writer_str(writer, "log");
    writer_map(writer, 20);
    put_string(writer, "folder", service->folder);
    put_string(writer, "backend", facts->backend);
    put_bool(writer, "durable", facts->is_durable);
    put_int(writer, "lsn_begun", (int64_t)wal_lsn_begun(service->wal));
    put_int(writer, "lsn_durable", (int64_t)wal_lsn_durable(service->wal));
    put_int(writer, "groups", (int64_t)stats.groups);
    put_int(writer, "seals", (int64_t)stats.seals);
    put_int(writer, "records", (int64_t)stats.records);
    put_int(writer, "bytes", (int64_t)stats.bytes);
    put_int(writer, "payload_bytes", (int64_t)stats.payload_bytes);
    put_int(writer, "segments", (int64_t)stats.segments);
    put_int(writer, "segment_waits", (int64_t)stats.segment_waits);
    put_int(writer, "segments_now", (int64_t)stats.segments_now);
    put_int(writer, "segment_bytes", (int64_t)stats.segment_bytes);
    put_int(writer, "removed", (int64_t)stats.removed);
    put_int(writer, "oldest_lsn", (int64_t)stats.oldest_lsn);
    put_percentiles(writer, "group_bytes", &stats.group_bytes);
    put_percentiles(writer, "flush_us", &stats.flush_us);
    put_int(writer, "lone", (int64_t)stats.lone);
    put_percentiles(writer, "lone_us", &stats.lone_us);
}

/* One table: how many rows there are and may be, and the bytes in use, hash slots included. */
static void put_table(struct writer *writer, const char *name, uint64_t count, uint64_t max,
                      uint64_t bytes)
{
    writer_string(writer, name);
    writer_map(writer, 3);
    put_int(writer, "count", (int64_t)count);
    put_int(writer, "max", (int64_t)max);
    put_int(writer, "bytes", (int64_t)bytes);
}

static void put_tables(const struct service_core *service, struct writer *writer)
{
    const struct tables *tables = &service->tables;
    const struct tables_options *max = &service->options.tables;
    writer_str(writer, "tables");
    writer_map(writer, 10);
    put_table(writer, "nodes", tables->network.count, NODE_MAX,
              tables->network.count * sizeof(struct node));
    put_table(writer, "items", tables->catalogue.count, max->items_max,
              catalogue_bytes(&tables->catalogue));
    put_table(writer, "cells", tables->cells, (uint64_t)max->items_max * NODE_MAX,
              tables->row_bytes);
    put_table(writer, "orders", tables->orders.count, max->orders_max,
              orders_bytes(&tables->orders));
    put_table(writer, "holds", tables->holds.live, max->holds_max,
              holds_bytes(&tables->holds));
    put_table(writer, "owed", tables->owed.live, max->owed_max, owed_bytes(&tables->owed));
    put_table(writer, "reservations", tables->reserves.count, max->reservations_max,
              reserves_bytes(&tables->reserves));
    put_table(writer, "keys", tables->keyring.count, max->keys_max,
              keyring_bytes(&tables->keyring));
    put_table(writer, "movements", movements_count(&tables->movements), max->movements_max,
              movements_bytes(&tables->movements));
    put_table(writer, "documents",
              tables->documents.open.count + tables->documents.open_returns.count +
                  tables->documents.done.count,
              max->documents_max,
              documents_bytes(&tables->documents) + incoming_bytes(&tables->incoming));
}

/* When the oldest fulfilment that still holds stock was made; 0: there is none. */
static uint64_t oldest_open(const struct service_core *service)
{
    const struct tables *tables = &service->tables;
    uint64_t oldest = UINT64_MAX;
    for (uint32_t i = 0; i < tables->network.count; i++) {
        uint32_t ahead = i + AHEAD;
        if (ahead < tables->network.count && tables->queues[ahead].first_order) {
            prefetch_read(order_at(&tables->orders, tables->queues[ahead].first_order));
        }
        if (tables->queues[i].first_order) {
            const struct order *order = order_at(&tables->orders, tables->queues[i].first_order);
            oldest = order->created_ms < oldest ? order->created_ms : oldest;
        }
    }
    return oldest == UINT64_MAX ? 0 : oldest;
}

static void put_loads(const struct service_core *service, struct writer *writer)
{
    uint32_t count = 0;
    for (const struct job *job = service->jobs; job; job = job->next) {
        count++;
    }
    writer_string(writer, "loads");
    writer_map(writer, 3);
    put_int(writer, "count", count);
    put_int(writer, "bytes", (int64_t)service->loads_bytes);
    put_int(writer, "max", (int64_t)service->options.loads_memory);
}

static void put_oldest(const struct service_core *service, struct writer *writer)
{
    bool is_known = service->tables.network.count <= QUEUES_MAX;
    uint64_t oldest = is_known ? oldest_open(service) : 0;
    writer_str(writer, "oldest_open_at");
    if (oldest) {
        writer_uint(writer, oldest);
    } else {
        writer_nil(writer);
    }
}

void handle_stats(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct reader_map map;
    static const char *const none[] = {""};
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, none, 0);
    CHECK(reader_map_next(&reader, &map) < 0);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 19 + (service->glance_count > 0));
    put_int(writer, "now", (int64_t)service->now_ms);
    put_float(writer, "uptime_s", uptime_s(service));
    put_methods(service, writer);
    put_refusals(service, writer);
    put_errors(service, writer);
    put_log(service, writer);
    put_checkpoints(service, writer);
    put_feeds(service, writer);
    put_tables(service, writer);
    put_int(writer, "cells_short", (int64_t)service->tables.cells_short);
    put_int(writer, "open_orders", service->tables.orders.open_count);
    put_int(writer, "held_orders", service->tables.owed.orders_held);
    put_int(writer, "backordered_orders", service->tables.owed.orders_backordered);
    put_int(writer, "owed_units", (int64_t)service->tables.owed.units);
    put_oldest(service, writer);
    glances_put(service, writer);
    put_loads(service, writer);
    put_int(writer, "overloaded", (int64_t)(service->overloaded + glances_overloaded(service)));
    put_int(writer, "unknown_notifications", (int64_t)service->unknown_notifications);
    put_lsn(service, writer);
    reply_send(service, call);
}
