/* The kinds of file: their fields, which column gives them, and what a cell must be. */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cli_import_internal.h"

#define COUNT_OF(array) ((uint32_t)(sizeof(array) / sizeof((array)[0])))
#define QTY_MAX         2147483647.0
#define KM_MAX          20038.0

static const struct import_field node_fields[] = {
    {"node", FIELD_ID, true, 0, 0, NULL},
    {"type", FIELD_WORD, true, 0, 0, &names_node_types},
    {"lat", FIELD_FLOAT, true, -90, 90, NULL},
    {"lon", FIELD_FLOAT, true, -180, 180, NULL},
    {"name", FIELD_TEXT, false, 0, 0, NULL},
    {"country", FIELD_ID, false, 0, 0, NULL},
    {"postcode", FIELD_ID, false, 0, 0, NULL},
    {"status", FIELD_WORD, false, 0, 0, &names_node_statuses},
    {"services", FIELD_WORDS, false, 0, 0, &names_capabilities},
    {"serves", FIELD_WORDS, false, 0, 0, NULL},
    {"bars", FIELD_WORDS, false, 0, 0, NULL},
    {"priority", FIELD_INT, false, -1000000, 1000000, NULL},
    {"safety_stock", FIELD_INT, false, 0, 1000000, NULL},
    {"handling_cents", FIELD_INT, false, 0, 1000000000, NULL},
    {"collect_hours", FIELD_INT, false, 1, 8760, NULL},
    {"max_km.standard", FIELD_FLOAT, false, 0.001, KM_MAX, NULL},
    {"max_km.next_day", FIELD_FLOAT, false, 0.001, KM_MAX, NULL},
    {"max_km.same_day", FIELD_FLOAT, false, 0.001, KM_MAX, NULL},
    {"max_km.pickup", FIELD_FLOAT, false, 0.001, KM_MAX, NULL},
};

static const struct import_field item_fields[] = {
    {"item", FIELD_ID, true, 0, 0, NULL},
    {"weight_g", FIELD_INT, false, 0, 1000000000, NULL},
    {"flags", FIELD_WORDS, false, 0, 0, NULL},
    {"not_to", FIELD_WORDS, false, 0, 0, NULL},
};

static const struct import_field stock_fields[] = {
    {"node", FIELD_ID, true, 0, 0, NULL},
    {"item", FIELD_ID, true, 0, 0, NULL},
    {"on_hand", FIELD_INT, true, -QTY_MAX, QTY_MAX, NULL},
};

static const struct import_field place_fields[] = {
    {"country", FIELD_ID, true, 0, 0, NULL},
    {"postcode", FIELD_ID, true, 0, 0, NULL},
    {"lat", FIELD_FLOAT, true, -90, 90, NULL},
    {"lon", FIELD_FLOAT, true, -180, 180, NULL},
};

static const struct import_kind kinds[] = {
    {"nodes", "node.put", node_fields, COUNT_OF(node_fields), -1, {0, -1}, false},
    {"items", "item.put", item_fields, COUNT_OF(item_fields), -1, {0, -1}, false},
    {"stock", "stock.load", stock_fields, COUNT_OF(stock_fields), 0, {0, 1}, true},
    {"places", "place.load", place_fields, COUNT_OF(place_fields), 0, {0, 1}, false},
};
_Static_assert(sizeof(node_fields) / sizeof(node_fields[0]) <= IMPORT_FIELDS_MAX, "fields");

const struct import_kind *import_kind_find(const char *name)
{
    const char *names[COUNT_OF(kinds)];
    for (uint32_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
        names[i] = kinds[i].name;
    }
    cli_complain("import: unknown kind %s%s (nodes, items, stock, places)", name,
                 cli_did_you_mean(name, names, COUNT_OF(kinds)));
    return NULL;
}

