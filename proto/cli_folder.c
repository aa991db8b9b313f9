/* `nearshelf check`, `backup`, `restore`: data folders, without an engine. */
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli_internal.h"
#include "config.h"
#include "folder_check.h"
#include "folder_copy.h"
#include "limits.h"
#include "wal_format.h"

enum { FLAG_CONFIG, FLAG_UNTIL, WORDS_MAX = 2, PATH_SIZE = 4096 };

#define CONFIG_FLAG {"--config", "FILE", "the engine's configuration, for its limits", NULL, false}

const struct cli_flag cli_check_flags[] = {CONFIG_FLAG, {NULL, NULL, NULL, NULL, false}};
const struct cli_flag cli_restore_flags[] = {
    CONFIG_FLAG,
    {"--until", "LSN|TIME", "up to there, such as 81234 or 2026-11-22T05:00:00Z", NULL, false},
    {NULL, NULL, NULL, NULL, false},
};

struct folder_ask {
    const char *words[WORDS_MAX];
    uint32_t count;
    struct tables_options tables;
    struct wal_until until;
};

static bool read_config(const char *path, struct folder_ask *ask)
{
    static struct config config; /* large */
    char error[CONFIG_ERROR_SIZE];
    config_default(&config);
    if (path && !config_file_read(&config, path, error)) {
        cli_complain("%s", error);
        return false;
    }
    limits_tables(&config, &ask->tables);
    return true;
}

/* A moment as 2026-11-22T05:00:00Z, since 1970, of a day that there is. */
static bool read_moment(const char *text, uint64_t *ms_out)
{
    struct tm told = {0};
    const char *rest = strptime(text, "%Y-%m-%dT%H:%M:%SZ", &told);
    struct tm moment = told;
    const time_t seconds = timegm(&moment);
    *ms_out = (uint64_t)seconds * 1000;
    return rest && *rest == '\0' && seconds >= 0 && moment.tm_mday == told.tm_mday;
}

/* An LSN, or a moment. What is neither must not become no bound at all. */
static bool read_until(const char *text, struct wal_until *until)
{
    char *end;
    if (read_moment(text, &until->time_ms)) {
        return true;
    }
    until->time_ms = UINT64_MAX;
    until->lsn = strtoull(text, &end, 10);
    if (text[0] < '0' || text[0] > '9' || *end != '\0' || until->lsn == UINT64_MAX) {
        cli_complain("--until %s: an LSN, or a time such as 2026-11-22T05:00:00Z", text);
        return false;
    }
    return true;
}

/* The folders and flags of a command. CLI_OK to go on; *is_over_out: help was printed. */
static enum cli_exit read_ask(struct cli *cli, const char *name, uint32_t words, int argc,
                              char **argv, struct folder_ask *ask, bool *is_over_out)
{
    struct cli_args args = {
        .cli = cli, .command = cli_command_find(name), .argc = argc, .argv = argv};
    int got;
    const char *config = NULL;
    *ask = (struct folder_ask){.until = {UINT64_MAX, UINT64_MAX}};
    while ((got = cli_args_next(&args)) >= 0 || got == ARGS_WORD) {
        if (got == ARGS_WORD && ask->count == words) {
            cli_complain("one word too many: %s", args.value);
            return CLI_USAGE;
        }
        if (got == ARGS_WORD) {
            ask->words[ask->count++] = args.value;
        } else if (got == FLAG_CONFIG) {
            config = args.value;
        } else if (!read_until(args.value, &ask->until)) {
            return CLI_USAGE;
        }
    }
    *is_over_out = got == ARGS_HELP;
    if (got == ARGS_HELP) {
        return CLI_OK;
    }
    if (got == ARGS_END && ask->count < words) {
        cli_complain("usage: nearshelf %s %s", name, args.command->usage);
    }
    return got == ARGS_END && ask->count == words && read_config(config, ask) ? CLI_OK : CLI_USAGE;
}

enum cli_exit cli_run_check(struct cli *cli, int argc, char **argv)
{
    bool is_over;
    bool is_sound;
    struct folder_ask ask;
    const enum cli_exit code = read_ask(cli, "check", 1, argc, argv, &ask, &is_over);
    if (code != CLI_OK || is_over) {
        return code;
    }
    setvbuf(stdout, NULL, _IOLBF, 0);
    const enum err err = folder_check(ask.words[0], &ask.tables, stdout, &is_sound);
    if (err == ERR_OK && is_sound) {
        printf("%s is sound\n", ask.words[0]);
    }
    return err == ERR_OK && is_sound ? CLI_OK : CLI_ERROR;
}

