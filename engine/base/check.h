/* Assertions that stay on in every build. A failing one is a programmer error: it prints
 * the condition, the place and the last notes of the event ring, then aborts. */
#ifndef BASE_CHECK_H
#define BASE_CHECK_H

#define CHECK(cond)                                                                                \
    do {                                                                                           \
        if (__builtin_expect(!(cond), 0)) {                                                        \
            check_failed(#cond, __FILE__, __LINE__);                                               \
        }                                                                                          \
    } while (0)

/* Too slow for release: on in builds without optimization and under a sanitizer. */
#if !defined(__OPTIMIZE__) || defined(NEARSHELF_SANITIZED)
#define DCHECK(cond) CHECK(cond)
#else
#define DCHECK(cond) ((void)sizeof(cond))
#endif

#define CHECK_UNREACHABLE(why) check_failed("unreachable: " why, __FILE__, __LINE__)

/* Print condition, place and the event ring to stderr, then abort. Any thread. */
_Noreturn void check_failed(const char *condition, const char *file, int line);

/* Leave a note in the ring of the last 32 events; what must be a string literal. Any thread. */
void check_note(const char *what, unsigned long a, unsigned long b);

#endif
