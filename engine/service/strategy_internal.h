/* Strategies in answers and by name. */
#ifndef SERVICE_STRATEGY_INTERNAL_H
#define SERVICE_STRATEGY_INTERNAL_H

#include "service_internal.h"

enum { STRATEGY_NAME_FIELDS = 2 };

/* Its name and version: STRATEGY_NAME_FIELDS fields. */
void put_strategy_name(const struct service_core *service, struct writer *writer,
                       uint16_t handle);

/* The handle of a name (len 0: not named, what is chosen for service and channel). False: the
 * call is answered with UNKNOWN_STRATEGY. */
bool need_strategy(struct service_core *service, struct call *call, struct text name,
                   enum service of, struct text channel, uint16_t *handle_out);

#endif
