/* Which groups count. The rules are those of README.md, "Reading"; in short:
 *
 *   - Segments are read by ordinal. The first group of a segment, if sound, supersedes everything
 *     from its number on in earlier segments: it was written again there by a recovery.
 *   - Where the next group expected is not sound, the log ends, or is damaged. It ends there (torn
 *     tail) only if no header that verifies, at any later block of this or a later segment, tells
 *     of a group behind it: with one group in flight, such a header proves that the missing group
 *     was durable once (invariant 7). Stamps need no look of their own: one that covers the missing
 *     group stands in a header behind it (condition G5).
 *   - A group that verifies but does not continue the chain is damage wherever it stands. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "wal_reading_internal.h"

#define NONE UINT64_MAX

static enum err damaged(struct wal_reading *reading, enum err err, uint64_t ordinal,
                        uint64_t offset, const char *why)
{
    char name[WAL_NAME_SIZE];
    const uint64_t expected =
        reading->is_linked || !reading->skip_number ? reading->number : reading->skip_number;
    wal_segment_name(ordinal, name);
    return wal_fail(reading->wal, err,
                    "%s, offset %llu: %s (expected group %llu with LSN %llu). Nothing was changed. "
                    "Restore this file from a copy, or keep the folder and ask",
                    name, (unsigned long long)offset, why, (unsigned long long)expected,
                    (unsigned long long)reading->lsn);
}

/* -- finding the segments -- */

static void see_file(void *owner, const char *name)
{
    struct wal_reading *reading = owner;
    uint64_t ordinal;
    if (!wal_segment_name_parse(name, &ordinal) || reading->is_out_of_memory) {
        return;
    }
    if (reading->count == reading->room) {
        const uint32_t room = reading->room ? reading->room * 2 : 64;
        struct wal_found *grown = realloc(reading->segments, room * sizeof *grown);
        if (!grown) {
            reading->is_out_of_memory = true;
            return;
        }
        reading->segments = grown;
        reading->room = room;
    }
    reading->segments[reading->count++] = (struct wal_found){.ordinal = ordinal};
}

static int compare_ordinals(const void *a, const void *b)
{
    const struct wal_found *left = a;
    const struct wal_found *right = b;
    return (left->ordinal > right->ordinal) - (left->ordinal < right->ordinal);
}

static enum err find_segments(struct wal_reading *reading)
{
    struct disk *disk = reading->wal->disk;
    const enum err err = disk->ops->list(disk, see_file, reading);
    if (err != ERR_OK) {
        return wal_fail(reading->wal, err, "listing the data folder: %s", err_text(err));
    }
    if (reading->is_out_of_memory) {
        return wal_fail(reading->wal, ERR_NOMEM, "no memory to list the log");
    }
    if (reading->count) {
        qsort(reading->segments, reading->count, sizeof reading->segments[0], compare_ordinals);
    }
    return ERR_OK;
}

static enum err read_segment_header(struct wal_reading *reading, struct wal_found *segment)
{
    uint8_t *block;
    struct wal_segment_header header;
    const uint64_t ordinal = segment->ordinal;
    if (segment->size < WAL_BLOCK_SIZE || segment->size % WAL_BLOCK_SIZE) {
        return damaged(reading, ERR_DAMAGED, ordinal, 0, "not of a segment's size");
    }
    const enum err err = wal_reading_get(reading, 0, WAL_BLOCK_SIZE, &block);
    if (err != ERR_OK) {
        return err;
    }
    const enum wal_verdict verdict = wal_segment_decode(block, &header);
    if (verdict == WAL_VERDICT_VERSION) {
        return damaged(reading, ERR_FORMAT, ordinal, 0, "segment of an unknown format version");
    }
    if (verdict == WAL_VERDICT_BAD) {
        return damaged(reading, ERR_DAMAGED, ordinal, 0, "segment header is damaged");
    }
    if (memcmp(header.uuid, reading->wal->identity.uuid, 16) != 0) {
        return damaged(reading, ERR_DAMAGED, ordinal, 0, "segment of another data folder");
    }
    if (header.size != segment->size) {
        return damaged(reading, ERR_DAMAGED, ordinal, segment->size,
                       "the file does not have the size that its header tells");
    }
    segment->epoch = header.epoch;
    return ERR_OK;
}

/* -- one group -- */

