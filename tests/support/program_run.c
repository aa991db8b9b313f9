/* Running programs: fork, exec, files for what they say. */
#include "program_run.h"

#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

static void exec_words(const char *const *words)
{
    execv(words[0], (char *const *)(uintptr_t)words);
    _exit(127);
}

static void read_back(FILE *file, char *text)
{
    rewind(file);
    size_t size = fread(text, 1, RAN_TEXT_SIZE - 1, file);
    text[size] = '\0';
    fclose(file);
}

static int wait_for(pid_t pid)
{
    int status;
    CHECK(waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

struct ran *program_run(const char *const *words, const char *address, const char *input)
{
    struct ran *ran = calloc(1, sizeof(*ran));
    FILE *in = tmpfile(), *out = tmpfile(), *err = tmpfile();
    CHECK(ran);
    CHECK(in);
    CHECK(out);
    CHECK(err);
    CHECK(fputs(input, in) >= 0);
    CHECK(fflush(in) == 0);
    rewind(in);
    pid_t child = fork();
    if (child == 0) {
        dup2(fileno(in), STDIN_FILENO);
        dup2(fileno(out), STDOUT_FILENO);
        dup2(fileno(err), STDERR_FILENO);
        setenv("NEARSHELF_ADDRESS", address, 1);
        exec_words(words);
    }
    ran->code = wait_for(child);
    fclose(in);
    read_back(out, ran->out);
    read_back(err, ran->err);
    return ran;
}

/* "ready listen=127.0.0.1:7420 ..." */
static bool ready_parse(const char *line, char *address, size_t size)
{
    static const char prefix[] = "ready listen=";
    if (strncmp(line, prefix, sizeof(prefix) - 1) != 0) {
        return false;
    }
    const char *at = line + sizeof(prefix) - 1;
    snprintf(address, size, "%.*s", (int)strcspn(at, " ,\n"), at);
    return true;
}

/* The engine ends with the test, also where the test is killed. */
bool engine_start(struct engine *engine, const char *program, const char *dir, const char *address)
{
    int ends[2];
    char line[1024] = "";
    const char *const words[] = {program, "--dir", dir, "--listen", address, NULL};
    CHECK(pipe(ends) == 0);
    engine->pid = fork();
    if (engine->pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        exec_words(words);
    }
    close(ends[1]);
    FILE *from = fdopen(ends[0], "r");
    CHECK(from);
    bool is_ready = fgets(line, sizeof(line), from) &&
                    ready_parse(line, engine->address, sizeof(engine->address));
    fclose(from);
    if (!is_ready) {
        engine_stop(engine, SIGKILL);
    }
    return is_ready;
}

int engine_stop(struct engine *engine, int signal)
{
    kill(engine->pid, signal);
    return wait_for(engine->pid);
}
