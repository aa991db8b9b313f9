/* Reading: chunk by chunk through a buffer of one chunk, each looked at whole before a record of
 * it is believed. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"
#include "snapshot.h"

struct snapshot_reader {
    struct image_source source; /* first */
    struct disk *disk;
    const struct snapshot_watch *watch; /* or NULL */
    const char *name;
    char *error; /* SNAPSHOT_ERROR_SIZE */
    int file;
    uint64_t size;   /* of the file */
    uint64_t offset; /* of the next chunk */
    uint8_t *bytes;  /* SNAPSHOT_CHUNK_MAX; the chunk being read */
    bool has_chunk;  /* the head below is that of the chunk at offset, not taken yet */
    bool is_over;    /* the trailer was read */
    uint32_t section; /* of image_sections, being read */
    struct snapshot_chunk chunk;
    uint32_t next_index; /* expected in the section */
    struct snapshot_trailer seen;
};

/* Set the error text; returns err. */
__attribute__((format(printf, 4, 5))) static enum err fail(struct snapshot_reader *reader,
                                                           enum err err, uint64_t offset,
                                                           const char *format, ...)
{
    va_list arguments;
    const int used = snprintf(reader->error, SNAPSHOT_ERROR_SIZE, "%s, offset %llu: ",
                              reader->name, (unsigned long long)offset);
    CHECK(used > 0);
    CHECK(used < SNAPSHOT_ERROR_SIZE);
    va_start(arguments, format);
    vsnprintf(reader->error + used, SNAPSHOT_ERROR_SIZE - (size_t)used, format, arguments);
    va_end(arguments);
    return err;
}

static enum err get_bytes(struct snapshot_reader *reader, uint64_t offset, uint8_t *bytes,
                          uint64_t size)
{
    if (offset > reader->size || size > reader->size - offset) {
        return fail(reader, ERR_DAMAGED, reader->size, "the file ends too early");
    }
    const enum err err =
        reader->disk->ops->read(reader->disk, reader->file, offset, bytes, size);
    return err == ERR_OK ? ERR_OK : fail(reader, err, offset, "reading: %s", err_text(err));
}

/* -- trailer -- */

static enum err take_trailer(struct snapshot_reader *reader)
{
    struct snapshot_trailer trailer;
    const struct snapshot_trailer *seen = &reader->seen;
    const uint64_t offset = reader->offset;
    switch (snapshot_trailer_decode(reader->bytes, seen->epoch, offset, &trailer)) {
    case SNAPSHOT_VERDICT_VERSION:
        return fail(reader, ERR_FORMAT, offset, "trailer of an unknown format version");
    case SNAPSHOT_VERDICT_BAD:
        return fail(reader, ERR_DAMAGED, offset, "neither a chunk nor the trailer stands here");
    case SNAPSHOT_VERDICT_OK:
        break;
    }
    if (trailer.sections != seen->sections || trailer.chunks != seen->chunks ||
        trailer.records != seen->records || trailer.bytes != seen->bytes ||
        trailer.sum != seen->sum) {
        return fail(reader, ERR_DAMAGED, offset, "the trailer tells of other chunks than these");
    }
    if (reader->size != offset + SNAPSHOT_BLOCK) {
        return fail(reader, ERR_DAMAGED, offset + SNAPSHOT_BLOCK,
                    "the file goes on behind its end");
    }
    reader->is_over = true;
    return ERR_OK;
}

/* -- chunks -- */

static enum err take_chunk(struct snapshot_reader *reader, uint32_t head_crc)
{
    const uint64_t size = snapshot_chunk_size(reader->chunk.size);
    const uint64_t rest = size - SNAPSHOT_BLOCK;
    enum err err = ERR_OK;
    if (rest) {
        err = get_bytes(reader, reader->offset + SNAPSHOT_BLOCK, reader->bytes + SNAPSHOT_BLOCK,
                        rest);
    }
    if (err != ERR_OK) {
        return err;
    }
    if (!snapshot_chunk_is_sound(&reader->chunk, reader->bytes)) {
        return fail(reader, ERR_DAMAGED, reader->offset, "a chunk of section %s is damaged",
                    reader->chunk.section);
    }
    struct snapshot_trailer *seen = &reader->seen;
    seen->chunks++;
    seen->records += reader->chunk.records;
    seen->bytes += reader->chunk.size;
    seen->sum = crc32c((uint32_t)seen->sum, &head_crc, sizeof head_crc);
    reader->has_chunk = true;
    return ERR_OK;
}

