/* Section of documents: returns, supplies and transfers, done ones first, each list oldest first.
 *
 * A record: the document as in the log, behind its size; LSN, times of its making and end. */
#include "image_internal.h"

enum { DOCUMENT_TAIL_MAX = 4 + 3 * 10 };

static void read_back(struct document *document, struct effect_document_line *lines,
                      struct effect_document *out)
{
    const char *at = document_texts(document);
    *out = (struct effect_document){.kind = document->kind,
                                    .is_cancelled = document->is_cancelled,
                                    .is_unverified = document->is_unverified,
                                    .node = document->node,
                                    .to = document->to,
                                    .at_node = NODE_NONE,
                                    .content = document->content,
                                    .order_lsn = document->order_lsn,
                                    .eta_ms = document->eta_ms,
                                    .line_count = document->line_count,
                                    .lines = lines};
    out->id = (struct effect_text){at, document->id_len};
    out->order_id = (struct effect_text){at += document->id_len, document->order_len};
    out->note = (struct effect_text){at += document->order_len, document->note_len};
    at += document->note_len;
    for (uint32_t i = 0; i < document->line_count; i++) {
        const struct document_line *line = &document_lines(document)[i];
        lines[i] = (struct effect_document_line){.item = line->item,
                                                 .qty = line->qty,
                                                 .order_line = line->order_line,
                                                 .reason = {at, line->reason_len}};
        memcpy(lines[i].counts, line->counts, sizeof lines[i].counts);
        at += line->reason_len;
    }
}

static void save_document(struct document *document, struct image_sink *sink)
{
    struct effect_document_line lines[DOCUMENT_LINES_MAX];
    struct effect_document effect;
    read_back(document, lines, &effect);
    uint8_t *head = image_begin(sink, effect_document_size(&effect) + DOCUMENT_TAIL_MAX);
    uint32_t size = effect_document_encode(head + sizeof size, &effect);
    uint8_t *at = bytes_put_bytes(head, &size, sizeof size) + size;
    at = bytes_put_int(at, document->lsn);
    at = bytes_put_int(at, document->created_ms);
    at = bytes_put_int(at, document->done_ms);
    image_end(sink, at);
}

static void save_list(const struct tables *tables, const struct document_list *list,
                      struct image_sink *sink)
{
    for (slab_ref ref = list->oldest; ref;) {
        struct document *document = document_at(&tables->documents, ref);
        save_document(document, sink);
        ref = document->newer;
    }
}

void save_documents(const struct tables *tables, struct image_sink *sink)
{
    save_list(tables, &tables->documents.done, sink);
    save_list(tables, &tables->documents.open, sink);
    save_list(tables, &tables->documents.open_returns, sink);
}

static void load_document(struct tables *tables, struct image_source *source,
                          struct bytes_source *fields)
{
    struct effect_document effect;
    uint32_t size = 0;
    bytes_get_bytes(fields, &size, sizeof size);
    if (fields->is_bad || size > (size_t)(fields->end - fields->at) ||
        !document_read(tables, fields->at, size, &effect)) {
        image_bad(source, ERR_DAMAGED, "a document is not one");
        return;
    }
    fields->at += size;
    uint64_t lsn = bytes_get_int(fields);
    uint64_t created_ms = bytes_get_int(fields);
    uint64_t done_ms = bytes_get_int(fields);
    if (image_fields_end(source, fields, "a document") &&
        !document_enter(tables, &effect, lsn, created_ms, done_ms)) {
        image_bad(source, ERR_FULL, "documents_max is lower than when this was written");
    }
}

void load_documents(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        load_document(tables, source, &fields);
    }
}
