/* Short ids and the way back from an id to its number: fixed 16-byte names in an open table. */
#ifndef LOADGEN_ID_INDEX_H
#define LOADGEN_ID_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define ID_NONE UINT32_MAX /* no number */

enum { ID_SIZE_MAX = 15 };

/* An id in memory of fixed size; bytes behind size are 0. */
struct id_name {
    char at[ID_SIZE_MAX];
    uint8_t size;
};

/* Numbers 0 to count-1 in order of id_index_add. Owner: whoever called id_index_init. */
struct id_index {
    struct id_name *names;
    uint32_t *slots; /* number + 1, 0 = empty */
    uint32_t count;
    uint32_t capacity; /* of names */
    uint32_t mask;     /* of slots */
};

/* Room for capacity ids.
 *
 * Errors:
 *   ERR_NOMEM  no memory.
 */
ERR_MUST_USE enum err id_index_init(struct id_index *index, uint32_t capacity);
void id_index_close(struct id_index *index);

/* The number of id, added if it is new; ID_NONE if it is empty, too long or one too many. */
uint32_t id_index_add(struct id_index *index, const char *id, uint32_t size);

/* The number of id, or ID_NONE. */
uint32_t id_index_find(const struct id_index *index, const char *id, uint32_t size);

#endif