static int field_find(const struct import_kind *kind, const char *name)
{
    for (uint32_t i = 0; i < kind->fields_count; i++) {
        if (strcmp(kind->fields[i].name, name) == 0) {
            return (int)i;
        }
    }
    return -1;
}

static const char *near_field(const struct import_kind *kind, const char *name)
{
    const char *names[IMPORT_FIELDS_MAX];
    for (uint32_t i = 0; i < kind->fields_count; i++) {
        names[i] = kind->fields[i].name;
    }
    return cli_did_you_mean(name, names, kind->fields_count);
}

/* The next `a` or `a=b` of a list with commas. False at the end. */
static bool next_part(const char **at, char name[IMPORT_NAME_MAX], char value[IMPORT_NAME_MAX])
{
    if (!*at || !**at) {
        return false;
    }
    size_t size = strcspn(*at, ",");
    size_t name_size = strcspn(*at, "=,");
    const char *rest = *at + name_size + (name_size < size);
    size_t rest_size = name_size < size ? size - name_size - 1 : 0;
    snprintf(name, IMPORT_NAME_MAX, "%.*s", (int)name_size, *at);
    snprintf(value, IMPORT_NAME_MAX, "%.*s", (int)rest_size, rest);
    *at += size + ((*at)[size] == ',');
    return true;
}

/* The field that a header cell gives: by --map, else by its own name; -1: none. */
static int field_of_header(const struct import *import, const char *header, bool *is_ignored)
{
    char name[IMPORT_NAME_MAX], value[IMPORT_NAME_MAX];
    for (const char *at = import->maps; next_part(&at, name, value);) {
        if (strcmp(value, header) == 0) {
            return field_find(import->kind, name);
        }
    }
    *is_ignored = import->ignores && strcmp(import->ignores, "all") == 0;
    for (const char *at = import->ignores; next_part(&at, name, value);) {
        *is_ignored |= strcmp(name, header) == 0;
    }
    bool is_listed = *is_ignored && strcmp(import->ignores, "all") != 0;
    int field = is_listed ? -1 : field_find(import->kind, header);
    *is_ignored = *is_ignored && field < 0;
    return field;
}

static bool complain_at(const struct import *import, const struct csv_field *at, const char *header,
                        const char *what)
{
    cli_complain("%s:%u:%u: column %s%s", import->file, at->line, at->column, header, what);
    return false;
}

static bool take_column(struct import *import, uint32_t column)
{
    const struct csv_field *at = &import->csv.fields[column];
    char header[IMPORT_NAME_MAX];
    bool is_ignored = false;
    snprintf(header, sizeof(header), "%.*s", (int)at->size, at->at);
    int field = field_of_header(import, header, &is_ignored);
    if (is_ignored) {
        return true;
    }
    if (field < 0) {
        char what[IMPORT_WHY_MAX];
        snprintf(what, sizeof(what),
                 " is no field of %s%s (--map FIELD=%s names it, --ignore %s leaves it out)",
                 import->kind->name, near_field(import->kind, header), header, header);
        return complain_at(import, at, header, what);
    }
    if (import->sources[field].column >= 0) {
        return complain_at(import, at, header, ": a second column for the same field");
    }
    import->sources[field].column = (int)column;
    return true;
}

/* Every name in --map and --set must be a field, and every mapped column must be there. */
static bool names_are_fields(const struct import *import, const char *flag, const char *list)
{
    char name[IMPORT_NAME_MAX], value[IMPORT_NAME_MAX];
    for (const char *at = list; at && *at;) {
        if (strcspn(at, ",") >= IMPORT_NAME_MAX) {
            cli_complain("%s: a part of more than %d bytes", flag, IMPORT_NAME_MAX - 1);
            return false;
        }
        next_part(&at, name, value);
        if (field_find(import->kind, name) < 0) {
            cli_complain("%s %s: no field of %s%s", flag, name, import->kind->name,
                         near_field(import->kind, name));
            return false;
        }
        if (!*value) {
            cli_complain("%s %s: FIELD=VALUE is needed", flag, name);
            return false;
        }
    }
    return true;
}

