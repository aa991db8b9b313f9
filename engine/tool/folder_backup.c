/* An engine removes snapshots and segments meanwhile, and writes on. So everything is opened first,
 * again if the snapshots changed meanwhile: what is open stays. Then the ends of the segments are
 * found, newest first: when a later one has groups an earlier one is complete, a gap is damage. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "disk.h"
#include "folder_copy.h"
#include "recovery.h"
#include "snapshot.h"
#include "wal_format.h"

enum { SEGMENTS_MAX = 1 << 16, PIECE = 1 << 20, PASSING_SNAPSHOTS = 2 };

struct segment {
    uint64_t ordinal;
    int file; /* -1: not open */
    uint64_t size;
    uint64_t end;   /* of its whole groups */
    uint64_t first; /* number of the first of them; 0 = there is none */
    uint64_t last;
};

struct backup {
    struct disk *from;
    struct disk *to;
    FILE *out;
    char *error;
    uint8_t *bytes; /* of the largest group */
    struct snapshot_list list;
    int snapshots[PASSING_SNAPSHOTS]; /* as list; -1 = not open */
    uint64_t sizes[PASSING_SNAPSHOTS];
    struct segment *segments; /* by rising ordinal */
    uint32_t count;
    uint64_t last_lsn; /* of the log; 0 = it has no group */
    uint64_t copied;
    uint8_t identity[WAL_IDENTITY_SIZE];
};

#define PASSING_NAME "making.tmp"

static enum err fail(struct backup *backup, enum err err, const char *name)
{
    snprintf(backup->error, WAL_ERROR_SIZE, "%s: %s", name, err_text(err));
    return err;
}

/* A place in a segment and what is wrong there. */
static enum err refuse(struct backup *backup, enum err err, const struct segment *segment,
                       uint64_t offset, const char *why)
{
    char name[WAL_NAME_SIZE];
    wal_segment_name(segment->ordinal, name);
    snprintf(backup->error, WAL_ERROR_SIZE,
             "%s, offset %llu: %s: no backup was made; nearshelf check tells more", name,
             (unsigned long long)offset, why);
    return err;
}

static enum err get_identity(struct backup *backup)
{
    size_t size;
    struct wal_identity identity;
    const enum err err = backup->from->ops->get(backup->from, "identity", backup->identity,
                                                sizeof backup->identity, &size);
    if (err != ERR_OK) {
        return fail(backup, err, "identity");
    }
    const enum wal_verdict verdict = size == sizeof backup->identity
                                         ? wal_identity_decode(backup->identity, &identity)
                                         : WAL_VERDICT_BAD;
    return verdict == WAL_VERDICT_OK ? ERR_OK
                                     : fail(backup, verdict == WAL_VERDICT_BAD ? ERR_DAMAGED
                                                                               : ERR_FORMAT,
                                            "identity, offset 0");
}

/* -- opening -- */

static void see(void *owner, const char *name)
{
    struct backup *backup = owner;
    uint64_t ordinal;
    if (!wal_segment_name_parse(name, &ordinal) || backup->count == SEGMENTS_MAX) {
        return;
    }
    uint32_t at = backup->count++;
    for (; at > 0 && backup->segments[at - 1].ordinal > ordinal; at--) {
        backup->segments[at] = backup->segments[at - 1];
    }
    backup->segments[at] = (struct segment){.ordinal = ordinal, .file = -1};
}

static void close_one(struct backup *backup, int *file)
{
    if (*file >= 0) {
        backup->from->ops->close(backup->from, *file);
    }
    *file = -1;
}

static void close_all(struct backup *backup)
{
    for (uint32_t i = 0; i < PASSING_SNAPSHOTS; i++) {
        close_one(backup, &backup->snapshots[i]);
    }
    for (uint32_t i = 0; i < backup->count; i++) {
        close_one(backup, &backup->segments[i].file);
    }
    backup->count = 0;
}

static enum err open_snapshots(struct backup *backup)
{
    enum err err = snapshot_find(backup->from, &backup->list);
    if (err != ERR_OK) {
        return fail(backup, err, "listing the snapshots");
    }
    for (uint32_t i = 0; i < backup->list.count && i < PASSING_SNAPSHOTS; i++) {
        char name[SNAPSHOT_NAME_SIZE];
        snapshot_name(backup->list.lsns[i], name);
        err = backup->from->ops->open(backup->from, name, &backup->snapshots[i],
                                      &backup->sizes[i]);
        if (err != ERR_OK) {
            backup->snapshots[i] = -1;
        }
        if (err != ERR_OK && err != ERR_NOTFOUND) { /* gone: the list will tell */
            return fail(backup, err, name);
        }
    }
    return ERR_OK;
}

