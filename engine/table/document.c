/* Blocks, index and lists of documents. */
#include "document.h"

#include <string.h>

#include "check.h"
#include "mem.h"

enum { TAG_DOCUMENT = 40, TAG_DOCUMENT_LINE = 41 };

/* Each document has up to two slots. */
static uint64_t slot_count(uint32_t max)
{
    uint64_t count = 1024;
    while (count < (uint64_t)max * 3) {
        count *= 2;
    }
    return count;
}

static uint64_t block_bytes(uint32_t max)
{
    uint64_t least = 2u << 20; /* also a few documents may have many lines */
    return (uint64_t)max * DOCUMENT_BYTES + least;
}

enum err documents_init(struct documents *documents, uint32_t max, const struct hash_key *key)
{
    void *memory;
    memset(documents, 0, sizeof *documents);
    documents->max = max;
    documents->key = key;
    documents->slot_mask = slot_count(max) - 1;
    enum err err = slab_init(&documents->slab, block_bytes(max));
    if (err != ERR_OK) {
        return err;
    }
    err = mem_reserve((documents->slot_mask + 1) * sizeof(struct document_slot), &memory);
    if (err != ERR_OK) {
        slab_close(&documents->slab);
        return err;
    }
    documents->slots = memory;
    return ERR_OK;
}

void documents_close(struct documents *documents)
{
    slab_close(&documents->slab);
    mem_release(documents->slots, (documents->slot_mask + 1) * sizeof(struct document_slot));
    memset(documents, 0, sizeof *documents);
}

uint64_t documents_memory(uint32_t max)
{
    return mem_size(block_bytes(max)) + mem_size(slot_count(max) * sizeof(struct document_slot));
}

uint64_t documents_bytes(const struct documents *documents)
{
    return documents->slab.live + (documents->slot_mask + 1) * sizeof(struct document_slot);
}

/* -- index -- */

uint64_t documents_hash(const struct documents *documents, enum document_kind kind, const char *id,
                        uint32_t len)
{
    char text[64];
    CHECK(len < sizeof text);
    text[0] = (char)kind;
    memcpy(text + 1, id, len);
    return hash_keyed(documents->key, text, len + 1);
}

static uint64_t order_hash(const struct documents *documents, uint64_t order_lsn)
{
    return hash_keyed(documents->key, &order_lsn, sizeof order_lsn);
}

static bool is_it(struct document *document, uint64_t hash, enum document_kind kind, const char *id,
                  uint32_t len)
{
    return document->id_hash == hash && document->kind == kind && document->id_len == len &&
           memcmp(document_texts(document), id, len) == 0;
}

slab_ref documents_find(const struct documents *documents, uint64_t hash, enum document_kind kind,
                        const char *id, uint32_t len)
{
    uint64_t at = hash & documents->slot_mask;
    for (; documents->slots[at].ref; at = (at + 1) & documents->slot_mask) {
        slab_ref ref = documents->slots[at].ref;
        if (documents->slots[at].hash == hash &&
            is_it(document_at(documents, ref), hash, kind, id, len)) {
            return ref;
        }
    }
    return 0;
}

slab_ref documents_next_of_order(const struct documents *documents, uint64_t order_lsn,
                                 uint64_t *at)
{
    uint64_t hash = order_hash(documents, order_lsn);
    for (;; ++*at) {
        const struct document_slot *slot = &documents->slots[(hash + *at) & documents->slot_mask];
        if (!slot->ref) {
            return 0;
        }
        if (slot->hash == hash && document_at(documents, slot->ref)->order_lsn == order_lsn) {
            ++*at;
            return slot->ref;
        }
    }
}

static void slot_enter(struct documents *documents, uint64_t hash, slab_ref ref)
{
    uint64_t at = hash & documents->slot_mask;
    while (documents->slots[at].ref) {
        at = (at + 1) & documents->slot_mask;
    }
    documents->slots[at] = (struct document_slot){hash, ref};
}

static void slot_leave(struct documents *documents, uint64_t hash, slab_ref ref)
{
    uint64_t mask = documents->slot_mask;
    uint64_t hole = hash & mask;
    while (documents->slots[hole].ref != ref || documents->slots[hole].hash != hash) {
        CHECK(documents->slots[hole].ref);
        hole = (hole + 1) & mask;
    }
    for (uint64_t at = (hole + 1) & mask; documents->slots[at].ref; at = (at + 1) & mask) {
        uint64_t wanted = documents->slots[at].hash & mask;
        if (((at - wanted) & mask) >= ((at - hole) & mask)) {
            documents->slots[hole] = documents->slots[at];
            hole = at;
        }
    }
    documents->slots[hole] = (struct document_slot){0, 0};
}

/* -- lists -- */

static void list_append(struct documents *documents, struct document_list *list, slab_ref ref)
{
    struct document *document = document_at(documents, ref);
    document->older = list->newest;
    document->newer = 0;
    if (list->newest) {
        document_at(documents, list->newest)->newer = ref;
    } else {
        list->oldest = ref;
    }
    list->newest = ref;
    list->count++;
}

