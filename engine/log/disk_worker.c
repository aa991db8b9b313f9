/* A thread, a mutex, one slot: enough for one write or one file at a time. */
#include "disk_worker.h"

#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include "check.h"
#include "thread.h"

void worker_ring(int event_fd)
{
    const uint64_t one = 1;
    const ssize_t size = write(event_fd, &one, sizeof one);
    CHECK(size == (ssize_t)sizeof one);
}

/* Run the asked job outside the mutex. */
static void run(struct worker *worker)
{
    worker_job *job = worker->job;
    void *owner = worker->owner;
    pthread_mutex_unlock(&worker->mutex);
    const enum err result = job(owner);
    pthread_mutex_lock(&worker->mutex);
    worker->result = result;
    worker->state = WORKER_DONE;
    worker_ring(worker->event_fd);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    if (worker->is_prompt) {
        thread_be_prompt();
    }
    pthread_mutex_lock(&worker->mutex);
    while (!worker->is_ending) {
        if (worker->state == WORKER_ASKED) {
            run(worker);
        } else {
            pthread_cond_wait(&worker->changed, &worker->mutex);
        }
    }
    pthread_mutex_unlock(&worker->mutex);
    return NULL;
}

enum err worker_start(struct worker *worker, int event_fd, const char *name, bool is_prompt)
{
    *worker = (struct worker){.event_fd = event_fd, .is_prompt = is_prompt};
    pthread_mutex_init(&worker->mutex, NULL);
    pthread_cond_init(&worker->changed, NULL);
    const enum err err = thread_start(&worker->thread, NULL, name, work, worker);
    worker->is_started = err == ERR_OK;
    return err;
}

void worker_ask(struct worker *worker, worker_job *job, void *owner)
{
    pthread_mutex_lock(&worker->mutex);
    CHECK(worker->state == WORKER_IDLE);
    worker->job = job;
    worker->owner = owner;
    worker->state = WORKER_ASKED;
    pthread_mutex_unlock(&worker->mutex);
    /* Not before: on one core the worker would run, and sleep again for the mutex. */
    pthread_cond_signal(&worker->changed);
}

bool worker_take(struct worker *worker, enum err *result_out)
{
    pthread_mutex_lock(&worker->mutex);
    const bool is_done = worker->state == WORKER_DONE;
    if (is_done) {
        *result_out = worker->result;
        worker->state = WORKER_IDLE;
    }
    pthread_mutex_unlock(&worker->mutex);
    return is_done;
}

void worker_stop(struct worker *worker)
{
    if (!worker->is_started) {
        return;
    }
    pthread_mutex_lock(&worker->mutex);
    worker->is_ending = true;
    pthread_cond_signal(&worker->changed);
    pthread_mutex_unlock(&worker->mutex);
    pthread_join(worker->thread, NULL);
    pthread_cond_destroy(&worker->changed);
    pthread_mutex_destroy(&worker->mutex);
    worker->is_started = false;
}