static bool mapped_columns_are_there(const struct import *import)
{
    char name[IMPORT_NAME_MAX], value[IMPORT_NAME_MAX];
    for (const char *at = import->maps; next_part(&at, name, value);) {
        if (import->sources[field_find(import->kind, name)].column < 0) {
            cli_complain("--map %s=%s: %s has no column %s", name, value, import->file, value);
            return false;
        }
    }
    return true;
}

static bool take_constants(struct import *import)
{
    char name[IMPORT_NAME_MAX], value[IMPORT_NAME_MAX], why[IMPORT_WHY_MAX];
    for (const char *at = import->sets; next_part(&at, name, value);) {
        const char *constant = at - strlen(value) - (at[-1] == ',');
        int index = field_find(import->kind, name);
        struct import_cell cell = {.at = value, .size = (uint32_t)strlen(value)};
        if (import_cell_check(&import->kind->fields[index], &cell, why)) {
            cli_complain("--set %s: %s", name, why);
            return false;
        }
        import->sources[index].constant = constant;
    }
    return true;
}

static bool required_are_there(const struct import *import)
{
    for (uint32_t i = 0; i < import->kind->fields_count; i++) {
        const struct import_field *field = &import->kind->fields[i];
        const struct import_source *source = &import->sources[i];
        if (field->is_required && source->column < 0 && !source->constant) {
            cli_complain("%s:1:1: no column %s (--map %s=COLUMN or --set %s=VALUE gives it)",
                         import->file, field->name, field->name, field->name);
            return false;
        }
    }
    return true;
}

bool import_columns(struct import *import)
{
    for (uint32_t i = 0; i < IMPORT_FIELDS_MAX; i++) {
        import->sources[i] = (struct import_source){.column = -1};
    }
    if (!names_are_fields(import, "--map", import->maps) ||
        !names_are_fields(import, "--set", import->sets)) {
        return false;
    }
    for (uint32_t column = 0; column < import->csv.fields_count; column++) {
        if (!take_column(import, column)) {
            return false;
        }
    }
    return mapped_columns_are_there(import) && take_constants(import) && required_are_there(import);
}

struct import_cell import_cell_of(const struct import *import, uint32_t field)
{
    const struct import_source *source = &import->sources[field];
    struct import_cell cell = {.line = import->csv.row_line, .column = 1};
    if (source->column >= 0) {
        const struct csv_field *at = &import->csv.fields[source->column];
        cell = (struct import_cell){at->size ? at->at : NULL, at->size, at->line, at->column};
    }
    if (!cell.at && source->constant) {
        cell.at = source->constant;
        cell.size = (uint32_t)strcspn(source->constant, ",");
    }
    return cell;
}

static bool to_number(const struct import_cell *cell, double *out)
{
    char text[64], *end;
    if (cell->size >= sizeof(text)) {
        return false;
    }
    memcpy(text, cell->at, cell->size);
    text[cell->size] = '\0';
    *out = strtod(text, &end);
    bool is_plain = strspn(text, "0123456789.+-eE") == cell->size;
    return is_plain && *end == '\0' && isfinite(*out);
}

static const char *check_number(const struct import_field *field, const struct import_cell *cell,
                                char why[IMPORT_WHY_MAX])
{
    double number;
    bool is_whole = field->type == FIELD_INT;
    if (!to_number(cell, &number) || (is_whole && floor(number) != number)) {
        snprintf(why, IMPORT_WHY_MAX, "\"%.*s\" is no %s", (int)(cell->size < 40 ? cell->size : 40),
                 cell->at, is_whole ? "whole number" : "number with a decimal point");
        return why;
    }
    if (number < field->min || number > field->max) {
        snprintf(why, IMPORT_WHY_MAX, "%.*s is outside %.15g to %.15g", (int)cell->size, cell->at,
                 field->min, field->max);
        return why;
    }
    return NULL;
}

