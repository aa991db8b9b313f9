/* Writing: records collect in a buffer of one chunk, which leaves when the next record does not
 * fit or the section ends. Nothing is kept of the whole but counts and a sum. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "check.h"
#include "crc32c.h"
#include "snapshot.h"

struct snapshot_writer {
    struct image_sink sink; /* first */
    struct disk *disk;
    int file;
    uint64_t offset; /* of the chunk being collected */
    uint64_t rate;
    uint64_t started_ns;
    uint8_t *chunk; /* SNAPSHOT_CHUNK_MAX bytes */
    struct snapshot_chunk head;
    struct snapshot_trailer trailer;
};

static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Wait until the bytes so far are due at the rate. */
static void keep_pace(const struct snapshot_writer *writer)
{
    if (writer->rate == 0) {
        return;
    }
    const double due_ns = (double)writer->offset / (double)writer->rate * 1e9;
    const double gone_ns = (double)(now_ns() - writer->started_ns);
    if (due_ns > gone_ns) {
        const uint64_t wait_ns = (uint64_t)(due_ns - gone_ns);
        const struct timespec pause = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                                       .tv_nsec = (long)(wait_ns % 1000000000u)};
        nanosleep(&pause, NULL);
    }
}

static void put_bytes(struct snapshot_writer *writer, const uint8_t *bytes, uint64_t size)
{
    if (writer->sink.err == ERR_OK) {
        writer->sink.err =
            writer->disk->ops->write(writer->disk, writer->file, writer->offset, bytes, size);
        writer->offset += size;
        keep_pace(writer);
    }
}

static void collect_begin(struct snapshot_writer *writer, uint32_t size)
{
    const uint32_t usual = SNAPSHOT_CHUNK_USUAL - SNAPSHOT_HEAD_SIZE;
    writer->sink.at = writer->chunk + SNAPSHOT_HEAD_SIZE;
    writer->sink.end = writer->sink.at + (size > usual ? size : usual);
    writer->sink.records = 0;
}

static void chunk_end(struct snapshot_writer *writer, bool is_last)
{
    struct snapshot_chunk *head = &writer->head;
    struct snapshot_trailer *trailer = &writer->trailer;
    head->offset = writer->offset;
    head->records = writer->sink.records;
    head->size = (uint64_t)(writer->sink.at - (writer->chunk + SNAPSHOT_HEAD_SIZE));
    head->is_last = is_last;
    const uint32_t crc = snapshot_chunk_encode(head, writer->chunk);
    trailer->sum = crc32c((uint32_t)trailer->sum, &crc, sizeof crc);
    trailer->chunks++;
    trailer->records += head->records;
    trailer->bytes += head->size;
    put_bytes(writer, writer->chunk, snapshot_chunk_size(head->size));
    head->index++;
}

static void on_room(struct image_sink *sink, uint32_t size)
{
    struct snapshot_writer *writer = (struct snapshot_writer *)sink;
    if (sink->records) {
        chunk_end(writer, false);
    }
    collect_begin(writer, size);
}

static void put_section(struct snapshot_writer *writer, const struct image_section *section,
                        const struct tables *tables)
{
    writer->head = (struct snapshot_chunk){.epoch = writer->trailer.epoch,
                                           .version = section->version};
    CHECK(strlen(section->name) < IMAGE_NAME_SIZE);
    memcpy(writer->head.section, section->name, strlen(section->name));
    collect_begin(writer, 0);
    section->save(tables, &writer->sink);
    chunk_end(writer, true);
    writer->trailer.sections++;
}

static void put_all(struct snapshot_writer *writer, const struct tables *tables,
                    const struct snapshot_mark *mark)
{
    snapshot_header_encode(mark, writer->trailer.epoch, writer->chunk);
    put_bytes(writer, writer->chunk, SNAPSHOT_BLOCK);
    for (uint32_t i = 0; i < image_section_count && writer->sink.err == ERR_OK; i++) {
        put_section(writer, &image_sections[i], tables);
    }
    writer->trailer.offset = writer->offset;
    snapshot_trailer_encode(&writer->trailer, writer->chunk);
    put_bytes(writer, writer->chunk, SNAPSHOT_BLOCK);
}

static enum err write_file(struct snapshot_writer *writer, const struct tables *tables,
                           const struct snapshot_mark *mark)
{
    struct disk *disk = writer->disk;
    enum err err =
        disk->ops->random(disk, &writer->trailer.epoch, sizeof writer->trailer.epoch);
    if (err == ERR_OK) {
        err = disk->ops->rename(disk, SNAPSHOT_ROOM_NAME, SNAPSHOT_TMP_NAME);
        err = err == ERR_NOTFOUND ? ERR_OK : err;
    }
    if (err == ERR_OK) {
        err = disk->ops->make(disk, SNAPSHOT_TMP_NAME, 0, &writer->file);
    }
    if (err != ERR_OK) {
        return err;
    }
    put_all(writer, tables, mark);
    err = writer->sink.err;
    if (err == ERR_OK) {
        err = disk->ops->finish(disk, writer->file, writer->offset);
    }
    disk->ops->close(disk, writer->file);
    return err;
}

/* What was read back must be the very file: same mark, every byte in order. */
static enum err read_back(struct disk *disk, const struct snapshot_mark *mark,
                          char error[SNAPSHOT_ERROR_SIZE])
{
    struct snapshot_mark found;
    const enum err err =
        snapshot_load(disk, SNAPSHOT_TMP_NAME, mark->uuid, NULL, &found, error);
    if (err == ERR_OK && (found.lsn != mark->lsn || !digest_equal(&found.digest, &mark->digest))) {
        snprintf(error, SNAPSHOT_ERROR_SIZE, SNAPSHOT_TMP_NAME
                 ", offset 0: read back, it is another snapshot than was written: check the disk");
        return ERR_DAMAGED;
    }
    return err;
}

enum err snapshot_write(struct disk *disk, const struct tables *tables,
                        const struct snapshot_mark *mark, uint64_t rate,
                        struct snapshot_written *written_out, char error[SNAPSHOT_ERROR_SIZE])
{
    void *chunk = NULL;
    struct snapshot_writer writer = {
        .sink = {.room = on_room}, .disk = disk, .rate = rate, .started_ns = now_ns()};
    error[0] = '\0';
    if (posix_memalign(&chunk, DISK_ALIGN, SNAPSHOT_CHUNK_MAX) != 0) {
        snprintf(error, SNAPSHOT_ERROR_SIZE, "no memory to write a snapshot");
        return ERR_NOMEM;
    }
    writer.chunk = chunk;
    enum err err = write_file(&writer, tables, mark);
    free(chunk);
    if (err != ERR_OK) {
        snprintf(error, SNAPSHOT_ERROR_SIZE, "writing " SNAPSHOT_TMP_NAME " at offset %llu: %s",
                 (unsigned long long)writer.offset, err_text(err));
    } else {
        err = read_back(disk, mark, error);
    }
    if (err != ERR_OK) {
        (void)disk->ops->remove(disk, SNAPSHOT_TMP_NAME); /* the space; the error counts */
    }
    *written_out = (struct snapshot_written){writer.offset, writer.trailer.records};
    return err;
}

void snapshot_room_keep(struct disk *disk, uint64_t size)
{
    int file;
    if (disk->ops->make(disk, SNAPSHOT_ROOM_NAME, size, &file) == ERR_OK) {
        disk->ops->close(disk, file);
    }
}
