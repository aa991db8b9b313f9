/* The second pass of an import: calls are built of rows, kept in a window, and counted. */
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "check.h"
#include "cli_import_internal.h"

enum {
    WINDOW = 128,               /* calls under way */
    WINDOW_ROWS = 16,           /* of those with rows, which may take up to a frame each */
    ROWS_PER_CALL = 50000,      /* a node's rows in one call make the shortest log */
    CALL_SIZE_MAX = 900 * 1024, /* below the frame limit by more than the longest row */
    BAR_WIDTH = 30,
    BAR_EVERY_MS = 100,
    LINE_EVERY_MS = 2000
};

/* A call under way. */
struct flight {
    uint32_t id;
    uint32_t rows; /* 0: the slot is free */
    uint32_t line; /* of its first row */
};

/* What a result counts. */
static const char *const sum_names[] = {"created", "changed", "unchanged", "stale", "loaded"};
enum { SUMS = sizeof(sum_names) / sizeof(sum_names[0]) };

struct sending {
    struct import *import;
    struct nearshelf_params *params;
    struct flight flights[WINDOW];
    uint32_t run_next; /* in import->runs */
    uint32_t run_left; /* rows of the run before it that were not sent */
    uint32_t rows_sent;
    uint32_t rows_done;
    uint32_t calls;
    bool is_open; /* params holds rows of a call */
    struct flight building;
    char group[IMPORT_NAME_MAX];
    uint64_t run; /* random: part of the keys */
    int64_t sums[SUMS];
    bool has_sum[SUMS];
    bool has_failed;
    uint64_t started_ms, shown_ms;
};

static volatile sig_atomic_t is_interrupted;

static void on_signal(int number)
{
    (void)number;
    is_interrupted = 1;
}

