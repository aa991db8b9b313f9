/* Lanes of carriers, by destination, and the areas that name them. */
#include "carrier.h"

#include <stdlib.h>
#include <string.h>

#include "apply_internal.h"
#include "check.h"

/* -- areas -- */

static uint32_t *area_slot(const struct area_names *areas, const struct area_name *name)
{
    uint32_t at = (uint32_t)hash_fixed(name->text, name->len) & areas->mask;
    while (areas->slots[at]) {
        const struct area_name *own = &areas->all[areas->slots[at] - 1];
        if (own->len == name->len && memcmp(own->text, name->text, name->len) == 0) {
            break;
        }
        at = (at + 1) & areas->mask;
    }
    return &areas->slots[at];
}

uint32_t area_name_find(const struct area_names *areas, const struct area_name *name)
{
    return areas->slots ? *area_slot(areas, name) - 1 : AREA_UNKNOWN;
}

static enum err areas_grow(struct area_names *areas)
{
    uint32_t room = areas->room ? areas->room * 2 : 64;
    struct area_name *all = realloc(areas->all, room * sizeof *all);
    if (!all) {
        return ERR_NOMEM;
    }
    areas->all = all;
    uint32_t *slots = calloc((size_t)room * 2, sizeof *slots);
    if (!slots) {
        return ERR_NOMEM;
    }
    free(areas->slots);
    areas->slots = slots;
    areas->mask = room * 2 - 1;
    areas->room = room;
    for (uint32_t i = 0; i < areas->count; i++) {
        *area_slot(areas, &areas->all[i]) = i + 1;
    }
    return ERR_OK;
}

enum err area_name_add(struct area_names *areas, const struct area_name *name, uint32_t *id_out)
{
    *id_out = area_name_find(areas, name);
    if (*id_out != AREA_UNKNOWN) {
        return ERR_OK;
    }
    if (areas->count == AREA_NAMES_MAX) {
        return ERR_FULL;
    }
    enum err err = areas->count == areas->room ? areas_grow(areas) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    *id_out = areas->count;
    areas->all[areas->count++] = *name;
    *area_slot(areas, name) = areas->count;
    return ERR_OK;
}

static void areas_close(struct area_names *areas)
{
    free(areas->all);
    free(areas->slots);
}

void area_names_match(const struct area_names *areas, uint64_t lengths, const char *country,
                      const char *postcode, struct area_matches *out)
{
    struct area_name name;
    size_t digits = strnlen(postcode, AREA_NAME_SIZE - 4);
    out->count = 0;
    if (!country[0] || !lengths) {
        return;
    }
    memset(&name, 0, sizeof name);
    memcpy(name.text, country, 2);
    name.text[2] = ':';
    memcpy(name.text + 3, postcode, digits);
    for (size_t len = digits + 3; len >= 2 && out->count < AREA_MATCHES; len--) {
        if (len == 3 || !(lengths >> len & 1)) {
            continue;
        }
        name.len = (uint8_t)len;
        uint32_t id = area_name_find(areas, &name);
        if (id != AREA_UNKNOWN) {
            out->ids[out->count++] = id;
        }
    }
}

static uint64_t area_hash(const struct area_names *areas, uint32_t area)
{
    return hash_fixed(areas->all[area].text, areas->all[area].len);
}

/* -- carriers -- */

enum err carriers_init(struct carriers *carriers)
{
    memset(carriers, 0, sizeof *carriers);
    carriers->origins = calloc(CARRIER_NODES, sizeof *carriers->origins);
    return carriers->origins ? ERR_OK : ERR_NOMEM;
}

void carriers_close(struct carriers *carriers)
{
    for (uint32_t i = 0; carriers->columns && i <= carriers->column_mask; i++) {
        free(carriers->columns[i].lanes);
    }
    free(carriers->columns);
    free(carriers->origins);
    areas_close(&carriers->areas);
    memset(carriers, 0, sizeof *carriers);
}

uint64_t carriers_memory(void)
{
    return CARRIER_NODES * (uint64_t)sizeof(struct area_matches);
}

uint32_t carriers_find(const struct carriers *carriers, const char *name, uint32_t len)
{
    for (uint32_t i = 0; i < CARRIERS_MAX; i++) {
        const struct carrier *own = &carriers->all[i];
        if (own->name_len == len && !own->is_gone && memcmp(own->name, name, len) == 0) {
            return i;
        }
    }
    return CARRIERS_MAX;
}

bool carriers_has_room(const struct carriers *carriers)
{
    uint32_t free = 0;
    for (uint32_t i = 0; i < CARRIERS_MAX; i++) {
        const struct carrier *own = &carriers->all[i];
        free += own->name_len == 0 || (own->is_gone && own->lanes == 0);
    }
    return free > 0;
}

