/* Hours, terms and capacity of nodes: the fields of node.put and node.get that are about time. */
#include "node_hours_internal.h"

#include <math.h>
#include <string.h>

#include "decimal.h"

enum { ACCEPT_MAX_MIN = 525600, AGE_MAX_MIN = 5256000, LIMIT_MAX = 1000000000, MILLION = 1000000 };

static const char *const weekdays[] = {"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
static const struct names names_weekdays = {weekdays, 7};
static const char *const kinds[] = {"orders", "units"};
static const char *const pers[] = {"hour", "day"};
const struct names names_capacity_kinds = {kinds, 2};
const struct names names_capacity_pers = {pers, 2};

void hours_ask_begin(struct hours_ask *ask)
{
    memset(ask, 0, offsetof(struct hours_ask, exceptions));
    hours_default(&ask->hours);
}

/* -- reading -- */

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static uint32_t number(const char *text, uint32_t len)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < len; i++) {
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    return value;
}

/* "HH:MM" up to "24:00", as a minute of the day. */
static uint16_t read_minute(struct reader *reader)
{
    struct text text = reader_text(reader, 5, 5);
    if (!reader_is_ok(reader)) {
        return 0;
    }
    const char *at = text.at;
    bool is_time =
        is_digit(at[0]) && is_digit(at[1]) && at[2] == ':' && is_digit(at[3]) && is_digit(at[4]);
    uint32_t minute = is_time ? number(at, 2) * 60 + number(at + 3, 2) : HOURS_DAY_MIN + 1;
    if (!is_time || number(at + 3, 2) > 59 || minute > HOURS_DAY_MIN) {
        reader_fail(reader, "must be a time of day from \"00:00\" to \"24:00\"");
        return 0;
    }
    return (uint16_t)minute;
}

static void read_span(struct reader *reader, struct hours_day *day)
{
    struct reader_array array;
    struct hours_span span = {0, 0};
    uint32_t count = reader_array_begin(reader, &array, 2);
    for (uint32_t i = 0; reader_array_next(reader, &array); i++) {
        uint16_t minute = read_minute(reader);
        span.from = i == 0 ? minute : span.from;
        span.to = i == 1 ? minute : span.to;
    }
    if (!reader_is_ok(reader)) {
        return;
    }
    uint16_t before = day->count ? day->spans[day->count - 1].to : 0;
    if (count != 2 || span.to <= span.from) {
        reader_fail(reader, "must be [from, to], to later than from on the same day");
    } else if (span.from < before) {
        reader_fail(reader, "spans of a day come in order and do not overlap");
    } else {
        day->spans[day->count++] = span;
    }
}

static void read_day(struct reader *reader, struct hours_day *day)
{
    struct reader_array array;
    memset(day, 0, sizeof *day);
    reader_array_begin(reader, &array, HOURS_SPANS_MAX);
    while (reader_array_next(reader, &array)) {
        read_span(reader, day);
    }
}

static int32_t month_day(uint32_t year, uint32_t month)
{
    static const int16_t first[] = {0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334, 365};
    bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
    return first[month - 1] + (month > 2 && is_leap);
}

/* "YYYY-MM-DD" as a day since 1970-01-01. */
static bool date_parse(struct text text, int32_t *day_out)
{
    static const char shape[] = "dddd-dd-dd";
    if (text.len != sizeof shape - 1) {
        return false;
    }
    for (uint32_t i = 0; i < text.len; i++) {
        if (shape[i] == 'd' ? !is_digit(text.at[i]) : text.at[i] != shape[i]) {
            return false;
        }
    }
    uint32_t year = number(text.at, 4);
    uint32_t month = number(text.at + 5, 2);
    uint32_t day = number(text.at + 8, 2);
    if (year < 1970 || year > 2199 || month < 1 || month > 12 || day < 1) {
        return false;
    }
    int32_t length = month == 12 ? 31 : month_day(year, month + 1) - month_day(year, month);
    *day_out = (int32_t)zone_year_day((int)year) + month_day(year, month) + (int32_t)day - 1;
    return (int32_t)day <= length;
}

