/* Sections of what changes seldom: flag words, nodes, items, places. Their records are the bytes
 * of the effects that make them, without keys. */
#include <stdlib.h>
#include <string.h>

#include "image_internal.h"

/* -- flags: one record each, in the order of their numbers -- */

void save_flags(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = FLAG_FIXED_COUNT; i < tables->catalogue.flag_count; i++) {
        const char *name = tables->catalogue.flag_names[i];
        uint8_t *at = image_begin(sink, EFFECT_SMALL_MAX);
        image_end(sink, at + effect_flag_encode(at, name, (uint32_t)strlen(name)));
    }
}

void load_flags(struct tables *tables, struct image_source *source)
{
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_text name;
        uint32_t before = tables->catalogue.flag_count;
        enum err err = effect_flag_decode(bytes, size, &name);
        if (err == ERR_OK) {
            err = flag_enter(tables, &name);
        }
        if (err != ERR_OK || tables->catalogue.flag_count == before) {
            image_bad(source, err == ERR_OK ? ERR_DAMAGED : err, "flag %u", before);
        }
    }
}

/* -- nodes, by handle -- */

void save_nodes(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = 0; i < tables->network.count; i++) {
        const struct node *node = &tables->network.nodes[i];
        struct effect_node effect = {{node->id, node->id_len}, node->config, {0}, false};
        uint8_t *at = image_begin(sink, effect_node_size(&effect));
        image_end(sink, at + effect_node_encode(at, &effect));
    }
}

void load_nodes(struct tables *tables, struct image_source *source)
{
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_node effect;
        uint32_t before = tables->network.count;
        enum err err = effect_node_decode(bytes, size, tables->scratch, &effect);
        if (err == ERR_OK) {
            err = node_enter(tables, &effect);
        }
        if (err != ERR_OK || tables->network.count == before) {
            image_bad(source, err == ERR_OK ? ERR_DAMAGED : err, "node %u", before);
        }
    }
    network_layout(&tables->network, NULL); /* the rows that follow are built on it */
}

/* -- items, by handle -- */

void save_items(const struct tables *tables, struct image_sink *sink)
{
    for (uint32_t i = 0; i < tables->catalogue.count; i++) {
        const struct item *item = &tables->catalogue.items[i];
        const struct kit *kit = item->is_kit ? kits_find(&tables->kits, i) : NULL;
        struct effect_item effect = {.id = {item->id, item->id_len},
                                     .weight_g = item->weight_g,
                                     .flags = item->flags,
                                     .not_to_count = item->not_to_count,
                                     .not_to = item->not_to};
        for (; kit && effect.part_count < kit->count; effect.part_count++) {
            effect.parts[effect.part_count] = kit->parts[effect.part_count];
        }
        uint8_t *at = image_begin(sink, effect_item_size(&effect));
        image_end(sink, at + effect_item_encode(at, &effect));
    }
}

void load_items(struct tables *tables, struct image_source *source)
{
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_item effect;
        uint32_t before = tables->catalogue.count;
        enum err err = effect_item_decode(bytes, size, tables->scratch, &effect);
        if (err == ERR_OK && (effect.id.len == 0 || effect.not_to_count > ITEM_AREAS_MAX)) {
            err = ERR_DAMAGED;
        }
        if (err == ERR_OK) {
            err = item_enter(tables, &effect);
        }
        if (err != ERR_OK || tables->catalogue.count == before) {
            image_bad(source, err == ERR_OK ? ERR_DAMAGED : err, "item %u%s", before,
                      err == ERR_FULL ? ": items_max is lower than when this was written" : "");
        }
    }
}

/* -- places, sorted, so many of one country to a record -- */

struct place_list {
    struct gazetteer_place *places;
    uint64_t count;
};

static void place_note(void *owner, const struct gazetteer_place *place)
{
    struct place_list *list = owner;
    list->places[list->count++] = *place;
}

static int by_name(const void *a, const void *b)
{
    const struct gazetteer_place *x = a;
    const struct gazetteer_place *y = b;
    int order = memcmp(x->country, y->country, sizeof x->country);
    return order ? order : strcmp(x->postcode, y->postcode);
}

static uint64_t save_places_from(const struct place_list *list, uint64_t from,
                                 struct effect_place *rows, struct image_sink *sink)
{
    struct effect_places effect = {.rows = rows};
    memcpy(effect.country, list->places[from].country, 2);
    while (effect.count < EFFECT_PLACES_MAX && from < list->count &&
           memcmp(list->places[from].country, effect.country, 2) == 0) {
        struct effect_place *row = &rows[effect.count++];
        memset(row, 0, sizeof *row);
        memcpy(row->postcode, list->places[from].postcode, sizeof row->postcode);
        row->lat = list->places[from].lat;
        row->lon = list->places[from].lon;
        from++;
    }
    uint8_t *at = image_begin(sink, effect_places_size(&effect));
    image_end(sink, at + effect_places_encode(at, &effect));
    return from;
}

void save_places(const struct tables *tables, struct image_sink *sink)
{
    struct place_list list = {0};
    uint64_t count = tables->gazetteer.count;
    list.places = malloc((count + 1) * sizeof *list.places);
    struct effect_place *rows = malloc(EFFECT_PLACES_MAX * sizeof *rows);
    if (!list.places || !rows) {
        sink->err = sink->err == ERR_OK ? ERR_NOMEM : sink->err;
    } else {
        gazetteer_walk(&tables->gazetteer, place_note, &list);
        qsort(list.places, list.count, sizeof *list.places, by_name);
        for (uint64_t at = 0; at < list.count;) {
            at = save_places_from(&list, at, rows, sink);
        }
    }
    free(list.places);
    free(rows);
}

void load_places(struct tables *tables, struct image_source *source)
{
    const uint8_t *bytes;
    uint32_t size;
    while ((bytes = image_next(source, &size))) {
        struct effect_places effect;
        enum err err = effect_places_decode(bytes, size, tables->scratch, &effect);
        if (err == ERR_OK) {
            err = places_enter(tables, &effect);
        }
        if (err != ERR_OK) {
            image_bad(source, err, "places");
        }
    }
}
