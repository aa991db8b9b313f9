/* What the files that apply effects on orders share: units that leave and come, notes, lists. */
#ifndef TABLE_APPLY_ORDER_INTERNAL_H
#define TABLE_APPLY_ORDER_INTERNAL_H

#include "apply_internal.h"

/* The order of the id, or 0. */
slab_ref order_of(const struct tables *tables, const struct effect_text *id);

/* Write a text at an offset of the body that has room for it; the offset behind it. */
uint32_t order_text_put(struct order *order, uint32_t at, const struct effect_text *text);

/* The store that a part is sent to, as the line of its first share says; NODE_NONE: to none. */
uint16_t order_part_goes_to(struct order *order, const struct order_part *part);

/* Reserve the units of a new share and put its hold on the cell. */
void order_share_hold(struct tables *tables, struct order *order, slab_ref ref, uint32_t index);

/* Units of a share go to an end, which is counted in *end: they are released. At most what is
 * held. */
void order_share_leave(struct tables *tables, struct order *order, uint32_t index, uint32_t units,
                       uint32_t *end);

/* The same to cancelled for a list, with a note each. False: more than is held. */
bool order_shares_cancel(struct tables *tables, struct order *order, uint64_t lsn, uint64_t at_ms,
                         const struct effect_quantity *list, uint32_t count);

/* Give the part its node's time to accept it, from now on. */
void order_part_await(struct tables *tables, slab_ref ref, uint16_t index, uint64_t now_ms);

/* Note in the history; a full table only costs the note. */
void order_note(struct tables *tables, struct order *order, const struct order_entry *entry);

/* Set the lists that follow from what is still held and owed. */
void order_settle(struct tables *tables, slab_ref ref, uint64_t now_ms);

#endif
