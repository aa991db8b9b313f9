/* Encoding and checking of the log's bytes; see README.md for the layouts. */
#include "wal_format.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "crc32c.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the format is little endian, as is");

/* Eight ASCII letters each, read as a little-endian number. */
#define IDENTITY_MAGIC 0x544e45444948534eull /* "NSHIDENT" */
#define SEGMENT_MAGIC  0x544d47455348534eull /* "NSHSEGMT" */
#define GROUP_MAGIC    0x50554f524748534eull /* "NSHGROUP" */

/* In all three, and in all versions to come: magic at 0, version at 8, CRC-32C in the last four
 * bytes of the header, over all before. So an unknown version is told from damage. */
enum { MAGIC_AT = 0, VERSION_AT = 8, SEGMENT_HEADER_SIZE = 64 };

enum {
    IDENTITY_UUID_AT = 16,
    IDENTITY_SECRET_AT = 32,
    SEGMENT_EPOCH_AT = 16,
    SEGMENT_SIZE_AT = 24,
    SEGMENT_UUID_AT = 32,
    GROUP_EPOCH_AT = 16,
    GROUP_OFFSET_AT = 24,
    GROUP_NUMBER_AT = 32,
    GROUP_LSN_AT = 40,
    GROUP_COUNT_AT = 48,
    GROUP_SIZE_AT = 56,
    GROUP_DURABLE_AT = 64,
    GROUP_TIME_AT = 72,
    GROUP_DIGEST_AT = 80,
    GROUP_CHAIN_AT = 96,
    GROUP_TERM_AT = 104,
    GROUP_ZERO_AT = 112,
    GROUP_PAYLOAD_CRC_AT = 120
};
_Static_assert(GROUP_PAYLOAD_CRC_AT + 8 == WAL_GROUP_HEADER_SIZE, "both CRCs end the header");

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof value);
}

