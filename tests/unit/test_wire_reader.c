/* Properties of proto/reader: what is taken for which field, and what errors say. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "reader.h"
#include "utf8.h"
#include "writer.h"

enum { ROUTE_ORDER_ID, ROUTE_LINES, ROUTE_DEST, ROUTE_SERVICE, ROUTE_FLAGS, ROUTE_COUNT };
static const char *const route_fields[] = {"order_id", "lines", "dest", "service", "flags"};
enum { LINE_ITEM, LINE_QTY, LINE_LINE, LINE_COUNT };
static const char *const line_fields[] = {"item", "qty", "line"};

/* What the tests read, as a decoder of order.route does it. */
struct route {
    struct text order_id;
    struct text items[4];
    int64_t qtys[4];
    uint32_t count;
    double days[2];
    int service;
    bool flags[2];
};

static void read_line(struct reader *reader, struct route *route)
{
    struct reader_map map;
    char scratch[READER_INT_TEXT_SIZE];
    reader_map_begin(reader, &map, line_fields, LINE_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == LINE_ITEM) {
            route->items[route->count] = reader_text(reader, 1, 8);
        } else if (field == LINE_QTY) {
            route->qtys[route->count] = reader_int(reader, 1, 1000000);
        } else {
            reader_text_or_int(reader, scratch, 1, 63);
        }
    }
    reader_require(reader, &map, LINE_ITEM);
    reader_require(reader, &map, LINE_QTY);
    route->count++;
}

static void read_lines(struct reader *reader, struct route *route)
{
    struct reader_array array;
    reader_array_begin(reader, &array, 4);
    while (reader_array_next(reader, &array)) {
        read_line(reader, route);
    }
}

/* A map with any keys, as the calendar of a node. */
static void read_days(struct reader *reader, struct route *route)
{
    struct reader_map map;
    struct text key;
    reader_map_begin(reader, &map, NULL, 0);
    for (uint32_t i = 0; reader_map_next_key(reader, &map, &key); i++) {
        route->days[i % 2] = reader_float(reader, -90, 90);
    }
}

static void read_flags(struct reader *reader, struct route *route)
{
    struct reader_array array;
    reader_array_begin(reader, &array, 2);
    while (reader_array_next(reader, &array)) {
        if (!reader_nil(reader)) {
            route->flags[array.index] = reader_bool(reader);
        }
    }
}

static void read_route(struct reader *reader, struct route *route)
{
    struct reader_map map;
    *route = (struct route){.count = 0};
    reader_params(reader, &map, route_fields, ROUTE_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case ROUTE_ORDER_ID:
            route->order_id = reader_text(reader, 1, 63);
            break;
        case ROUTE_LINES:
            read_lines(reader, route);
            break;
        case ROUTE_DEST:
            read_days(reader, route);
            break;
        case ROUTE_SERVICE:
            route->service = reader_word(reader, &names_services);
            break;
        default:
            read_flags(reader, route);
            break;
        }
    }
    reader_require(reader, &map, ROUTE_ORDER_ID);
}

/* Read params from an exact copy; the error text, copied. */
static const char *error_of(const void *bytes, uint32_t size)
{
    static char error[READER_ERROR_SIZE];
    struct reader reader;
    struct route route;
    uint8_t *copy = malloc(size == 0 ? 1 : size);
    assert_non_null(copy);
    memcpy(copy, bytes, size);
    reader_init(&reader, copy, size);
    read_route(&reader, &route);
    assert_int_equal(reader_is_ok(&reader), reader_error(&reader)[0] == 0);
    snprintf(error, sizeof error, "%s", reader_error(&reader));
    free(copy);
    return error;
}
#define ERROR(literal) error_of(literal, sizeof(literal) - 1)
#define ID             "\xa8order_id\xa1x"

static struct reader reader_of(const void *bytes, uint32_t size)
{
    struct reader reader;
    reader_init(&reader, bytes, size);
    return reader;
}
#define READER(literal) reader_of(literal, sizeof(literal) - 1)

