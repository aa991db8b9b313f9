/* Flags are rows of one table, so that parsing and help cannot differ. */
#include "load_opts.h"

#include <errno.h>
#include <math.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"

enum flag_kind { FLAG_TEXT, FLAG_SET, FLAG_CLEAR, FLAG_U32, FLAG_U64, FLAG_FLOAT, FLAG_WORKLOAD };

struct flag {
    const char *name;
    enum flag_kind kind;
    size_t offset; /* of the field in struct load_opts */
    double min, max;
    const char *help;
};

#define AT(field) offsetof(struct load_opts, field)

static const struct flag flags[] = {
    {"--address", FLAG_TEXT, AT(address), 0, 0, "HOST:PORT or unix:PATH (127.0.0.1:7420)"},
    {"--workload", FLAG_WORKLOAD, AT(workload), 0, 0,
     "consumer (default), two-line, baskets, hot, same-day, read-mostly"},
    {"--rate", FLAG_FLOAT, AT(rate), 1, 1e8, "open loop: orders per second (20000)"},
    {"--ramp", FLAG_FLOAT, AT(ramp_s), 0, 1e6, "open loop: seconds up to the full rate (0)"},
    {"--patience", FLAG_FLOAT, AT(patience_s), 0, 1e6,
     "open loop: seconds after which an arrival that no connection took is given up (0: never)"},
    {"--closed", FLAG_SET, AT(is_closed), 0, 0, "closed loop: a reply lets the next one go"},
    {"--depth", FLAG_U32, AT(depth), 1, 65536, "closed loop: in flight per connection (64)"},
    {"--connections", FLAG_U32, AT(connections), 1, LOAD_CONNECTIONS_MAX, "connections (8)"},
    {"--duration", FLAG_FLOAT, AT(duration_s), 0.01, 1e7, "seconds measured (10)"},
    {"--warmup", FLAG_FLOAT, AT(warmup_s), 0, 1e6, "seconds before them, not counted (0)"},
    {"--seed", FLAG_U64, AT(seed), 0, 0, "of arrivals, orders and stock (1)"},
    {"--tag", FLAG_U64, AT(tag), 0, 0, "number in every order id (from the clock)"},
    {"--data", FLAG_TEXT, AT(data_dir), 0, 0, "folder with us_stores.csv, us_zip.csv, ..."},
    {"--nodes", FLAG_U32, AT(nodes), 0, LOAD_NODES_MAX - LOAD_WAREHOUSES,
     "stores beside the ten warehouses (all of the data; else 1000)"},
    {"--items", FLAG_U32, AT(items), 1, LOAD_ITEMS_MAX, "items (10000; baskets: those sold)"},
    {"--lines", FLAG_U32, AT(lines), 1, 1000, "most lines of one order (1000)"},
    {"--density", FLAG_FLOAT, AT(density), 0.001, 20, "times the 5-30 % a store holds (1)"},
    {"--hot-stock", FLAG_U32, AT(hot_stock), 0, 1000000000,
     "hot: units of the hot item per node (10000000)"},
    {"--life", FLAG_FLOAT, AT(life_s), 0, 3600, "mean seconds to shipping; 0 = never (1)"},
    {"--cancel", FLAG_FLOAT, AT(cancel), 0, 1, "share cancelled instead (0.05)"},
    {"--restock", FLAG_FLOAT, AT(restock), 0, 1,
     "share of shipped lines restocked, by 1/share times their quantity (0.0625)"},
    {"--retries", FLAG_FLOAT, AT(retries), 0, 1, "share of orders sent twice (0)"},
    {"--no-load", FLAG_CLEAR, AT(is_loading), 0, 0, "the engine holds network and stock already"},
    {"--load-only", FLAG_SET, AT(is_load_only), 0, 0, "load network and stock, then stop"},
    {"--verify", FLAG_SET, AT(is_verifying), 0, 0,
     "afterwards hold every order and cell against the books"},
    {"--slo", FLAG_TEXT, AT(slo), 0, 0, "'p99<5ms,refused<1%': exit code 3 where missed"},
    {"--json", FLAG_TEXT, AT(json_path), 0, 0, "write the report as JSON"},
    {"--hgrm", FLAG_TEXT, AT(hgrm_path), 0, 0, "write the latencies as HdrHistogram table, in ms"},
    {"--map", FLAG_TEXT, AT(map_path), 0, 0, "write the first minute as an SVG map"},
    {"--ledger", FLAG_TEXT, AT(ledger_path), 0, 0, "write what was acknowledged"},
    {"--check-ledger", FLAG_TEXT, AT(check_path), 0, 0,
     "hold such a file against the engine, no load"},
    {"--engine-pid", FLAG_U32, AT(engine_pid), 0, 4194304, "show that process's CPU share"},
};