/* Put an exception where its day belongs. False: the day is there already. */
static bool exception_add(struct hours_ask *ask, const struct hours_exception *own)
{
    uint32_t at = ask->hours.exception_count;
    while (at > 0 && ask->exceptions[at - 1].day > own->day) {
        at--;
    }
    if (at > 0 && ask->exceptions[at - 1].day == own->day) {
        return false;
    }
    memmove(&ask->exceptions[at + 1], &ask->exceptions[at],
            (ask->hours.exception_count - at) * sizeof *own);
    ask->exceptions[at] = *own;
    ask->hours.exception_count++;
    return true;
}

static void read_exception(struct reader *reader, struct hours_ask *ask, struct text key)
{
    struct hours_exception own;
    if (!date_parse(key, &own.day)) {
        reader_fail(reader, "is neither a day (mon, tue, wed, thu, fri, sat, sun) nor a date as "
                            "\"2026-12-25\"");
        return;
    }
    read_day(reader, &own.hours);
    if (!reader_is_ok(reader)) {
        return;
    }
    if (ask->hours.exception_count == HOURS_EXCEPTIONS_MAX) {
        reader_fail(reader, "at most %d dates", HOURS_EXCEPTIONS_MAX);
    } else if (!exception_add(ask, &own)) {
        reader_fail(reader, "comes twice");
    }
}

static void read_calendar(struct reader *reader, struct hours_ask *ask)
{
    struct reader_map map;
    struct text key;
    uint32_t seen = 0;
    ask->hours.has_calendar = true;
    ask->hours.exceptions = ask->exceptions;
    reader_map_begin(reader, &map, NULL, 0);
    while (reader_map_next_key(reader, &map, &key)) {
        int day = names_find(&names_weekdays, key.at, key.len);
        if (day < 0) {
            read_exception(reader, ask, key);
        } else if (seen >> day & 1) {
            reader_fail(reader, "comes twice");
        } else {
            seen |= 1u << day;
            ask->hours.has_week = true;
            read_day(reader, &ask->hours.week[day]);
        }
    }
}

static void read_services(struct reader *reader, struct hours_ask *ask, enum hours_field field)
{
    struct reader_map map;
    reader_map_begin(reader, &map, names_services.texts, names_services.count);
    for (int service; (service = reader_map_next(reader, &map)) >= 0;) {
        if (field == HOURS_CUTOFF) {
            ask->hours.cutoff[service] = read_minute(reader);
        } else {
            ask->hours.processing_min[service] =
                (uint32_t)reader_int(reader, 0, PROCESSING_MAX_MIN);
        }
    }
}

static void read_tz(struct service_core *service, struct reader *reader, struct hours_ask *ask)
{
    struct text text = reader_text(reader, 1, TZ_NAME_MAX);
    if (!reader_is_ok(reader)) {
        return;
    }
    memcpy(ask->hours.tz, text.at, text.len);
    ask->hours.tz[text.len] = '\0';
    bool is_whole = strlen(ask->hours.tz) == text.len;
    if (!is_whole || !zone_files_find(service->zones, ask->hours.tz)) {
        reader_fail(reader,
                    zone_files_are_there(service->zones)
                        ? "\"%.*s\" is not the IANA name of a time zone, such as "
                          "America/New_York"
                        : "\"%.*s\": this machine has no time zones: install its tzdata",
                    (int)text.len, text.at);
    }
}

void rule_begin(struct capacity_rule *rule)
{
    *rule = (struct capacity_rule){.service = CAPACITY_ANY_SERVICE};
}

void rule_read(struct reader *reader, struct capacity_rule *rule, enum rule_field field)
{
    int word;
    switch (field) {
    case RULE_KIND:
        word = reader_word(reader, &names_capacity_kinds);
        rule->kind = word < 0 ? 0 : (uint8_t)word;
        break;
    case RULE_PER:
        word = reader_word(reader, &names_capacity_pers);
        rule->per = word < 0 ? 0 : (uint8_t)word;
        break;
    case RULE_LIMIT:
        rule->is_removed = reader_nil(reader);
        rule->limit = rule->is_removed ? 0 : (uint32_t)reader_int(reader, 0, LIMIT_MAX);
        break;
    case RULE_SERVICE:
        word = reader_word(reader, &names_services);
        rule->service = word < 0 ? CAPACITY_ANY_SERVICE : (uint8_t)word;
        break;
    case RULE_FIELDS:
        break;
    }
}

