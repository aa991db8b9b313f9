/* nearshelf-floor: what the engine is held against. See README.md. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "floor_loop.h"

static struct floor_loop loop;

static void on_signal(int number)
{
    (void)number;
    loop.is_stopped = true;
}

static int usage(void)
{
    fputs("usage: nearshelf-floor --dir FOLDER [--port N] [--items N] [--orders N] [--no-sync]\n"
          "The least that routing costs; for comparisons only: keeps nothing.\n",
          stderr);
    return 2;
}

struct flags {
    const char *dir;
    uint32_t port, items, orders;
    bool is_unsafe;
};

static bool flags_read(struct flags *flags, int argc, char **argv)
{
    *flags = (struct flags){.items = 1 << 20, .orders = 16 << 20};
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--no-sync") == 0) {
            flags->is_unsafe = true;
            continue;
        }
        if (i + 1 == argc) {
            return false;
        }
        const char *value = argv[++i];
        uint32_t number = (uint32_t)strtoul(value, NULL, 10);
        if (strcmp(argv[i - 1], "--dir") == 0) {
            flags->dir = value;
        } else if (strcmp(argv[i - 1], "--port") == 0 && number < 65536) {
            flags->port = number;
        } else if (strcmp(argv[i - 1], "--items") == 0 && number > 0 && number <= 1u << 24) {
            flags->items = number;
        } else if (strcmp(argv[i - 1], "--orders") == 0 && number > 0 && number <= 1u << 27) {
            flags->orders = number;
        } else {
            return false;
        }
    }
    return flags->dir;
}

int main(int argc, char **argv)
{
    struct flags flags;
    char path[512];
    if (!flags_read(&flags, argc, argv)) {
        return usage();
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    snprintf(path, sizeof path, "%s/floor.log", flags.dir);
    if (floor_tables_init(&loop.tables, flags.items, flags.orders) != ERR_OK ||
        floor_log_open(&loop.log, path, flags.is_unsafe) != ERR_OK ||
        floor_loop_open(&loop, (uint16_t)flags.port) != ERR_OK) {
        return 1;
    }
    printf("ready listen=127.0.0.1:%u method=%s flush_us_fdatasync=%.0f flush_us_dsync=%.0f\n",
           loop.port, loop.log.uses_dsync ? "dsync" : "fdatasync", loop.log.flush_us[0],
           loop.log.flush_us[1]);
    fflush(stdout);
    floor_loop_run(&loop);
    fprintf(stderr, "floor: %u orders, %llu groups, %llu bytes\n", loop.tables.orders_count,
            (unsigned long long)loop.log.groups, (unsigned long long)loop.log.bytes);
    floor_loop_close(&loop);
    unlink(path);
    return 0;
}