/* Fields come in any order, and their values out as they went in. */
static void reads_fields_in_any_order(void **state)
{
    (void)state;
    static const char bytes[] =
        "\x91\x84\xa5lines\x92\x82\xa3qty\x05\xa4item\xa1"
        "A\x83\xa4item\xc4\x01"
        "B\xa3qty\xcd\x01\x00\xa4line\x07\xa7service\xa8same_day\xa8order_id\xa3"
        "o-1\xa5"
        "flags\x92\xc3\xc0";
    struct reader reader = READER(bytes);
    struct route route;
    read_route(&reader, &route);
    assert_string_equal(reader_error(&reader), "");
    assert_int_equal(route.count, 2);
    assert_memory_equal(route.items[1].at, "B", 1);
    assert_int_equal(route.qtys[0], 5);
    assert_int_equal(route.qtys[1], 256);
    assert_int_equal(route.service, SERVICE_SAME_DAY);
    assert_memory_equal(route.order_id.at, "o-1", 3);
    assert_true(route.flags[0] && !route.flags[1]);
}

/* An empty array is an empty map; anything else but one map is refused. */
static void params_are_one_map_or_none(void **state)
{
    (void)state;
    assert_string_equal(ERROR("\x90"), "order_id: missing");
    assert_string_equal(ERROR("\x91\x80"), "order_id: missing");
    assert_string_equal(ERROR("\x91\x81" ID), "");
    assert_string_equal(ERROR("\x92\x80\x80"), "params must be a list that holds one map");
    assert_string_equal(ERROR("\x80"), "params must be a list that holds one map");
    assert_string_equal(ERROR("\x91\xc0"), "params must be a list that holds one map");
}

/* Unknown and duplicate keys are refused by name, with the near one offered, never a far one. */
static void names_unknown_and_duplicate_fields(void **state)
{
    (void)state;
    assert_string_equal(ERROR("\x91\x81\xa9order_ids\x01"),
                        "unknown field order_ids, did you mean order_id?");
    assert_string_equal(ERROR("\x91\x81\xa4"
                              "dset\x01"),
                        "unknown field dset, did you mean dest?");
    assert_string_equal(ERROR("\x91\x81\xa5zzzzz\x01"), "unknown field zzzzz");
    assert_string_equal(ERROR("\x91\x81\xa5lines\x91\x81\xa4qtyy\x01"),
                        "lines[0]: unknown field qtyy, did you mean qty?");
    assert_string_equal(ERROR("\x91\x82" ID ID), "duplicate field order_id");
    assert_string_equal(ERROR("\x91\x81\xa5lines\x91\x82\xa3qty\x01\xa3qty\x01"),
                        "lines[0]: duplicate field qty");
    assert_string_equal(ERROR("\x91\x81\x01\x01"), "a key of a map must be text, is an integer");
}

/* A key that holds a NUL is not the field that it begins with, nor read past the field's end. */
static void key_with_nul_is_unknown(void **state)
{
    (void)state;
    assert_string_equal(ERROR("\x91\x81\xa9order_id\0\xa1x"),
                        "unknown field order_id?, did you mean order_id?");
    assert_string_equal(ERROR("\x91\x81\xa0\xa1x"), "unknown field ");
}

/* Hostile keys come out cut and printable: the error is UTF-8 of bounded length. */
static void long_and_binary_keys_are_shown_safely(void **state)
{
    (void)state;
    uint8_t bytes[300] = {0x91, 0x81, 0xd9, 200};
    memset(bytes + 4, 0xff, 200);
    const char *error = error_of(bytes, 205);
    assert_true(utf8_is_valid(error, (uint32_t)strlen(error)));
    assert_int_equal(strlen(error), strlen("unknown field ") + 43);
    memset(bytes + 4, 'k', 200);
    error = error_of(bytes, 205);
    assert_string_equal(error + strlen(error) - 4, "k...");
}

