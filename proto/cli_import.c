/* `nearshelf import`: flags, then check, then send. */
#include <stdlib.h>
#include <string.h>

#include "cli_import_internal.h"

const struct cli_flag cli_import_flags[] = {
    {"--map", "FIELD=COLUMN,...", "names of columns that differ from the fields'", NULL, false},
    {"--set", "FIELD=VALUE,...", "values for fields without a column, or with an empty cell", NULL,
     false},
    {"--ignore", "COLUMN,...|all", "columns that are no fields", NULL, false},
    {"--country", "CC", "the same as --set country=CC", NULL, false},
    {"--separator", "C", "between fields: , (default) ; or tab", "; tab", false},
    {"--limit", "ROWS", "only the first ROWS rows", NULL, false},
    {"--dry-run", NULL, "check the file, send nothing", NULL, false},
    {NULL, NULL, NULL, NULL, false},
};

enum { FLAG_MAP, FLAG_SET, FLAG_IGNORE, FLAG_COUNTRY, FLAG_SEPARATOR, FLAG_LIMIT, FLAG_DRY_RUN };

/* Both --set and --country, as one list. */
struct sets {
    char text[1024];
};

static bool add_set(struct sets *sets, const char *prefix, const char *value)
{
    size_t used = strlen(sets->text);
    int size = snprintf(sets->text + used, sizeof(sets->text) - used, "%s%s%s", used ? "," : "",
                        prefix, value);
    if (size < 0 || used + (size_t)size >= sizeof(sets->text)) {
        cli_complain("--set: more than %zu bytes", sizeof(sets->text) - 1);
        return false;
    }
    return true;
}

static bool take_separator(struct import *import, const char *value)
{
    bool is_tab = strcmp(value, "tab") == 0 || strcmp(value, "\\t") == 0;
    if (!is_tab && (strlen(value) != 1 || strchr("\"\r\n", value[0]))) {
        cli_complain("--separator %s: one character, or tab", value);
        return false;
    }
    import->separator = is_tab ? '\t' : value[0];
    return true;
}

static bool take_limit(struct import *import, const char *value)
{
    int64_t limit;
    if (!cli_parse_int("--limit", value, 0, UINT32_MAX, &limit)) {
        return false;
    }
    import->limit = (uint32_t)limit;
    return true;
}

static bool take_flag(struct import *import, struct sets *sets, int flag, const char *value)
{
    switch (flag) {
    case FLAG_MAP:
        import->maps = value;
        return true;
    case FLAG_SET:
        return add_set(sets, "", value);
    case FLAG_IGNORE:
        import->ignores = value;
        return true;
    case FLAG_COUNTRY:
        return add_set(sets, "country=", value);
    case FLAG_SEPARATOR:
        return take_separator(import, value);
    case FLAG_LIMIT:
        return take_limit(import, value);
    default:
        import->is_dry_run = true;
        return true;
    }
}

static bool take_word(struct import *import, const char *word)
{
    if (!import->kind) {
        import->kind = import_kind_find(word);
        return import->kind != NULL;
    }
    if (import->file) {
        cli_complain("import: one file at a time, not also %s", word);
        return false;
    }
    import->file = word;
    return true;
}

/* CLI_OK: go on. help_out: it was only asked for help. */
static enum cli_exit parse(struct import *import, struct sets *sets, int argc, char **argv,
                           bool *help_out)
{
    struct cli_args args = {
        .cli = import->cli, .command = cli_command_find("import"), .argc = argc, .argv = argv};
    int got;
    *help_out = false;
    while ((got = cli_args_next(&args)) != ARGS_END) {
        if (got == ARGS_HELP) {
            *help_out = true;
            return CLI_OK;
        }
        bool is_taken = got == ARGS_WORD ? take_word(import, args.value)
                                         : got >= 0 && take_flag(import, sets, got, args.value);
        if (!is_taken) {
            return CLI_USAGE;
        }
    }
    if (!import->file) {
        cli_complain("import: nodes|items|stock|places and a FILE.csv are needed");
        return CLI_USAGE;
    }
    import->sets = sets->text;
    return CLI_OK;
}

static enum cli_exit dry_run(const struct import *import)
{
    char rows[32];
    if (import->cli->is_json) {
        printf("{\"kind\":\"%s\",\"rows\":%u,\"rows_loaded\":0}\n", import->kind->name,
               import->rows_count);
    } else {
        printf("%s rows of %s are well formed; nothing was sent\n",
               cli_thousands(import->rows_count, rows), import->kind->name);
    }
    return CLI_OK;
}

static enum cli_exit run(struct import *import)
{
    if (!import_check(import)) {
        return CLI_ERROR;
    }
    if (import->is_dry_run) {
        return dry_run(import);
    }
    return cli_connect(import->cli) ? import_send(import) : CLI_ERROR;
}

enum cli_exit cli_run_import(struct cli *cli, int argc, char **argv)
{
    struct import import = {.cli = cli, .separator = ',', .limit = UINT32_MAX};
    struct sets sets = {{0}};
    bool is_help;
    enum cli_exit code = parse(&import, &sets, argc, argv, &is_help);
    if (code == CLI_OK && !is_help) {
        code = run(&import);
    }
    csv_close(&import.csv);
    import_check_close(&import);
    return code;
}
