/* Cells that have less than orders were promised: their note in the log (short.c). Who logs a
 * report of fact or a rule asks for this room beside its own, and tells once that is applied. */
#ifndef SERVICE_SHORT_H
#define SERVICE_SHORT_H

#include "service_internal.h"

enum { SHORT_HOLDERS_MAX = 100 }; /* orders that a record names, shared by its cells; each one */

struct short_cell {
    uint32_t item;
    uint16_t node;
};

/* Bytes and records of the notes for so many cells. */
uint32_t shorts_size(uint32_t cells);
uint32_t shorts_records(uint32_t cells);

/* Bytes of the note for one cell, 0 where nothing is promised there. */
uint32_t short_size(const struct service_core *service, uint32_t item, uint16_t node);

/* Note those of the cells that are short now, each once. */
void shorts_tell(struct service_core *service, const struct short_cell *cells, uint32_t count);
void short_tell(struct service_core *service, uint32_t item, uint16_t node);

/* The same of what the node's open fulfilments wait for, of at most SHORT_NODE_CELLS cells: a rule
 * of the whole node changed. Room for so many is asked for. */
enum { SHORT_NODE_CELLS = 500 };
void shorts_tell_node(struct service_core *service, uint16_t node);

#endif
