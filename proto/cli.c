/* The program nearshelf: finds the command, connects, and ends with the right code. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli_internal.h"

enum { TIMEOUT_DEFAULT_MS = 10000, COMMANDS_MAX = 16 };

const struct cli_command cli_commands[] = {
    {"call", "METHOD [JSON|-]", "call any method, print its result as JSON",
     "JSON is one object, the method's parameters; - reads it from standard input.\n"
     "  nearshelf call stock.get '{\"item\":\"SKU1\",\"node\":\"S1\"}'\n",
     NULL, cli_call_flags, cli_run_call},
    {"import", "nodes|items|stock|places FILE.csv", "load a CSV file",
     "The first row names the fields. The whole file is checked before anything is sent; after an\n"
     "error on the way the same command may be run again. FILE - is standard input. Columns:\n"
     "  nodes   node type lat lon, and if wanted name country postcode status services serves\n"
     "          bars priority safety_stock handling_cents collect_hours max_km.SERVICE\n"
     "  items   item, and if wanted weight_g flags not_to\n"
     "  stock   node item on_hand\n"
     "  places  country postcode lat lon\n"
     "Lists in one cell are separated by ';'. An empty cell leaves the field as it is.\n"
     "  nearshelf import nodes stores.csv --map node=store,postcode=zip \\\n"
     "      --set type=store,country=US --ignore city,state\n",
     "nodes items stock places", cli_import_flags, cli_run_import},
    {"route", "--order ID --line ITEM[=QTY]... [--to LAT,LON]", "route an order and take its stock",
     "  nearshelf route --order A1 --to 40.71,-74.00 --line SKU1=2 --line SKU2 --explain\n", NULL,
     cli_route_flags, cli_run_route},
    {"stat", "", "what the engine is doing", NULL, NULL, cli_stat_flags, cli_run_stat},
    {"tail", "", "what happens, as JSON lines, as soon as it is durable",
     "Every event has its lsn and n and the log_id of its history; to go on after a cut, start\n"
     "again with --from the last lsn + 1.\n"
     "  nearshelf tail --from 0 --types order.routed,stock.short --once\n",
     NULL, cli_tail_flags, cli_run_tail},
    {"check", "DIR", "look at a data folder whole: snapshots, log, books",
     "No engine may have it; nothing is changed. Damage is named with file and offset.\n", NULL,
     cli_check_flags, cli_run_check},
    {"backup", "DIR|ADDRESS TARGET", "copy a data folder from under a running engine",
     "An engine at ADDRESS tells its folder, which is on this machine, as TARGET is, a new\n"
     "folder. A backup can be checked, and started from.\n"
     "  nearshelf backup 127.0.0.1:7420 /backup/monday\n",
     NULL, cli_no_flags, cli_run_backup},
    {"restore", "BACKUP DIR", "make a data folder from a backup, up to a moment",
     "DIR is a new folder, with a history of its own: another log_id; LSNs go on.\n"
     "  nearshelf restore /backup/monday /var/lib/shelf --until 2026-11-22T05:00:00Z\n",
     NULL, cli_restore_flags, cli_run_restore},
    {"help", "[COMMAND]", "help, of one command", NULL,
     "call import route stat tail check backup restore completion",
     cli_no_flags, cli_run_help},
    {"completion", "bash", "a completion script: eval \"$(nearshelf completion bash)\"", NULL,
     "bash", cli_no_flags, cli_run_completion},
    {NULL, NULL, NULL, NULL, NULL, NULL, NULL},
};

const struct cli_command *cli_command_find(const char *name)
{
    const char *names[COMMANDS_MAX];
    uint32_t count = 0;
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        if (strcmp(command->name, name) == 0) {
            return command;
        }
        names[count++] = command->name;
    }
    cli_complain("unknown command %s%s", name, cli_did_you_mean(name, names, count));
    return NULL;
}

bool cli_connect(struct cli *cli)
{
    struct nearshelf_options options = {.timeout_ms = cli->timeout_ms,
                                        .connect_timeout_ms = cli->timeout_ms,
                                        .retry_overloaded = true,
                                        .connect_later = true};
    if (nearshelf_open(cli->address, &options, &cli->client) != NEARSHELF_OK) {
        cli_complain("--address %s: HOST:PORT or unix:PATH is needed", cli->address);
        return false;
    }
    if (nearshelf_connect(cli->client) != NEARSHELF_OK) {
        cli_complain("%s; is nearshelfd running there? (--address, $NEARSHELF_ADDRESS)",
                     nearshelf_connect_text(cli->client));
        return false;
    }
    return true;
}

struct nearshelf_reply *cli_call(struct cli *cli, const char *method,
                                 struct nearshelf_params *params)
{
    struct nearshelf_reply *reply;
    enum nearshelf_error error = nearshelf_call(cli->client, method, params, &reply);
    nearshelf_params_free(params);
    if (error == NEARSHELF_OK) {
        return reply;
    }
    if (reply) {
        cli_complain_reply(cli, NULL, reply);
    } else {
        cli_complain("%s: %s", method, nearshelf_error_text(error));
    }
    nearshelf_reply_free(reply);
    return NULL;
}

enum cli_exit cli_exit_of(const struct cli *cli, const struct nearshelf_value *result)
{
    bool is_refused = nearshelf_text_is(nearshelf_get(result, "status"), "refused");
    return is_refused && cli->fail_on_refusal ? CLI_REFUSED : CLI_OK;
}

static void cli_init(struct cli *cli)
{
    const char *address = getenv("NEARSHELF_ADDRESS");
    const char *no_color = getenv("NO_COLOR");
    const char *term = getenv("TERM");
    cli->address = address && *address ? address : "127.0.0.1:7420";
    cli->timeout_ms = TIMEOUT_DEFAULT_MS;
    cli->is_terminal = isatty(STDOUT_FILENO);
    bool is_dumb = term && strcmp(term, "dumb") == 0;
    cli->has_progress = isatty(STDERR_FILENO) && !is_dumb;
    cli->has_color = cli->is_terminal && !is_dumb && !(no_color && *no_color);
}

/* Global flags may stand before the command; the command takes the rest. */
static enum cli_exit run(struct cli *cli, int argc, char **argv)
{
    struct cli_args args = {.cli = cli, .argc = argc, .at = 1, .argv = argv};
    int got = cli_args_next(&args);
    if (got == ARGS_HELP) {
        return CLI_OK;
    }
    if (got == ARGS_END) {
        cli_help_print(NULL, stderr);
        return CLI_USAGE;
    }
    if (got == ARGS_BAD) {
        return CLI_USAGE;
    }
    const struct cli_command *command = cli_command_find(args.value);
    if (!command) {
        fputs("`nearshelf help` lists the commands.\n", stderr);
        return CLI_USAGE;
    }
    return command->run(cli, argc - args.at, argv + args.at);
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    cli_init(&cli);
    enum cli_exit code = run(&cli, argc, argv);
    nearshelf_close(cli.client);
    if (fflush(stdout) != 0 && code == CLI_OK) {
        cli_complain("standard output: could not be written");
        code = CLI_ERROR;
    }
    return (int)code;
}