static void read_rule(struct reader *reader, struct hours_ask *ask)
{
    static const char *const fields[] = {RULE_FIELD_NAMES};
    struct reader_map map;
    struct capacity_rule rule;
    rule_begin(&rule);
    reader_map_begin(reader, &map, fields, RULE_FIELDS);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        rule_read(reader, &rule, (enum rule_field)field);
    }
    reader_require(reader, &map, RULE_KIND);
    reader_require(reader, &map, RULE_PER);
    reader_require(reader, &map, RULE_LIMIT);
    for (uint32_t i = 0; i < ask->rule_count && reader_is_ok(reader); i++) {
        const struct capacity_rule *own = &ask->rules[i];
        if (own->kind == rule.kind && own->per == rule.per && own->service == rule.service) {
            reader_fail(reader, "the same kind, per and service as entry %u", i);
        }
    }
    if (reader_is_ok(reader) && rule.is_removed) {
        reader_fail(reader, "limit: nil removes a limit with capacity.set: leave it out here");
    }
    if (reader_is_ok(reader)) {
        ask->rules[ask->rule_count++] = rule;
    }
}

static void read_capacity(struct reader *reader, struct hours_ask *ask)
{
    struct reader_array array;
    reader_array_begin(reader, &array, CAPACITY_METERS_MAX);
    while (reader_array_next(reader, &array)) {
        read_rule(reader, ask);
    }
}

void hours_ask_read(struct service_core *service, struct reader *reader, struct hours_ask *ask,
                    enum hours_field field)
{
    switch (field) {
    case HOURS_TZ:
        read_tz(service, reader, ask);
        break;
    case HOURS_PROCESSING:
    case HOURS_CUTOFF:
        read_services(reader, ask, field);
        break;
    case HOURS_CALENDAR:
        read_calendar(reader, ask);
        break;
    case HOURS_CAPACITY:
        read_capacity(reader, ask);
        break;
    case HOURS_ACCEPTANCE:
        ask->declines = (uint32_t)lround((1 - reader_float(reader, 0, 1)) * MILLION);
        break;
    case HOURS_ACCEPT_MIN:
        ask->terms.accept_min = (uint32_t)reader_int(reader, 0, ACCEPT_MAX_MIN);
        break;
    case HOURS_STOCK_AGE:
        ask->terms.stock_max_age_min = (uint32_t)reader_int(reader, 0, AGE_MAX_MIN);
        break;
    case HOURS_FIELDS:
        break;
    }
}

void hours_ask_content(const struct hours_ask *ask, struct content *content)
{
    if (!ask->seen) {
        return; /* keys of before there were these fields stay what they are */
    }
    content_int(content, (int64_t)hours_hash(&ask->hours));
    content_int(content, ask->declines);
    content_int(content, ask->terms.accept_min);
    content_int(content, ask->terms.stock_max_age_min);
    for (uint32_t i = 0; i < ask->rule_count; i++) {
        const struct capacity_rule *rule = &ask->rules[i];
        content_int(content, rule->kind << 16 | rule->per << 8 | rule->service);
        content_int(content, rule->limit);
    }
}

/* -- merging -- */

static bool is_seen(const struct hours_ask *ask, enum hours_field field)
{
    return ask->seen >> field & 1;
}

static bool has_hours_field(const struct hours_ask *ask)
{
    return (ask->seen & ~(1u << HOURS_CAPACITY)) != 0;
}

uint32_t hours_ask_records(const struct hours_ask *ask)
{
    return has_hours_field(ask) + is_seen(ask, HOURS_CAPACITY);
}

uint32_t hours_ask_size(const struct hours_ask *ask)
{
    const struct effect_hours most = {.hours = {.exception_count = HOURS_EXCEPTIONS_MAX}};
    return ask->seen ? effect_hours_size(&most) + EFFECT_CAPACITY_SIZE_MAX : 0;
}

