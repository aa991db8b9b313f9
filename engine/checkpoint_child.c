/* Spawn, read, wait; and the other side of it. */
#include "checkpoint_child.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "disk.h"
#include "mem.h"
#include "thread.h"

extern char **environ;

enum {
    HEX_SIZE = 2 * sizeof(struct child_request) + 1,
    NICE = 10,
    IOPRIO_WHO_PROCESS = 1,
    IOPRIO_LEAST = 2 << 13 | 7 /* best effort, the last level */
};

/* -- the daemon's side -- */

__attribute__((format(printf, 3, 4))) static void failed(struct child *child, enum err err,
                                                         const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    child->result = (struct child_result){.magic = CHILD_MAGIC, .err = err};
    vsnprintf(child->result.why, sizeof child->result.why, format, arguments);
    va_end(arguments);
}

static void hex_put(const void *bytes, size_t size, char *out)
{
    for (size_t i = 0; i < size; i++) {
        snprintf(out + 2 * i, 3, "%02x", ((const uint8_t *)bytes)[i]);
    }
}

/* None of the daemon's files, signals as at the beginning of a process. */
static int spawn(struct child *child, int answer_fd, pid_t *pid_out)
{
    char hex[HEX_SIZE];
    char name[] = "nearshelfd";
    char flag[] = CHILD_FLAG;
    char *const arguments[] = {name, flag, (char *)(uintptr_t)child->dir, hex, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    hex_put(&child->request, sizeof child->request, hex);
    CHECK(posix_spawn_file_actions_init(&actions) == 0);
    CHECK(posix_spawnattr_init(&attributes) == 0);
    int error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    error = error ? error : posix_spawn_file_actions_adddup2(&actions, answer_fd, 1);
    error = error ? error : posix_spawn_file_actions_addclosefrom_np(&actions, 3);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (!error) {
        error = posix_spawn(pid_out, "/proc/self/exe", &actions, &attributes, arguments, environ);
    }
    posix_spawn_file_actions_destroy(&actions);
    posix_spawnattr_destroy(&attributes);
    return error;
}

/* Whether a whole answer came before the pipe ended. */
static bool read_answer(int fd, struct child_result *result)
{
    size_t got = 0;
    for (;;) {
        const ssize_t more = read(fd, (char *)result + got, sizeof *result - got);
        if (more < 0 && errno == EINTR) {
            continue;
        }
        if (more <= 0) {
            break;
        }
        got += (size_t)more;
        if (got == sizeof *result) {
            break;
        }
    }
    return got == sizeof *result && result->magic == CHILD_MAGIC;
}

/* Its pid may be killed until it was waited for. */
static int wait_for(struct child *child, pid_t pid)
{
    siginfo_t info;
    int status = 0;
    while (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOWAIT) != 0 && errno == EINTR) {
    }
    pthread_mutex_lock(&child->mutex);
    child->pid = 0;
    pthread_mutex_unlock(&child->mutex);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static void pid_set(struct child *child, pid_t pid)
{
    pthread_mutex_lock(&child->mutex);
    child->pid = pid;
    if (child->is_unwanted) {
        kill(pid, SIGKILL);
    }
    pthread_mutex_unlock(&child->mutex);
}

static void run(struct child *child)
{
    int fds[2];
    pid_t pid;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        failed(child, ERR_SYS, "pipe: %s", strerror(errno));
        return;
    }
    const int error = spawn(child, fds[1], &pid);
    close(fds[1]);
    if (error) {
        close(fds[0]);
        failed(child, err_from_errno(error), "starting the child: %s", strerror(error));
        return;
    }
    pid_set(child, pid);
    const bool is_answered = read_answer(fds[0], &child->result);
    close(fds[0]);
    const int status = wait_for(child, pid);
    if (!is_answered || (child->result.err == ERR_OK && status != 0)) {
        failed(child, ERR_SYS, "the child ended with %s %d and without an answer",
               WIFSIGNALED(status) ? "signal" : "exit code",
               WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
}

static void *work(void *argument)
{
    struct child *child = argument;
    run(child);
    child->ended(child->owner);
    return NULL;
}

enum err child_start(struct child *child, const char *dir, const struct child_request *request,
                     const pthread_attr_t *attributes, void (*ended)(void *owner), void *owner)
{
    CHECK(!child->is_started);
    *child = (struct child){.dir = dir, .request = *request, .ended = ended, .owner = owner};
    child->request.magic = CHILD_MAGIC;
    child->request.parent = getpid();
    pthread_mutex_init(&child->mutex, NULL);
    const enum err err = thread_start(&child->thread, attributes, NULL, work, child);
    child->is_started = err == ERR_OK;
    return err;
}

void child_take(struct child *child, struct child_result *result_out)
{
    CHECK(child->is_started);
    pthread_join(child->thread, NULL);
    pthread_mutex_destroy(&child->mutex);
    child->is_started = false;
    *result_out = child->result;
}

void child_stop(struct child *child)
{
    struct child_result result;
    if (!child->is_started) {
        return;
    }
    pthread_mutex_lock(&child->mutex);
    child->is_unwanted = true;
    if (child->pid) {
        kill((pid_t)child->pid, SIGKILL);
    }
    pthread_mutex_unlock(&child->mutex);
    child_take(child, &result);
}

/* -- the child's side -- */

static bool hex_get(const char *hex, void *out, size_t size)
{
    if (strlen(hex) != 2 * size) {
        return false;
    }
    for (size_t i = 0; i < size; i++) {
        unsigned value;
        if (sscanf(hex + 2 * i, "%2x", &value) != 1) {
            return false;
        }
        ((uint8_t *)out)[i] = (uint8_t)value;
    }
    return true;
}

/* Behind everybody: last for the processor and the disk, first to go when memory runs out, gone
 * with the daemon. False: it is gone already. */
static bool step_back(const struct child_request *request)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != (pid_t)request->parent) {
        return false;
    }
    (void)setpriority(PRIO_PROCESS, 0, NICE);
    (void)syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, IOPRIO_LEAST);
    FILE *file = fopen("/proc/self/oom_score_adj", "w");
    if (file) {
        (void)fputs("1000", file);
        fclose(file);
    }
    return true;
}

