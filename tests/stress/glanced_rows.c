/* One thread counts stock, lends units, makes cells, items and nodes; two others look at the same
 * rows all the while. What they see of a row is one moment of it: on_hand belongs to its count
 * time, lent units are never missing, nothing runs backwards, nothing is freed under them. Also
 * rings under two threads. Seconds by the argument, 2 without. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "ring.h"
#include "rng.h"
#include "tables.h"

enum { NODES = 400, ITEMS = 200, READERS = 2, RESERVED = 5, LENT = 2, STEPS_MAX = 20000000 };

#define TIME_BASE UINT64_C(1700000000000)

struct shared {
    struct tables tables;
    uint64_t lsn_begun;
    bool is_over;
    uint64_t reads[READERS];
    uint64_t retries[READERS];
};

struct reader_arg {
    struct shared *shared;
    uint32_t number;
};

static uint32_t name_of(char *out, const char *prefix, uint32_t number)
{
    return (uint32_t)snprintf(out, 32, "%s-%u", prefix, number);
}

/* -- the writer -- */

static uint64_t lsn_next(struct shared *shared)
{
    uint64_t lsn = shared->lsn_begun + 1;
    __atomic_store_n(&shared->lsn_begun, lsn, __ATOMIC_RELEASE);
    return lsn;
}

static void node_make(struct shared *shared, uint32_t number, int32_t safety)
{
    char id[32];
    struct effect_node effect;
    memset(&effect, 0, sizeof effect);
    effect.id = (struct effect_text){id, (uint8_t)name_of(id, "node", number)};
    effect.config.lat = safety; /* so that a reader sees whether both are of one moment */
    effect.config.lon = number % 180;
    effect.config.safety_stock = safety;
    effect.config.services = 1;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        effect.config.max_m[i] = UINT32_MAX;
    }
    CHECK(tables_apply_node(&shared->tables, lsn_next(shared), TIME_BASE, &effect) == ERR_OK);
}

static void item_make(struct shared *shared, uint32_t number)
{
    char id[32];
    struct effect_item effect;
    memset(&effect, 0, sizeof effect);
    effect.id = (struct effect_text){id, (uint8_t)name_of(id, "item", number)};
    CHECK(tables_apply_item(&shared->tables, lsn_next(shared), TIME_BASE, &effect) == ERR_OK);
}

/* on_hand = value, counted at TIME_BASE + value; RESERVED of it are reserved from the first on. */
static void count(struct shared *shared, uint32_t item, uint16_t node, int32_t value)
{
    struct effect_stock_row row = {item, value};
    struct effect_stock effect = {
        .is_count = true, .node = node, .at_ms = TIME_BASE + (uint64_t)value, .count = 1,
        .rows = &row};
    CHECK(tables_apply_stock(&shared->tables, lsn_next(shared), TIME_BASE, &effect) == ERR_OK);
    struct cell cell = tables_cell(&shared->tables, item, node);
    if (cell_reserved(tables_word(&cell)) == 0) {
        row_change_begin(cell.row);
        row_word_set(cell.row, cell.slot, (uint32_t)cell.index, cell_make(value, RESERVED, false));
        row_change_end(cell.row);
    }
}

static void lend(struct shared *shared, uint32_t item, uint16_t node, uint16_t other)
{
    tables_lend(&shared->tables, item, node, LENT);
    tables_lend(&shared->tables, item, other, LENT);
    tables_lend(&shared->tables, item, node, -LENT);
    tables_lend(&shared->tables, item, other, -LENT);
}

