/* Threads beside the engine loop. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "err.h"

/* A thread born with all signals blocked: they are the engine loop's business. name, up to 15
 * bytes, is what people see of it; NULL: its parent's. attributes may be NULL. Errors: ERR_NOMEM,
 * ERR_SYS: no thread to be had. */
ERR_MUST_USE enum err thread_start(pthread_t *thread_out, const pthread_attr_t *attributes,
                                   const char *name, void *(*run)(void *owner), void *owner);

/* The calling thread, which works little and often, need not wait for the slice of one that works
 * much: it asks the kernel for slices of THREAD_SLICE_NS (Linux 6.12 and later; others ignore it).
 * Nothing goes by it but how soon the thread runs after it woke. */
#define THREAD_SLICE_NS 100000u
void thread_be_prompt(void);

#endif
