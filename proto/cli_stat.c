/* `nearshelf stat`: whatever the engine counts, in tables; with --watch once a second, with
 * what has changed since. The names are the engine's: this file knows only shapes. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "cli_internal.h"

const struct cli_flag cli_stat_flags[] = {
    {"--watch", NULL, "again every interval, with the difference in brackets", NULL, false},
    {"--interval", "SECONDS", "of --watch (1)", NULL, false},
    {"--count", "N", "end --watch after N times", NULL, false},
    {NULL, NULL, NULL, NULL, false},
};

enum { FLAG_WATCH, FLAG_INTERVAL, FLAG_COUNT };
enum { DEPTH_MAX = 8, PATH_MAX_SIZE = 256, COLUMNS_MAX = 16 };

struct watch {
    bool is_on;
    double interval_s;
    int64_t count; /* 0: until interrupted */
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static bool is_container(const struct nearshelf_value *value)
{
    enum nearshelf_type type = nearshelf_type(value);
    return type == NEARSHELF_MAP || type == NEARSHELF_ARRAY;
}

static bool is_flat_map(const struct nearshelf_value *value)
{
    for (uint32_t i = 0; i < nearshelf_count(value); i++) {
        if (is_container(nearshelf_pair(value, i, NULL))) {
            return false;
        }
    }
    return nearshelf_type(value) == NEARSHELF_MAP;
}

/* The names of a table's columns: the keys of its first row, those of maps inside it with a dot. */
struct columns {
    char names[COLUMNS_MAX][64];
    uint32_t count;
};

static void column_add(struct columns *columns, const char *outer,
                       const struct nearshelf_value *key)
{
    char name[40];
    if (columns->count < COLUMNS_MAX) {
        snprintf(columns->names[columns->count++], sizeof(columns->names[0]), "%.20s%s%s", outer,
                 *outer ? "." : "", nearshelf_text_copy(key, name, sizeof(name)));
    }
}

/* False: value is no row of a table (too few columns, too many, or nested deeper). */
static bool columns_of(struct columns *columns, const struct nearshelf_value *value)
{
    *columns = (struct columns){.count = 0};
    for (uint32_t i = 0; i < nearshelf_count(value); i++) {
        const struct nearshelf_value *key, *inner_key;
        const struct nearshelf_value *entry = nearshelf_pair(value, i, &key);
        char outer[21];
        if (!is_container(entry)) {
            column_add(columns, "", key);
            continue;
        }
        if (!is_flat_map(entry)) {
            return false;
        }
        nearshelf_text_copy(key, outer, sizeof(outer));
        for (uint32_t j = 0; j < nearshelf_count(entry); j++) {
            nearshelf_pair(entry, j, &inner_key);
            column_add(columns, outer, inner_key);
        }
    }
    return nearshelf_type(value) == NEARSHELF_MAP && columns->count > 1 &&
           columns->count < COLUMNS_MAX;
}

/* The value of a column: a key as it is, or an outer and an inner one. */
static const struct nearshelf_value *column_get(const struct nearshelf_value *row, const char *name)
{
    char outer[64];
    const struct nearshelf_value *value = nearshelf_get(row, name);
    const char *dot = strchr(name, '.');
    if (value || !dot) {
        return value;
    }
    snprintf(outer, sizeof(outer), "%.*s", (int)(dot - name), name);
    return nearshelf_get(nearshelf_get(row, outer), dot + 1);
}

static const struct nearshelf_value *entry_of(const struct nearshelf_value *value, uint32_t index,
                                              const struct nearshelf_value **key_out)
{
    *key_out = NULL;
    return nearshelf_type(value) == NEARSHELF_MAP ? nearshelf_pair(value, index, key_out)
                                                  : nearshelf_at(value, index);
}

/* Entries that are all rows, such as the counts and latencies of each method. */
static bool is_table(const struct nearshelf_value *value)
{
    struct columns columns;
    uint32_t count = nearshelf_count(value);
    for (uint32_t i = 0; i < count; i++) {
        const struct nearshelf_value *key;
        if (!columns_of(&columns, entry_of(value, i, &key))) {
            return false;
        }
    }
    return count > 0;
}

