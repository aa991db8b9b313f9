/* What carriers promise and cost: rows by service, origin area and destination area; and roads:
 * rows by node and destination area. Areas are "CC" or "CC:prefix"; the longest that match count.
 *
 * Area texts are interned; a node's origin areas are worked out when a node or the set of origins
 * changes, a destination's once per request. Lanes lie by destination, sorted by origin. Logged
 * state, except the order of areas. Engine loop only. */
#ifndef TABLE_CARRIER_H
#define TABLE_CARRIER_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "hash.h"
#include "names.h"

enum {
    CARRIERS_MAX = 64, /* different ones, those being replaced included */
    CARRIER_NAME_MAX = 63,
    CARRIER_ROWS_MAX = 8000000,
    CARRIER_DAYS_MAX = 60,
    TRAVEL_ROWS_MAX = 8000000,
    AREA_NAMES_MAX = 1 << 20,
    AREA_MATCHES = 8, /* different lengths of areas that can hold one place */
    AREA_NAME_SIZE = 24,
    CARRIER_NODES = 65536
};
#define AREA_UNKNOWN UINT32_MAX

/* Areas that hold a place, longest first. */
struct area_matches {
    uint32_t count;
    uint32_t ids[AREA_MATCHES];
};

struct area_name {
    char text[AREA_NAME_SIZE]; /* zeros behind the text */
    uint8_t len;
};

/* Texts to numbers, in the order in which they came. */
struct area_names {
    struct area_name *all;
    uint32_t count, room;
    uint32_t *slots; /* number + 1, 0 = empty */
    uint32_t mask;
    uint64_t lengths; /* bit per length in use: as destination, or of roads */
    uint64_t origin_lengths;
};

struct lane {
    uint32_t origin; /* area */
    uint32_t cents;
    uint32_t cents_per_kg;
    uint16_t business_days;
    uint8_t carrier;
    uint8_t reserved;
};

/* Lanes of one service to one area, by origin, then carrier. */
struct lane_column {
    uint64_t key; /* service << 32 | area, plus one; 0 = empty */
    struct lane *lanes;
    uint32_t count, room;
};

struct carrier {
    char name[CARRIER_NAME_MAX + 1];
    uint8_t name_len; /* 0 = free */
    bool is_gone;     /* replaced or emptied: its lanes count for nothing, and go when met */
    uint64_t lanes;
    struct digest digest; /* of its rows */
};

struct carriers {
    struct area_names areas;
    struct carrier all[CARRIERS_MAX];
    struct lane_column *columns;
    uint32_t column_mask, column_count;
    uint64_t lane_room; /* of all columns */
    uint64_t rows; /* that count */
    uint64_t rows_of_service[SERVICE_COUNT];
    struct area_matches *origins; /* by node handle */
    uint64_t generation;          /* grows when rows or origins of nodes change */
};

struct carrier_row {
    uint8_t service;
    struct area_name origin, dest;
    uint32_t business_days, cents, cents_per_kg;
};

ERR_MUST_USE enum err carriers_init(struct carriers *carriers);
void carriers_close(struct carriers *carriers);
uint64_t carriers_memory(void);

/* The number of an area, or AREA_UNKNOWN. */
uint32_t area_name_find(const struct area_names *areas, const struct area_name *name);
ERR_MUST_USE enum err area_name_add(struct area_names *areas, const struct area_name *name,
                                    uint32_t *id_out);

/* Areas among the lengths given that hold the place. country "" holds none. */
void area_names_match(const struct area_names *areas, uint64_t lengths, const char *country,
                      const char *postcode, struct area_matches *out);

/* The carrier's number; CARRIERS_MAX: not there. */
uint32_t carriers_find(const struct carriers *carriers, const char *name, uint32_t len);

/* Whether one more carrier may be made, or one replaced, whose old rows keep their place till
 * they are met. */
bool carriers_has_room(const struct carriers *carriers);

/* Make the carrier where it is new. Errors: ERR_FULL. */
ERR_MUST_USE enum err carriers_need(struct carriers *carriers, const char *name, uint32_t len,
                                    uint32_t *carrier_out);

/* All rows of the carrier go at once. */
void carriers_drop(struct carriers *carriers, uint32_t carrier);

/* Set one row. new_origin_out: an area that nodes have to be matched with, or AREA_UNKNOWN.
 * Errors: ERR_FULL, ERR_NOMEM. */
ERR_MUST_USE enum err carriers_set(struct carriers *carriers, uint32_t carrier,
                                   const struct carrier_row *row, uint32_t *new_origin_out);

/* Work out which origins hold the node. */
void carriers_node(struct carriers *carriers, uint16_t node, const char *country,
                   const char *postcode);

/* The best lane of the service from the node to a place: fewest days, then cheapest for the
 * weight, then the carrier's name. Of each carrier the row of the longest destination counts,
 * then of the longest origin. NULL: none. */
const struct lane *carriers_best(const struct carriers *carriers, enum service service,
                                 uint16_t node, const struct area_matches *dest, uint64_t grams);

/* What a lane costs for the weight: cents, plus cents_per_kg for each begun kg. */
uint64_t lane_cents(const struct lane *lane, uint64_t grams);

/* Call visit for each lane that counts, column by column. */
typedef void lane_visit(void *owner, const struct lane *lane, enum service service, uint32_t dest);
void carriers_each(const struct carriers *carriers, lane_visit *visit, void *owner);

/* Digest row of a lane, and of all that a carrier has. */
void lane_digest(const struct carriers *carriers, const struct lane *lane, enum service service,
                 uint32_t dest, struct digest *digest, bool is_add);

/* -- travel.c: roads -- */

struct road {
    uint64_t key; /* node << 32 | area, plus one; 0 = empty */
    uint32_t metres, minutes;
    uint32_t epoch; /* rows of an older one were replaced */
};

struct travels {
    struct area_names areas;
    struct road *roads;
    uint64_t mask, used; /* slots taken, old ones included */
    uint64_t rows;       /* that count */
    uint32_t epoch;
    struct digest digest;
};

struct travel_row {
    uint16_t node;
    struct area_name area;
    uint32_t metres, minutes;
};

void travels_init(struct travels *travels);
void travels_close(struct travels *travels);
/* Take all rows away. */
void travels_drop(struct travels *travels);
ERR_MUST_USE enum err travels_set(struct travels *travels, const struct travel_row *row);
/* The road from the node to the longest area that has one, or NULL. */
const struct road *travels_find(const struct travels *travels, uint16_t node,
                                const struct area_matches *dest);
void road_digest(const struct travels *travels, const struct road *road, struct digest *digest,
                 bool is_add);

#endif