/* A folder wins over an address of the same name. */
static bool is_address(const char *word)
{
    return strchr(word, ':') && access(word, F_OK) != 0;
}

/* A field of an answer: path_out gets it. False: it has been said what is wrong. */
static bool ask_text(struct cli *cli, const char *method, const char *map, const char *field,
                     char *text_out, size_t size)
{
    struct nearshelf_reply *reply = cli_call(cli, method, NULL);
    if (!reply) {
        return false;
    }
    const struct nearshelf_value *value = nearshelf_reply_result(reply);
    value = map ? nearshelf_get(value, map) : value;
    const char *text = nearshelf_text_copy(nearshelf_get(value, field), text_out, size);
    const bool is_told = text && text[0];
    if (!is_told) {
        cli_complain("%s does not tell %s: is it an older engine?", cli->address, field);
    }
    nearshelf_reply_free(reply);
    return is_told;
}

/* Whether the folder here is that of the engine: an address may lead to another machine. */
static bool is_folder_of(const char *folder, const char *log_id)
{
    char path[PATH_SIZE];
    uint8_t bytes[WAL_IDENTITY_SIZE];
    char text[2 * 16 + 1] = "";
    struct wal_identity identity;
    const int len = snprintf(path, sizeof path, "%s/identity", folder);
    FILE *file = len > 0 && (size_t)len < sizeof path ? fopen(path, "rb") : NULL;
    const size_t got = file ? fread(bytes, 1, sizeof bytes, file) : 0;
    if (file) {
        fclose(file);
    }
    if (got == sizeof bytes && wal_identity_decode(bytes, &identity) == WAL_VERDICT_OK) {
        for (size_t i = 0; i < sizeof identity.uuid; i++) {
            snprintf(text + 2 * i, 3, "%02x", identity.uuid[i]);
        }
    }
    return strcmp(text, log_id) == 0;
}

/* The folder of the engine at that address, which must be on this machine. */
static bool folder_of(struct cli *cli, const char *address, char folder_out[PATH_SIZE])
{
    char log_id[64];
    cli->address = address;
    if (!cli_connect(cli) || !ask_text(cli, "hello", NULL, "log_id", log_id, sizeof log_id) ||
        !ask_text(cli, "stats", "log", "folder", folder_out, PATH_SIZE)) {
        return false;
    }
    if (!is_folder_of(folder_out, log_id)) {
        cli_complain("%s: its folder %s is not to be read here: run this on its machine, as a user "
                     "who may", address, folder_out);
        return false;
    }
    return true;
}

enum cli_exit cli_run_backup(struct cli *cli, int argc, char **argv)
{
    bool is_over;
    struct folder_ask ask;
    char error[WAL_ERROR_SIZE];
    char folder[PATH_SIZE];
    const enum cli_exit code = read_ask(cli, "backup", 2, argc, argv, &ask, &is_over);
    if (code != CLI_OK || is_over) {
        return code;
    }
    if (is_address(ask.words[0])) {
        if (!folder_of(cli, ask.words[0], folder)) {
            return CLI_ERROR;
        }
        ask.words[0] = folder;
    }
    if (folder_backup(ask.words[0], ask.words[1], stdout, error) != ERR_OK) {
        cli_complain("%s", error);
        return CLI_ERROR;
    }
    return CLI_OK;
}

enum cli_exit cli_run_restore(struct cli *cli, int argc, char **argv)
{
    bool is_over;
    struct folder_ask ask;
    char error[WAL_ERROR_SIZE];
    const enum cli_exit code = read_ask(cli, "restore", 2, argc, argv, &ask, &is_over);
    if (code != CLI_OK || is_over) {
        return code;
    }
    const enum err err =
        folder_restore(ask.words[0], ask.words[1], &ask.until, &ask.tables, stdout, error);
    if (err != ERR_OK) {
        cli_complain("%s", error);
    }
    return err == ERR_OK ? CLI_OK : CLI_ERROR;
}
