/* `nearshelf tail`: events as JSON lines, as they become durable, from any place in the log on.
 *
 * Each line has log_id beside what the engine tells, and its lsn: who was cut off goes on with
 * --from the lsn of the last whole line + 1 and --log that log_id. The events of one lsn are
 * written by one flush. */
#include <signal.h>
#include <string.h>

#include "cli_internal.h"

enum { FLAG_FROM, FLAG_LOG, FLAG_TYPES, FLAG_NODES, FLAG_COUNT, FLAG_ONCE };
enum { WAIT_MS = 1000, LIMIT = 1000, WORD_MAX = 64 };

const struct cli_flag cli_tail_flags[] = {
    {"--from", "LSN", "first LSN to tell; 0 = the oldest kept; else what comes from now on", NULL,
     false},
    {"--log", "LOG_ID", "only of this history (log_id)", NULL, false},
    {"--types", "A,B,...", "only events of these types", NULL, false},
    {"--nodes", "A,B,...", "only events that name one of these nodes", NULL, false},
    {"--count", "N", "end after N events, or a few more: those of one lsn stay together", NULL,
     false},
    {"--once", NULL, "end when all that is there was told", NULL, false},
    {NULL, NULL, NULL, NULL, false}};

struct tail {
    int64_t from; /* -1 = not given */
    const char *log_id;
    const char *types, *nodes;
    int64_t count; /* left; 0 = no end */
    bool is_once;
};

static volatile sig_atomic_t is_ended;

static void on_signal(int number)
{
    (void)number;
    is_ended = 1;
}

static void put_words(struct nearshelf_params *params, const char *name, const char *list)
{
    if (!list) {
        return;
    }
    nearshelf_params_array(params, name);
    while (*list) {
        const size_t len = strcspn(list, ",");
        if (len > 0) {
            nearshelf_params_text_n(params, NULL, list, len);
        }
        list += len + (list[len] == ',');
    }
    nearshelf_params_end(params);
}

static struct nearshelf_reply *ask(struct cli *cli, const struct tail *tail)
{
    struct nearshelf_params *params = nearshelf_params_new();
    if (!params) {
        cli_complain("out of memory");
        return NULL;
    }
    nearshelf_params_int(params, "from_lsn", tail->from);
    if (tail->log_id) {
        nearshelf_params_text(params, "log_id", tail->log_id);
    }
    put_words(params, "types", tail->types);
    put_words(params, "nodes", tail->nodes);
    nearshelf_params_int(params, "limit",
                         tail->count > 0 && tail->count < LIMIT ? tail->count : LIMIT);
    nearshelf_params_int(params, "wait_ms", tail->is_once ? 0 : WAIT_MS);
    return cli_call(cli, "events.read", params);
}

/* False: nobody takes what is written any more. */
static bool print_all(const struct nearshelf_value *events, const char *log_id)
{
    for (uint32_t i = 0; i < nearshelf_count(events); i++) {
        json_t *json = cli_json_of(nearshelf_at(events, i));
        if (!json || json_object_set_new(json, "log_id", json_string(log_id)) != 0) {
            json_decref(json);
            cli_complain("out of memory");
            return false;
        }
        json_dumpf(json, stdout, JSON_COMPACT);
        putchar('\n');
        json_decref(json);
    }
    return fflush(stdout) == 0 && !ferror(stdout);
}

/* One answer: printed, and the place moved on. False: the end, or said what is wrong. */
static bool take(struct tail *tail, const struct nearshelf_value *result, char log_id[WORD_MAX])
{
    const struct nearshelf_value *events = nearshelf_get(result, "events");
    const int64_t next = nearshelf_int(nearshelf_get(result, "next_lsn"), tail->from);
    const int64_t told = nearshelf_count(events);
    const bool is_end = tail->is_once && next > nearshelf_int(nearshelf_get(result, "lsn"), 0);
    nearshelf_text_copy(nearshelf_get(result, "log_id"), log_id, WORD_MAX);
    tail->log_id = log_id;
    tail->from = next;
    if (!print_all(events, log_id)) {
        return false;
    }
    if (tail->count > 0 && told >= tail->count) {
        return false;
    }
    tail->count -= tail->count > 0 ? told : 0;
    return !is_end;
}

/* Where `now` is. */
static bool find_end(struct cli *cli, struct tail *tail)
{
    struct nearshelf_reply *reply = cli_call(cli, "hello", NULL);
    if (reply) {
        tail->from =
            nearshelf_int(nearshelf_get(nearshelf_reply_result(reply), "lsn"), 0) + 1;
    }
    nearshelf_reply_free(reply);
    return reply != NULL;
}

static enum cli_exit run(struct cli *cli, struct tail *tail)
{
    char log_id[WORD_MAX];
    if (tail->from < 0 && !find_end(cli, tail)) {
        return CLI_ERROR;
    }
    for (bool is_more = true; is_more && !is_ended;) {
        struct nearshelf_reply *reply = ask(cli, tail);
        if (!reply) {
            return is_ended ? CLI_OK : CLI_ERROR;
        }
        is_more = take(tail, nearshelf_reply_result(reply), log_id);
        nearshelf_reply_free(reply);
    }
    return CLI_OK;
}

static bool take_flag(struct tail *tail, int flag, const char *value)
{
    switch (flag) {
    case FLAG_FROM:
        return cli_parse_int("--from", value, 0, (INT64_C(1) << 53) - 1, &tail->from);
    case FLAG_LOG:
        tail->log_id = value;
        return true;
    case FLAG_TYPES:
        tail->types = value;
        return true;
    case FLAG_NODES:
        tail->nodes = value;
        return true;
    case FLAG_COUNT:
        return cli_parse_int("--count", value, 1, 1000000000, &tail->count);
    case FLAG_ONCE:
        tail->is_once = true;
        return true;
    default:
        cli_complain("tail: one word too many; `nearshelf help tail`");
        return false;
    }
}

enum cli_exit cli_run_tail(struct cli *cli, int argc, char **argv)
{
    struct tail tail = {.from = -1};
    struct sigaction action = {.sa_handler = on_signal};
    struct cli_args args = {
        .cli = cli, .command = cli_command_find("tail"), .argc = argc, .argv = argv};
    int got;
    while ((got = cli_args_next(&args)) != ARGS_END) {
        if (got == ARGS_HELP) {
            return CLI_OK;
        }
        if (got == ARGS_BAD || !take_flag(&tail, got, args.value)) {
            return CLI_USAGE;
        }
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return cli_connect(cli) ? run(cli, &tail) : CLI_ERROR;
}
