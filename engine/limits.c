/* One line per limit. */
#include "limits.h"

void limits_tables(const struct config *config, struct tables_options *out)
{
    *out = (struct tables_options){
        .items_max = (uint32_t)config->items_max,
        .orders_max = (uint32_t)config->orders_max,
        .orders_memory = config->orders_memory,
        .orders_ready = config->orders_ready,
        .holds_max = (uint32_t)config->holds_max,
        .owed_max = (uint32_t)config->owed_max,
        .keys_max = (uint32_t)config->keys_max,
        .movements_max = (uint32_t)config->movements_max,
        .reservations_max = (uint32_t)config->reservations_max,
        .documents_max = (uint32_t)config->documents_max,
        .stock_memory = config->stock_memory,
        .rules_memory = config->rules_memory,
    };
}
