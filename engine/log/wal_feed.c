/* A window on one segment, moved over its groups until the one that holds the LSN is in it whole.
 *
 * Where the last answers were is remembered, so that several readers, each at its own place, do
 * not make the feed walk a segment from its begin each time. Whatever was durable when the window
 * was read stays as it is in it; what was not is read again. */
#include "wal_feed.h"

#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "check.h"
#include "disk_folder.h"
#include "disk_worker.h"
#include "wal_internal.h"

enum { WINDOW_SIZE = 256 << 10, MARKS = 32 };

/* A group begins at offset with first_lsn. */
struct feed_mark {
    uint64_t ordinal;
    uint64_t first_lsn; /* 0 = unused */
    uint64_t offset;
};

struct feed_ask {
    uint64_t ordinal;
    uint64_t lsn;
    uint64_t end_lsn; /* the first one that stands in a later segment, or is not durable */
};

struct wal_feed {
    /* -- set at start -- */
    struct disk *disk; /* NULL: folder and worker */
    struct folder folder;
    struct worker worker;
    int event_fd;
    uint8_t context_type;
    /* -- loop thread -- */
    bool is_busy;
    bool is_answered; /* with a disk given */
    /* -- of the ask: the worker's while it runs, else the loop's -- */
    struct feed_ask ask;
    struct wal_feed_part part;
    enum err result;
    int file; /* -1: none is open */
    uint64_t ordinal;
    uint64_t size;
    uint64_t epoch;
    uint8_t *window;
    uint64_t window_room;
    uint64_t window_at;
    uint64_t window_size;
    uint64_t window_end_lsn; /* records below it were durable when the window was read */
    struct feed_mark marks[MARKS];
    uint32_t next_mark;
};

/* -- files -- */

static void file_close(struct wal_feed *feed)
{
    if (feed->file < 0) {
        return;
    }
    if (feed->disk) {
        feed->disk->ops->close(feed->disk, feed->file);
    } else {
        close(feed->file);
    }
    feed->file = -1;
}

static enum err file_open(struct wal_feed *feed, uint64_t ordinal)
{
    char name[WAL_NAME_SIZE];
    file_close(feed);
    wal_segment_name(ordinal, name);
    feed->window_size = 0;
    feed->ordinal = ordinal;
    return feed->disk ? feed->disk->ops->open(feed->disk, name, &feed->file, &feed->size)
                      : folder_file_open(&feed->folder, name, &feed->file, &feed->size);
}

static enum err file_read(struct wal_feed *feed, uint64_t offset, uint64_t size)
{
    return feed->disk ? feed->disk->ops->read(feed->disk, feed->file, offset, feed->window, size)
                      : folder_read(feed->file, offset, feed->window, size);
}

/* -- the window -- */

static enum err window_grow(struct wal_feed *feed, uint64_t size)
{
    if (size <= feed->window_room) {
        return ERR_OK;
    }
    free(feed->window);
    feed->window_size = 0;
    feed->window = aligned_alloc(DISK_ALIGN, size);
    feed->window_room = feed->window ? size : 0;
    return feed->window ? ERR_OK : ERR_NOMEM;
}

/* Have bytes [offset, offset + size) in the window: both multiples of the block. */
static enum err window_get(struct wal_feed *feed, uint64_t offset, uint64_t size,
                           const uint8_t **bytes_out)
{
    if (offset > feed->size || size > feed->size - offset) {
        return ERR_DAMAGED;
    }
    if (offset < feed->window_at ||
        offset + size > feed->window_at + feed->window_size) {
        uint64_t wanted = size > WINDOW_SIZE ? size : WINDOW_SIZE;
        wanted = wanted < feed->size - offset ? wanted : feed->size - offset;
        enum err err = window_grow(feed, wanted);
        feed->window_size = 0;
        if (err == ERR_OK) {
            err = file_read(feed, offset, wanted);
        }
        if (err != ERR_OK) {
            return err;
        }
        feed->window_at = offset;
        feed->window_size = wanted;
        feed->window_end_lsn = feed->ask.end_lsn;
    }
    *bytes_out = feed->window + (offset - feed->window_at);
    return ERR_OK;
}

