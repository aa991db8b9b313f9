/* Big arrays are reserved once and touched as the run goes on, so that no growth stalls it.
 *
 * The file is text, one fact per line, in the order in which the engine acknowledged them:
 *     nearshelf-ledger 1 workload=... seed=... (what determines orders and stock)
 *     b NODE ITEM ON_HAND RESERVED   a cell before the run
 *     p ORDER WORD...                promised: facts.h, hexadecimal
 *     s ORDER                        one fulfilment shipped
 *     c ORDER                        cancelled
 *     r NODE ITEM QTY                restocked
 *     u NODE ITEM QTY                restocking sent, no answer
 *     end ORDERS BROKEN              order numbers below ORDERS were sent */
#include "ledger.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "facts.h"
#include "mem.h"

enum { FILE_BUFFER_SIZE = 1 << 20, UNSURE_MAX = 1 << 20 };

/* Address space, not memory: pages come when they are touched. */
#define ORDERS_MAX    (UINT64_C(1) << 30)
#define SPREAD_MAX    (UINT64_C(1) << 30)
#define RESTOCKED_MAX (UINT64_C(1) << 28)

enum err ledger_init(struct ledger *ledger)
{
    *ledger = (struct ledger){.spread_used = 1};
    struct {
        void **at;
        size_t size;
    } parts[] = {
        {(void **)&ledger->promised, ORDERS_MAX * sizeof *ledger->promised},
        {(void **)&ledger->ended, ORDERS_MAX * sizeof *ledger->ended},
        {(void **)&ledger->spread, SPREAD_MAX * sizeof *ledger->spread},
        {(void **)&ledger->restocked, RESTOCKED_MAX * sizeof *ledger->restocked},
        {(void **)&ledger->unsure, UNSURE_MAX * sizeof *ledger->unsure},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        void *memory = NULL;
        enum err err = mem_reserve(parts[i].size, &memory);
        if (err != ERR_OK) {
            ledger_close(ledger);
            return err;
        }
        memcpy(parts[i].at, &memory, sizeof memory);
    }
    return ERR_OK;
}

static void release(void *memory, size_t size)
{
    if (memory != NULL) {
        mem_release(memory, size);
    }
}

void ledger_close(struct ledger *ledger)
{
    release(ledger->promised, ORDERS_MAX * sizeof *ledger->promised);
    release(ledger->ended, ORDERS_MAX * sizeof *ledger->ended);
    release(ledger->spread, SPREAD_MAX * sizeof *ledger->spread);
    release(ledger->restocked, RESTOCKED_MAX * sizeof *ledger->restocked);
    release(ledger->unsure, UNSURE_MAX * sizeof *ledger->unsure);
    free(ledger->before);
    if (ledger->file != NULL) {
        fclose(ledger->file);
    }
    *ledger = (struct ledger){0};
}

enum err ledger_open_file(struct ledger *ledger, const struct load_opts *opts)
{
    ledger->file = fopen(opts->ledger_path, "w");
    if (ledger->file == NULL || setvbuf(ledger->file, NULL, _IOFBF, FILE_BUFFER_SIZE) != 0) {
        return ERR_IO;
    }
    fprintf(ledger->file,
            "nearshelf-ledger 1 workload=%s seed=%" PRIu64 " tag=%" PRIu64
            " nodes=%u items=%u lines=%u density=%.17g hot_stock=%u data=%d\n",
            workload_name(opts->workload), opts->seed, opts->tag, opts->nodes, opts->items,
            opts->lines, opts->density, opts->hot_stock, opts->data_dir != NULL);
    return ERR_OK;
}

static void keep(struct ledger *ledger, uint64_t order, const uint32_t *words, uint32_t count)
{
    CHECK(order < ORDERS_MAX);
    CHECK(count > 0);
    if ((words[0] & FACTS_SPREAD) == 0) {
        ledger->promised[order] = words[0];
        return;
    }
    CHECK(ledger->spread_used + count <= SPREAD_MAX);
    ledger->promised[order] = FACTS_SPREAD | (uint32_t)ledger->spread_used;
    memcpy(ledger->spread + ledger->spread_used, words, count * sizeof *words);
    ledger->spread_used += count;
}

