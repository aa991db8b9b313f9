/* What the methods on returns, supplies and transfers share: the document as it will be. */
#ifndef SERVICE_DOCUMENT_INTERNAL_H
#define SERVICE_DOCUMENT_INTERNAL_H

#include "content_internal.h"
#include "load_internal.h"
#include "service_internal.h"

/* One line of a request. */
struct draft_ask {
    struct text line, item, reason;
    uint32_t qty;
    uint8_t condition; /* RETURN_SELLABLE ...; counts of the line that qty is about */
    char line_scratch[READER_INT_TEXT_SIZE];
};

/* A document that is being changed. effect.lines points to lines; texts are borrowed from the
 * request and from the document as it is. On the caller's stack. */
struct draft {
    struct effect_document effect;
    struct effect_document_line lines[DOCUMENT_LINES_MAX];
    uint32_t grown[DOCUMENT_LINES_MAX]; /* units that come or go by this change, per line */
    uint64_t grown_units;
    slab_ref before;     /* 0 = a new one */
    uint64_t counted_ms; /* latest count of a cell that the change touches */
};

/* Begin with what is there under the id, or with an empty document. */
void draft_begin(struct service_core *service, enum document_kind kind, struct text id,
                 struct draft *draft);

static inline struct document *draft_before(struct service_core *service, const struct draft *draft)
{
    return draft->before ? document_at(&service->tables.documents, draft->before) : NULL;
}

/* Append a line; NULL: there are DOCUMENT_LINES_MAX, answered with TOO_LARGE. */
struct effect_document_line *draft_add(struct service_core *service, struct call *call,
                                       struct draft *draft, uint32_t item, uint16_t order_line);

/* Raise a total of line i to total; a total that was there already changes nothing. */
void draft_raise(struct draft *draft, uint32_t i, uint32_t count, uint32_t total);

/* The cell of a line's item at node is touched: it must not leave the range of on_hand by delta,
 * and its last count is before the movement. False: answered. */
bool draft_touch(struct service_core *service, struct call *call, struct draft *draft, uint32_t i,
                 uint16_t node, int64_t delta);

/* Log and apply. at_ms 0 = arrival. False: answered. */
bool draft_log(struct service_core *service, struct call *call, struct draft *draft,
               uint64_t at_ms);

/* Read one element of lines[]; fields as bits below, unknown ones are refused by name. */
enum { ASK_LINE = 1, ASK_REASON = 2, ASK_CONDITION = 4 };
void draft_ask_read(struct reader *reader, struct draft_ask *ask, uint32_t fields);

/* Content of the lines of a request. */
void draft_content(struct content *content, const struct draft_ask *asks, uint32_t count);

#endif
