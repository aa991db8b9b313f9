/* bench_stocked FOLDER TIMES [nearshelf-load's flags]: a data folder as it is after a load and a
 * snapshot, with so many times the units in each cell.
 *
 * Nodes and items are put by the service, as over a socket. Stock comes as a snapshot brings it,
 * each item's row built once: sent cell by cell, a row of a thousand cells is copied a thousand
 * times.
 * What is left is a folder of one snapshot, behind which a log begins. */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "check.h"
#include "image.h"
#include "recovery.h"
#include "shelf.h"
#include "snapshot.h"
#include "stocked_world.h"
#include "wal.h"

enum { BATCH = 512, CELL_MAX = 16, INT_MAX_BYTES = 10, TIMES_MAX = 100 };

static void must(enum err err, const char *what)
{
    if (err != ERR_OK) {
        fprintf(stderr, "bench_stocked: %s: %s\n", what, err_text(err));
        exit(1);
    }
}

/* -- nodes and items: through the service -- */

typedef uint32_t frame_of(const struct stocked_world *world, uint32_t index,
                          uint8_t frame[STOCKED_FRAME_MAX]);

static void put_all(struct shelf *shelf, const struct stocked_world *world, uint32_t count,
                    frame_of *frame)
{
    static uint8_t bytes[BATCH][STOCKED_FRAME_MAX];
    static struct frame_head heads[BATCH];
    static struct service_request requests[BATCH];
    for (uint32_t done = 0; done < count; done += BATCH) {
        const uint32_t batch = count - done < BATCH ? count - done : BATCH;
        for (uint32_t i = 0; i < batch; i++) {
            const uint32_t size = frame(world, done + i, bytes[i]);
            CHECK(frame_head_read(bytes[i], size, &heads[i]));
            requests[i] = (struct service_request){shelf, &heads[i], bench_now_ns()};
        }
        shelf_batch(shelf, requests, batch);
    }
}

static void names(const struct stocked_world *world)
{
    static struct shelf shelf;
    const uint32_t nodes = stocked_world_nodes(world);
    const uint32_t items = stocked_world_items(world);
    shelf_open_again(&shelf, ".", true);
    put_all(&shelf, world, nodes, stocked_world_node);
    put_all(&shelf, world, items, stocked_world_item);
    if (shelf.errors || service_tables(shelf.service)->network.count != nodes ||
        service_tables(shelf.service)->catalogue.count != items) {
        fprintf(stderr, "bench_stocked: not every node and item was taken\n");
        exit(1);
    }
    shelf_close(&shelf);
}

/* -- stock: records of the section `rows`, as image_stock.c reads them -- */

struct rows {
    struct image_source source; /* first: what the loader calls back with */
    const struct stocked_world *world;
    uint32_t nodes, items, next; /* item */
    uint32_t times;
    uint64_t time_ms;
    bool *is_seen; /* by node: its first count time has been told */
    uint8_t *bytes;
};

static uint8_t *put_int(uint8_t *at, uint64_t value)
{
    for (; value >= 0x80; value >>= 7) {
        *at++ = (uint8_t)(value | 0x80);
    }
    *at++ = (uint8_t)value;
    return at;
}

/* The cells of an item by node: distance from the last, on_hand signed above two bits that are not
 * set, and the count time as its distance from that of the node's cell before. */
static uint8_t *put_cells(struct rows *rows, uint32_t item, uint8_t *at, uint32_t *count_out)
{
    uint32_t next = 0;
    for (uint32_t node = 0; node < rows->nodes; node++) {
        const uint32_t units = stocked_world_units(rows->world, node, item) * rows->times;
        if (units > 0) {
            at = put_int(at, node - next);
            at = put_int(at, (uint64_t)units << 3);
            at = put_int(at, rows->is_seen[node] ? 0 : rows->time_ms << 1);
            rows->is_seen[node] = true;
            next = node + 1;
            ++*count_out;
        }
    }
    return at;
}

/* Cells are written behind the room for the record's head, which is then put right before them. */
static bool rows_more(struct image_source *source)
{
    struct rows *rows = (struct rows *)(void *)source;
    while (rows->next < rows->items) {
        const uint32_t item = rows->next++;
        uint8_t head[2 * INT_MAX_BYTES];
        uint8_t *cells = rows->bytes + IMAGE_RECORD_HEAD + sizeof head;
        uint32_t count = 0;
        uint8_t *end = put_cells(rows, item, cells, &count);
        const size_t head_size = (size_t)(put_int(put_int(head, item), count) - head);
        const uint32_t size = (uint32_t)(head_size + (size_t)(end - cells));
        uint8_t *at = cells - head_size;
        memcpy(at, head, head_size);
        at -= IMAGE_RECORD_HEAD;
        for (int i = 0; i < IMAGE_RECORD_HEAD; i++) {
            at[i] = (uint8_t)(size >> 8 * i);
        }
        source->at = at;
        source->end = end;
        if (count > 0) {
            return true;
        }
    }
    return false;
}

