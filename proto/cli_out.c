/* Output: complaints, tables, numbers. */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "cli_internal.h"

enum { CELL_MAX = 1024 };

struct cli_table {
    uint32_t columns;
    uint32_t count; /* cells, names included */
    uint32_t max;
    char **cells;
};

void cli_complain(const char *format, ...)
{
    va_list list;
    va_start(list, format);
    fputs("nearshelf: ", stderr);
    vfprintf(stderr, format, list);
    fputc('\n', stderr);
    va_end(list);
}

void cli_complain_reply(const struct cli *cli, const char *where,
                        const struct nearshelf_reply *reply)
{
    const char *code = nearshelf_reply_code(reply);
    const char *text = nearshelf_reply_text(reply);
    if (!cli->is_json) {
        cli_complain("%s%s%s %s", where ? where : "", where ? ": " : "", code, text);
        return;
    }
    json_t *error =
        json_pack("{s:{s:i,s:s,s:s,s:s?}}", "error", "kind", nearshelf_reply_kind(reply), "code",
                  code, "text", text, "where", where);
    json_dumpf(error, stderr, JSON_COMPACT);
    fputc('\n', stderr);
    json_decref(error);
}

struct cli_table *cli_table_new(uint32_t columns, const char *const *names)
{
    struct cli_table *table = calloc(1, sizeof(*table));
    CHECK(table);
    table->columns = columns;
    for (uint32_t i = 0; i < columns; i++) {
        cli_table_cell(table, names[i]);
    }
    return table;
}

static void cell_add(struct cli_table *table, char *text)
{
    if (table->count == table->max) {
        table->max = table->max * 2 + 32;
        char **cells = realloc(table->cells, table->max * sizeof(cells[0]));
        CHECK(cells);
        table->cells = cells;
    }
    table->cells[table->count++] = text;
}

/* Control characters would break lines and terminals: they become '?'. */
void cli_table_cell(struct cli_table *table, const char *text)
{
    char *copy = strdup(text);
    CHECK(copy);
    for (char *c = copy; *c; c++) {
        *c = (unsigned char)*c < ' ' || *c == 127 ? '?' : *c;
    }
    cell_add(table, copy);
}

void cli_table_cellf(struct cli_table *table, const char *format, ...)
{
    char text[CELL_MAX];
    va_list list;
    va_start(list, format);
    vsnprintf(text, sizeof(text), format, list);
    va_end(list);
    cli_table_cell(table, text);
}

bool cli_table_is_empty(const struct cli_table *table)
{
    return table->count <= table->columns;
}

/* Characters, which is what most terminals show as columns. */
static uint32_t width_of(const char *text)
{
    uint32_t width = 0;
    for (; *text; text++) {
        width += ((unsigned char)*text & 0xc0) != 0x80;
    }
    return width;
}

static bool is_number(const char *text)
{
    return *text && strspn(text, "0123456789.,+-()%") == strlen(text);
}

/* A column whose every cell below the name is a number, or empty, stands to the right. */
static bool is_right(const struct cli_table *table, uint32_t column)
{
    bool has_number = false;
    for (uint32_t i = table->columns + column; i < table->count; i += table->columns) {
        if (*table->cells[i] && !is_number(table->cells[i])) {
            return false;
        }
        has_number |= *table->cells[i] != '\0';
    }
    return has_number;
}

static uint32_t column_width(const struct cli_table *table, uint32_t column)
{
    uint32_t width = 0;
    for (uint32_t i = column; i < table->count; i += table->columns) {
        uint32_t cell = width_of(table->cells[i]);
        width = cell > width ? cell : width;
    }
    return width;
}

static void print_cell(const struct cli_table *table, uint32_t index, FILE *to)
{
    uint32_t column = index % table->columns;
    const char *text = table->cells[index];
    int pad = (int)(column_width(table, column) - width_of(text));
    bool is_last = column + 1 == table->columns;
    if (is_right(table, column)) {
        fprintf(to, "%*s%s", pad, "", text);
    } else {
        fprintf(to, "%s%*s", text, is_last ? 0 : pad, "");
    }
    fputs(is_last ? "\n" : "  ", to);
}

static void print_aligned(const struct cli_table *table, bool has_color, FILE *to)
{
    for (uint32_t i = 0; i < table->count; i++) {
        if (has_color && i == 0) {
            fputs("\x1b[1m", to);
        }
        if (has_color && i == table->columns) {
            fputs("\x1b[0m", to);
        }
        print_cell(table, i, to);
    }
    if (has_color && table->count == table->columns) {
        fputs("\x1b[0m", to);
    }
}

static void print_tabs(const struct cli_table *table, FILE *to)
{
    for (uint32_t i = 0; i < table->count; i++) {
        fputs(table->cells[i], to);
        fputc((i + 1) % table->columns == 0 ? '\n' : '\t', to);
    }
}

static void table_free(struct cli_table *table)
{
    for (uint32_t i = 0; i < table->count; i++) {
        free(table->cells[i]);
    }
    free(table->cells);
    free(table);
}

void cli_table_print(struct cli_table *table, const struct cli *cli, FILE *to)
{
    CHECK(table->count % table->columns == 0);
    if (cli->is_terminal) {
        print_aligned(table, cli->has_color, to);
    } else {
        print_tabs(table, to);
    }
    table_free(table);
}

const char *cli_thousands(int64_t number, char buffer[32])
{
    char digits[24];
    int size = snprintf(digits, sizeof(digits), "%lld", (long long)number);
    int first = digits[0] == '-';
    char *to = buffer;
    for (int i = 0; i < size; i++) {
        if (i > first && (size - i) % 3 == 0) {
            *to++ = ',';
        }
        *to++ = digits[i];
    }
    *to = '\0';
    return buffer;
}