/* The engine removes the oldest first: the last one found gone ends it, the rest is whole. */
static enum err open_segments(struct backup *backup)
{
    uint32_t at;
    enum err err = backup->from->ops->list(backup->from, see, backup);
    if (err != ERR_OK) {
        return fail(backup, err, "listing the log");
    }
    for (at = backup->count; at > 0 && err == ERR_OK; at--) {
        char name[WAL_NAME_SIZE];
        struct segment *segment = &backup->segments[at - 1];
        wal_segment_name(segment->ordinal, name);
        err = backup->from->ops->open(backup->from, name, &segment->file, &segment->size);
        if (err != ERR_OK) {
            segment->file = -1;
        }
        if (err != ERR_OK && err != ERR_NOTFOUND) {
            return fail(backup, err, name);
        }
    }
    return ERR_OK;
}

/* With both snapshots there before and after, the log was there from the older one on. */
static enum err open_all(struct backup *backup)
{
    struct snapshot_list after;
    for (;;) {
        enum err err = open_snapshots(backup);
        if (err == ERR_OK) {
            err = open_segments(backup);
        }
        if (err == ERR_OK && snapshot_find(backup->from, &after) != ERR_OK) {
            err = fail(backup, ERR_IO, "listing the snapshots");
        }
        const bool is_same =
            err == ERR_OK && after.count == backup->list.count &&
            memcmp(after.lsns, backup->list.lsns, after.count * sizeof after.lsns[0]) == 0;
        if (err != ERR_OK || is_same) {
            return err;
        }
        close_all(backup);
    }
}

/* -- where the log ends -- */

/* The whole group at offset, if there is one. */
static enum err read_group(struct backup *backup, const struct segment *segment, uint64_t epoch,
                           uint64_t offset, struct wal_group_header *header, bool *is_whole_out)
{
    struct disk *from = backup->from;
    *is_whole_out = false;
    enum err err = from->ops->read(from, segment->file, offset, backup->bytes, WAL_BLOCK_SIZE);
    const enum wal_verdict verdict =
        err == ERR_OK ? wal_group_decode(backup->bytes, epoch, offset, header) : WAL_VERDICT_BAD;
    if (verdict == WAL_VERDICT_VERSION) {
        return refuse(backup, ERR_FORMAT, segment, offset, "group of an unknown format version");
    }
    const uint64_t size = verdict == WAL_VERDICT_OK ? wal_group_size(header->size) : 0;
    if (size > 0 && size <= segment->size - offset) {
        err = from->ops->read(from, segment->file, offset, backup->bytes, size);
        *is_whole_out = err == ERR_OK && wal_group_is_sound(header, backup->bytes);
    }
    return err == ERR_OK ? ERR_OK : refuse(backup, err, segment, offset, err_text(err));
}

/* A header behind the end tells that the group there was durable, but its own. */
static bool is_behind(const struct segment *segment, uint64_t at,
                      const struct wal_group_header *header)
{
    return segment->first ? header->number != segment->last + 1 : at > segment->end;
}

static enum err goes_on(struct backup *backup, const struct segment *segment, uint64_t epoch,
                        bool *goes_on_out)
{
    struct wal_group_header header;
    *goes_on_out = false;
    for (uint64_t at = segment->end; at < segment->size && !*goes_on_out; at += PIECE) {
        const uint64_t left = segment->size - at;
        const uint64_t piece = left < PIECE ? left : PIECE;
        const enum err err =
            backup->from->ops->read(backup->from, segment->file, at, backup->bytes, piece);
        if (err != ERR_OK) {
            return refuse(backup, err, segment, at, err_text(err));
        }
        for (uint64_t i = 0; i < piece; i += WAL_BLOCK_SIZE) {
            const enum wal_verdict verdict =
                wal_group_decode(backup->bytes + i, epoch, at + i, &header);
            *goes_on_out |= verdict == WAL_VERDICT_OK && is_behind(segment, at + i, &header);
        }
    }
    return ERR_OK;
}

