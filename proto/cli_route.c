/* `nearshelf route`: an order from flags, and the decision told to people. */
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"

const struct cli_flag cli_route_flags[] = {
    {"--order", "ID", "the order's id, which is also the key of a retry", NULL, false},
    {"--line", "ITEM[=QTY]", "an item wanted (1 if QTY is left out); as often as needed", NULL,
     false},
    {"--to", "LAT,LON", "where it goes", NULL, false},
    {"--to-postcode", "CC:CODE", "the same as country and postcode; with --to, for the areas", NULL,
     false},
    {"--service", "SERVICE",
     "standard (default), next_day, same_day, pickup, reserve_pickup, ship_to_store",
     "standard next_day same_day pickup reserve_pickup ship_to_store", false},
    {"--pickup-node", "NODE", "where pickup lines are collected", NULL, false},
    {"--strategy", "NAME", "its newest version decides, not the active one", NULL, false},
    {"--channel", "CHANNEL", "whose quotas it takes from, and whose strategy decides", NULL, false},
    {"--max-splits", "N", "at most N nodes more than one; 0: all from one", NULL, false},
    {"--max-km", "KM", "no node farther than this", NULL, false},
    {"--exclude-node", "NODE", "not this one; as often as needed", NULL, false},
    {"--allow-partial", NULL, "drop what cannot be filled", NULL, false},
    {"--dry-run", NULL, "decide, change nothing", NULL, false},
    {"--explain", "1|2", "why nodes were not chosen: counted (1, the default), each (2)", "1 2",
     true},
    {NULL, NULL, NULL, NULL, false},
};

enum {
    FLAG_ORDER,
    FLAG_LINE,
    FLAG_TO,
    FLAG_TO_POSTCODE,
    FLAG_SERVICE,
    FLAG_PICKUP_NODE,
    FLAG_STRATEGY,
    FLAG_CHANNEL,
    FLAG_MAX_SPLITS,
    FLAG_MAX_KM,
    FLAG_EXCLUDE_NODE,
    FLAG_ALLOW_PARTIAL,
    FLAG_DRY_RUN,
    FLAG_EXPLAIN,
    FLAGS
};

enum { LINES_MAX = 1000, EXCLUDED_MAX = 1000, NAME_MAX_SIZE = 256, CELL_SIZE = 768 };

/* The flags as typed: the last of each, and all of those that repeat. */
struct wanted {
    const char *values[FLAGS];
    bool has[FLAGS];
    const char *lines[LINES_MAX];
    const char *excluded[EXCLUDED_MAX];
    uint32_t lines_count, excluded_count;
};

static bool keep(const char **list, uint32_t *count, uint32_t max, const char *flag,
                 const char *value)
{
    if (*count == max) {
        cli_complain("%s: at most %u", flag, max);
        return false;
    }
    list[(*count)++] = value;
    return true;
}

static bool take(struct wanted *wanted, int flag, const char *value)
{
    wanted->has[flag] = true;
    wanted->values[flag] = value;
    if (flag == FLAG_LINE) {
        return keep(wanted->lines, &wanted->lines_count, LINES_MAX, "--line", value);
    }
    if (flag == FLAG_EXCLUDE_NODE) {
        return keep(wanted->excluded, &wanted->excluded_count, EXCLUDED_MAX, "--exclude-node",
                    value);
    }
    return true;
}

/* CLI_OK: go on, unless help was asked for. */
static enum cli_exit parse(struct cli *cli, struct wanted *wanted, int argc, char **argv,
                           bool *help_out)
{
    struct cli_args args = {
        .cli = cli, .command = cli_command_find("route"), .argc = argc, .argv = argv};
    int got;
    *help_out = false;
    while ((got = cli_args_next(&args)) != ARGS_END) {
        if (got == ARGS_HELP) {
            *help_out = true;
            return CLI_OK;
        }
        if (got == ARGS_WORD) {
            cli_complain("route takes flags only, not %s; `nearshelf help route`", args.value);
            return CLI_USAGE;
        }
        if (got == ARGS_BAD || !take(wanted, got, args.value)) {
            return CLI_USAGE;
        }
    }
    if (!wanted->has[FLAG_ORDER] || wanted->lines_count == 0) {
        cli_complain("route: --order and at least one --line are needed");
        return CLI_USAGE;
    }
    return CLI_OK;
}

