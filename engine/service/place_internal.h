/* A place in a request: lat and lon, or a postcode, or both. */
#ifndef SERVICE_PLACE_INTERNAL_H
#define SERVICE_PLACE_INTERNAL_H

#include "service_internal.h"

struct place {
    bool is_given;
    bool has_lat, has_lon, is_po_box;
    double lat, lon;
    char country[3]; /* "" = none given */
    char postcode[POSTCODE_MAX + 1];
};

/* Read {lat, lon, country, postcode, po_box}: coordinates or a postcode must be there. */
void place_read(struct reader *reader, struct place *place);

/* The answer where the postcode of field has no loaded prefix. */
void place_unknown(struct service_core *service, struct call *call, const char *field,
                   const char *country, const char *postcode);

/* Where it is; the configured country stands in for none. False: its postcode is not loaded, and
 * the call is answered with UNKNOWN_PLACE naming the field. place must be given. */
bool place_point(struct service_core *service, struct call *call, const char *field,
                 struct place *place, struct geo_point *point_out);

#endif
