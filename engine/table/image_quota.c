/* Section of quotas: a record for each cell that has some: item, node, count, [channel, qty, taken,
 * LSN that set it]. */
#include <stdlib.h>

#include "check.h"
#include "image_internal.h"

enum { QUOTA_SIZE_MAX = 1 + ID_MAX + 5 + 5 + 10, QUOTAS_HEAD_MAX = 5 + 3 + 1 };

static bool has_quotas(const struct tables *tables, uint32_t item, uint16_t node)
{
    const struct policy *policy = policies_find(&tables->policies, item, node);
    return policy && policy->quotas != QUOTA_NONE;
}

static void save_chain(const struct tables *tables, uint32_t item, uint16_t node,
                       struct image_sink *sink)
{
    const struct quotas *quotas = &tables->policies.quotas;
    const struct policy *policy = policies_find(&tables->policies, item, node);
    uint32_t count = 0;
    for (uint32_t i = policy->quotas; i; i = quotas_at(quotas, i)->next) {
        count++;
    }
    uint8_t *at = image_begin(sink, QUOTAS_HEAD_MAX + count * (uint32_t)QUOTA_SIZE_MAX);
    at = bytes_put_int(at, item);
    at = bytes_put_int(at, node);
    at = bytes_put_int(at, count);
    for (uint32_t i = policy->quotas; i; i = quotas_at(quotas, i)->next) {
        const struct quota *quota = quotas_at(quotas, i);
        uint32_t len;
        const char *name = quotas_name_of(quotas, quota, &len);
        at = bytes_put_text(at, name, len);
        at = bytes_put_int(at, quota->qty);
        at = bytes_put_int(at, quota->taken);
        at = bytes_put_int(at, quota->since);
    }
    image_end(sink, at);
}

static void save_item(const struct tables *tables, uint32_t item, struct row_order *order,
                      struct image_sink *sink)
{
    const struct row *row = tables->catalogue.items[item].row;
    row_order_by_node(tables, row, order);
    for (uint32_t i = 0, node = 0; i < row->count; i++) {
        node = row_order_take(order, node, tables->network.count);
        if (has_quotas(tables, item, (uint16_t)node)) {
            save_chain(tables, item, (uint16_t)node, sink);
        }
    }
}

void save_quotas(const struct tables *tables, struct image_sink *sink)
{
    struct row_order *order = calloc(1, sizeof *order);
    if (!order) {
        sink->err = sink->err == ERR_OK ? ERR_NOMEM : sink->err;
        return;
    }
    uint32_t items = tables->policies.quotas.count ? tables->catalogue.count : 0;
    for (uint32_t item = 0; item < items; item++) {
        if (tables->catalogue.items[item].row) {
            save_item(tables, item, order, sink);
        }
    }
    free(order);
}

static enum err load_quota(struct tables *tables, struct bytes_source *fields, uint32_t *first)
{
    struct effect_text channel = bytes_get_text(fields, ID_MAX);
    struct quota what = {.qty = (uint32_t)bytes_get_max(fields, UINT32_MAX)};
    what.taken = (uint32_t)bytes_get_max(fields, UINT32_MAX);
    what.since = bytes_get_int(fields);
    if (fields->is_bad || channel.len == 0) {
        return ERR_DAMAGED;
    }
    return quotas_add(&tables->policies.quotas, first, channel.at, channel.len, &what);
}

static enum err load_chain(struct tables *tables, struct bytes_source *fields, uint32_t item,
                           uint16_t node)
{
    const struct policy *before = policies_find(&tables->policies, item, node);
    struct policy policy = before ? *before : (struct policy){.quotas = QUOTA_NONE};
    uint32_t count = (uint32_t)bytes_get_max(fields, QUOTAS_EACH_MAX);
    enum err err = count && !policy.quotas ? ERR_OK : ERR_DAMAGED;
    policy_digest(tables, item, node, false);
    for (uint32_t i = 0; i < count && err == ERR_OK; i++) {
        err = load_quota(tables, fields, &policy.quotas);
    }
    if (err == ERR_OK) {
        err = policies_set(&tables->policies, item, node, &policy);
    }
    policy_digest(tables, item, node, true);
    return err;
}

void load_quotas(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        uint32_t item = (uint32_t)bytes_get_max(&fields, UINT32_MAX);
        uint16_t node = (uint16_t)bytes_get_max(&fields, NODE_MAX - 1);
        bool is_sound = item < tables->catalogue.count && node < tables->network.count;
        struct cell cell = is_sound ? tables_cell(tables, item, node) : (struct cell){.index = -1};
        bool is_there = cell.index >= 0 && cell_has_override(tables_word(&cell));
        enum err err = is_there ? load_chain(tables, &fields, item, node) : ERR_DAMAGED;
        if (err != ERR_OK) {
            image_bad(source, err, "quotas of item %u at node %u: %s", item, node, err_text(err));
            return;
        }
        (void)image_fields_end(source, &fields, "quotas");
    }
}