static enum err segment_need(struct wal_feed *feed)
{
    const uint8_t *block;
    struct wal_segment_header header;
    if (feed->file >= 0 && feed->ordinal == feed->ask.ordinal) {
        return ERR_OK;
    }
    enum err err = file_open(feed, feed->ask.ordinal);
    if (err == ERR_OK) {
        err = window_get(feed, 0, WAL_BLOCK_SIZE, &block);
    }
    if (err == ERR_OK && wal_segment_decode(block, &header) != WAL_VERDICT_OK) {
        err = ERR_DAMAGED;
    }
    if (err != ERR_OK) {
        file_close(feed);
        return err;
    }
    feed->epoch = header.epoch;
    return ERR_OK;
}

/* -- places -- */

static uint64_t mark_find(const struct wal_feed *feed)
{
    const struct feed_mark *best = NULL;
    for (uint32_t i = 0; i < MARKS; i++) {
        const struct feed_mark *mark = &feed->marks[i];
        if (mark->first_lsn && mark->ordinal == feed->ask.ordinal &&
            mark->first_lsn <= feed->ask.lsn && (!best || best->first_lsn < mark->first_lsn)) {
            best = mark;
        }
    }
    return best ? best->offset : WAL_BLOCK_SIZE;
}

static void mark_put(struct wal_feed *feed, const struct wal_group_header *header)
{
    for (uint32_t i = 0; i < MARKS; i++) {
        if (feed->marks[i].ordinal == feed->ordinal && feed->marks[i].offset == header->offset) {
            return;
        }
    }
    feed->marks[feed->next_mark++ % MARKS] =
        (struct feed_mark){feed->ordinal, header->first_lsn, header->offset};
}

/* -- records -- */

static uint32_t record_size(const uint8_t *record)
{
    return WAL_RECORD_HEADER_SIZE + wal_record_size(record);
}

/* The records of a sound group from the one asked for on. */
static void part_cut(struct wal_feed *feed, const struct wal_group_header *header,
                     const uint8_t *group)
{
    const uint8_t *at = group + WAL_GROUP_HEADER_SIZE;
    struct wal_feed_part *part = &feed->part;
    uint64_t lsn = header->first_lsn;
    const uint64_t end = header->first_lsn + header->count;
    *part = (struct wal_feed_part){.lsn = feed->ask.lsn, .time_ms = header->time_ms};
    for (; lsn < feed->ask.lsn; lsn++, at += record_size(at)) {
        part->context = at[0] == feed->context_type ? at : part->context;
    }
    part->bytes = at;
    for (; lsn < end && (part->count == 0 || at - part->bytes < WAL_FEED_BYTES); lsn++) {
        part->count++;
        at += record_size(at);
    }
}

/* The group at *offset: told if it holds the LSN, else stepped over. */
static enum err group_look(struct wal_feed *feed, uint64_t *offset, bool *is_found_out)
{
    const uint8_t *bytes;
    struct wal_group_header header;
    enum err err = window_get(feed, *offset, WAL_BLOCK_SIZE, &bytes);
    if (err != ERR_OK) {
        return err;
    }
    if (wal_group_decode(bytes, feed->epoch, *offset, &header) != WAL_VERDICT_OK ||
        header.first_lsn > feed->ask.lsn) {
        return ERR_DAMAGED;
    }
    if (header.first_lsn + header.count <= feed->ask.lsn) {
        *offset += wal_group_size(header.size);
        return ERR_OK;
    }
    err = window_get(feed, *offset, wal_group_size(header.size), &bytes);
    if (err == ERR_OK && !wal_group_is_sound(&header, bytes)) {
        err = ERR_DAMAGED;
    }
    if (err == ERR_OK) {
        mark_put(feed, &header);
        part_cut(feed, &header, bytes);
        *is_found_out = true;
    }
    return err;
}

static enum err feed_read(void *owner)
{
    struct wal_feed *feed = owner;
    enum err err = segment_need(feed);
    if (feed->ask.lsn >= feed->window_end_lsn) {
        feed->window_size = 0; /* it was not durable yet when that was read */
    }
    uint64_t offset = mark_find(feed);
    bool is_found = false;
    while (err == ERR_OK && !is_found) { /* ends: each group is further on in the file */
        err = group_look(feed, &offset, &is_found);
    }
    return err;
}

/* -- asking -- */

