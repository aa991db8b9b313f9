/* Lines of an order or fulfilment by their names, quickly also where there are many. */
#ifndef SERVICE_ORDER_NAMES_INTERNAL_H
#define SERVICE_ORDER_NAMES_INTERNAL_H

#include "service_internal.h"

enum { ORDER_NAMES_SLOTS = 4096, ORDER_NAMES_NONE = 0xffff };

/* One line of a request: its name, and a quantity (0 = none given). Names are borrowed from
 * params or stand in scratch. */
struct named_qty {
    struct text line;
    uint32_t qty;
    char scratch[READER_INT_TEXT_SIZE];
};

/* The `lines` of a cancel or an update: [{line, qty}], qty optional or not. At most
 * EFFECT_LINES_MAX; gives the count. An empty list is an error. */
uint32_t read_named_lines(struct reader *reader, struct named_qty *lines, bool needs_qty);

/* Index of names; on the caller's stack. */
struct order_names {
    struct order *order;
    uint16_t slots[ORDER_NAMES_SLOTS]; /* what index_of gives, or ORDER_NAMES_NONE */
};

/* Index the lines of the order; or, with part >= 0, the shares of that part by their lines. */
void order_names_init(struct order_names *names, struct order *order, int part);

/* Number of the line, or of the share in the order; ORDER_NAMES_NONE: unknown. Of a kit line that
 * of its first component: the others follow it (line_run), their units are those of so many
 * kits. */
uint32_t order_names_find(const struct order_names *names, struct text line, bool is_share);

/* Units of the line that its name counts as one: of a component those of one kit. */
uint32_t units_per(struct order *order, uint32_t line);

/* Shares of a part from share on that belong to the same line of a request: the components of a kit
 * line there, else 1. */
uint32_t share_run(struct order *order, uint32_t share);

/* Answer with UNKNOWN_LINE, or with the error that a line is named twice. */
void reply_unknown_line(struct service_core *service, struct call *call, uint32_t at,
                        struct text line, const char *where);
void reply_line_twice(struct service_core *service, struct call *call, uint32_t at,
                      struct text line);

#endif