static void list_remove(struct documents *documents, struct document_list *list, slab_ref ref)
{
    const struct document *document = document_at(documents, ref);
    if (document->older) {
        document_at(documents, document->older)->newer = document->newer;
    } else {
        list->oldest = document->newer;
    }
    if (document->newer) {
        document_at(documents, document->newer)->older = document->older;
    } else {
        list->newest = document->older;
    }
    list->count--;
}

static struct document_list *open_list(struct documents *documents, enum document_kind kind)
{
    return kind == DOCUMENT_RETURN ? &documents->open_returns : &documents->open;
}

/* -- documents -- */

bool documents_have_room(const struct documents *documents, size_t size, uint32_t count)
{
    return documents->open.count + documents->open_returns.count + documents->done.count + count <=
               documents->max &&
           documents->slab.used + slab_usable(size) <= documents->slab.size;
}

slab_ref documents_add(struct documents *documents, uint64_t hash, enum document_kind kind,
                       uint64_t order_lsn, size_t size)
{
    slab_ref ref = slab_take(&documents->slab, size);
    if (!ref) {
        return 0;
    }
    struct document *document = document_at(documents, ref);
    memset(document, 0, size);
    document->id_hash = hash;
    document->kind = (uint8_t)kind;
    document->size = (uint32_t)size;
    document->order_lsn = order_lsn;
    slot_enter(documents, hash, ref);
    if (order_lsn) {
        slot_enter(documents, order_hash(documents, order_lsn), ref);
    }
    list_append(documents, open_list(documents, kind), ref);
    return ref;
}

void documents_remove(struct documents *documents, slab_ref ref)
{
    const struct document *document = document_at(documents, ref);
    slot_leave(documents, document->id_hash, ref);
    if (document->order_lsn) {
        slot_leave(documents, order_hash(documents, document->order_lsn), ref);
    }
    list_remove(documents,
                document->done_ms ? &documents->done
                                  : open_list(documents, (enum document_kind)document->kind),
                ref);
    slab_give(&documents->slab, ref, document->size);
}

void documents_done(struct documents *documents, slab_ref ref, uint64_t now_ms)
{
    struct document *document = document_at(documents, ref);
    CHECK(document->done_ms == 0);
    list_remove(documents, open_list(documents, (enum document_kind)document->kind), ref);
    document->done_ms = now_ms;
    list_append(documents, &documents->done, ref);
}

size_t document_size(uint32_t lines, uint32_t texts)
{
    return sizeof(struct document) + lines * sizeof(struct document_line) + texts;
}

char *document_texts(struct document *document)
{
    return (char *)(document_lines(document) + document->line_count);
}

uint32_t document_received(const struct document *document, const struct document_line *line)
{
    switch ((enum document_kind)document->kind) {
    case DOCUMENT_RETURN:
        return line->counts[RETURN_SELLABLE] + line->counts[RETURN_DAMAGED] +
               line->counts[RETURN_UNSELLABLE];
    case DOCUMENT_SUPPLY:
        return line->counts[SUPPLY_RECEIVED];
    case DOCUMENT_TRANSFER:
        return line->counts[TRANSFER_RECEIVED];
    }
    CHECK_UNREACHABLE("a document of no kind");
}

uint32_t document_held(const struct document *document, const struct document_line *line)
{
    bool is_held = document->kind == DOCUMENT_TRANSFER && !document->is_cancelled;
    return is_held ? line->qty - line->counts[TRANSFER_SHIPPED] : 0;
}

uint32_t document_outstanding(const struct document *document, const struct document_line *line)
{
    uint32_t wanted = line->qty;
    if (document->is_cancelled) { /* what a cancelled transfer has on the way still comes */
        wanted = document->kind == DOCUMENT_TRANSFER ? line->counts[TRANSFER_SHIPPED] : 0;
    }
    uint32_t received = document_received(document, line);
    return received < wanted ? wanted - received : 0;
}

/* -- digest -- */

static void digest_words(struct digest *digest, bool is_add, uint32_t tag, uint64_t a, uint64_t b,
                         uint64_t c)
{
    if (is_add) {
        digest_add_words(digest, tag, a, b, c);
    } else {
        digest_take_words(digest, tag, a, b, c);
    }
}

void document_digest(struct document *document, struct digest *digest, bool is_add)
{
    uint64_t who = document->id_hash ^ document->lsn * 0x9e3779b97f4a7c15u;
    digest_words(digest, is_add, TAG_DOCUMENT, who, document->content ^ document->order_lsn,
                 document->eta_ms << 16 ^ (uint64_t)document->node << 8 ^ document->to ^
                     (uint64_t)document->is_cancelled << 62 ^
                     (uint64_t)document->is_unverified << 61 ^ document->done_ms << 3);
    for (uint32_t i = 0; i < document->line_count; i++) {
        const struct document_line *line = &document_lines(document)[i];
        uint64_t received = (uint64_t)line->counts[2] * 0x9e3779b97f4a7c15u;
        digest_words(digest, is_add, TAG_DOCUMENT_LINE, who + i,
                     (uint64_t)line->item << 32 | line->qty,
                     ((uint64_t)line->counts[0] << 32 | line->counts[1]) + received +
                         ((uint64_t)line->order_line << 20));
    }
}
