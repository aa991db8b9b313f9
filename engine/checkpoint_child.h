/* The checkpoint as a process of its own: the same binary, niced, with none of the daemon's files,
 * dead when the daemon is. The daemon's loop starts it and hears of its end; a thread of its own
 * spawns it (a vfork stops the thread that calls it), reads its answer and waits for its exit. */
#ifndef CHECKPOINT_CHILD_H
#define CHECKPOINT_CHILD_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "checkpoint.h"
#include "err.h"

/* What the child is to do; handed over as an argument, in hexadecimal. */
struct child_request {
    uint64_t magic; /* CHILD_MAGIC: the same build */
    struct tables_options tables;
    uint64_t lsn;
    uint64_t rate;
    int64_t parent; /* pid */
    uint32_t is_buffered;
    uint32_t has_small_pages;
};

#define CHILD_MAGIC (0x4e53484348494c00u + sizeof(struct child_request))
#define CHILD_FLAG  "--checkpoint"

/* What it answers, on its stdout. */
struct child_result {
    uint64_t magic;
    enum err err;
    struct checkpoint_made made;
    char why[WAL_ERROR_SIZE];
};

/* Owned by the daemon. All zeros is one that does not run. */
struct child {
    /* -- set at start -- */
    const char *dir;
    struct child_request request;
    void (*ended)(void *owner); /* on the child's thread, once, the last thing it does */
    void *owner;
    pthread_t thread;
    bool is_started; /* loop thread */
    /* -- under mutex -- */
    pthread_mutex_t mutex;
    int64_t pid; /* 0 = none that may be killed */
    bool is_unwanted;
    /* -- written by the thread before ended -- */
    struct child_result result;
};

/* attributes: of the thread, and so the cores of the process. Errors: ERR_SYS: no thread to be had.
 * dir is borrowed until child_take or child_stop. */
ERR_MUST_USE enum err child_start(struct child *child, const char *dir,
                                  const struct child_request *request,
                                  const pthread_attr_t *attributes,
                                  void (*ended)(void *owner), void *owner);

/* After ended: the result. It may be started again. */
void child_take(struct child *child, struct child_result *result_out);

/* Kill it, if it runs, and wait for its thread. */
void child_stop(struct child *child);

/* The child's own main: argv is the program, CHILD_FLAG, the folder, the request. */
int child_main(int argc, char **argv);

#endif
