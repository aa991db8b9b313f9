/* The memory that grows with what comes is there before it comes: a helper thread touches it ahead
 * of its use (warm.h), live and in replay, where fresh pages are a fifth of the time otherwise.
 *
 * The thread that owns the tables. An all-zero struct is one that was not started. */
#ifndef TABLE_TABLES_WARM_H
#define TABLE_TABLES_WARM_H

#include "err.h"
#include "tables.h"
#include "warm.h"

struct tables_warm {
    struct warm *warm;
};

/* Begin with what lies behind the rows that are there, which is touched before this returns: some
 * 300 MB, a tenth of a second, with the limits of the example configuration. Errors: ERR_NOMEM,
 * ERR_SYS: pages come as they are used. */
ERR_MUST_USE enum err tables_warm_start(struct tables_warm *warm, const struct tables *tables);

/* The tables may have grown. Cheap. */
void tables_warm_note(const struct tables_warm *warm, const struct tables *tables);

/* Before the tables are closed. */
void tables_warm_stop(struct tables_warm *warm);

#endif
