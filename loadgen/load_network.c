/* Reads or draws the network. */
#include "load_network.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "geo.h"
#include "zip3.h"

enum { APART_M = 500000, STORES_MAX = LOAD_NODES_MAX - LOAD_WAREHOUSES, PLACES_MAX = 100000 };

/* Draws of the network come from streams of their own, so that a change to one of them leaves
 * the others as they are. */
enum { STREAM_STORES = 0x57, STREAM_SIZES = 0x51 };

#define WAREHOUSE_SHARE 0.70
#define STORE_SHARE_MIN 0.05
#define STORE_SHARE_MAX 0.30

/* Places within which same-day orders are drawn: this near to a store. */
#define SAME_DAY_REACH_M 30000

static double draw_share(struct rng *rng, double density)
{
    double share = STORE_SHARE_MIN + rng_unit(rng) * (STORE_SHARE_MAX - STORE_SHARE_MIN);
    return fmin(share * density, 1);
}

static bool add_site(struct network *network, const char *id, uint32_t size, struct site site)
{
    uint32_t index = id_index_add(&network->ids, id, size);
    if (index == ID_NONE || index < network->count) {
        return false;
    }
    CHECK(index == network->count);
    network->sites[network->count++] = site;
    return true;
}

/* The most populous row that is not within metres of those chosen; zip3_count if there is none. */
static uint32_t next_apart(const uint32_t *chosen, uint32_t count, uint32_t metres)
{
    uint32_t best = zip3_count;
    for (uint32_t i = 0; i < zip3_count; i++) {
        struct geo_point here = geo_point(zip3_rows[i].lat, zip3_rows[i].lon);
        bool is_apart = best == zip3_count || zip3_rows[i].people > zip3_rows[best].people;
        for (uint32_t k = 0; k < count && is_apart; k++) {
            const struct zip3 *other = &zip3_rows[chosen[k]];
            struct geo_point there = geo_point(other->lat, other->lon);
            is_apart = geo_metres(&here, &there) >= metres;
        }
        if (is_apart) {
            best = i;
        }
    }
    return best;
}

uint32_t network_choose_apart(uint32_t count, uint32_t metres, uint32_t *out)
{
    for (uint32_t found = 0; found < count; found++) {
        out[found] = next_apart(out, found, metres);
        if (out[found] == zip3_count) {
            return found;
        }
    }
    return count;
}

static void add_warehouses(struct network *network)
{
    uint32_t rows[LOAD_WAREHOUSES];
    uint32_t count = network_choose_apart(LOAD_WAREHOUSES, APART_M, rows);
    CHECK(count == LOAD_WAREHOUSES);
    for (uint32_t i = 0; i < count; i++) {
        const struct zip3 *row = &zip3_rows[rows[i]];
        struct site site = {
            .lat = row->lat, .lon = row->lon, .share = WAREHOUSE_SHARE, .is_warehouse = true};
        snprintf(site.name, sizeof site.name, "Warehouse %s", row->digits);
        char id[8];
        int size = snprintf(id, sizeof id, "W%s", row->digits);
        CHECK(add_site(network, id, (uint32_t)size, site));
    }
}

/* Sum of three uniforms around 0: near enough to a bell, and bounded. */
static double wobble(struct rng *rng, double width)
{
    return (rng_unit(rng) + rng_unit(rng) + rng_unit(rng) - 1.5) * width;
}

/* Stores where people are, with ids S00001 and on. */
static enum err draw_stores(struct network *network, const struct load_opts *opts)
{
    struct rng rng;
    rng_init(&rng, opts->seed ^ STREAM_STORES);
    for (uint32_t i = 0; i < opts->nodes; i++) {
        uint32_t row = alias_draw(&network->by_people, &rng);
        struct site site = {.lat = zip3_rows[row].lat + wobble(&rng, 0.5),
                            .lon = zip3_rows[row].lon + wobble(&rng, 0.6)};
        snprintf(site.name, sizeof site.name, "Store %u near ZIP %s", i + 1, zip3_rows[row].digits);
        char id[16];
        int size = snprintf(id, sizeof id, "S%05u", i + 1);
        if (!add_site(network, id, (uint32_t)size, site)) {
            return ERR_INVALID;
        }
    }
    return ERR_OK;
}

/* Start of the field that stands count fields before the line's end, or NULL. Counting from the
 * end needs no quoting rules: the text fields stand in front. */
static const char *field_from_end(const char *line, int count)
{
    const char *at = line + strlen(line);
    while (at > line) {
        at--;
        if (*at == ',' && --count == 0) {
            return at + 1;
        }
    }
    return NULL;
}

/* One line `store,name,...,lat,lon,opened`. */
static bool read_store(struct network *network, const char *line)
{
    const char *comma = strchr(line, ',');
    const char *place = field_from_end(line, 3);
    if (comma == NULL || place == NULL) {
        return false;
    }
    char *end = NULL;
    struct site site = {.lat = strtod(place, &end)};
    if (*end != ',') {
        return false;
    }
    site.lon = strtod(end + 1, &end);
    size_t name_size = strcspn(comma + 1, ",");
    snprintf(site.name, sizeof site.name, "%.*s", (int)name_size, comma + 1);
    return *end == ',' && fabs(site.lat) <= 90 && fabs(site.lon) <= 180 &&
           add_site(network, line, (uint32_t)(comma - line), site);
}

typedef bool line_fn(struct network *network, const char *line);

