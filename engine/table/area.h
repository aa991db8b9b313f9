/* Areas ("US", "US:9021") and which nodes' rules name them: longest match wins. */
#ifndef TABLE_AREA_H
#define TABLE_AREA_H

#include "network.h"

struct area_entry;

/* Hash of area text -> bitmaps of the slots whose rules take it in, or out. Engine loop only. */
struct area_index {
    struct area_entry *entries; /* open addressing, power of two */
    uint32_t mask;
    uint32_t count;
    uint64_t lengths; /* bit per text length in use */
    uint64_t bits_bytes; /* of the bitmaps */

    /* -- while it grows in pieces; NULL: it does not -- */
    struct area_entry *next;
    uint32_t next_mask;
    uint32_t moved; /* entries of the old table looked at so far */
};

/* False: out of memory. */
bool area_index_init(struct area_index *index);
void area_index_close(struct area_index *index);

/* Bytes that it takes while so many more areas are entered, without their bitmaps. */
uint64_t area_index_bytes(const struct area_index *index, uint64_t more);

/* Take every slot out, keep the areas. */
void area_index_clear(struct area_index *index);

/* How many of the rules name an area that none did before; one named twice counts twice. */
uint32_t area_index_unknown(const struct area_index *index, const struct area *rules,
                            uint32_t count);

/* Make room for more areas, looking at so many entries; until it is done nothing else may change
 * the index. True: it is done, or there is no memory, which area_index_set then says. */
bool area_index_grow(struct area_index *index, uint32_t more, uint32_t steps);

/* Make the entries and bitmaps that area_index_set of slot will write to. No match changes by it.
 * False: out of memory. */
bool area_index_ready(struct area_index *index, const struct area *rules, uint32_t count,
                      uint32_t slot);

/* Put the slot in (or take it out of) the bitmaps of its rules. False: out of memory. */
bool area_index_set(struct area_index *index, const struct area *rules, uint32_t count,
                    uint32_t slot, bool is_in);

/* For each area that holds the destination, longest first: slots not yet decided are set in out
 * if the rule takes in, and marked decided either way. words words each. */
void area_index_match(const struct area_index *index, const char *country, const char *postcode,
                      uint32_t words, slot_bits *out, slot_bits *decided);

#endif
