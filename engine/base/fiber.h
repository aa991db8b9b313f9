/* A second stack on the same thread: a function that can stop in its middle and go on later.
 *
 * The caller enters with fiber_run and is back when the function has ended or has called
 * fiber_pause; then fiber_run goes on behind the pause. Nothing runs at the same time, there is no
 * scheduler and no lock. One function at a time; the stack is made once and used again.
 *
 * One thread: that which calls fiber_run, always the same one while the function is under way. */
#ifndef BASE_FIBER_H
#define BASE_FIBER_H

#include <stdbool.h>
#include <stddef.h>

#include "err.h"

struct fiber;

typedef void fiber_main(void *owner);

/* stack_size bytes, touched ahead of their use, above a page that ends the process when it is
 * reached. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err fiber_new(size_t stack_size, struct fiber **out);

/* Also while its function has paused: what that held is forgotten. NULL is fine. */
void fiber_free(struct fiber *fiber);

/* Begin main(owner). True: it paused, fiber_go_on is to be called. Not from within. */
bool fiber_run(struct fiber *fiber, fiber_main *main, void *owner);

/* Go on behind the pause. Returns as fiber_run does. */
bool fiber_go_on(struct fiber *fiber);

/* Leave the function that runs on the fiber; returns when somebody goes on with it. */
void fiber_pause(struct fiber *fiber);

/* Whether the caller is the function that runs on it. */
bool fiber_is_inside(const struct fiber *fiber);

/* Whether its function has paused. */
bool fiber_is_paused(const struct fiber *fiber);

#endif
