/* CRC-32C (Castagnoli, reflected polynomial 0x82f63b78), by instruction where there is one. */
#ifndef BASE_CRC32C_H
#define BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

/* Extend crc (0 for a new sum) over size bytes. crc32c(0, "123456789", 9) is 0xe3069283. */
uint32_t crc32c(uint32_t crc, const void *bytes, size_t size);

/* The table version; tests hold both against each other. */
uint32_t crc32c_portable(uint32_t crc, const void *bytes, size_t size);

#endif
