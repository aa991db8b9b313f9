/* One helper each for the slab of orders and the pool of holds. */
#include "tables_warm.h"

enum {
    ORDERS_AHEAD = 128 << 20, /* bytes touched before their use */
    HOLDS_AHEAD = 16 << 20
};

enum err tables_warm_start(struct tables_warm *warm, const struct tables *tables)
{
    const struct slab *slab = &tables->orders.slab;
    const struct holds *holds = &tables->holds;
    const uint64_t size = ((uint64_t)holds->max + 1) * sizeof(struct hold);
    *warm = (struct tables_warm){NULL, NULL};
    enum err err = warm_start(slab->base, slab->size, ORDERS_AHEAD, &warm->orders);
    if (err == ERR_OK) {
        err = warm_start(holds->pool, size, HOLDS_AHEAD, &warm->holds);
    }
    tables_warm_note(warm, tables);
    return err;
}

void tables_warm_note(const struct tables_warm *warm, const struct tables *tables)
{
    warm_note(warm->orders, tables->orders.slab.used);
    warm_note(warm->holds, (uint64_t)tables->holds.used * sizeof(struct hold));
}

void tables_warm_stop(struct tables_warm *warm)
{
    warm_stop(warm->orders);
    warm_stop(warm->holds);
    *warm = (struct tables_warm){NULL, NULL};
}