static uint64_t write_until(struct shared *shared, double seconds)
{
    struct rng rng;
    struct timespec begun;
    struct timespec now;
    uint64_t step = 1;
    rng_init(&rng, 11);
    clock_gettime(CLOCK_MONOTONIC, &begun);
    for (; step < STEPS_MAX; step++) {
        const struct network *network = &shared->tables.network;
        uint32_t item = (uint32_t)rng_below(&rng, shared->tables.catalogue.count);
        uint16_t node = (uint16_t)rng_below(&rng, network->count);
        uint16_t other = (uint16_t)rng_below(&rng, network->count);
        count(shared, item, node, (int32_t)step);
        if (other != node && tables_cell(&shared->tables, item, other).index >= 0) {
            lend(shared, item, node, other);
        }
        if (step % 97 == 0) {
            node_make(shared, (uint32_t)rng_below(&rng, NODES), (int32_t)rng_below(&rng, 60));
        }
        if (step % 101 == 0 && shared->tables.catalogue.count < ITEMS) {
            item_make(shared, shared->tables.catalogue.count);
        }
        if (step % 16 == 0) {
            epoch_turn(shared->tables.epoch);
            clock_gettime(CLOCK_MONOTONIC, &now);
            if ((double)(now.tv_sec - begun.tv_sec) > seconds) {
                break;
            }
        }
    }
    return step;
}

/* -- a reader -- */

static uint32_t item_look(const struct shared *shared, uint32_t number)
{
    char id[32];
    uint32_t len = name_of(id, "item", number);
    const struct catalogue *catalogue = &shared->tables.catalogue;
    return catalogue_find(catalogue, catalogue_hash(catalogue, id, len), id, len);
}

static void node_look(const struct shared *shared, uint16_t node)
{
    struct node_place place;
    const uint64_t *placed = &shared->tables.network.placed;
    uint64_t before = __atomic_load_n(placed, __ATOMIC_ACQUIRE);
    network_place(&shared->tables.network, node, &place);
    if (before % 2 || __atomic_load_n(placed, __ATOMIC_RELAXED) != before) {
        return;
    }
    struct geo_point point = geo_point(place.safety_stock, 0);
    CHECK(point.z - place.point.z < 1e-9);
    CHECK(place.point.z - point.z < 1e-9);
}

/* True: the cell was seen. last is the on_hand seen there before. */
static bool cell_look(struct shared *shared, uint32_t reader, uint32_t item, uint16_t node,
                      int32_t *last)
{
    cell_word word;
    uint64_t counted;
    struct node_place place;
    const struct row *row = catalogue_row(&shared->tables.catalogue, item);
    if (!row) {
        CHECK(*last == 0);
        return false;
    }
    network_place(&shared->tables.network, node, &place);
    int32_t index = row_find(row, place.slot);
    if (index < 0) {
        CHECK(*last == 0);
        return false;
    }
    if (!row_glance(row, (uint32_t)index, &word, &counted)) {
        shared->retries[reader]++;
        return false;
    }
    uint64_t lsn = __atomic_load_n(&shared->lsn_begun, __ATOMIC_ACQUIRE);
    int32_t on_hand = cell_on_hand(word);
    CHECK(on_hand >= *last);
    CHECK(on_hand == 0 ? counted == 0 : counted == TIME_BASE + (uint64_t)on_hand);
    CHECK(cell_reserved(word) == RESERVED || cell_reserved(word) == 0);
    CHECK(lsn >= (uint64_t)on_hand); /* each count is a record of its own */
    *last = on_hand;
    return true;
}

static void *read_all(void *arg)
{
    const struct reader_arg *own = arg;
    struct shared *shared = own->shared;
    int32_t(*last)[NODES] = calloc(ITEMS, sizeof *last);
    struct rng rng;
    CHECK(last);
    rng_init(&rng, own->number + 1);
    while (!__atomic_load_n(&shared->is_over, __ATOMIC_ACQUIRE)) {
        epoch_enter(shared->tables.epoch, own->number);
        for (int i = 0; i < 200; i++) {
            char id[32];
            uint32_t item = item_look(shared, (uint32_t)rng_below(&rng, ITEMS));
            uint32_t len = name_of(id, "node", (uint32_t)rng_below(&rng, NODES));
            uint16_t node = network_find(&shared->tables.network, id, len);
            if (node != NODE_NONE) {
                node_look(shared, node);
            }
            if (item != ITEM_NONE && node != NODE_NONE) {
                shared->reads[own->number] +=
                    cell_look(shared, own->number, item, node, &last[item][node]);
            }
        }
        epoch_leave(shared->tables.epoch, own->number);
    }
    free(last);
    return NULL;
}

