/* Mixed operations from several connections at once; afterwards the books of every cell close.
 *
 * mixed_ops HOST PORT [OPERATIONS [CONNECTIONS [SEED]]]
 *
 * Each connection is a thread with its own generator. It keeps books of what was acknowledged
 * to it: units added, held, released, shipped, per cell. The sum of all books must be what the
 * engine lists. Shared cells only ever gain stock by reports, so their `ats` is never below 0;
 * the connection's own item is counted and adjusted by it alone, so each reply is foretold. */
#include "rng.h"
#include "rpc_conn.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NODES 16u
#define ITEMS 32u
#define CELLS (NODES * ITEMS)
#define START_UNITS 150
#define BATCH 64u
#define TAKES_MAX 12u
#define CONNECTIONS_MAX 64u
#define IDLE_MAX 4096u
#define PARTS_MAX 9u

enum op { OP_ROUTE, OP_AGAIN, OP_CANCEL, OP_SHIP, OP_ADJUST, OP_GET, OP_COUNT, OP_OWN };

/* One unit movement of an order: how many of which cell, in which of its fulfilments. */
struct take {
    uint16_t cell;
    uint8_t part;
    uint8_t qty;
};

/* An acknowledged order that nothing was done to yet. */
struct idle_order {
    uint64_t number;
    uint32_t takes_count;
    uint32_t parts_count;
    struct take takes[TAKES_MAX];
};

/* What one request of the batch was, until its reply is read. */
struct pending {
    enum op op;
    uint32_t cell;
    int64_t amount;
    uint64_t number;
    uint8_t part;           /* shipped fulfilment, from 0 */
    struct idle_order order; /* of cancel, ship and again */
};

/* One connection: owned by its thread until that is joined. */
struct worker {
    struct rpc_conn conn;
    struct rng rng;
    uint32_t index;
    uint64_t ops;
    uint64_t orders_made;
    uint64_t routed, refused, duplicates, absorbed, overloaded;
    int64_t own_on_hand;
    uint32_t idle_count;
    int64_t on_hand[CELLS];  /* change of on_hand that was acknowledged */
    int64_t reserved[CELLS]; /* likewise of reserved */
    struct idle_order idle[IDLE_MAX];
    struct pending pending[BATCH];
};

static const char *cell_item(uint32_t cell, char text[32])
{
    snprintf(text, 32, "i%02u", cell % ITEMS);
    return text;
}

static const char *cell_node(uint32_t cell, char text[32])
{
    snprintf(text, 32, "n%02u", cell / ITEMS);
    return text;
}

/* The two digits after the letter of one of the ids above. */
static uint32_t id_number(const msgpack_object *object)
{
    if (object == NULL || object->type != MSGPACK_OBJECT_STR || object->via.str.size != 3) {
        rpc_die("not an id of this test", object);
    }
    const char *at = object->via.str.ptr;
    return (uint32_t)(at[1] - '0') * 10u + (uint32_t)(at[2] - '0');
}

static void pack_cell(struct rpc_conn *conn, uint32_t cell)
{
    char text[32];
    rpc_conn_text(conn, "item", cell_item(cell, text));
    rpc_conn_text(conn, "node", cell_node(cell, text));
}

/* An order is a function of connection and number, so that it can be sent again. */
static void send_route(struct worker *worker, uint64_t number)
{
    struct rpc_conn *conn = &worker->conn;
    struct rng rng;
    char text[32];
    rng_init(&rng, number * CONNECTIONS_MAX + worker->index);
    uint32_t lines = 1u + (uint32_t)rng_below(&rng, 3);
    uint32_t item = (uint32_t)rng_below(&rng, ITEMS);
    rpc_conn_request(conn, "order.route", 4);
    snprintf(text, sizeof text, "w%u.%" PRIu64, worker->index, number);
    rpc_conn_text(conn, "order_id", text);
    rpc_conn_text(conn, "service", "standard");
    rpc_conn_key(conn, "dest");
    msgpack_pack_map(&conn->packer, 2);
    rpc_conn_real(conn, "lat", 30.0 + 15.0 * rng_unit(&rng));
    rpc_conn_real(conn, "lon", -120.0 + 45.0 * rng_unit(&rng));
    rpc_conn_key(conn, "lines");
    msgpack_pack_array(&conn->packer, lines);
    for (uint32_t i = 0; i < lines; i++) {
        msgpack_pack_map(&conn->packer, 2);
        rpc_conn_text(conn, "item", cell_item((item + i) % ITEMS, text));
        rpc_conn_int(conn, "qty", 1 + (int64_t)rng_below(&rng, 3));
    }
}