/* An error stands behind the path of its field: maps, arrays and maps with any keys. */
static void errors_carry_the_path(void **state)
{
    (void)state;
    assert_string_equal(ERROR("\x91\x82" ID "\xa5lines\x92\x82\xa4item\xa1"
                              "A\xa3qty\x01\x82\xa4item"
                              "\xa1"
                              "A\xa3qty\x00"),
                        "lines[1].qty: must be from 1 to 1000000, is 0");
    assert_string_equal(ERROR("\x91\x82" ID "\xa5lines\x92\x82\xa4item\xa1"
                              "A\xa3qty\x01\x81\xa4item\xa1"
                              "A"),
                        "lines[1].qty: missing");
    assert_string_equal(ERROR("\x91\x81\xa4"
                              "dest\x82\xa3mon\x01\xa3tue\xa1"
                              "1"),
                        "dest.tue: must be a number, is text");
    assert_string_equal(ERROR("\x91\x81\xa5"
                              "flags\x92\xc2\x01"),
                        "flags[1]: must be true or false, is an integer");
    assert_string_equal(ERROR("\x91\x81\xa5lines\x95\x80\x80\x80\x80\x80"),
                        "lines: at most 4, has 5");
    assert_string_equal(ERROR("\x91\x81\xa5lines\x01"), "lines: must be a list, is an integer");
    assert_string_equal(ERROR("\x91\x81\xa5lines\x91\x81\xa4item\xa9"
                              "123456789"),
                        "lines[0].item: must have 1 to 8 bytes, has 9");
    assert_string_equal(ERROR("\x91\x81\xa5lines\x91\x81\xa4item\xa2\xc3\x28"),
                        "lines[0].item: is not UTF-8");
    assert_string_equal(
        ERROR("\x91\x81\xa7service\xa8"
              "Same_Day"),
        "service: must be one of standard, next_day, same_day, pickup, "
                        "reserve_pickup, ship_to_store, carry_out; is Same_Day");
}

/* After the end of a map the path is the parent's again; the first error stays. */
static void first_error_stays(void **state)
{
    (void)state;
    struct reader reader = READER("\x91\x81" ID);
    struct route route;
    read_route(&reader, &route);
    reader_fail(&reader, "order_id: %s", "taken");
    reader_fail(&reader, "later");
    assert_string_equal(reader_error(&reader), "order_id: taken");
    assert_false(reader_is_ok(&reader));
}

/* Each number in every encoding that can hold it is the same integer. */
static void ints_of_every_width(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t size;
        int64_t value;
    } rows[] = {
        {"\x05", 1, 5},
        {"\xff", 1, -1},
        {"\xe0", 1, -32},
        {"\xcc\x05", 2, 5},
        {"\xcd\x00\x05", 3, 5},
        {"\xce\x00\x00\x00\x05", 5, 5},
        {"\xcf\0\0\0\0\0\0\0\x05", 9, 5},
        {"\xd0\x05", 2, 5},
        {"\xd1\x00\x05", 3, 5},
        {"\xd2\x00\x00\x00\x05", 5, 5},
        {"\xd3\0\0\0\0\0\0\0\x05", 9, 5},
        {"\xca\x40\xa0\x00\x00", 5, 5},
        {"\xcb\x40\x14\0\0\0\0\0\0", 9, 5},
        {"\xcb\xc0\x14\0\0\0\0\0\0", 9, -5},
        {"\xcb\x80\0\0\0\0\0\0\0", 9, 0},
        {"\xd0\x80", 2, INT8_MIN},
        {"\xd1\x80\x00", 3, INT16_MIN},
        {"\xd2\x80\x00\x00\x00", 5, INT32_MIN},
        {"\xd3\x80\0\0\0\0\0\0\0", 9, INT64_MIN},
        {"\xcb\xc3\xe0\0\0\0\0\0\0", 9, INT64_MIN},
        {"\xcf\x7f\xff\xff\xff\xff\xff\xff\xff", 9, INT64_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reader reader = reader_of(rows[i].bytes, rows[i].size);
        assert_true(reader_int(&reader, INT64_MIN, INT64_MAX) == rows[i].value);
        assert_true(reader_is_ok(&reader) && reader.at == reader.end);
    }
}

/* What is no integer of the range is refused, and the text says what came. */
static void int_errors_say_what_came(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        uint32_t size;
        const char *error;
    } rows[] = {
        {"\x0b", 1, "must be from 1 to 10, is 11"},
        {"\x00", 1, "must be from 1 to 10, is 0"},
        {"\xff", 1, "must be from 1 to 10, is -1"},
        {"\xcf\xff\xff\xff\xff\xff\xff\xff\xff", 9,
         "must be from 1 to 10, is 18446744073709551615"},
        {"\xcb\x3f\xf8\0\0\0\0\0\0", 9, "must be an integer, is 1.5"},
        {"\xcb\x43\xe0\0\0\0\0\0\0", 9, "must be an integer, is 9.22337e+18"},
        {"\xcb\x7f\xf8\0\0\0\0\0\0", 9, "must be an integer, is a float"},
        {"\xca\x7f\x80\0\0", 5, "must be an integer, is a float"},
        {"\xa1"
         "5",
         2, "must be an integer, is text"},
        {"\xc0", 1, "must be an integer, is nil"},
        {"\xd4\x01\x01", 3, "must be an integer, is an extension type"},
        {"\xcd\x01", 2, "must be an integer, is cut short"},
        {"", 0, "must be an integer, is cut short"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reader reader = reader_of(rows[i].bytes, rows[i].size);
        assert_int_equal(reader_int(&reader, 1, 10), 0);
        assert_string_equal(reader_error(&reader), rows[i].error);
    }
}

