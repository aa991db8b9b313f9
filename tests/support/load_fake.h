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

/* End it. */
void load_fake_stop(struct load_fake *fake);

#endif