/* Header at offset of the open segment, whole or not. */
static enum err peek(struct wal_reading *reading, uint64_t offset, enum wal_verdict *verdict_out,
                     struct wal_group_header *header_out)
{
    uint8_t *block;
    const enum err err = wal_reading_get(reading, offset, WAL_BLOCK_SIZE, &block);
    if (err == ERR_OK) {
        *verdict_out =
            wal_group_decode(block, reading->segments[reading->index].epoch, offset, header_out);
    }
    return err;
}

/* The same with its payload: *bytes_out is NULL when the group is not sound. */
static enum err load(struct wal_reading *reading, uint64_t offset,
                     struct wal_group_header *header_out, uint8_t **bytes_out)
{
    enum wal_verdict verdict;
    const struct wal_found *segment = &reading->segments[reading->index];
    *bytes_out = NULL;
    enum err err = peek(reading, offset, &verdict, header_out);
    if (err != ERR_OK || verdict == WAL_VERDICT_BAD) {
        return err;
    }
    if (verdict == WAL_VERDICT_VERSION) {
        return damaged(reading, ERR_FORMAT, segment->ordinal, offset,
                       "group of an unknown format version");
    }
    const uint64_t size = wal_group_size(header_out->size);
    if (size > segment->size - offset) {
        return ERR_OK;
    }
    uint8_t *bytes;
    err = wal_reading_get(reading, offset, size, &bytes);
    if (err == ERR_OK && wal_group_is_sound(header_out, bytes)) {
        *bytes_out = bytes;
    }
    return err;
}

static enum err read_heads(struct wal_reading *reading)
{
    struct wal_group_header header;
    uint8_t *bytes;
    for (uint32_t i = 0; i < reading->count; i++) {
        struct wal_found *segment = &reading->segments[i];
        enum err err = wal_reading_open(reading, i);
        if (err == ERR_OK) {
            err = read_segment_header(reading, segment);
        }
        if (err == ERR_OK && segment->size > WAL_BLOCK_SIZE) {
            err = load(reading, WAL_BLOCK_SIZE, &header, &bytes);
            segment->first_number = err == ERR_OK && bytes ? header.number : 0;
            segment->first_lsn = header.first_lsn;
            segment->first_time_ms = header.time_ms;
        }
        if (err != ERR_OK) {
            return err;
        }
    }
    return ERR_OK;
}

static const char *break_of(const struct wal_reading *reading,
                            const struct wal_group_header *header)
{
    if (header->number != reading->number) {
        return "a sound group of another number stands here";
    }
    if (header->chain != reading->chain) {
        return "this group does not follow the one before (chain)";
    }
    if (header->first_lsn != reading->lsn) {
        return "this group does not follow the one before (LSN)";
    }
    if (header->time_ms < reading->found->last_time_ms) {
        return "engine time runs backward";
    }
    return NULL;
}

static bool is_whole(const struct wal_reading *reading, const struct wal_group_header *header)
{
    return header->first_lsn + header->count <= reading->until.lsn ||
           header->first_lsn + header->count - 1 == reading->until.lsn;
}

/* Where the record is that is told ahead. */
struct lead {
    uint64_t at; /* in the payload */
    uint64_t told;
};

static void lead_to(const struct wal_reading *reading, const uint8_t *payload, uint64_t count,
                    uint64_t wanted, struct lead *lead)
{
    for (; lead->told < wanted; lead->told++) {
        const uint8_t *record = payload + lead->at;
        if (lead->told >= count) {
            reading->wal->ahead(reading->owner, 0, NULL, 0);
            continue;
        }
        const uint32_t size = wal_record_size(record);
        reading->wal->ahead(reading->owner, record[0], record + WAL_RECORD_HEADER_SIZE, size);
        lead->at += WAL_RECORD_HEADER_SIZE + size;
    }
}

static enum err replay(struct wal_reading *reading, const struct wal_group_header *header,
                       const uint8_t *payload)
{
    uint64_t at = 0;
    const bool is_all = is_whole(reading, header);
    const uint64_t count = is_all ? header->count : reading->until.lsn - header->first_lsn + 1;
    struct lead lead = {0, 0};
    for (uint64_t i = 0; i < count; i++) {
        const uint32_t size = wal_record_size(payload + at);
        if (reading->wal->ahead) {
            lead_to(reading, payload, count, i + 1 + reading->wal->ahead_lead, &lead);
        }
        const enum err err =
            reading->replay(reading->owner, header->first_lsn + i, header->time_ms, payload[at],
                            payload + at + WAL_RECORD_HEADER_SIZE, size);
        if (err != ERR_OK) {
            return err;
        }
        at += WAL_RECORD_HEADER_SIZE + size;
    }
    reading->found->is_divided = !is_all;
    return is_all ? reading->group(reading->owner, &header->digest,
                                   header->first_lsn + header->count - 1, header->time_ms)
                  : ERR_OK;
}