/* From segment->end on, as far as groups are whole. */
static enum err walk(struct backup *backup, struct segment *segment, uint64_t epoch)
{
    struct wal_group_header header;
    while (segment->end < segment->size) {
        bool is_whole;
        const enum err err =
            read_group(backup, segment, epoch, segment->end, &header, &is_whole);
        if (err != ERR_OK || !is_whole) {
            return err;
        }
        segment->first = segment->first ? segment->first : header.number;
        segment->last = header.number;
        const uint64_t last_lsn = header.first_lsn + header.count - 1;
        backup->last_lsn = last_lsn > backup->last_lsn ? last_lsn : backup->last_lsn;
        segment->end += wal_group_size(header.size);
    }
    return ERR_OK;
}

/* The newest segment with groups may be written meanwhile: what was not whole, with groups behind
 * it, is looked at once more, and damaged if it still is not. */
static enum err walk_newest(struct backup *backup, struct segment *segment, uint64_t epoch)
{
    for (;;) {
        bool is_more;
        const uint64_t before = segment->end;
        enum err err = goes_on(backup, segment, epoch, &is_more);
        if (err == ERR_OK && is_more) {
            err = walk(backup, segment, epoch);
        }
        if (err != ERR_OK || !is_more) {
            return err;
        }
        if (segment->end == before) {
            return refuse(backup, ERR_DAMAGED, segment, before,
                          "the group here is damaged, yet the log goes on behind it");
        }
    }
}

static enum err find_end(struct backup *backup, struct segment *segment, bool is_newest)
{
    struct wal_segment_header header;
    enum err err = segment->size < WAL_BLOCK_SIZE || segment->size % WAL_BLOCK_SIZE
                       ? ERR_DAMAGED
                       : backup->from->ops->read(backup->from, segment->file, 0, backup->bytes,
                                                 WAL_BLOCK_SIZE);
    if (err != ERR_OK || wal_segment_decode(backup->bytes, &header) != WAL_VERDICT_OK) {
        return refuse(backup, err == ERR_OK ? ERR_DAMAGED : err, segment, 0,
                      "the segment's header cannot be read");
    }
    segment->end = WAL_BLOCK_SIZE;
    err = walk(backup, segment, header.epoch);
    return err == ERR_OK && is_newest ? walk_newest(backup, segment, header.epoch) : err;
}

/* Numbers rise through all segments; a later one may begin with what was written again. */
static enum err find_ends(struct backup *backup)
{
    const struct segment *later = NULL; /* the next one that has groups */
    for (uint32_t i = backup->count; i-- > 0;) {
        struct segment *segment = &backup->segments[i];
        if (segment->file < 0) {
            return ERR_OK;
        }
        const enum err err = find_end(backup, segment, later == NULL);
        if (err != ERR_OK) {
            return err;
        }
        if (later && segment->first && later->first > segment->last + 1) {
            return refuse(backup, ERR_DAMAGED, segment, segment->end,
                          "the group here is damaged or missing, yet the log goes on behind it");
        }
        later = segment->first ? segment : later;
    }
    return ERR_OK;
}

/* What a snapshot holds was in the log, but where history begins with it. */
static enum err check_reach(struct backup *backup)
{
    char name[SNAPSHOT_NAME_SIZE];
    struct snapshot_mark mark;
    const uint64_t lsn = backup->list.count ? backup->list.lsns[0] : 0;
    if (lsn <= backup->last_lsn) {
        return ERR_OK;
    }
    snapshot_name(lsn, name);
    const enum err err = snapshot_peek(backup->from, name, &mark, backup->error);
    if (err != ERR_OK || mark.lsn <= backup->last_lsn ||
        (mark.is_origin && backup->last_lsn == 0)) {
        return err;
    }
    snprintf(backup->error, WAL_ERROR_SIZE,
             "%s, offset 48: the log ends with LSN %llu, before this snapshot: no backup was made; "
             "nearshelf check tells more", name, (unsigned long long)backup->last_lsn);
    return ERR_DAMAGED;
}

/* -- copying -- */

/* Bytes [0, end) of an open file, as a file of size bytes of the same name. */
static enum err copy_bytes(struct backup *backup, int file, const char *name, uint64_t end,
                           uint64_t size)
{
    int made;
    struct disk *to = backup->to;
    enum err err = to->ops->make(to, PASSING_NAME, 0, &made);
    if (err != ERR_OK) {
        return err;
    }
    for (uint64_t at = 0; at < end && err == ERR_OK; at += PIECE) {
        const uint64_t piece = end - at < PIECE ? end - at : PIECE;
        err = backup->from->ops->read(backup->from, file, at, backup->bytes, piece);
        if (err == ERR_OK) {
            err = to->ops->write(to, made, at, backup->bytes, piece);
        }
    }
    if (err == ERR_OK) {
        err = to->ops->finish(to, made, size);
    }
    to->ops->close(to, made);
    backup->copied += end;
    return err == ERR_OK ? to->ops->rename(to, PASSING_NAME, name) : err;
}

