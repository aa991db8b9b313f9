/* Memory of libuv: it aborts where the list of its watched files cannot grow, which a new
 * connection may ask for. Here the list is as long as it will ever be from the start, and if
 * memory ends even then, the process ends with a message and an exit code.
 *
 * One thread, before any loop is made. */
#ifndef LOOP_MEMORY_H
#define LOOP_MEMORY_H

#include <stdbool.h>
#include <uv.h>

/* From now on libuv takes its memory through here; it ends the process with exit_code. Only the
 * first call sets the functions, later ones the code. */
void loop_memory_take(int exit_code);

/* Room for watching files of numbers below files. poll is used for it, and is the loop's until that
 * has run. False: no such file can be had, the list grows with its files. */
bool loop_memory_files(uv_loop_t *loop, uv_poll_t *poll, int files);

#endif
