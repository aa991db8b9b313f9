/* Time zones beside the C library's own reading of the same files: every change of the clock from
 * 1970 to 2099 in the zones of the US, the EU and some odd ones, a second before, at and after. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "check.h"
#include "zone.h"

static const char *const names[] = {
    "America/New_York",    "America/Detroit",      "America/Kentucky/Louisville",
    "America/Chicago",     "America/Indiana/Knox", "America/North_Dakota/Beulah",
    "America/Denver",      "America/Boise",        "America/Phoenix",
    "America/Los_Angeles", "America/Anchorage",    "America/Adak",
    "Pacific/Honolulu",    "America/Puerto_Rico",  "Pacific/Guam",
    "Europe/Vienna",       "Europe/Brussels",      "Europe/Sofia",
    "Asia/Nicosia",        "Europe/Prague",        "Europe/Tallinn",
    "Europe/Helsinki",     "Europe/Paris",         "Europe/Berlin",
    "Europe/Athens",       "Europe/Dublin",        "Europe/Rome",
    "Europe/Riga",         "Europe/Malta",         "Europe/Lisbon",
    "Atlantic/Azores",     "Atlantic/Madeira",     "Europe/Bucharest",
    "Atlantic/Canary",     "Africa/Ceuta",         "Europe/London",
    "Australia/Lord_Howe", "Asia/Kathmandu",       "America/Havana",
    "Africa/Casablanca",   "America/Asuncion",     "Antarctica/Troll",
    "Pacific/Apia",        "America/Godthab",      "UTC",
};
enum { NAMES = sizeof names / sizeof names[0] };

/* NULL: no such file here. The caller ends it with zone_free. */
static struct zone *load(const char *name)
{
    static uint8_t bytes[ZONE_FILE_MAX];
    char path[128];
    struct zone *zone = NULL;
    snprintf(path, sizeof path, "/usr/share/zoneinfo/%s", name);
    FILE *file = fopen(path, "rb");
    if (!file) {
        return NULL;
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    enum err err = zone_new(bytes, size, &zone);
    CHECK(err == ERR_OK);
    return zone;
}

static int32_t other_offset(int64_t moment_s)
{
    struct tm tm;
    time_t at = (time_t)moment_s;
    assert_non_null(localtime_r(&at, &tm));
    return (int32_t)tm.tm_gmtoff;
}

/* The earliest moment whose local time is not before local_s, by trying them all near by. */
static int64_t moment_by_trying(const struct zone *zone, int64_t local_s, int64_t near_s)
{
    int64_t moment = near_s - 86400;
    while (moment + zone_offset(zone, moment) < local_s) {
        moment += 60;
    }
    return moment;
}

static void check_change(const struct zone *zone, uint32_t i)
{
    int64_t at = zone->at_s[i];
    for (int64_t by = -1; by <= 1; by++) {
        assert_int_equal(zone_offset(zone, at + by), other_offset(at + by));
    }
    if (at % 60 == 0 && at > 946684800) {
        int64_t local = at + zone->offset_s[i];
        for (int64_t by = -7200; by <= 7200; by += 1800) {
            assert_int_equal(zone_moment(zone, local + by), moment_by_trying(zone, local + by, at));
        }
    }
}

static void changes_are_the_clocks_own(void **state)
{
    uint32_t seen = 0;
    (void)state;
    for (uint32_t i = 0; i < NAMES; i++) {
        struct zone *zone = load(names[i]);
        if (!zone) {
            continue;
        }
        setenv("TZ", names[i], 1);
        tzset();
        for (uint32_t at = 0; at < zone->count; at++) {
            if (zone->at_s[at] >= 0) {
                check_change(zone, at);
                seen++;
            }
        }
        for (int64_t at = 0; at < (int64_t)130 * 365 * 86400; at += 7 * 86400 + 3607) {
            assert_int_equal(zone_offset(zone, at), other_offset(at));
        }
        zone_free(zone);
    }
    if (seen == 0) {
        skip(); /* no tzdata here */
    }
    assert_true(seen > 5000);
}

/* Days follow each other, each begins where zone_moment says, also where a day has no midnight
 * or never was (Samoa, 30 December 2011). */
static void days_follow_each_other(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < NAMES; i++) {
        struct zone *zone = load(names[i]);
        if (!zone) {
            skip();
        }
        int64_t before = zone_day(zone, 1000000000);
        for (int64_t at = 1000000000; at < 1000000000 + (int64_t)15 * 365 * 86400; at += 16417) {
            int64_t day = zone_day(zone, at);
            assert_true(day == before || day == before + 1 || day == before + 2);
            assert_true(zone_moment(zone, day * 86400) <= at);
            assert_true(zone_moment(zone, (day + 1) * 86400) > at);
            before = day;
        }
        zone_free(zone);
    }
}

