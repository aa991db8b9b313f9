/* How long one request holds the loop: the largest request of each method, the longest time between
 * two returns to the loop that it causes, cold at first and again when warm; `whole` is the median
 * of all its slices together, `cpu` the most processor's time that one slice took: a hold that is
 * longer is one in which the thread did not run (another thread, the hypervisor, the disk). `hello`
 * tells these sizes as the methods' largest work; the promise is that no request holds the loop
 * over 500 us. 4,613 drawn stores, 2,000 items, 10 % density.
 *
 * `--fresh N` measures the first request of a process instead: per method N processes, each of
 * which recovers the same folder and answers one request. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "shelf.h"

enum { NODES = 4613, ITEMS = 2000, RUNS = 25 };

static struct shelf shelf;
static uint8_t frame[SHELF_FRAME_MAX];
static uint32_t nodes, items, lines;
static uint32_t serial;

typedef void build_request(struct writer *writer, uint32_t run);

static void text_put(struct writer *writer, const char *name, const char *text)
{
    writer_string(writer, name);
    writer_string(writer, text);
}

static void big_id(char out[32], uint32_t run)
{
    snprintf(out, 32, "big-%u", run);
}

/* An order of many lines, each of another item, more units than one store has. */
static void route_big(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.route");
    writer_map(writer, 4);
    big_id(text, serial = run);
    text_put(writer, "order_id", text);
    text_put(writer, "service", "standard");
    writer_str(writer, "lines");
    writer_array(writer, lines);
    for (uint32_t i = 0; i < lines; i++) {
        writer_map(writer, 2);
        shelf_item(text, (i * 7 + run) % items);
        text_put(writer, "item", text);
        writer_str(writer, "qty");
        writer_uint(writer, 1);
    }
    writer_str(writer, "dest");
    writer_map(writer, 2);
    writer_str(writer, "lat");
    writer_float(writer, 30 + run % 15);
    writer_str(writer, "lon");
    writer_float(writer, -100);
}

static void route_twelve(struct writer *writer, uint32_t run)
{
    uint32_t all = lines;
    lines = lines < 12 ? lines : 12;
    route_big(writer, 1000 + run);
    lines = all;
}

static void route_fifty(struct writer *writer, uint32_t run)
{
    uint32_t all = lines;
    lines = lines < 50 ? lines : 50;
    route_big(writer, 2000 + run);
    lines = all;
}

/* Two lines; the loop flushes it. */
static void route_alone(struct writer *writer, uint32_t run)
{
    uint32_t all = lines;
    lines = 2;
    route_big(writer, 4000 + run);
    lines = all;
}

static void route_two_explained(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.route");
    writer_map(writer, 6);
    big_id(text, 3000 + run);
    text_put(writer, "order_id", text);
    text_put(writer, "service", "standard");
    writer_str(writer, "explain");
    writer_uint(writer, 2);
    writer_str(writer, "dry_run");
    writer_bool(writer, true);
    writer_str(writer, "lines");
    writer_array(writer, 1);
    writer_map(writer, 2);
    shelf_item(text, run % items);
    text_put(writer, "item", text);
    writer_str(writer, "qty");
    writer_uint(writer, 1);
    writer_str(writer, "dest");
    writer_map(writer, 2);
    writer_str(writer, "lat");
    writer_float(writer, 40);
    writer_str(writer, "lon");
    writer_float(writer, -100);
}

static void order_get(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.get");
    writer_map(writer, 1);
    big_id(text, run % RUNS);
    text_put(writer, "order_id", text);
}

static void order_list(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "order.list");
    writer_map(writer, 1);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

static void fulfil_list(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "fulfil.list");
    writer_map(writer, 1);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

static void fulfil_update(struct writer *writer, uint32_t run)
{
    char text[40];
    writer_request(writer, run, "fulfil.update");
    writer_map(writer, 2);
    big_id(text, run % RUNS);
    memcpy(text + strlen(text), "/1", 3);
    text_put(writer, "fulfilment", text);
    text_put(writer, "state", "picked");
}

