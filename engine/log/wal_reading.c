/* A window of a few MiB that moves over segment files: the disk is read in large pieces, groups
 * are looked at in small ones. */
#include <stdlib.h>

#include "check.h"
#include "wal_reading_internal.h"

enum err wal_reading_open(struct wal_reading *reading, uint32_t index)
{
    char name[WAL_NAME_SIZE];
    uint64_t size;
    struct disk *disk = reading->wal->disk;
    if (reading->file >= 0 && reading->index == index) {
        return ERR_OK;
    }
    wal_reading_close(reading);
    wal_segment_name(reading->segments[index].ordinal, name);
    const enum err err = disk->ops->open(disk, name, &reading->file, &size);
    if (err != ERR_OK) {
        reading->file = -1;
        return wal_fail(reading->wal, err, "opening %s: %s", name, err_text(err));
    }
    reading->index = index;
    reading->segments[index].size = size;
    return ERR_OK;
}

void wal_reading_close(struct wal_reading *reading)
{
    if (reading->file >= 0) {
        reading->wal->disk->ops->close(reading->wal->disk, reading->file);
    }
    reading->file = -1;
    reading->window_size = 0;
}

static enum err grow(struct wal_reading *reading, size_t size)
{
    void *window;
    if (size <= reading->window_room) {
        return ERR_OK;
    }
    free(reading->window);
    reading->window = NULL;
    reading->window_room = 0;
    if (posix_memalign(&window, DISK_ALIGN, size) != 0) {
        return wal_fail(reading->wal, ERR_NOMEM, "no memory to read the log");
    }
    reading->window = window;
    reading->window_room = size;
    return ERR_OK;
}

static enum err fill(struct wal_reading *reading, uint64_t offset, uint64_t size)
{
    char name[WAL_NAME_SIZE];
    struct disk *disk = reading->wal->disk;
    const struct wal_found *segment = &reading->segments[reading->index];
    const uint64_t left = segment->size - offset;
    uint64_t want = size < reading->read_size ? reading->read_size : size;
    want = want < left ? want : left;
    reading->window_size = 0;
    enum err err = grow(reading, want);
    if (err != ERR_OK) {
        return err;
    }
    err = disk->ops->read(disk, reading->file, offset, reading->window, want);
    if (err != ERR_OK) {
        wal_segment_name(segment->ordinal, name);
        return wal_fail(reading->wal, err, "reading %s at offset %llu: %s", name,
                        (unsigned long long)offset, err_text(err));
    }
    reading->window_at = offset;
    reading->window_size = want;
    return ERR_OK;
}

enum err wal_reading_get(struct wal_reading *reading, uint64_t offset, uint64_t size,
                         uint8_t **bytes_out)
{
    CHECK(offset % DISK_ALIGN == 0);
    CHECK(size % DISK_ALIGN == 0);
    CHECK(offset + size <= reading->segments[reading->index].size);
    const bool is_inside =
        offset >= reading->window_at && offset + size <= reading->window_at + reading->window_size;
    if (!is_inside) {
        const enum err err = fill(reading, offset, size);
        if (err != ERR_OK) {
            return err;
        }
    }
    *bytes_out = reading->window + (offset - reading->window_at);
    return ERR_OK;
}
