/* Two lists of retired blocks: those that a grace period runs for, and those retired since it
 * began. It is over when no reader is inside the turn that it was in at its beginning. */
#include "epoch.h"

#include <sched.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"

struct reader_word {
    _Alignas(64) uint64_t turn; /* odd: inside */
};

struct retired {
    void *blocks[EPOCH_BLOCKS_MAX];
    uint32_t count;
    size_t bytes;
};

struct epoch {
    struct reader_word words[EPOCH_READERS_MAX];
    uint32_t readers;
    uint64_t seen[EPOCH_READERS_MAX]; /* turns when the grace period of `waiting` began */
    struct retired waiting, fresh;
};

enum err epoch_new(uint32_t readers, struct epoch **out)
{
    CHECK(readers >= 1);
    CHECK(readers <= EPOCH_READERS_MAX);
    struct epoch *epoch = aligned_alloc(64, (sizeof *epoch + 63) / 64 * 64);
    if (!epoch) {
        return ERR_NOMEM;
    }
    memset(epoch, 0, sizeof *epoch);
    epoch->readers = readers;
    *out = epoch;
    return ERR_OK;
}

static void release(struct retired *list)
{
    for (uint32_t i = 0; i < list->count; i++) {
        free(list->blocks[i]);
    }
    list->count = 0;
    list->bytes = 0;
}

void epoch_free(struct epoch *epoch)
{
    if (epoch) {
        release(&epoch->waiting);
        release(&epoch->fresh);
        free(epoch);
    }
}

void epoch_enter(struct epoch *epoch, uint32_t reader)
{
    uint64_t *turn = &epoch->words[reader].turn;
    DCHECK(reader < epoch->readers);
    DCHECK(*turn % 2 == 0);
    __atomic_store_n(turn, *turn + 1, __ATOMIC_SEQ_CST);
}

void epoch_leave(struct epoch *epoch, uint32_t reader)
{
    uint64_t *turn = &epoch->words[reader].turn;
    DCHECK(*turn % 2 == 1);
    __atomic_store_n(turn, *turn + 1, __ATOMIC_SEQ_CST);
}

static void grace_begin(struct epoch *epoch)
{
    for (uint32_t i = 0; i < epoch->readers; i++) {
        epoch->seen[i] = __atomic_load_n(&epoch->words[i].turn, __ATOMIC_SEQ_CST);
    }
}

static bool grace_is_over(const struct epoch *epoch)
{
    for (uint32_t i = 0; i < epoch->readers; i++) {
        bool was_inside = epoch->seen[i] % 2 == 1;
        if (was_inside &&
            __atomic_load_n(&epoch->words[i].turn, __ATOMIC_SEQ_CST) == epoch->seen[i]) {
            return false;
        }
    }
    return true;
}

void epoch_turn(struct epoch *epoch)
{
    if (!epoch || (epoch->waiting.count == 0 && epoch->fresh.count == 0)) {
        return;
    }
    if (!grace_is_over(epoch)) {
        return;
    }
    release(&epoch->waiting);
    if (epoch->fresh.count > 0) {
        epoch->waiting = epoch->fresh;
        epoch->fresh.count = 0;
        epoch->fresh.bytes = 0;
        grace_begin(epoch);
    }
}

static bool is_full(const struct epoch *epoch)
{
    return epoch->fresh.count == EPOCH_BLOCKS_MAX ||
           epoch->fresh.bytes + epoch->waiting.bytes > EPOCH_BYTES_MAX;
}

void epoch_retire(struct epoch *epoch, void *block, size_t size)
{
    if (!epoch || !block) {
        free(block);
        return;
    }
    while (is_full(epoch)) {
        epoch_turn(epoch);
        if (is_full(epoch)) {
            sched_yield();
        }
    }
    epoch->fresh.blocks[epoch->fresh.count++] = block;
    epoch->fresh.bytes += size;
}

uint32_t epoch_retired(const struct epoch *epoch)
{
    return epoch->waiting.count + epoch->fresh.count;
}
