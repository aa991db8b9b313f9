/* The logged state as records, section by section: what a snapshot holds.
 *
 * There is one list of sections, in the order in which they are written and must come back, as
 * later ones name what earlier ones brought. A new table is one entry there and two functions:
 * save writes its rows as records, load builds them again and adds their digest rows, so that a
 * table left out shows when the digests are compared (image_load_end). Whatever can be worked out
 * from other tables (slots, indexes, bitmaps) is not saved.
 *
 * A row is named by what holds in every process (handle, LSN, id), never by a place in memory.
 * Errors are sticky in sink and source: savers and loaders ask once at the end. Engine loop, or
 * the thread that owns the tables. */
#ifndef TABLE_IMAGE_H
#define TABLE_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "tables.h"

enum {
    IMAGE_RECORD_MAX = 2 << 20, /* bytes of one record */
    IMAGE_RECORD_HEAD = 4,      /* its size, little endian, before it */
    IMAGE_NAME_SIZE = 16,       /* a section's name, filled with zeros */
    IMAGE_WHY_SIZE = 160
};

/* Where records go. The owner makes room; at stands behind the last whole record. */
struct image_sink {
    uint8_t *at, *end;
    uint64_t records; /* since the owner set it to 0 */
    enum err err;     /* the first error; records are still taken, and lost */
    /* Make room for size more bytes behind at. After an error any room will do. */
    void (*room)(struct image_sink *sink, uint32_t size);
};

/* Room for one record of at most size_max bytes (at most IMAGE_RECORD_MAX), then its end. */
uint8_t *image_begin(struct image_sink *sink, uint32_t size_max);
void image_end(struct image_sink *sink, const uint8_t *end);

/* Rows that were loaded, by rising LSN: how later sections name them. */
struct image_orders {
    uint64_t *lsns;
    slab_ref *refs;
    uint64_t count, room;
};

/* Where records come from. */
struct image_source {
    const uint8_t *at, *end;
    uint32_t version; /* of the section being loaded */
    enum err err;
    char why[IMAGE_WHY_SIZE]; /* of an error that a loader found; else "" */
    /* Set at and end to the next piece of the section, whole records; false: it is over, or err. */
    bool (*more)(struct image_source *source);
    struct image_orders orders, reservations;
};

/* The next record of the section, or NULL: over, or an error. Valid until the next call. */
const uint8_t *image_next(struct image_source *source, uint32_t *size_out);

/* Note that the records are not what they should be (err, mostly ERR_DAMAGED; ERR_FULL where a
 * limit is lower than when they were written). The first one stays. */
__attribute__((format(printf, 3, 4))) void image_bad(struct image_source *source, enum err err,
                                                     const char *format, ...);

/* The order that an LSN made, or 0. */
slab_ref image_order(const struct image_source *source, uint64_t lsn);

struct image_section {
    const char *name; /* below IMAGE_NAME_SIZE bytes */
    uint32_t version; /* of its records; load gets that of the file, at most this one */
    void (*save)(const struct tables *tables, struct image_sink *sink);
    void (*load)(struct tables *tables, struct image_source *source);
};

extern const struct image_section image_sections[];
extern const uint32_t image_section_count;

/* Index of a section by name, or -1. */
int image_section_find(const char *name);

/* After the last section: what follows from the rows is worked out, LSN and time are set, and the
 * digest of what was loaded is compared. Frees what the source kept. tables were empty before the
 * first section; after an error they may only be closed.
 * Errors: the source's; ERR_DAMAGED: another digest. */
ERR_MUST_USE enum err image_load_end(struct tables *tables, struct image_source *source,
                                     uint64_t lsn, uint64_t time_ms, const struct digest *digest);

#endif