static bool put_line(struct nearshelf_params *params, const char *text)
{
    const char *equals = strrchr(text, '=');
    int64_t qty = 1;
    size_t size = equals ? (size_t)(equals - text) : strlen(text);
    if (equals && !cli_parse_int("--line", equals + 1, 1, 1000000, &qty)) {
        return false;
    }
    nearshelf_params_map(params, NULL);
    nearshelf_params_text_n(params, "item", text, size);
    nearshelf_params_int(params, "qty", qty);
    nearshelf_params_end(params);
    return true;
}

static bool put_point(struct nearshelf_params *params, const char *text)
{
    char lat_text[64];
    double lat, lon;
    size_t size = strcspn(text, ",");
    if (text[size] != ',' || size >= sizeof(lat_text)) {
        cli_complain("--to %s: LAT,LON is needed, such as 40.71,-74.00", text);
        return false;
    }
    snprintf(lat_text, sizeof(lat_text), "%.*s", (int)size, text);
    if (!cli_parse_float("--to: latitude", lat_text, -90, 90, &lat) ||
        !cli_parse_float("--to: longitude", text + size + 1, -180, 180, &lon)) {
        return false;
    }
    nearshelf_params_float(params, "lat", lat);
    nearshelf_params_float(params, "lon", lon);
    return true;
}

static bool put_postcode(struct nearshelf_params *params, const char *text)
{
    const char *colon = strchr(text, ':');
    if (!colon || colon == text || !colon[1]) {
        cli_complain("--to-postcode %s: CC:CODE is needed, such as US:10001", text);
        return false;
    }
    nearshelf_params_text_n(params, "country", text, (size_t)(colon - text));
    nearshelf_params_text(params, "postcode", colon + 1);
    return true;
}

static bool put_dest(struct nearshelf_params *params, const struct wanted *wanted)
{
    if (!wanted->has[FLAG_TO] && !wanted->has[FLAG_TO_POSTCODE]) {
        return true;
    }
    nearshelf_params_map(params, "dest");
    bool is_good =
        (!wanted->has[FLAG_TO] || put_point(params, wanted->values[FLAG_TO])) &&
        (!wanted->has[FLAG_TO_POSTCODE] || put_postcode(params, wanted->values[FLAG_TO_POSTCODE]));
    nearshelf_params_end(params);
    return is_good;
}

static bool put_numbers(struct nearshelf_params *params, const struct wanted *wanted)
{
    int64_t number = 1;
    double km;
    if (wanted->has[FLAG_MAX_SPLITS]) {
        if (!cli_parse_int("--max-splits", wanted->values[FLAG_MAX_SPLITS], 0, 1000, &number)) {
            return false;
        }
        nearshelf_params_int(params, "max_splits", number);
    }
    if (wanted->has[FLAG_MAX_KM]) {
        if (!cli_parse_float("--max-km", wanted->values[FLAG_MAX_KM], 0.001, 20038, &km)) {
            return false;
        }
        nearshelf_params_float(params, "max_km", km);
    }
    number = 1;
    const char *level = wanted->values[FLAG_EXPLAIN];
    if (level && !cli_parse_int("--explain", level, 0, 2, &number)) {
        return false;
    }
    if (wanted->has[FLAG_EXPLAIN]) {
        nearshelf_params_int(params, "explain", number);
    }
    return true;
}

static void put_words(struct nearshelf_params *params, const struct wanted *wanted)
{
    const char *service = wanted->values[FLAG_SERVICE];
    nearshelf_params_text(params, "order_id", wanted->values[FLAG_ORDER]);
    nearshelf_params_text(params, "service", service ? service : "standard");
    if (wanted->has[FLAG_PICKUP_NODE]) {
        nearshelf_params_text(params, "pickup_node", wanted->values[FLAG_PICKUP_NODE]);
    }
    if (wanted->has[FLAG_STRATEGY]) {
        nearshelf_params_text(params, "strategy", wanted->values[FLAG_STRATEGY]);
    }
    if (wanted->has[FLAG_CHANNEL]) {
        nearshelf_params_text(params, "channel", wanted->values[FLAG_CHANNEL]);
    }
    if (wanted->has[FLAG_ALLOW_PARTIAL]) {
        nearshelf_params_bool(params, "allow_partial", true);
    }
    if (wanted->has[FLAG_DRY_RUN]) {
        nearshelf_params_bool(params, "dry_run", true);
    }
    if (wanted->excluded_count > 0) {
        nearshelf_params_array(params, "exclude_nodes");
        for (uint32_t i = 0; i < wanted->excluded_count; i++) {
            nearshelf_params_text(params, NULL, wanted->excluded[i]);
        }
        nearshelf_params_end(params);
    }
}

