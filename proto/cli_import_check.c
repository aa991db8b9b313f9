/* The first pass of an import: every row is read and checked, and it is remembered where it
 * stands, in the order in which it will be sent. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "check.h"
#include "cli_import_internal.h"
#include "hash.h"

enum { ERRORS_SHOWN = 20, READ_SIZE = 1 << 20 };

/* An identity that was seen. */
struct seen {
    uint64_t hash;
    uint32_t line;
};

struct seen_list {
    struct seen *at;
    uint32_t count;
    uint32_t max;
};

static bool read_all(struct import *import, FILE *from)
{
    size_t max = 0, got;
    do {
        if (max - import->size < READ_SIZE) {
            max = max * 2 + READ_SIZE;
            char *bytes = realloc(import->bytes, max);
            if (!bytes) {
                errno = ENOMEM;
                return false;
            }
            import->bytes = bytes;
        }
        got = fread(import->bytes + import->size, 1, READ_SIZE, from);
        import->size += got;
    } while (got > 0);
    return !ferror(from);
}

static bool load_file(struct import *import)
{
    bool is_stdin = strcmp(import->file, "-") == 0;
    FILE *from = is_stdin ? stdin : fopen(import->file, "rb");
    bool is_read = from && read_all(import, from);
    if (!is_read) {
        cli_complain("%s: %s", import->file, strerror(errno));
    }
    if (from && !is_stdin) {
        fclose(from);
    }
    return is_read;
}

static uint64_t hash_cells(const struct import *import, const int fields[2])
{
    uint64_t hash = 0;
    for (int i = 0; i < 2 && fields[i] >= 0; i++) {
        struct import_cell cell = import_cell_of(import, (uint32_t)fields[i]);
        uint64_t own = hash_fixed(cell.at ? cell.at : "", cell.size);
        hash = (hash ^ own) * 0x9e3779b97f4a7c15u; /* odd: keeps every bit of own */
    }
    return hash;
}

static void rows_add(struct import *import)
{
    const int group[2] = {import->kind->group, -1};
    if (import->rows_count == import->rows_max) {
        import->rows_max = import->rows_max * 2 + 1024;
        struct import_row *rows = realloc(import->rows, import->rows_max * sizeof(rows[0]));
        CHECK(rows);
        import->rows = rows;
    }
    import->rows[import->rows_count++] =
        (struct import_row){csv_mark_row(&import->csv), hash_cells(import, group)};
}

static void seen_add(struct seen_list *seen, const struct import *import)
{
    if (seen->count == seen->max) {
        seen->max = seen->max * 2 + 1024;
        struct seen *at = realloc(seen->at, seen->max * sizeof(at[0]));
        CHECK(at);
        seen->at = at;
    }
    seen->at[seen->count++] =
        (struct seen){hash_cells(import, import->kind->identity), import->csv.row_line};
}

/* Wrong cells of the row last read, said up to the bound. */
static uint32_t check_row(const struct import *import, uint32_t errors)
{
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < import->kind->fields_count; i++) {
        const struct import_field *field = &import->kind->fields[i];
        struct import_cell cell = import_cell_of(import, i);
        char why[IMPORT_WHY_MAX];
        if (import_cell_check(field, &cell, why)) {
            wrong++;
            if (errors + wrong <= ERRORS_SHOWN) {
                cli_complain("%s:%u:%u: %s: %s", import->file, cell.line, cell.column, field->name,
                             why);
            }
        }
    }
    return wrong;
}

static int by_hash_and_line(const void *a, const void *b)
{
    const struct seen *x = a, *y = b;
    if (x->hash != y->hash) {
        return x->hash < y->hash ? -1 : 1;
    }
    return x->line < y->line ? -1 : x->line > y->line;
}

/* Which of two rows would win is nobody's guess to make. */
static uint32_t check_twice(const struct import *import, struct seen_list *seen, uint32_t errors)
{
    uint32_t wrong = 0;
    if (seen->count > 0) {
        qsort(seen->at, seen->count, sizeof(seen->at[0]), by_hash_and_line);
    }
    for (uint32_t i = 1; i < seen->count; i++) {
        if (seen->at[i].hash != seen->at[i - 1].hash) {
            continue;
        }
        wrong++;
        if (errors + wrong <= ERRORS_SHOWN) {
            int second = import->kind->identity[1];
            cli_complain(
                "%s:%u:1: the same %s%s%s as in line %u", import->file, seen->at[i].line,
                import->kind->fields[import->kind->identity[0]].name, second >= 0 ? " and " : "",
                second >= 0 ? import->kind->fields[second].name : "", seen->at[i - 1].line);
        }
    }
    return wrong;
}

static uint32_t check_rows(struct import *import, struct seen_list *seen)
{
    uint32_t errors = 0;
    while (import->rows_count < import->limit && csv_next(&import->csv)) {
        errors += check_row(import, errors);
        rows_add(import);
        seen_add(seen, import);
    }
    const struct csv *csv = &import->csv;
    if (csv->is_bad) {
        cli_complain("%s:%u:%u: %s", import->file, csv->error_line, csv->error_column, csv->error);
        errors++;
    }
    return errors;
}

static int by_group_and_place(const void *a, const void *b)
{
    const struct import_row *x = a, *y = b;
    if (x->group != y->group) {
        return x->group < y->group ? -1 : 1;
    }
    return x->mark.at < y->mark.at ? -1 : x->mark.at > y->mark.at;
}

static bool say_verdict(const struct import *import, uint32_t errors)
{
    if (errors > ERRORS_SHOWN) {
        cli_complain("... and %u errors more", errors - ERRORS_SHOWN);
    }
    if (errors > 0) {
        cli_complain("%s: %u error%s in %u row%s; nothing was sent", import->file, errors,
                     errors == 1 ? "" : "s", import->rows_count,
                     import->rows_count == 1 ? "" : "s");
    }
    return errors == 0;
}

static bool read_header(struct import *import)
{
    if (csv_next(&import->csv)) {
        return import_columns(import);
    }
    const struct csv *csv = &import->csv;
    if (csv->is_bad) {
        cli_complain("%s:%u:%u: %s", import->file, csv->error_line, csv->error_column, csv->error);
    } else {
        cli_complain("%s: empty; the first row names the fields", import->file);
    }
    return false;
}

bool import_check(struct import *import)
{
    struct seen_list seen = {0};
    if (!load_file(import)) {
        return false;
    }
    csv_init(&import->csv, import->bytes, import->size, import->separator);
    if (!read_header(import)) {
        return false;
    }
    uint32_t errors = check_rows(import, &seen);
    errors += check_twice(import, &seen, errors);
    free(seen.at);
    if (import->kind->group >= 0 && import->rows_count > 0) {
        qsort(import->rows, import->rows_count, sizeof(import->rows[0]), by_group_and_place);
    }
    return say_verdict(import, errors);
}
