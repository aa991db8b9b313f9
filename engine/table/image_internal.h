/* What the files of image share: reading a record's fields. */
#ifndef TABLE_IMAGE_INTERNAL_H
#define TABLE_IMAGE_INTERNAL_H

#include "apply_internal.h"
#include "effect_bytes_internal.h"
#include "image.h"

/* The next record as fields; false: no more. */
static inline bool image_fields(struct image_source *source, struct bytes_source *fields)
{
    uint32_t size;
    const uint8_t *bytes = image_next(source, &size);
    *fields = (struct bytes_source){bytes, bytes ? bytes + size : NULL, false};
    return bytes != NULL;
}

/* Whether the fields were read to their end without fault; else the source is bad. */
bool image_fields_end(struct image_source *source, const struct bytes_source *fields,
                      const char *what);

typedef void image_saver(const struct tables *tables, struct image_sink *sink);
typedef void image_loader(struct tables *tables, struct image_source *source);

image_saver save_flags, save_nodes, save_items, save_places, save_rows, save_policies, save_orders,
    save_owed, save_declines, save_queues, save_holds, save_done, save_keys, save_movements,
    save_documents, save_reservations, save_reserve_ends, save_quotas;
image_loader load_flags, load_nodes, load_items, load_places, load_rows, load_policies,
    load_orders, load_owed, load_declines, load_queues, load_holds, load_done, load_keys,
    load_movements, load_documents, load_reservations, load_reserve_ends, load_quotas;

image_saver save_hours, save_capacity, save_lanes, save_roads, save_strategies, save_choices,
    save_blocks, save_closings;
image_loader load_hours, load_capacity, load_lanes, load_roads, load_strategies, load_choices,
    load_blocks, load_closings;

/* The cells of one row by another number than the row lists them by. All zeros is empty. */
struct row_order {
    uint64_t bits[SLOT_MAX / 64];
    uint16_t index[SLOT_MAX];     /* of the cell, by number */
    uint64_t last_time[SLOT_MAX]; /* by node: count time of its cell last seen */
};

void row_order_put(struct row_order *order, uint32_t number, uint32_t index);
/* The smallest number from `from` on, taken out; SLOT_MAX: none below limit. */
uint32_t row_order_take(struct row_order *order, uint32_t from, uint32_t limit);
/* All cells of the row by their nodes. */
void row_order_by_node(const struct tables *tables, const struct row *row,
                       struct row_order *order);

/* The order that a list names next by its LSN, or NULL: the source is bad. */
struct order *image_named_order(struct tables *tables, struct image_source *source,
                                struct bytes_source *fields, slab_ref *ref_out);

/* Note an order that was just loaded. LSNs rise. */
void image_order_note(struct image_source *source, uint64_t lsn, slab_ref ref);

/* The same for rows of another table; and the row that an LSN made, or 0. */
void image_name_note(struct image_source *source, struct image_orders *names, uint64_t lsn,
                     slab_ref ref);
slab_ref image_named(const struct image_orders *names, uint64_t lsn);

/* Where the hold of a reservation's piece (LSN, piece) is noted; NULL: it is not the cell's. */
uint32_t *hold_of_piece(struct tables *tables, const struct image_source *source,
                        struct bytes_source *fields, struct hold *hold);

#endif
