/* Documents: stock that comes and goes outside of orders. A return brings units back from a
 * customer, a supply will bring units from outside, a transfer carries units from one node to
 * another. Each is one block: head, lines, texts.
 *
 *   [struct document][line x line_count][id][order id][kind of supply][reasons]
 *
 * A line counts what has happened to it, as totals that only grow:
 *   return    0 sellable, 1 damaged, 2 unsellable units received
 *   supply    0 units received
 *   transfer  0 units shipped, 1 received
 *
 * Engine loop only. What a document does to stock is in apply_document.c. */
#ifndef TABLE_DOCUMENT_H
#define TABLE_DOCUMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "hash.h"
#include "slab.h"

enum document_kind { DOCUMENT_RETURN = 1, DOCUMENT_SUPPLY, DOCUMENT_TRANSFER };

enum {
    DOCUMENT_LINES_MAX = 1000,
    DOCUMENT_COUNTS = 3,
    DOCUMENT_REASON_MAX = 63,
    DOCUMENT_BYTES = 512,     /* of block memory for each: some ten lines */
    DOCUMENT_NO_LINE = 0xffff /* of the order: the return names an item only */
};

enum { RETURN_SELLABLE, RETURN_DAMAGED, RETURN_UNSELLABLE };
enum { SUPPLY_RECEIVED };
enum { TRANSFER_SHIPPED, TRANSFER_RECEIVED };

struct document_line {
    uint32_t item;
    uint32_t qty; /* announced; 0 = came without being announced */
    uint32_t counts[DOCUMENT_COUNTS];
    uint32_t hold;       /* transfer: of what is not shipped yet; HOLD_NONE */
    uint32_t incoming;   /* supply, transfer: its entry there while units are to come; 0 = none */
    uint16_t order_line; /* return: index of the order's line, or DOCUMENT_NO_LINE */
    uint8_t reason_len;
};

struct document {
    uint64_t id_hash;
    uint64_t content;   /* fixed-seed hash of what was asked when it was made */
    uint64_t lsn;       /* of its making */
    uint64_t order_lsn; /* return: of the order it belongs to; 0 = none, or not in memory */
    uint64_t created_ms;
    uint64_t done_ms;      /* when nothing was outstanding any more; 0 = open */
    uint64_t eta_ms;       /* supply, transfer: when it is expected; 0 = unknown */
    uint32_t size;         /* bytes of the block asked for */
    slab_ref older, newer; /* open ones by coming; done ones by the time they were done */
    uint16_t node;         /* supply: where to; transfer: from; return: NODE_NONE */
    uint16_t to;           /* transfer: to; else NODE_NONE */
    uint16_t line_count;
    uint8_t kind; /* enum document_kind */
    uint8_t id_len, order_len, note_len;
    bool is_cancelled;  /* what is outstanding will not come */
    bool is_unverified; /* return: its order was not in memory */
};

struct document_list {
    slab_ref oldest, newest;
    uint64_t count;
};

struct document_slot {
    uint64_t hash;
    slab_ref ref; /* 0 = empty */
};

struct documents {
    struct slab slab;
    struct document_slot *slots; /* open addressing: by id, and returns by their order too */
    uint64_t slot_mask;
    uint32_t max;
    struct document_list open, open_returns, done; /* open ones but returns; those */
    const struct hash_key *key;
};

/* max: most documents, open and done; their blocks have DOCUMENT_BYTES each on average. key is
 * borrowed. */
ERR_MUST_USE enum err documents_init(struct documents *documents, uint32_t max,
                                     const struct hash_key *key);
void documents_close(struct documents *documents);

/* Bytes reserved for max documents; and those in use, hash slots included. */
uint64_t documents_memory(uint32_t max);
uint64_t documents_bytes(const struct documents *documents);

/* Ids of the kinds are apart: a supply and a return may have the same id. */
uint64_t documents_hash(const struct documents *documents, enum document_kind kind, const char *id,
                        uint32_t len);
/* The document, or 0. */
slab_ref documents_find(const struct documents *documents, uint64_t hash, enum document_kind kind,
                        const char *id, uint32_t len);

/* The returns of an order, one after the other: begin with *at = 0, until 0 comes. order_lsn is
 * the order's, so that an order that takes its id again has none. */
slab_ref documents_next_of_order(const struct documents *documents, uint64_t order_lsn,
                                 uint64_t *at);

/* Whether a block of size more bytes fits, and count (0 or 1) more documents. */
bool documents_have_room(const struct documents *documents, size_t size, uint32_t count);

/* Take a block, cleared, and enter it as open: id_hash, kind, size and order_lsn are set; id is
 * copied by the caller before the next look-up. 0: no room (asked before). */
slab_ref documents_add(struct documents *documents, uint64_t hash, enum document_kind kind,
                       uint64_t order_lsn, size_t size);

/* Take the document out of index and list, and give back its block. */
void documents_remove(struct documents *documents, slab_ref ref);

/* Move it from the open ones to the end of the done ones. */
void documents_done(struct documents *documents, slab_ref ref, uint64_t now_ms);

static inline struct document *document_at(const struct documents *documents, slab_ref ref)
{
    return slab_at(&documents->slab, ref);
}

static inline struct document_line *document_lines(struct document *document)
{
    return (struct document_line *)(void *)(document + 1);
}

/* Bytes of a block with texts bytes of texts. */
size_t document_size(uint32_t lines, uint32_t texts);

/* Its texts, one behind the other: id, order id, note, then the reason of each line. */
char *document_texts(struct document *document);

/* Units of a line that are still to come: announced and not received. */
uint32_t document_outstanding(const struct document *document, const struct document_line *line);

/* Units of a transfer's line that are held where it starts; of others 0. */
uint32_t document_held(const struct document *document, const struct document_line *line);

/* Units received, of whatever condition. */
uint32_t document_received(const struct document *document, const struct document_line *line);

/* The digest row of a document: everything but links and holds. */
void document_digest(struct document *document, struct digest *digest, bool is_add);

#endif
