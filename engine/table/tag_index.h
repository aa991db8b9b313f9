/* An index that grows with what it holds: open addressing over slots of 8 bytes, a tag of 32 bits
 * and a value, 0 = empty. The owner's rows tell whose a tag is; equal tags stand behind each other.
 *
 * Address space and memory are there for the most from the start on; used is only its beginning,
 * so that few entries are on few pages and their addresses stay translated. When it is five eighths
 * full the used part doubles, a few slots at each entry: an entry's home is its tag scaled to the
 * used part, so that homes are moved from the last one down, to where nothing is yet. Slots below
 * `split` are still where they were. Nothing wraps around; some slots behind the last home take
 * what is pushed over the end.
 *
 * Where entries stand is in no record and no digest. Engine loop only. */
#ifndef TABLE_TAG_INDEX_H
#define TABLE_TAG_INDEX_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

struct tag_slot {
    uint32_t tag;
    uint32_t value; /* 0 = empty */
};

struct tag_index {
    struct tag_slot *slots;
    uint64_t size;     /* homes in use, a power of two; twice that from split on */
    uint64_t split;    /* the first home that has moved; size = none is to move */
    uint64_t size_max; /* homes at the most */
    uint64_t live;
};

/* homes: at the least when it is full grown, at most 2^40; a third or so more than entries. */
ERR_MUST_USE enum err tag_index_init(struct tag_index *index, uint64_t homes);
void tag_index_close(struct tag_index *index);

/* Bytes reserved, and touched at the start, for so many homes. */
uint64_t tag_index_memory(uint64_t homes);

/* Where to look for a tag: from there slot by slot, up to an empty one. */
static inline struct tag_slot *tag_index_home(const struct tag_index *index, uint32_t tag)
{
    const uint64_t home = ((uint64_t)tag * index->size) >> 32;
    return &index->slots[home < index->split ? home : ((uint64_t)tag * index->size * 2) >> 32];
}

/* Before each new entry, before its slot is looked for: the next step of growing, if any. */
void tag_index_step(struct tag_index *index);

/* Enter into an empty slot that was come to from the tag's home. */
void tag_index_put(struct tag_index *index, struct tag_slot *slot, uint32_t tag, uint32_t value);

/* Take out an entry; those behind it close up. */
void tag_index_remove(struct tag_index *index, struct tag_slot *slot);

#endif
