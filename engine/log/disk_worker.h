/* One helper thread with one slot: takes a job, runs it, rings an eventfd. The owner thread
 * starts jobs and takes results; the worker thread only runs them. */
#ifndef LOG_DISK_WORKER_H
#define LOG_DISK_WORKER_H

#include <pthread.h>
#include <stdbool.h>

#include "err.h"

typedef enum err worker_job(void *owner);

enum worker_state { WORKER_IDLE, WORKER_ASKED, WORKER_DONE };

struct worker {
    /* -- set at start, read by both -- */
    pthread_t thread;
    int event_fd; /* rung once per finished job; not owned */
    bool is_started;
    bool is_prompt; /* thread_be_prompt */
    /* -- under mutex -- */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    enum worker_state state;
    bool is_ending;
    worker_job *job;
    void *owner;
    enum err result;
};

/* name: of the thread, as `top -H` shows it; at most 15 bytes. is_prompt: its jobs are short, and
 * somebody waits for them. */
ERR_MUST_USE enum err worker_start(struct worker *worker, int event_fd, const char *name,
                                   bool is_prompt);

/* Make event_fd readable, as a finished job does. */
void worker_ring(int event_fd);

/* Run job(owner) on the thread. The slot must be free. */
void worker_ask(struct worker *worker, worker_job *job, void *owner);

/* The result of a finished job, once; false when there is none. */
bool worker_take(struct worker *worker, enum err *result_out);

/* Wait for the running job, end the thread. Fine on one that never started. */
void worker_stop(struct worker *worker);

#endif