/* False: said what is wrong. */
static bool build(struct nearshelf_params *params, const struct wanted *wanted)
{
    put_words(params, wanted);
    nearshelf_params_array(params, "lines");
    for (uint32_t i = 0; i < wanted->lines_count; i++) {
        if (!put_line(params, wanted->lines[i])) {
            return false;
        }
    }
    nearshelf_params_end(params);
    return put_dest(params, wanted) && put_numbers(params, wanted);
}

/* Text of a field, cut to a cell; one buffer for each of the few uses in a row. */
struct cell {
    char text[NAME_MAX_SIZE];
};

static const char *text_of(const struct nearshelf_value *map, const char *key, struct cell *cell)
{
    return nearshelf_text_copy(nearshelf_get(map, key), cell->text, sizeof(cell->text));
}

static void print_head(const struct nearshelf_value *result)
{
    struct cell order, status, reason;
    uint32_t parts = nearshelf_count(nearshelf_get(result, "fulfilments"));
    int64_t splits = nearshelf_int(nearshelf_get(result, "splits"), 0);
    printf("order %s: %s", text_of(result, "order_id", &order), text_of(result, "status", &status));
    if (*text_of(result, "reason", &reason)) {
        printf(", %s", reason.text);
    }
    if (parts > 0) {
        printf(", %u fulfilment%s, %lld split%s, %.3f km, %s", parts, parts == 1 ? "" : "s",
               (long long)splits, splits == 1 ? "" : "s",
               nearshelf_float(nearshelf_get(result, "total_km"), 0),
               nearshelf_bool(nearshelf_get(result, "optimal"), false) ? "proved best"
                                                                       : "not proved best");
    }
    if (nearshelf_bool(nearshelf_get(result, "duplicate"), false)) {
        printf(", decided earlier");
    }
    if (nearshelf_bool(nearshelf_get(result, "dry_run"), false)) {
        printf(", nothing was changed");
    }
    putchar('\n');
}

/* "2 x SKU1, 1 x SKU2" */
static void cell_of_lines(struct cli_table *table, const struct nearshelf_value *lines)
{
    char text[CELL_SIZE] = "";
    size_t used = 0;
    uint32_t count = nearshelf_count(lines);
    for (uint32_t i = 0; i < count; i++) {
        struct cell item;
        const struct nearshelf_value *line = nearshelf_at(lines, i);
        if (used > sizeof(text) - 128) {
            snprintf(text + used, sizeof(text) - used, ", and %u more", count - i);
            break;
        }
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%lld x %.63s", i ? ", " : "",
                                 (long long)nearshelf_int(nearshelf_get(line, "qty"), 0),
                                 text_of(line, "item", &item));
    }
    cli_table_cell(table, text);
}

static void print_fulfilments(const struct cli *cli, const struct nearshelf_value *list)
{
    static const char *const names[] = {"fulfilment", "node", "method", "km", "lines"};
    struct cli_table *table = cli_table_new(5, names);
    for (uint32_t i = 0; i < nearshelf_count(list); i++) {
        struct cell cell;
        const struct nearshelf_value *part = nearshelf_at(list, i);
        cli_table_cell(table, text_of(part, "fulfilment", &cell));
        cli_table_cell(table, text_of(part, "node", &cell));
        cli_table_cell(table, text_of(part, "method", &cell));
        cli_table_cellf(table, "%.3f", nearshelf_float(nearshelf_get(part, "km"), 0));
        cell_of_lines(table, nearshelf_get(part, "lines"));
    }
    cli_table_print(table, cli, stdout);
}

static void print_unfilled(const struct cli *cli, const struct nearshelf_value *list)
{
    static const char *const names[] = {"unfilled", "item", "qty", "available", "reason"};
    struct cli_table *table = cli_table_new(5, names);
    for (uint32_t i = 0; i < nearshelf_count(list); i++) {
        struct cell cell;
        const struct nearshelf_value *line = nearshelf_at(list, i);
        const struct nearshelf_value *available = nearshelf_get(line, "available");
        cli_table_cellf(table, "line %s", text_of(line, "line", &cell));
        cli_table_cell(table, text_of(line, "item", &cell));
        cli_table_cellf(table, "%lld", (long long)nearshelf_int(nearshelf_get(line, "qty"), 0));
        if (available) {
            cli_table_cellf(table, "%lld", (long long)nearshelf_int(available, 0));
        } else {
            cli_table_cell(table, "");
        }
        cli_table_cell(table, text_of(line, "reason", &cell));
    }
    cli_table_print(table, cli, stdout);
}

