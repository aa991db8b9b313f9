/* Fixed layouts, little endian, each with its magic at 0, its version at 8 and a CRC at its end. */
#include "snapshot_format.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"

enum {
    VERSION_AT = 8,
    EPOCH_AT = 16,
    /* header */
    HEADER_FLAGS_AT = 24,
    HEADER_UUID_AT = 32,
    HEADER_LSN_AT = 48,
    HEADER_TIME_AT = 56,
    HEADER_GROUP_AT = 64,
    HEADER_CHAIN_AT = 72,
    HEADER_DIGEST_AT = 80,
    HEADER_STATE_AT = 96,
    HEADER_ZERO_AT = 104,
    HEADER_IS_ORIGIN = 1,
    /* chunk head and trailer */
    OFFSET_AT = 24,
    CHUNK_SECTION_AT = 32,
    CHUNK_VERSION_AT = 48,
    CHUNK_INDEX_AT = 52,
    CHUNK_RECORDS_AT = 56,
    CHUNK_SIZE_AT = 64,
    CHUNK_LAST_AT = 72,
    CHUNK_ZERO_AT = 80,
    CHUNK_CRC_AT = 88,
    TRAILER_SECTIONS_AT = 32,
    TRAILER_CHUNKS_AT = 40,
    TRAILER_RECORDS_AT = 48,
    TRAILER_BYTES_AT = 56,
    TRAILER_SUM_AT = 64,
    TRAILER_ZERO_AT = 72
};

static const char header_magic[8] = {'N', 'S', 'H', 'S', 'N', 'A', 'P', 'S'};
static const char chunk_magic[8] = {'N', 'S', 'H', 'C', 'H', 'U', 'N', 'K'};
static const char trailer_magic[8] = {'N', 'S', 'H', 'S', 'N', 'E', 'N', 'D'};

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static bool is_zero(const uint8_t *bytes, uint64_t size)
{
    for (uint64_t i = 0; i < size; i++) {
        if (bytes[i]) {
            return false;
        }
    }
    return true;
}

static uint32_t seal(uint8_t *bytes, uint32_t size, const char magic[8])
{
    memcpy(bytes, magic, 8);
    put64(bytes + VERSION_AT, SNAPSHOT_FORMAT_VERSION);
    const uint32_t crc = crc32c(0, bytes, size - 4);
    put32(bytes + size - 4, crc);
    return crc;
}

static enum snapshot_verdict unseal(const uint8_t *bytes, uint32_t size, const char magic[8])
{
    if (memcmp(bytes, magic, 8) != 0 || crc32c(0, bytes, size - 4) != get32(bytes + size - 4)) {
        return SNAPSHOT_VERDICT_BAD;
    }
    return get64(bytes + VERSION_AT) == SNAPSHOT_FORMAT_VERSION ? SNAPSHOT_VERDICT_OK
                                                                : SNAPSHOT_VERDICT_VERSION;
}

/* -- header -- */

void snapshot_header_encode(const struct snapshot_mark *mark, uint64_t epoch,
                            uint8_t bytes[SNAPSHOT_BLOCK])
{
    memset(bytes, 0, SNAPSHOT_BLOCK);
    put64(bytes + EPOCH_AT, epoch);
    put64(bytes + HEADER_FLAGS_AT, mark->is_origin ? HEADER_IS_ORIGIN : 0);
    memcpy(bytes + HEADER_UUID_AT, mark->uuid, sizeof mark->uuid);
    put64(bytes + HEADER_LSN_AT, mark->lsn);
    put64(bytes + HEADER_TIME_AT, mark->time_ms);
    put64(bytes + HEADER_GROUP_AT, mark->group_number);
    put64(bytes + HEADER_CHAIN_AT, mark->chain);
    put64(bytes + HEADER_DIGEST_AT, mark->digest.low);
    put64(bytes + HEADER_DIGEST_AT + 8, mark->digest.high);
    put64(bytes + HEADER_STATE_AT, mark->state_ms > mark->time_ms ? mark->state_ms : 0);
    (void)seal(bytes, SNAPSHOT_HEADER_SIZE, header_magic);
}

