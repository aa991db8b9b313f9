/* Threads that leave signals to the engine loop. */
#include "thread.h"

#include <signal.h>

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