static struct idle_order take_idle(struct worker *worker)
{
    uint32_t at = (uint32_t)rng_below(&worker->rng, worker->idle_count);
    struct idle_order order = worker->idle[at];
    worker->idle[at] = worker->idle[--worker->idle_count];
    return order;
}

static void send_order_op(struct worker *worker, struct pending *pending)
{
    char text[48];
    if (pending->op == OP_AGAIN) {
        pending->order = worker->idle[rng_below(&worker->rng, worker->idle_count)];
        send_route(worker, pending->order.number);
        return;
    }
    pending->order = take_idle(worker);
    pending->part = 0;
    if (pending->op == OP_CANCEL) {
        rpc_conn_request(&worker->conn, "order.cancel", 1);
        snprintf(text, sizeof text, "w%u.%" PRIu64, worker->index, pending->order.number);
        rpc_conn_text(&worker->conn, "order_id", text);
        return;
    }
    pending->part = (uint8_t)rng_below(&worker->rng, pending->order.parts_count);
    rpc_conn_request(&worker->conn, "fulfil.update", 2);
    snprintf(text, sizeof text, "w%u.%" PRIu64 "/%u", worker->index, pending->order.number,
             pending->part + 1u);
    rpc_conn_text(&worker->conn, "fulfilment", text);
    rpc_conn_text(&worker->conn, "state", "shipped");
}

static void send_own(struct worker *worker, const char *method, const char *key, int64_t value)
{
    char text[32];
    rpc_conn_request(&worker->conn, method, 3);
    snprintf(text, sizeof text, "own%u", worker->index);
    rpc_conn_text(&worker->conn, "item", text);
    rpc_conn_text(&worker->conn, "node", "n00");
    rpc_conn_int(&worker->conn, key, value);
}

static enum op draw_op(struct worker *worker)
{
    static const struct {
        enum op op;
        uint32_t upto;
    } table[] = {{OP_ROUTE, 42}, {OP_CANCEL, 54}, {OP_SHIP, 72}, {OP_AGAIN, 77},
                 {OP_ADJUST, 87}, {OP_GET, 95}, {OP_COUNT, 97}, {OP_OWN, 100}};
    uint32_t draw = (uint32_t)rng_below(&worker->rng, 100);
    uint32_t at = 0;
    while (draw >= table[at].upto) {
        at++;
    }
    enum op op = table[at].op;
    bool needs_order = op == OP_CANCEL || op == OP_SHIP || op == OP_AGAIN;
    return needs_order && worker->idle_count == 0 ? OP_ROUTE : op;
}

static void send_op(struct worker *worker, struct pending *pending)
{
    struct rpc_conn *conn = &worker->conn;
    pending->op = draw_op(worker);
    pending->cell = (uint32_t)rng_below(&worker->rng, CELLS);
    pending->amount = 1 + (int64_t)rng_below(&worker->rng, 20);
    switch (pending->op) {
    case OP_ROUTE:
        pending->number = worker->orders_made++;
        send_route(worker, pending->number);
        break;
    case OP_AGAIN:
    case OP_CANCEL:
    case OP_SHIP:
        send_order_op(worker, pending);
        break;
    case OP_ADJUST:
        rpc_conn_request(conn, "stock.adjust", 3);
        pack_cell(conn, pending->cell);
        rpc_conn_int(conn, "delta", pending->amount);
        break;
    case OP_GET:
        rpc_conn_request(conn, "stock.get", 2);
        pack_cell(conn, pending->cell);
        break;
    case OP_COUNT:
        send_own(worker, "stock.set", "on_hand", pending->amount);
        break;
    case OP_OWN:
        pending->amount -= 10;
        send_own(worker, "stock.adjust", "delta", pending->amount == 0 ? 1 : pending->amount);
        break;
    }
}