bool ledger_promise(struct ledger *ledger, uint64_t order, const uint32_t *words, uint32_t count)
{
    if (ledger->promised[order] != LEDGER_NONE) {
        return false;
    }
    keep(ledger, order, words, count);
    if (ledger->file != NULL) {
        fprintf(ledger->file, "p %" PRIu64, order);
        for (uint32_t i = 0; i < count; i++) {
            fprintf(ledger->file, " %x", words[i]);
        }
        putc('\n', ledger->file);
    }
    return true;
}

void ledger_ship(struct ledger *ledger, uint64_t order)
{
    CHECK(ledger->ended[order] < LEDGER_CANCELLED - 1);
    ledger->ended[order]++;
    if (ledger->file != NULL) {
        fprintf(ledger->file, "s %" PRIu64 "\n", order);
    }
}

void ledger_cancel(struct ledger *ledger, uint64_t order)
{
    ledger->ended[order] |= LEDGER_CANCELLED;
    if (ledger->file != NULL) {
        fprintf(ledger->file, "c %" PRIu64 "\n", order);
    }
}

static void write_cell(struct ledger *ledger, char kind, uint64_t packed)
{
    if (ledger->file != NULL) {
        fprintf(ledger->file, "%c %u %u %u\n", kind, ledger_node(packed), ledger_item(packed),
                ledger_qty(packed));
    }
}

void ledger_restock(struct ledger *ledger, uint64_t packed)
{
    CHECK(ledger->restocked_count < RESTOCKED_MAX);
    ledger->restocked[ledger->restocked_count++] = packed;
    write_cell(ledger, 'r', packed);
}

void ledger_unsure(struct ledger *ledger, uint64_t packed)
{
    CHECK(ledger->unsure_count < UNSURE_MAX);
    ledger->unsure[ledger->unsure_count++] = packed;
    write_cell(ledger, 'u', packed);
}

void ledger_before(struct ledger *ledger, struct ledger_cell cell)
{
    if (ledger->before_count == ledger->before_capacity) {
        uint64_t capacity = ledger->before_capacity == 0 ? 4096 : ledger->before_capacity * 2;
        ledger->before = realloc(ledger->before, capacity * sizeof cell);
        CHECK(ledger->before != NULL);
        ledger->before_capacity = capacity;
    }
    ledger->before[ledger->before_count++] = cell;
    if (ledger->file != NULL) {
        fprintf(ledger->file, "b %u %u %" PRId64 " %" PRId64 "\n", ledger_node(cell.cell),
                ledger_item(cell.cell), cell.on_hand, cell.reserved);
    }
}

enum err ledger_finish(struct ledger *ledger, uint64_t orders, bool is_broken)
{
    ledger->orders = orders;
    ledger->is_broken = is_broken;
    if (ledger->file == NULL) {
        return ERR_OK;
    }
    fprintf(ledger->file, "end %" PRIu64 " %d\n", orders, is_broken);
    bool is_written = ferror(ledger->file) == 0;
    is_written = fclose(ledger->file) == 0 && is_written;
    ledger->file = NULL;
    return is_written ? ERR_OK : ERR_IO;
}

const uint32_t *ledger_facts(const struct ledger *ledger, uint64_t order)
{
    uint32_t word = ledger->promised[order];
    if (word == LEDGER_NONE) {
        return NULL;
    }
    bool is_spread = (word & FACTS_SPREAD) != 0;
    return is_spread ? ledger->spread + (word & ~FACTS_SPREAD) : ledger->promised + order;
}