static const char *check_size(const struct import_cell *cell, uint32_t max,
                              char why[IMPORT_WHY_MAX])
{
    if (cell->size <= max) {
        return NULL;
    }
    snprintf(why, IMPORT_WHY_MAX, "%u bytes, at most %u are allowed", cell->size, max);
    return why;
}

static const char *check_word(const struct import_field *field, const char *at, uint32_t size,
                              char why[IMPORT_WHY_MAX])
{
    struct import_cell word = {.at = at, .size = size};
    if (size == 0) {
        snprintf(why, IMPORT_WHY_MAX, "an empty word in the list");
        return why;
    }
    if (check_size(&word, 63, why)) {
        return why;
    }
    if (!field->names || names_find(field->names, at, size) >= 0) {
        return NULL;
    }
    const char *nearest = names_nearest(field->names, at, size);
    int used = snprintf(why, IMPORT_WHY_MAX, "\"%.*s\" is none of", (int)size, at);
    for (uint32_t i = 0; i < field->names->count && used < IMPORT_WHY_MAX; i++) {
        used +=
            snprintf(why + used, (size_t)(IMPORT_WHY_MAX - used), " %s", field->names->texts[i]);
    }
    if (nearest && used < IMPORT_WHY_MAX) {
        snprintf(why + used, (size_t)(IMPORT_WHY_MAX - used), ", did you mean %s?", nearest);
    }
    return why;
}

/* Bytes up to the next ';' or the end. */
static uint32_t part_size(const struct import_cell *cell, uint32_t from)
{
    uint32_t to = from;
    while (to < cell->size && cell->at[to] != ';') {
        to++;
    }
    return to - from;
}

static const char *check_words(const struct import_field *field, const struct import_cell *cell,
                               char why[IMPORT_WHY_MAX])
{
    for (uint32_t from = 0; from <= cell->size;) {
        uint32_t size = part_size(cell, from);
        if (check_word(field, cell->at + from, size, why)) {
            return why;
        }
        from += size + 1;
    }
    return NULL;
}

const char *import_cell_check(const struct import_field *field, const struct import_cell *cell,
                              char why[IMPORT_WHY_MAX])
{
    if (!cell->at) {
        snprintf(why, IMPORT_WHY_MAX, "empty, but needed");
        return field->is_required ? why : NULL;
    }
    switch (field->type) {
    case FIELD_ID:
        return check_size(cell, 63, why);
    case FIELD_TEXT:
        return check_size(cell, 255, why);
    case FIELD_WORD:
        return check_word(field, cell->at, cell->size, why);
    case FIELD_WORDS:
        return check_words(field, cell, why);
    case FIELD_INT:
    case FIELD_FLOAT:
        return check_number(field, cell, why);
    }
    return NULL;
}

static void put_words(struct nearshelf_params *params, const char *key,
                      const struct import_cell *cell)
{
    nearshelf_params_array(params, key);
    for (uint32_t from = 0; from <= cell->size;) {
        uint32_t size = part_size(cell, from);
        nearshelf_params_text_n(params, NULL, cell->at + from, size);
        from += size + 1;
    }
    nearshelf_params_end(params);
}

void import_cell_put(struct nearshelf_params *params, const char *key,
                     const struct import_field *field, const struct import_cell *cell)
{
    double number = 0;
    switch (field->type) {
    case FIELD_ID:
    case FIELD_TEXT:
    case FIELD_WORD:
        nearshelf_params_text_n(params, key, cell->at, cell->size);
        return;
    case FIELD_WORDS:
        put_words(params, key, cell);
        return;
    case FIELD_INT:
        CHECK(to_number(cell, &number));
        nearshelf_params_int(params, key, (int64_t)number);
        return;
    case FIELD_FLOAT:
        CHECK(to_number(cell, &number));
        nearshelf_params_float(params, key, number);
        return;
    }
}
