/* Flags: --name value, --name=value, -- to end them. Global ones are known everywhere. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli_internal.h"
#include "names.h"

enum { FLAGS_MAX = 64 };

const struct cli_flag cli_flags[] = {
    {"--address", "HOST:PORT",
     "where the engine listens, or unix:PATH (127.0.0.1:7420, or "
     "$NEARSHELF_ADDRESS)",
     NULL, false},
    {"--json", NULL, "results as JSON", NULL, false},
    {"--timeout", "SECONDS", "how long a call may take (10)", NULL, false},
    {"--fail-on-refusal", NULL, "exit with 3 where the answer is a refusal", NULL, false},
    {"--help", NULL, "this", NULL, false},
    {NULL, NULL, NULL, NULL, false},
};

const struct cli_flag cli_no_flags[] = {{NULL, NULL, NULL, NULL, false}};

enum { GLOBAL_ADDRESS, GLOBAL_JSON, GLOBAL_TIMEOUT, GLOBAL_FAIL, GLOBAL_HELP };

const char *cli_did_you_mean(const char *text, const char *const *words, uint32_t count)
{
    static char buffer[128];
    const struct names names = {words, count};
    const char *nearest = names_nearest(&names, text, (uint32_t)strlen(text));
    buffer[0] = '\0';
    if (nearest) {
        snprintf(buffer, sizeof(buffer), ", did you mean %s?", nearest);
    }
    return buffer;
}

bool cli_parse_int(const char *name, const char *text, int64_t min, int64_t max, int64_t *out)
{
    char *end;
    errno = 0;
    long long number = strtoll(text, &end, 10);
    if (*text == '\0' || *end != '\0' || errno != 0 || number < min || number > max) {
        cli_complain("%s %s: a whole number from %lld to %lld is needed", name, text,
                     (long long)min, (long long)max);
        return false;
    }
    *out = number;
    return true;
}

bool cli_parse_float(const char *name, const char *text, double min, double max, double *out)
{
    char *end;
    double number = strtod(text, &end);
    if (*text == '\0' || *end != '\0' || !(number >= min && number <= max)) {
        cli_complain("%s %s: a number from %g to %g is needed", name, text, min, max);
        return false;
    }
    *out = number;
    return true;
}

/* Index of the flag that text names (up to '='), or -1. */
static int flag_find(const struct cli_flag *flags, const char *text)
{
    size_t size = strcspn(text, "=");
    for (int i = 0; flags && flags[i].name; i++) {
        if (strlen(flags[i].name) == size && memcmp(flags[i].name, text, size) == 0) {
            return i;
        }
    }
    return -1;
}

static uint32_t add_names(const char **names, uint32_t count, const struct cli_flag *flags)
{
    for (int i = 0; flags && flags[i].name && count < FLAGS_MAX; i++) {
        names[count++] = flags[i].name;
    }
    return count;
}

static int unknown(const struct cli_args *args, const char *text)
{
    const char *names[FLAGS_MAX];
    char name[64];
    const struct cli_flag *own = args->command ? args->command->flags : NULL;
    uint32_t count = add_names(names, add_names(names, 0, own), cli_flags);
    snprintf(name, sizeof(name), "%.*s", (int)strcspn(text, "="), text);
    cli_complain("unknown flag %s%s", name, cli_did_you_mean(name, names, count));
    return ARGS_BAD;
}

/* An optional value is the next word only where that is a single digit: `--explain 2`. */
static bool next_is_value(const struct cli_args *args, const struct cli_flag *flag)
{
    if (args->at >= args->argc) {
        return false;
    }
    const char *next = args->argv[args->at];
    return !flag->is_optional || (next[0] >= '0' && next[0] <= '9' && next[1] == '\0');
}

/* Read the value of flag, written as text. False: said what is wrong. */
static bool take_value(struct cli_args *args, const struct cli_flag *flag, const char *text)
{
    const char *equals = strchr(text, '=');
    args->value = NULL;
    if (!flag->value) {
        if (equals) {
            cli_complain("%s takes no value", flag->name);
        }
        return equals == NULL;
    }
    if (equals) {
        args->value = equals + 1;
    } else if (next_is_value(args, flag)) {
        args->value = args->argv[args->at++];
    } else if (!flag->is_optional) {
        cli_complain("%s needs a value: %s", flag->name, flag->value);
        return false;
    }
    return true;
}

/* ARGS_END: taken, go on. */
static int take_global(struct cli_args *args, int index)
{
    double seconds;
    switch (index) {
    case GLOBAL_ADDRESS:
        args->cli->address = args->value;
        return ARGS_END;
    case GLOBAL_JSON:
        args->cli->is_json = true;
        return ARGS_END;
    case GLOBAL_TIMEOUT:
        if (!cli_parse_float("--timeout", args->value, 0.001, 86400, &seconds)) {
            return ARGS_BAD;
        }
        args->cli->timeout_ms = (uint32_t)(seconds * 1000);
        return ARGS_END;
    case GLOBAL_FAIL:
        args->cli->fail_on_refusal = true;
        return ARGS_END;
    default:
        cli_help_print(args->command, stdout);
        return ARGS_HELP;
    }
}

static bool is_flag(const struct cli_args *args, const char *text)
{
    return !args->only_words && text[0] == '-' && text[1] == '-' && text[2] != '\0';
}

/* One argument. ARGS_END: it was a global flag, or `--`. */
static int take(struct cli_args *args)
{
    const char *text = args->argv[args->at++];
    if (!args->only_words && strcmp(text, "--") == 0) {
        args->only_words = true;
        return ARGS_END;
    }
    if (!args->only_words && strcmp(text, "-h") == 0) {
        text = "--help";
    }
    if (!is_flag(args, text)) {
        args->value = text;
        return ARGS_WORD;
    }
    const struct cli_flag *own = args->command ? args->command->flags : NULL;
    int index = flag_find(own, text);
    if (index >= 0) {
        return take_value(args, &own[index], text) ? index : ARGS_BAD;
    }
    index = flag_find(cli_flags, text);
    if (index < 0) {
        return unknown(args, text);
    }
    return take_value(args, &cli_flags[index], text) ? take_global(args, index) : ARGS_BAD;
}

int cli_args_next(struct cli_args *args)
{
    while (args->at < args->argc) {
        int got = take(args);
        if (got != ARGS_END) {
            return got;
        }
    }
    return ARGS_END;
}
