/* Section of keys: the ring of changes seen, oldest first. */
#include "image_internal.h"

enum { KEY_SIZE_MAX = 16 + 8 + 20 + KEY_FACTS_MAX * 10 };

void save_keys(const struct tables *tables, struct image_sink *sink)
{
    const struct keyring *keyring = &tables->keyring;
    for (uint64_t i = 0; i < keyring->count; i++) {
        const struct key_entry *entry = &keyring->ring[(keyring->first + i) % keyring->max];
        uint8_t *at = image_begin(sink, KEY_SIZE_MAX);
        at = bytes_put_bytes(at, &entry->key, sizeof entry->key);
        at = bytes_put_bytes(at, &entry->content, sizeof entry->content);
        at = bytes_put_int(at, entry->lsn);
        at = bytes_put_int(at, entry->time_ms);
        for (int fact = 0; fact < KEY_FACTS_MAX; fact++) {
            at = bytes_put_signed(at, entry->facts[fact]);
        }
        image_end(sink, at);
    }
}

static void load_key(struct tables *tables, struct image_source *source,
                     struct bytes_source *fields)
{
    struct key_entry entry;
    bytes_get_bytes(fields, &entry.key, sizeof entry.key);
    bytes_get_bytes(fields, &entry.content, sizeof entry.content);
    entry.lsn = bytes_get_int(fields);
    entry.time_ms = bytes_get_int(fields);
    for (int fact = 0; fact < KEY_FACTS_MAX; fact++) {
        entry.facts[fact] = bytes_get_signed(fields);
    }
    if (!image_fields_end(source, fields, "a key")) {
        return;
    }
    if (!keyring_has_room(&tables->keyring)) {
        image_bad(source, ERR_FULL, "keys_max is lower than when this was written");
    } else if (keyring_find(&tables->keyring, &entry.key)) {
        image_bad(source, ERR_DAMAGED, "the same key twice");
    } else {
        keyring_add(&tables->keyring, &entry);
        key_digest(tables, &entry, true);
    }
}

void load_keys(struct tables *tables, struct image_source *source)
{
    struct bytes_source fields;
    while (image_fields(source, &fields)) {
        load_key(tables, source, &fields);
    }
}
