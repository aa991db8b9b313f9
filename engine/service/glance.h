/* Reads of stock answered on other threads, from the tables themselves, while the engine loop
 * changes them: stock.get and stock.find in their usual shapes. What one of these threads cannot
 * read whole at once, it does not answer; the request then goes to the engine loop like any other,
 * which answers everything. So nothing here gives an error of its own but OVERLOADED.
 *
 * Each row of stock is seen as it was at one moment between the call and its return, and the
 * LSN of the reply is loaded after it: the reply may leave when that is durable.
 *
 * One struct glance for each thread; glances_open on the engine loop before the threads start.
 *
 * Field              written by    read by
 * counters, hists    its thread    engine loop (stats)    relaxed
 * all else           its thread    its thread
 */
#ifndef SERVICE_GLANCE_H
#define SERVICE_GLANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "frame.h"

struct service_core;
struct glance;

struct glance_reply {
    const uint8_t *bytes; /* of the glance, until its next call; NULL: a notification, no reply */
    uint32_t size;
    uint64_t lsn; /* leaves when that is durable */
};

/* Let count threads read, at most EPOCH_READERS_MAX. They belong to the service. Errors:
 * ERR_NOMEM. */
ERR_MUST_USE enum err glances_open(struct service_core *service, uint32_t count);
struct glance *glances_at(const struct service_core *service, uint32_t number);

/* Bytes that each takes. */
uint64_t glance_memory(void);

/* -- its thread -- */

enum { GLANCE_AHEAD = 64 };

/* Around the requests of a turn; nothing in between may block. leave takes the steady clock. */
void glance_enter(struct glance *glance);
void glance_leave(struct glance *glance, uint64_t now_ns);

/* The next count requests, at most GLANCE_AHEAD, heads[i] being their heads: bring near what their
 * answers read, of all of them at once. */
void glance_stage(struct glance *glance, const struct frame_head *const *heads, uint32_t count);

/* Answer request number i of those staged, read at read_ns. False: hand it to the engine loop. */
bool glance_answer(struct glance *glance, const struct frame_head *head, uint32_t i,
                   uint64_t read_ns, uint64_t now_ns, struct glance_reply *out);

/* A request was handed over: for the statistics. */
void glance_handed(struct glance *glance);

#endif