/* Drop what the stamp covers by now, then keep this group if it has records or follows one that
 * is kept: what is written again is a whole suffix of the log. In a log that this program wrote it
 * is one group at most, as each stamps all before it. */
static enum err remember_above(struct wal_reading *reading, const struct wal_place *place)
{
    uint32_t covered = 0;
    while (covered < reading->above_count && reading->above[covered].last_lsn <= reading->stamp) {
        covered++;
    }
    const uint32_t kept = reading->above_count - covered;
    if (covered && kept) {
        memmove(reading->above, reading->above + covered, kept * sizeof reading->above[0]);
    }
    reading->above_count = kept;
    if (kept == 0 && place->last_lsn < place->first_lsn) {
        return ERR_OK;
    }
    if (kept == reading->above_room) {
        const uint32_t room = kept ? kept * 2 : 8;
        struct wal_place *grown = realloc(reading->above, room * sizeof *grown);
        if (!grown) {
            return wal_fail(reading->wal, ERR_NOMEM, "no memory to read the log");
        }
        reading->above = grown;
        reading->above_room = room;
    }
    reading->above[reading->above_count++] = *place;
    return ERR_OK;
}

static enum err accept(struct wal_reading *reading, uint64_t offset,
                       const struct wal_group_header *header, const uint8_t *bytes)
{
    const uint64_t ordinal = reading->segments[reading->index].ordinal;
    const char *broken = break_of(reading, header);
    if (broken) {
        return damaged(reading, ERR_DAMAGED, ordinal, offset, broken);
    }
    const enum err err = replay(reading, header, bytes + WAL_GROUP_HEADER_SIZE);
    if (err != ERR_OK) {
        return damaged(reading, err, ordinal, offset,
                       err == ERR_DAMAGED ? "replayed, this group does not give the state that it "
                                            "is stamped with"
                                          : err_text(err));
    }
    reading->stamp = header->durable_lsn > reading->stamp ? header->durable_lsn : reading->stamp;
    reading->is_linked = true;
    reading->walked++;
    reading->number++;
    reading->lsn += header->count;
    reading->chain = wal_group_chain(bytes, header->size);
    reading->found->groups++;
    reading->found->records += header->count;
    reading->found->bytes += wal_group_size(header->size);
    reading->found->last_lsn =
        reading->found->is_divided ? reading->until.lsn : reading->lsn - 1;
    reading->found->group_number = header->number;
    reading->found->chain = reading->chain;
    reading->found->last_time_ms = header->time_ms;
    reading->found->digest = header->digest;
    const struct wal_place place = {reading->index,     offset,           header->size,
                                    header->first_lsn, reading->lsn - 1, header->time_ms};
    return remember_above(reading, &place);
}

/* -- groups that the start holds -- */

/* Whether the start was made at that group, the last that was walked over. The group may have been
 * written again since, by a start that could not read this snapshot: its chain is another one then,
 * and the state that it is stamped with the same. */
static bool is_start_group(const struct wal_reading *reading, const struct wal_group_header *header)
{
    const struct wal_start *start = &reading->wal->start;
    return header->first_lsn + header->count == reading->lsn &&
           (reading->skip_chain == start->chain || digest_equal(&header->digest, &start->digest));
}

/* Walk over a group from before the start; the last of them must be the one that it was made at. */
static enum err pass_over(struct wal_reading *reading, uint64_t offset,
                          const struct wal_group_header *header, const uint8_t *bytes)
{
    const struct wal_start *start = &reading->wal->start;
    const uint64_t ordinal = reading->segments[reading->index].ordinal;
    const bool is_next = reading->skip_number == 0 || (header->number == reading->skip_number &&
                                                       header->chain == reading->skip_chain);
    if (!is_next) {
        return damaged(reading, ERR_DAMAGED, ordinal, offset,
                       "this group does not follow the one before");
    }
    reading->walked++;
    reading->found->passed++;
    reading->skip_number = header->number + 1;
    reading->skip_chain = wal_group_chain(bytes, header->size);
    if (header->number < start->group_number) {
        return ERR_OK;
    }
    if (!is_start_group(reading, header)) {
        return damaged(reading, ERR_DAMAGED, ordinal, offset,
                       "the snapshot was made at another group than this");
    }
    reading->is_linked = true;
    reading->chain = reading->skip_chain;
    reading->found->chain = reading->chain;
    return ERR_OK;
}

