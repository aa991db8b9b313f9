/* Reads TZif files: the 64-bit block where there is one, and the rule behind it. */
#include "zone.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HEAD_SIZE = 44, YEAR_LAST = 2099, YEAR_FIRST = 1970, OFFSET_MAX = 26 * 3600, DAY_S = 86400 };

/* Counts of a block, and where its parts stand. */
struct block {
    uint32_t utc_flags, std_flags, leaps, times, types, chars;
    size_t time_size; /* bytes of a moment: 4 or 8 */
    const uint8_t *at;
};

static const struct zone utc = {0, NULL, NULL, 0};

const struct zone *zone_utc(void)
{
    return &utc;
}

static uint32_t big32(const uint8_t *at)
{
    return (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
}

static int64_t big_time(const uint8_t *at, size_t size)
{
    if (size == 4) {
        return (int32_t)big32(at);
    }
    return (int64_t)((uint64_t)big32(at) << 32 | big32(at + 4));
}

static size_t block_size(const struct block *block)
{
    return (size_t)block->times * (block->time_size + 1) + (size_t)block->types * 6 + block->chars +
           (size_t)block->leaps * (block->time_size + 4) + block->std_flags + block->utc_flags;
}

/* A head and whether what it counts is there. */
static bool block_read(const uint8_t *bytes, size_t size, size_t time_size, struct block *block)
{
    if (size < HEAD_SIZE || memcmp(bytes, "TZif", 4) != 0) {
        return false;
    }
    *block = (struct block){.utc_flags = big32(bytes + 20),
                            .std_flags = big32(bytes + 24),
                            .leaps = big32(bytes + 28),
                            .times = big32(bytes + 32),
                            .types = big32(bytes + 36),
                            .chars = big32(bytes + 40),
                            .time_size = time_size,
                            .at = bytes + HEAD_SIZE};
    return block->types > 0 && block->types <= 256 && block_size(block) <= size - HEAD_SIZE;
}

static bool type_offset(const struct block *block, uint32_t type, int32_t *offset_out)
{
    const uint8_t *types = block->at + (size_t)block->times * (block->time_size + 1);
    if (type >= block->types) {
        return false;
    }
    *offset_out = (int32_t)big32(types + (size_t)type * 6);
    return *offset_out > -OFFSET_MAX && *offset_out < OFFSET_MAX;
}

/* A change to the offset that is there already says nothing. */
static enum err change_add(struct zone *zone, int64_t at_s, int32_t offset_s)
{
    int32_t before = zone->count ? zone->offset_s[zone->count - 1] : zone->first_offset_s;
    if (zone->count && at_s <= zone->at_s[zone->count - 1]) {
        return ERR_DAMAGED;
    }
    if (offset_s == before) {
        return ERR_OK;
    }
    if (zone->count == ZONE_CHANGES_MAX) {
        return ERR_TOOBIG;
    }
    zone->at_s[zone->count] = at_s;
    zone->offset_s[zone->count++] = offset_s;
    return ERR_OK;
}

static enum err changes_read(struct zone *zone, const struct block *block)
{
    const uint8_t *types = block->at + (size_t)block->times * block->time_size;
    if (!type_offset(block, 0, &zone->first_offset_s)) {
        return ERR_DAMAGED;
    }
    for (uint32_t i = 0; i < block->times; i++) {
        int64_t at_s = big_time(block->at + (size_t)i * block->time_size, block->time_size);
        int32_t offset_s;
        if (!type_offset(block, types[i], &offset_s)) {
            return ERR_DAMAGED;
        }
        enum err err = change_add(zone, at_s, offset_s);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

/* Changes of one year by the rule, in their order, those that are later than what is there. */
static enum err year_add(struct zone *zone, const struct zone_rule *rule, int year, int64_t last_s)
{
    int64_t begin = zone_rule_moment(&rule->begin, year, rule->offset_s);
    int64_t end = zone_rule_moment(&rule->end, year, rule->summer_offset_s);
    bool is_south = end < begin;
    int64_t at[] = {is_south ? end : begin, is_south ? begin : end};
    for (int i = 0; i < 2; i++) {
        bool is_begin = (i == 0) != is_south;
        if (at[i] <= last_s || (zone->count && at[i] <= zone->at_s[zone->count - 1])) {
            continue;
        }
        enum err err = change_add(zone, at[i], is_begin ? rule->summer_offset_s : rule->offset_s);
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static enum err rule_read(struct zone *zone, const uint8_t *bytes, size_t size, int64_t last_s)
{
    struct zone_rule rule;
    if (size < 2 || bytes[0] != '\n' || bytes[size - 1] != '\n') {
        return ERR_DAMAGED;
    }
    if (size == 2) {
        return ERR_OK; /* no rule: the last offset stays */
    }
    enum err err = zone_rule_parse((const char *)bytes + 1, size - 2, &rule);
    if (err == ERR_OK && !rule.has_summer) {
        return zone->count ? ERR_OK : change_add(zone, last_s + 1, rule.offset_s);
    }
    for (int year = YEAR_FIRST; err == ERR_OK && year <= YEAR_LAST; year++) {
        err = year_add(zone, &rule, year, last_s);
    }
    return err;
}

static enum err zone_read(struct zone *zone, const uint8_t *bytes, size_t size)
{
    struct block block;
    if (size > ZONE_FILE_MAX || !block_read(bytes, size, 4, &block)) {
        return ERR_DAMAGED;
    }
    if (bytes[4] < '2') {
        return changes_read(zone, &block);
    }
    size_t skipped = HEAD_SIZE + block_size(&block);
    if (!block_read(bytes + skipped, size - skipped, 8, &block)) {
        return ERR_DAMAGED;
    }
    enum err err = changes_read(zone, &block);
    size_t read = skipped + HEAD_SIZE + block_size(&block);
    int64_t last_s =
        block.times ? big_time(block.at + (size_t)(block.times - 1) * 8, 8) : INT64_MIN / 2;
    return err == ERR_OK ? rule_read(zone, bytes + read, size - read, last_s) : err;
}

enum err zone_new(const uint8_t *bytes, size_t size, struct zone **out)
{
    struct zone *zone = calloc(1, sizeof *zone);
    if (zone) {
        zone->at_s = malloc(ZONE_CHANGES_MAX * sizeof *zone->at_s);
        zone->offset_s = malloc(ZONE_CHANGES_MAX * sizeof *zone->offset_s);
    }
    enum err err = zone && zone->at_s && zone->offset_s ? zone_read(zone, bytes, size) : ERR_NOMEM;
    if (err != ERR_OK) {
        zone_free(zone);
        return err;
    }
    *out = zone;
    return ERR_OK;
}

void zone_free(struct zone *zone)
{
    if (zone) {
        free(zone->at_s);
        free(zone->offset_s);
        free(zone);
    }
}

/* Changes that are not after the moment. */
static uint32_t changes_until(const struct zone *zone, int64_t moment_s)
{
    uint32_t low = 0;
    uint32_t high = zone->count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (zone->at_s[middle] <= moment_s) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

static int32_t offset_after(const struct zone *zone, uint32_t changes)
{
    return changes ? zone->offset_s[changes - 1] : zone->first_offset_s;
}

int32_t zone_offset(const struct zone *zone, int64_t moment_s)
{
    return offset_after(zone, changes_until(zone, moment_s));
}

/* Between two changes local and moment differ by a constant. The first stretch whose end the
 * local time does not reach holds it, or it lies in the gap before that stretch. */
int64_t zone_moment(const struct zone *zone, int64_t local_s)
{
    uint32_t i = changes_until(zone, local_s - OFFSET_MAX);
    while (i < zone->count && local_s - offset_after(zone, i) >= zone->at_s[i]) {
        i++;
    }
    int64_t moment = local_s - offset_after(zone, i);
    return i > 0 && moment < zone->at_s[i - 1] ? zone->at_s[i - 1] : moment;
}

int64_t zone_day(const struct zone *zone, int64_t moment_s)
{
    int64_t local = moment_s + zone_offset(zone, moment_s);
    int64_t day = (local >= 0 ? local : local - DAY_S + 1) / DAY_S;
    while (zone_moment(zone, (day + 1) * DAY_S) <= moment_s) {
        day++;
    }
    while (zone_moment(zone, day * DAY_S) > moment_s) {
        day--;
    }
    return day;
}
