/* The time zones of this machine: TZif files, read when a node first names one, kept till the end.
 *
 * Engine loop only. Never for an order. */
#ifndef SERVICE_ZONE_FILES_H
#define SERVICE_ZONE_FILES_H

#include "zone.h"

struct zone_files;

/* folder: where the files are; NULL: where the system has them. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err zone_files_new(const char *folder, struct zone_files **out);
void zone_files_free(struct zone_files *files);

/* The zone of an IANA name, or NULL: no such file, or it is no zone. Valid as long as files. */
const struct zone *zone_files_find(struct zone_files *files, const char *name);

/* Whether there is any zone at all, for messages. */
bool zone_files_are_there(const struct zone_files *files);

#endif
