/* Time zones: what a clock on the wall shows, from the bytes of a TZif file (RFC 9636).
 *
 * A zone is a list of moments at which its offset changes, the rule behind the last one written
 * out to the end of 2099; later moments keep the last offset. Reading the file is the caller's.
 * A zone never changes once made; any thread may read it.
 *
 * A local time that comes twice is the first of the two; one that is skipped is the moment of the
 * jump. So the map from local times to moments never falls. */
#ifndef BASE_ZONE_H
#define BASE_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum {
    ZONE_FILE_MAX = 1 << 16, /* bytes of a file; real ones have at most 3.5 KiB */
    ZONE_CHANGES_MAX = 2048
};

struct zone {
    uint32_t count;         /* changes */
    int64_t *at_s;          /* moments, rising */
    int32_t *offset_s;      /* offset from at_s[i] on */
    int32_t first_offset_s; /* before the first */
};

/* Errors: ERR_DAMAGED (not such a file), ERR_TOOBIG (over ZONE_CHANGES_MAX), ERR_NOMEM. */
ERR_MUST_USE enum err zone_new(const uint8_t *bytes, size_t size, struct zone **out);
void zone_free(struct zone *zone);

/* The zone without changes and offset, for where none is named. Static; not to be freed. */
const struct zone *zone_utc(void);

/* Seconds to add to a moment to get the local time. */
int32_t zone_offset(const struct zone *zone, int64_t moment_s);

/* The moment of a local time, seconds since 1970-01-01 00:00 of the local calendar. */
int64_t zone_moment(const struct zone *zone, int64_t local_s);

/* Day of the local calendar, counted from 1970-01-01: the last one whose first moment is not
 * after moment_s. Never falls as time goes on. */
int64_t zone_day(const struct zone *zone, int64_t moment_s);

/* -- zone_rule.c: the rule in the last line of a file -- */

struct zone_rule_day {
    char kind; /* 'M' month, week, weekday; 'J' day 1-365 without 29 February; 'n' day 0-365 */
    int month, week, day;
    int32_t time_s; /* of the local clock before the change */
};

struct zone_rule {
    int32_t offset_s; /* of standard time */
    int32_t summer_offset_s;
    bool has_summer;
    struct zone_rule_day begin, end; /* of summer time */
};

/* Errors: ERR_DAMAGED: not a rule as POSIX has it. text need not be terminated. */
ERR_MUST_USE enum err zone_rule_parse(const char *text, size_t len, struct zone_rule *rule_out);

/* The moment at which the day's change comes in the year, offset_s being what is valid before. */
int64_t zone_rule_moment(const struct zone_rule_day *day, int year, int32_t offset_s);

/* Days from 1970-01-01 to the first of January of the year; Gregorian. */
int64_t zone_year_day(int year);

#endif
