/* Brings an engine to the state that a run begins with: nodes, items, stock. */
#ifndef LOADGEN_LOAD_SETUP_H
#define LOADGEN_LOAD_SETUP_H

#include <stdint.h>

#include "err.h"
#include "load_network.h"
#include "pump.h"
#include "stock_model.h"
#include "workload.h"
#include "writer.h"

enum { SETUP_VERSION_SIZE = 64 };

/* What the engine says of itself. */
struct setup_hello {
    char server[SETUP_VERSION_SIZE]; /* name and version */
};

/* Ask hello. Errors: as bulk_run. */
ERR_MUST_USE enum err setup_hello(struct pump *pump, struct setup_hello *hello_out);

/* What was loaded. */
struct setup_report {
    uint64_t nodes, items, cells;
    double seconds;
};

/* Parameters of node.put for a site, and of item.put; with their head at most SETUP_ASK_SIZE. */
enum { SETUP_ASK_SIZE = 512 };
void setup_write_node(const struct network *network, uint64_t index, struct writer *writer);
void setup_write_item(const struct workload *workload, uint64_t index, struct writer *writer);

/* Put all nodes and items, then load the stock of the model. Errors: as bulk_run. */
ERR_MUST_USE enum err setup_load(struct pump *pump, const struct network *network,
                                 const struct workload *workload, const struct stock_model *model,
                                 struct setup_report *report_out);

#endif
