/* From settings to the limits of the tables. */
#ifndef LIMITS_H
#define LIMITS_H

#include "config.h"
#include "tables.h"

void limits_tables(const struct config *config, struct tables_options *out);

#endif
