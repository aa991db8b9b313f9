/* What the files of a glance share. */
#ifndef SERVICE_GLANCE_INTERNAL_H
#define SERVICE_GLANCE_INTERNAL_H

#include "glance.h"
#include "hist.h"
#include "look.h"
#include "service_internal.h"

enum glance_method { GLANCE_GET, GLANCE_FIND, GLANCE_METHODS };

struct glance_stats {
    uint64_t calls, errors;
    struct hist latency_us;
};

enum { GLANCE_PENDING = 64 };

struct glance {
    const struct service_core *service; /* tables and options alone are looked at */
    uint32_t number;
    uint8_t *scratch; /* REPLY_SIZE_MAX bytes */
    struct look looks[GLANCE_AHEAD]; /* of the requests that are staged, by their numbers */
    uint8_t plain[GLANCE_AHEAD];     /* numbers of those that are plain reads */
    uint64_t handed;
    uint64_t overloaded;
    struct glance_stats stats[GLANCE_METHODS];
    uint64_t pending_ns[GLANCE_PENDING]; /* when the answered ones of this turn were read */
    uint8_t pending_method[GLANCE_PENDING];
    uint32_t pending;
};

/* Write the result (the map). False: it is for the engine loop to answer. */
bool glance_get(struct glance *glance, const struct look *look, struct writer *writer,
                uint64_t *lsn_out);
bool glance_find(struct glance *glance, struct reader *reader, struct writer *writer,
                 uint64_t *lsn_out);

/* The LSN of what was read before this call. */
uint64_t glance_lsn(const struct glance *glance);

/* Whether there are such threads, and the method is one of theirs. */
bool glances_answer(const struct service_core *service, enum method method);

/* Add what they answered of it. */
void glances_add(const struct service_core *service, enum method method, struct method_stats *to);
uint64_t glances_overloaded(const struct service_core *service);

/* The field read_loops of stats, where there are some. */
void glances_put(const struct service_core *service, struct writer *writer);

#endif
