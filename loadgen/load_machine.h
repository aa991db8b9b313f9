/* One line about the machine that figures come from. */
#ifndef LOADGEN_LOAD_MACHINE_H
#define LOADGEN_LOAD_MACHINE_H

#include <stddef.h>

/* "CPU model, n cores, kernel"; what cannot be told is "?". */
void load_machine_tell(char *out, size_t size);

#endif