/* A float field takes integers; neither NaN nor infinity nor what is out of range. */
static void floats_take_ints_and_limits(void **state)
{
    (void)state;
    struct reader reader = READER("\x34\xcb\x40\x4a\x40\0\0\0\0\0\xca\x42\x52\0\0\xd0\xdf");
    assert_true(reader_float(&reader, -90, 90) == 52.0);
    assert_true(reader_float(&reader, -90, 90) == 52.5);
    assert_true(reader_float(&reader, -90, 90) == 52.5);
    assert_true(reader_float(&reader, -90, 90) == -33.0);
    assert_true(reader_is_ok(&reader));
    reader = READER("\xcb\x7f\xf8\0\0\0\0\0\0");
    assert_true(reader_float(&reader, -90, 90) == 0);
    assert_string_equal(reader_error(&reader), "must be a finite number");
    reader = READER("\xcb\x7f\xf0\0\0\0\0\0\0");
    assert_true(reader_float(&reader, -90, INFINITY) == 0);
    assert_string_equal(reader_error(&reader), "must be a finite number");
    reader = READER("\x5b");
    assert_true(reader_float(&reader, -90, 90) == 0);
    assert_string_equal(reader_error(&reader), "must be from -90 to 90, is 91");
}

/* The id of a line may be an integer: its decimal text, also of the largest and of a float. */
static void line_ids_may_be_ints(void **state)
{
    (void)state;
    char scratch[READER_INT_TEXT_SIZE];
    struct reader reader =
        READER("\x07\xcf\xff\xff\xff\xff\xff\xff\xff\xff\xcb\x40\x14\0\0\0\0\0\0\xa1"
               "a");
    struct text text = reader_text_or_int(&reader, scratch, 1, 63);
    assert_true(text.len == 1 && memcmp(text.at, "7", 1) == 0);
    text = reader_text_or_int(&reader, scratch, 1, 63);
    assert_true(text.len == 20 && memcmp(text.at, "18446744073709551615", 20) == 0);
    text = reader_text_or_int(&reader, scratch, 1, 63);
    assert_true(text.len == 1 && memcmp(text.at, "5", 1) == 0);
    text = reader_text_or_int(&reader, scratch, 1, 63);
    assert_true(text.len == 1 && memcmp(text.at, "a", 1) == 0);
    assert_true(reader_is_ok(&reader));
}

/* raw takes one value whole, whatever is in it, and stops before the next. */
static void raw_takes_one_value(void **state)
{
    (void)state;
    struct reader reader = READER("\x82\xa1"
                                  "a\x92\x01\xd5\x01xy\xa1"
                                  "b\xc7\x02\x01zz\x07");
    struct text raw = reader_raw(&reader);
    assert_int_equal(raw.len, 16);
    assert_int_equal(reader_peek(&reader), READER_KIND_INT);
    assert_int_equal(reader_int(&reader, 7, 7), 7);
    assert_int_equal(reader_peek(&reader), READER_KIND_NONE);
    reader = READER("\x92\x01");
    reader_raw(&reader);
    assert_string_equal(reader_error(&reader), "cut short");
}

/* Any cut of valid params is an error, and no byte behind the cut is read. */
static void every_cut_is_an_error(void **state)
{
    (void)state;
    static const char bytes[] =
        "\x91\x85\xa8order_id\xd9\x02o1\xa5lines\xdc\x00\x01\x83\xa4item\xc4\x01"
        "A\xa3qty\xcd\x01\x00\xa4"
        "line\x07\xa4"
        "dest\xde\x00\x01\xa3mon\xcb\x40\x14\0\0\0\0\0\0\xa7service\xa6pickup\xa5"
        "flags\x92\xc3\xc0";
    assert_string_equal(ERROR(bytes), "");
    for (uint32_t size = 0; size < sizeof bytes - 1; size++) {
        assert_string_not_equal(error_of(bytes, size), "");
    }
}

