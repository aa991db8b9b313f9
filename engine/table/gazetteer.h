/* Places: postcode prefixes by country with their coordinates. A postcode is found by its
 * longest loaded prefix. Engine loop only. */
#ifndef TABLE_GAZETTEER_H
#define TABLE_GAZETTEER_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "geo.h"

enum { POSTCODE_MAX = 16 };

struct gazetteer {
    struct gazetteer_slot *slots; /* index: open addressing, power of two, doubles at half full */
    uint64_t mask;
    struct gazetteer_row **chunks; /* rows, in blocks that never move */
    uint64_t chunk_count;
    uint64_t count; /* rows */
    uint32_t lengths; /* bit per postcode length loaded */
};

void gazetteer_init(struct gazetteer *gazetteer);
void gazetteer_close(struct gazetteer *gazetteer);

/* Bytes that it takes while so many more rows come. */
uint64_t gazetteer_bytes(const struct gazetteer *gazetteer, uint64_t more);

/* Upper case without blanks and hyphens; false: empty or over POSTCODE_MAX bytes after that.
 * out has POSTCODE_MAX + 1 bytes. */
bool postcode_normalise(const char *text, uint32_t len, char *out);

/* Set the coordinates of a normalised prefix; old ones are returned in old_* (has_old_out says
 * whether there were any). country: two upper-case letters. Errors: ERR_NOMEM. */
ERR_MUST_USE enum err gazetteer_put(struct gazetteer *gazetteer, const char *country,
                                    const char *postcode, double lat, double lon,
                                    bool *has_old_out, double *old_lat, double *old_lon);

/* A loaded prefix. */
struct gazetteer_place {
    char country[3];
    char postcode[POSTCODE_MAX + 1];
    double lat, lon;
};

typedef void gazetteer_cb(void *owner, const struct gazetteer_place *place);

/* Tell all loaded prefixes, in the order of their coming. */
void gazetteer_walk(const struct gazetteer *gazetteer, gazetteer_cb *each, void *owner);

/* Coordinates of the longest loaded prefix of a normalised postcode. */
bool gazetteer_find(const struct gazetteer *gazetteer, const char *country, const char *postcode,
                    struct geo_point *point_out);

#endif