uint64_t wal_feed_oldest(const struct wal *wal)
{
    for (uint32_t i = 0; i < wal->span_count; i++) {
        if (wal->spans[i].first_number) {
            return wal->spans[i].first_lsn;
        }
    }
    return wal->lsn_durable + 1;
}

uint64_t wal_feed_before(const struct wal *wal, uint64_t lsn)
{
    uint64_t first_lsn = 0;
    for (uint32_t i = 0; i < wal->span_count; i++) {
        const struct wal_span *span = &wal->spans[i];
        if (span->first_number && span->first_lsn < lsn) {
            first_lsn = span->first_lsn;
        }
    }
    return first_lsn;
}

/* The last segment that begins with the LSN or before it: what stands there supersedes what an
 * earlier one has of it. */
static void ask_fill(const struct wal *wal, uint64_t lsn, struct feed_ask *ask)
{
    *ask = (struct feed_ask){.lsn = lsn, .end_lsn = wal->lsn_durable + 1};
    for (uint32_t i = 0; i < wal->span_count; i++) {
        const struct wal_span *span = &wal->spans[i];
        if (span->first_number && span->first_lsn <= lsn) {
            ask->ordinal = span->ordinal;
        }
    }
}

void wal_feed_ask(struct wal_feed *feed, const struct wal *wal, uint64_t lsn)
{
    CHECK(!feed->is_busy);
    CHECK(lsn >= wal_feed_oldest(wal));
    CHECK(lsn <= wal->lsn_durable);
    feed->is_busy = true;
    ask_fill(wal, lsn, &feed->ask);
    if (feed->disk) {
        feed->result = feed_read(feed);
        feed->is_answered = true;
    } else {
        worker_ask(&feed->worker, feed_read, feed);
    }
}

bool wal_feed_is_busy(const struct wal_feed *feed)
{
    return feed->is_busy;
}

/* The file stays open on an answer; after an error the next ask begins anew. */
bool wal_feed_take(struct wal_feed *feed, enum err *err_out, struct wal_feed_part *part_out)
{
    uint64_t rings;
    if (!feed->is_busy) {
        return false;
    }
    if (!feed->disk) {
        (void)!read(feed->event_fd, &rings, sizeof rings);
        feed->is_answered = worker_take(&feed->worker, &feed->result);
    }
    if (!feed->is_answered) {
        return false;
    }
    feed->is_answered = feed->is_busy = false;
    *err_out = feed->result;
    *part_out = feed->part;
    if (feed->result != ERR_OK) {
        file_close(feed);
    }
    return true;
}

int wal_feed_fd(const struct wal_feed *feed)
{
    return feed->event_fd;
}

/* -- life -- */

static enum err thread_begin(struct wal_feed *feed, const struct wal_feed_options *options)
{
    enum err err = folder_open(&feed->folder, options->dir, DISK_GLANCE, options->force_buffered);
    feed->event_fd = err == ERR_OK ? eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK) : -1;
    if (err == ERR_OK && feed->event_fd < 0) {
        err = ERR_SYS;
    }
    return err == ERR_OK ? worker_start(&feed->worker, feed->event_fd, "shelf-feed", false) : err;
}

enum err wal_feed_new(const struct wal_feed_options *options, struct wal_feed **feed_out)
{
    struct wal_feed *feed = calloc(1, sizeof *feed);
    *feed_out = NULL;
    if (!feed) {
        return ERR_NOMEM;
    }
    feed->disk = options->disk;
    feed->context_type = options->context_type;
    feed->file = feed->event_fd = feed->folder.dir_fd = feed->folder.lock_fd = -1;
    enum err err = window_grow(feed, WINDOW_SIZE);
    if (err == ERR_OK && !feed->disk) {
        err = thread_begin(feed, options);
    }
    if (err != ERR_OK) {
        wal_feed_free(feed);
        return err;
    }
    *feed_out = feed;
    return ERR_OK;
}

void wal_feed_free(struct wal_feed *feed)
{
    if (!feed) {
        return;
    }
    worker_stop(&feed->worker);
    file_close(feed);
    if (!feed->disk) {
        folder_close(&feed->folder);
    }
    if (feed->event_fd >= 0) {
        close(feed->event_fd);
    }
    free(feed->window);
    free(feed);
}
