/* What must hold of a configuration beyond its single settings, before anything is opened: the
 * limits fit into the memory allowed, the addresses may be listened on. */
#include "daemon.h"

#include <stdio.h>

#include "limits.h"
#include "loops.h"
#include "net.h"
#include "say.h"
#include "tables.h"

enum {
    CHILD_BUFFERS = 16 << 20, /* of reading the log and writing the snapshot */
    CONN_BYTES = 1100,
    SERVICE_SCRATCH = 64 << 20 /* of decisions, replies, staging: not in any table */
};

uint64_t daemon_memory(const struct config *config)
{
    struct tables_options tables;
    limits_tables(config, &tables);
    uint64_t net = config->buffers_max + DAEMON_NET_ARENA + config->conns_max * CONN_BYTES;
    uint64_t log = 2 * config->group_size_max;
    uint64_t loops = loops_memory((uint32_t)config->read_loops, DAEMON_NET_ARENA);
    return tables_memory(&tables) + net + loops + log + config->loads_memory + SERVICE_SCRATCH;
}

static bool memory_fits(const struct config *config)
{
    char need[32];
    char allowed[32];
    uint64_t sum = daemon_memory(config);
    if (config->memory == 0 || sum <= config->memory) {
        return true;
    }
    config_size_text(sum, need);
    config_size_text(config->memory, allowed);
    say(SAY_ERROR, "not_started",
        "memory=%s but the limits together need %s: raise memory or lower orders_memory, "
        "orders_max, holds_max, reservations_max, keys_max, items_max, movements_max, "
        "stock_memory, rules_memory, loads_memory, "
        "documents_max or buffers_max",
        allowed, need);
    return false;
}

bool daemon_child_fits(const struct config *config, char *why_out, size_t size)
{
    char need[32];
    char allowed[32];
    struct tables_options tables;
    limits_tables(config, &tables);
    uint64_t sum = daemon_memory(config) + tables_memory(&tables) + CHILD_BUFFERS;
    if (config->memory == 0 || sum <= config->memory) {
        return true;
    }
    config_size_text(sum, need);
    config_size_text(config->memory, allowed);
    snprintf(why_out, size,
             "memory=%s does not allow the child that makes it, which is as large as the tables "
             "(together %s): raise memory or lower the limits",
             allowed, need);
    return false;
}

bool daemon_check(const struct config *config)
{
    char error[256];
    for (uint32_t i = 0; i < config->listen.count; i++) {
        if (net_address_check(config->listen.texts[i], error, sizeof error) != ERR_OK) {
            say(SAY_ERROR, "not_started", "listen=%s", error);
            return false;
        }
    }
    return memory_fits(config);
}
