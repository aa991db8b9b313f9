/* A core of its own for the engine's thread: it runs on the first of the cores that the process was
 * given, all other threads, and the checkpoint, on the rest. Without it a scheduler that packs
 * threads together may let the loop wait behind a client or a helper while a core is idle.
 *
 * Who wants other cores than 0 and up starts the daemon by taskset. */
#ifndef LOOP_CORE_H
#define LOOP_CORE_H

#include <pthread.h>
#include <sched.h>
#include <stdbool.h>

/* Owner: the main thread. All zero: nothing is pinned. */
struct loop_core {
    cpu_set_t own;  /* one core */
    cpu_set_t rest; /* what threads are born with */
    bool is_on;
};

/* Before any thread is made: leave the core that will be the loop's. False: there is only one core,
 * or the kernel refuses; nothing is pinned then. */
bool loop_core_choose(struct loop_core *core);

/* Once the threads of the start are there: this thread goes to its core. */
void loop_core_take(const struct loop_core *core);

/* Attributes with which a later thread is born on the rest of the cores; the caller destroys
 * them. */
void loop_core_attributes(const struct loop_core *core, pthread_attr_t *attributes_out);

#endif
