/* The index of areas; a match walks the destination's prefixes from the longest. */
#include "area.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hash.h"

struct area_entry {
    char text[AREA_TEXT_MAX + 1];
    uint8_t len; /* 0 = empty entry */
    slot_bits *in;
    slot_bits *out; /* both NULL while unused */
    uint32_t in_words, out_words; /* grown as slots come: a thousand areas of a small network */
};

enum { ENTRIES_FIRST = 4096 };

/* Made and touched at the start: growing to a thousand areas within one node.put was most of the
 * 600 us that it held the loop for. */
bool area_index_init(struct area_index *index)
{
    memset(index, 0, sizeof *index);
    index->entries = malloc(ENTRIES_FIRST * sizeof *index->entries);
    if (!index->entries) {
        return false;
    }
    memset(index->entries, 0, ENTRIES_FIRST * sizeof *index->entries);
    index->mask = ENTRIES_FIRST - 1;
    return true;
}

void area_index_close(struct area_index *index)
{
    for (uint32_t i = 0; index->entries && i <= index->mask; i++) {
        free(index->entries[i].in);
        free(index->entries[i].out);
    }
    free(index->entries);
    free(index->next);
    memset(index, 0, sizeof *index);
}

uint64_t area_index_bytes(const struct area_index *index, uint64_t more)
{
    uint64_t slots = (uint64_t)index->mask + 1;
    uint64_t wanted = slots;
    while ((index->count + more) * 2 >= wanted) {
        wanted *= 2;
    }
    slots += index->next ? (uint64_t)index->next_mask + 1 : 0;
    return (slots + (wanted > slots ? wanted : 0)) * sizeof *index->entries + index->bits_bytes;
}

void area_index_clear(struct area_index *index)
{
    for (uint32_t i = 0; i <= index->mask; i++) {
        struct area_entry *entry = &index->entries[i];
        if (entry->in) {
            memset(entry->in, 0, entry->in_words * sizeof(slot_bits));
        }
        if (entry->out) {
            memset(entry->out, 0, entry->out_words * sizeof(slot_bits));
        }
    }
}

static struct area_entry *find(struct area_entry *entries, uint32_t mask, const char *text,
                               uint32_t len)
{
    uint32_t at = (uint32_t)hash_fixed(text, len) & mask;
    while (entries[at].len && (entries[at].len != len || memcmp(entries[at].text, text, len))) {
        at = (at + 1) & mask;
    }
    return &entries[at];
}

uint32_t area_index_unknown(const struct area_index *index, const struct area *rules,
                            uint32_t count)
{
    uint32_t unknown = 0;
    for (uint32_t i = 0; i < count; i++) {
        unknown += find(index->entries, index->mask, rules[i].text, rules[i].len)->len == 0;
    }
    return unknown;
}

static bool has_room(const struct area_index *index, uint32_t more)
{
    return (uint64_t)(index->count + more) * 2 <= index->mask;
}

static bool grow_begin(struct area_index *index, uint32_t more)
{
    uint32_t mask = index->mask;
    while ((uint64_t)(index->count + more) * 2 > mask) {
        mask = mask * 2 + 1;
    }
    index->next = calloc((size_t)mask + 1, sizeof *index->next);
    index->next_mask = mask;
    index->moved = 0;
    return index->next != NULL;
}

static void grow_end(struct area_index *index)
{
    free(index->entries);
    index->entries = index->next;
    index->mask = index->next_mask;
    index->next = NULL;
}

bool area_index_grow(struct area_index *index, uint32_t more, uint32_t steps)
{
    if (!index->next && (has_room(index, more) || !grow_begin(index, more))) {
        return true;
    }
    for (; steps > 0 && index->moved <= index->mask; steps--) {
        struct area_entry *entry = &index->entries[index->moved++];
        if (entry->len) {
            *find(index->next, index->next_mask, entry->text, entry->len) = *entry;
        }
    }
    if (index->moved <= index->mask) {
        return false;
    }
    grow_end(index);
    return true;
}

