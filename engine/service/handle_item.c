/* item.put and item.get; flag words, which nodes bar and items have. */
#include <string.h>

#include "flags_internal.h"

enum { WEIGHT_MAX = 1000000000 };

/* -- flags -- */

void flag_words_read(struct reader *reader, struct flag_words *flags)
{
    struct reader_array array;
    flags->count = 0;
    reader_array_begin(reader, &array, FLAG_MAX);
    while (reader_array_next(reader, &array)) {
        flags->words[flags->count++] = reader_text(reader, 1, ID_MAX);
    }
}

void flag_words_content(const struct flag_words *flags, struct content *content)
{
    content_int(content, flags->count);
    for (uint32_t i = 0; i < flags->count; i++) {
        content_text(content, flags->words[i].at, flags->words[i].len);
    }
}

static bool is_known(const struct service_core *service, struct text word)
{
    return catalogue_flag_find(&service->tables.catalogue, word.at, word.len) < FLAG_MAX;
}

bool flag_words_have_room(struct service_core *service, struct call *call, const char *field,
                          const struct flag_words *flags)
{
    uint32_t room = FLAG_MAX - service->tables.catalogue.flag_count;
    for (uint32_t i = 0; i < flags->count; i++) {
        struct text word = flags->words[i];
        bool is_repeated = false;
        for (uint32_t k = 0; k < i; k++) {
            const struct text *other = &flags->words[k];
            is_repeated = is_repeated ||
                          (other->len == word.len && memcmp(other->at, word.at, word.len) == 0);
        }
        if (is_repeated || is_known(service, word)) {
            continue;
        }
        if (room == 0) {
            reply_error(service, call, CODE_TABLE_FULL,
                        "%s: %.*s would be the flag beyond the %d different ones there can be: "
                        "use one that is there",
                        field, (int)word.len, word.at, FLAG_MAX);
            return false;
        }
        room--;
    }
    return true;
}

uint32_t flag_words_size(const struct flag_words *flags)
{
    return flags->count * EFFECT_SMALL_MAX;
}

static void flag_log(struct service_core *service, struct text word)
{
    const struct effect_text name = {word.at, word.len};
    uint8_t *bytes = log_begin(service, EFFECT_SMALL_MAX);
    uint64_t lsn = log_end(service, EFFECT_FLAG, effect_flag_encode(bytes, word.at, word.len));
    must_apply(tables_apply_flag(&service->tables, lsn, service->now_ms, &name), "flag");
}

uint64_t flag_words_intern(struct service_core *service, const struct flag_words *flags)
{
    const struct catalogue *catalogue = &service->tables.catalogue;
    uint64_t bits = 0;
    for (uint32_t i = 0; i < flags->count; i++) {
        struct text word = flags->words[i];
        if (!is_known(service, word)) {
            flag_log(service, word);
        }
        bits |= (uint64_t)1 << catalogue_flag_find(catalogue, word.at, word.len);
    }
    return bits;
}

void put_flags(struct service_core *service, struct writer *writer, const char *name,
               uint64_t flags)
{
    writer_string(writer, name);
    writer_array(writer, (uint32_t)__builtin_popcountll(flags));
    for (uint32_t i = 0; i < FLAG_MAX; i++) {
        if (flags >> i & 1) {
            writer_string(writer, service->tables.catalogue.flag_names[i]);
        }
    }
}

void put_areas(struct writer *writer, const char *name, const struct area *areas, uint32_t count)
{
    char text[AREA_TEXT_MAX + 2];
    writer_string(writer, name);
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        const uint32_t len = areas[i].len;
        CHECK(len <= AREA_TEXT_MAX);
        text[0] = '-';
        memcpy(text + 1, areas[i].text, len);
        if (areas[i].is_out) {
            writer_text(writer, text, len + 1);
        } else {
            writer_text(writer, text + 1, len);
        }
    }
}

/* -- item.put -- */

