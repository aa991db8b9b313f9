/* Quotas in one pool with a free list; names of channels are kept once. */
#include "quota.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "hash.h"
#include "network.h"

struct quota_channel {
    uint64_t hash;
    uint32_t len;
    char name[ID_MAX];
};

void quotas_init(struct quotas *quotas)
{
    memset(quotas, 0, sizeof *quotas);
}

void quotas_close(struct quotas *quotas)
{
    free(quotas->pool);
    free(quotas->channels);
    memset(quotas, 0, sizeof *quotas);
}

uint64_t quotas_names_bytes(const struct quotas *quotas)
{
    return quotas->channels ? QUOTA_CHANNELS_MAX * sizeof *quotas->channels : 0;
}

uint64_t quota_channel(const char *name, uint32_t len)
{
    return len ? hash_fixed(name, len) | 1 : 0;
}

static uint32_t channel_find(const struct quotas *quotas, uint64_t hash)
{
    uint32_t i = 0;
    while (i < quotas->channel_count && quotas->channels[i].hash != hash) {
        i++;
    }
    return i;
}

bool quotas_know(const struct quotas *quotas, const char *name, uint32_t len)
{
    return channel_find(quotas, quota_channel(name, len)) < quotas->channel_count;
}

static enum err channel_need(struct quotas *quotas, const char *name, uint32_t len, uint32_t *out)
{
    uint64_t hash = quota_channel(name, len);
    CHECK(len > 0);
    CHECK(len <= ID_MAX);
    *out = channel_find(quotas, hash);
    if (*out < quotas->channel_count) {
        return ERR_OK;
    }
    if (quotas->channel_count == QUOTA_CHANNELS_MAX) {
        return ERR_FULL;
    }
    if (!quotas->channels) {
        quotas->channels = calloc(QUOTA_CHANNELS_MAX, sizeof *quotas->channels);
    }
    if (!quotas->channels) {
        return ERR_NOMEM;
    }
    struct quota_channel *channel = &quotas->channels[quotas->channel_count++];
    channel->hash = hash;
    channel->len = len;
    memcpy(channel->name, name, len);
    return ERR_OK;
}

/* A free place of the pool, 0 = no memory. */
static uint32_t place_need(struct quotas *quotas)
{
    if (quotas->free_head) {
        uint32_t index = quotas->free_head;
        quotas->free_head = quotas->pool[index].next;
        return index;
    }
    if (quotas->used + 1 >= quotas->room) {
        uint32_t room = quotas->room ? quotas->room * 2 : 64;
        struct quota *pool = realloc(quotas->pool, (size_t)room * sizeof *pool);
        if (!pool) {
            return 0;
        }
        quotas->pool = pool;
        quotas->room = room;
    }
    return ++quotas->used;
}

enum err quotas_add(struct quotas *quotas, uint32_t *first, const char *name, uint32_t len,
                    const struct quota *what)
{
    uint32_t channel;
    enum err err = channel_need(quotas, name, len, &channel);
    uint32_t index = err == ERR_OK ? place_need(quotas) : 0;
    if (!index) {
        return err == ERR_OK ? ERR_NOMEM : err;
    }
    quotas->pool[index] = *what;
    quotas->pool[index].next = QUOTA_NONE;
    quotas->pool[index].channel = channel;
    quotas->count++;
    uint32_t *link = first;
    while (*link) {
        link = &quotas->pool[*link].next;
    }
    *link = index;
    return ERR_OK;
}

void quotas_drop(struct quotas *quotas, uint32_t first)
{
    while (first) {
        uint32_t next = quotas->pool[first].next;
        quotas->pool[first].next = quotas->free_head;
        quotas->free_head = first;
        quotas->count--;
        first = next;
    }
}

struct quota *quotas_find(const struct quotas *quotas, uint32_t first, uint64_t channel)
{
    for (uint32_t i = first; i; i = quotas->pool[i].next) {
        if (quotas_channel_of(quotas, &quotas->pool[i]) == channel) {
            return &quotas->pool[i];
        }
    }
    return NULL;
}

uint64_t quotas_channel_of(const struct quotas *quotas, const struct quota *quota)
{
    return quotas->channels[quota->channel].hash;
}

const char *quotas_name_of(const struct quotas *quotas, const struct quota *quota,
                           uint32_t *len_out)
{
    *len_out = quotas->channels[quota->channel].len;
    return quotas->channels[quota->channel].name;
}

uint64_t quotas_fenced(const struct quotas *quotas, uint32_t first, uint64_t channel)
{
    uint64_t fenced = 0;
    for (uint32_t i = first; i; i = quotas->pool[i].next) {
        const struct quota *quota = &quotas->pool[i];
        fenced += quotas_channel_of(quotas, quota) == channel ? 0 : quota_left(quota);
    }
    return fenced;
}