/* Read the chunk at offset, or the trailer (is_over). */
static enum err read_chunk(struct snapshot_reader *reader)
{
    uint32_t crc;
    const enum err err = get_bytes(reader, reader->offset, reader->bytes, SNAPSHOT_BLOCK);
    if (err != ERR_OK) {
        return err;
    }
    switch (snapshot_chunk_decode(reader->bytes, reader->seen.epoch, reader->offset,
                                  &reader->chunk, &crc)) {
    case SNAPSHOT_VERDICT_VERSION:
        return fail(reader, ERR_FORMAT, reader->offset, "chunk of an unknown format version");
    case SNAPSHOT_VERDICT_OK:
        return take_chunk(reader, crc);
    case SNAPSHOT_VERDICT_BAD:
        break;
    }
    return take_trailer(reader);
}

static enum err check_order(struct snapshot_reader *reader)
{
    const struct snapshot_chunk *chunk = &reader->chunk;
    const char *name = image_sections[reader->section].name;
    if (strcmp(chunk->section, name) != 0 || chunk->index != reader->next_index) {
        return fail(reader, ERR_DAMAGED, reader->offset,
                    "chunk %u of section %s stands where chunk %u of section %s should",
                    chunk->index, chunk->section, reader->next_index, name);
    }
    return ERR_OK;
}

/* Hand the chunk that was read to the loader. */
static void use_chunk(struct snapshot_reader *reader)
{
    reader->source.at = reader->bytes + SNAPSHOT_HEAD_SIZE;
    reader->source.end = reader->source.at + reader->chunk.size;
    reader->offset += snapshot_chunk_size(reader->chunk.size);
    reader->next_index++;
    reader->has_chunk = false;
    if (reader->watch) {
        reader->watch->chunk(reader->watch->owner);
    }
}

static bool on_more(struct image_source *source)
{
    struct snapshot_reader *reader = (struct snapshot_reader *)source;
    enum err err = ERR_OK;
    do {
        if (!reader->has_chunk && reader->chunk.is_last) {
            return false;
        }
        err = reader->has_chunk ? ERR_OK : read_chunk(reader);
        if (err == ERR_OK && reader->is_over) {
            err = fail(reader, ERR_DAMAGED, reader->offset, "section %s has no end",
                       image_sections[reader->section].name);
        }
        err = err == ERR_OK ? check_order(reader) : err;
        if (err != ERR_OK) {
            source->err = err;
            return false;
        }
        use_chunk(reader);
    } while (source->at == source->end);
    return true;
}

/* -- sections -- */

/* The section that the chunk at hand begins; they come in the order of the list. */
static enum err begin_section(struct snapshot_reader *reader)
{
    const struct snapshot_chunk *chunk = &reader->chunk;
    const int found = image_section_find(chunk->section);
    if (found < 0) {
        return fail(reader, ERR_FORMAT, reader->offset,
                    "section %s is not known to this program: use the one that wrote it",
                    chunk->section);
    }
    if (chunk->version > image_sections[found].version || chunk->version == 0) {
        return fail(reader, ERR_FORMAT, reader->offset,
                    "section %s has version %u, this program knows version %u: use the one that "
                    "wrote it",
                    chunk->section, chunk->version, image_sections[found].version);
    }
    if (reader->seen.sections > 0 && (uint32_t)found <= reader->section) {
        return fail(reader, ERR_DAMAGED, reader->offset, "section %s comes too late",
                    chunk->section);
    }
    reader->section = (uint32_t)found;
    reader->next_index = 0;
    reader->seen.sections++;
    reader->source.version = chunk->version;
    reader->source.at = reader->source.end = reader->bytes;
    return ERR_OK;
}

static void skip_section(struct image_source *source)
{
    uint32_t size;
    while (image_next(source, &size)) {
    }
}

static enum err load_section(struct snapshot_reader *reader, struct tables *tables)
{
    struct image_source *source = &reader->source;
    const struct image_section *section = &image_sections[reader->section];
    reader->error[0] = '\0';
    if (tables) {
        section->load(tables, source);
    } else {
        skip_section(source);
    }
    uint32_t size;
    if (source->err == ERR_OK && image_next(source, &size)) {
        image_bad(source, ERR_DAMAGED, "more records than were expected");
    }
    if (source->err != ERR_OK && !reader->error[0]) {
        return fail(reader, source->err, reader->chunk.offset, "section %s: %s", section->name,
                    source->why[0] ? source->why : err_text(source->err));
    }
    return source->err;
}

static enum err read_sections(struct snapshot_reader *reader, struct tables *tables)
{
    for (;;) {
        enum err err = read_chunk(reader);
        if (err != ERR_OK || reader->is_over) {
            return err;
        }
        err = begin_section(reader);
        if (err == ERR_OK) {
            err = load_section(reader, tables);
        }
        if (err != ERR_OK) {
            return err;
        }
    }
}

