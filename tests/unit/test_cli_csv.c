/* The CSV reader: what it takes, and the place of what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cli_csv.h"

/* All rows as one text: fields end in '|', rows in '/'. Read from an exact-size heap block. */
struct parsed {
    char text[4096];
    bool is_bad;
    uint32_t line, column;
    char error[256];
};

static struct parsed parse_n(const char *input, size_t size, char separator)
{
    struct csv csv;
    struct parsed parsed = {.text = ""};
    size_t used = 0;
    char *bytes = malloc(size + (size == 0));
    assert_non_null(bytes);
    memcpy(bytes, input, size);
    csv_init(&csv, bytes, size, separator);
    while (csv_next(&csv)) {
        for (uint32_t i = 0; i < csv.fields_count; i++) {
            used += (size_t)snprintf(parsed.text + used, sizeof(parsed.text) - used, "%.*s|",
                                     (int)csv.fields[i].size, csv.fields[i].at);
            used = used < sizeof(parsed.text) ? used : sizeof(parsed.text) - 1;
        }
        used += (size_t)snprintf(parsed.text + used, sizeof(parsed.text) - used, "/");
    }
    parsed.is_bad = csv.is_bad;
    parsed.line = csv.error_line;
    parsed.column = csv.error_column;
    memcpy(parsed.error, csv.error, sizeof(parsed.error));
    csv_close(&csv);
    free(bytes);
    return parsed;
}

static struct parsed parse(const char *input)
{
    return parse_n(input, strlen(input), ',');
}