enum snapshot_verdict snapshot_header_decode(const uint8_t bytes[SNAPSHOT_BLOCK],
                                             struct snapshot_mark *mark_out, uint64_t *epoch_out)
{
    const enum snapshot_verdict verdict = unseal(bytes, SNAPSHOT_HEADER_SIZE, header_magic);
    const uint64_t flags = get64(bytes + HEADER_FLAGS_AT);
    if (verdict != SNAPSHOT_VERDICT_OK) {
        return verdict;
    }
    memset(mark_out, 0, sizeof *mark_out);
    memcpy(mark_out->uuid, bytes + HEADER_UUID_AT, sizeof mark_out->uuid);
    mark_out->lsn = get64(bytes + HEADER_LSN_AT);
    mark_out->time_ms = get64(bytes + HEADER_TIME_AT);
    mark_out->group_number = get64(bytes + HEADER_GROUP_AT);
    mark_out->chain = get64(bytes + HEADER_CHAIN_AT);
    mark_out->digest.low = get64(bytes + HEADER_DIGEST_AT);
    mark_out->digest.high = get64(bytes + HEADER_DIGEST_AT + 8);
    mark_out->state_ms = get64(bytes + HEADER_STATE_AT);
    if (mark_out->state_ms < mark_out->time_ms) {
        mark_out->state_ms = mark_out->time_ms;
    }
    mark_out->is_origin = (flags & HEADER_IS_ORIGIN) != 0;
    *epoch_out = get64(bytes + EPOCH_AT);
    const bool is_sane =
        (flags & ~(uint64_t)HEADER_IS_ORIGIN) == 0 &&
        is_zero(bytes + HEADER_ZERO_AT, SNAPSHOT_HEADER_SIZE - 4 - HEADER_ZERO_AT) &&
        is_zero(bytes + SNAPSHOT_HEADER_SIZE, SNAPSHOT_BLOCK - SNAPSHOT_HEADER_SIZE);
    return is_sane ? SNAPSHOT_VERDICT_OK : SNAPSHOT_VERDICT_BAD;
}

/* -- chunk -- */

uint64_t snapshot_chunk_size(uint64_t payload_size)
{
    const uint64_t size = SNAPSHOT_HEAD_SIZE + payload_size + SNAPSHOT_BLOCK - 1;
    return size / SNAPSHOT_BLOCK * SNAPSHOT_BLOCK;
}

uint32_t snapshot_chunk_encode(struct snapshot_chunk *chunk, uint8_t *bytes)
{
    uint8_t *payload = bytes + SNAPSHOT_HEAD_SIZE;
    CHECK(chunk->size <= SNAPSHOT_PAYLOAD_MAX);
    chunk->crc = crc32c(0, payload, chunk->size);
    memset(payload + chunk->size, 0,
           snapshot_chunk_size(chunk->size) - SNAPSHOT_HEAD_SIZE - chunk->size);
    memset(bytes, 0, SNAPSHOT_HEAD_SIZE);
    put64(bytes + EPOCH_AT, chunk->epoch);
    put64(bytes + OFFSET_AT, chunk->offset);
    memcpy(bytes + CHUNK_SECTION_AT, chunk->section, IMAGE_NAME_SIZE);
    put32(bytes + CHUNK_VERSION_AT, chunk->version);
    put32(bytes + CHUNK_INDEX_AT, chunk->index);
    put64(bytes + CHUNK_RECORDS_AT, chunk->records);
    put64(bytes + CHUNK_SIZE_AT, chunk->size);
    put64(bytes + CHUNK_LAST_AT, chunk->is_last);
    put32(bytes + CHUNK_CRC_AT, chunk->crc);
    return seal(bytes, SNAPSHOT_HEAD_SIZE, chunk_magic);
}

enum snapshot_verdict snapshot_chunk_decode(const uint8_t bytes[SNAPSHOT_HEAD_SIZE],
                                            uint64_t epoch, uint64_t offset,
                                            struct snapshot_chunk *chunk_out, uint32_t *crc_out)
{
    const enum snapshot_verdict verdict = unseal(bytes, SNAPSHOT_HEAD_SIZE, chunk_magic);
    if (verdict != SNAPSHOT_VERDICT_OK) {
        return verdict;
    }
    *chunk_out = (struct snapshot_chunk){
        .epoch = get64(bytes + EPOCH_AT),
        .offset = get64(bytes + OFFSET_AT),
        .version = get32(bytes + CHUNK_VERSION_AT),
        .index = get32(bytes + CHUNK_INDEX_AT),
        .records = get64(bytes + CHUNK_RECORDS_AT),
        .size = get64(bytes + CHUNK_SIZE_AT),
        .is_last = get64(bytes + CHUNK_LAST_AT) == 1,
        .crc = get32(bytes + CHUNK_CRC_AT),
    };
    memcpy(chunk_out->section, bytes + CHUNK_SECTION_AT, IMAGE_NAME_SIZE);
    *crc_out = get32(bytes + SNAPSHOT_HEAD_SIZE - 4);
    const bool is_sane = chunk_out->epoch == epoch && chunk_out->offset == offset &&
                         chunk_out->section[IMAGE_NAME_SIZE - 1] == '\0' &&
                         chunk_out->size <= SNAPSHOT_PAYLOAD_MAX &&
                         chunk_out->records <= chunk_out->size / IMAGE_RECORD_HEAD &&
                         get64(bytes + CHUNK_LAST_AT) <= 1 &&
                         is_zero(bytes + CHUNK_ZERO_AT, CHUNK_CRC_AT - CHUNK_ZERO_AT);
    return is_sane ? SNAPSHOT_VERDICT_OK : SNAPSHOT_VERDICT_BAD;
}

