/* The list of sections, records in sink and source, and what is worked out after a load. */
#include "image.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "image_internal.h"

const struct image_section image_sections[] = {
    {"flags", 1, save_flags, load_flags},
    {"nodes", 1, save_nodes, load_nodes},
    {"closings", 1, save_closings, load_closings},
    {"hours", 1, save_hours, load_hours},
    {"items", 1, save_items, load_items},
    {"places", 1, save_places, load_places},
    {"strategies", 1, save_strategies, load_strategies},
    {"choices", 1, save_choices, load_choices},
    {"blocks", 1, save_blocks, load_blocks},
    {"rows", 1, save_rows, load_rows},
    {"policies", 1, save_policies, load_policies},
    {"quotas", 1, save_quotas, load_quotas},
    {"orders", 4, save_orders, load_orders},
    {"owed", 1, save_owed, load_owed},
    {"declines", 1, save_declines, load_declines},
    {"reservations", 1, save_reservations, load_reservations},
    {"queues", 1, save_queues, load_queues},
    {"documents", 1, save_documents, load_documents},
    {"holds", 1, save_holds, load_holds},
    {"done", 1, save_done, load_done},
    {"reserve_ends", 1, save_reserve_ends, load_reserve_ends},
    {"keys", 1, save_keys, load_keys},
    {"movements", 1, save_movements, load_movements},
    {"capacity", 1, save_capacity, load_capacity},
    {"lanes", 1, save_lanes, load_lanes},
    {"roads", 1, save_roads, load_roads},
};

const uint32_t image_section_count = sizeof image_sections / sizeof image_sections[0];

int image_section_find(const char *name)
{
    for (uint32_t i = 0; i < image_section_count; i++) {
        if (strcmp(image_sections[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* -- sink -- */

uint8_t *image_begin(struct image_sink *sink, uint32_t size_max)
{
    CHECK(size_max <= IMAGE_RECORD_MAX);
    if ((uint64_t)(sink->end - sink->at) < (uint64_t)size_max + IMAGE_RECORD_HEAD) {
        sink->room(sink, size_max + IMAGE_RECORD_HEAD);
    }
    CHECK((uint64_t)(sink->end - sink->at) >= (uint64_t)size_max + IMAGE_RECORD_HEAD);
    return sink->at + IMAGE_RECORD_HEAD;
}

void image_end(struct image_sink *sink, const uint8_t *end)
{
    const uint8_t *begin = sink->at + IMAGE_RECORD_HEAD;
    CHECK(end >= begin);
    CHECK(end <= sink->end);
    uint32_t size = (uint32_t)(end - begin);
    memcpy(sink->at, &size, sizeof size);
    sink->at += IMAGE_RECORD_HEAD + size;
    sink->records++;
}

/* -- source -- */

void image_bad(struct image_source *source, enum err err, const char *format, ...)
{
    if (source->err != ERR_OK) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(source->why, sizeof source->why, format, arguments);
    va_end(arguments);
    source->err = err;
}

const uint8_t *image_next(struct image_source *source, uint32_t *size_out)
{
    uint32_t size;
    if (source->err != ERR_OK || (source->at == source->end && !source->more(source))) {
        return NULL;
    }
    const size_t left = (size_t)(source->end - source->at);
    if (left < IMAGE_RECORD_HEAD) {
        image_bad(source, ERR_DAMAGED, "a record's size is cut off");
        return NULL;
    }
    memcpy(&size, source->at, sizeof size);
    if (size > left - IMAGE_RECORD_HEAD) {
        image_bad(source, ERR_DAMAGED, "a record is cut off");
        return NULL;
    }
    const uint8_t *record = source->at + IMAGE_RECORD_HEAD;
    source->at = record + size;
    *size_out = size;
    return record;
}

bool image_fields_end(struct image_source *source, const struct bytes_source *fields,
                      const char *what)
{
    if (fields->is_bad || fields->at != fields->end) {
        image_bad(source, ERR_DAMAGED, "a record is not that of %s", what);
        return false;
    }
    return true;
}

void image_name_note(struct image_source *source, struct image_orders *names, uint64_t lsn,
                     slab_ref ref)
{
    if (names->count == names->room) {
        uint64_t room = names->room ? names->room * 2 : 1024;
        uint64_t *lsns = realloc(names->lsns, room * sizeof *lsns);
        names->lsns = lsns ? lsns : names->lsns;
        slab_ref *refs = lsns ? realloc(names->refs, room * sizeof *refs) : NULL;
        if (!refs) {
            image_bad(source, ERR_NOMEM, "no memory to name %llu rows", (unsigned long long)room);
            return;
        }
        names->refs = refs;
        names->room = room;
    }
    CHECK(names->count == 0 || names->lsns[names->count - 1] < lsn);
    names->lsns[names->count] = lsn;
    names->refs[names->count++] = ref;
}

void image_order_note(struct image_source *source, uint64_t lsn, slab_ref ref)
{
    image_name_note(source, &source->orders, lsn, ref);
}

/* Where the LSN would be if those that were noted lay evenly. */
static uint64_t likely_place(const struct image_orders *names, uint64_t lsn)
{
    const uint64_t first = names->lsns[0];
    const uint64_t last = names->lsns[names->count - 1];
    if (lsn <= first || lsn >= last) {
        return lsn <= first ? 0 : names->count - 1;
    }
    return (uint64_t)((double)(lsn - first) / (double)(last - first) * (double)(names->count - 1));
}

/* Ends of a range that has the LSN, if there is one: around the likely place, wider by steps that
 * double, so that a few lines are read and not one of each half, quarter, eighth. */
static void range_find(const struct image_orders *names, uint64_t lsn, uint64_t *low,
                       uint64_t *high)
{
    const uint64_t at = likely_place(names, lsn);
    uint64_t step = 8;
    *low = at;
    *high = at + 1;
    while (*low > 0 && names->lsns[*low] > lsn) {
        *low = *low > step ? *low - step : 0;
        step *= 2;
    }
    while (*high < names->count && names->lsns[*high] <= lsn) {
        *high = names->count - *high > step ? *high + step : names->count;
        step *= 2;
    }
}

slab_ref image_named(const struct image_orders *names, uint64_t lsn)
{
    uint64_t low;
    uint64_t high;
    if (names->count == 0) {
        return 0;
    }
    range_find(names, lsn, &low, &high);
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        if (names->lsns[middle] < lsn) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < names->count && names->lsns[low] == lsn ? names->refs[low] : 0;
}

slab_ref image_order(const struct image_source *source, uint64_t lsn)
{
    return image_named(&source->orders, lsn);
}

static void names_free(struct image_orders *names)
{
    free(names->lsns);
    free(names->refs);
    memset(names, 0, sizeof *names);
}

enum err image_load_end(struct tables *tables, struct image_source *source, uint64_t lsn,
                        uint64_t time_ms, const struct digest *digest)
{
    tables->lsn = lsn;
    tables->time_ms = time_ms;
    generation_next(tables);
    timers_rebuild(tables);
    if (source->err == ERR_OK && !digest_equal(digest, &tables->digest)) {
        image_bad(source, ERR_DAMAGED, "what was loaded is not the state whose digest it tells");
    }
    names_free(&source->orders);
    names_free(&source->reservations);
    return source->err;
}
