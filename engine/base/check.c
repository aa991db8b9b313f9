/* The failing check: condition, place, last events. */
#include "check.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

enum { NOTES = 32 };

struct note {
    _Atomic(const char *) what; /* literal, NULL while never written */
    atomic_ulong a;
    atomic_ulong b;
};

static struct note notes[NOTES];
static atomic_uint note_next;

void check_note(const char *what, unsigned long a, unsigned long b)
{
    unsigned i = atomic_fetch_add_explicit(&note_next, 1, memory_order_relaxed) % NOTES;
    atomic_store_explicit(&notes[i].what, what, memory_order_relaxed);
    atomic_store_explicit(&notes[i].a, a, memory_order_relaxed);
    atomic_store_explicit(&notes[i].b, b, memory_order_relaxed);
}

void check_failed(const char *condition, const char *file, int line)
{
    unsigned next = atomic_load_explicit(&note_next, memory_order_relaxed);
    fprintf(stderr, "CHECK failed: %s at %s:%d\n", condition, file, line);
    for (unsigned i = 0; i < NOTES; i++) {
        struct note *note = &notes[(next + i) % NOTES];
        const char *what = atomic_load_explicit(&note->what, memory_order_relaxed);
        if (what) {
            fprintf(stderr, "  note: %s %lu %lu\n", what,
                    atomic_load_explicit(&note->a, memory_order_relaxed),
                    atomic_load_explicit(&note->b, memory_order_relaxed));
        }
    }
    abort();
}
