/* What the files of the program `nearshelf` share: the run, its flags, its output.
 *
 * Rules: results go to stdout, everything else to stderr. A terminal gets tables, a pipe gets
 * lines with tabs, --json gets JSON. Exit codes: below. */
#ifndef CLI_INTERNAL_H
#define CLI_INTERNAL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "nearshelf.h"

enum cli_exit { CLI_OK = 0, CLI_ERROR = 1, CLI_USAGE = 2, CLI_REFUSED = 3 };

/* One run of the program. */
struct cli {
    const char *address;
    bool is_json;
    bool fail_on_refusal;
    bool is_terminal;        /* stdout */
    bool has_progress;       /* stderr is a terminal: bars may move */
    bool has_color;          /* a terminal, and NO_COLOR unset */
    uint32_t timeout_ms;
    struct nearshelf *client; /* NULL until cli_connect */
};

/* ---- flags (cli_args.c) ---- */

struct cli_flag {
    const char *name;  /* with the dashes */
    const char *value; /* what it takes, for help; NULL: nothing */
    const char *help;
    const char *words; /* values for completion, separated by spaces; NULL: any */
    bool is_optional;  /* its value may be left out */
};

struct cli_command {
    const char *name;
    const char *usage;   /* behind the name */
    const char *summary; /* one line */
    const char *text;    /* the rest of its help; may be NULL */
    const char *words;   /* first arguments for completion; NULL: none or any */
    const struct cli_flag *flags; /* ends with name NULL */
    enum cli_exit (*run)(struct cli *cli, int argc, char **argv);
};

/* All commands, ends with name NULL; the global flags likewise. */
extern const struct cli_command cli_commands[];
extern const struct cli_flag cli_flags[];

const struct cli_command *cli_command_find(const char *name);

/* Walks over the arguments of a command. */
struct cli_args {
    struct cli *cli;
    const struct cli_command *command; /* NULL before it is known */
    int argc, at;
    char **argv;
    bool only_words;   /* after -- */
    const char *value; /* of the flag just read (NULL where left out), or the word itself */
};
enum { ARGS_END = -1, ARGS_WORD = -2, ARGS_BAD = -3, ARGS_HELP = -4 };

/* The index in command->flags of the next flag, or one of the above. Global flags are taken
 * into cli on the way. ARGS_BAD: it has been said what is wrong. */
int cli_args_next(struct cli_args *args);

/* Whole numbers in a range; false: said what is wrong. name is the flag's. */
bool cli_parse_int(const char *name, const char *text, int64_t min, int64_t max, int64_t *out);
bool cli_parse_float(const char *name, const char *text, double min, double max, double *out);

/* ", did you mean WORD?", or "" where nothing is near; static buffer. */
const char *cli_did_you_mean(const char *text, const char *const *words, uint32_t count);

/* ---- output (cli_out.c) ---- */

/* "nearshelf: ..." on stderr. */
__attribute__((format(printf, 1, 2))) void cli_complain(const char *format, ...);

/* The failed reply on stderr, as text or JSON; where is put before it unless NULL. */
void cli_complain_reply(const struct cli *cli, const char *where,
                        const struct nearshelf_reply *reply);

/* A table whose rows are all known before it is printed. Cells are copied. */
struct cli_table;
struct cli_table *cli_table_new(uint32_t columns, const char *const *names);
void cli_table_cell(struct cli_table *table, const char *text);
__attribute__((format(printf, 2, 3))) void cli_table_cellf(struct cli_table *table,
                                                           const char *format, ...);
bool cli_table_is_empty(const struct cli_table *table);
/* Terminal: aligned, numbers to the right. Else: tabs. Frees it. */
void cli_table_print(struct cli_table *table, const struct cli *cli, FILE *to);

/* 1,234,567; buffer of at least 32 bytes; returns it. */
const char *cli_thousands(int64_t number, char buffer[32]);

/* ---- talking (cli.c) ---- */

/* Connect; false: it has been said why not. */
bool cli_connect(struct cli *cli);

/* Call and wait. NULL: it has been said what went wrong. params may be NULL and is freed. */
struct nearshelf_reply *cli_call(struct cli *cli, const char *method,
                                 struct nearshelf_params *params);

/* CLI_REFUSED where result is a refusal and --fail-on-refusal was given, else CLI_OK. */
enum cli_exit cli_exit_of(const struct cli *cli, const struct nearshelf_value *result);

/* ---- JSON (cli_json.c) ---- */

/* Put the fields of object into params. NULL, or what is wrong (static). */
const char *cli_json_to_params(const json_t *object, struct nearshelf_params *params);

/* The value as JSON, or NULL without memory. The caller's reference. */
json_t *cli_json_of(const struct nearshelf_value *value);

/* Print as JSON and a newline: indented on a terminal. */
void cli_json_print(const struct cli *cli, const struct nearshelf_value *value, FILE *to);

/* ---- commands ---- */

enum cli_exit cli_run_call(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_import(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_route(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_stat(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_tail(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_check(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_backup(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_restore(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_help(struct cli *cli, int argc, char **argv);
enum cli_exit cli_run_completion(struct cli *cli, int argc, char **argv);

extern const struct cli_flag cli_call_flags[], cli_import_flags[], cli_route_flags[],
    cli_stat_flags[], cli_tail_flags[], cli_check_flags[], cli_restore_flags[], cli_no_flags[];

/* Help of one command, or of the program (NULL). */
void cli_help_print(const struct cli_command *command, FILE *to);

#endif