static void cell_of(struct cli_table *table, const struct nearshelf_value *value,
                    const struct nearshelf_value *before)
{
    char text[PATH_MAX_SIZE], number[32], delta[32];
    switch (nearshelf_type(value)) {
    case NEARSHELF_INT: {
        int64_t now = nearshelf_int(value, 0);
        int64_t change = before ? now - nearshelf_int(before, now) : 0;
        cli_thousands(now, number);
        if (change == 0) {
            cli_table_cell(table, number);
        } else {
            cli_table_cellf(table, "%s (%s%s)", number, change > 0 ? "+" : "",
                            cli_thousands(change, delta));
        }
        return;
    }
    case NEARSHELF_FLOAT:
        cli_table_cellf(table, "%.6g", nearshelf_float(value, 0));
        return;
    case NEARSHELF_BOOL:
        cli_table_cell(table, nearshelf_bool(value, false) ? "yes" : "no");
        return;
    case NEARSHELF_TEXT:
        cli_table_cell(table, nearshelf_text_copy(value, text, sizeof(text)));
        return;
    case NEARSHELF_ARRAY:
    case NEARSHELF_MAP:
        cli_table_cell(table, "...");
        return;
    case NEARSHELF_ABSENT:
    case NEARSHELF_NIL:
        cli_table_cell(table, "");
        return;
    }
}

/* The value under the same key, or at the same index, of the answer before. */
static const struct nearshelf_value *same_in(const struct nearshelf_value *before, uint32_t index,
                                             const struct nearshelf_value *key)
{
    char name[PATH_MAX_SIZE];
    return key ? nearshelf_get(before, nearshelf_text_copy(key, name, sizeof(name)))
               : nearshelf_at(before, index);
}

static void row_cells(struct cli_table *table, const struct columns *columns,
                      const struct nearshelf_value *row, const struct nearshelf_value *before)
{
    for (uint32_t i = 0; i < columns->count; i++) {
        const char *name = columns->names[i];
        cell_of(table, column_get(row, name), column_get(before, name));
    }
}

static void print_table(const struct cli *cli, const char *path,
                        const struct nearshelf_value *value, const struct nearshelf_value *before)
{
    struct columns columns;
    const char *names[COLUMNS_MAX + 1] = {path};
    const struct nearshelf_value *key;
    columns_of(&columns, entry_of(value, 0, &key));
    for (uint32_t i = 0; i < columns.count; i++) {
        names[i + 1] = columns.names[i];
    }
    struct cli_table *table = cli_table_new(columns.count + 1, names);
    for (uint32_t i = 0; i < nearshelf_count(value); i++) {
        char name[PATH_MAX_SIZE];
        const struct nearshelf_value *row = entry_of(value, i, &key);
        snprintf(name, sizeof(name), "%u", i + 1);
        cli_table_cell(table, key ? nearshelf_text_copy(key, name, sizeof(name)) : name);
        row_cells(table, &columns, row, same_in(before, i, key));
    }
    putchar('\n');
    cli_table_print(table, cli, stdout);
}

/* A map or array that is being walked, with the same one of the answer before. */
struct place {
    const struct nearshelf_value *value, *before;
    uint32_t index;
    size_t path_size;
};

/* A walk over the answer: once for the scalars, once for the tables. */
struct walk {
    const struct cli *cli;
    struct cli_table *scalars; /* NULL: print the tables */
    struct place stack[DEPTH_MAX];
    uint32_t depth;
    char path[PATH_MAX_SIZE];
};

static void path_set(struct walk *walk, size_t size, const struct nearshelf_value *key,
                     uint32_t index)
{
    char name[64];
    snprintf(name, sizeof(name), "%u", index + 1);
    if (key) {
        nearshelf_text_copy(key, name, sizeof(name));
    }
    snprintf(walk->path + size, sizeof(walk->path) - size, "%s%s", size ? "." : "", name);
}

static void visit(struct walk *walk, const struct nearshelf_value *entry,
                  const struct nearshelf_value *before)
{
    if (!is_container(entry)) {
        if (walk->scalars) {
            cli_table_cell(walk->scalars, walk->path);
            cell_of(walk->scalars, entry, before);
        }
    } else if (is_table(entry)) {
        if (!walk->scalars) {
            print_table(walk->cli, walk->path, entry, before);
        }
    } else if (walk->depth < DEPTH_MAX) {
        walk->stack[walk->depth++] = (struct place){entry, before, 0, strlen(walk->path)};
    }
}

