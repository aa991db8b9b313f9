/* The running daemon: sockets, service and log on one loop, from start to the end of the process.
 *
 * One thread, the engine loop. daemon_run comes back when the daemon was told to stop, could not
 * start, or its log failed. */
#ifndef DAEMON_H
#define DAEMON_H

#include <stddef.h>

#include "config.h"
#include "tables.h"

/* What the process ends with; documented in --help. */
enum daemon_exit {
    DAEMON_EXIT_STOPPED = 0,
    DAEMON_EXIT_NOT_STARTED = 1, /* configuration, folder, address; or a second signal */
    DAEMON_EXIT_LOG_FAILED = 3 /* or memory ended behind a logged change (service.h) */
};

enum { DAEMON_NET_ARENA = 256 << 10 };

/* Whether the settings go together: limits within `memory`, addresses that may be listened on.
 * What is wrong is said on stderr. */
bool daemon_check(const struct config *config);

/* What the process may take at most, in bytes: the sum of all limits. */
uint64_t daemon_memory(const struct config *config);

/* Whether `memory` allows a checkpoint's child beside the daemon; else why_out says what is
 * needed. */
bool daemon_child_fits(const struct config *config, char *why_out, size_t size);

/* Recover, serve, and drain on SIGTERM or SIGINT. Gives the exit code; everything that went
 * wrong was said on stderr. config is borrowed. */
enum daemon_exit daemon_run(const struct config *config);

#endif