/* The record sizes tile the payload. */
static bool records_fit(const struct snapshot_chunk *chunk, const uint8_t *payload)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < chunk->records; i++) {
        if (chunk->size - at < IMAGE_RECORD_HEAD) {
            return false;
        }
        const uint32_t size = get32(payload + at);
        at += IMAGE_RECORD_HEAD;
        if (size > chunk->size - at) {
            return false;
        }
        at += size;
    }
    return at == chunk->size;
}

bool snapshot_chunk_is_sound(const struct snapshot_chunk *chunk, const uint8_t *bytes)
{
    const uint8_t *payload = bytes + SNAPSHOT_HEAD_SIZE;
    const uint64_t padding = snapshot_chunk_size(chunk->size) - SNAPSHOT_HEAD_SIZE - chunk->size;
    return crc32c(0, payload, chunk->size) == chunk->crc &&
           is_zero(payload + chunk->size, padding) && records_fit(chunk, payload);
}

/* -- trailer -- */

void snapshot_trailer_encode(const struct snapshot_trailer *trailer, uint8_t bytes[SNAPSHOT_BLOCK])
{
    memset(bytes, 0, SNAPSHOT_BLOCK);
    put64(bytes + EPOCH_AT, trailer->epoch);
    put64(bytes + OFFSET_AT, trailer->offset);
    put64(bytes + TRAILER_SECTIONS_AT, trailer->sections);
    put64(bytes + TRAILER_CHUNKS_AT, trailer->chunks);
    put64(bytes + TRAILER_RECORDS_AT, trailer->records);
    put64(bytes + TRAILER_BYTES_AT, trailer->bytes);
    put64(bytes + TRAILER_SUM_AT, trailer->sum);
    (void)seal(bytes, SNAPSHOT_HEAD_SIZE, trailer_magic);
}

enum snapshot_verdict snapshot_trailer_decode(const uint8_t bytes[SNAPSHOT_BLOCK], uint64_t epoch,
                                              uint64_t offset,
                                              struct snapshot_trailer *trailer_out)
{
    const enum snapshot_verdict verdict = unseal(bytes, SNAPSHOT_HEAD_SIZE, trailer_magic);
    if (verdict != SNAPSHOT_VERDICT_OK) {
        return verdict;
    }
    *trailer_out = (struct snapshot_trailer){
        .epoch = get64(bytes + EPOCH_AT),
        .offset = get64(bytes + OFFSET_AT),
        .sections = get64(bytes + TRAILER_SECTIONS_AT),
        .chunks = get64(bytes + TRAILER_CHUNKS_AT),
        .records = get64(bytes + TRAILER_RECORDS_AT),
        .bytes = get64(bytes + TRAILER_BYTES_AT),
        .sum = get64(bytes + TRAILER_SUM_AT),
    };
    const bool is_sane =
        trailer_out->epoch == epoch && trailer_out->offset == offset &&
        is_zero(bytes + TRAILER_ZERO_AT, SNAPSHOT_HEAD_SIZE - 4 - TRAILER_ZERO_AT) &&
        is_zero(bytes + SNAPSHOT_HEAD_SIZE, SNAPSHOT_BLOCK - SNAPSHOT_HEAD_SIZE);
    return is_sane ? SNAPSHOT_VERDICT_OK : SNAPSHOT_VERDICT_BAD;
}

/* -- names -- */

void snapshot_name(uint64_t lsn, char name_out[SNAPSHOT_NAME_SIZE])
{
    const int size = snprintf(name_out, SNAPSHOT_NAME_SIZE, "snapshot-%016" PRIx64 ".snap", lsn);
    CHECK(size == 30);
}

bool snapshot_name_parse(const char *name, uint64_t *lsn_out)
{
    uint64_t lsn = 0;
    if (strlen(name) != 30 || memcmp(name, "snapshot-", 9) != 0 ||
        memcmp(name + 25, ".snap", 5) != 0) {
        return false;
    }
    for (int i = 9; i < 25; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = strchr(digits, name[i]);
        if (!digit || name[i] == '\0') {
            return false;
        }
        lsn = lsn << 4 | (uint64_t)(digit - digits);
    }
    *lsn_out = lsn;
    return true;
}