static void make(const char *dir, const struct child_request *request, struct child_result *result)
{
    const struct disk_options where = {.dir = dir,
                                       .access = DISK_CHECKPOINT,
                                       .method = DISK_METHOD_FDATASYNC,
                                       .force_buffered = request->is_buffered != 0};
    struct checkpoint_options options = {
        .tables = request->tables, .lsn = request->lsn, .rate = request->rate};
    mem_pages_set(request->has_small_pages ? MEM_PAGES_SMALL : MEM_PAGES_AUTO);
    result->err = disk_pwrite_new(&where, &options.disk);
    if (result->err != ERR_OK) {
        snprintf(result->why, sizeof result->why, "%s: %s", dir,
                 result->err == ERR_LOCKED ? "a checkpoint is being made by another process"
                                           : err_text(result->err));
        return;
    }
    result->err = checkpoint_make(&options, &result->made, result->why);
    options.disk->ops->free(options.disk);
}

int child_main(int argc, char **argv)
{
    struct child_request request;
    struct child_result result = {.magic = CHILD_MAGIC};
    if (argc != 4 || !hex_get(argv[3], &request, sizeof request) || request.magic != CHILD_MAGIC ||
        !step_back(&request)) {
        fprintf(stderr, "nearshelfd: " CHILD_FLAG " is for the daemon itself; the method "
                        "`snapshot` makes one\n");
        return 1;
    }
    make(argv[2], &request, &result);
    const ssize_t size = write(1, &result, sizeof result);
    return size == (ssize_t)sizeof result && result.err == ERR_OK ? 0 : 1;
}