static void order_cancel(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "order.cancel");
    writer_map(writer, 1);
    big_id(text, run % RUNS);
    text_put(writer, "order_id", text);
}

static void stock_find(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "stock.find");
    writer_map(writer, 3);
    writer_str(writer, "items");
    writer_array(writer, items < 20 ? items : 20);
    for (uint32_t i = 0; i < 20 && i < items; i++) {
        writer_map(writer, 1);
        shelf_item(text, (run * 20 + i) % items);
        text_put(writer, "item", text);
    }
    writer_str(writer, "dest");
    writer_map(writer, 2);
    writer_str(writer, "lat");
    writer_float(writer, 40);
    writer_str(writer, "lon");
    writer_float(writer, -100);
    writer_str(writer, "k");
    writer_uint(writer, 100);
}

static void stock_list(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "stock.list");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

static void node_list(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "node.list");
    writer_map(writer, 1);
    writer_str(writer, "limit");
    writer_uint(writer, 1000);
}

/* Every item of a node counted anew: a load in slices. */
static void stock_load(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "stock.load");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "rows");
    writer_array(writer, items);
    for (uint32_t i = 0; i < items; i++) {
        writer_array(writer, 2);
        shelf_item(text, i);
        writer_string(writer, text);
        writer_uint(writer, 10 + i % 5);
    }
}

static void place_load(struct writer *writer, uint32_t run)
{
    char text[32];
    uint32_t rows = items * 5;
    writer_request(writer, run, "place.load");
    writer_map(writer, 2);
    text_put(writer, "country", "US");
    writer_str(writer, "rows");
    writer_array(writer, rows);
    for (uint32_t i = 0; i < rows; i++) {
        writer_array(writer, 3);
        snprintf(text, sizeof text, "%05u", i * 9 % 100000);
        writer_string(writer, text);
        writer_float(writer, 30 + i % 15);
        writer_float(writer, -100);
    }
}

static void node_put(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "node.put");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "serves");
    writer_array(writer, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        snprintf(text, sizeof text, "US:%05u", run * 1000 + i); /* that no node named before */
        writer_string(writer, text);
    }
}

static void node_bare(struct writer *writer, uint32_t run)
{
    char text[32];
    writer_request(writer, run, "node.put");
    writer_map(writer, 2);
    shelf_node(text, run % nodes);
    text_put(writer, "node", text);
    writer_str(writer, "serves");
    writer_nil(writer);
}

static void stats(struct writer *writer, uint32_t run)
{
    writer_request(writer, run, "stats");
    writer_map(writer, 0);
}

/* The largest request of each method. run: a number below RUNS. */
static const struct hold_case {
    const char *name;
    build_request *build;
} cases[] = {
    {"order.route 1,000 lines", route_big},
    {"order.route 50 lines", route_fifty},
    {"order.route 12 lines", route_twelve},
    {"order.route explain 2", route_two_explained},
    {"order.get 1,000 lines", order_get},
    {"order.list 1,000", order_list},
    {"fulfil.list 1,000", fulfil_list},
    {"fulfil.update 1,000 lines", fulfil_update},
    {"order.cancel 1,000 lines", order_cancel},
    {"stock.find 20 items k=100", stock_find},
    {"stock.list 1,000", stock_list},
    {"stock.load 2,000 rows, a slice", stock_load},
    {"place.load 10,000 rows, a slice", place_load},
    {"node.list 1,000", node_list},
    {"node.put 1,000 areas", node_put},
    {"node.put without them", node_bare},
    {"stats", stats},
    {"order.route alone, with its flush", route_alone},
};

enum { CASES = sizeof cases / sizeof cases[0], ROUTE_BIG = 0, ROUTE_ALONE = CASES - 1 };

