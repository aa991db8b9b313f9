/* Places in requests. */
#include "place_internal.h"

#include <string.h>

static void read_postcode(struct reader *reader, struct place *place)
{
    struct text text = reader_text(reader, 1, 40);
    if (reader_is_ok(reader) && !postcode_normalise(text.at, text.len, place->postcode)) {
        reader_fail(reader, "must have 1 to %d letters and digits", POSTCODE_MAX);
    }
}

void place_read(struct reader *reader, struct place *place)
{
    static const char *const fields[] = {"lat", "lon", "country", "postcode", "po_box"};
    struct reader_map map;
    *place = (struct place){.is_given = true};
    reader_map_begin(reader, &map, fields, 5);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            place->lat = reader_float(reader, -90, 90);
            place->has_lat = true;
            break;
        case 1:
            place->lon = reader_float(reader, -180, 180);
            place->has_lon = true;
            break;
        case 2:
            read_country(reader, place->country);
            break;
        case 3:
            read_postcode(reader, place);
            break;
        default:
            place->is_po_box = reader_bool(reader);
        }
    }
    if (place->has_lat != place->has_lon) {
        reader_fail(reader, "lat and lon belong together");
    } else if (!place->has_lat && !place->postcode[0]) {
        reader_fail(reader, "give lat and lon, or a postcode");
    }
}

void place_unknown(struct service_core *service, struct call *call, const char *field,
                   const char *country, const char *postcode)
{
    if (country[0]) {
        reply_error(service, call, CODE_UNKNOWN_PLACE,
                    "%s.postcode: no prefix of \"%s\" is loaded for country \"%s\": give lat and "
                    "lon, or place.load it", field, postcode, country);
    } else {
        reply_error(service, call, CODE_UNKNOWN_PLACE,
                    "%s.postcode: \"%s\" of no country: give %s.country, or set the engine's "
                    "country", field, postcode, field);
    }
}

bool place_point(struct service_core *service, struct call *call, const char *field,
                 struct place *place, struct geo_point *point_out)
{
    if (!place->country[0]) {
        memcpy(place->country, service->options.country, sizeof place->country);
    }
    if (place->has_lat) {
        *point_out = geo_point(place->lat, place->lon);
        return true;
    }
    if (gazetteer_find(&service->tables.gazetteer, place->country, place->postcode, point_out)) {
        return true;
    }
    place_unknown(service, call, field, place->country, place->postcode);
    return false;
}