struct item_ask {
    struct text item, key;
    bool has_weight, has_flags, has_not_to, has_parts;
    uint32_t weight_g;
    uint32_t not_to_count;
    struct flag_words flags;
    struct area not_to[ITEM_AREAS_MAX];
    uint32_t part_count;
    struct item_part {
        struct text item;
        uint32_t qty;
    } parts[KIT_PARTS_MAX]; /* components */
};

static void read_part(struct reader *reader, struct item_part *part)
{
    static const char *const fields[] = {"item", "qty"};
    struct reader_map map;
    *part = (struct item_part){{"", 0}, 1};
    reader_map_begin(reader, &map, fields, 2);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 0) {
            part->item = reader_text(reader, 1, ID_MAX);
        } else {
            part->qty = (uint32_t)reader_int(reader, 1, KIT_UNITS_MAX);
        }
    }
    reader_require(reader, &map, 0);
}

static void read_parts(struct reader *reader, struct item_ask *ask)
{
    struct reader_array array;
    ask->has_parts = true;
    if (reader_nil(reader)) {
        return;
    }
    reader_array_begin(reader, &array, KIT_PARTS_MAX);
    while (reader_array_next(reader, &array)) {
        read_part(reader, &ask->parts[ask->part_count++]);
    }
}

static void item_read_field(struct reader *reader, struct item_ask *ask, int field)
{
    switch (field) {
    case 0:
        ask->item = reader_text(reader, 1, ID_MAX);
        break;
    case 1:
        ask->has_weight = true;
        ask->weight_g = reader_nil(reader) ? 0 : (uint32_t)reader_int(reader, 0, WEIGHT_MAX);
        break;
    case 2:
        ask->has_flags = true;
        if (!reader_nil(reader)) {
            flag_words_read(reader, &ask->flags);
        }
        break;
    case 3:
        ask->has_not_to = true;
        if (!reader_nil(reader)) {
            ask->not_to_count = read_areas(reader, ask->not_to, ITEM_AREAS_MAX);
        }
        break;
    case 4:
        ask->key = reader_text(reader, 1, ID_MAX);
        break;
    default:
        read_parts(reader, ask);
    }
}

static void item_read(struct reader *reader, struct item_ask *ask)
{
    static const char *const fields[] = {"item", "weight_g", "flags", "not_to", "key",
                                         "components"};
    struct reader_map map;
    memset(ask, 0, sizeof *ask);
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        item_read_field(reader, ask, field);
    }
    reader_require(reader, &map, 0);
}

static uint64_t item_content(const struct item_ask *ask)
{
    struct content content;
    content_begin(&content, METHOD_ITEM_PUT);
    content_text(&content, ask->item.at, ask->item.len);
    content_int(&content, (ask->has_weight ? 1 : 0) | (ask->has_flags ? 2 : 0) |
                              (ask->has_not_to ? 4 : 0));
    content_int(&content, ask->weight_g);
    flag_words_content(&ask->flags, &content);
    content_text(&content, (const char *)ask->not_to,
                 ask->not_to_count * (uint32_t)sizeof ask->not_to[0]);
    if (ask->has_parts) { /* not where there are none: contents of old logs stay */
        content_int(&content, ask->part_count);
    }
    for (uint32_t i = 0; i < ask->part_count; i++) {
        content_text(&content, ask->parts[i].item.at, ask->parts[i].item.len);
        content_int(&content, ask->parts[i].qty);
    }
    return content.hash;
}

static void answer_put(struct service_core *service, struct call *call, struct text item,
                       bool is_created, bool is_duplicate)
{
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3u + is_duplicate);
    put_text(writer, "item", item.at, item.len);
    put_bool(writer, "created", is_created);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* Room for one more item: its number, and a slot near enough to its hash. */
static bool may_create(struct service_core *service, struct call *call, struct text item)
{
    struct catalogue *catalogue = &service->tables.catalogue;
    uint64_t hash = catalogue_hash(catalogue, item.at, item.len);
    if (catalogue_has_room(catalogue, hash)) {
        return true;
    }
    reply_error(service, call, CODE_TABLE_FULL,
                "item: items_max=%u items are known or %.*s has no slot: raise items_max",
                catalogue->max, (int)item.len, item.at);
    return false;
}

