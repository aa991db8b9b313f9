/* The bytes of the log, format version 1: identity file, segment header, group header. The
 * layout tables and the numbered validity conditions stand in README.md; this is their code.
 * Pure functions, any thread. */
#ifndef LOG_WAL_FORMAT_H
#define LOG_WAL_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"

#define WAL_FORMAT_VERSION 1u

enum {
    WAL_BLOCK_SIZE = 4096,           /* groups and the segment header begin and end at it */
    WAL_GROUP_HEADER_SIZE = 128,     /* records follow at once */
    WAL_RECORD_HEADER_SIZE = 4,      /* u8 type, u24 size */
    WAL_IDENTITY_SIZE = 64,          /* of the identity file */
    WAL_PAYLOAD_SIZE_MAX = 16 << 20, /* of one group, whatever the options say */
    WAL_NAME_SIZE = 32               /* a file name with its end */
};

/* What a block turned out to be. */
enum wal_verdict {
    WAL_VERDICT_OK,
    WAL_VERDICT_BAD,    /* not a valid header of this place */
    WAL_VERDICT_VERSION /* valid, but of a format version that this program does not know */
};

struct wal_identity {
    uint8_t uuid[16];   /* of the data folder */
    uint8_t secret[16]; /* keys the hashes of client-chosen ids */
    uint64_t version;   /* of the format */
};

struct wal_segment_header {
    uint64_t version;
    uint64_t epoch; /* random, drawn when the file is made; repeated in each group */
    uint64_t size;  /* of the whole file, bytes */
    uint8_t uuid[16];
};

struct wal_group_header {
    uint64_t version;
    uint64_t epoch;
    uint64_t offset;      /* of the group in its segment, bytes */
    uint64_t number;      /* 1, 2, 3, ... */
    uint64_t first_lsn;   /* of its first record; of the next group's for a seal */
    uint64_t count;       /* records; 0 in a seal */
    uint64_t size;        /* of the payload, record headers included, without padding */
    uint64_t durable_lsn; /* durable when this group was submitted: the stamp */
    uint64_t time_ms;     /* engine time of all its records */
    struct digest digest; /* of the state after its last record */
    uint64_t chain;       /* hash of the group before, header and payload */
    uint32_t payload_crc;
};

void wal_identity_encode(const struct wal_identity *identity, uint8_t bytes[WAL_IDENTITY_SIZE]);
enum wal_verdict wal_identity_decode(const uint8_t bytes[WAL_IDENTITY_SIZE],
                                     struct wal_identity *identity_out);

/* The whole first block of a segment. */
void wal_segment_encode(const struct wal_segment_header *header, uint8_t bytes[WAL_BLOCK_SIZE]);
enum wal_verdict wal_segment_decode(const uint8_t bytes[WAL_BLOCK_SIZE],
                                    struct wal_segment_header *header_out);

/* Write the header before a payload that already stands at bytes + WAL_GROUP_HEADER_SIZE, and
 * zeros behind it up to the block. Version and payload_crc are set here. */
void wal_group_encode(const struct wal_group_header *header, uint8_t *bytes);

/* Read a header found at offset of a segment of that epoch: conditions G1 to G6. */
enum wal_verdict wal_group_decode(const uint8_t bytes[WAL_GROUP_HEADER_SIZE], uint64_t epoch,
                                  uint64_t offset, struct wal_group_header *header_out);

/* The same of a header that tells its epoch and offset itself, wherever it stands. */
enum wal_verdict wal_group_decode_strayed(const uint8_t bytes[WAL_GROUP_HEADER_SIZE],
                                          struct wal_group_header *header_out);

/* Whether the payload and padding behind a valid header are sound: conditions G7 to G9. bytes is
 * the group's start, wal_group_size(header->size) long. */
bool wal_group_is_sound(const struct wal_group_header *header, const uint8_t *bytes);

/* Bytes that a group of that payload takes on disk. */
uint64_t wal_group_size(uint64_t payload_size);

/* Chain value that the next group must carry. bytes is the encoded group. */
uint64_t wal_group_chain(const uint8_t *bytes, uint64_t payload_size);

/* Chain value that group 1 must carry. */
uint64_t wal_chain_seed(const uint8_t uuid[16]);

/* One record header. */
static inline void wal_record_put(uint8_t *bytes, uint8_t type, uint32_t size)
{
    const uint32_t word = (uint32_t)type | size << 8;
    __builtin_memcpy(bytes, &word, sizeof word);
}

static inline uint32_t wal_record_size(const uint8_t *bytes)
{
    uint32_t word;
    __builtin_memcpy(&word, bytes, sizeof word);
    return word >> 8;
}

/* log-<16 hex digits of ordinal>.seg; false and nothing set if name is no such name. */
void wal_segment_name(uint64_t ordinal, char name_out[WAL_NAME_SIZE]);
bool wal_segment_name_parse(const char *name, uint64_t *ordinal_out);

#endif
