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

/* When what is to be ready is touched. */
enum tables_warm_when {
    TABLES_WARM_NOW,   /* before this returns: the first request is to come */
    TABLES_WARM_BESIDE /* by the helper, while a snapshot is loaded and the log replayed */
};

/* Begin with what lies behind the rows that are there. Some of it is touched before this returns:
 * 300 MB, a tenth of a second, with the limits of the example configuration. orders_ready: bytes of
 * new orders that are touched, with as much of what grows with them, before the helper has to go
 * on. Errors: ERR_NOMEM, ERR_SYS: pages come as they are used. */
ERR_MUST_USE enum err tables_warm_start(struct tables_warm *warm, const struct tables *tables,
                                        uint64_t orders_ready, enum tables_warm_when when);

/* The tables may have grown. Cheap. */
void tables_warm_note(const struct tables_warm *warm, const struct tables *tables);

/* Before the tables are closed. */
void tables_warm_stop(struct tables_warm *warm);

#endif