enum { FLAGS_COUNT = sizeof flags / sizeof *flags };

static const char *const workload_names[WORKLOAD_COUNT] = {
    [WORKLOAD_CONSUMER] = "consumer", [WORKLOAD_TWO_LINE] = "two-line",
    [WORKLOAD_BASKETS] = "baskets",   [WORKLOAD_HOT] = "hot",
    [WORKLOAD_SAME_DAY] = "same-day", [WORKLOAD_READ_MOSTLY] = "read-mostly",
};

const char *workload_name(enum workload_kind kind)
{
    CHECK(kind < WORKLOAD_COUNT);
    return workload_names[kind];
}

static void set_defaults(struct load_opts *opts)
{
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    *opts = (struct load_opts){
        .address = "127.0.0.1:7420",
        .is_loading = true,
        .connections = 8,
        .depth = 64,
        .rate = 20000,
        .duration_s = 10,
        .life_s = 1,
        .cancel = 0.05,
        .restock = 0.0625,
        .seed = 1,
        .tag = ((uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000) & 0xfffffff,
        .items = 10000,
        .lines = 1000,
        .density = 1,
        .hot_stock = 10000000,
    };
}

static bool read_number(const struct flag *flag, const char *text, double *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtod(text, &end);
    return errno == 0 && end != text && *end == '\0' && isfinite(*out) && *out >= flag->min &&
           *out <= flag->max;
}

static bool read_whole(const char *text, uint64_t *out)
{
    char *end = NULL;
    errno = 0;
    *out = strtoull(text, &end, 0);
    return errno == 0 && end != text && *end == '\0' && *text != '-';
}

static bool read_workload(const char *text, enum workload_kind *out)
{
    for (int kind = 0; kind < WORKLOAD_COUNT; kind++) {
        if (strcmp(text, workload_names[kind]) == 0) {
            *out = (enum workload_kind)kind;
            return true;
        }
    }
    return false;
}

/* Store the value of a flag. False: it is not one of its kind. */
static bool set_value(struct load_opts *opts, const struct flag *flag, const char *text)
{
    void *field = (char *)opts + flag->offset;
    double number = 0;
    switch (flag->kind) {
    case FLAG_TEXT:
        *(const char **)field = text;
        return true;
    case FLAG_SET:
    case FLAG_CLEAR:
        *(bool *)field = flag->kind == FLAG_SET;
        return true;
    case FLAG_U32:
        if (!read_number(flag, text, &number) || number != floor(number)) {
            return false;
        }
        *(uint32_t *)field = (uint32_t)number;
        return true;
    case FLAG_FLOAT:
        return read_number(flag, text, (double *)field);
    case FLAG_U64:
        return read_whole(text, (uint64_t *)field);
    case FLAG_WORKLOAD:
        return read_workload(text, (enum workload_kind *)field);
    }
    CHECK_UNREACHABLE("flag kind");
}

static const struct flag *find_flag(const char *name, size_t len)
{
    for (int i = 0; i < FLAGS_COUNT; i++) {
        if (strlen(flags[i].name) == len && memcmp(flags[i].name, name, len) == 0) {
            return &flags[i];
        }
    }
    return NULL;
}

/* Take argv[*index], and its value where the flag has one and it does not follow a '='. */
static bool take_flag(struct load_opts *opts, int argc, const char *const *argv, int *index)
{
    const char *word = argv[*index];
    const char *equals = strchr(word, '=');
    size_t len = equals != NULL ? (size_t)(equals - word) : strlen(word);
    const struct flag *flag = find_flag(word, len);
    if (flag == NULL) {
        fprintf(stderr, "nearshelf-load: unknown flag %s; see --help\n", word);
        return false;
    }
    const char *value = equals != NULL ? equals + 1 : NULL;
    bool has_value = flag->kind != FLAG_SET && flag->kind != FLAG_CLEAR;
    if (has_value && value == NULL && *index + 1 < argc) {
        value = argv[++*index];
    }
    if (has_value != (value != NULL) || !set_value(opts, flag, value)) {
        fprintf(stderr, "nearshelf-load: %s: bad value %s (%s)\n", flag->name,
                value != NULL ? value : "(none)", flag->help);
        return false;
    }
    return true;
}

static enum load_opts_result check_together(struct load_opts *opts)
{
    if (opts->workload == WORKLOAD_BASKETS && opts->data_dir == NULL && opts->check_path == NULL) {
        fprintf(stderr, "nearshelf-load: --workload baskets needs --data: the baskets are there\n");
        return LOAD_OPTS_WRONG;
    }
    if (opts->nodes == 0 && opts->data_dir == NULL) {
        opts->nodes = 1000;
    }
    opts->tag &= 0xfffffff;
    return LOAD_OPTS_RUN;
}

enum load_opts_result load_opts_parse(struct load_opts *opts, int argc, const char *const *argv)
{
    set_defaults(opts);
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0) {
            return LOAD_OPTS_HELP;
        }
        if (!take_flag(opts, argc, argv, &i)) {
            return LOAD_OPTS_WRONG;
        }
    }
    return check_together(opts);
}