static struct area_entry *entry_of(struct area_index *index, const struct area *area)
{
    if (!area_index_grow(index, 1, UINT32_MAX) || !has_room(index, 1)) {
        return NULL;
    }
    struct area_entry *entry = find(index->entries, index->mask, area->text, area->len);
    if (entry->len == 0) {
        memcpy(entry->text, area->text, area->len);
        entry->len = area->len;
        index->lengths |= (uint64_t)1 << area->len;
        index->count++;
    }
    return entry;
}

/* Make the bitmap long enough for word. */
static bool reach(struct area_index *index, slot_bits **bits, uint32_t *words, uint32_t word)
{
    if (word < *words) {
        return true;
    }
    uint32_t wanted = word / 16 * 16 + 16;
    slot_bits *longer = realloc(*bits, wanted * sizeof(slot_bits));
    if (!longer) {
        return false;
    }
    memset(longer + *words, 0, (wanted - *words) * sizeof(slot_bits));
    *bits = longer;
    index->bits_bytes += (wanted - *words) * sizeof(slot_bits);
    *words = wanted;
    return true;
}

/* The bitmap of a rule, long enough for slot, or NULL. */
static slot_bits *bits_of(struct area_index *index, const struct area *rule, uint32_t slot)
{
    struct area_entry *entry = entry_of(index, rule);
    if (!entry) {
        return NULL;
    }
    slot_bits **bits = rule->is_out ? &entry->out : &entry->in;
    uint32_t *words = rule->is_out ? &entry->out_words : &entry->in_words;
    return reach(index, bits, words, slot / 64) ? *bits : NULL;
}

bool area_index_ready(struct area_index *index, const struct area *rules, uint32_t count,
                      uint32_t slot)
{
    bool is_ok = true;
    for (uint32_t i = 0; i < count && is_ok; i++) {
        is_ok = bits_of(index, &rules[i], slot) != NULL;
    }
    return is_ok;
}

bool area_index_set(struct area_index *index, const struct area *rules, uint32_t count,
                    uint32_t slot, bool is_in)
{
    for (uint32_t i = 0; i < count; i++) {
        slot_bits *bits = bits_of(index, &rules[i], slot);
        if (!bits) {
            return false;
        }
        slot_bits bit = (slot_bits)1 << (slot % 64);
        slot_bits word = bits[slot / 64];
        bits[slot / 64] = is_in ? word | bit : word & ~bit;
    }
    return true;
}

/* "CC:postcode" of a destination, cut to what an area can hold; its length. */
static uint32_t dest_text(char *text, size_t size, const char *country, const char *postcode)
{
    int len = snprintf(text, size, "%s%s%s", country, postcode[0] ? ":" : "", postcode);
    return len < 0 ? 0 : (size_t)len >= size ? (uint32_t)size - 1 : (uint32_t)len;
}

void area_index_match(const struct area_index *index, const char *country, const char *postcode,
                      uint32_t words, slot_bits *out, slot_bits *decided)
{
    char text[AREA_TEXT_MAX + 1];
    if (!country[0] || index->count == 0) {
        return;
    }
    for (uint32_t len = dest_text(text, sizeof text, country, postcode); len >= 2; len--) {
        if (len == 3 || !(index->lengths >> len & 1)) {
            continue; /* "CC:" is no area */
        }
        const struct area_entry *entry = find(index->entries, index->mask, text, len);
        if (entry->len == 0) {
            continue;
        }
        for (uint32_t word = 0; word < words; word++) {
            slot_bits in = word < entry->in_words ? entry->in[word] : 0;
            slot_bits not_in = word < entry->out_words ? entry->out[word] : 0;
            out[word] |= in & ~decided[word];
            decided[word] |= in | not_in;
        }
    }
}

bool areas_hold(const struct area *areas, uint32_t count, const char *country,
                const char *postcode)
{
    char text[AREA_TEXT_MAX + 1];
    uint32_t len = dest_text(text, sizeof text, country, postcode);
    uint32_t longest = 0;
    bool holds = true;
    for (uint32_t i = 0; i < count; i++) {
        holds = holds && areas[i].is_out;
    }
    for (uint32_t i = 0; i < count; i++) {
        if (country[0] && areas[i].len <= len && areas[i].len > longest &&
            memcmp(areas[i].text, text, areas[i].len) == 0) {
            longest = areas[i].len;
            holds = !areas[i].is_out;
        }
    }
    return holds;
}
