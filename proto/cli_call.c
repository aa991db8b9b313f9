/* `nearshelf call`: any method, JSON in and out. */
#include <string.h>

#include "cli_internal.h"

const struct cli_flag cli_call_flags[] = {{NULL, NULL, NULL, NULL, false}};

static json_t *load(const char *text)
{
    json_error_t error;
    size_t flags = JSON_REJECT_DUPLICATES | JSON_DECODE_ANY;
    bool is_stdin = strcmp(text, "-") == 0;
    json_t *json = is_stdin ? json_loadf(stdin, flags, &error) : json_loads(text, flags, &error);
    if (!json) {
        cli_complain("JSON line %d column %d: %s", error.line, error.column, error.text);
    }
    return json;
}

/* NULL: said what is wrong. */
static struct nearshelf_params *params_of(const char *text)
{
    json_t *json = load(text);
    if (!json) {
        return NULL;
    }
    struct nearshelf_params *params = nearshelf_params_new();
    const char *wrong = params ? cli_json_to_params(json, params) : "out of memory";
    json_decref(json);
    if (wrong) {
        cli_complain("JSON: %s", wrong);
        nearshelf_params_free(params);
        return NULL;
    }
    return params;
}

static enum cli_exit call(struct cli *cli, const char *method, const char *text)
{
    struct nearshelf_params *params = params_of(text);
    if (!params) {
        return CLI_USAGE;
    }
    if (!cli_connect(cli)) {
        nearshelf_params_free(params);
        return CLI_ERROR;
    }
    struct nearshelf_reply *reply = cli_call(cli, method, params);
    if (!reply) {
        return CLI_ERROR;
    }
    const struct nearshelf_value *result = nearshelf_reply_result(reply);
    cli_json_print(cli, result, stdout);
    enum cli_exit code = cli_exit_of(cli, result);
    nearshelf_reply_free(reply);
    return code;
}

enum cli_exit cli_run_call(struct cli *cli, int argc, char **argv)
{
    struct cli_args args = {
        .cli = cli, .command = cli_command_find("call"), .argc = argc, .argv = argv};
    const char *words[2] = {NULL, "{}"};
    uint32_t count = 0;
    int got;
    while ((got = cli_args_next(&args)) == ARGS_WORD) {
        if (count == 2) {
            cli_complain("one word too many: %s (quote the JSON)", args.value);
            return CLI_USAGE;
        }
        words[count++] = args.value;
    }
    if (got == ARGS_HELP) {
        return CLI_OK;
    }
    if (got == ARGS_END && count == 0) {
        cli_complain("call: which METHOD? `nearshelf call hello` lists them");
    }
    return got == ARGS_END && count > 0 ? call(cli, words[0], words[1]) : CLI_USAGE;
}