static void calendar_merge(const struct hours_ask *ask, struct node_hours *to)
{
    to->has_calendar = ask->hours.has_calendar;
    to->has_week = ask->hours.has_week;
    memcpy(to->week, ask->hours.week, sizeof to->week);
    to->exception_count = ask->hours.exception_count;
    to->exceptions = ask->exceptions;
}

/* A field that came as nil has its default in the ask. */
static void hours_merge(const struct hours_ask *ask, struct effect_hours *effect)
{
    struct node_hours *to = &effect->hours;
    if (is_seen(ask, HOURS_TZ)) {
        memcpy(to->tz, ask->hours.tz, sizeof to->tz);
    }
    if (is_seen(ask, HOURS_PROCESSING)) {
        memcpy(to->processing_min, ask->hours.processing_min, sizeof to->processing_min);
    }
    if (is_seen(ask, HOURS_CUTOFF)) {
        memcpy(to->cutoff, ask->hours.cutoff, sizeof to->cutoff);
    }
    if (is_seen(ask, HOURS_CALENDAR)) {
        calendar_merge(ask, to);
    }
    if (is_seen(ask, HOURS_ACCEPT_MIN)) {
        effect->terms.accept_min = ask->terms.accept_min;
    }
    if (is_seen(ask, HOURS_STOCK_AGE)) {
        effect->terms.stock_max_age_min = ask->terms.stock_max_age_min;
    }
    effect->has_declines = is_seen(ask, HOURS_ACCEPTANCE);
    effect->declines = ask->declines;
}

static void hours_apply(struct service_core *service, const struct hours_ask *ask, uint16_t node)
{
    const struct node_hours *before = schedules_hours(&service->tables.timing.schedules, node);
    struct effect_hours effect = {.node = node, .terms = service->tables.timing.terms[node]};
    struct node_hours none;
    hours_default(&none);
    effect.hours = before ? *before : none;
    hours_merge(ask, &effect);
    effect.has_hours = !hours_equal(&effect.hours, &none);
    uint8_t *bytes = log_begin(service, effect_hours_size(&effect));
    uint64_t lsn = log_end(service, EFFECT_HOURS, effect_hours_encode(bytes, &effect));
    must_apply(tables_apply_hours(&service->tables, lsn, service->now_ms, &effect), "hours");
}

void hours_ask_apply(struct service_core *service, const struct hours_ask *ask, uint16_t node)
{
    if (has_hours_field(ask)) {
        hours_apply(service, ask, node);
    }
    if (is_seen(ask, HOURS_CAPACITY)) {
        struct effect_capacity effect = {.node = node, .is_whole = true, .count = ask->rule_count};
        memcpy(effect.rules, ask->rules, ask->rule_count * sizeof ask->rules[0]);
        uint8_t *bytes = log_begin(service, EFFECT_CAPACITY_SIZE_MAX);
        uint64_t lsn = log_end(service, EFFECT_CAPACITY, effect_capacity_encode(bytes, &effect));
        must_apply(tables_apply_capacity(&service->tables, lsn, service->now_ms, &effect),
                   "capacity");
    }
}

/* -- telling -- */

static void put_minute(struct writer *writer, uint32_t minute)
{
    const char text[] = {(char)('0' + minute / 600), (char)('0' + minute / 60 % 10), ':',
                         (char)('0' + minute % 60 / 10), (char)('0' + minute % 10)};
    writer_text(writer, text, sizeof text);
}

static void put_day(struct writer *writer, const struct hours_day *day)
{
    writer_array(writer, day->count);
    for (uint32_t i = 0; i < day->count; i++) {
        writer_array(writer, 2);
        put_minute(writer, day->spans[i].from);
        put_minute(writer, day->spans[i].to);
    }
}