static uint64_t get64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static uint32_t get32(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void seal_header(uint8_t *bytes, size_t size, uint64_t magic)
{
    put64(bytes + MAGIC_AT, magic);
    put64(bytes + VERSION_AT, WAL_FORMAT_VERSION);
    put32(bytes + size - 4, crc32c(0, bytes, size - 4));
}

static enum wal_verdict open_header(const uint8_t *bytes, size_t size, uint64_t magic)
{
    if (get64(bytes + MAGIC_AT) != magic || get32(bytes + size - 4) != crc32c(0, bytes, size - 4)) {
        return WAL_VERDICT_BAD;
    }
    return get64(bytes + VERSION_AT) == WAL_FORMAT_VERSION ? WAL_VERDICT_OK : WAL_VERDICT_VERSION;
}

static bool is_zero(const uint8_t *bytes, size_t size)
{
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

void wal_identity_encode(const struct wal_identity *identity, uint8_t bytes[WAL_IDENTITY_SIZE])
{
    memset(bytes, 0, WAL_IDENTITY_SIZE);
    memcpy(bytes + IDENTITY_UUID_AT, identity->uuid, 16);
    memcpy(bytes + IDENTITY_SECRET_AT, identity->secret, 16);
    seal_header(bytes, WAL_IDENTITY_SIZE, IDENTITY_MAGIC);
}

enum wal_verdict wal_identity_decode(const uint8_t bytes[WAL_IDENTITY_SIZE],
                                     struct wal_identity *identity_out)
{
    const enum wal_verdict verdict = open_header(bytes, WAL_IDENTITY_SIZE, IDENTITY_MAGIC);
    identity_out->version = get64(bytes + VERSION_AT);
    memcpy(identity_out->uuid, bytes + IDENTITY_UUID_AT, 16);
    memcpy(identity_out->secret, bytes + IDENTITY_SECRET_AT, 16);
    return verdict;
}

void wal_segment_encode(const struct wal_segment_header *header, uint8_t bytes[WAL_BLOCK_SIZE])
{
    memset(bytes, 0, WAL_BLOCK_SIZE);
    put64(bytes + SEGMENT_EPOCH_AT, header->epoch);
    put64(bytes + SEGMENT_SIZE_AT, header->size);
    memcpy(bytes + SEGMENT_UUID_AT, header->uuid, 16);
    seal_header(bytes, SEGMENT_HEADER_SIZE, SEGMENT_MAGIC);
}

enum wal_verdict wal_segment_decode(const uint8_t bytes[WAL_BLOCK_SIZE],
                                    struct wal_segment_header *header_out)
{
    const enum wal_verdict verdict = open_header(bytes, SEGMENT_HEADER_SIZE, SEGMENT_MAGIC);
    header_out->version = get64(bytes + VERSION_AT);
    header_out->epoch = get64(bytes + SEGMENT_EPOCH_AT);
    header_out->size = get64(bytes + SEGMENT_SIZE_AT);
    memcpy(header_out->uuid, bytes + SEGMENT_UUID_AT, 16);
    if (verdict == WAL_VERDICT_OK &&
        !is_zero(bytes + SEGMENT_HEADER_SIZE, WAL_BLOCK_SIZE - SEGMENT_HEADER_SIZE)) {
        return WAL_VERDICT_BAD;
    }
    return verdict;
}

uint64_t wal_group_size(uint64_t payload_size)
{
    const uint64_t block = WAL_BLOCK_SIZE;
    return (WAL_GROUP_HEADER_SIZE + payload_size + block - 1) / block * block;
}

void wal_group_encode(const struct wal_group_header *header, uint8_t *bytes)
{
    CHECK(header->size <= WAL_PAYLOAD_SIZE_MAX);
    const uint64_t end = WAL_GROUP_HEADER_SIZE + header->size;
    memset(bytes + end, 0, wal_group_size(header->size) - end);
    memset(bytes, 0, WAL_GROUP_HEADER_SIZE);
    put64(bytes + GROUP_EPOCH_AT, header->epoch);
    put64(bytes + GROUP_OFFSET_AT, header->offset);
    put64(bytes + GROUP_NUMBER_AT, header->number);
    put64(bytes + GROUP_LSN_AT, header->first_lsn);
    put64(bytes + GROUP_COUNT_AT, header->count);
    put64(bytes + GROUP_SIZE_AT, header->size);
    put64(bytes + GROUP_DURABLE_AT, header->durable_lsn);
    put64(bytes + GROUP_TIME_AT, header->time_ms);
    put64(bytes + GROUP_DIGEST_AT, header->digest.low);
    put64(bytes + GROUP_DIGEST_AT + 8, header->digest.high);
    put64(bytes + GROUP_CHAIN_AT, header->chain);
    const uint32_t crc = crc32c(0, bytes + WAL_GROUP_HEADER_SIZE, header->size);
    put32(bytes + GROUP_PAYLOAD_CRC_AT, crc);
    seal_header(bytes, WAL_GROUP_HEADER_SIZE, GROUP_MAGIC);
}

static void group_read(const uint8_t *bytes, struct wal_group_header *header_out)
{
    *header_out = (struct wal_group_header){
        .version = get64(bytes + VERSION_AT),
        .epoch = get64(bytes + GROUP_EPOCH_AT),
        .offset = get64(bytes + GROUP_OFFSET_AT),
        .number = get64(bytes + GROUP_NUMBER_AT),
        .first_lsn = get64(bytes + GROUP_LSN_AT),
        .count = get64(bytes + GROUP_COUNT_AT),
        .size = get64(bytes + GROUP_SIZE_AT),
        .durable_lsn = get64(bytes + GROUP_DURABLE_AT),
        .time_ms = get64(bytes + GROUP_TIME_AT),
        .digest = {get64(bytes + GROUP_DIGEST_AT), get64(bytes + GROUP_DIGEST_AT + 8)},
        .chain = get64(bytes + GROUP_CHAIN_AT),
        .payload_crc = get32(bytes + GROUP_PAYLOAD_CRC_AT),
    };
}

enum wal_verdict wal_group_decode(const uint8_t bytes[WAL_GROUP_HEADER_SIZE], uint64_t epoch,
                                  uint64_t offset, struct wal_group_header *header_out)
{
    const enum wal_verdict verdict = open_header(bytes, WAL_GROUP_HEADER_SIZE, GROUP_MAGIC);
    if (verdict == WAL_VERDICT_BAD) {
        return WAL_VERDICT_BAD;
    }
    group_read(bytes, header_out);
    if (header_out->epoch != epoch || header_out->offset != offset) {
        return WAL_VERDICT_BAD;
    }
    if (verdict == WAL_VERDICT_VERSION) {
        return WAL_VERDICT_VERSION;
    }
    const bool is_sane = header_out->number > 0 && header_out->first_lsn > 0 &&
                         header_out->size <= WAL_PAYLOAD_SIZE_MAX &&
                         header_out->count <= header_out->size / WAL_RECORD_HEADER_SIZE &&
                         header_out->durable_lsn < header_out->first_lsn &&
                         is_zero(bytes + GROUP_TERM_AT, GROUP_PAYLOAD_CRC_AT - GROUP_TERM_AT);
    return is_sane ? WAL_VERDICT_OK : WAL_VERDICT_BAD;
}

enum wal_verdict wal_group_decode_strayed(const uint8_t bytes[WAL_GROUP_HEADER_SIZE],
                                          struct wal_group_header *header_out)
{
    struct wal_group_header told;
    group_read(bytes, &told);
    return wal_group_decode(bytes, told.epoch, told.offset, header_out);
}

/* Condition G9: the record headers tile the payload. */
static bool records_fit(const struct wal_group_header *header, const uint8_t *payload)
{
    uint64_t at = 0;
    for (uint64_t i = 0; i < header->count; i++) {
        if (header->size - at < WAL_RECORD_HEADER_SIZE) {
            return false;
        }
        const uint32_t size = wal_record_size(payload + at);
        at += WAL_RECORD_HEADER_SIZE;
        if (size > header->size - at) {
            return false;
        }
        at += size;
    }
    return at == header->size;
}

bool wal_group_is_sound(const struct wal_group_header *header, const uint8_t *bytes)
{
    const uint8_t *payload = bytes + WAL_GROUP_HEADER_SIZE;
    const uint64_t padding = wal_group_size(header->size) - WAL_GROUP_HEADER_SIZE - header->size;
    return crc32c(0, payload, header->size) == header->payload_crc &&
           is_zero(payload + header->size, padding) && records_fit(header, payload);
}

uint64_t wal_group_chain(const uint8_t *bytes, uint64_t payload_size)
{
    return hash_fixed(bytes, WAL_GROUP_HEADER_SIZE + payload_size);
}

uint64_t wal_chain_seed(const uint8_t uuid[16])
{
    return hash_fixed(uuid, 16);
}

void wal_segment_name(uint64_t ordinal, char name_out[WAL_NAME_SIZE])
{
    const int size = snprintf(name_out, WAL_NAME_SIZE, "log-%016" PRIx64 ".seg", ordinal);
    CHECK(size == 24);
}

static bool hex_digit(char c, uint64_t *value)
{
    if (c >= '0' && c <= '9') {
        *value = *value << 4 | (uint64_t)(c - '0');
        return true;
    }
    if (c >= 'a' && c <= 'f') {
        *value = *value << 4 | (uint64_t)(c - 'a' + 10);
        return true;
    }
    return false;
}

bool wal_segment_name_parse(const char *name, uint64_t *ordinal_out)
{
    uint64_t ordinal = 0;
    if (strlen(name) != 24 || memcmp(name, "log-", 4) != 0 || memcmp(name + 20, ".seg", 4) != 0) {
        return false;
    }
    for (int i = 4; i < 20; i++) {
        if (!hex_digit(name[i], &ordinal)) {
            return false;
        }
    }
    *ordinal_out = ordinal;
    return true;
}