static bool is_enough(const struct wal_reading *reading, const struct wal_group_header *header)
{
    return reading->lsn > reading->until.lsn || header->time_ms > reading->until.time_ms;
}

static enum err take(struct wal_reading *reading, uint64_t offset,
                     const struct wal_group_header *header, const uint8_t *bytes)
{
    if (!reading->is_linked && header->number < reading->number) {
        return pass_over(reading, offset, header, bytes);
    }
    reading->is_stopped = is_enough(reading, header);
    return reading->is_stopped ? ERR_OK : accept(reading, offset, header, bytes);
}

/* -- segment by segment -- */

/* Number from which on later segments have it all. */
static uint64_t limit_of(const struct wal_reading *reading, uint32_t index)
{
    uint64_t limit = NONE;
    for (uint32_t i = index + 1; i < reading->count; i++) {
        const uint64_t first = reading->segments[i].first_number;
        if (first && first < limit) {
            limit = first;
        }
    }
    return limit;
}

/* Of the group that stands next, as far as it is known. */
static uint64_t next_number(const struct wal_reading *reading)
{
    const bool is_passing = reading->wal->start.is_whole && !reading->is_linked;
    return is_passing && reading->skip_number ? reading->skip_number
           : is_passing                       ? 0
                                              : reading->number;
}

/* Read groups of one segment until the limit or the first that is not sound. */
static enum err read_segment(struct wal_reading *reading, uint32_t index, uint64_t limit)
{
    struct wal_group_header header;
    uint8_t *bytes;
    uint64_t offset = WAL_BLOCK_SIZE;
    enum err err = wal_reading_open(reading, index);
    while (err == ERR_OK && !reading->is_stopped && next_number(reading) < limit &&
           offset < reading->segments[index].size) {
        err = load(reading, offset, &header, &bytes);
        if (err != ERR_OK || !bytes) {
            break;
        }
        err = take(reading, offset, &header, bytes);
        if (reading->is_stopped) {
            break;
        }
        offset += wal_group_size(header.size);
    }
    reading->end_index = index;
    reading->end_offset = offset;
    return err;
}

static bool is_zero_block(const uint8_t *block)
{
    return block[0] == 0 && memcmp(block, block + 1, WAL_BLOCK_SIZE - 1) == 0;
}

/* Whether nothing was ever written where the log ends: then the missing group began the next
 * segment. */
static enum err is_end_blank(struct wal_reading *reading, bool *is_blank_out)
{
    uint8_t *block;
    *is_blank_out = true;
    if (reading->walked == 0 || reading->end_offset >= reading->segments[reading->end_index].size) {
        return ERR_OK;
    }
    enum err err = wal_reading_open(reading, reading->end_index);
    if (err == ERR_OK) {
        err = wal_reading_get(reading, reading->end_offset, WAL_BLOCK_SIZE, &block);
    }
    *is_blank_out = err == ERR_OK && is_zero_block(block);
    return err;
}

/* Refuse a log that goes on in segment later although the group expected is not sound; name the
 * place where that one should stand. */
static enum err refuse_gap(struct wal_reading *reading, uint32_t later)
{
    bool is_blank;
    uint32_t index = reading->end_index;
    uint64_t offset = reading->end_offset;
    const uint32_t next = reading->walked ? index + 1 : 0;
    const enum err err = is_end_blank(reading, &is_blank);
    if (err != ERR_OK) {
        return err;
    }
    if (is_blank && next <= later) {
        index = next;
        offset = WAL_BLOCK_SIZE;
    }
    return damaged(reading, ERR_DAMAGED, reading->segments[index].ordinal, offset,
                   "the group here is damaged or missing, yet the log goes on behind it");
}

static enum err read_groups(struct wal_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++) {
        const struct wal_found *segment = &reading->segments[i];
        const uint64_t limit = limit_of(reading, i);
        const uint64_t next = next_number(reading);
        if (segment->first_number == 0 || segment->first_number >= limit || limit <= next) {
            continue;
        }
        const bool is_before = !reading->is_linked && segment->first_number < reading->number;
        const bool is_gap = next != 0 && next != reading->number && segment->first_number != next;
        if (is_gap || (segment->first_number != reading->number && !is_before)) {
            return refuse_gap(reading, i);
        }
        const enum err err = read_segment(reading, i, limit);
        if (err != ERR_OK || reading->is_stopped) {
            return err;
        }
    }
    return ERR_OK;
}

