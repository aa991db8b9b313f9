/* `nearshelf help` and `nearshelf completion`, both printed from the tables of commands. */
#include <string.h>

#include "cli_internal.h"

static void print_flags(const struct cli_flag *flags, FILE *to)
{
    for (; flags->name; flags++) {
        char name[64];
        snprintf(name, sizeof(name), flags->is_optional ? "%s [%s]" : "%s %s", flags->name,
                 flags->value ? flags->value : "");
        fprintf(to, "  %-24s %s\n", name, flags->help);
    }
}

static void print_program(FILE *to)
{
    fputs("nearshelf talks to a Nearshelf engine: where is each order best shipped from?\n\n"
          "usage: nearshelf [FLAGS] COMMAND ...\n\n",
          to);
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        fprintf(to, "  %-12s %s\n", command->name, command->summary);
    }
    fputs("\nflags of every command:\n", to);
    print_flags(cli_flags, to);
    fputs("\nexit codes: 0 done, 1 error, 2 wrong usage, 3 refused (with --fail-on-refusal)\n", to);
}

void cli_help_print(const struct cli_command *command, FILE *to)
{
    if (!command) {
        print_program(to);
        return;
    }
    fprintf(to, "usage: nearshelf %s %s\n%s\n", command->name, command->usage, command->summary);
    if (command->text) {
        fprintf(to, "\n%s", command->text);
    }
    if (command->flags->name) {
        fputs("\nflags:\n", to);
        print_flags(command->flags, to);
    }
    fputs("\nflags of every command:\n", to);
    print_flags(cli_flags, to);
}

/* The only word of a command, NULL if none. ARGS_END, ARGS_HELP or ARGS_BAD. */
static int one_word(struct cli *cli, const char *name, int argc, char **argv, const char **word_out)
{
    struct cli_args args = {
        .cli = cli, .command = cli_command_find(name), .argc = argc, .argv = argv};
    int got;
    *word_out = NULL;
    while ((got = cli_args_next(&args)) == ARGS_WORD) {
        if (*word_out) {
            cli_complain("one word too many: %s", args.value);
            return ARGS_BAD;
        }
        *word_out = args.value;
    }
    return got;
}

enum cli_exit cli_run_help(struct cli *cli, int argc, char **argv)
{
    const char *word;
    int got = one_word(cli, "help", argc, argv, &word);
    if (got != ARGS_END) {
        return got == ARGS_HELP ? CLI_OK : CLI_USAGE;
    }
    const struct cli_command *command = word ? cli_command_find(word) : NULL;
    if (word && !command) {
        return CLI_USAGE;
    }
    cli_help_print(command, stdout);
    return CLI_OK;
}

static void complete_flags(const struct cli_flag *flags)
{
    for (; flags->name; flags++) {
        printf(" %s", flags->name);
    }
}

static void complete_command(const struct cli_command *command)
{
    printf("    %s) words=\"%s", command->name, command->words ? command->words : "");
    complete_flags(command->flags);
    puts("\" ;;");
}

static void complete_values(const struct cli_flag *flags)
{
    for (; flags->name; flags++) {
        if (flags->words) {
            printf("    %s) COMPREPLY=($(compgen -W \"%s\" -- \"$word\")); return ;;\n",
                   flags->name, flags->words);
        }
    }
}

static void print_bash(void)
{
    puts("_nearshelf() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]}\n"
         "  local command= words= i\n"
         "  COMPREPLY=()\n"
         "  case $last in");
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        complete_values(command->flags);
    }
    puts("  esac\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do\n"
         "    case ${COMP_WORDS[i]} in --address|--timeout) ((i++)) ;; -*) ;;\n"
         "      *) command=${COMP_WORDS[i]}; break ;; esac\n"
         "  done\n"
         "  case $command in");
    printf("    '') words=\"");
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        printf("%s%s", command == cli_commands ? "" : " ", command->name);
    }
    puts("\" ;;");
    for (const struct cli_command *command = cli_commands; command->name; command++) {
        complete_command(command);
    }
    printf("  esac\n  words=\"$words");
    complete_flags(cli_flags);
    puts("\"\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n"
         "  if [[ $command == import && ${#COMPREPLY[@]} -eq 0 ]]; then\n"
         "    COMPREPLY=($(compgen -f -- \"$word\"))\n"
         "  fi\n"
         "}\n"
         "complete -F _nearshelf nearshelf");
}

enum cli_exit cli_run_completion(struct cli *cli, int argc, char **argv)
{
    const char *shell;
    int got = one_word(cli, "completion", argc, argv, &shell);
    if (got != ARGS_END) {
        return got == ARGS_HELP ? CLI_OK : CLI_USAGE;
    }
    if (!shell || strcmp(shell, "bash") != 0) {
        cli_complain("completion: only bash is there: nearshelf completion bash");
        return CLI_USAGE;
    }
    print_bash();
    return CLI_OK;
}
