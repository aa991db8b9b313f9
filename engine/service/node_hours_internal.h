/* The fields of node.put that are about time: hours, terms, capacity. Read, merged, told. */
#ifndef SERVICE_NODE_HOURS_INTERNAL_H
#define SERVICE_NODE_HOURS_INTERNAL_H

#include "content_internal.h"
#include "service_internal.h"

/* In the order of these fields in the table of node.put. */
enum hours_field {
    HOURS_TZ,
    HOURS_PROCESSING,
    HOURS_CUTOFF,
    HOURS_CALENDAR,
    HOURS_CAPACITY,
    HOURS_ACCEPTANCE,
    HOURS_ACCEPT_MIN,
    HOURS_STOCK_AGE,
    HOURS_FIELDS
};

#define HOURS_FIELD_NAMES                                                                          \
    "tz", "processing_min", "cutoff", "calendar", "capacity", "acceptance", "accept_min",          \
        "stock_max_age_min"

/* The fields as they came; seen and nil have a bit per enum hours_field. */
struct hours_ask {
    uint32_t seen, nil;
    struct node_hours hours; /* exceptions are the ask's */
    struct node_terms terms;
    uint32_t declines; /* 1 - acceptance, in millionths */
    uint32_t rule_count;
    struct capacity_rule rules[CAPACITY_METERS_MAX];
    struct hours_exception exceptions[HOURS_EXCEPTIONS_MAX];
};

void hours_ask_begin(struct hours_ask *ask);

/* Read the field that comes; not nil. */
void hours_ask_read(struct service_core *service, struct reader *reader, struct hours_ask *ask,
                    enum hours_field field);
void hours_ask_content(const struct hours_ask *ask, struct content *content);

/* One entry of capacity, as node.put and capacity.set have it, without the node. Fields in the
 * order of enum rule_field; a limit of nil removes it. */
enum rule_field { RULE_KIND, RULE_PER, RULE_LIMIT, RULE_SERVICE, RULE_FIELDS };
#define RULE_FIELD_NAMES "kind", "per", "limit", "service"
void rule_begin(struct capacity_rule *rule);
void rule_read(struct reader *reader, struct capacity_rule *rule, enum rule_field field);

/* Records that the ask needs beside the node's own, and their bytes at most. */
uint32_t hours_ask_records(const struct hours_ask *ask);
uint32_t hours_ask_size(const struct hours_ask *ask);

/* Log and apply what the ask says of the node, merged into what it has. There is room. */
void hours_ask_apply(struct service_core *service, const struct hours_ask *ask, uint16_t node);

/* The fields of node.get that have a value; how many. */
uint32_t put_hours(struct service_core *service, struct writer *writer, uint16_t node);

/* kind, per, service?: three fields, or two where the meter counts all services. */
void put_meter_name(struct writer *writer, const struct capacity_meter *meter);

extern const struct names names_capacity_kinds, names_capacity_pers;

#endif
