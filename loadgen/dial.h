/* Connects to an engine: HOST:PORT or unix:PATH. */
#ifndef LOADGEN_DIAL_H
#define LOADGEN_DIAL_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

/* Connect, then make the socket non-blocking and, over TCP, without delay. The caller closes it.
 *
 * Errors (why_out tells more):
 *   ERR_INVALID  the address.
 *   ERR_SYS      nobody there, or no socket to be had.
 */
ERR_MUST_USE enum err dial(const char *address, int *fd_out, char *why_out, size_t why_size);

/* Raise the limit of open files to count if it is lower; what cannot be had shows in dial. */
void dial_raise_files(uint32_t count);

#endif