static void print_rejected(const struct cli *cli, const struct nearshelf_value *rejected)
{
    static const char *const names[] = {"not chosen because", "nodes"};
    struct cli_table *table = cli_table_new(2, names);
    for (uint32_t i = 0; i < nearshelf_count(rejected); i++) {
        struct cell reason;
        char number[32];
        const struct nearshelf_value *key;
        const struct nearshelf_value *count = nearshelf_pair(rejected, i, &key);
        cli_table_cell(table, nearshelf_text_copy(key, reason.text, sizeof(reason.text)));
        cli_table_cell(table, cli_thousands(nearshelf_int(count, 0), number));
    }
    cli_table_print(table, cli, stdout);
}

static void print_nodes(const struct cli *cli, const struct nearshelf_value *nodes)
{
    static const char *const names[] = {"not chosen", "km", "because"};
    struct cli_table *table = cli_table_new(3, names);
    for (uint32_t i = 0; i < nearshelf_count(nodes); i++) {
        struct cell cell;
        const struct nearshelf_value *node = nearshelf_at(nodes, i);
        cli_table_cell(table, text_of(node, "node", &cell));
        cli_table_cellf(table, "%.3f", nearshelf_float(nearshelf_get(node, "km"), 0));
        cli_table_cell(table, text_of(node, "reason", &cell));
    }
    cli_table_print(table, cli, stdout);
}

static void print_explain(const struct cli *cli, const struct nearshelf_value *result)
{
    struct cell strategy;
    const struct nearshelf_value *explain = nearshelf_get(result, "explain");
    if (!explain) {
        if (nearshelf_count(nearshelf_get(result, "rejected")) > 0) {
            print_rejected(cli, nearshelf_get(result, "rejected"));
        }
        return;
    }
    printf("strategy %s, %lld candidates\n", text_of(explain, "strategy", &strategy),
           (long long)nearshelf_int(nearshelf_get(explain, "candidates"), 0));
    if (nearshelf_count(nearshelf_get(explain, "rejected")) > 0) {
        print_rejected(cli, nearshelf_get(explain, "rejected"));
    }
    if (nearshelf_count(nearshelf_get(explain, "nodes")) > 0) {
        print_nodes(cli, nearshelf_get(explain, "nodes"));
    }
}

static void print_answer(const struct cli *cli, const struct nearshelf_value *result)
{
    print_head(result);
    if (nearshelf_count(nearshelf_get(result, "fulfilments")) > 0) {
        print_fulfilments(cli, nearshelf_get(result, "fulfilments"));
    }
    if (nearshelf_count(nearshelf_get(result, "unfilled")) > 0) {
        print_unfilled(cli, nearshelf_get(result, "unfilled"));
    }
    print_explain(cli, result);
}

static enum cli_exit route(struct cli *cli, struct nearshelf_params *params)
{
    struct nearshelf_reply *reply = cli_call(cli, "order.route", params);
    if (!reply) {
        return CLI_ERROR;
    }
    const struct nearshelf_value *result = nearshelf_reply_result(reply);
    if (cli->is_json) {
        cli_json_print(cli, result, stdout);
    } else {
        print_answer(cli, result);
    }
    enum cli_exit code = cli_exit_of(cli, result);
    nearshelf_reply_free(reply);
    return code;
}

static enum cli_exit run(struct cli *cli, const struct wanted *wanted)
{
    struct nearshelf_params *params = nearshelf_params_new();
    if (!params || !build(params, wanted)) {
        nearshelf_params_free(params);
        return CLI_USAGE;
    }
    if (!cli_connect(cli)) {
        nearshelf_params_free(params);
        return CLI_ERROR;
    }
    return route(cli, params);
}

enum cli_exit cli_run_route(struct cli *cli, int argc, char **argv)
{
    struct wanted *wanted = calloc(1, sizeof(*wanted));
    bool is_help;
    if (!wanted) {
        cli_complain("out of memory");
        return CLI_ERROR;
    }
    enum cli_exit code = parse(cli, wanted, argc, argv, &is_help);
    if (code == CLI_OK && !is_help) {
        code = run(cli, wanted);
    }
    free(wanted);
    return code;
}
