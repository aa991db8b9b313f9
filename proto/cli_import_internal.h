/* What the files of `nearshelf import` share: the kinds of file, their fields, one import. */
#ifndef CLI_IMPORT_INTERNAL_H
#define CLI_IMPORT_INTERNAL_H

#include "cli_csv.h"
#include "cli_internal.h"
#include "names.h"

enum { IMPORT_FIELDS_MAX = 20, IMPORT_NAME_MAX = 64, IMPORT_WHY_MAX = 256 };

enum field_type {
    FIELD_ID,    /* 1 to 63 bytes */
    FIELD_TEXT,  /* 1 to 255 bytes */
    FIELD_WORD,  /* one of names */
    FIELD_WORDS, /* a list with ';', of names where there are some */
    FIELD_INT,
    FIELD_FLOAT
};

struct import_field {
    const char *name; /* of the column; behind a dot: inside a map of that name */
    enum field_type type;
    bool is_required;
    double min, max;           /* of numbers */
    const struct names *names; /* of words; NULL: any */
};

struct import_kind {
    const char *name;   /* as typed: "nodes" */
    const char *method;
    const struct import_field *fields;
    uint32_t fields_count;
    int group;      /* the field whose equal values share a call with rows; -1: a call each */
    int identity[2]; /* the fields that may occur only once together; -1: none */
    bool has_key;   /* the call takes a `key` */
};

/* A cell of the row at hand; at is NULL where there is none. Not NUL-terminated. */
struct import_cell {
    const char *at;
    uint32_t size;
    uint32_t line, column;
};

/* Where the value of a field comes from. */
struct import_source {
    int column;           /* of the file, or -1 */
    const char *constant; /* of --set, or NULL */
};

/* Rows of one group that stand together. */
struct import_run {
    struct csv_mark mark; /* the first one */
    uint64_t group;       /* hash */
    uint32_t count;
};

struct import {
    struct cli *cli;
    const struct import_kind *kind;
    const char *file;
    const char *maps, *sets, *ignores; /* as typed; NULL: none */
    char separator;
    bool is_dry_run;
    uint32_t limit; /* rows */
    char *bytes;
    size_t size;
    bool is_mapped; /* bytes: the file itself, which the system reads as it goes */
    struct csv csv;
    struct import_source sources[IMPORT_FIELDS_MAX];
    struct import_run *runs; /* in the order of sending */
    uint32_t runs_count, runs_max;
    uint32_t rows_count;
    uint32_t said_line; /* what is wrong up to it was said */
};

/* NULL: no such kind. */
const struct import_kind *import_kind_find(const char *name);

/* ---- cli_import_columns.c ---- */

/* Match the header with the fields. False: said what is wrong. */
bool import_columns(struct import *import);

/* The cell of a field in the row last read. An empty one counts as none. */
struct import_cell import_cell_of(const struct import *import, uint32_t field);

/* NULL, or what is wrong with the cell (in why). */
const char *import_cell_check(const struct import_field *field, const struct import_cell *cell,
                              char why[IMPORT_WHY_MAX]);

/* Add a checked cell to params; key as in nearshelf_params_text. */
void import_cell_put(struct nearshelf_params *params, const char *key,
                     const struct import_field *field, const struct import_cell *cell);

/* ---- cli_import_check.c ---- */

/* Read the whole file and check every row. False: said what is wrong, all of it up to a bound. */
bool import_check(struct import *import);
void import_check_close(struct import *import);

/* ---- cli_import_send.c ---- */

/* Send all rows. */
enum cli_exit import_send(struct import *import);

#endif
