/* Returns that were announced and have not come: return_window after they were made what is still
 * to come of them is given up, by record, and the units may be claimed by another return. One that
 * was changed since expires at the latest with those that were made after that. */
#include "document_internal.h"

enum { EXPIRE_MAX = 16 }; /* of one turn */

/* False: log or table has no room now. */
static bool expire(struct service_core *service, const struct document *document, struct text id)
{
    struct draft draft;
    struct tables *tables = &service->tables;
    draft_begin(service, DOCUMENT_RETURN, id, &draft);
    CHECK(document_at(&tables->documents, draft.before) == document);
    draft.effect.is_cancelled = true;
    draft.effect.at_ms = service->now_ms;
    const uint32_t size = effect_document_size(&draft.effect);
    if (!tables_document_fits(tables, &draft.effect) ||
        wal_room(service->wal, size, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn =
        log_end(service, EFFECT_DOCUMENT, effect_document_encode(bytes, &draft.effect));
    must_apply(tables_apply_document(tables, lsn, service->now_ms, &draft.effect), "document");
    return true;
}

bool returns_expire(struct service_core *service)
{
    const struct documents *documents = &service->tables.documents;
    for (uint32_t i = 0; i < EXPIRE_MAX; i++) {
        const slab_ref ref = documents->open_returns.oldest;
        struct document *document = ref ? document_at(documents, ref) : NULL;
        if (!document ||
            document->created_ms + service->options.return_window_ms > service->now_ms ||
            !expire(service, document, (struct text){document_texts(document),
                                                     document->id_len})) {
            return false;
        }
    }
    return true;
}