/* Declared counts of 2^32-1 cost nothing and end at the end of the bytes. */
static void lying_counts_end_at_the_end(void **state)
{
    (void)state;
    assert_string_equal(ERROR("\x91\xdf\xff\xff\xff\xff"),
                        "a key of a map must be text, is cut short");
    assert_string_equal(ERROR("\x91\x81\xa5lines\xdd\xff\xff\xff\xff"),
                        "lines: at most 4, has 4294967295");
    assert_string_equal(ERROR("\x91\x81\xa8order_id\xdb\xff\xff\xff\xff"),
                        "order_id: must be text, is cut short");
    struct reader reader = READER("\xdf\xff\xff\xff\xff\x01");
    reader_raw(&reader);
    assert_string_equal(reader_error(&reader), "cut short");
}

/* UTF-8 by the letter of RFC 3629. */
static void utf8_is_checked(void **state)
{
    (void)state;
    static const char *const good[] = {"",
                                       "a",
                                       "K\xc3\xb6ln",
                                       "\xe2\x82\xac",
                                       "\xf0\x9f\x9b\x92",
                                       "12345678\xc3\xbc",
                                       "\xed\x9f\xbf",
                                       "\xf4\x8f\xbf\xbf"};
    static const char *const bad[] = {"\x80",
                                      "\xc3",
                                      "\xc0\x80",
                                      "\xe0\x80\x80",
                                      "\xed\xa0\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "12345678\xff",
                                      "\xe2\x82"};
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_true(utf8_is_valid(good[i], (uint32_t)strlen(good[i])));
    }
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(utf8_is_valid(bad[i], (uint32_t)strlen(bad[i])));
    }
    assert_int_equal(utf8_cut("a\xe2\x82\xac", 3), 1);
    assert_int_equal(utf8_cut("a\xe2\x82\xac", 4), 4);
    assert_int_equal(utf8_cut("\xe2\x82\xac", 2), 0);
}

/* An error that does not fit is cut between characters. */
static void long_errors_are_cut(void **state)
{
    (void)state;
    char text[801];
    struct reader reader = READER("\x01");
    for (size_t i = 0; i < 800; i += 2) {
        memcpy(text + i, "\xc3\xbc", 2);
    }
    text[800] = 0;
    reader_fail(&reader, "%s", text);
    const char *error = reader_error(&reader);
    assert_true(strlen(error) >= READER_ERROR_SIZE - 3 && strlen(error) < READER_ERROR_SIZE);
    assert_true(utf8_is_valid(error, (uint32_t)strlen(error)));
}

/* The words of each family are found, near ones offered, and no two are equal. */
static void names_are_found(void **state)
{
    (void)state;
    const struct names *families[] = {
        &names_methods,  &names_codes,          &names_reasons,    &names_rejects,
        &names_services, &names_capabilities,   &names_node_types, &names_node_statuses,
        &names_ways,     &names_order_statuses, &names_states};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        for (uint32_t j = 0; j < families[i]->count; j++) {
            const char *text = families[i]->texts[j];
            assert_int_equal(names_find(families[i], text, (uint32_t)strlen(text)), j);
        }
    }
    assert_int_equal(names_find(&names_states, "pickedd", 7), -1);
    assert_string_equal(names_nearest(&names_methods, "order.rout", 10), "order.route");
    assert_null(names_nearest(&names_methods, "x", 1));
    assert_int_equal(code_kind(CODE_OVERLOADED), 0);
    assert_int_equal(code_kind(CODE_UNKNOWN_ITEM), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields_in_any_order),
        cmocka_unit_test(params_are_one_map_or_none),
        cmocka_unit_test(names_unknown_and_duplicate_fields),
        cmocka_unit_test(key_with_nul_is_unknown),
        cmocka_unit_test(long_and_binary_keys_are_shown_safely),
        cmocka_unit_test(errors_carry_the_path),
        cmocka_unit_test(first_error_stays),
        cmocka_unit_test(ints_of_every_width),
        cmocka_unit_test(int_errors_say_what_came),
        cmocka_unit_test(floats_take_ints_and_limits),
        cmocka_unit_test(line_ids_may_be_ints),
        cmocka_unit_test(raw_takes_one_value),
        cmocka_unit_test(every_cut_is_an_error),
        cmocka_unit_test(lying_counts_end_at_the_end),
        cmocka_unit_test(utf8_is_checked),
        cmocka_unit_test(long_errors_are_cut),
        cmocka_unit_test(names_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
