/* The rule in the last line of a TZif file: POSIX TZ, with the wider hours of RFC 9636. */
#include <stdbool.h>
#include <string.h>

#include "zone.h"

struct rule_text {
    const char *at;
    const char *end;
    bool is_bad;
};

static int peek(const struct rule_text *text)
{
    return text->at < text->end ? *text->at : '\0';
}

static bool skip(struct rule_text *text, char wanted)
{
    bool is_there = peek(text) == wanted;
    text->at += is_there;
    return is_there;
}

static bool is_letter(int c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static void skip_name(struct rule_text *text)
{
    const char *from = text->at;
    if (skip(text, '<')) {
        while (peek(text) && peek(text) != '>') {
            text->at++;
        }
        text->is_bad |= !skip(text, '>');
        return;
    }
    while (is_letter(peek(text))) {
        text->at++;
    }
    text->is_bad |= text->at - from < 3;
}

static int number(struct rule_text *text, int max)
{
    int value = 0;
    const char *from = text->at;
    while (peek(text) >= '0' && peek(text) <= '9' && value <= max) {
        value = value * 10 + (*text->at++ - '0');
    }
    text->is_bad |= text->at == from || value > max;
    return value;
}

/* [+-]hh[:mm[:ss]] in seconds. */
static int32_t clock_time(struct rule_text *text, int hours_max)
{
    bool is_negative = skip(text, '-');
    if (!is_negative) {
        skip(text, '+');
    }
    int32_t seconds = number(text, hours_max) * 3600;
    if (skip(text, ':')) {
        seconds += number(text, 59) * 60;
        if (skip(text, ':')) {
            seconds += number(text, 59);
        }
    }
    return is_negative ? -seconds : seconds;
}

static int at_least(struct rule_text *text, int value, int min)
{
    text->is_bad |= value < min;
    return value;
}

static void rule_day(struct rule_text *text, struct zone_rule_day *day)
{
    text->is_bad |= !skip(text, ',');
    memset(day, 0, sizeof *day);
    if (skip(text, 'M')) {
        day->kind = 'M';
        day->month = at_least(text, number(text, 12), 1);
        text->is_bad |= !skip(text, '.');
        day->week = at_least(text, number(text, 5), 1);
        text->is_bad |= !skip(text, '.');
        day->day = number(text, 6);
    } else if (skip(text, 'J')) {
        day->kind = 'J';
        day->day = at_least(text, number(text, 365), 1);
    } else {
        day->kind = 'n';
        day->day = number(text, 365);
    }
    day->time_s = skip(text, '/') ? clock_time(text, 167) : 2 * 3600;
}

enum err zone_rule_parse(const char *bytes, size_t len, struct zone_rule *rule_out)
{
    struct rule_text text = {bytes, bytes + len, false};
    memset(rule_out, 0, sizeof *rule_out);
    skip_name(&text);
    rule_out->offset_s = -clock_time(&text, 24); /* POSIX counts west of Greenwich */
    rule_out->has_summer = text.at < text.end;
    if (rule_out->has_summer && !text.is_bad) {
        skip_name(&text);
        bool is_told = peek(&text) != ',';
        rule_out->summer_offset_s = is_told ? -clock_time(&text, 24) : rule_out->offset_s + 3600;
        rule_day(&text, &rule_out->begin);
        rule_day(&text, &rule_out->end);
    }
    return text.is_bad || text.at != text.end ? ERR_DAMAGED : ERR_OK;
}

static bool is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

int64_t zone_year_day(int year)
{
    int64_t before = (int64_t)year - 1;
    return before * 365 + before / 4 - before / 100 + before / 400 - 719162;
}

static int month_day(int year, int month)
{
    static const int first[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    return first[month - 1] + (month > 2 && is_leap(year));
}

/* The week-th such weekday of the month, 5 = the last. Sunday is 0; 1970-01-01 was a Thursday. */
static int64_t weekday_of_month(const struct zone_rule_day *rule, int year)
{
    int64_t first = zone_year_day(year) + month_day(year, rule->month);
    int length =
        rule->month == 12 ? 31 : month_day(year, rule->month + 1) - month_day(year, rule->month);
    int weekday = (int)((first % 7 + 7 + 4) % 7);
    int day = (rule->day - weekday + 7) % 7 + (rule->week - 1) * 7;
    return first + (day >= length ? day - 7 : day);
}

int64_t zone_rule_moment(const struct zone_rule_day *rule, int year, int32_t offset_s)
{
    int64_t day = zone_year_day(year) + rule->day;
    if (rule->kind == 'M') {
        day = weekday_of_month(rule, year);
    } else if (rule->kind == 'J') {
        day += rule->day > 59 && is_leap(year) ? 0 : -1;
    }
    return day * 86400 + rule->time_s - offset_s;
}