static bool read_head(FILE *file, struct load_opts *opts)
{
    char workload[32];
    int is_data = 0;
    int found = fscanf(file,
                       "nearshelf-ledger 1 workload=%31s seed=%" SCNu64 " tag=%" SCNu64
                       " nodes=%u items=%u lines=%u density=%lf hot_stock=%u data=%d\n",
                       workload, &opts->seed, &opts->tag, &opts->nodes, &opts->items, &opts->lines,
                       &opts->density, &opts->hot_stock, &is_data);
    for (int kind = 0; kind < WORKLOAD_COUNT; kind++) {
        if (found == 9 && strcmp(workload, workload_name((enum workload_kind)kind)) == 0) {
            opts->workload = (enum workload_kind)kind;
            return opts->tag <= 0xfffffff && (is_data != 0) == (opts->data_dir != NULL);
        }
    }
    return false;
}

static bool read_promise(struct ledger *ledger, char *text)
{
    static uint32_t words[FACTS_WORDS_MAX];
    uint32_t count = 0;
    uint64_t order = strtoull(text, &text, 10);
    while (*text == ' ' && count < FACTS_WORDS_MAX) {
        words[count++] = (uint32_t)strtoul(text + 1, &text, 16);
    }
    if (order >= ORDERS_MAX || count == 0 || ledger->promised[order] != LEDGER_NONE) {
        return false;
    }
    keep(ledger, order, words, count);
    return *text == '\n';
}

static bool read_end(struct ledger *ledger, char kind, const char *text)
{
    uint64_t order = 0;
    if (sscanf(text, "%" SCNu64, &order) != 1 || order >= ORDERS_MAX) {
        return false;
    }
    if (kind == 's') {
        ledger->ended[order]++;
    } else {
        ledger->ended[order] |= LEDGER_CANCELLED;
    }
    return true;
}

static bool read_cell(struct ledger *ledger, char kind, const char *text)
{
    uint32_t node, item;
    int64_t first, second = 0;
    int found = sscanf(text, "%u %u %" SCNd64 " %" SCNd64, &node, &item, &first, &second);
    if (found != (kind == 'b' ? 4 : 3) || node > 0xffff || item > 0xffffff) {
        return false;
    }
    if (kind == 'b') {
        uint64_t cell = ledger_pack(node, item, 0);
        ledger_before(ledger, (struct ledger_cell){cell, first, second});
    } else if (kind == 'r') {
        ledger_restock(ledger, ledger_pack(node, item, (uint32_t)first & 0xffffff));
    } else {
        ledger_unsure(ledger, ledger_pack(node, item, (uint32_t)first & 0xffffff));
    }
    return true;
}

static bool read_line(struct ledger *ledger, char *line, bool *is_ended)
{
    int is_broken = 0;
    switch (line[0]) {
    case 'p':
        return read_promise(ledger, line + 1);
    case 's':
    case 'c':
        return read_end(ledger, line[0], line + 1);
    case 'b':
    case 'r':
    case 'u':
        return read_cell(ledger, line[0], line + 1);
    case 'e':
        *is_ended = sscanf(line, "end %" SCNu64 " %d", &ledger->orders, &is_broken) == 2;
        ledger->is_broken = is_broken != 0;
        return *is_ended;
    default:
        return false;
    }
}

enum err ledger_read(struct ledger *ledger, const char *path, struct load_opts *opts)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "nearshelf-load: %s: cannot be read\n", path);
        return ERR_NOTFOUND;
    }
    bool is_well = read_head(file, opts);
    bool is_ended = false;
    char *line = NULL;
    size_t size = 0;
    uint64_t number = 1;
    while (is_well && getline(&line, &size, file) > 0) {
        number++;
        is_well = read_line(ledger, line, &is_ended);
    }
    free(line);
    fclose(file);
    if (!is_well || !is_ended) {
        fprintf(stderr, "nearshelf-load: %s:%llu: not a whole ledger%s\n", path,
                (unsigned long long)number, number == 1 ? " (made with other --data?)" : "");
        return ERR_INVALID;
    }
    return ERR_OK;
}
