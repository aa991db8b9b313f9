/* A reader of CSV (RFC 4180) over bytes in memory that knows where everything stands.
 *
 * Quoting with doubled quotes, line ends of LF or CRLF (also inside quotes), a byte order mark
 * and blank lines are taken; what is malformed is an error with line and column. The first row
 * is the header: every later one has as many fields. */
#ifndef CLI_CSV_H
#define CLI_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CSV_FIELDS_MAX = 64, CSV_FIELD_SIZE_MAX = 4096 };

/* A field of the row last read; its text is valid until the next row. */
struct csv_field {
    const char *at; /* without the quotes; not NUL-terminated */
    uint32_t size;
    uint32_t line;   /* where it begins, from 1 */
    uint32_t column; /* in characters, from 1 */
};

/* The caller's; borrows the bytes. */
struct csv {
    const char *at, *end;    /* not yet read */
    const char *line_start;
    uint32_t line;           /* of at */
    char separator;
    uint32_t fields_count;   /* of the row last read */
    struct csv_field fields[CSV_FIELDS_MAX];
    uint32_t columns;        /* of the header; 0 before it was read */
    const char *row_at;      /* where the row last read begins */
    uint32_t row_line;
    char *scratch;           /* unquoted texts of this row, owned */
    uint32_t scratch_size;
    bool is_bad;
    uint32_t error_line, error_column;
    char error[256];
};

/* Where a row stands, to read it again. */
struct csv_mark {
    const char *at;
    uint32_t line;
};

void csv_init(struct csv *csv, const char *bytes, size_t size, char separator);
void csv_close(struct csv *csv);

/* Read the next row. False: the end, or an error (is_bad, with text and place). After an error
 * the reader stands still. */
bool csv_next(struct csv *csv);

/* Mark the row last read, and go there, so that csv_next reads it again. */
struct csv_mark csv_mark_row(const struct csv *csv);
void csv_go(struct csv *csv, struct csv_mark mark);

#endif
