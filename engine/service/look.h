/* stock.get as nearly every client sends it, an item and a node and nothing else: staged, so that
 * the cache misses of many overlap, and answered in one pass. What is not like that, or whose cell
 * has more to tell, is left to the general handler, which answers everything.
 *
 * Staging belongs to the engine loop or to a read loop (glance.h), each with looks of its own: it
 * reads only what other threads may. An item or a node that was found stays what it is. */
#ifndef SERVICE_LOOK_H
#define SERVICE_LOOK_H

#include "service_internal.h"

struct look {
    struct text item, node;
    uint64_t item_hash, node_hash;
    uint32_t of_item; /* ITEM_NONE = not found */
    uint16_t at_node; /* NODE_NONE = not found */
    bool is_plain;    /* false: nothing else here is set */
};

enum { LOOK_REPLY_MAX = 160 }; /* bytes of an answer's result */

/* Read the params; false: another shape, or wrong in some way. */
bool look_read(const uint8_t *params, uint32_t size, struct look *look);

/* One step after the other over all looks of a sub-batch that are plain. */
void look_slots(const struct tables *tables, struct look *look);
void look_names(const struct tables *tables, struct look *look);
void look_row(const struct tables *tables, struct look *look);
void look_place(const struct tables *tables, struct look *look);
void look_cell(const struct tables *tables, struct look *look);

/* Answer it on the engine loop. False: the general handler answers it. */
bool look_answer(struct service_core *service, struct call *call, const struct look *look);

/* The result: what is told of a cell without an override. */
WRITER_INLINE void look_write(struct writer *writer, cell_word word, uint64_t counted,
                              int32_t safety, uint64_t lsn)
{
    writer_map(writer, 6);
    writer_str(writer, "on_hand");
    writer_int(writer, cell_on_hand(word));
    writer_str(writer, "reserved");
    writer_int(writer, cell_reserved(word));
    writer_str(writer, "safety_stock");
    writer_int(writer, safety);
    writer_str(writer, "ats");
    writer_int(writer, (int64_t)cell_on_hand(word) - cell_reserved(word) - safety);
    writer_str(writer, "counted_at");
    if (counted) {
        writer_uint(writer, counted);
    } else {
        writer_nil(writer);
    }
    writer_str(writer, "lsn");
    writer_uint(writer, lsn);
}

#endif