static void read_part(struct idle_order *order, const msgpack_object *part, uint32_t index)
{
    const msgpack_object *lines = rpc_find(part, "lines");
    uint32_t node = id_number(rpc_find(part, "node"));
    if (lines == NULL || lines->type != MSGPACK_OBJECT_ARRAY) {
        rpc_die("lines", part);
    }
    for (uint32_t i = 0; i < lines->via.array.size; i++) {
        const msgpack_object *line = &lines->via.array.ptr[i];
        if (order->takes_count == TAKES_MAX) {
            rpc_die("more parts than three lines can have", part);
        }
        order->takes[order->takes_count++] = (struct take){
            .cell = (uint16_t)(node * ITEMS + id_number(rpc_find(line, "item"))),
            .part = (uint8_t)index,
            .qty = (uint8_t)rpc_int_at(line, "qty"),
        };
    }
}

static struct idle_order read_order(uint64_t number, const msgpack_object *answer)
{
    struct idle_order order = {.number = number};
    const msgpack_object *parts = rpc_find(answer, "fulfilments");
    if (parts == NULL || parts->type != MSGPACK_OBJECT_ARRAY || parts->via.array.size == 0 ||
        parts->via.array.size > PARTS_MAX) {
        rpc_die("fulfilments", answer);
    }
    order.parts_count = parts->via.array.size;
    for (uint32_t i = 0; i < order.parts_count; i++) {
        read_part(&order, &parts->via.array.ptr[i], i);
    }
    return order;
}

static void on_route(struct worker *worker, struct pending *pending, const msgpack_object *answer)
{
    if (!rpc_is_text(rpc_find(answer, "status"), "routed")) {
        worker->refused++;
        return;
    }
    struct idle_order order = read_order(pending->number, answer);
    worker->routed++;
    for (uint32_t i = 0; i < order.takes_count; i++) {
        worker->reserved[order.takes[i].cell] += order.takes[i].qty;
    }
    if (worker->idle_count < IDLE_MAX) {
        worker->idle[worker->idle_count++] = order;
    }
}

/* The same order again: same facts, marked as a duplicate, nothing to book. */
static void on_again(struct worker *worker, struct pending *pending, const msgpack_object *answer)
{
    const msgpack_object *duplicate = rpc_find(answer, "duplicate");
    struct idle_order order = read_order(pending->order.number, answer);
    if (duplicate == NULL || duplicate->type != MSGPACK_OBJECT_BOOLEAN ||
        !duplicate->via.boolean || order.takes_count != pending->order.takes_count ||
        memcmp(order.takes, pending->order.takes, sizeof order.takes) != 0) {
        rpc_die("a retry with other facts", answer);
    }
    worker->duplicates++;
}

static void on_cancel(struct worker *worker, const struct pending *pending)
{
    for (uint32_t i = 0; i < pending->order.takes_count; i++) {
        worker->reserved[pending->order.takes[i].cell] -= pending->order.takes[i].qty;
    }
}

static void on_ship(struct worker *worker, const struct pending *pending)
{
    for (uint32_t i = 0; i < pending->order.takes_count; i++) {
        const struct take *take = &pending->order.takes[i];
        if (take->part == pending->part) {
            worker->reserved[take->cell] -= take->qty;
            worker->on_hand[take->cell] -= take->qty;
        }
    }
}

static bool is_absorbed(const msgpack_object *answer)
{
    const msgpack_object *absorbed = rpc_find(answer, "absorbed");
    return absorbed != NULL && absorbed->type == MSGPACK_OBJECT_BOOLEAN && absorbed->via.boolean;
}

