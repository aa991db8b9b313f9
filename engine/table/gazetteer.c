/* A hash index over country and prefix into rows in the order of their coming; a look-up tries the
 * loaded lengths, longest first. The index is small beside the rows: most tries end in it. */
#include "gazetteer.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

enum {
    SLOTS_AT_FIRST = 1 << 16, /* 512 KiB; it doubles at half full, 0.3 ms at 65,536 rows */
    CHUNK_BITS = 10,
    CHUNK_ROWS = 1 << CHUNK_BITS /* rows of a block of memory: they never move */
};

struct gazetteer_key {
    char country[2];
    char postcode[POSTCODE_MAX + 1];
    uint8_t len; /* of postcode */
};

struct gazetteer_row {
    struct gazetteer_key key;
    double lat, lon;
    struct geo_point point;
};

/* One place of the index. */
struct gazetteer_slot {
    uint32_t hash;
    uint32_t row; /* its number from 1 on; 0 = empty */
};

void gazetteer_init(struct gazetteer *gazetteer)
{
    memset(gazetteer, 0, sizeof *gazetteer);
}

void gazetteer_close(struct gazetteer *gazetteer)
{
    for (uint64_t i = 0; i < gazetteer->chunk_count; i++) {
        free(gazetteer->chunks[i]);
    }
    free(gazetteer->chunks);
    free(gazetteer->slots);
    memset(gazetteer, 0, sizeof *gazetteer);
}

uint64_t gazetteer_bytes(const struct gazetteer *gazetteer, uint64_t more)
{
    const uint64_t slots = gazetteer->slots ? gazetteer->mask + 1 : 0;
    const uint64_t rows = gazetteer->count + more;
    uint64_t chunks = (rows + CHUNK_ROWS - 1) / CHUNK_ROWS;
    uint64_t wanted = slots ? slots : SLOTS_AT_FIRST;
    while (rows * 2 >= wanted) {
        wanted *= 2;
    }
    chunks = chunks > gazetteer->chunk_count ? chunks : gazetteer->chunk_count;
    return chunks * (CHUNK_ROWS * sizeof(struct gazetteer_row) + 2 * sizeof *gazetteer->chunks) +
           (wanted == slots || rows == 0 ? slots : slots + wanted) * sizeof *gazetteer->slots;
}

bool postcode_normalise(const char *text, uint32_t len, char *out)
{
    uint32_t used = 0;
    for (uint32_t i = 0; i < len; i++) {
        char c = text[i];
        if (c == ' ' || c == '-') {
            continue;
        }
        if (used == POSTCODE_MAX) {
            return false;
        }
        out[used++] = c >= 'a' && c <= 'z' ? (char)(c - 'a' + 'A') : c;
    }
    out[used] = '\0';
    return used > 0;
}

static void key_set(struct gazetteer_key *key, const char *country, const char *postcode,
                    uint32_t len)
{
    memset(key, 0, sizeof *key);
    memcpy(key->country, country, 2);
    memcpy(key->postcode, postcode, len);
    key->len = (uint8_t)len;
}

static uint32_t key_hash(const struct gazetteer_key *key)
{
    return (uint32_t)hash_fixed(key, sizeof *key);
}

static struct gazetteer_row *row_at(const struct gazetteer *gazetteer, uint64_t number)
{
    return &gazetteer->chunks[number >> CHUNK_BITS][number & (CHUNK_ROWS - 1)];
}

/* The slot of the key, or the empty one where it belongs. */
static struct gazetteer_slot *find(const struct gazetteer *gazetteer,
                                   const struct gazetteer_key *key, uint32_t hash)
{
    uint64_t at = hash & gazetteer->mask;
    for (struct gazetteer_slot *slot; (slot = &gazetteer->slots[at])->row;
         at = (at + 1) & gazetteer->mask) {
        if (slot->hash == hash &&
            memcmp(&row_at(gazetteer, slot->row - 1)->key, key, sizeof *key) == 0) {
            break;
        }
    }
    return &gazetteer->slots[at];
}

