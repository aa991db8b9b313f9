/* A place in the log: segment, offset, number of the group expected there. Where that group is not,
 * the log goes on in a later segment that begins with it, or has not gone on yet. A segment's copy
 * of groups that a recovery wrote again elsewhere says the same as the new one: either will do. */
#include "wal_cursor.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "wal_format.h"

enum { FIRST_READ = 64 << 10 };

struct cursor_segment {
    uint64_t ordinal, epoch, size;
    uint64_t first_number, first_lsn; /* 0 = it has no group yet */
};

struct wal_cursor {
    struct disk *disk;
    struct cursor_segment *segments;
    uint32_t count, room;
    bool is_out_of_memory;
    int file; /* of the segment below; -1 = not placed */
    struct cursor_segment at;
    uint64_t offset;
    uint64_t number;   /* expected at offset */
    uint64_t next_lsn; /* behind the last group that was read */
    uint8_t *bytes;
    uint64_t bytes_room;
};

enum err wal_cursor_new(struct disk *disk, struct wal_cursor **cursor_out)
{
    struct wal_cursor *cursor = calloc(1, sizeof *cursor);
    if (!cursor) {
        return ERR_NOMEM;
    }
    cursor->disk = disk;
    cursor->file = -1;
    *cursor_out = cursor;
    return ERR_OK;
}

static void leave(struct wal_cursor *cursor)
{
    if (cursor->file >= 0) {
        cursor->disk->ops->close(cursor->disk, cursor->file);
    }
    cursor->file = -1;
}

void wal_cursor_free(struct wal_cursor *cursor)
{
    if (cursor) {
        leave(cursor);
        free(cursor->segments);
        free(cursor->bytes);
        free(cursor);
    }
}

static enum err reserve(struct wal_cursor *cursor, uint64_t size)
{
    void *bytes;
    if (size <= cursor->bytes_room) {
        return ERR_OK;
    }
    if (posix_memalign(&bytes, DISK_ALIGN, size) != 0) {
        return ERR_NOMEM;
    }
    free(cursor->bytes);
    cursor->bytes = bytes;
    cursor->bytes_room = size;
    return ERR_OK;
}

/* The group at offset of an open segment; *is_whole_out false: none that is whole. */
static enum err read_group(struct wal_cursor *cursor, int file,
                           const struct cursor_segment *segment, uint64_t offset,
                           struct wal_group_header *header, bool *is_whole_out)
{
    const uint64_t left = segment->size > offset ? segment->size - offset : 0;
    const uint64_t first = left < FIRST_READ ? left : FIRST_READ;
    *is_whole_out = false;
    if (first < WAL_BLOCK_SIZE) {
        return ERR_OK;
    }
    enum err err = reserve(cursor, FIRST_READ);
    if (err == ERR_OK) {
        err = cursor->disk->ops->read(cursor->disk, file, offset, cursor->bytes, first);
    }
    if (err != ERR_OK ||
        wal_group_decode(cursor->bytes, segment->epoch, offset, header) != WAL_VERDICT_OK) {
        return err;
    }
    const uint64_t size = wal_group_size(header->size);
    if (size > left) {
        return ERR_OK;
    }
    if (size > first) {
        err = reserve(cursor, size);
        if (err == ERR_OK) {
            err = cursor->disk->ops->read(cursor->disk, file, offset, cursor->bytes, size);
        }
    }
    *is_whole_out = err == ERR_OK && wal_group_is_sound(header, cursor->bytes);
    return err;
}

/* -- which segments there are -- */

static void see(void *owner, const char *name)
{
    struct wal_cursor *cursor = owner;
    uint64_t ordinal;
    if (!wal_segment_name_parse(name, &ordinal) || cursor->is_out_of_memory) {
        return;
    }
    if (cursor->count == cursor->room) {
        const uint32_t room = cursor->room ? cursor->room * 2 : 64;
        struct cursor_segment *grown = realloc(cursor->segments, room * sizeof *grown);
        cursor->is_out_of_memory = !grown;
        if (!grown) {
            return;
        }
        cursor->segments = grown;
        cursor->room = room;
    }
    cursor->segments[cursor->count++] = (struct cursor_segment){.ordinal = ordinal};
}

static enum err open_segment(struct wal_cursor *cursor, struct cursor_segment *segment,
                             int *file_out)
{
    char name[WAL_NAME_SIZE];
    struct wal_segment_header header;
    wal_segment_name(segment->ordinal, name);
    enum err err = cursor->disk->ops->open(cursor->disk, name, file_out, &segment->size);
    if (err != ERR_OK) {
        return err;
    }
    err = reserve(cursor, FIRST_READ);
    if (err == ERR_OK) {
        err = cursor->disk->ops->read(cursor->disk, *file_out, 0, cursor->bytes, WAL_BLOCK_SIZE);
    }
    if (err == ERR_OK && wal_segment_decode(cursor->bytes, &header) != WAL_VERDICT_OK) {
        err = ERR_DAMAGED;
    }
    segment->epoch = header.epoch;
    if (err != ERR_OK) {
        cursor->disk->ops->close(cursor->disk, *file_out);
    }
    return err;
}

