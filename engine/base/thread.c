/* Threads that leave signals to the engine loop. */
#include "thread.h"

#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "check.h"

enum err thread_start(pthread_t *thread_out, const pthread_attr_t *attributes, const char *name,
                      void *(*run)(void *owner), void *owner)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    const int error = pthread_create(thread_out, attributes, run, owner);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (error == 0 && name) {
        (void)pthread_setname_np(*thread_out, name); /* for people: nothing goes by it */
    }
    return err_from_errno(error);
}

/* The kernel's struct sched_attr, first version: glibc has none before 2.41. */
struct slice {
    uint32_t size;
    uint32_t policy; /* 0: SCHED_OTHER */
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime_ns; /* of SCHED_OTHER: the slice */
    uint64_t deadline_ns;
    uint64_t period_ns;
};

void thread_be_prompt(void)
{
    struct slice slice;
    if (syscall(SYS_sched_getattr, 0, &slice, sizeof slice, 0) == 0 && slice.policy == 0) {
        slice.size = sizeof slice;
        slice.runtime_ns = THREAD_SLICE_NS;
        (void)syscall(SYS_sched_setattr, 0, &slice, 0);
    }
}
