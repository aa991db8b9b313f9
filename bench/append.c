/* Cost of the log: an append of a 74-byte record, and durable groups of several sizes on this
 * folder's disk (the flush time every other durable figure is to be read beside). */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"
#include "wal.h"

enum { RECORD = 74 };

struct append {
    struct wal *wal;
    uint32_t records; /* per group */
};

static enum err on_replay(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                          const uint8_t *bytes, uint32_t size)
{
    (void)owner, (void)lsn, (void)time_ms, (void)type, (void)bytes, (void)size;
    return ERR_OK;
}

static enum err on_group(void *owner, const struct digest *stamped, uint64_t last_lsn,
                         uint64_t time_ms)
{
    (void)owner, (void)stamped, (void)last_lsn, (void)time_ms;
    return ERR_OK;
}

static void on_durable(void *owner, uint64_t lsn)
{
    (void)owner, (void)lsn;
}

static void on_failed(void *owner, const char *why)
{
    (void)owner;
    fprintf(stderr, "bench: %s\n", why);
    exit(1);
}

static uint64_t append_one(struct append *append, uint8_t fill)
{
    uint8_t *bytes = wal_append_begin(append->wal, RECORD);
    memset(bytes, fill, RECORD);
    return wal_append_end(append->wal, 7, RECORD);
}

static void group_flush(struct append *append)
{
    struct digest digest = {1, 2};
    wal_submit(append->wal, &digest);
    while (wal_lsn_durable(append->wal) < wal_lsn_begun(append->wal)) {
        wal_wait(append->wal);
    }
}

/* Operations are records; each group is waited for. */
static uint64_t group_work(void *owner, uint64_t count)
{
    struct append *append = bench_hide(owner);
    for (uint64_t i = 0; i < count; i++) {
        if (!wal_has_room(append->wal, RECORD, 1)) {
            group_flush(append);
        }
        append_one(append, (uint8_t)i);
        if (i % append->records == append->records - 1) {
            group_flush(append);
        }
    }
    group_flush(append);
    return append->records;
}

static void measure(const struct bench *bench, struct append *append, uint32_t records,
                    uint64_t count)
{
    char parameters[64];
    append->records = records;
    snprintf(parameters, sizeof parameters, "%u records a group, each awaited", records);
    bench_run(bench, "log_durable", parameters, count, records, group_work, append);
}

static void folder_remove(const char *folder)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", folder);
    if (system(command) != 0) {
        fprintf(stderr, "bench: %s stays\n", folder);
    }
}

int main(int argc, char **argv)
{
    struct bench bench;
    char error[WAL_ERROR_SIZE];
    char folder[] = "bench-log-XXXXXX";
    struct wal_recovery found;
    static struct append append;
    if (!bench_init(&bench, argc, argv) || !mkdtemp(folder)) {
        return 2;
    }
    struct wal_options options = {.dir = folder, .durable = on_durable, .failed = on_failed,
                                  .segment_size = bench.is_smoke ? 16 << 20 : 0};
    if (wal_open(&options, error, &append.wal) != ERR_OK ||
        wal_recover(append.wal, on_replay, on_group, NULL, &found) != ERR_OK) {
        fprintf(stderr, "bench: %s\n", error);
        folder_remove(folder);
        return 1;
    }
    printf("# %s\n", wal_facts_text(append.wal));
    measure(&bench, &append, 1, 200);
    measure(&bench, &append, 100, 20000);
    measure(&bench, &append, 1000, 100000);
    measure(&bench, &append, 10000, 500000);
    wal_close(append.wal);
    folder_remove(folder);
    return 0;
}
