/* The dates of one fulfilment, as they were promised. */
#ifndef TABLE_DATES_H
#define TABLE_DATES_H

#include <stdint.h>

#define DATE_MINUTE_MS UINT64_C(60000)

/* Minutes since 1970-01-01, rounded up; all 0: none were told. */
struct order_dates {
    uint32_t ship_by_min, from_min, by_min;
    uint32_t slot; /* local hour of its node in which work begins: where capacity counts it; 0 =
                      it does not */
};

#endif