static enum err copy_snapshots(struct backup *backup)
{
    for (uint32_t i = 0; i < PASSING_SNAPSHOTS; i++) {
        char name[SNAPSHOT_NAME_SIZE];
        const uint64_t size = backup->sizes[i];
        if (backup->snapshots[i] < 0) {
            continue;
        }
        snapshot_name(backup->list.lsns[i], name);
        const enum err err =
            size % SNAPSHOT_BLOCK ? ERR_DAMAGED
                                  : copy_bytes(backup, backup->snapshots[i], name, size, size);
        if (err != ERR_OK) {
            return fail(backup, err, name);
        }
    }
    return ERR_OK;
}

static enum err copy_segments(struct backup *backup)
{
    for (uint32_t i = 0; i < backup->count; i++) {
        char name[WAL_NAME_SIZE];
        const struct segment *segment = &backup->segments[i];
        if (segment->file < 0) {
            continue;
        }
        wal_segment_name(segment->ordinal, name);
        const enum err err = copy_bytes(backup, segment->file, name, segment->end, segment->size);
        if (err != ERR_OK) {
            return fail(backup, err, name);
        }
    }
    return ERR_OK;
}

static enum err put_identity(struct backup *backup)
{
    const enum err err = backup->to->ops->put(backup->to, "identity", backup->identity,
                                              sizeof backup->identity);
    return err == ERR_OK ? ERR_OK : fail(backup, err, "identity");
}

static enum err copy_all(struct backup *backup)
{
    enum err err = get_identity(backup);
    if (err == ERR_OK) {
        err = open_all(backup);
    }
    if (err == ERR_OK) {
        err = find_ends(backup);
    }
    if (err == ERR_OK) {
        err = check_reach(backup);
    }
    if (err == ERR_OK) {
        err = copy_snapshots(backup);
    }
    if (err == ERR_OK) {
        err = copy_segments(backup);
    }
    close_all(backup);
    return err == ERR_OK ? put_identity(backup) : err; /* last: without it there is no backup */
}

static enum err open_target(const char *dir, struct disk **disk_out, char *error)
{
    uint8_t byte;
    size_t size;
    const struct disk_options where = {
        .dir = dir, .access = DISK_OWNER, .method = DISK_METHOD_FDATASYNC};
    enum err err = disk_pwrite_new(&where, disk_out);
    if (err != ERR_OK) {
        snprintf(error, WAL_ERROR_SIZE, "%s: %s", dir, err_text(err));
        return err;
    }
    if ((*disk_out)->ops->get(*disk_out, "identity", &byte, 1, &size) != ERR_NOTFOUND) {
        (*disk_out)->ops->free(*disk_out);
        snprintf(error, WAL_ERROR_SIZE, "%s has data already: name a new folder", dir);
        return ERR_EXISTS;
    }
    return ERR_OK;
}

static enum err open_source(const char *dir, enum disk_access access, struct disk **disk_out,
                            char *error)
{
    const struct disk_options where = {
        .dir = dir, .access = access, .method = DISK_METHOD_FDATASYNC};
    const enum err err = disk_pwrite_new(&where, disk_out);
    if (err != ERR_OK) {
        snprintf(error, WAL_ERROR_SIZE, "%s: %s%s", dir, err_text(err),
                 err == ERR_LOCKED ? ": an engine has it; make a backup of it first" : "");
    }
    return err;
}

/* All segments are open at once. */
static void raise_files(void)
{
    struct rlimit files;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0) {
        files.rlim_cur = files.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &files);
    }
}

static enum err backup_between(struct backup *backup)
{
    void *bytes = NULL;
    backup->segments = malloc(SEGMENTS_MAX * sizeof *backup->segments);
    if (!backup->segments ||
        posix_memalign(&bytes, DISK_ALIGN, wal_group_size(WAL_PAYLOAD_SIZE_MAX)) != 0) {
        free(backup->segments);
        return fail(backup, ERR_NOMEM, "backup");
    }
    backup->bytes = bytes;
    raise_files();
    const enum err err = copy_all(backup);
    free(bytes);
    free(backup->segments);
    return err;
}

