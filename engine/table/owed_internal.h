/* What owed.c, owed_class.c and owed_turn.c share. */
#ifndef TABLE_OWED_INTERNAL_H
#define TABLE_OWED_INTERNAL_H

#include "owed.h"

/* -- owed_class.c -- */

/* The item's record; makes it. */
struct owed_item *owed_item_need(struct owed *owed, struct item *item, uint32_t handle);

/* The item's record leaves: nothing is owed of it any more. */
void owed_item_free(struct owed *owed, struct item *item);

/* The entry leaves its class. */
void owed_unfile(struct owed *owed, uint32_t index, struct catalogue *catalogue);

/* A class that is empty and not in hand. */
void owed_class_free(struct owed *owed, uint32_t class);

/* Of one item: the number of entries in its classes. */
uint32_t owed_classes_check(const struct owed *owed, const struct owed_item *own);

/* Whether the entry has waited longer than (lsn, line). */
static inline bool owed_is_before(const struct owed_entry *entry, uint64_t lsn, uint16_t line)
{
    return entry->lsn != lsn ? entry->lsn < lsn : entry->line < line;
}

#endif