static uint32_t item_find(const struct service_core *service, struct text item)
{
    const struct catalogue *catalogue = &service->tables.catalogue;
    return catalogue_find(catalogue, catalogue_hash(catalogue, item.at, item.len), item.at,
                          item.len);
}

static void item_merge(const struct item_ask *ask, const struct item *before,
                       struct effect_item *effect)
{
    effect->id = (struct effect_text){ask->item.at, ask->item.len};
    effect->weight_g = ask->has_weight || !before ? ask->weight_g : before->weight_g;
    effect->flags = before ? before->flags : 0;
    bool keeps = before && !ask->has_not_to;
    effect->not_to = keeps ? before->not_to : ask->not_to;
    effect->not_to_count = keeps ? before->not_to_count : ask->not_to_count;
}

/* Whether some cell of the item holds units. */
static bool has_stock(const struct item *item)
{
    struct row_walk walk;
    uint32_t slot;
    uint32_t index;
    if (!item->row) {
        return false;
    }
    row_walk_begin(item->row, &walk);
    while (row_walk_next(item->row, &walk, &slot, &index)) {
        cell_word word = row_word(item->row, index);
        if (cell_on_hand(word) != 0 || cell_reserved(word) != 0) {
            return true;
        }
    }
    return false;
}

/* Whether the item may become a kit. False: answered. */
static bool may_be_kit(struct service_core *service, struct call *call, const struct item_ask *ask,
                       uint32_t handle)
{
    const struct tables *tables = &service->tables;
    const struct item *item = handle == ITEM_NONE ? NULL : &tables->catalogue.items[handle];
    const struct kit *known = item ? kits_find(&tables->kits, handle) : NULL;
    if (item && (has_stock(item) || item->owed_first != OWED_NONE)) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "components: %.*s has stock or orders of its own: a kit has none",
                    (int)ask->item.len, ask->item.at);
    } else if (known && known->uses > 0) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "components: %.*s is a component of a kit: kits are not nested",
                    (int)ask->item.len, ask->item.at);
    } else if (!(item && item->is_kit) && tables->kits.count == KITS_MAX) {
        reply_error(service, call, CODE_TABLE_FULL, "components: at most %d items are kits",
                    KITS_MAX);
    } else {
        return true;
    }
    return false;
}

static bool is_named_twice(const struct effect_item *effect, uint32_t item)
{
    for (uint32_t i = 0; i < effect->part_count; i++) {
        if (effect->parts[i].item == item) {
            return true;
        }
    }
    return false;
}

/* The components by their items. False: answered. */
static bool parts_find(struct service_core *service, struct call *call,
                       const struct item_ask *ask, uint32_t handle, struct effect_item *effect)
{
    if (ask->part_count > 0 && !may_be_kit(service, call, ask, handle)) {
        return false;
    }
    effect->part_count = 0;
    for (uint32_t i = 0; i < ask->part_count; i++) {
        const struct item_part *part = &ask->parts[i];
        uint32_t item = need_item(service, call, "components", part->item);
        if (item == ITEM_NONE) {
            return false;
        }
        bool is_nested = service->tables.catalogue.items[item].is_kit;
        if (item == handle || is_nested || is_named_twice(effect, item)) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        item == handle ? "components[%u]: %.*s is the kit itself"
                        : is_nested    ? "components[%u]: %.*s is a kit: kits are not nested"
                                       : "components[%u]: %.*s is named twice",
                        i, (int)part->item.len, part->item.at);
            return false;
        }
        effect->parts[effect->part_count++] = (struct kit_part){item, part->qty};
    }
    return true;
}

/* What it is made of stays where nothing else is asked for. */
static void parts_keep(const struct service_core *service, uint32_t handle,
                       struct effect_item *effect)
{
    const struct kit *kit = kits_find(&service->tables.kits, handle);
    effect->part_count = kit ? kit->count : 0;
    if (effect->part_count > 0) {
        memcpy(effect->parts, kit->parts, kit->count * sizeof *kit->parts);
    }
}