/* Twice the index, if it is half full. The hashes say where all belong: no row is read. */
static enum err index_reach(struct gazetteer *gazetteer)
{
    if (gazetteer->slots && gazetteer->count * 2 <= gazetteer->mask) {
        return ERR_OK;
    }
    const uint64_t mask = gazetteer->slots ? gazetteer->mask * 2 + 1 : SLOTS_AT_FIRST - 1;
    struct gazetteer_slot *slots = calloc(mask + 1, sizeof *slots);
    if (!slots) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; gazetteer->slots && i <= gazetteer->mask; i++) {
        uint64_t at = gazetteer->slots[i].hash & mask;
        while (gazetteer->slots[i].row && slots[at].row) {
            at = (at + 1) & mask;
        }
        if (gazetteer->slots[i].row) {
            slots[at] = gazetteer->slots[i];
        }
    }
    free(gazetteer->slots);
    gazetteer->slots = slots;
    gazetteer->mask = mask;
    return ERR_OK;
}

/* Memory for one more row. */
static enum err rows_reach(struct gazetteer *gazetteer)
{
    if (gazetteer->count < gazetteer->chunk_count * CHUNK_ROWS) {
        return ERR_OK;
    }
    const uint64_t count = gazetteer->chunk_count;
    struct gazetteer_row **chunks =
        realloc(gazetteer->chunks, (size_t)(count + 1) * sizeof *chunks);
    gazetteer->chunks = chunks ? chunks : gazetteer->chunks;
    struct gazetteer_row *chunk = chunks ? malloc(CHUNK_ROWS * sizeof *chunk) : NULL;
    if (!chunk) {
        return ERR_NOMEM;
    }
    chunks[count] = chunk;
    gazetteer->chunk_count++;
    return ERR_OK;
}

enum err gazetteer_put(struct gazetteer *gazetteer, const char *country, const char *postcode,
                       double lat, double lon, bool *has_old_out, double *old_lat,
                       double *old_lon)
{
    enum err err = index_reach(gazetteer);
    if (err == ERR_OK) {
        err = rows_reach(gazetteer);
    }
    if (err != ERR_OK) {
        return err;
    }
    struct gazetteer_key key;
    key_set(&key, country, postcode, (uint32_t)strlen(postcode));
    const uint32_t hash = key_hash(&key);
    struct gazetteer_slot *slot = find(gazetteer, &key, hash);
    *has_old_out = slot->row > 0;
    if (!slot->row) {
        *slot = (struct gazetteer_slot){hash, (uint32_t)++gazetteer->count};
    }
    struct gazetteer_row *row = row_at(gazetteer, slot->row - 1);
    *old_lat = *has_old_out ? row->lat : 0;
    *old_lon = *has_old_out ? row->lon : 0;
    *row = (struct gazetteer_row){key, lat, lon, geo_point(lat, lon)};
    gazetteer->lengths |= 1u << key.len;
    return ERR_OK;
}

bool gazetteer_find(const struct gazetteer *gazetteer, const char *country, const char *postcode,
                    struct geo_point *point_out)
{
    struct gazetteer_key key;
    for (uint32_t len = (uint32_t)strlen(postcode); gazetteer->slots && len > 0; len--) {
        if (!(gazetteer->lengths >> len & 1)) {
            continue;
        }
        key_set(&key, country, postcode, len);
        const struct gazetteer_slot *slot = find(gazetteer, &key, key_hash(&key));
        if (slot->row) {
            *point_out = row_at(gazetteer, slot->row - 1)->point;
            return true;
        }
    }
    return false;
}

void gazetteer_walk(const struct gazetteer *gazetteer, gazetteer_cb *each, void *owner)
{
    for (uint64_t i = 0; i < gazetteer->count; i++) {
        const struct gazetteer_row *row = row_at(gazetteer, i);
        struct gazetteer_place place = {.lat = row->lat, .lon = row->lon};
        memcpy(place.country, row->key.country, sizeof row->key.country);
        memcpy(place.postcode, row->key.postcode, sizeof row->key.postcode);
        each(owner, &place);
    }
}