/* -- header, life -- */

static enum err read_header(struct snapshot_reader *reader, const uint8_t *uuid,
                            struct snapshot_mark *mark)
{
    const enum err err = get_bytes(reader, 0, reader->bytes, SNAPSHOT_BLOCK);
    if (err != ERR_OK) {
        return err;
    }
    switch (snapshot_header_decode(reader->bytes, mark, &reader->seen.epoch)) {
    case SNAPSHOT_VERDICT_VERSION:
        return fail(reader, ERR_FORMAT, 0, "snapshot of an unknown format version");
    case SNAPSHOT_VERDICT_BAD:
        return fail(reader, ERR_DAMAGED, 0, "the header is damaged");
    case SNAPSHOT_VERDICT_OK:
        break;
    }
    if (uuid && memcmp(uuid, mark->uuid, sizeof mark->uuid) != 0) {
        return fail(reader, ERR_DAMAGED, 0, "snapshot of another data folder");
    }
    reader->offset = SNAPSHOT_BLOCK;
    return ERR_OK;
}

static enum err read_open(struct snapshot_reader *reader, struct disk *disk, const char *name,
                          char *error)
{
    void *bytes = NULL;
    *reader = (struct snapshot_reader){
        .source = {.more = on_more}, .disk = disk, .name = name, .error = error, .file = -1};
    error[0] = '\0';
    enum err err = disk->ops->open(disk, name, &reader->file, &reader->size);
    if (err != ERR_OK) {
        reader->file = -1;
        return fail(reader, err, 0, "opening: %s", err_text(err));
    }
    if (posix_memalign(&bytes, DISK_ALIGN, SNAPSHOT_CHUNK_MAX) != 0) {
        return fail(reader, ERR_NOMEM, 0, "no memory to read it");
    }
    reader->bytes = bytes;
    return ERR_OK;
}

static void read_close(struct snapshot_reader *reader)
{
    if (reader->file >= 0) {
        reader->disk->ops->close(reader->disk, reader->file);
    }
    free(reader->bytes);
}

enum err snapshot_peek(struct disk *disk, const char *name, struct snapshot_mark *mark_out,
                       char error[SNAPSHOT_ERROR_SIZE])
{
    struct snapshot_reader reader;
    memset(mark_out, 0, sizeof *mark_out);
    enum err err = read_open(&reader, disk, name, error);
    if (err == ERR_OK) {
        err = read_header(&reader, NULL, mark_out);
    }
    read_close(&reader);
    return err;
}

enum err snapshot_load(struct disk *disk, const char *name, const uint8_t *uuid,
                       struct tables *tables, struct snapshot_mark *mark_out,
                       char error[SNAPSHOT_ERROR_SIZE])
{
    return snapshot_load_watched(disk, name, uuid, tables, NULL, mark_out, error);
}

enum err snapshot_load_watched(struct disk *disk, const char *name, const uint8_t *uuid,
                               struct tables *tables, const struct snapshot_watch *watch,
                               struct snapshot_mark *mark_out, char error[SNAPSHOT_ERROR_SIZE])
{
    struct snapshot_reader reader;
    memset(mark_out, 0, sizeof *mark_out);
    enum err err = read_open(&reader, disk, name, error);
    reader.watch = watch;
    if (err == ERR_OK) {
        err = read_header(&reader, uuid, mark_out);
    }
    if (err == ERR_OK) {
        err = read_sections(&reader, tables);
    }
    if (tables) {
        const enum err end = image_load_end(tables, &reader.source, mark_out->lsn,
                                            mark_out->state_ms, &mark_out->digest);
        if (err == ERR_OK && end != ERR_OK) {
            err = fail(&reader, end, reader.offset, "%s", reader.source.why);
        }
    }
    read_close(&reader);
    return err;
}

/* -- which there are -- */

static void see(void *owner, const char *name)
{
    struct snapshot_list *list = owner;
    uint64_t lsn;
    if (!snapshot_name_parse(name, &lsn)) {
        return;
    }
    uint32_t at = list->count;
    while (at > 0 && list->lsns[at - 1] < lsn) {
        at--;
    }
    if (at == SNAPSHOT_LIST_MAX) {
        return;
    }
    list->count += list->count < SNAPSHOT_LIST_MAX;
    memmove(list->lsns + at + 1, list->lsns + at,
            (list->count - at - 1) * sizeof list->lsns[0]);
    list->lsns[at] = lsn;
}

enum err snapshot_find(struct disk *disk, struct snapshot_list *list_out)
{
    list_out->count = 0;
    return disk->ops->list(disk, see, list_out);
}