static void item_apply(struct service_core *service, struct call *call,
                       const struct item_ask *ask, struct effect_item *effect)
{
    struct tables *tables = &service->tables;
    uint32_t handle = item_find(service, ask->item);
    bool is_new = handle == ITEM_NONE;
    if ((is_new && !may_create(service, call, ask->item)) ||
        !flag_words_have_room(service, call, "flags", &ask->flags)) {
        return;
    }
    item_merge(ask, is_new ? NULL : &tables->catalogue.items[handle], effect);
    if (!ask->has_parts) {
        parts_keep(service, handle, effect);
    } else if (!parts_find(service, call, ask, handle, effect)) {
        return;
    }
    effect->key.facts[0] = is_new;
    uint32_t size = effect_item_size(effect) + flag_words_size(&ask->flags);
    const struct grown_rules more = {.kit_parts = ask->has_parts ? effect->part_count + 1 : 0,
                                     .item_areas = ask->has_not_to ? effect->not_to_count : 0};
    if (!rules_room(service, call, &more) ||
        !log_room(service, call, size, 1 + ask->flags.count, WAL_CLAIM_CHANGE)) {
        return;
    }
    uint64_t flags = flag_words_intern(service, &ask->flags);
    effect->flags = ask->has_flags ? flags : effect->flags;
    uint8_t *bytes = log_begin(service, effect_item_size(effect));
    uint64_t lsn = log_end(service, EFFECT_ITEM, effect_item_encode(bytes, effect));
    must_apply(tables_apply_item(tables, lsn, service->now_ms, effect), "item");
    answer_put(service, call, ask->item, is_new, false);
}

void handle_item_put(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct item_ask ask;
    struct effect_item effect;
    const struct key_entry *seen;
    reader_init(&reader, call->params, call->params_size);
    item_read(&reader, &ask);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    memset(&effect, 0, sizeof effect);
    switch (key_look(service, call, ask.key, item_content(&ask), &effect.key, &seen)) {
    case KEY_NEW:
        item_apply(service, call, &ask, &effect);
        break;
    case KEY_SEEN:
        answer_put(service, call, ask.item, seen->facts[0] != 0, true);
        break;
    case KEY_ANSWERED:
        break;
    }
}

/* -- item.get -- */

static void put_components(struct service_core *service, struct writer *writer, uint32_t handle)
{
    const struct kit *kit = kits_find(&service->tables.kits, handle);
    writer_str(writer, "components");
    writer_array(writer, kit->count);
    for (uint32_t i = 0; i < kit->count; i++) {
        const struct item *item = &service->tables.catalogue.items[kit->parts[i].item];
        writer_map(writer, 2);
        put_text(writer, "item", item->id, item->id_len);
        put_int(writer, "qty", kit->parts[i].qty);
    }
}

static void answer_get(struct service_core *service, struct call *call, uint32_t handle)
{
    const struct item *item = &service->tables.catalogue.items[handle];
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 6u + item->is_kit);
    put_text(writer, "item", item->id, item->id_len);
    if (item->is_kit) {
        put_components(service, writer, handle);
    }
    put_int(writer, "weight_g", item->weight_g);
    put_flags(service, writer, "flags", item->flags);
    put_areas(writer, "not_to", item->not_to, item->not_to_count);
    put_int(writer, "cells", item->row ? item->row->count : 0);
    put_lsn(service, writer);
    reply_send(service, call);
}

void handle_item_get(struct service_core *service, struct call *call)
{
    static const char *const fields[] = {"item"};
    struct reader reader;
    struct reader_map map;
    struct text item = {"", 0};
    reader_init(&reader, call->params, call->params_size);
    reader_params(&reader, &map, fields, 1);
    while (reader_map_next(&reader, &map) >= 0) {
        item = reader_text(&reader, 1, ID_MAX);
    }
    reader_require(&reader, &map, 0);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    uint32_t handle = need_item(service, call, "item", item);
    if (handle != ITEM_NONE) {
        answer_get(service, call, handle);
    }
}
