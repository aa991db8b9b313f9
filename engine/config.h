/* The daemon's settings: from a file, the environment and flags; a flag wins over the
 * environment, that over the file, that over the default.
 *
 * One table (config_table.c) drives all three, the help text and the checks. What is wrong is
 * told as one line with its place: `FILE:LINE: ...`, `NEARSHELF_X: ...` or `--x: ...`. */
#ifndef CONFIG_H
#define CONFIG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { CONFIG_ERROR_SIZE = 512, CONFIG_TEXT_SIZE = 1024, CONFIG_LISTEN_MAX = 16 };

/* Values of the choices, in the order in which the table names them. */
enum config_backend { CONFIG_BACKEND_AUTO, CONFIG_BACKEND_URING, CONFIG_BACKEND_PWRITE };
enum config_method { CONFIG_METHOD_AUTO, CONFIG_METHOD_FDATASYNC, CONFIG_METHOD_DSYNC };
enum config_pages { CONFIG_PAGES_AUTO, CONFIG_PAGES_SMALL };
enum config_level { CONFIG_LEVEL_DEBUG, CONFIG_LEVEL_INFO, CONFIG_LEVEL_WARN, CONFIG_LEVEL_ERROR };

struct config_list {
    uint32_t count;
    char texts[CONFIG_LISTEN_MAX][128];
};

/* Plain memory of the caller. Sizes in bytes, times in ms, choices and switches as numbers. */
struct config {
    char dir[CONFIG_TEXT_SIZE];
    struct config_list listen;
    uint64_t items_max, orders_max, orders_memory, orders_ready, holds_max, keys_max, movements_max,
        owed_max, rejects_max, documents_max, reservations_max, stock_memory, rules_memory,
        loads_memory;
    uint64_t key_window, order_window, count_window, return_window;
    uint64_t read_loops;
    uint64_t batch, max_delay_ms, search_steps, slice_steps, pin;
    uint64_t conns_max, inflight_max, frame_size_max;
    uint64_t output_soft, output_hard, output_patience, buffers_max;
    uint64_t segment_size, group_size_max, log_backend, log_method, log_buffered, unsafe_no_sync;
    uint64_t lone_flush_us;
    uint64_t checkpoint_bytes, checkpoint_records, checkpoint_rate, log_retain_bytes,
        log_retain_time;
    uint64_t pages, memory, test_clock;
    char country[CONFIG_TEXT_SIZE];
    char currency[CONFIG_TEXT_SIZE];
    uint64_t log_level;
    char file[CONFIG_TEXT_SIZE]; /* the configuration file, "" = none */
};

enum config_action { CONFIG_RUN, CONFIG_CHECK, CONFIG_HELP, CONFIG_VERSION, CONFIG_BAD };

/* Every setting at its default. */
void config_default(struct config *config);

/* Settings of one file on top of what config holds. False: error_out has the line. */
bool config_file_read(struct config *config, const char *path, char error_out[CONFIG_ERROR_SIZE]);

/* All sources in their order, then the checks between settings. environment: "NAME=value"
 * strings ending in NULL. With CONFIG_BAD error_out has the line. */
enum config_action config_load(struct config *config, int argc, char *const *argv,
                               char *const *environment, char error_out[CONFIG_ERROR_SIZE]);

/* Every setting with its flag, range and default, for --help. */
void config_help(FILE *out);

/* Walk the table, for tests and tools: name of setting i and its default as a file has it;
 * false at the end. */
bool config_setting(uint32_t i, const char **name_out, const char **default_out);

/* "256 MiB": a size as people write it, in the largest unit that divides it, or rounded. */
void config_size_text(uint64_t size, char out[32]);

#endif