static void walk_all(struct walk *walk, const struct nearshelf_value *value,
                     const struct nearshelf_value *before)
{
    walk->stack[0] = (struct place){value, before, 0, 0};
    walk->depth = 1;
    while (walk->depth > 0) {
        struct place *place = &walk->stack[walk->depth - 1];
        const struct nearshelf_value *key;
        if (place->index == nearshelf_count(place->value)) {
            walk->depth--;
            continue;
        }
        uint32_t index = place->index++;
        const struct nearshelf_value *entry = entry_of(place->value, index, &key);
        path_set(walk, place->path_size, key, index);
        visit(walk, entry, same_in(place->before, index, key));
    }
}

static void print_stats(const struct cli *cli, const struct nearshelf_value *stats,
                        const struct nearshelf_value *before)
{
    static const char *const names[] = {"stat", "value"};
    struct walk walk = {.cli = cli, .scalars = cli_table_new(2, names)};
    walk_all(&walk, stats, before);
    cli_table_print(walk.scalars, cli, stdout);
    walk.scalars = NULL;
    walk_all(&walk, stats, before);
}

static void show(const struct cli *cli, bool is_watch, const struct nearshelf_value *stats,
                 const struct nearshelf_value *before)
{
    if (cli->is_json) {
        cli_json_print(cli, stats, stdout);
    } else {
        if (is_watch && cli->is_terminal) {
            fputs("\x1b[H\x1b[2J", stdout);
        } else if (before) {
            putchar('\n');
        }
        print_stats(cli, stats, before);
    }
    fflush(stdout);
}

static void sleep_s(double seconds)
{
    struct timespec wait = {.tv_sec = (time_t)seconds};
    wait.tv_nsec = (long)((seconds - (double)wait.tv_sec) * 1e9);
    nanosleep(&wait, NULL); /* a signal ends it early, which is what it is for */
}

static enum cli_exit run(struct cli *cli, const struct watch *watch)
{
    struct nearshelf_reply *before = NULL;
    enum cli_exit code = CLI_OK;
    for (int64_t i = 0; !is_interrupted && (watch->count == 0 || i < watch->count); i++) {
        if (i > 0) {
            sleep_s(watch->interval_s);
        }
        struct nearshelf_reply *reply = is_interrupted ? NULL : cli_call(cli, "stats", NULL);
        if (!reply) {
            code = is_interrupted ? CLI_OK : CLI_ERROR;
            break;
        }
        show(cli, watch->is_on, nearshelf_reply_result(reply),
             before ? nearshelf_reply_result(before) : NULL);
        nearshelf_reply_free(before);
        before = reply;
    }
    nearshelf_reply_free(before);
    return code;
}

static bool take_flag(struct watch *watch, int flag, const char *value)
{
    switch (flag) {
    case FLAG_WATCH:
        watch->is_on = true;
        return true;
    case FLAG_INTERVAL:
        return cli_parse_float("--interval", value, 0.01, 86400, &watch->interval_s);
    case FLAG_COUNT:
        return cli_parse_int("--count", value, 1, 1000000000, &watch->count);
    default:
        cli_complain("stat: one word too many; `nearshelf help stat`");
        return false;
    }
}

enum cli_exit cli_run_stat(struct cli *cli, int argc, char **argv)
{
    struct watch watch = {.interval_s = 1};
    struct sigaction action = {.sa_handler = on_signal};
    struct cli_args args = {
        .cli = cli, .command = cli_command_find("stat"), .argc = argc, .argv = argv};
    int got;
    while ((got = cli_args_next(&args)) != ARGS_END) {
        if (got == ARGS_HELP) {
            return CLI_OK;
        }
        if (got == ARGS_BAD || !take_flag(&watch, got, args.value)) {
            return CLI_USAGE;
        }
    }
    if (!watch.is_on) {
        watch.count = 1;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return cli_connect(cli) ? run(cli, &watch) : CLI_ERROR;
}