static void put_date(struct writer *writer, int32_t day)
{
    uint32_t year = 1970;
    uint32_t month = 12;
    while (day >= zone_year_day((int)year + 1)) {
        year++;
    }
    uint32_t left = (uint32_t)(day - zone_year_day((int)year));
    while ((int32_t)left < month_day(year, month)) {
        month--;
    }
    uint32_t own = left - (uint32_t)month_day(year, month) + 1;
    const char text[] = {(char)('0' + year / 1000),
                         (char)('0' + year / 100 % 10),
                         (char)('0' + year / 10 % 10),
                         (char)('0' + year % 10),
                         '-',
                         (char)('0' + month / 10),
                         (char)('0' + month % 10),
                         '-',
                         (char)('0' + own / 10),
                         (char)('0' + own % 10)};
    writer_text(writer, text, sizeof text);
}

static void put_calendar(struct writer *writer, const struct node_hours *hours)
{
    writer_str(writer, "calendar");
    writer_map(writer, (hours->has_week ? 7u : 0) + hours->exception_count);
    for (int i = 0; i < 7 && hours->has_week; i++) {
        writer_string(writer, weekdays[i]);
        put_day(writer, &hours->week[i]);
    }
    for (uint32_t i = 0; i < hours->exception_count; i++) {
        put_date(writer, hours->exceptions[i].day);
        put_day(writer, &hours->exceptions[i].hours);
    }
}

static uint32_t put_services(struct writer *writer, const struct node_hours *hours, bool is_cutoff)
{
    uint32_t count = 0;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        count += is_cutoff ? hours->cutoff[i] != MINUTE_NONE : hours->processing_min[i] > 0;
    }
    if (count == 0) {
        return 0;
    }
    writer_string(writer, is_cutoff ? "cutoff" : "processing_min");
    writer_map(writer, count);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (is_cutoff && hours->cutoff[i] != MINUTE_NONE) {
            writer_string(writer, service_text((enum service)i));
            put_minute(writer, hours->cutoff[i]);
        } else if (!is_cutoff && hours->processing_min[i] > 0) {
            put_int(writer, service_text((enum service)i), hours->processing_min[i]);
        }
    }
    return 1;
}

void put_meter_name(struct writer *writer, const struct capacity_meter *meter)
{
    put_string(writer, "kind", kinds[meter->kind]);
    put_string(writer, "per", pers[meter->per]);
    if (meter->service != CAPACITY_ANY_SERVICE) {
        put_string(writer, "service", service_text((enum service)meter->service));
    }
}

static void put_meter(struct writer *writer, const struct capacity_meter *meter)
{
    writer_map(writer, meter->service == CAPACITY_ANY_SERVICE ? 3 : 4);
    put_meter_name(writer, meter);
    writer_str(writer, "limit");
    if (meter->limit == CAPACITY_NO_LIMIT) {
        writer_nil(writer);
    } else {
        writer_uint(writer, meter->limit);
    }
}

static uint32_t put_capacity(struct service_core *service, struct writer *writer, uint16_t node)
{
    const struct capacity_node *own = service->tables.timing.capacity.nodes[node];
    if (!own) {
        return 0;
    }
    writer_str(writer, "capacity");
    writer_array(writer, own->count);
    for (uint32_t i = 0; i < own->count; i++) {
        put_meter(writer, &own->meters[i]);
    }
    return 1;
}

static uint32_t put_terms(struct service_core *service, struct writer *writer, uint16_t node)
{
    const struct node_terms *terms = &service->tables.timing.terms[node];
    uint32_t count = 0;
    if (terms->accept_min) {
        put_int(writer, "accept_min", terms->accept_min);
        count++;
    }
    if (terms->stock_max_age_min) {
        put_int(writer, "stock_max_age_min", terms->stock_max_age_min);
        count++;
    }
    return count;
}

uint32_t put_hours(struct service_core *service, struct writer *writer, uint16_t node)
{
    const struct node_hours *hours = schedules_hours(&service->tables.timing.schedules, node);
    uint32_t count = put_terms(service, writer, node) + put_capacity(service, writer, node);
    if (!hours) {
        return count;
    }
    if (hours->tz[0]) {
        put_string(writer, "tz", hours->tz);
        count++;
    }
    if (hours->has_calendar) {
        put_calendar(writer, hours);
        count++;
    }
    count += put_services(writer, hours, true);
    return count + put_services(writer, hours, false);
}
