/* The table of settings: the example file, --help, flags and environment all follow it. */
#include "config_internal.h"

#define KIB ((uint64_t)1 << 10)
#define MIB ((uint64_t)1 << 20)
#define GIB ((uint64_t)1 << 30)
#define TIB ((uint64_t)1 << 40)
#define SECOND ((uint64_t)1000)
#define HOUR (3600 * SECOND)

#define AT(field) offsetof(struct config, field)

static const char *const backends[] = {"auto", "io_uring", "pwrite", NULL};
static const char *const methods[] = {"auto", "fdatasync", "dsync", NULL};
static const char *const page_kinds[] = {"auto", "small", NULL};
static const char *const levels[] = {"debug", "info", "warn", "error", NULL};

const struct setting config_settings[] = {
    {"dir", CONFIG_KIND_TEXT, AT(dir), "", 0, CONFIG_TEXT_SIZE - 1, NULL,
     "the data folder, made if its parent exists; one process at a time has it"},
    {"listen", CONFIG_KIND_LIST, AT(listen), "127.0.0.1:7420", 0, 0, NULL,
     "HOST:PORT, [HOST]:PORT or unix:PATH, loopback only; port 0 is a free one"},
    {"items_max", CONFIG_KIND_COUNT, AT(items_max), "2000000", 1, 100000000, NULL,
     "items that may be known"},
    {"orders_max", CONFIG_KIND_COUNT, AT(orders_max), "10000000", 1, 500000000, NULL,
     "orders in memory, open and done"},
    {"orders_memory", CONFIG_KIND_SIZE, AT(orders_memory), "6GiB", 16 * MIB, 16 * TIB, NULL,
     "memory of the orders"},
    {"holds_max", CONFIG_KIND_COUNT, AT(holds_max), "10000000", 1, 1000000000, NULL,
     "holds of order lines on stock"},
    {"owed_max", CONFIG_KIND_COUNT, AT(owed_max), "1000000", 1, 100000000, NULL,
     "order lines that wait for a source: backordered, or held"},
    {"rejects_max", CONFIG_KIND_COUNT, AT(rejects_max), "5", 1, 255, NULL,
     "times that nodes may say no to an order before it is held"},
    {"reservations_max", CONFIG_KIND_COUNT, AT(reservations_max), "1000000", 1, 100000000, NULL,
     "reservations in memory, held and ended"},
    {"keys_max", CONFIG_KIND_COUNT, AT(keys_max), "10000000", 1, 500000000, NULL,
     "keys of changes that are remembered"},
    {"movements_max", CONFIG_KIND_COUNT, AT(movements_max), "2000000", 1, 500000000, NULL,
     "stock movements that are remembered for late counts"},
    {"documents_max", CONFIG_KIND_COUNT, AT(documents_max), "1000000", 1, 100000000, NULL,
     "returns, supplies and transfers in memory, open and done"},
    {"key_window", CONFIG_KIND_TIME, AT(key_window), "10min", SECOND, 720 * HOUR, NULL,
     "how long a key is remembered"},
    {"order_window", CONFIG_KIND_TIME, AT(order_window), "10min", SECOND, 8760 * HOUR, NULL,
     "how long a done order stays in memory"},
    {"count_window", CONFIG_KIND_TIME, AT(count_window), "48h", SECOND, 720 * HOUR, NULL,
     "how old a stock count may be"},
    {"return_window", CONFIG_KIND_TIME, AT(return_window), "720h", SECOND, 87600 * HOUR, NULL,
     "how long after an order was done its units may come back; an announced return is waited for"},
    {"read_loops", CONFIG_KIND_COUNT, AT(read_loops), "0", 0, 16, NULL,
     "threads that hold the connections and answer reads of stock; 0 = the engine's one does all"},
    {"batch", CONFIG_KIND_COUNT, AT(batch), "64", 1, 4096, NULL,
     "requests staged together; answers do not depend on it"},
    {"max_delay_ms", CONFIG_KIND_COUNT, AT(max_delay_ms), "5", 0, 60000, NULL,
     "a request that waited longer, in ms, is answered OVERLOADED; 0 = never"},
    {"search_steps", CONFIG_KIND_COUNT, AT(search_steps), "0", 0, 100000000, NULL,
     "bound of one split search in steps; 0 = the router's own"},
    {"slice_steps", CONFIG_KIND_COUNT, AT(slice_steps), "5000", 0, 100000000, NULL,
     "steps of deciding after which the loop looks at its sockets; answers do not depend on it; "
     "0 = never"},
    {"pin", CONFIG_KIND_SWITCH, AT(pin), "no", 0, 1, NULL,
     "the engine's thread alone on the first of its cores, all others on the rest"},
    {"conns_max", CONFIG_KIND_COUNT, AT(conns_max), "10000", 1, 1000000, NULL,
     "connections at a time"},
    {"inflight_max", CONFIG_KIND_COUNT, AT(inflight_max), "16384", 1, 1000000, NULL,
     "unanswered requests of one connection; above it is not read from"},
    {"frame_size_max", CONFIG_KIND_SIZE, AT(frame_size_max), "1MiB", 4 * KIB, MIB, NULL,
     "largest request"},
    {"output_soft", CONFIG_KIND_SIZE, AT(output_soft), "256KiB", 4 * KIB, GIB, NULL,
     "waiting replies above which a connection is not read from"},
    {"output_hard", CONFIG_KIND_SIZE, AT(output_hard), "8MiB", 5 * MIB, GIB, NULL,
     "waiting replies above which a connection is cut"},
    {"output_patience", CONFIG_KIND_TIME, AT(output_patience), "10s", 100, HOUR, NULL,
     "how long a client may leave its replies before it is cut"},
    {"buffers_max", CONFIG_KIND_SIZE, AT(buffers_max), "1GiB", 16 * MIB, TIB, NULL,
     "buffers of all connections together"},
    {"segment_size", CONFIG_KIND_SIZE, AT(segment_size), "256MiB", 8 * MIB, 16 * GIB, NULL,
     "size of a new log file, a multiple of 4 KiB"},
    {"group_size_max", CONFIG_KIND_SIZE, AT(group_size_max), "4MiB", 2 * MIB, 16 * MIB, NULL,
     "records that go to the disk with one write"},
    {"log_backend", CONFIG_KIND_CHOICE, AT(log_backend), "auto", 0, 0, backends,
     "how the log is written; auto takes io_uring where it is to be had and nothing is pinned"},
    {"log_method", CONFIG_KIND_CHOICE, AT(log_method), "auto", 0, 0, methods,
     "how a write is made durable; auto takes the faster one"},
    {"log_buffered", CONFIG_KIND_SWITCH, AT(log_buffered), "no", 0, 1, NULL,
     "write the log through the page cache instead of O_DIRECT"},
    {"unsafe_no_sync", CONFIG_KIND_SWITCH, AT(unsafe_no_sync), "no", 0, 1, NULL,
     "answer before the disk has it: for comparisons, never for data"},
    {"checkpoint_bytes", CONFIG_KIND_SIZE, AT(checkpoint_bytes), "1GiB", 0, 16 * TIB, NULL,
     "log written since the last snapshot after which one is made; 0 = not by that"},
    {"checkpoint_records", CONFIG_KIND_COUNT, AT(checkpoint_records), "20000000", 0,
     1000000000000, NULL, "records since the last snapshot after which one is made; 0 = not"},
    {"checkpoint_rate", CONFIG_KIND_SIZE, AT(checkpoint_rate), "64MiB", 0, TIB, NULL,
     "a snapshot is written with so many bytes a second at most; 0 = as fast as it goes"},
    {"log_retain_bytes", CONFIG_KIND_SIZE, AT(log_retain_bytes), "0", 0, 16 * TIB, NULL,
     "log that no snapshot needs any more but readers of events may"},
    {"log_retain_time", CONFIG_KIND_TIME, AT(log_retain_time), "0", 0, 8760 * HOUR, NULL,
     "the same by age"},
    {"pages", CONFIG_KIND_CHOICE, AT(pages), "auto", 0, 0, page_kinds,
     "memory pages of the large tables; auto takes huge ones where they are to be had"},
    {"memory", CONFIG_KIND_SIZE, AT(memory), "0", 0, 16 * TIB, NULL,
     "the limits together may not need more than this; 0 = not checked"},
    {"country", CONFIG_KIND_TEXT, AT(country), "", 0, 2, NULL,
     "two letters, of places that come without one; empty = none"},
    {"currency", CONFIG_KIND_TEXT, AT(currency), "USD", 3, 3, NULL,
     "three letters, of all amounts"},
    {"test_clock", CONFIG_KIND_SWITCH, AT(test_clock), "no", 0, 1, NULL,
     "engine time stands until clock.set moves it: for tests, never for a shop"},
    {"log_level", CONFIG_KIND_CHOICE, AT(log_level), "info", 0, 0, levels,
     "least level of the lines on stderr"},
};

const uint32_t config_settings_count = sizeof config_settings / sizeof config_settings[0];
