/* The memory that grows with open orders is there before they come: helper threads touch it ahead
 * of its use (warm.h), live and in replay, where fresh pages are a fifth of the time otherwise.
 *
 * The thread that owns the tables. An all-zero struct is one that was not started. */
#ifndef TABLE_TABLES_WARM_H
#define TABLE_TABLES_WARM_H

#include "err.h"
#include "tables.h"
#include "warm.h"

struct tables_warm {
    struct warm *orders;
    struct warm *holds;
};

/* Begin with what lies behind the rows that are there. Errors: ERR_NOMEM, ERR_SYS: pages come as
 * they are used; what was started goes on. */
ERR_MUST_USE enum err tables_warm_start(struct tables_warm *warm, const struct tables *tables);

/* The tables may have grown. Cheap. */
void tables_warm_note(const struct tables_warm *warm, const struct tables *tables);

/* Before the tables are closed. */
void tables_warm_stop(struct tables_warm *warm);

#endif
