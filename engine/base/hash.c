/* XXH3 with a secret for the keyed and fixed hashes; a multiply-mix for rows of words. */
#include "hash.h"

#define XXH_INLINE_ALL
#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

#include "check.h"

__extension__ typedef unsigned __int128 wide;

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

static void add(struct digest *digest, uint64_t low, uint64_t high)
{
    digest->low += low;
    digest->high += high + (digest->low < low);
}

static void take(struct digest *digest, uint64_t low, uint64_t high)
{
    uint64_t borrow = digest->low < low;
    digest->low -= low;
    digest->high -= high + borrow;
}

void digest_add(struct digest *digest, uint32_t tag, const void *row, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(row, size, tag);
    add(digest, hash.low64, hash.high64);
}

void digest_take(struct digest *digest, uint32_t tag, const void *row, size_t size)
{
    XXH128_hash_t hash = XXH3_128bits_withSeed(row, size, tag);
    take(digest, hash.low64, hash.high64);
}

static uint64_t mix(uint64_t a, uint64_t b)
{
    wide product = (wide)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static void words(uint32_t tag, uint64_t a, uint64_t b, uint64_t c, uint64_t *low, uint64_t *high)
{
    uint64_t x = mix(a ^ 0xa0761d6478bd642fu, b ^ 0xe7037ed1a0b428dbu ^ tag);
    uint64_t y = mix(c ^ 0x8ebc6af09c88c6e3u, x ^ 0x589965cc75374cc3u);
    *low = mix(x ^ 0x1d8e4e27c47d124fu, y);
    *high = mix(y ^ 0xeb44accab455d165u, x ^ a);
}

void digest_add_words(struct digest *digest, uint32_t tag, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low;
    uint64_t high;
    words(tag, a, b, c, &low, &high);
    add(digest, low, high);
}

void digest_take_words(struct digest *digest, uint32_t tag, uint64_t a, uint64_t b, uint64_t c)
{
    uint64_t low;
    uint64_t high;
    words(tag, a, b, c, &low, &high);
    take(digest, low, high);
}

void digest_join(struct digest *digest, const struct digest *rows)
{
    add(digest, rows->low, rows->high);
}

void digest_part(struct digest *digest, const struct digest *rows)
{
    take(digest, rows->low, rows->high);
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
    return a->low == b->low && a->high == b->high;
}
