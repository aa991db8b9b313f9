/* The bytes of a snapshot, format version 1: header, chunk heads, trailer. The layout tables and
 * the numbered validity conditions stand in README.md; this is their code. Pure functions, any
 * thread. */
#ifndef SNAPSHOT_FORMAT_H
#define SNAPSHOT_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

#include "hash.h"
#include "image.h"

#define SNAPSHOT_FORMAT_VERSION 1u

enum {
    SNAPSHOT_BLOCK = 4096, /* header, chunks and trailer begin and end at it */
    SNAPSHOT_HEADER_SIZE = 128,
    SNAPSHOT_HEAD_SIZE = 96, /* of a chunk; the trailer is as large */
    SNAPSHOT_PAYLOAD_MAX = IMAGE_RECORD_MAX + IMAGE_RECORD_HEAD,
    SNAPSHOT_CHUNK_MAX =
        (SNAPSHOT_HEAD_SIZE + SNAPSHOT_PAYLOAD_MAX + SNAPSHOT_BLOCK - 1) & ~(SNAPSHOT_BLOCK - 1),
    SNAPSHOT_CHUNK_USUAL = 256 << 10,
    SNAPSHOT_NAME_SIZE = 40 /* of a file, with its end */
};

/* What a block turned out to be. */
enum snapshot_verdict {
    SNAPSHOT_VERDICT_OK,
    SNAPSHOT_VERDICT_BAD,
    SNAPSHOT_VERDICT_VERSION /* valid, but of a format version that this program does not know */
};

/* Which state a snapshot is, and where the log goes on behind it. */
struct snapshot_mark {
    uint8_t uuid[16];      /* of the data folder */
    uint64_t lsn;          /* of the last record in it */
    uint64_t time_ms;      /* of that record's group */
    uint64_t state_ms;     /* engine time of the state: time_ms, or later (EFFECT_TIME) */
    uint64_t group_number; /* of the group that it ends */
    uint64_t chain;        /* that the next group must carry */
    struct digest digest;
    bool is_origin; /* history begins with it: there need not be a log */
};

struct snapshot_chunk {
    uint64_t epoch;  /* of the file, random */
    uint64_t offset; /* in the file */
    char section[IMAGE_NAME_SIZE]; /* ends with NUL */
    uint32_t version; /* of the section */
    uint32_t index;   /* in the section: 0, 1, 2, ... */
    uint64_t records;
    uint64_t size; /* of the payload */
    bool is_last;  /* of its section */
    uint32_t crc;  /* of the payload */
};

struct snapshot_trailer {
    uint64_t epoch;
    uint64_t offset;
    uint64_t sections, chunks, records, bytes; /* bytes of payloads */
    uint64_t sum; /* CRC-32C over the CRCs of all chunk heads in their order */
};

/* The whole first block. */
void snapshot_header_encode(const struct snapshot_mark *mark, uint64_t epoch,
                            uint8_t bytes[SNAPSHOT_BLOCK]);
enum snapshot_verdict snapshot_header_decode(const uint8_t bytes[SNAPSHOT_BLOCK],
                                             struct snapshot_mark *mark_out, uint64_t *epoch_out);

/* Write the head before a payload that stands at bytes + SNAPSHOT_HEAD_SIZE, and zeros behind it
 * up to the block; crc is set here. Returns the CRC of the head. */
uint32_t snapshot_chunk_encode(struct snapshot_chunk *chunk, uint8_t *bytes);

/* A head found at offset of a file of that epoch. */
enum snapshot_verdict snapshot_chunk_decode(const uint8_t bytes[SNAPSHOT_HEAD_SIZE],
                                            uint64_t epoch, uint64_t offset,
                                            struct snapshot_chunk *chunk_out, uint32_t *crc_out);

/* Whether payload and padding behind a valid head are sound. bytes is the chunk's start. */
bool snapshot_chunk_is_sound(const struct snapshot_chunk *chunk, const uint8_t *bytes);

/* Bytes that a chunk of that payload takes. */
uint64_t snapshot_chunk_size(uint64_t payload_size);

/* The whole last block. */
void snapshot_trailer_encode(const struct snapshot_trailer *trailer,
                             uint8_t bytes[SNAPSHOT_BLOCK]);
enum snapshot_verdict snapshot_trailer_decode(const uint8_t bytes[SNAPSHOT_BLOCK], uint64_t epoch,
                                              uint64_t offset,
                                              struct snapshot_trailer *trailer_out);

/* snapshot-<16 hex digits of the LSN>.snap; false and nothing set if name is no such name. */
void snapshot_name(uint64_t lsn, char name_out[SNAPSHOT_NAME_SIZE]);
bool snapshot_name_parse(const char *name, uint64_t *lsn_out);

#endif