static void stock(struct tables *tables, const struct stocked_world *world, uint32_t times)
{
    struct rows rows = {.source = {.version = 1, .more = rows_more},
                        .world = world,
                        .nodes = stocked_world_nodes(world),
                        .items = stocked_world_items(world),
                        .times = times,
                        .time_ms = tables->time_ms};
    rows.is_seen = calloc(rows.nodes, sizeof *rows.is_seen);
    rows.bytes = malloc(IMAGE_RECORD_MAX);
    CHECK(rows.is_seen);
    CHECK(rows.bytes);
    CHECK((uint64_t)rows.nodes * CELL_MAX + 64 < IMAGE_RECORD_MAX);
    image_sections[image_section_find("rows")].load(tables, &rows.source);
    must(rows.source.err, rows.source.why);
    free(rows.is_seen);
    free(rows.bytes);
}

/* -- the folder -- */

static struct wal *log_open(void)
{
    char error[WAL_ERROR_SIZE];
    struct wal *wal;
    const struct wal_options where = {.dir = ".", .backend = WAL_BACKEND_AUTO};
    must(wal_open(&where, error, &wal), error);
    return wal;
}

static void tables_begin(struct wal *wal, struct tables *tables)
{
    char error[WAL_ERROR_SIZE];
    struct recovery_found found;
    struct service_options defaults;
    service_options_default(&defaults);
    const struct recovery_options recovery = {.tables = defaults.tables};
    must(recovery_run(wal, &recovery, tables, &found, error), error);
}

/* All that is in the log is in the snapshot: history begins with it. */
static void snapshot(struct wal *wal, const struct tables *tables, char name[SNAPSHOT_NAME_SIZE])
{
    char error[SNAPSHOT_ERROR_SIZE];
    struct snapshot_written written;
    const struct wal_identity *identity = wal_identity(wal);
    struct snapshot_mark mark = {.lsn = tables->lsn, .time_ms = tables->time_ms, .group_number = 1,
                                 .chain = wal_chain_seed(identity->uuid),
                                 .digest = tables->digest, .is_origin = true};
    memcpy(mark.uuid, identity->uuid, sizeof mark.uuid);
    must(snapshot_write(wal_disk(wal), tables, &mark, 0, &written, error), error);
    snapshot_name(mark.lsn, name);
    printf("{\"nodes\":%u,\"items\":%u,\"cells\":%llu,\"bytes\":%llu}\n", tables->network.count,
           tables->catalogue.count, (unsigned long long)tables->cells,
           (unsigned long long)written.bytes);
}

static void log_drop(void)
{
    DIR *open = opendir(".");
    CHECK(open);
    for (struct dirent *entry = readdir(open); entry; entry = readdir(open)) {
        if (strstr(entry->d_name, ".seg")) {
            (void)unlink(entry->d_name);
        }
    }
    closedir(open);
}

int main(int argc, char **argv)
{
    static struct tables tables;
    char name[SNAPSHOT_NAME_SIZE];
    const unsigned long times = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;
    struct stocked_world *world =
        argc > 2 ? stocked_world_open(argc - 2, (const char *const *)argv + 2) : NULL;
    if (!world || times < 1 || times > TIMES_MAX || mkdir(argv[1], 0700) != 0 ||
        chdir(argv[1]) != 0) {
        fprintf(stderr,
                "usage: bench_stocked FOLDER TIMES [flags of nearshelf-load]; FOLDER is new, "
                "TIMES 1 to %d\n",
                TIMES_MAX);
        return 2;
    }
    names(world);
    struct wal *wal = log_open();
    tables_begin(wal, &tables);
    stock(&tables, world, (uint32_t)times);
    snapshot(wal, &tables, name);
    tables_close(&tables);
    wal_close(wal);
    log_drop();
    if (rename(SNAPSHOT_TMP_NAME, name) != 0) {
        fprintf(stderr, "bench_stocked: %s: cannot be named\n", name);
        return 1;
    }
    stocked_world_close(world);
    return 0;
}