enum err carriers_need(struct carriers *carriers, const char *name, uint32_t len,
                       uint32_t *carrier_out)
{
    uint32_t at = carriers_find(carriers, name, len);
    for (uint32_t i = 0; at == CARRIERS_MAX && i < CARRIERS_MAX; i++) {
        struct carrier *own = &carriers->all[i];
        if (own->name_len == 0 || (own->is_gone && own->lanes == 0)) {
            *own = (struct carrier){.name_len = (uint8_t)len};
            memcpy(own->name, name, len);
            at = i;
        }
    }
    *carrier_out = at;
    return at == CARRIERS_MAX ? ERR_FULL : ERR_OK;
}

static bool is_live(const struct carriers *carriers, const struct lane *lane)
{
    return !carriers->all[lane->carrier].is_gone;
}

/* Lanes stay where they are until a row comes to their column: only the counts change. */
static void services_recount(struct carriers *carriers)
{
    memset(carriers->rows_of_service, 0, sizeof carriers->rows_of_service);
    for (uint32_t i = 0; carriers->columns && i <= carriers->column_mask; i++) {
        const struct lane_column *column = &carriers->columns[i];
        for (uint32_t k = 0; k < column->count; k++) {
            carriers->rows_of_service[(column->key - 1) >> 32] +=
                is_live(carriers, &column->lanes[k]);
        }
    }
}

void carriers_drop(struct carriers *carriers, uint32_t carrier)
{
    struct carrier *own = &carriers->all[carrier];
    own->is_gone = true;
    own->digest = (struct digest){0, 0};
    carriers->rows -= own->lanes;
    services_recount(carriers);
}

static struct lane_column *column_find(struct lane_column *columns, uint32_t mask, uint64_t key)
{
    uint64_t hash = key * 0x9e3779b97f4a7c15u;
    uint32_t at = (uint32_t)(hash >> 32) & mask;
    while (columns[at].key && columns[at].key != key) {
        at = (at + 1) & mask;
    }
    return &columns[at];
}

static enum err columns_grow(struct carriers *carriers)
{
    uint32_t mask = carriers->columns ? carriers->column_mask * 2 + 1 : 255;
    struct lane_column *columns = calloc((size_t)mask + 1, sizeof *columns);
    if (!columns) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; carriers->columns && i <= carriers->column_mask; i++) {
        if (carriers->columns[i].key) {
            *column_find(columns, mask, carriers->columns[i].key) = carriers->columns[i];
        }
    }
    free(carriers->columns);
    carriers->columns = columns;
    carriers->column_mask = mask;
    return ERR_OK;
}

static uint64_t column_key(enum service service, uint32_t dest)
{
    return ((uint64_t)service << 32 | dest) + 1;
}

static enum err column_need(struct carriers *carriers, enum service service, uint32_t dest,
                            struct lane_column **out)
{
    if (!carriers->columns || carriers->column_count * 2 > carriers->column_mask) {
        enum err err = columns_grow(carriers);
        if (err != ERR_OK) {
            return err;
        }
    }
    *out = column_find(carriers->columns, carriers->column_mask, column_key(service, dest));
    carriers->column_count += (*out)->key == 0;
    (*out)->key = column_key(service, dest);
    return ERR_OK;
}

/* Take lanes of carriers that are gone out of the column. */
static void column_purge(struct carriers *carriers, struct lane_column *column)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < column->count; i++) {
        if (is_live(carriers, &column->lanes[i])) {
            column->lanes[kept++] = column->lanes[i];
        } else {
            carriers->all[column->lanes[i].carrier].lanes--;
        }
    }
    column->count = kept;
}