static uint64_t now_ms(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void show_bar(const struct sending *sending, double share)
{
    char done[32], all[32], bar[BAR_WIDTH + 1];
    int filled = (int)(share * BAR_WIDTH);
    for (int i = 0; i < BAR_WIDTH; i++) {
        bar[i] = i < filled ? '#' : '.';
    }
    bar[BAR_WIDTH] = '\0';
    fprintf(stderr, "\r[%s] %3d%% %s of %s rows", bar, (int)(share * 100),
            cli_thousands(sending->rows_done, done),
            cli_thousands(sending->import->rows_count, all));
    fflush(stderr);
}

static void show_line(const struct sending *sending, double share)
{
    char done[32], all[32];
    fprintf(stderr, "%s: %s of %s rows (%d%%)\n", sending->import->file,
            cli_thousands(sending->rows_done, done),
            cli_thousands(sending->import->rows_count, all), (int)(share * 100));
}

static void show_progress(struct sending *sending, bool is_last)
{
    uint64_t now = now_ms();
    bool is_bar = sending->import->cli->has_progress;
    uint64_t every_ms = is_bar ? BAR_EVERY_MS : LINE_EVERY_MS;
    double share = (double)sending->rows_done / sending->import->rows_count;
    if (is_last && is_bar) {
        show_bar(sending, share);
        fputc('\n', stderr);
    } else if (!is_last && now - sending->shown_ms >= every_ms) {
        sending->shown_ms = now;
        (is_bar ? show_bar : show_line)(sending, share);
    }
}

static void count_sums(struct sending *sending, const struct nearshelf_value *result)
{
    for (uint32_t i = 0; i < SUMS; i++) {
        const struct nearshelf_value *value = nearshelf_get(result, sum_names[i]);
        if (value) {
            sending->has_sum[i] = true;
            sending->sums[i] += nearshelf_type(value) == NEARSHELF_BOOL
                                    ? nearshelf_bool(value, false)
                                    : nearshelf_int(value, 0);
        }
    }
}

/* Only the first failure is told in full; those behind it are most often the same. */
static void fail(struct sending *sending, const struct flight *flight,
                 const struct nearshelf_reply *reply)
{
    char where[IMPORT_WHY_MAX];
    const struct nearshelf_value *result = nearshelf_reply_result(reply);
    if (sending->has_failed) {
        return;
    }
    sending->has_failed = true;
    if (sending->import->cli->has_progress) {
        fputc('\n', stderr);
    }
    snprintf(where, sizeof(where), "%s:%u:1: %s", sending->import->file, flight->line,
             sending->import->kind->method);
    if (result) {
        char reason[IMPORT_NAME_MAX];
        cli_complain("%s: refused, %s", where,
                     nearshelf_text_copy(nearshelf_get(result, "reason"), reason, sizeof(reason)));
    } else {
        cli_complain_reply(sending->import->cli, where, reply);
    }
}

static struct flight *flight_find(struct sending *sending, uint32_t id, bool is_free)
{
    for (uint32_t i = 0; i < WINDOW; i++) {
        struct flight *flight = &sending->flights[i];
        if (is_free ? flight->rows == 0 : flight->rows > 0 && flight->id == id) {
            return flight;
        }
    }
    return NULL;
}

static void receive_one(struct sending *sending)
{
    struct nearshelf_reply *reply;
    enum nearshelf_error error = nearshelf_receive(sending->import->cli->client, &reply);
    CHECK(reply);
    const struct nearshelf_value *result = nearshelf_reply_result(reply);
    struct flight *flight = flight_find(sending, nearshelf_reply_id(reply), false);
    CHECK(flight);
    if (error == NEARSHELF_OK && !nearshelf_text_is(nearshelf_get(result, "status"), "refused")) {
        sending->rows_done += flight->rows;
        count_sums(sending, result);
    } else {
        fail(sending, flight, reply);
    }
    flight->rows = 0;
    nearshelf_reply_free(reply);
    show_progress(sending, false);
}

/* Send what params holds, after making room in the window. */
static void send_call(struct sending *sending)
{
    const struct import *import = sending->import;
    const uint32_t window = import->kind->group >= 0 ? WINDOW_ROWS : WINDOW;
    while (nearshelf_outstanding(import->cli->client) >= window) {
        receive_one(sending);
    }
    struct flight *flight = flight_find(sending, 0, true);
    *flight = sending->building;
    enum nearshelf_error error =
        nearshelf_send(import->cli->client, import->kind->method, sending->params, &flight->id);
    sending->is_open = false;
    sending->calls++;
    if (error != NEARSHELF_OK) {
        cli_complain("%s:%u:1: %s: %s", import->file, flight->line, import->kind->method,
                     nearshelf_error_text(error));
        flight->rows = 0;
        sending->has_failed = true;
    }
}

/* A field with a dot in its name goes into a map: the table has those side by side. */
static const char *map_of(const struct import_field *field, char map[IMPORT_NAME_MAX])
{
    const char *dot = strchr(field->name, '.');
    snprintf(map, IMPORT_NAME_MAX, "%.*s", dot ? (int)(dot - field->name) : 0, field->name);
    return dot ? dot + 1 : field->name;
}

static void build_flat(struct sending *sending)
{
    const struct import *import = sending->import;
    bool is_in_map = false;
    nearshelf_params_clear(sending->params);
    for (uint32_t i = 0; i < import->kind->fields_count; i++) {
        const struct import_field *field = &import->kind->fields[i];
        struct import_cell cell = import_cell_of(import, i);
        char map[IMPORT_NAME_MAX];
        const char *key = map_of(field, map);
        if (!cell.at) {
            continue;
        }
        if (*map && !is_in_map) {
            nearshelf_params_map(sending->params, map);
            is_in_map = true;
        }
        import_cell_put(sending->params, key, field, &cell);
    }
    if (is_in_map) {
        nearshelf_params_end(sending->params);
    }
}

static void open_group(struct sending *sending, const struct import_cell *group)
{
    const struct import_kind *kind = sending->import->kind;
    char key[IMPORT_NAME_MAX];
    nearshelf_params_clear(sending->params);
    import_cell_put(sending->params, kind->fields[kind->group].name, &kind->fields[kind->group],
                    group);
    if (kind->has_key) {
        snprintf(key, sizeof(key), "import-%016llx-%u", (unsigned long long)sending->run,
                 sending->calls);
        nearshelf_params_text(sending->params, "key", key);
    }
    nearshelf_params_array(sending->params, "rows");
    snprintf(sending->group, sizeof(sending->group), "%.*s", (int)group->size, group->at);
    sending->is_open = true;
    sending->building = (struct flight){.line = sending->import->csv.row_line};
}

static void close_group(struct sending *sending)
{
    if (sending->is_open) {
        nearshelf_params_end(sending->params);
        send_call(sending);
    }
}

static bool fits(const struct sending *sending, const struct import_cell *group)
{
    return sending->is_open && strlen(sending->group) == group->size &&
           memcmp(sending->group, group->at, group->size) == 0 &&
           sending->building.rows < ROWS_PER_CALL &&
           nearshelf_params_size(sending->params) < CALL_SIZE_MAX;
}

static void build_grouped(struct sending *sending)
{
    const struct import *import = sending->import;
    struct import_cell group = import_cell_of(import, (uint32_t)import->kind->group);
    if (!fits(sending, &group)) {
        close_group(sending);
        open_group(sending, &group);
    }
    nearshelf_params_array(sending->params, NULL);
    for (uint32_t i = 0; i < import->kind->fields_count; i++) {
        struct import_cell cell = import_cell_of(import, i);
        if ((int)i != import->kind->group) {
            import_cell_put(sending->params, NULL, &import->kind->fields[i], &cell);
        }
    }
    nearshelf_params_end(sending->params);
    sending->building.rows++;
}

static void send_row(struct sending *sending)
{
    struct import *import = sending->import;
    if (sending->run_left == 0) {
        const struct import_run *run = &import->runs[sending->run_next++];
        csv_go(&import->csv, run->mark);
        sending->run_left = run->count;
    }
    CHECK(csv_next(&import->csv)); /* it was there when it was checked */
    sending->run_left--;
    sending->rows_sent++;
    if (import->kind->group >= 0) {
        build_grouped(sending);
        return;
    }
    build_flat(sending);
    sending->building = (struct flight){.line = import->csv.row_line, .rows = 1};
    send_call(sending);
}

static void say_where_it_stopped(const struct sending *sending)
{
    char done[32], all[32];
    const struct import *import = sending->import;
    cli_complain("%s: %s; %s of %s rows are loaded. %s run the same command again: rows that are "
                 "loaded already do no harm",
                 import->file, is_interrupted ? "interrupted" : "stopped",
                 cli_thousands(sending->rows_done, done), cli_thousands(import->rows_count, all),
                 is_interrupted ? "To go on," : "Mend what is wrong, then");
}

static void say_summary(const struct sending *sending)
{
    const struct import *import = sending->import;
    double seconds = (double)(now_ms() - sending->started_ms) / 1000;
    char rows[32], number[32];
    printf("%s rows of %s loaded in %.1f s", cli_thousands(sending->rows_done, rows),
           import->kind->name, seconds);
    for (uint32_t i = 0; i < SUMS; i++) {
        if (sending->has_sum[i] && strcmp(sum_names[i], "loaded") != 0) {
            printf(", %s %s", cli_thousands(sending->sums[i], number), sum_names[i]);
        }
    }
    putchar('\n');
}

static void print_summary_json(const struct sending *sending)
{
    double seconds = (double)(now_ms() - sending->started_ms) / 1000;
    json_t *json =
        json_pack("{s:s,s:i,s:i,s:i,s:f}", "kind", sending->import->kind->name, "rows",
                  (int)sending->import->rows_count, "rows_loaded", (int)sending->rows_done, "calls",
                  (int)sending->calls, "seconds", seconds);
    for (uint32_t i = 0; i < SUMS; i++) {
        if (sending->has_sum[i]) {
            json_object_set_new(json, sum_names[i], json_integer(sending->sums[i]));
        }
    }
    json_dumpf(json, stdout, JSON_COMPACT | JSON_REAL_PRECISION(6));
    putchar('\n');
    json_decref(json);
}

static void send_all(struct sending *sending)
{
    const struct import *import = sending->import;
    while (sending->rows_sent < import->rows_count && !sending->has_failed && !is_interrupted) {
        send_row(sending);
    }
    if (!sending->has_failed && !is_interrupted) {
        close_group(sending);
    }
    while (nearshelf_outstanding(import->cli->client) > 0) {
        receive_one(sending);
    }
}

static bool sending_init(struct sending *sending, struct import *import)
{
    struct sigaction action = {.sa_handler = on_signal};
    *sending = (struct sending){.import = import, .params = nearshelf_params_new()};
    sending->started_ms = sending->shown_ms = now_ms();
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    ssize_t drawn = getrandom(&sending->run, sizeof(sending->run), 0);
    return sending->params && drawn == (ssize_t)sizeof(sending->run);
}

enum cli_exit import_send(struct import *import)
{
    struct sending *sending = calloc(1, sizeof(*sending));
    if (!sending || !sending_init(sending, import)) {
        free(sending);
        cli_complain("out of memory");
        return CLI_ERROR;
    }
    if (import->rows_count > 0) {
        send_all(sending);
        show_progress(sending, true);
    }
    bool is_whole = !sending->has_failed && sending->rows_done == import->rows_count;
    if (!is_whole) {
        say_where_it_stopped(sending);
    }
    if (import->cli->is_json) {
        print_summary_json(sending);
    } else if (is_whole) {
        say_summary(sending);
    }
    nearshelf_params_free(sending->params);
    free(sending);
    return is_whole ? CLI_OK : CLI_ERROR;
}
