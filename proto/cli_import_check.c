/* The first pass of an import: every row is read and checked, and it is remembered where rows of
 * one group stand, in the order in which they will be sent.
 *
 * Where the rows of a group stand together, as those of a node do in most files, memory is a run
 * for each group and the identities of one: a file of any size passes. When a group comes back the
 * file is read again from its first row on, and the identity of each row is kept (some 48 bytes a
 * row). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
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

/* A file on a disk is not copied into memory. False: it is none, or has nothing. */
static bool map_file(struct import *import, FILE *from)
{
    struct stat facts;
    if (fstat(fileno(from), &facts) != 0 || !S_ISREG(facts.st_mode) || facts.st_size == 0) {
        return false;
    }
    void *bytes = mmap(NULL, (size_t)facts.st_size, PROT_READ, MAP_PRIVATE, fileno(from), 0);
    if (bytes == MAP_FAILED) {
        return false;
    }
    import->bytes = bytes;
    import->size = (size_t)facts.st_size;
    import->is_mapped = true;
    return true;
}

static bool load_file(struct import *import)
{
    bool is_stdin = strcmp(import->file, "-") == 0;
    FILE *from = is_stdin ? stdin : fopen(import->file, "rb");
    bool is_read = from && ((!is_stdin && map_file(import, from)) || read_all(import, from));
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

/* Whether the row last read goes on with the last run. */
static bool is_same_run(const struct import *import, uint64_t group)
{
    return import->runs_count > 0 && import->runs[import->runs_count - 1].group == group;
}

static void run_begin(struct import *import, uint64_t group)
{
    if (import->runs_count == import->runs_max) {
        import->runs_max = import->runs_max * 2 + 1024;
        struct import_run *runs = realloc(import->runs, import->runs_max * sizeof(runs[0]));
        CHECK(runs);
        import->runs = runs;
    }
    import->runs[import->runs_count++] = (struct import_run){csv_mark_row(&import->csv), group, 0};
}

static bool has_run(const struct import *import, uint64_t group)
{
    for (uint32_t i = 0; i < import->runs_count; i++) {
        if (import->runs[i].group == group) {
            return true;
        }
    }
    return false;
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
            if (errors + wrong <= ERRORS_SHOWN && cell.line > import->said_line) {
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
        if (errors + wrong <= ERRORS_SHOWN && seen->at[i].line > import->said_line) {
            int second = import->kind->identity[1];
            cli_complain(
                "%s:%u:1: the same %s%s%s as in line %u", import->file, seen->at[i].line,
                import->kind->fields[import->kind->identity[0]].name, second >= 0 ? " and " : "",
                second >= 0 ? import->kind->fields[second].name : "", seen->at[i - 1].line);
        }
    }
    return wrong;
}

/* Identities of rows in groups that do not come back are only needed within their group. */
static uint32_t forget_seen(const struct import *import, struct seen_list *seen, uint32_t errors)
{
    uint32_t wrong = check_twice(import, seen, errors);
    seen->count = 0;
    return wrong;
}

static void row_note(struct import *import, struct seen_list *seen, uint64_t group)
{
    if (!is_same_run(import, group)) {
        run_begin(import, group);
    }
    import->runs[import->runs_count - 1].count++;
    import->rows_count++;
    seen_add(seen, import);
}

/* Every row. False, where scattered is not allowed: a group came back. */
static bool check_rows(struct import *import, struct seen_list *seen, bool is_scattered,
                       uint32_t *errors)
{
    const int fields[2] = {import->kind->group, -1};
    while (import->rows_count < import->limit && csv_next(&import->csv)) {
        const uint64_t group = hash_cells(import, fields);
        if (!is_scattered && !is_same_run(import, group)) {
            if (has_run(import, group)) {
                return false;
            }
            *errors += forget_seen(import, seen, *errors);
        }
        row_note(import, seen, group);
        *errors += check_row(import, *errors);
    }
    return true;
}

/* As if groups stood together; where they do not, all anew, saying nothing twice. */
static uint32_t check_all(struct import *import)
{
    struct seen_list seen = {0};
    const struct csv_mark first = {import->csv.at, import->csv.line};
    uint32_t errors = 0;
    if (!check_rows(import, &seen, false, &errors)) {
        forget_seen(import, &seen, errors);
        import->said_line = import->csv.row_line - 1;
        import->runs_count = import->rows_count = 0;
        errors = 0;
        csv_go(&import->csv, first);
        CHECK(check_rows(import, &seen, true, &errors));
    }
    const struct csv *csv = &import->csv;
    if (csv->is_bad) {
        cli_complain("%s:%u:%u: %s", import->file, csv->error_line, csv->error_column, csv->error);
        errors++;
    }
    errors += check_twice(import, &seen, errors);
    free(seen.at);
    return errors;
}

static int by_group_and_place(const void *a, const void *b)
{
    const struct import_run *x = a, *y = b;
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
    if (!load_file(import)) {
        return false;
    }
    csv_init(&import->csv, import->bytes, import->size, import->separator);
    if (!read_header(import)) {
        return false;
    }
    const uint32_t errors = check_all(import);
    if (import->kind->group >= 0 && import->runs_count > 0) {
        qsort(import->runs, import->runs_count, sizeof(import->runs[0]), by_group_and_place);
    }
    return say_verdict(import, errors);
}

void import_check_close(struct import *import)
{
    free(import->runs);
    if (import->is_mapped) {
        munmap(import->bytes, import->size);
    } else {
        free(import->bytes);
    }
}