static enum err look_at(struct wal_cursor *cursor, struct cursor_segment *segment)
{
    int file;
    bool is_whole;
    struct wal_group_header header;
    enum err err = open_segment(cursor, segment, &file);
    if (err != ERR_OK) {
        return err == ERR_NOTFOUND ? ERR_OK : err; /* it was just removed */
    }
    err = read_group(cursor, file, segment, WAL_BLOCK_SIZE, &header, &is_whole);
    if (is_whole) {
        segment->first_number = header.number;
        segment->first_lsn = header.first_lsn;
    }
    cursor->disk->ops->close(cursor->disk, file);
    return err;
}

static enum err look(struct wal_cursor *cursor)
{
    cursor->count = 0;
    cursor->is_out_of_memory = false;
    enum err err = cursor->disk->ops->list(cursor->disk, see, cursor);
    err = cursor->is_out_of_memory ? ERR_NOMEM : err;
    for (uint32_t i = 0; i < cursor->count && err == ERR_OK; i++) {
        err = look_at(cursor, &cursor->segments[i]);
    }
    return err;
}

/* -- placing -- */

static enum err place(struct wal_cursor *cursor, const struct cursor_segment *segment)
{
    leave(cursor);
    cursor->at = *segment;
    const enum err err = open_segment(cursor, &cursor->at, &cursor->file);
    if (err != ERR_OK) {
        cursor->file = -1;
        return err;
    }
    cursor->offset = WAL_BLOCK_SIZE;
    cursor->number = segment->first_number;
    cursor->next_lsn = segment->first_lsn;
    return ERR_OK;
}

/* The last segment that begins at or before from_lsn. */
static enum err seek(struct wal_cursor *cursor, uint64_t from_lsn, uint64_t *oldest_lsn_out)
{
    const struct cursor_segment *best = NULL;
    uint64_t oldest = 0;
    const enum err err = look(cursor);
    for (uint32_t i = 0; i < cursor->count; i++) {
        const struct cursor_segment *segment = &cursor->segments[i];
        if (segment->first_number == 0) {
            continue;
        }
        oldest = oldest == 0 || segment->first_lsn < oldest ? segment->first_lsn : oldest;
        if (segment->first_lsn <= from_lsn && (!best || segment->ordinal > best->ordinal)) {
            best = segment;
        }
    }
    *oldest_lsn_out = oldest;
    if (err != ERR_OK) {
        return err;
    }
    if (!best) {
        return oldest ? ERR_CLOSED : ERR_NOTFOUND;
    }
    return place(cursor, best);
}

/* The last later segment that begins with the group expected, or with one before it that was
 * written again there: those are walked over. ERR_NOTFOUND: not yet. */
static enum err go_on_elsewhere(struct wal_cursor *cursor)
{
    const struct cursor_segment *best = NULL;
    const enum err err = look(cursor);
    for (uint32_t i = 0; i < cursor->count; i++) {
        const struct cursor_segment *segment = &cursor->segments[i];
        const bool fits = segment->first_number > 0 && segment->first_number <= cursor->number &&
                          segment->ordinal > cursor->at.ordinal;
        best = fits && (!best || segment->ordinal > best->ordinal) ? segment : best;
    }
    if (err != ERR_OK) {
        return err;
    }
    return best ? place(cursor, best) : ERR_NOTFOUND;
}

/* -- reading -- */

/* The group at the place, if it is durable; the place moves behind it. */
static enum err take(struct wal_cursor *cursor, uint64_t durable_lsn,
                     struct wal_group_header *header)
{
    bool is_whole = false;
    enum err err = ERR_OK;
    for (;;) {
        err = read_group(cursor, cursor->file, &cursor->at, cursor->offset, header, &is_whole);
        if (err != ERR_OK || (is_whole && header->number == cursor->number)) {
            break;
        }
        err = go_on_elsewhere(cursor); /* to a larger ordinal each time */
        if (err != ERR_OK) {
            break;
        }
    }
    if (err != ERR_OK) {
        return err;
    }
    if (header->first_lsn + header->count > durable_lsn + 1) {
        return ERR_NOTFOUND;
    }
    cursor->offset += wal_group_size(header->size);
    cursor->number++;
    cursor->next_lsn = header->first_lsn + header->count;
    return ERR_OK;
}

enum err wal_cursor_read(struct wal_cursor *cursor, uint64_t from_lsn, uint64_t durable_lsn,
                         struct wal_cursor_group *group_out, uint64_t *oldest_lsn_out)
{
    struct wal_group_header header;
    enum err err = ERR_OK;
    *oldest_lsn_out = 0;
    CHECK(from_lsn > 0);
    if (from_lsn > durable_lsn) {
        return ERR_NOTFOUND;
    }
    if (cursor->file < 0 || cursor->next_lsn != from_lsn) {
        err = seek(cursor, from_lsn, oldest_lsn_out);
    }
    while (err == ERR_OK) {
        err = take(cursor, durable_lsn, &header);
        if (err == ERR_OK && header.count > 0 && cursor->next_lsn > from_lsn) {
            *group_out = (struct wal_cursor_group){header.first_lsn, header.count, header.time_ms,
                                                   cursor->bytes + WAL_GROUP_HEADER_SIZE,
                                                   header.size};
            return ERR_OK;
        }
    }
    return err;
}
