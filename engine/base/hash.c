/* XXH3 with a secret for the keyed and fixed hashes, and for rows of bytes. */
#include "hash.h"

#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "check.h"

void hash_key_init(struct hash_key *key, const uint8_t secret[16])
{
    XXH_errorcode error = XXH3_generateSecret(key->secret, sizeof key->secret, secret, 16);
    CHECK(error == XXH_OK);
}

uint64_t hash_keyed(const struct hash_key *key, const void *bytes, size_t size)
{
    uint64_t hash = XXH3_64bits_withSecret(bytes, size, key->secret, sizeof key->secret);
    return hash ? hash : 1;
}

struct hash128 hash_keyed128(const struct hash_key *key, const void *bytes, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits_withSecret(bytes, size, key->secret, sizeof key->secret);
    return (struct hash128){hash.low64, hash.high64};
}

uint64_t hash_fixed(const void *bytes, size_t size)
{
    return XXH3_64bits(bytes, size);
}

void digest_add(struct digest *digest, uint32_t tag, const void *row, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(row, size, tag);
    digest_join(digest, &(struct digest){hash.low64, hash.high64});
}

void digest_take(struct digest *digest, uint32_t tag, const void *row, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(row, size, tag);
    digest_part(digest, &(struct digest){hash.low64, hash.high64});
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->low == b->low && a->high == b->high;
}