static void on_own(struct worker *worker, const struct pending *pending,
                   const msgpack_object *answer)
{
    if (pending->op == OP_COUNT) {
        worker->own_on_hand = pending->amount;
    } else if (is_absorbed(answer)) {
        worker->absorbed++;
    } else {
        worker->own_on_hand += pending->amount == 0 ? 1 : pending->amount;
    }
    if (rpc_int_at(answer, "on_hand") != worker->own_on_hand) {
        fprintf(stderr, "own cell of connection %u should hold %" PRId64 "\n", worker->index,
                worker->own_on_hand);
        rpc_die("on_hand", answer);
    }
}

/* An overloaded server did nothing; any other error is a fault. */
static void on_error(struct worker *worker, const msgpack_object *error)
{
    if (!rpc_is_overloaded(error)) {
        rpc_die("an error", error);
    }
    worker->overloaded++;
}

static void on_reply(struct worker *worker, struct pending *pending, const struct rpc_reply *reply)
{
    if (reply->error->type != MSGPACK_OBJECT_NIL) {
        on_error(worker, reply->error);
        return;
    }
    switch (pending->op) {
    case OP_ROUTE:
        on_route(worker, pending, reply->result);
        break;
    case OP_AGAIN:
        on_again(worker, pending, reply->result);
        break;
    case OP_CANCEL:
        on_cancel(worker, pending);
        break;
    case OP_SHIP:
        on_ship(worker, pending);
        break;
    case OP_ADJUST:
        worker->on_hand[pending->cell] += is_absorbed(reply->result) ? 0 : pending->amount;
        break;
    case OP_GET:
        if (rpc_int_at(reply->result, "ats") < 0) {
            rpc_die("oversold", reply->result);
        }
        break;
    case OP_COUNT:
    case OP_OWN:
        on_own(worker, pending, reply->result);
        break;
    }
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    for (uint64_t done = 0; done < worker->ops; done += BATCH) {
        uint32_t count = worker->ops - done < BATCH ? (uint32_t)(worker->ops - done) : BATCH;
        for (uint32_t i = 0; i < count; i++) {
            send_op(worker, &worker->pending[i]);
        }
        rpc_conn_exchange(&worker->conn);
        for (uint32_t i = 0; i < count; i++) {
            on_reply(worker, &worker->pending[i], &worker->conn.replies[i]);
        }
    }
    return NULL;
}

static void load_items(struct rpc_conn *conn)
{
    char text[32];
    for (uint32_t i = 0; i < ITEMS + CONNECTIONS_MAX; i++) {
        if (i < ITEMS) {
            cell_item(i, text);
        } else {
            snprintf(text, sizeof text, "own%u", i - ITEMS);
        }
        rpc_conn_request(conn, "item.put", 1);
        rpc_conn_text(conn, "item", text);
        rpc_conn_call(conn);
    }
}

static void load_node(struct rpc_conn *conn, uint32_t node)
{
    char text[32];
    rpc_conn_request(conn, "node.put", 4);
    rpc_conn_text(conn, "node", cell_node(node * ITEMS, text));
    rpc_conn_text(conn, "type", "warehouse");
    rpc_conn_real(conn, "lat", 30.0 + node);
    rpc_conn_real(conn, "lon", -120.0 + 2.5 * node);
    rpc_conn_call(conn);
    rpc_conn_request(conn, "stock.load", 2);
    rpc_conn_text(conn, "node", cell_node(node * ITEMS, text));
    rpc_conn_key(conn, "rows");
    msgpack_pack_array(&conn->packer, ITEMS);
    for (uint32_t item = 0; item < ITEMS; item++) {
        msgpack_pack_array(&conn->packer, 2);
        rpc_conn_key(conn, cell_item(item, text));
        msgpack_pack_int(&conn->packer, START_UNITS);
    }
    rpc_conn_call(conn);
}

