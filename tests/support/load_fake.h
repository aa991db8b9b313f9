/* A stand-in for the engine, for tests of the load generator: answers every order with one
 * fulfilment from a fixed node, every other call with an empty result or a hello. */
#ifndef TESTS_LOAD_FAKE_H
#define TESTS_LOAD_FAKE_H

#include <stdint.h>
#include <sys/types.h>

struct load_fake {
    pid_t pid;
    uint16_t port; /* on 127.0.0.1 */
};

/* Begin it in a child process. node is the id that ships all orders. False: no socket. */
_Bool load_fake_start(struct load_fake *fake, const char *node);

/* Let it die in ms milliseconds, as by kill -9. */
void load_fake_stop_after(const struct load_fake *fake, unsigned ms);

/* End it, if it still is. */
void load_fake_stop(struct load_fake *fake);

#endif