static int by_ns(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a;
    uint64_t y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* ns of its longest slice. */
static uint64_t ask(const struct hold_case *what, uint32_t run)
{
    struct writer writer;
    writer_init(&writer, frame, sizeof frame);
    what->build(&writer, run);
    if (writer.is_full) {
        fprintf(stderr, "bench: %s does not fit into a frame\n", what->name);
        exit(1);
    }
    const uint64_t errors = shelf.errors;
    const uint64_t ns = shelf_ask(&shelf, frame, writer_size(&writer));
    if (shelf.errors != errors) {
        fprintf(stderr, "bench: %s is answered by an error\n", what->name);
        exit(1);
    }
    return ns;
}

/* The orders that other requests ask for. */
static void orders_make(void)
{
    for (uint32_t run = 0; run < RUNS; run++) {
        (void)ask(&cases[ROUTE_BIG], run);
    }
}

static void measure(const struct bench *bench, const struct hold_case *what)
{
    uint64_t ns[RUNS];
    uint64_t whole[RUNS];
    uint64_t cpu[RUNS];
    uint32_t runs = bench->is_smoke ? 2 : RUNS;
    if (bench->only && strcmp(bench->only, what->name) != 0) {
        return;
    }
    for (uint32_t run = 0; run < runs; run++) {
        ns[run] = ask(what, run);
        whole[run] = shelf.worked_ns;
        cpu[run] = shelf.cpu_ns;
    }
    uint64_t first = ns[0];
    qsort(ns, runs, sizeof ns[0], by_ns);
    qsort(whole, runs, sizeof whole[0], by_ns);
    qsort(cpu, runs, sizeof cpu[0], by_ns);
    printf("hold %-34s first %8.1f  median %8.1f  max %8.1f us  whole %8.1f us  "
           "cpu median %8.1f  max %8.1f us%s\n",
           what->name, (double)first / 1e3, (double)ns[runs / 2] / 1e3, (double)ns[runs - 1] / 1e3,
           (double)whole[runs / 2] / 1e3, (double)cpu[runs / 2] / 1e3, (double)cpu[runs - 1] / 1e3,
           bench->is_smoke ? "  (smoke: no figure)" : "");
}

/* -- the first request of a process -- */

/* What a process tells of its first request. */
struct first {
    uint64_t ns;
    uint64_t cpu_ns;
    uint64_t faults; /* pages that it touched first, or brought back */
    uint64_t reads;  /* of them those that waited for the disk */
};

/* In the process: `--first CASE RUN FOLDER [--smoke]`. Orders that are there are for the others. */
static int first_main(char **argv)
{
    const uint32_t which = (uint32_t)strtoul(argv[0], NULL, 10);
    const uint32_t run = (uint32_t)strtoul(argv[1], NULL, 10);
    struct rusage before;
    struct rusage after;
    if (which >= CASES) {
        return 2;
    }
    shelf_open_again(&shelf, argv[2], lines < 1000);
    if (which == ROUTE_ALONE) {
        shelf_lone(&shelf, true);
    }
    getrusage(RUSAGE_THREAD, &before);
    const uint64_t ns = ask(&cases[which], which == ROUTE_BIG ? RUNS + run : run);
    getrusage(RUSAGE_THREAD, &after);
    printf("%llu %llu %ld %ld\n", (unsigned long long)ns, (unsigned long long)shelf.cpu_ns,
           after.ru_minflt - before.ru_minflt, after.ru_majflt - before.ru_majflt);
    shelf_close(&shelf);
    return 0;
}

static struct first first_of(const char *self, uint32_t which, uint32_t run, bool is_smoke)
{
    char command[4200];
    struct first first = {0};
    unsigned long long ns = 0, cpu = 0, faults = 0, reads = 0;
    snprintf(command, sizeof command, "'%s' --first %u %u '%s'%s", self, which, run, shelf.folder,
             is_smoke ? " --smoke" : "");
    FILE *child = popen(command, "r");
    const int got = child ? fscanf(child, "%llu %llu %llu %llu", &ns, &cpu, &faults, &reads) : 0;
    if (!child || pclose(child) != 0 || got != 4) {
        fprintf(stderr, "bench: no answer of %s\n", command);
        exit(1);
    }
    first = (struct first){ns, cpu, faults, reads};
    return first;
}

static void measure_first(const struct bench *bench, const char *self, uint32_t which,
                          uint32_t runs)
{
    uint64_t ns[RUNS];
    uint64_t cpu[RUNS];
    uint64_t faults[RUNS];
    uint64_t reads = 0;
    if (bench->only && strcmp(bench->only, cases[which].name) != 0) {
        return;
    }
    for (uint32_t run = 0; run < runs; run++) {
        const struct first first = first_of(self, which, run, bench->is_smoke);
        ns[run] = first.ns;
        cpu[run] = first.cpu_ns;
        faults[run] = first.faults;
        reads += first.reads;
    }
    qsort(ns, runs, sizeof ns[0], by_ns);
    qsort(faults, runs, sizeof faults[0], by_ns);
    qsort(cpu, runs, sizeof cpu[0], by_ns);
    printf("fresh %-34s median %8.1f  max %8.1f us  cpu median %8.1f  max %8.1f us  faults %llu to "
           "%llu, %llu of all from disk%s\n",
           cases[which].name, (double)ns[runs / 2] / 1e3, (double)ns[runs - 1] / 1e3,
           (double)cpu[runs / 2] / 1e3, (double)cpu[runs - 1] / 1e3, (unsigned long long)faults[0],
           (unsigned long long)faults[runs - 1], (unsigned long long)reads,
           bench->is_smoke ? "  (smoke: no figure)" : "");
    fflush(stdout);
}

/* A folder with orders to ask for, left closed. */
static void fresh_main(const struct bench *bench, uint32_t runs)
{
    char self[4000];
    const ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    CHECK(len > 0);
    self[len] = '\0';
    orders_make();
    shelf.is_kept = true;
    shelf_close(&shelf);
    for (uint32_t which = 0; which < CASES; which++) {
        measure_first(bench, self, which, runs);
    }
    shelf_remove(&shelf);
}

static void sizes_set(bool is_smoke)
{
    nodes = is_smoke ? 200 : NODES;
    items = is_smoke ? 20 : ITEMS;
    lines = is_smoke ? 10 : 1000;
}

/* `--fresh N` at the end of the flags, taken off; 0: not asked for. */
static uint32_t fresh_runs(int *argc, char **argv)
{
    if (*argc < 3 || strcmp(argv[*argc - 2], "--fresh") != 0) {
        return 0;
    }
    const unsigned long runs = strtoul(argv[*argc - 1], NULL, 10);
    *argc -= 2;
    return runs < 1 ? 1 : runs > RUNS ? RUNS : (uint32_t)runs;
}

int main(int argc, char **argv)
{
    struct bench bench;
    if (argc >= 5 && strcmp(argv[1], "--first") == 0) {
        sizes_set(argc == 6);
        return first_main(argv + 2);
    }
    const uint32_t runs = fresh_runs(&argc, argv);
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    sizes_set(bench.is_smoke);
    shelf_open(&shelf, bench.is_smoke);
    shelf_world(&shelf, nodes, items, 10, 1000, 1);
    if (runs > 0) {
        fresh_main(&bench, runs);
        return 0;
    }
    if (bench.only && strcmp(bench.only, cases[ROUTE_BIG].name) != 0) {
        orders_make();
    }
    for (uint32_t which = 0; which < CASES; which++) {
        if (which == ROUTE_ALONE) {
            shelf_lone(&shelf, true);
        }
        measure(&bench, &cases[which]);
    }
    shelf_close(&shelf);
    return 0;
}