/* Well-formed inputs give their fields. */
static void good_input_is_taken(void **state)
{
    static const char *const rows[][2] = {
        {"", ""},
        {"a", "a|/"},
        {"a\n", "a|/"},
        {"a,b\nc,d", "a|b|/c|d|/"},
        {"a,b\r\nc,d\r\n", "a|b|/c|d|/"},
        {"\xef\xbb\xbf"
         "a,b\n1,2\n",
         "a|b|/1|2|/"},
        {"a,b\n,\n", "a|b|/||/"},
        {"a,b\n\n\r\n1,2\n\n", "a|b|/1|2|/"},
        {"\"a\",\"b,c\"\n", "a|b,c|/"},
        {"\"a\"\"b\",\"\"\"\"\n", "a\"b|\"|/"},
        {"\"\",x\n", "|x|/"},
        {"\"a\nb\",\"c\r\nd\"\n1,2\n", "a\nb|c\r\nd|/1|2|/"},
        {"a, b ,c\n", "a| b |c|/"},
        {"\"end\"", "end|/"},
        {"a,\n", "a||/"},
        {"\xc3\xa4,\xe2\x82\xac\n", "\xc3\xa4|\xe2\x82\xac|/"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed = parse(rows[i][0]);
        assert_false(parsed.is_bad);
        assert_string_equal(parsed.text, rows[i][1]);
    }
}

/* Malformed inputs are errors at the line and column where the mistake stands. */
static void bad_input_is_placed(void **state)
{
    static const struct {
        const char *input;
        uint32_t line, column;
        const char *word;
    } rows[] = {
        {"a,b\n1,x\"y\n", 2, 4, "unquoted"},
        {"a,b\n1,\"x\"y\n", 2, 6, "behind a closing quote"},
        {"a,b\n1,\"x\n2,3\n", 2, 3, "never closed"},
        {"a,b\n\"x\ny\",\"z\n", 3, 4, "never closed"},
        {"a,b\n1\n", 2, 1, "1 field where the header has 2"},
        {"a,b\n1,2,3\n", 2, 5, "3 fields where the header has 2"},
        {"a,b\n1,2\rx\n", 2, 4, "carriage return"},
        {"a,b\n\xc3\xa4\xc3\xa4,\xff\n", 2, 4, "UTF-8"},
        {"\xc3\xa4,\xe2\x82\xac,c\"\n", 1, 6, "unquoted"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct parsed parsed = parse(rows[i].input);
        assert_true(parsed.is_bad);
        assert_int_equal(parsed.line, rows[i].line);
        assert_int_equal(parsed.column, rows[i].column);
        assert_non_null(strstr(parsed.error, rows[i].word));
    }
}

/* A zero byte is no text, inside quotes and outside. */
static void zero_bytes_are_refused(void **state)
{
    (void)state;
    assert_true(parse_n("a\0b", 3, ',').is_bad);
    assert_true(parse_n("\"a\0b\"", 5, ',').is_bad);
}

/* Another separator is only that. */
static void separators(void **state)
{
    (void)state;
    assert_string_equal(parse_n("a;b,c\n1;2\n", 10, ';').text, "a|b,c|/1|2|/");
    assert_string_equal(parse_n("a\tb\n", 4, '\t').text, "a|b|/");
}

/* Every truncation of a good input is read without a step out of bounds. */
static void truncations_stay_in_bounds(void **state)
{
    static const char input[] = "\xef\xbb\xbf\"a\"\"\",b\r\n\"x\r\ny\",\"\"\r\n1,\"2\"\n";
    (void)state;
    for (size_t size = 0; size < sizeof(input); size++) {
        parse_n(input, size, ',');
    }
}

static void fill(char *text, size_t size)
{
    memset(text, 'x', size);
    text[size] = '\0';
}

/* Fields and their number are bounded, quoted and plain, exactly. */
static void limits_are_exact(void **state)
{
    (void)state;
    char text[CSV_FIELD_SIZE_MAX + 8];
    for (int more = 0; more <= 1; more++) {
        fill(text, (size_t)(CSV_FIELD_SIZE_MAX + more));
        assert_int_equal(parse_n(text, strlen(text), ',').is_bad, more);
        text[0] = '"';
        fill(text + 1, (size_t)(CSV_FIELD_SIZE_MAX + more));
        text[CSV_FIELD_SIZE_MAX + more + 1] = '"';
        assert_int_equal(parse_n(text, (size_t)(CSV_FIELD_SIZE_MAX + more + 2), ',').is_bad, more);
        memset(text, ',', CSV_FIELDS_MAX);
        assert_int_equal(parse_n(text, (size_t)(CSV_FIELDS_MAX - 1 + more), ',').is_bad, more);
    }
}

/* A marked row reads again as it was, with the same places. */
static void marked_rows_read_again(void **state)
{
    static const char input[] = "a,b\n1,\"2\n\"\"\"\n3,4\n";
    (void)state;
    struct csv csv;
    csv_init(&csv, input, strlen(input), ',');
    assert_true(csv_next(&csv));
    assert_true(csv_next(&csv));
    struct csv_mark second = csv_mark_row(&csv);
    assert_true(csv_next(&csv));
    assert_int_equal(csv.fields[0].line, 4);
    struct csv_mark third = csv_mark_row(&csv);
    assert_false(csv_next(&csv));
    csv_go(&csv, second);
    assert_true(csv_next(&csv));
    assert_int_equal(csv.fields[1].size, 3);
    assert_memory_equal(csv.fields[1].at, "2\n\"", 3);
    assert_int_equal(csv.fields[1].line, 2);
    assert_int_equal(csv.fields[1].column, 3);
    csv_go(&csv, third);
    assert_true(csv_next(&csv));
    assert_int_equal(csv.fields[1].line, 4);
    assert_memory_equal(csv.fields[1].at, "4", 1);
    csv_close(&csv);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_input_is_taken),
        cmocka_unit_test(bad_input_is_placed),
        cmocka_unit_test(zero_bytes_are_refused),
        cmocka_unit_test(separators),
        cmocka_unit_test(truncations_stay_in_bounds),
        cmocka_unit_test(limits_are_exact),
        cmocka_unit_test(marked_rows_read_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
