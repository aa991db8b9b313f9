/* Three series of requests: node.put, item.put, stock.load. */
#include "load_setup.h"

#include <stdio.h>
#include <string.h>

#include "bulk.h"
#include "check.h"

enum {
    WINDOW_SMALL = 512,
    WINDOW_STOCK = 16,
    SMALL_SIZE = SETUP_ASK_SIZE,
    CHUNK_ITEMS = 4096, /* items looked at for one stock.load */
    CHUNK_SIZE = CHUNK_ITEMS * 24 + 256
};

/* Reach of the dated services; standard reaches everywhere. */
enum { NEXT_DAY_KM = 500, SAME_DAY_KM = 40 };

struct setup {
    const struct network *network;
    const struct workload *workload;
    const struct stock_model *model;
    uint64_t cells;
    uint64_t counted; /* chunks below this number are in cells: one may be sent again */
    uint32_t chunks;  /* per node */
};

void setup_write_node(const struct network *network, uint64_t index, struct writer *writer)
{
    const struct site *site = &network->sites[index];
    const struct id_name *id = &network->ids.names[index];
    writer_map(writer, site->is_warehouse ? 5 : 7);
    writer_str(writer, "node");
    writer_text(writer, id->at, id->size);
    writer_str(writer, "type");
    writer_string(writer, site->is_warehouse ? "warehouse" : "store");
    writer_str(writer, "lat");
    writer_float(writer, site->lat);
    writer_str(writer, "lon");
    writer_float(writer, site->lon);
    writer_str(writer, "name");
    writer_string(writer, site->name);
    if (!site->is_warehouse) {
        static const char *const services[] = {"ship", "same_day", "pickup", "return", "carry_out"};
        writer_str(writer, "services");
        writer_array(writer, 5);
        for (int i = 0; i < 5; i++) {
            writer_string(writer, services[i]);
        }
        writer_str(writer, "max_km");
        writer_map(writer, 2);
        writer_str(writer, "next_day");
        writer_uint(writer, NEXT_DAY_KM);
        writer_str(writer, "same_day");
        writer_uint(writer, SAME_DAY_KM);
    }
}

void setup_write_item(const struct workload *workload, uint64_t index, struct writer *writer)
{
    const struct id_name *id = &workload->items.names[index];
    writer_map(writer, 1);
    writer_str(writer, "item");
    writer_text(writer, id->at, id->size);
}

static void write_node(void *owner, uint64_t index, struct writer *writer)
{
    const struct setup *setup = owner;
    setup_write_node(setup->network, index, writer);
}

static void write_item(void *owner, uint64_t index, struct writer *writer)
{
    const struct setup *setup = owner;
    setup_write_item(setup->workload, index, writer);
}

/* Chunk index is (node, slice of the items). */
static void write_stock(void *owner, uint64_t index, struct writer *writer)
{
    struct setup *setup = owner;
    uint32_t node = (uint32_t)(index / setup->chunks);
    uint32_t first = (uint32_t)(index % setup->chunks) * CHUNK_ITEMS;
    uint32_t end = first + CHUNK_ITEMS;
    end = end < setup->model->items ? end : setup->model->items;
    const struct id_name *node_id = &setup->network->ids.names[node];
    writer_map(writer, 2);
    writer_str(writer, "node");
    writer_text(writer, node_id->at, node_id->size);
    writer_str(writer, "rows");
    uint32_t mark = writer_open(writer);
    uint32_t count = 0;
    for (uint32_t item = first; item < end; item++) {
        uint32_t units = stock_model_units(setup->model, node, item);
        if (units > 0) {
            const struct id_name *id = &setup->workload->items.names[item];
            writer_array(writer, 2);
            writer_text(writer, id->at, id->size);
            writer_uint(writer, units);
            count++;
        }
    }
    writer_array_close(writer, mark, count);
    if (index >= setup->counted) {
        setup->cells += count;
        setup->counted = index + 1;
    }
}

static enum bulk_next take_any(void *owner, uint64_t index, struct answer *answer)
{
    (void)owner;
    (void)index;
    struct span reason;
    bool is_well = !answer->is_error && !answer_is_refused(answer->result, &reason);
    return is_well ? BULK_DONE : BULK_FAULT;
}

enum err setup_load(struct pump *pump, const struct network *network,
                    const struct workload *workload, const struct stock_model *model,
                    struct setup_report *report_out)
{
    uint64_t start_ns = pump_clock_ns();
    struct setup setup = {
        .network = network,
        .workload = workload,
        .model = model,
        .chunks = (model->items + CHUNK_ITEMS - 1) / CHUNK_ITEMS,
    };
    const struct bulk steps[] = {
        {"node.put", "loading nodes", network->count, SMALL_SIZE, WINDOW_SMALL, write_node,
         take_any, &setup},
        {"item.put", "loading items", workload->items.count, SMALL_SIZE, WINDOW_SMALL, write_item,
         take_any, &setup},
        {"stock.load", "loading stock", (uint64_t)network->count * setup.chunks, CHUNK_SIZE,
         WINDOW_STOCK, write_stock, take_any, &setup},
    };
    enum err err = ERR_OK;
    for (int i = 0; i < 3 && err == ERR_OK; i++) {
        err = bulk_run(pump, &steps[i]);
    }
    *report_out = (struct setup_report){
        .nodes = network->count,
        .items = workload->items.count,
        .cells = setup.cells,
        .seconds = (double)(pump_clock_ns() - start_ns) / 1e9,
    };
    return err;
}

static void write_hello(void *owner, uint64_t index, struct writer *writer)
{
    (void)owner;
    (void)index;
    writer_map(writer, 1);
    writer_str(writer, "client");
    writer_str(writer, "nearshelf-load");
}

static enum bulk_next take_hello(void *owner, uint64_t index, struct answer *answer)
{
    (void)index;
    struct setup_hello *hello = owner;
    struct span server = {.at = "engine", .size = 6};
    struct span version = {.at = "", .size = 0};
    if (answer->is_error) {
        return BULK_FAULT;
    }
    struct cursor *result = &answer->result;
    for (uint32_t left = cursor_map(result); left > 0 && !result->is_bad; left--) {
        struct span key = cursor_text(result);
        if (span_is(key, "server")) {
            server = cursor_text(result);
        } else if (span_is(key, "version")) {
            version = cursor_text(result);
        } else {
            cursor_skip(result);
        }
    }
    snprintf(hello->server, sizeof hello->server, "%.*s %.*s", (int)server.size, server.at,
             (int)version.size, version.at);
    return result->is_bad ? BULK_FAULT : BULK_DONE;
}

enum err setup_hello(struct pump *pump, struct setup_hello *hello_out)
{
    *hello_out = (struct setup_hello){0};
    const struct bulk bulk = {"hello", NULL, 1, SMALL_SIZE, 1, write_hello, take_hello, hello_out};
    return bulk_run(pump, &bulk);
}
