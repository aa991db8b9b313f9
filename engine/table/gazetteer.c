/* One hash table over country and prefix; a look-up tries the loaded lengths, longest first. */
#include "gazetteer.h"

#include <stdlib.h>
#include <string.h>

#include "hash.h"

/* Room for a country's postcodes, touched only where there are some: growing means to move all
 * of them at once, 3 ms at 30,000. */
enum { SLOTS_AT_FIRST = 1 << 17 };

struct gazetteer_key {
    char country[2];
    char postcode[POSTCODE_MAX + 1];
    uint8_t len; /* of postcode; 0 = empty slot */
};

struct gazetteer_slot {
    struct gazetteer_key key;
    double lat, lon;
    struct geo_point point;
};

void gazetteer_init(struct gazetteer *gazetteer)
{
    memset(gazetteer, 0, sizeof *gazetteer);
}

void gazetteer_close(struct gazetteer *gazetteer)
{
    free(gazetteer->slots);
    memset(gazetteer, 0, sizeof *gazetteer);
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

static struct gazetteer_slot *find(struct gazetteer_slot *slots, uint64_t mask,
                                   const struct gazetteer_key *key)
{
    uint64_t at = hash_fixed(key, sizeof *key) & mask;
    while (slots[at].key.len && memcmp(&slots[at].key, key, sizeof *key) != 0) {
        at = (at + 1) & mask;
    }
    return &slots[at];
}

static enum err grow(struct gazetteer *gazetteer)
{
    uint64_t mask = gazetteer->slots ? gazetteer->mask * 2 + 1 : SLOTS_AT_FIRST - 1;
    struct gazetteer_slot *slots = calloc(mask + 1, sizeof *slots);
    if (!slots) {
        return ERR_NOMEM;
    }
    for (uint64_t i = 0; gazetteer->slots && i <= gazetteer->mask; i++) {
        if (gazetteer->slots[i].key.len) {
            *find(slots, mask, &gazetteer->slots[i].key) = gazetteer->slots[i];
        }
    }
    free(gazetteer->slots);
    gazetteer->slots = slots;
    gazetteer->mask = mask;
    return ERR_OK;
}

enum err gazetteer_put(struct gazetteer *gazetteer, const char *country, const char *postcode,
                       double lat, double lon, bool *has_old_out, double *old_lat,
                       double *old_lon)
{
    if (!gazetteer->slots || gazetteer->count * 2 > gazetteer->mask) {
        enum err err = grow(gazetteer);
        if (err != ERR_OK) {
            return err;
        }
    }
    struct gazetteer_key key;
    key_set(&key, country, postcode, (uint32_t)strlen(postcode));
    struct gazetteer_slot *slot = find(gazetteer->slots, gazetteer->mask, &key);
    *has_old_out = slot->key.len > 0;
    *old_lat = slot->lat;
    *old_lon = slot->lon;
    gazetteer->count += slot->key.len == 0;
    gazetteer->lengths |= 1u << key.len;
    slot->key = key;
    slot->lat = lat;
    slot->lon = lon;
    slot->point = geo_point(lat, lon);
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
        const struct gazetteer_slot *slot = find(gazetteer->slots, gazetteer->mask, &key);
        if (slot->key.len) {
            *point_out = slot->point;
            return true;
        }
    }
    return false;
}

void gazetteer_walk(const struct gazetteer *gazetteer, gazetteer_cb *each, void *owner)
{
    for (uint64_t i = 0; gazetteer->slots && i <= gazetteer->mask; i++) {
        const struct gazetteer_slot *slot = &gazetteer->slots[i];
        if (slot->key.len) {
            struct gazetteer_place place = {.lat = slot->lat, .lon = slot->lon};
            memcpy(place.country, slot->key.country, sizeof slot->key.country);
            memcpy(place.postcode, slot->key.postcode, sizeof slot->key.postcode);
            each(owner, &place);
        }
    }
}
