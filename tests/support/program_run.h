/* Runs programs for tests: one to its end with its output kept, or an engine in the background. */
#ifndef TESTS_PROGRAM_RUN_H
#define TESTS_PROGRAM_RUN_H

#include <stdbool.h>
#include <sys/types.h>

enum { RAN_TEXT_SIZE = 16384 };

/* How a run ended. The caller frees it. */
struct ran {
    int code; /* exit code, or -1 after a signal */
    char out[RAN_TEXT_SIZE];
    char err[RAN_TEXT_SIZE];
};

/* Run words[0] with its arguments (ends with NULL) to its end; input is its standard input,
 * address its $NEARSHELF_ADDRESS. */
struct ran *program_run(const char *const *words, const char *address, const char *input);

/* An engine in the background; stderr goes where the test's goes. */
struct engine {
    pid_t pid;
    char address[128];
};

/* Start the engine and wait for its first line. address is where it listens; port 0 = a free
 * one. False: it did not say `ready`. */
bool engine_start(struct engine *engine, const char *program, const char *dir, const char *address);

/* Send signal and wait. The exit code, or -1 after a signal. */
int engine_stop(struct engine *engine, int signal);

#endif
