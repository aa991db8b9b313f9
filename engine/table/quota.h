/* Units of cells that are kept for a channel: quotas, in chains of which each is the policy of one
 * cell (policy.h).
 *
 * What a channel's orders and reservations take counts against its quota first, what they give back
 * unshipped comes back to it; what left the building is used up. Those that are older than the
 * quota do not count, and so can give nothing back to it either.
 *
 * A channel is known by a hash of its name with the fixed seed; 0 is no channel. Engine loop
 * only. */
#ifndef TABLE_QUOTA_H
#define TABLE_QUOTA_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"

#define QUOTA_NONE 0u /* no quota: indices start at 1 */

enum {
    QUOTAS_EACH_MAX = 16,     /* of one cell */
    QUOTA_CHANNELS_MAX = 1000 /* different names, of all cells since the start */
};

struct quota {
    uint64_t since; /* LSN that set it */
    uint32_t qty;
    uint32_t taken; /* units that the channel holds or has shipped since; may be above qty */
    uint32_t next;  /* of the same cell */
    uint32_t channel; /* of quotas->channels */
};

struct quota_channel;

struct quotas {
    struct quota *pool; /* 1 to room, grows */
    struct quota_channel *channels;
    uint32_t used, room;
    uint32_t free_head;
    uint32_t count; /* live ones */
    uint32_t channel_count;
};

void quotas_init(struct quotas *quotas);
void quotas_close(struct quotas *quotas);

/* Bytes of the names of channels. */
uint64_t quotas_names_bytes(const struct quotas *quotas);

/* The channel of a name; len 0 = none. */
uint64_t quota_channel(const char *name, uint32_t len);

/* Whether the name is among those in use: else a quota of it is one name more. */
bool quotas_know(const struct quotas *quotas, const char *name, uint32_t len);

/* Append one to the chain of *first. Errors: ERR_FULL (too many names), ERR_NOMEM. */
ERR_MUST_USE enum err quotas_add(struct quotas *quotas, uint32_t *first, const char *name,
                                 uint32_t len, const struct quota *what);

/* Take the whole chain out. */
void quotas_drop(struct quotas *quotas, uint32_t first);

/* The quota of the channel in the chain, or NULL. Valid until the next quotas_add. */
struct quota *quotas_find(const struct quotas *quotas, uint32_t first, uint64_t channel);

static inline const struct quota *quotas_at(const struct quotas *quotas, uint32_t index)
{
    return &quotas->pool[index];
}

/* Its channel, and the name of that. */
uint64_t quotas_channel_of(const struct quotas *quotas, const struct quota *quota);
const char *quotas_name_of(const struct quotas *quotas, const struct quota *quota,
                           uint32_t *len_out);

/* Units still kept: not taken yet. */
static inline uint32_t quota_left(const struct quota *quota)
{
    return quota->taken < quota->qty ? quota->qty - quota->taken : 0;
}

/* Units that the chain keeps from the channel: what is left for all others. */
uint64_t quotas_fenced(const struct quotas *quotas, uint32_t first, uint64_t channel);

#endif
