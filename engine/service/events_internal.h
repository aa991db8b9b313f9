/* Events: what readers of events.read are told of a record of the log.
 *
 * Derived from the records each time they are read, never stored. Rules:
 * 1. n counts all events of a record, also those that a filter leaves out: (log_id, lsn, n) names
 *    one event for ever.
 * 2. What a record's events say is told by the record alone: the same whenever it is read. What
 *    only an order knows stands in its record for this (told.h).
 * 3. Handles become ids: items, nodes and versions of strategies never leave. */
#ifndef SERVICE_EVENTS_INTERNAL_H
#define SERVICE_EVENTS_INTERNAL_H

#include "service_internal.h"

enum {
    EVENTS_BYTES = 512 << 10, /* of an answer, after which no record is begun */
    EVENTS_BUFFER = REPLY_SIZE_MAX - 4096, /* the largest record's events fit behind those */
    EVENTS_NODE_WORDS = NODE_MAX / 64 + 1
};

/* One record being told. The writer goes on through the records of an answer. */
struct events {
    struct service_core *service;
    struct writer writer;
    uint32_t types;        /* bit per enum event */
    const uint64_t *nodes; /* bit per handle; NULL = all */
    uint64_t lsn, at_ms;   /* of the record */
    uint32_t count;        /* events written so far */
    uint32_t n;            /* events of the record so far */
    uint32_t mark;         /* of the event being written */
    uint32_t fields;
    bool is_match; /* it names a node that is asked for */
};

/* -- one event (events_write.c) -- */

/* Begin the next event of the record. False: nobody asked for its type; do not write it. */
bool event_begin(struct events *events, enum event type);
void event_end(struct events *events);

/* Fields of the event itself. */
void event_int(struct events *events, const char *name, int64_t value);
void event_string(struct events *events, const char *name, const char *value);
void event_text(struct events *events, const char *name, const struct effect_text *text);
void event_bool(struct events *events, const char *name, bool value);
void event_node(struct events *events, const char *name, uint16_t node);
void event_item(struct events *events, const char *name, uint32_t item);
/* `<order_id>/<part + 1>`. */
void event_fulfilment(struct events *events, const char *name, const struct effect_text *id,
                      uint32_t part);
/* A list or map as a field: write its name; the entries are the caller's. */
void event_name(struct events *events, const char *name);

/* The same inside entries, whose fields the caller counts. */
void entry_node(struct events *events, const char *name, uint16_t node);
void entry_item(struct events *events, const char *name, uint32_t item);
void entry_fulfilment(struct events *events, const char *name, const struct effect_text *id,
                      uint32_t part);

/* -- records (events.c) -- */

/* Tell the events of one record. Unknown and silent types have none. ERR_DAMAGED: its bytes are
 * not such a record, or name what is not there. */
ERR_MUST_USE enum err events_of_record(struct events *events, uint8_t type, const uint8_t *bytes,
                                       uint32_t size);

bool events_has_cell(const struct events *events, uint32_t item, uint16_t node);

typedef enum err events_teller(struct events *events, const uint8_t *bytes, uint32_t size);
events_teller events_order, events_cancel, events_fulfil, events_replan,
    events_replan_kits; /* events_order*.c */
events_teller events_reserve, events_reserve_end, events_reserve_take;

/* -- readers (handle_events.c) -- */

struct feeds;
ERR_MUST_USE enum err feeds_new(struct service_core *service, struct feeds **out);
void feeds_free(struct feeds *feeds);

#endif
