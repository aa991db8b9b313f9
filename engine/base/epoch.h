/* Blocks of memory that one thread replaces while others read them: each is freed when nobody
 * can be reading it any more.
 *
 *   writer:  store the new pointer (seq_cst), epoch_retire(old); epoch_turn once in a while
 *   reader:  epoch_enter, load pointers (seq_cst), read, epoch_leave; keep none of them
 *
 * A reader that entered before the pointer was replaced may hold the old block until it leaves; one
 * that entered after it finds the new one. So a block is free once each reader was seen outside, or
 * inside again, after it was retired. Readers never wait. The writer waits in one case: when
 * EPOCH_BLOCKS_MAX blocks or EPOCH_BYTES_MAX bytes are retired and a reader stands inside; a
 * reader must not block while it does.
 *
 * Field          written by     read by
 * turn           its reader     writer      seq_cst
 * all else       writer         writer
 */
#ifndef BASE_EPOCH_H
#define BASE_EPOCH_H

#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { EPOCH_READERS_MAX = 16, EPOCH_BLOCKS_MAX = 4096, EPOCH_BYTES_MAX = 64 << 20 };

struct epoch;

/* For 1 to EPOCH_READERS_MAX readers, numbered from 0. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err epoch_new(uint32_t readers, struct epoch **out);

/* Free it and all that is retired; no reader is inside. NULL is fine. */
void epoch_free(struct epoch *epoch);

/* -- the reader's thread -- */

void epoch_enter(struct epoch *epoch, uint32_t reader);
void epoch_leave(struct epoch *epoch, uint32_t reader);

/* -- the writer's thread -- */

/* Free the block, as soon as it may be; at once where epoch is NULL. block NULL: nothing to do. */
void epoch_retire(struct epoch *epoch, void *block, size_t size);

/* Free what may be freed. Cheap when nothing is retired. NULL is fine. */
void epoch_turn(struct epoch *epoch);

/* Blocks that wait. */
uint32_t epoch_retired(const struct epoch *epoch);

#endif
