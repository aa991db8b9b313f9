/* nearshelfd: the fulfilment routing engine as a process. */
#include <stdio.h>
#include <string.h>

#include "checkpoint_child.h"
#include "config.h"
#include "daemon.h"
#include "mem.h"
#include "say.h"

extern char **environ;

/* Read by jemalloc before main: rows of stock are many megabytes and read at random, so they lie
 * on huge pages, and what is freed is kept for the next rows: given back in pieces of 4 KB it would
 * leave the pages around it small for good. An MALLOC_CONF in the environment still wins. */
const char *malloc_conf = "thp:always,metadata_thp:auto,dirty_decay_ms:-1,muzzy_decay_ms:-1";

static void version(void)
{
    printf("nearshelfd %s (protocol 1, %s)\n", NEARSHELF_VERSION, __VERSION__);
}

static void help(void)
{
    printf("nearshelfd %s, the fulfilment routing engine\n\n"
           "  nearshelfd --dir DIR [--listen ADDRESS]... [--config FILE] [--SETTING VALUE]...\n"
           "  nearshelfd --check-config [--config FILE] ...\n"
           "  nearshelfd --version | --help\n\n"
           "A setting comes from a flag, else from NEARSHELF_SETTING in the environment, else\n"
           "from the file (lines `setting = value`), else from its default.\n\nSettings\n",
           NEARSHELF_VERSION);
    config_help(stdout);
    printf("\nThe first line on stdout is `ready listen=...` when it serves; log lines are on\n"
           "stderr. SIGTERM or SIGINT: what is owed is answered, the log is closed; another one\n"
           "over a second later ends the process at once.\n\n"
           "Exit codes\n"
           "  0  stopped by a signal, or the configuration is valid\n"
           "  1  not started: configuration, data folder or address; or a second signal\n"
           "  3  the log failed while running, or memory ended behind a logged change: nothing\n"
           "     unconfirmed was told; free the disk or replace it, give the process more memory,\n"
           "     then start again\n");
}

/* The build uses these instructions without asking: refuse by name instead of SIGILL. */
static bool cpu_is_good(void)
{
#if defined(__x86_64__)
    __builtin_cpu_init();
    const char *missing = !__builtin_cpu_supports("popcnt")   ? "popcnt"
                          : !__builtin_cpu_supports("sse4.2") ? "sse4.2"
                                                              : NULL;
    if (missing) {
        fprintf(stderr, "nearshelfd: this CPU has no %s: an x86-64-v2 machine is needed\n",
                missing);
        return false;
    }
#endif
    return true;
}

static int check_done(const struct config *config)
{
    if (!daemon_check(config)) {
        return DAEMON_EXIT_NOT_STARTED;
    }
    printf("configuration %s is valid\n", config->file[0] ? config->file : "without a file");
    return DAEMON_EXIT_STOPPED;
}

static int run(const struct config *config)
{
    static const enum say_level levels[] = {
        [CONFIG_LEVEL_DEBUG] = SAY_DEBUG,
        [CONFIG_LEVEL_INFO] = SAY_INFO,
        [CONFIG_LEVEL_WARN] = SAY_WARN,
        [CONFIG_LEVEL_ERROR] = SAY_ERROR,
    };
    if (!config->dir[0]) {
        fprintf(stderr, "nearshelfd: --dir DIR is needed: the folder of the data\n");
        return DAEMON_EXIT_NOT_STARTED;
    }
    say_level_set(levels[config->log_level]);
    mem_pages_set(config->pages == CONFIG_PAGES_SMALL ? MEM_PAGES_SMALL : MEM_PAGES_AUTO);
    return (int)daemon_run(config);
}

int main(int argc, char **argv)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE];
    if (!cpu_is_good()) {
        return DAEMON_EXIT_NOT_STARTED;
    }
    if (argc > 1 && strcmp(argv[1], CHILD_FLAG) == 0) {
        return child_main(argc, argv);
    }
    switch (config_load(&config, argc, argv, environ, error)) {
    case CONFIG_RUN:
        return run(&config);
    case CONFIG_CHECK:
        return check_done(&config);
    case CONFIG_HELP:
        help();
        return DAEMON_EXIT_STOPPED;
    case CONFIG_VERSION:
        version();
        return DAEMON_EXIT_STOPPED;
    case CONFIG_BAD:
        break;
    }
    fprintf(stderr, "nearshelfd: %s\n", error);
    return DAEMON_EXIT_NOT_STARTED;
}