/* The first lane of the origin or a later one. */
static uint32_t lane_search(const struct lane_column *column, uint32_t origin)
{
    uint32_t low = 0;
    uint32_t high = column->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (column->lanes[middle].origin < origin) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static enum err lane_insert(struct carriers *carriers, struct lane_column *column, uint32_t at)
{
    if (column->count == column->room) {
        uint32_t room = column->room ? column->room * 2 : 4;
        struct lane *lanes = realloc(column->lanes, room * sizeof *lanes);
        if (!lanes) {
            return ERR_NOMEM;
        }
        column->lanes = lanes;
        carriers->lane_room += room - column->room;
        column->room = room;
    }
    struct lane *lane = &column->lanes[at];
    memmove(lane + 1, lane, (column->count - at) * sizeof *lane);
    column->count++;
    return ERR_OK;
}

static void digest_words(struct digest *digest, bool is_add, uint64_t a, uint64_t b, uint64_t c)
{
    if (is_add) {
        digest_add_words(digest, TAG_LANE, a, b, c);
    } else {
        digest_take_words(digest, TAG_LANE, a, b, c);
    }
}

void lane_digest(const struct carriers *carriers, const struct lane *lane, enum service service,
                 uint32_t dest, struct digest *digest, bool is_add)
{
    const struct carrier *carrier = &carriers->all[lane->carrier];
    uint64_t who = hash_fixed(carrier->name, carrier->name_len) + (uint64_t)service;
    uint64_t where =
        area_hash(&carriers->areas, lane->origin) * 3 + area_hash(&carriers->areas, dest);
    digest_words(digest, is_add, who, where,
                 (uint64_t)lane->business_days << 48 ^ (uint64_t)lane->cents << 24 ^
                     lane->cents_per_kg);
}

static enum err lane_put(struct carriers *carriers, struct lane_column *column,
                         enum service service, uint32_t dest, const struct lane *lane)
{
    struct carrier *carrier = &carriers->all[lane->carrier];
    uint32_t at = lane_search(column, lane->origin);
    while (at < column->count && column->lanes[at].origin == lane->origin &&
           column->lanes[at].carrier < lane->carrier) {
        at++;
    }
    bool is_there = at < column->count && column->lanes[at].origin == lane->origin &&
                    column->lanes[at].carrier == lane->carrier;
    if (is_there) {
        lane_digest(carriers, &column->lanes[at], service, dest, &carrier->digest, false);
    } else {
        enum err err = lane_insert(carriers, column, at);
        if (err != ERR_OK) {
            return err;
        }
        carrier->lanes++;
        carriers->rows++;
        carriers->rows_of_service[service]++;
    }
    column->lanes[at] = *lane;
    lane_digest(carriers, lane, service, dest, &carrier->digest, true);
    return ERR_OK;
}

enum err carriers_set(struct carriers *carriers, uint32_t carrier, const struct carrier_row *row,
                      uint32_t *new_origin_out)
{
    struct area_names *areas = &carriers->areas;
    struct lane lane = {.cents = row->cents,
                        .cents_per_kg = row->cents_per_kg,
                        .business_days = (uint16_t)row->business_days,
                        .carrier = (uint8_t)carrier};
    struct lane_column *column;
    uint32_t dest;
    enum service service = (enum service)row->service;
    bool is_length_new = !(areas->origin_lengths >> row->origin.len & 1);
    *new_origin_out = AREA_UNKNOWN;
    if (carriers->rows >= CARRIER_ROWS_MAX) {
        return ERR_FULL;
    }
    uint32_t before = area_name_find(areas, &row->origin);
    enum err err = area_name_add(areas, &row->origin, &lane.origin);
    if (err == ERR_OK) {
        err = area_name_add(areas, &row->dest, &dest);
    }
    if (err == ERR_OK) {
        err = column_need(carriers, service, dest, &column);
    }
    if (err != ERR_OK) {
        return err;
    }
    areas->origin_lengths |= (uint64_t)1 << row->origin.len;
    areas->lengths |= (uint64_t)1 << row->dest.len;
    *new_origin_out = is_length_new || before == AREA_UNKNOWN ? lane.origin : AREA_UNKNOWN;
    column_purge(carriers, column);
    return lane_put(carriers, column, service, dest, &lane);
}

void carriers_node(struct carriers *carriers, uint16_t node, const char *country,
                   const char *postcode)
{
    area_names_match(&carriers->areas, carriers->areas.origin_lengths, country, postcode,
                     &carriers->origins[node]);
}

uint64_t lane_cents(const struct lane *lane, uint64_t grams)
{
    return lane->cents + lane->cents_per_kg * ((grams + 999) / 1000);
}

static bool is_better(const struct carriers *carriers, const struct lane *a, const struct lane *b,
                      uint64_t grams)
{
    if (!b || a->business_days != b->business_days) {
        return !b || a->business_days < b->business_days;
    }
    uint64_t x = lane_cents(a, grams);
    uint64_t y = lane_cents(b, grams);
    if (x != y) {
        return x < y;
    }
    return strcmp(carriers->all[a->carrier].name, carriers->all[b->carrier].name) < 0;
}

const struct lane *carriers_best(const struct carriers *carriers, enum service service,
                                 uint16_t node, const struct area_matches *dest, uint64_t grams)
{
    const struct area_matches *origins = &carriers->origins[node];
    const struct lane *best = NULL;
    uint64_t seen = 0; /* bit per carrier: a closer row of it was found */
    if (carriers->rows_of_service[service] == 0) {
        return NULL;
    }
    for (uint32_t d = 0; d < dest->count; d++) {
        const struct lane_column *column = column_find(carriers->columns, carriers->column_mask,
                                                       column_key(service, dest->ids[d]));
        for (uint32_t o = 0; o < origins->count && column->count > 0; o++) {
            for (uint32_t i = lane_search(column, origins->ids[o]);
                 i < column->count && column->lanes[i].origin == origins->ids[o]; i++) {
                const struct lane *lane = &column->lanes[i];
                bool is_new = !(seen >> lane->carrier & 1) && is_live(carriers, lane);
                seen |= (uint64_t)is_new << lane->carrier;
                best = is_new && is_better(carriers, lane, best, grams) ? lane : best;
            }
        }
    }
    return best;
}

_Static_assert(CARRIERS_MAX <= 64, "carriers_best has a bit for each");

void carriers_each(const struct carriers *carriers, lane_visit *visit, void *owner)
{
    for (uint32_t i = 0; carriers->columns && i <= carriers->column_mask; i++) {
        const struct lane_column *column = &carriers->columns[i];
        for (uint32_t k = 0; k < column->count; k++) {
            if (is_live(carriers, &column->lanes[k])) {
                visit(owner, &column->lanes[k], (enum service)((column->key - 1) >> 32),
                      (uint32_t)(column->key - 1));
            }
        }
    }
}
