/* Requests other than order.route are rare enough to be written with the ordinary writer. */
#include "run_send.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "writer.h"

enum { SMALL_SIZE = 256, RESTOCK_MAX = 0xffffff, FIND_ITEMS = 2, FIND_NODES = 3 };

/* Orders of reads are drawn from numbers that no order of a run reaches. */
#define READ_NUMBERS (UINT64_C(1) << 46)

void run_send_order(struct load_run *run, uint32_t conn, enum run_kind kind, uint64_t intended_ns,
                    uint32_t twin)
{
    uint32_t msgid;
    uint32_t size_max = REQUEST_HEAD_SIZE + run->order.count * REQUEST_LINE_SIZE;
    uint8_t *at = pump_begin(run->pump, conn, size_max, &msgid);
    uint32_t size = workload_encode(run->workload, &run->order, msgid, at);
    DCHECK(size <= size_max);
    pump_end(run->pump, conn, msgid, size,
             (struct pump_request){.intended_ns = intended_ns,
                                   .subject = run->order.number,
                                   .extra = twin,
                                   .kind = (uint8_t)kind});
}

/* A small request in the making. */
struct small {
    struct writer writer;
    uint32_t msgid;
    uint32_t conn;
};

static struct small begin(struct load_run *run, uint32_t conn, const char *method)
{
    struct small small = {.conn = conn};
    uint8_t *at = pump_begin(run->pump, conn, SMALL_SIZE, &small.msgid);
    writer_init(&small.writer, at, SMALL_SIZE);
    writer_request(&small.writer, small.msgid, method);
    return small;
}

static void end(struct load_run *run, struct small *small, struct pump_request request)
{
    CHECK(!small->writer.is_full);
    pump_end(run->pump, small->conn, small->msgid, writer_size(&small->writer), request);
}

void run_send_ship(struct load_run *run, uint32_t conn, uint64_t order, uint32_t number,
                   uint64_t intended_ns)
{
    char id[ORDER_ID_SIZE + 12];
    workload_order_id(run->workload, order, id);
    int tail = snprintf(id + ORDER_ID_SIZE, sizeof id - ORDER_ID_SIZE, "/%u", number);
    struct small small = begin(run, conn, "fulfil.update");
    writer_map(&small.writer, 2);
    writer_str(&small.writer, "fulfilment");
    writer_text(&small.writer, id, ORDER_ID_SIZE + (uint32_t)tail);
    writer_str(&small.writer, "state");
    writer_str(&small.writer, "shipped");
    end(run, &small,
        (struct pump_request){
            .intended_ns = intended_ns, .subject = order, .extra = number, .kind = RUN_SHIP});
}

void run_send_cancel(struct load_run *run, uint32_t conn, uint64_t order, uint64_t intended_ns)
{
    char id[ORDER_ID_SIZE];
    workload_order_id(run->workload, order, id);
    struct small small = begin(run, conn, "order.cancel");
    writer_map(&small.writer, 1);
    writer_str(&small.writer, "order_id");
    writer_text(&small.writer, id, sizeof id);
    end(run, &small,
        (struct pump_request){
            .intended_ns = intended_ns, .subject = order, .extra = 1, .kind = RUN_CANCEL});
}

static void write_cell(struct load_run *run, struct writer *writer, uint32_t node, uint32_t item)
{
    const struct id_name *item_id = &run->workload->items.names[item];
    const struct id_name *node_id = &run->workload->network->ids.names[node];
    writer_str(writer, "item");
    writer_text(writer, item_id->at, item_id->size);
    writer_str(writer, "node");
    writer_text(writer, node_id->at, node_id->size);
}

static void send_restock(struct load_run *run, uint32_t conn, uint32_t node, struct order_line line,
                         uint64_t intended_ns)
{
    struct small small = begin(run, conn, "stock.adjust");
    writer_map(&small.writer, 3);
    write_cell(run, &small.writer, node, line.item);
    writer_str(&small.writer, "delta");
    writer_uint(&small.writer, line.qty);
    end(run, &small,
        (struct pump_request){.intended_ns = intended_ns,
                              .subject = ledger_pack(node, line.item, line.qty),
                              .kind = RUN_RESTOCK});
}

void run_send_restocks(struct load_run *run, uint32_t conn, const struct fulfilment *fulfilment,
                       uint64_t intended_ns)
{
    double share = run->opts->restock;
    if (share <= 0 || fulfilment->node == RUN_NO_NODE) {
        return;
    }
    uint32_t count = facts_lines(fulfilment, &run->past);
    for (uint32_t i = 0; i < count; i++) {
        if (rng_unit(&run->draws) < share && pump_has_room(run->pump)) {
            struct order_line line = facts_line(fulfilment, i, &run->past);
            double qty = fmin(round(line.qty / share), RESTOCK_MAX);
            line.qty = (uint32_t)qty;
            send_restock(run, conn, fulfilment->node, line, intended_ns);
        }
    }
}

static void send_get(struct load_run *run, uint32_t conn, uint64_t intended_ns)
{
    uint32_t node = (uint32_t)rng_below(&run->draws, run->workload->network->count);
    struct small small = begin(run, conn, "stock.get");
    writer_map(&small.writer, 2);
    write_cell(run, &small.writer, node, run->order.lines[0].item);
    end(run, &small, (struct pump_request){.intended_ns = intended_ns, .kind = RUN_GET});
}

static void write_items(struct load_run *run, struct writer *writer)
{
    uint32_t count = run->order.count < FIND_ITEMS ? run->order.count : FIND_ITEMS;
    writer_str(writer, "items");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct id_name *id = &run->workload->items.names[run->order.lines[i].item];
        writer_map(writer, 1);
        writer_str(writer, "item");
        writer_text(writer, id->at, id->size);
    }
}

void run_send_read(struct load_run *run, uint32_t conn, uint64_t intended_ns, uint64_t number)
{
    workload_draw(run->workload, READ_NUMBERS + number, &run->order);
    if (number % 4 == 0) {
        send_get(run, conn, intended_ns);
        return;
    }
    struct small small = begin(run, conn, "stock.find");
    writer_map(&small.writer, 4);
    write_items(run, &small.writer);
    writer_str(&small.writer, "dest");
    writer_map(&small.writer, 2);
    writer_str(&small.writer, "lat");
    writer_float(&small.writer, run->order.lat);
    writer_str(&small.writer, "lon");
    writer_float(&small.writer, run->order.lon);
    writer_str(&small.writer, "service");
    writer_str(&small.writer, "standard");
    writer_str(&small.writer, "k");
    writer_uint(&small.writer, FIND_NODES);
    end(run, &small, (struct pump_request){.intended_ns = intended_ns, .kind = RUN_FIND});
}