/* -- behind the end -- */

/* A header that verifies behind the end may only be that of the torn group itself. */
static bool may_be_torn(const struct wal_reading *reading, const struct wal_group_header *header)
{
    return header->number == reading->number && header->first_lsn == reading->lsn &&
           header->chain == reading->chain;
}

static void note_torn(struct wal_reading *reading, uint64_t ordinal, uint64_t offset)
{
    struct wal_recovery *found = reading->found;
    if (!found->has_torn_tail) {
        found->has_torn_tail = true;
        found->torn_offset = offset;
        wal_segment_name(ordinal, found->torn_file);
    }
}

/* A write of a later group landed here instead of in its own place, as its epoch tells, which is
 * that of one of these segments: the group that was here, or the one expected, was durable. */
static bool is_strayed(const struct wal_reading *reading, const uint8_t *block)
{
    struct wal_group_header header;
    if (wal_group_decode_strayed(block, &header) != WAL_VERDICT_OK ||
        header.number <= reading->number) {
        return false;
    }
    for (uint32_t i = 0; i < reading->count; i++) {
        if (reading->segments[i].epoch == header.epoch) {
            return true;
        }
    }
    return false;
}

static enum err scan_block(struct wal_reading *reading, uint64_t offset, bool *is_zero_out)
{
    struct wal_group_header header;
    enum wal_verdict verdict;
    uint8_t *block;
    const uint64_t ordinal = reading->segments[reading->index].ordinal;
    enum err err = wal_reading_get(reading, offset, WAL_BLOCK_SIZE, &block);
    if (err != ERR_OK || is_zero_block(block)) {
        return err;
    }
    *is_zero_out = false;
    note_torn(reading, ordinal, offset);
    err = peek(reading, offset, &verdict, &header);
    if (err == ERR_OK && verdict == WAL_VERDICT_BAD && is_strayed(reading, block)) {
        return damaged(reading, ERR_DAMAGED, ordinal, offset,
                       "a group of another place was written here, over what was durable");
    }
    if (err != ERR_OK || verdict == WAL_VERDICT_BAD) {
        return err;
    }
    if (verdict == WAL_VERDICT_VERSION) {
        return damaged(reading, ERR_FORMAT, ordinal, offset, "group of an unknown format version");
    }
    return may_be_torn(reading, &header) ? ERR_OK : refuse_gap(reading, reading->index);
}

/* Look at every block from offset of that segment to its end. */
static enum err scan_segment(struct wal_reading *reading, uint32_t index, uint64_t offset,
                             bool *is_zero_out)
{
    enum err err = wal_reading_open(reading, index);
    *is_zero_out = true;
    while (err == ERR_OK && offset < reading->segments[index].size) {
        err = scan_block(reading, offset, is_zero_out);
        offset += WAL_BLOCK_SIZE;
    }
    return err;
}

static enum err scan_behind(struct wal_reading *reading)
{
    if (reading->count == 0) {
        return ERR_OK;
    }
    enum err err =
        scan_segment(reading, reading->end_index, reading->end_offset, &reading->is_rest_zero);
    for (uint32_t i = reading->end_index + 1; err == ERR_OK && i < reading->count; i++) {
        err = scan_segment(reading, i, WAL_BLOCK_SIZE, &reading->segments[i].is_zero);
    }
    return err;
}

/* A log that begins behind the start, or ends before it, is not the one that it was made of. */
static enum err check_linked(struct wal_reading *reading)
{
    const struct wal_start *start = &reading->wal->start;
    if (start->group_number == 0 || reading->is_linked ||
        (start->is_origin && reading->walked == 0 && !reading->found->has_torn_tail)) {
        return ERR_OK;
    }
    if (reading->count == 0) {
        return wal_fail(reading->wal, ERR_DAMAGED,
                        "a snapshot goes up to LSN %llu, but there is no log: put the files "
                        "log-*.seg back",
                        (unsigned long long)start->lsn);
    }
    return damaged(reading, ERR_DAMAGED, reading->segments[reading->end_index].ordinal,
                   reading->end_offset,
                   "the log ends here, before the state of the snapshot that is there");
}

