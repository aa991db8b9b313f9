/* Writes the requests of a run: one function per kind. */
#ifndef LOADGEN_RUN_SEND_H
#define LOADGEN_RUN_SEND_H

#include <stdint.h>

#include "facts.h"
#include "load_run.h"

/* Stands for a node in the facts of a fulfilment that is only to be shipped, not restocked. */
enum { RUN_NO_NODE = 0xffff };

/* All of them: conn is the connection, intended_ns counts for the latency. The caller has asked
 * pump_has_room, except for run_send_restocks, which asks itself. */

/* Send run->order as kind RUN_ROUTE or RUN_AGAIN. */
void run_send_order(struct load_run *run, uint32_t conn, enum run_kind kind, uint64_t intended_ns,
                    uint32_t twin);

void run_send_ship(struct load_run *run, uint32_t conn, uint64_t order, uint32_t number,
                   uint64_t intended_ns);
void run_send_cancel(struct load_run *run, uint32_t conn, uint64_t order, uint64_t intended_ns);

/* Restock a drawn share of the lines of run->past that this fulfilment shipped. */
void run_send_restocks(struct load_run *run, uint32_t conn, const struct fulfilment *fulfilment,
                       uint64_t intended_ns);

/* A stock.find, or now and then a stock.get, drawn by number. */
void run_send_read(struct load_run *run, uint32_t conn, uint64_t intended_ns, uint64_t number);

#endif
