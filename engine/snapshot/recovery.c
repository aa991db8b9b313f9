/* Snapshots from the newest on until one is whole, then the log. */
#include "recovery.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "replay_ahead.h"
#include "tables_warm.h"

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

/* The owner of the callbacks of snapshot and log. */
struct replaying {
    struct tables *tables;
    struct replay_ahead ahead;
    struct tables_warm warm; /* only where the process is to serve */
};

static void on_chunk(void *owner)
{
    const struct replaying *replaying = owner;
    tables_warm_note(&replaying->warm, replaying->tables);
}

static void on_ahead(void *owner, uint8_t type, const uint8_t *bytes, uint32_t size)
{
    struct replaying *replaying = owner;
    replay_ahead(&replaying->ahead, replaying->tables, type, bytes, size);
}

static enum err on_replay(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                          const uint8_t *bytes, uint32_t size)
{
    const struct replaying *replaying = owner;
    return tables_replay(replaying->tables, lsn, time_ms, type, bytes, size);
}

static enum err on_group(void *owner, const struct digest *stamped, uint64_t last_lsn,
                         uint64_t time_ms)
{
    const struct replaying *replaying = owner;
    (void)last_lsn;
    (void)time_ms;
    tables_warm_note(&replaying->warm, replaying->tables);
    return digest_equal(stamped, &replaying->tables->digest) ? ERR_OK : ERR_DAMAGED;
}

static enum err tables_fresh(const struct wal *wal, const struct recovery_options *options,
                             struct replaying *replaying, char *error)
{
    struct tables *tables = replaying->tables;
    const enum err err = tables_init(tables, &options->tables, wal_identity(wal)->secret);
    if (err != ERR_OK) {
        memset(tables, 0, sizeof *tables);
        snprintf(error, WAL_ERROR_SIZE, "tables: %s: lower the limits", err_text(err));
    } else if (!options->until &&
               tables_warm_start(&replaying->warm, tables, options->tables.orders_ready,
                                 TABLES_WARM_BESIDE) != ERR_OK) {
        tables_warm_stop(&replaying->warm); /* pages come as they are used */
    }
    return err;
}

static void tables_drop(struct replaying *replaying)
{
    tables_warm_stop(&replaying->warm);
    if (replaying->tables->node_items) {
        tables_close(replaying->tables);
    }
}

/* Whether a snapshot may be of use: not from behind the bound. */
static bool is_wanted(const struct snapshot_mark *mark, const struct wal_until *until)
{
    return !until || (mark->lsn <= until->lsn && mark->time_ms <= until->time_ms);
}

/* Load the snapshot; on damage the tables are fresh again and *is_whole_out false. */
static enum err try_one(struct wal *wal, uint64_t lsn, const struct recovery_options *options,
                        struct replaying *replaying, struct recovery_found *found,
                        bool *is_whole_out, char *error)
{
    const struct snapshot_watch watch = {replaying, on_chunk};
    char name[SNAPSHOT_NAME_SIZE];
    char why[SNAPSHOT_ERROR_SIZE];
    struct snapshot_mark mark;
    snapshot_name(lsn, name);
    *is_whole_out = false;
    enum err err = snapshot_peek(wal_disk(wal), name, &mark, why);
    if (err == ERR_OK && !is_wanted(&mark, options->until)) {
        return ERR_OK;
    }
    const uint64_t told = err == ERR_OK ? mark.lsn : lsn;
    if (err == ERR_OK) {
        err = snapshot_load_watched(wal_disk(wal), name, wal_identity(wal)->uuid,
                                    replaying->tables, &watch, &mark, why);
    }
    if (err == ERR_OK && mark.lsn != lsn) {
        err = ERR_DAMAGED;
        snprintf(why, sizeof why, "%s, offset 48: the file has the name of another LSN", name);
    }
    if (err == ERR_OK) {
        found->mark = mark;
        *is_whole_out = true;
        return ERR_OK;
    }
    if (err != ERR_DAMAGED && err != ERR_IO) {
        snprintf(error, WAL_ERROR_SIZE, "%s", why);
        return err;
    }
    if (found->passed_over++ == 0) {
        memcpy(found->why, why, sizeof why);
    }
    if (told > found->passed_lsn) {
        found->passed_lsn = told;
    }
    tables_drop(replaying);
    return tables_fresh(wal, options, replaying, error);
}

static enum err load_newest(struct wal *wal, const struct recovery_options *options,
                            struct replaying *replaying, struct recovery_found *found,
                            char *error)
{
    struct snapshot_list list;
    bool is_whole = false;
    const uint64_t start = now_us();
    enum err err = snapshot_find(wal_disk(wal), &list);
    if (err != ERR_OK) {
        snprintf(error, WAL_ERROR_SIZE, "listing the data folder: %s", err_text(err));
    }
    for (uint32_t i = 0; i < list.count && err == ERR_OK && !is_whole; i++) {
        err = try_one(wal, list.lsns[i], options, replaying, found, &is_whole, error);
    }
    found->snapshot_us = now_us() - start;
    return err;
}

static void start_behind(struct wal *wal, const struct snapshot_mark *mark)
{
    if (mark->group_number) {
        wal_start_at(wal, &(struct wal_start){.lsn = mark->lsn,
                                              .time_ms = mark->time_ms,
                                              .group_number = mark->group_number,
                                              .chain = mark->chain,
                                              .digest = mark->digest,
                                              .is_origin = mark->is_origin});
    }
}

static enum err read_log(struct wal *wal, const struct recovery_options *options,
                         struct replaying *replaying, struct recovery_found *found, char *error)
{
    start_behind(wal, &found->mark);
    wal_reach(wal, found->passed_lsn);
    wal_ahead(wal, on_ahead, REPLAY_AHEAD);
    const enum err err =
        options->until ? wal_read(wal, options->until, on_replay, on_group, replaying, &found->log)
                       : wal_recover(wal, on_replay, on_group, replaying, &found->log);
    if (err != ERR_OK) {
        const int used = snprintf(error, WAL_ERROR_SIZE, "%s", wal_error(wal));
        if (found->passed_over && used >= 0 && used < WAL_ERROR_SIZE) {
            snprintf(error + used, WAL_ERROR_SIZE - (size_t)used, " (passed over: %s)", found->why);
        }
    }
    return err;
}

enum err recovery_run(struct wal *wal, const struct recovery_options *options,
                      struct tables *tables, struct recovery_found *found_out,
                      char error[WAL_ERROR_SIZE])
{
    struct replaying replaying = {.tables = tables};
    memset(found_out, 0, sizeof *found_out);
    error[0] = '\0';
    enum err err = tables_fresh(wal, options, &replaying, error);
    if (err == ERR_OK) {
        err = load_newest(wal, options, &replaying, found_out, error);
    }
    if (err == ERR_OK) {
        err = read_log(wal, options, &replaying, found_out, error);
    }
    tables_warm_stop(&replaying.warm);
    if (err != ERR_OK) {
        tables_drop(&replaying);
        memset(tables, 0, sizeof *tables);
    }
    return err;
}