/* Compare one cell with the sum of all books; the number of differences. */
static int check_cell(struct rpc_conn *conn, const struct worker *workers, uint32_t count,
                      uint32_t cell)
{
    int64_t on_hand = START_UNITS;
    int64_t reserved = 0;
    for (uint32_t i = 0; i < count; i++) {
        on_hand += workers[i].on_hand[cell];
        reserved += workers[i].reserved[cell];
    }
    rpc_conn_request(conn, "stock.get", 2);
    pack_cell(conn, cell);
    const msgpack_object *got = rpc_conn_call(conn);
    if (rpc_int_at(got, "on_hand") == on_hand && rpc_int_at(got, "reserved") == reserved &&
        rpc_int_at(got, "ats") >= 0) {
        return 0;
    }
    fprintf(stderr, "the books say on_hand %" PRId64 ", reserved %" PRId64 "; the engine: ",
            on_hand, reserved);
    msgpack_object_print(stderr, *got);
    fprintf(stderr, "\n");
    return 1;
}

static void run(struct worker *workers, uint32_t count)
{
    pthread_t threads[CONNECTIONS_MAX];
    for (uint32_t i = 0; i < count; i++) {
        if (pthread_create(&threads[i], NULL, work, &workers[i]) != 0) {
            rpc_die("cannot start a thread", NULL);
        }
    }
    for (uint32_t i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
}

static int judge(struct worker *workers, uint32_t count, uint64_t ops)
{
    struct worker sum = {0};
    int faults = 0;
    for (uint32_t cell = 0; cell < CELLS; cell++) {
        faults += check_cell(&workers[0].conn, workers, count, cell);
    }
    for (uint32_t i = 0; i < count; i++) {
        sum.routed += workers[i].routed;
        sum.refused += workers[i].refused;
        sum.duplicates += workers[i].duplicates;
        sum.absorbed += workers[i].absorbed;
        sum.overloaded += workers[i].overloaded;
    }
    printf("%" PRIu64 " operations from %u connections: %" PRIu64 " orders routed, %" PRIu64
           " refused, %" PRIu64 " repeated, %" PRIu64 " overloaded; %d of %u cells do not close\n",
           ops, count, sum.routed, sum.refused, sum.duplicates, sum.overloaded, faults, CELLS);
    return faults == 0 && sum.routed > 0 && sum.duplicates > 0 ? 0 : 1;
}

static uint64_t number_at(int argc, char **argv, int index, uint64_t otherwise)
{
    return argc > index ? strtoull(argv[index], NULL, 10) : otherwise;
}

int main(int argc, char **argv)
{
    if (argc < 3) {
        fprintf(stderr, "usage: mixed_ops HOST PORT [OPERATIONS [CONNECTIONS [SEED]]]\n");
        return 2;
    }
    uint64_t ops = number_at(argc, argv, 3, 1000000);
    uint32_t count = (uint32_t)number_at(argc, argv, 4, 8);
    uint64_t seed = number_at(argc, argv, 5, 1);
    if (count == 0 || count > CONNECTIONS_MAX) {
        fprintf(stderr, "connections: 1 to %u\n", CONNECTIONS_MAX);
        return 2;
    }
    struct worker *workers = calloc(count, sizeof *workers);
    if (workers == NULL) {
        rpc_die("no memory", NULL);
    }
    for (uint32_t i = 0; i < count; i++) {
        workers[i].index = i;
        workers[i].ops = ops / count;
        rng_init(&workers[i].rng, seed * CONNECTIONS_MAX + i);
        rpc_conn_init(&workers[i].conn, argv[1], argv[2]);
    }
    load_items(&workers[0].conn);
    for (uint32_t node = 0; node < NODES; node++) {
        load_node(&workers[0].conn, node);
    }
    run(workers, count);
    int code = judge(workers, count, ops / count * count);
    for (uint32_t i = 0; i < count; i++) {
        rpc_conn_close(&workers[i].conn);
    }
    free(workers);
    return code;
}
