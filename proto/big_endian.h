/* Loads and stores of big-endian numbers at any address: MessagePack's byte order. */
#ifndef PROTO_BIG_ENDIAN_H
#define PROTO_BIG_ENDIAN_H

#include <endian.h>
#include <stdint.h>
#include <string.h>

/* The caller has checked that the bytes are there. */
static inline uint16_t be16_load(const uint8_t *at)
{
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return be16toh(value);
}

static inline uint32_t be32_load(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return be32toh(value);
}

static inline uint64_t be64_load(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return be64toh(value);
}

static inline void be16_store(uint8_t *at, uint16_t value)
{
    value = htobe16(value);
    memcpy(at, &value, sizeof value);
}

static inline void be32_store(uint8_t *at, uint32_t value)
{
    value = htobe32(value);
    memcpy(at, &value, sizeof value);
}

static inline void be64_store(uint8_t *at, uint64_t value)
{
    value = htobe64(value);
    memcpy(at, &value, sizeof value);
}

#endif