void load_opts_help(FILE *file)
{
    fputs("nearshelf-load: streams orders to a Nearshelf engine and measures the answers.\n\n"
          "usage: nearshelf-load [flags]\n\n",
          file);
    for (int i = 0; i < FLAGS_COUNT; i++) {
        fprintf(file, "  %-16s %s\n", flags[i].name, flags[i].help);
    }
    fputs("\nOpen loop by default: arrivals are Poisson, latency counts from the intended time.\n"
          "Exit codes: 0 well, 1 a fault (engine, connection, verification), 2 usage, 3 SLO "
          "missed.\n",
          file);
}

void load_opts_echo(const struct load_opts *opts, FILE *file)
{
    fprintf(file, "nearshelf-load workload=%s loop=%s", workload_name(opts->workload),
            opts->is_closed ? "closed" : "open");
    if (opts->is_closed) {
        fprintf(file, " depth=%u", opts->depth);
    } else {
        fprintf(file, " rate=%.0f/s ramp=%gs patience=%gs", opts->rate, opts->ramp_s,
                opts->patience_s);
    }
    fprintf(file,
            " connections=%u duration=%gs warmup=%gs seed=%llu tag=%llu nodes=%u items=%u lines=%u"
            " density=%g life=%gs cancel=%g restock=%g retries=%g load=%s verify=%s data=%s"
            " address=%s\n",
            opts->connections, opts->duration_s, opts->warmup_s, (unsigned long long)opts->seed,
            (unsigned long long)opts->tag, opts->nodes, opts->items, opts->lines, opts->density,
            opts->life_s, opts->cancel, opts->restock, opts->retries,
            opts->is_loading ? "yes" : "no", opts->is_verifying ? "yes" : "no",
            opts->data_dir != NULL ? opts->data_dir : "own-table", opts->address);
}