enum err folder_backup(const char *dir, const char *target, FILE *out, char error[WAL_ERROR_SIZE])
{
    struct backup backup = {.out = out, .error = error, .snapshots = {-1, -1}};
    error[0] = '\0';
    enum err err = open_source(dir, DISK_GLANCE, &backup.from, error);
    if (err != ERR_OK) {
        return err;
    }
    err = open_target(target, &backup.to, error);
    if (err == ERR_OK) {
        err = backup_between(&backup);
        backup.to->ops->free(backup.to);
    }
    backup.from->ops->free(backup.from);
    if (err == ERR_OK) {
        fprintf(out, "backup: %llu bytes of snapshots and log in %s\n",
                (unsigned long long)backup.copied, target);
    }
    return err;
}

/* -- restore -- */

/* The state as the first snapshot of a new history. */
static enum err write_origin(struct disk *to, const struct tables *tables,
                             const struct wal_identity *old, const struct recovery_found *found,
                             char *error)
{
    char name[SNAPSHOT_NAME_SIZE];
    uint8_t bytes[WAL_IDENTITY_SIZE];
    struct snapshot_written written;
    struct wal_identity identity = *old;
    enum err err = to->ops->random(to, identity.uuid, sizeof identity.uuid);
    if (err != ERR_OK) {
        return err;
    }
    struct snapshot_mark mark = {.lsn = found->log.last_lsn,
                                 .time_ms = found->log.last_time_ms,
                                 .state_ms = tables->time_ms,
                                 .group_number = found->log.group_number,
                                 .chain = wal_chain_seed(identity.uuid),
                                 .digest = tables->digest,
                                 .is_origin = true};
    memcpy(mark.uuid, identity.uuid, sizeof mark.uuid);
    err = snapshot_write(to, tables, &mark, 0, &written, error);
    if (err == ERR_OK) {
        snapshot_name(mark.lsn, name);
        err = to->ops->rename(to, SNAPSHOT_TMP_NAME, name);
    }
    if (err == ERR_OK) {
        wal_identity_encode(&identity, bytes);
        err = to->ops->put(to, "identity", bytes, sizeof bytes); /* last: now it is a folder */
    }
    return err;
}

/* Whether what was asked for is in the backup. A time may lie behind its last record: nothing has
 * happened since. An LSN may not: whoever names it means a record that is not there. */
static enum err bound_is_there(const struct wal_recovery *found, const struct wal_until *until,
                               char *error)
{
    if (found->group_number == 0) {
        snprintf(error, WAL_ERROR_SIZE, "the backup has nothing from before that moment");
        return ERR_NOTFOUND;
    }
    if (until->time_ms == UINT64_MAX && until->lsn != UINT64_MAX && found->last_lsn < until->lsn) {
        snprintf(error, WAL_ERROR_SIZE, "the backup ends with LSN %llu, before LSN %llu",
                 (unsigned long long)found->last_lsn, (unsigned long long)until->lsn);
        return ERR_NOTFOUND;
    }
    return ERR_OK;
}

static enum err restore_between(struct disk *from, struct disk *to, const struct wal_until *until,
                                const struct tables_options *options, FILE *out, char *error)
{
    struct wal *wal;
    struct tables tables;
    struct recovery_found found;
    const struct wal_options reader = {.disk = from, .is_reader = true};
    const struct recovery_options recovery = {.tables = *options, .until = until};
    enum err err = wal_open(&reader, error, &wal);
    if (err != ERR_OK) {
        return err;
    }
    err = recovery_run(wal, &recovery, &tables, &found, error);
    if (err == ERR_OK) {
        err = bound_is_there(&found.log, until, error);
        if (err == ERR_OK) {
            err = write_origin(to, &tables, wal_identity(wal), &found, error);
        }
        tables_close(&tables);
    }
    if (err == ERR_OK) {
        fprintf(out, "restored up to lsn %llu, time %llu\n",
                (unsigned long long)found.log.last_lsn,
                (unsigned long long)found.log.last_time_ms);
    }
    wal_close(wal);
    return err;
}

enum err folder_restore(const char *backup, const char *dir, const struct wal_until *until,
                        const struct tables_options *tables, FILE *out, char error[WAL_ERROR_SIZE])
{
    struct disk *from;
    struct disk *to;
    error[0] = '\0';
    enum err err = open_source(backup, DISK_LOOK, &from, error);
    if (err != ERR_OK) {
        return err;
    }
    err = open_target(dir, &to, error);
    if (err == ERR_OK) {
        err = restore_between(from, to, until, tables, out, error);
        to->ops->free(to);
    }
    from->ops->free(from);
    if (err != ERR_OK && !error[0]) {
        snprintf(error, WAL_ERROR_SIZE, "%s: %s", dir, err_text(err));
    }
    return err;
}