/* Run take on up to max lines behind the header of dir/name. */
static enum err read_lines(struct network *network, const char *dir, const char *name, uint32_t max,
                           line_fn *take)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        fprintf(stderr, "nearshelf-load: %s: cannot be read\n", path);
        return ERR_NOTFOUND;
    }
    char line[1024];
    enum err err = ERR_OK;
    uint32_t number = 0;
    while (number <= max && err == ERR_OK && fgets(line, sizeof line, file) != NULL) {
        line[strcspn(line, "\r\n")] = '\0';
        if (number++ > 0 && !take(network, line)) {
            fprintf(stderr, "nearshelf-load: %s:%u: not as expected: %s\n", path, number, line);
            err = ERR_INVALID;
        }
    }
    fclose(file);
    return err;
}

/* One line `zip,lat,lon,population_2010`. Areas without people are passed over. */
static bool read_place(struct network *network, const char *line)
{
    struct place place;
    if (sscanf(line, "%*[0-9],%lf,%lf,%lf", &place.lat, &place.lon, &place.people) != 3) {
        return false;
    }
    if (place.people > 0) {
        network->places[network->places_count++] = place;
    }
    return true;
}

static void use_zip3_places(struct network *network)
{
    for (uint32_t i = 0; i < zip3_count; i++) {
        network->places[i] =
            (struct place){zip3_rows[i].lat, zip3_rows[i].lon, zip3_rows[i].people};
    }
    network->places_count = zip3_count;
    network->jitter = 0.4;
}

static bool is_near_store(const struct network *network, const struct place *place)
{
    struct geo_point here = geo_point(place->lat, place->lon);
    for (uint32_t i = LOAD_WAREHOUSES; i < network->count; i++) {
        const struct site *site = &network->sites[i];
        if (fabs(site->lat - place->lat) < 0.5) {
            struct geo_point there = geo_point(site->lat, site->lon);
            if (geo_metres(&here, &there) <= SAME_DAY_REACH_M) {
                return true;
            }
        }
    }
    return false;
}

/* Weigh places by people. A same-day rush is in the cities: near a store only, and populous
 * places count more than by their people. */
static enum err weigh_places(struct network *network, const struct load_opts *opts)
{
    double *weights = calloc(network->places_count, sizeof *weights);
    if (weights == NULL) {
        return ERR_NOMEM;
    }
    double sum = 0;
    for (uint32_t i = 0; i < network->places_count; i++) {
        const struct place *place = &network->places[i];
        weights[i] = place->people;
        if (opts->workload == WORKLOAD_SAME_DAY && network->count > LOAD_WAREHOUSES) {
            weights[i] = is_near_store(network, place) ? pow(place->people, 1.5) : 0;
        }
        sum += weights[i];
    }
    weights[0] += sum > 0 ? 0 : 1;
    alias_close(&network->by_people);
    enum err err = alias_init(&network->by_people, weights, network->places_count);
    free(weights);
    return err;
}

static enum err fill(struct network *network, struct load_opts *opts)
{
    uint32_t stores_max = opts->nodes > 0 ? opts->nodes : STORES_MAX;
    add_warehouses(network);
    enum err err = ERR_OK;
    if (opts->data_dir != NULL) {
        network->is_real = true;
        err = read_lines(network, opts->data_dir, "us_zip.csv", PLACES_MAX, read_place);
        if (err == ERR_OK) {
            err = read_lines(network, opts->data_dir, "us_stores.csv", stores_max, read_store);
        }
    } else {
        use_zip3_places(network);
        /* Stores are drawn by people, whatever the workload weighs later. */
        double people[2048];
        CHECK(zip3_count <= sizeof people / sizeof *people);
        for (uint32_t i = 0; i < zip3_count; i++) {
            people[i] = zip3_rows[i].people;
        }
        err = alias_init(&network->by_people, people, zip3_count);
        if (err == ERR_OK) {
            err = draw_stores(network, opts);
        }
    }
    opts->nodes = network->count - LOAD_WAREHOUSES;
    return err;
}

enum err load_network_init(struct network *network, struct load_opts *opts)
{
    *network = (struct network){
        .sites = calloc(LOAD_NODES_MAX, sizeof *network->sites),
        .places = calloc(PLACES_MAX, sizeof *network->places),
    };
    enum err err = ERR_NOMEM;
    if (network->sites != NULL && network->places != NULL) {
        err = id_index_init(&network->ids, LOAD_NODES_MAX);
    }
    if (err == ERR_OK) {
        err = fill(network, opts);
    }
    if (err == ERR_OK) {
        err = weigh_places(network, opts);
    }
    if (err != ERR_OK) {
        load_network_close(network);
        return err;
    }
    struct rng rng;
    rng_init(&rng, opts->seed ^ STREAM_SIZES);
    for (uint32_t i = LOAD_WAREHOUSES; i < network->count; i++) {
        network->sites[i].share = draw_share(&rng, opts->density);
    }
    return ERR_OK;
}

void load_network_close(struct network *network)
{
    free(network->sites);
    free(network->places);
    id_index_close(&network->ids);
    alias_close(&network->by_people);
    *network = (struct network){0};
}

void network_draw_place(const struct network *network, struct rng *rng, double *lat_out,
                        double *lon_out)
{
    const struct place *place = &network->places[alias_draw(&network->by_people, rng)];
    *lat_out = place->lat;
    *lon_out = place->lon;
    if (network->jitter > 0) {
        *lat_out += wobble(rng, network->jitter);
        *lon_out += wobble(rng, network->jitter);
    }
}