/* A log that ends before what a snapshot tells that it had. */
static enum err check_reach(struct wal_reading *reading)
{
    const uint64_t reach = reading->wal->reach_lsn;
    const uint64_t wanted = reach < reading->until.lsn ? reach : reading->until.lsn;
    if (reading->is_stopped || reading->found->last_lsn >= wanted) {
        return ERR_OK;
    }
    if (reading->count == 0) {
        return wal_fail(reading->wal, ERR_DAMAGED,
                        "a snapshot of LSN %llu cannot be read, and there is no log: put that file "
                        "or the files log-*.seg back",
                        (unsigned long long)reach);
    }
    return damaged(reading, ERR_DAMAGED, reading->segments[reading->end_index].ordinal,
                   reading->end_offset,
                   "the log ends here, before the LSN of a snapshot that cannot be read");
}

static void note_oldest(struct wal_reading *reading)
{
    for (uint32_t i = 0; i < reading->count; i++) {
        if (reading->segments[i].first_number) {
            reading->found->oldest_lsn = reading->segments[i].first_lsn;
            return;
        }
    }
}

static enum err read_log(struct wal_reading *reading)
{
    enum err err = find_segments(reading);
    if (err == ERR_OK) {
        err = read_heads(reading);
        reading->read_size = WAL_READ_SIZE;
        note_oldest(reading);
    }
    if (err == ERR_OK) {
        err = read_groups(reading);
    }
    if (err == ERR_OK && !reading->is_stopped) {
        err = scan_behind(reading);
    }
    if (err == ERR_OK) {
        err = check_linked(reading);
    }
    if (err == ERR_OK) {
        err = check_reach(reading);
    }
    reading->found->segments = reading->count;
    return err;
}

static uint64_t now_us(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000u + (uint64_t)now.tv_nsec / 1000u;
}

void wal_ahead(struct wal *wal, wal_ahead_cb *ahead, uint32_t lead)
{
    CHECK(!wal->is_open);
    wal->ahead = ahead;
    wal->ahead_lead = lead;
}

void wal_start_at(struct wal *wal, const struct wal_start *start)
{
    CHECK(!wal->is_open);
    CHECK(start->group_number > 0);
    wal->start = *start;
}

void wal_reach(struct wal *wal, uint64_t lsn)
{
    CHECK(!wal->is_open);
    wal->reach_lsn = lsn;
}

static void begin(struct wal_reading *reading)
{
    const struct wal_start *start = &reading->wal->start;
    *reading->found = (struct wal_recovery){0};
    reading->file = -1;
    reading->read_size = WAL_READ_SMALL;
    reading->end_offset = WAL_BLOCK_SIZE;
    reading->number = start->group_number + 1;
    reading->lsn = start->lsn + 1;
    reading->stamp = start->lsn; /* a snapshot is made of what is durable */
    reading->chain = start->chain;
    if (start->group_number == 0) {
        reading->chain = wal_chain_seed(reading->wal->identity.uuid);
        return;
    }
    reading->found->last_lsn = start->lsn;
    reading->found->last_time_ms = start->time_ms;
    reading->found->group_number = start->group_number;
    reading->found->chain = start->chain;
    reading->found->digest = start->digest;
}

static void end(struct wal_reading *reading, uint64_t started_us)
{
    wal_reading_close(reading);
    free(reading->window);
    free(reading->segments);
    free(reading->above);
    reading->found->took_us = now_us() - started_us;
}

enum err wal_read(struct wal *wal, const struct wal_until *until, wal_replay_cb *replay_record,
                  wal_group_cb *group, void *owner, struct wal_recovery *found_out)
{
    CHECK(!wal->is_open);
    const uint64_t start = now_us();
    struct wal_reading reading = {.wal = wal, .replay = replay_record, .group = group,
                                  .owner = owner, .found = found_out, .until = *until};
    begin(&reading);
    const enum err err = read_log(&reading);
    end(&reading, start);
    return err;
}

enum err wal_recover(struct wal *wal, wal_replay_cb *replay_record, wal_group_cb *group,
                     void *owner, struct wal_recovery *found_out)
{
    CHECK(!wal->is_open);
    CHECK(!wal->is_reader);
    const uint64_t start = now_us();
    struct wal_reading reading = {.wal = wal, .replay = replay_record, .group = group,
                                  .owner = owner, .found = found_out,
                                  .until = {UINT64_MAX, UINT64_MAX}};
    begin(&reading);
    enum err err = read_log(&reading);
    if (err == ERR_OK) {
        err = wal_resume(wal, &reading);
    }
    end(&reading, start);
    return err;
}
