/* One kind of peer, one set of files: only what it reads is written. */
#include "peer_dump.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "big_endian.h"
#include "check.h"
#include "zip3.h"

static FILE *file_open(const char *folder, const char *name)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (!file) {
        fprintf(stderr, "bench-peer: %s: %s\n", path, strerror(errno));
    }
    return file;
}

static bool file_end(FILE *file)
{
    bool is_well = !ferror(file);
    return fclose(file) == 0 && is_well;
}

static bool items_csv(const struct peer_world *world, FILE *file)
{
    char id[PEER_ITEM_SIZE];
    for (uint32_t item = 0; item < world->items; item++) {
        peer_world_item(item, id);
        fprintf(file, "%.11s,%u\n", id, item);
    }
    return file_end(file);
}

static bool stock_csv(const struct peer_world *world, FILE *file)
{
    for (uint32_t item = 0; item < world->items; item++) {
        for (uint32_t node = 0; node < world->network.count; node++) {
            uint32_t units = stock_model_units(&world->model, node, item);
            if (units > 0) {
                fprintf(file, "%u,%u,%u\n", item, node, units);
            }
        }
    }
    return file_end(file);
}

static bool near_csv(const struct peer_world *world, FILE *file)
{
    for (uint32_t area = 0; area < zip3_count; area++) {
        for (uint32_t rank = 0; rank < world->network.count; rank++) {
            fprintf(file, "%u,%u,%u\n", area, rank,
                    world->near[area * world->network.count + rank]);
        }
    }
    return file_end(file);
}

static bool stock_bin(const struct peer_world *world, FILE *file)
{
    for (uint32_t item = 0; item < world->items; item++) {
        for (uint32_t node = 0; node < world->network.count; node++) {
            uint32_t units = stock_model_units(&world->model, node, item);
            uint8_t row[10];
            be32_store(row, item);
            be16_store(row + 4, (uint16_t)node);
            be32_store(row + 6, units);
            if (units > 0) {
                fwrite(row, sizeof row, 1, file);
            }
        }
    }
    return file_end(file);
}

static void near_row(const struct peer_world *world, uint32_t area, uint8_t *row)
{
    for (uint32_t rank = 0; rank < world->network.count; rank++) {
        be16_store(row + rank * 2, world->near[area * world->network.count + rank]);
    }
}

static bool near_bin(const struct peer_world *world, FILE *file)
{
    uint8_t *row = malloc(world->network.count * 2ul);
    CHECK(row);
    for (uint32_t area = 0; area < zip3_count; area++) {
        near_row(world, area, row);
        fwrite(row, 2, world->network.count, file);
    }
    free(row);
    return file_end(file);
}

/* `HSET h:item node units ...` and `SET b:item` with a bit per node, the highest first. */
static void item_resp(const struct peer_world *world, uint32_t item, uint32_t *units,
                      uint8_t *bits, FILE *file)
{
    uint32_t nodes = world->network.count;
    uint32_t count = 0;
    char id[PEER_ITEM_SIZE];
    peer_world_item(item, id);
    memset(bits, 0, (nodes + 7) / 8);
    for (uint32_t node = 0; node < nodes; node++) {
        units[node] = stock_model_units(&world->model, node, item);
        bits[node / 8] |= (uint8_t)((units[node] > 0) << (7 - node % 8));
        count += units[node] > 0;
    }
    if (count == 0) {
        return;
    }
    fprintf(file, "*%u\r\n$4\r\nHSET\r\n$13\r\nh:%.11s\r\n", 2 + 2 * count, id);
    for (uint32_t node = 0; node < nodes; node++) {
        char text[2][12];
        if (units[node] > 0) {
            int first = snprintf(text[0], sizeof text[0], "%u", node);
            int second = snprintf(text[1], sizeof text[1], "%u", units[node]);
            fprintf(file, "$%d\r\n%s\r\n$%d\r\n%s\r\n", first, text[0], second, text[1]);
        }
    }
    fprintf(file, "*3\r\n$3\r\nSET\r\n$13\r\nb:%.11s\r\n$%u\r\n", id, (nodes + 7) / 8);
    fwrite(bits, 1, (nodes + 7) / 8, file);
    fputs("\r\n", file);
}

static bool stock_resp(const struct peer_world *world, FILE *file)
{
    uint32_t nodes = world->network.count;
    uint32_t *units = calloc(nodes, sizeof *units);
    uint8_t *row = malloc(nodes * 2ul);
    CHECK(units);
    CHECK(row);
    for (uint32_t item = 0; item < world->items; item++) {
        item_resp(world, item, units, row, file);
    }
    for (uint32_t area = 0; area < zip3_count; area++) {
        char key[24];
        int size = snprintf(key, sizeof key, "near:%u", area);
        near_row(world, area, row);
        fprintf(file, "*3\r\n$3\r\nSET\r\n$%d\r\n%s\r\n$%u\r\n", size, key, nodes * 2);
        fwrite(row, 2, nodes, file);
        fputs("\r\n", file);
    }
    free(units);
    free(row);
    return file_end(file);
}

bool peer_dump(const struct peer_world *world, const char *folder, const char *kind)
{
    static const struct {
        const char *kind, *name;
        bool (*write)(const struct peer_world *world, FILE *file);
    } rows[] = {{"postgres", "items.csv", items_csv}, {"postgres", "stock.csv", stock_csv},
                {"postgres", "near.csv", near_csv},   {"tarantool", "stock.bin", stock_bin},
                {"tarantool", "near.bin", near_bin},  {"redis", "stock.resp", stock_resp}};
    bool is_well = true;
    for (uint32_t i = 0; i < sizeof rows / sizeof *rows && is_well; i++) {
        if (strcmp(rows[i].kind, kind) == 0) {
            FILE *file = file_open(folder, rows[i].name);
            is_well = file && rows[i].write(world, file);
        }
    }
    return is_well;
}
