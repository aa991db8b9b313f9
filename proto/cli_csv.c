/* The CSV reader. One pass, byte by byte; texts without a doubled quote are given as they
 * stand in the input, the others are put together in scratch. */
#include "cli_csv.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "utf8.h"

/* The most that the quoted texts of one row can take, the byte past the limit included. */
#define SCRATCH_SIZE (CSV_FIELDS_MAX * (CSV_FIELD_SIZE_MAX + 2))

void csv_init(struct csv *csv, const char *bytes, size_t size, char separator)
{
    *csv = (struct csv){.at = bytes, .end = bytes + size, .separator = separator, .line = 1};
    if (size >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0) {
        csv->at += 3;
    }
    csv->line_start = csv->at;
}

void csv_close(struct csv *csv)
{
    free(csv->scratch);
    csv->scratch = NULL;
}

/* Characters from the line's start to at, the first being 1. */
static uint32_t column_of(const struct csv *csv, const char *at)
{
    uint32_t column = 1;
    for (const char *c = csv->line_start; c < at; c++) {
        column += ((unsigned char)*c & 0xc0) != 0x80;
    }
    return column;
}

__attribute__((format(printf, 4, 5))) static bool fail(struct csv *csv, uint32_t line,
                                                       uint32_t column, const char *format, ...)
{
    va_list list;
    va_start(list, format);
    vsnprintf(csv->error, sizeof(csv->error), format, list);
    va_end(list);
    csv->is_bad = true;
    csv->error_line = line;
    csv->error_column = column;
    return false;
}

static bool fail_here(struct csv *csv, const char *text)
{
    return fail(csv, csv->line, column_of(csv, csv->at), "%s", text);
}

/* Bytes of the line end at at, 0 if there is none. */
static uint32_t line_end_size(const struct csv *csv)
{
    if (csv->at < csv->end && *csv->at == '\n') {
        return 1;
    }
    return csv->end - csv->at >= 2 && csv->at[0] == '\r' && csv->at[1] == '\n' ? 2 : 0;
}

static void pass_line_end(struct csv *csv, uint32_t size)
{
    csv->at += size;
    csv->line++;
    csv->line_start = csv->at;
}

static void scratch_reserve(struct csv *csv)
{
    if (!csv->scratch) {
        csv->scratch = malloc(SCRATCH_SIZE);
        CHECK(csv->scratch);
    }
    csv->scratch_size = 0;
}

static bool read_plain(struct csv *csv, struct csv_field *field)
{
    const char *from = csv->at;
    while (csv->at < csv->end && *csv->at != csv->separator && line_end_size(csv) == 0) {
        if (*csv->at == '"') {
            return fail_here(csv, "a quote inside an unquoted field: put the whole field in quotes "
                                  "and double the quotes in it");
        }
        if (*csv->at == '\r') {
            return fail_here(csv, "a carriage return without a line feed");
        }
        csv->at++;
    }
    field->at = from;
    field->size = (uint32_t)(csv->at - from);
    return true;
}

/* at stands on the opening quote. */
static bool read_quoted(struct csv *csv, struct csv_field *field)
{
    char *to = csv->scratch + csv->scratch_size;
    field->at = to;
    csv->at++;
    while (csv->at < csv->end &&
           (*csv->at != '"' || (csv->at + 1 < csv->end && csv->at[1] == '"'))) {
        if (to - field->at > CSV_FIELD_SIZE_MAX) {
            return fail(csv, field->line, field->column,
                        "a quoted field of more than %d bytes: is its closing quote missing?",
                        CSV_FIELD_SIZE_MAX);
        }
        csv->at += *csv->at == '"';
        *to++ = *csv->at;
        if (*csv->at == '\n') {
            pass_line_end(csv, 1);
        } else {
            csv->at++;
        }
    }
    if (csv->at == csv->end) {
        return fail(csv, field->line, field->column, "the quote opened here is never closed");
    }
    csv->at++;
    field->size = (uint32_t)(to - field->at);
    csv->scratch_size += field->size;
    return true;
}

static bool field_is_good(struct csv *csv, const struct csv_field *field)
{
    if (field->size > CSV_FIELD_SIZE_MAX) {
        return fail(csv, field->line, field->column, "a field of more than %d bytes",
                    CSV_FIELD_SIZE_MAX);
    }
    if (memchr(field->at, '\0', field->size)) {
        return fail(csv, field->line, field->column, "a zero byte: is this a text file?");
    }
    if (!utf8_is_valid(field->at, field->size)) {
        return fail(csv, field->line, field->column, "not UTF-8: save the file as UTF-8");
    }
    return true;
}

static bool read_field(struct csv *csv)
{
    if (csv->fields_count == CSV_FIELDS_MAX) {
        return fail(csv, csv->line, column_of(csv, csv->at), "more than %d fields", CSV_FIELDS_MAX);
    }
    struct csv_field *field = &csv->fields[csv->fields_count++];
    *field = (struct csv_field){.line = csv->line, .column = column_of(csv, csv->at)};
    bool is_quoted = csv->at < csv->end && *csv->at == '"';
    bool is_read = is_quoted ? read_quoted(csv, field) : read_plain(csv, field);
    if (!is_read || !field_is_good(csv, field)) {
        return false;
    }
    bool has_ended = csv->at == csv->end || *csv->at == csv->separator || line_end_size(csv) > 0;
    return has_ended ||
           fail_here(csv, "text behind a closing quote: a quote inside a field is doubled");
}

static void skip_blank_lines(struct csv *csv)
{
    for (uint32_t size; (size = line_end_size(csv)) > 0;) {
        pass_line_end(csv, size);
    }
}

static bool count_is_right(struct csv *csv, uint32_t line)
{
    if (csv->columns == 0) {
        csv->columns = csv->fields_count;
    }
    if (csv->fields_count == csv->columns) {
        return true;
    }
    uint32_t last = csv->fields_count < csv->columns ? csv->fields_count - 1 : csv->columns;
    return fail(csv, line, csv->fields[last].column, "%u field%s where the header has %u",
                csv->fields_count, csv->fields_count == 1 ? "" : "s", csv->columns);
}

bool csv_next(struct csv *csv)
{
    if (csv->is_bad) {
        return false;
    }
    skip_blank_lines(csv);
    if (csv->at == csv->end) {
        return false;
    }
    const uint32_t line = csv->line;
    csv->row_at = csv->at;
    csv->row_line = line;
    csv->fields_count = 0;
    scratch_reserve(csv);
    while (read_field(csv)) {
        uint32_t size = line_end_size(csv);
        if (csv->at == csv->end || size > 0) {
            pass_line_end(csv, size);
            return count_is_right(csv, line);
        }
        csv->at++;
    }
    return false;
}

struct csv_mark csv_mark_row(const struct csv *csv)
{
    return (struct csv_mark){.at = csv->row_at, .line = csv->row_line};
}

void csv_go(struct csv *csv, struct csv_mark mark)
{
    csv->at = mark.at;
    csv->line = mark.line;
    csv->line_start = mark.at;
}
