/* What falls due by time alone, and its records. */
#include "service_internal.h"

uint64_t due_next(const struct service_core *service)
{
    return service->tables.status_until;
}

/* A node's status that was set until now: active again. */
static bool status_end(struct service_core *service, uint16_t handle)
{
    const struct node *node = &service->tables.network.nodes[handle];
    struct effect_node effect = {{node->id, node->id_len}, node->config, {0}};
    effect.config.status = NODE_ACTIVE;
    effect.config.status_services = 0;
    effect.config.status_until = 0;
    uint32_t size = effect_node_size(&effect);
    if (wal_room(service->wal, size, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn = log_end(service, EFFECT_NODE, effect_node_encode(bytes, &effect));
    must_apply(tables_apply_node(&service->tables, lsn, service->now_ms, &effect), "node");
    return true;
}

bool due_fire(struct service_core *service)
{
    const struct tables *tables = &service->tables;
    for (uint32_t i = 0; i < tables->network.count && tables->status_until <= service->now_ms;
         i++) {
        uint64_t until = tables->network.nodes[i].config.status_until;
        if (until && until <= service->now_ms && !status_end(service, (uint16_t)i)) {
            return false;
        }
    }
    return true;
}