static void rows_hold(double seconds)
{
    static struct shared shared;
    static const uint8_t secret[16] = "sixteen bytes..";
    const struct tables_options options = {.items_max = ITEMS, .orders_max = 10,
        .orders_memory = 8 << 20, .holds_max = 10, .reservations_max = 10, .keys_max = 10,
        .movements_max = 10, .owed_max = 10, .documents_max = 10};
    pthread_t threads[READERS];
    struct reader_arg args[READERS];
    CHECK(tables_init(&shared.tables, &options, secret) == ERR_OK);
    CHECK(tables_share(&shared.tables, READERS) == ERR_OK);
    for (uint32_t i = 0; i < NODES / 2; i++) {
        node_make(&shared, i, 1);
    }
    for (uint32_t i = 0; i < ITEMS / 2; i++) {
        item_make(&shared, i);
    }
    for (uint32_t i = 0; i < READERS; i++) {
        args[i] = (struct reader_arg){&shared, i};
        CHECK(pthread_create(&threads[i], NULL, read_all, &args[i]) == 0);
    }
    uint64_t steps = write_until(&shared, seconds);
    __atomic_store_n(&shared.is_over, true, __ATOMIC_RELEASE);
    for (uint32_t i = 0; i < READERS; i++) {
        CHECK(pthread_join(threads[i], NULL) == 0);
        CHECK(shared.reads[i] > 0);
    }
    printf("rows: %llu steps, %llu and %llu cells seen, %llu looks met a change\n",
           (unsigned long long)steps, (unsigned long long)shared.reads[0],
           (unsigned long long)shared.reads[1],
           (unsigned long long)(shared.retries[0] + shared.retries[1]));
    tables_close(&shared.tables);
}

/* -- rings -- */

enum { RECORDS = 400000, RING_SIZE = 4096 };

static void *produce(void *arg)
{
    struct ring *ring = arg;
    struct rng rng;
    rng_init(&rng, 5);
    for (uint64_t i = 0; i < RECORDS; i++) {
        uint32_t size = 8 + (uint32_t)rng_below(&rng, i % 50 ? 100 : 1000);
        uint64_t *at;
        while (!(at = ring_reserve(ring, size))) {
            ring_publish(ring);
        }
        *at = i;
        memset(at + 1, (int)(i % 256), size - 8);
        ring_commit(ring, size);
        if (rng_below(&rng, 8) == 0) {
            ring_publish(ring);
        }
    }
    ring_publish(ring);
    return NULL;
}

static void rings_hold(void)
{
    struct ring ring;
    pthread_t producer;
    uint32_t size;
    CHECK(ring_init(&ring, RING_SIZE) == ERR_OK);
    CHECK(pthread_create(&producer, NULL, produce, &ring) == 0);
    uint64_t at = ring_tail(&ring);
    for (uint64_t i = 0; i < RECORDS;) {
        const uint64_t *record;
        while ((record = ring_next(&ring, &at, &size))) {
            CHECK(*record == i);
            CHECK(size == 8 || ((const uint8_t *)record)[size - 1] == i % 256);
            i++;
        }
        ring_release(&ring, at);
    }
    CHECK(pthread_join(producer, NULL) == 0);
    ring_close(&ring);
    printf("rings: %d records\n", RECORDS);
}

int main(int count_of_arguments, char **arguments)
{
    double seconds = count_of_arguments > 1 ? strtod(arguments[1], NULL) : 2;
    rings_hold();
    rows_hold(seconds);
    return 0;
}