static void rules_are_read(void **state)
{
    struct zone_rule rule;
    (void)state;
    assert_int_equal(zone_rule_parse("EST5EDT,M3.2.0,M11.1.0", 22, &rule), ERR_OK);
    assert_int_equal(rule.offset_s, -18000);
    assert_int_equal(rule.summer_offset_s, -14400);
    assert_int_equal(zone_rule_moment(&rule.begin, 2026, -18000), 1772953200); /* 8 March, 7:00 */
    assert_int_equal(zone_rule_moment(&rule.end, 2026, -14400), 1793512800); /* 1 November, 6:00 */
    assert_int_equal(zone_rule_parse("<-02>2<-01>,M3.5.0/-1,M10.5.0/0", 31, &rule), ERR_OK);
    assert_int_equal(rule.begin.time_s, -3600);
    assert_int_equal(zone_rule_parse("AAA-1BBB-2:30,J60,300/167", 25, &rule), ERR_OK);
    assert_int_equal(rule.summer_offset_s, 9000);
    assert_int_equal(zone_rule_moment(&rule.begin, 2024, 0), 1709258400); /* 1 March, 2:00 */
    assert_int_equal(zone_rule_moment(&rule.begin, 2026, 0), 1772330400);
    static const char *const bad[] = {"E5",
                                      "EST",
                                      "EST5EDT",
                                      "EST5EDT,M13.1.0,M11.1.0",
                                      "EST5EDT,M3.6.0,M11.1.0",
                                      "EST5EDT,M3.2.7,M11.1.0",
                                      "EST5EDT,M3.2.0,M11.1.0x",
                                      "EST5EDT,J0,J5",
                                      "<ab5"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(zone_rule_parse(bad[i], strlen(bad[i]), &rule), ERR_DAMAGED);
    }
}

/* Cut short anywhere, or with any byte turned: an error or another zone, never a fault. */
static void damage_is_found(void **state)
{
    static uint8_t bytes[ZONE_FILE_MAX];
    struct zone *zone;
    (void)state;
    FILE *file = fopen("/usr/share/zoneinfo/America/New_York", "rb");
    if (!file) {
        skip();
    }
    size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    for (size_t cut = 0; cut < size; cut++) {
        uint8_t *copy = malloc(cut + 1);
        assert_non_null(copy);
        memcpy(copy, bytes, cut);
        assert_int_equal(zone_new(copy, cut, &zone), ERR_DAMAGED);
        free(copy);
    }
    for (size_t at = 0; at < size; at++) {
        bytes[at] ^= 0x81;
        if (zone_new(bytes, size, &zone) == ERR_OK) {
            assert_true(zone_day(zone, 1800000000) > 20000);
            zone_free(zone);
        }
        bytes[at] ^= 0x81;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(changes_are_the_clocks_own),
        cmocka_unit_test(days_follow_each_other),
        cmocka_unit_test(rules_are_read),
        cmocka_unit_test(damage_is_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
