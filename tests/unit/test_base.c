/* Properties of engine/base: hashes, sums, distances, histogram, generator. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "crc32c.h"
#include "decimal.h"
#include "err.h"
#include "geo.h"
#include "hash.h"
#include "hist.h"
#include "mem.h"
#include "rng.h"
#include "warm.h"

/* The published check value of CRC-32C holds, by instruction and by table. */
static void crc_published_vector(void **state)
{
    (void)state;
    assert_int_equal(crc32c(0, "123456789", 9), 0xe3069283u);
    assert_int_equal(crc32c_portable(0, "123456789", 9), 0xe3069283u);
}

/* Both versions agree on every length around the block edges, also when chained. */
static void crc_versions_agree(void **state)
{
    (void)state;
    static uint8_t bytes[8192];
    struct rng rng;
    rng_init(&rng, 1);
    for (size_t i = 0; i < sizeof bytes; i++) {
        bytes[i] = (uint8_t)rng_next(&rng);
    }
    for (size_t size = 0; size <= sizeof bytes; size += size < 64 ? 1 : 127) {
        uint32_t fast = crc32c(0, bytes, size);
        assert_int_equal(fast, crc32c_portable(0, bytes, size));
        uint32_t first = crc32c(0, bytes, size / 3);
        assert_int_equal(crc32c(first, bytes + size / 3, size - size / 3), fast);
    }
}

static double haversine(double lat1, double lon1, double lat2, double lon2)
{
    double r = M_PI / 180;
    double a = pow(sin((lat2 - lat1) * r / 2), 2) +
               cos(lat1 * r) * cos(lat2 * r) * pow(sin((lon2 - lon1) * r / 2), 2);
    return 2 * 6371008.8 * asin(fmin(1.0, sqrt(a)));
}

/* The chord form gives the haversine's metre on random pairs, near ones included. */
static void geo_metres_is_haversine(void **state)
{
    (void)state;
    struct rng rng;
    rng_init(&rng, 2);
    for (int i = 0; i < 200000; i++) {
        double span = pow(10, -4 * rng_unit(&rng));
        double lat1 = rng_unit(&rng) * 160 - 80;
        double lon1 = rng_unit(&rng) * 340 - 170;
        double lat2 = lat1 + (rng_unit(&rng) - 0.5) * 10 * span;
        double lon2 = lon1 + (rng_unit(&rng) - 0.5) * 10 * span;
        struct geo_point a = geo_point(lat1, lon1);
        struct geo_point b = geo_point(lat2, lon2);
        double exact = haversine(lat1, lon1, lat2, lon2);
        if (fabs(exact - floor(exact) - 0.5) > 1e-6) {
            assert_int_equal(geo_metres(&a, &b), (uint32_t)llround(exact));
        }
    }
}

/* Taking out what was added gives the digest of what is left, in any order. */
static void digest_is_a_set_sum(void **state)
{
    (void)state;
    struct digest a = {0, 0};
    struct digest b = {0, 0};
    digest_add(&a, 1, "abc", 3);
    digest_add_words(&a, 2, 1, 2, 3);
    digest_add(&a, 1, "def", 3);
    digest_take(&a, 1, "abc", 3);
    digest_add(&b, 1, "def", 3);
    digest_add_words(&b, 2, 1, 2, 3);
    assert_true(digest_equal(&a, &b));
    digest_take_words(&b, 2, 1, 2, 3);
    assert_false(digest_equal(&a, &b));
}

/* Different keys send the same id to different places; no hash is 0. */
static void hash_depends_on_key(void **state)
{
    (void)state;
    struct hash_key one;
    struct hash_key two;
    hash_key_init(&one, (const uint8_t *)"0123456789abcdef");
    hash_key_init(&two, (const uint8_t *)"0123456789abcdeg");
    assert_true(hash_keyed(&one, "sku-1", 5) != hash_keyed(&two, "sku-1", 5));
    assert_true(hash_keyed(&one, "", 0) != 0);
}

/* Every percentile is within 0.8 % above the exact one. */
static void hist_percentiles_are_close(void **state)
{
    (void)state;
    static struct hist hist;
    hist_init(&hist);
    for (uint64_t v = 1; v <= 100000; v++) {
        hist_record(&hist, v * 10);
    }
    for (double p = 1; p <= 100; p += 0.5) {
        double exact = p / 100 * 1000000;
        double got = (double)hist_percentile(&hist, p);
        assert_true(got >= exact * 0.999 && got <= exact * 1.008 + 10);
    }
    assert_int_equal(hist_percentile(&hist, 100), 1000000);
}

/* Reserved memory is zeroed, aligned to 2 MiB and usable to its end, also with small pages. */
static void mem_reserve_gives_zeroed(void **state)
{
    (void)state;
    for (int small = 0; small < 2; small++) {
        void *memory;
        mem_pages_set(small ? MEM_PAGES_SMALL : MEM_PAGES_AUTO);
        assert_int_equal(mem_reserve(5 << 20, &memory), ERR_OK);
        assert_int_equal((uintptr_t)memory % (2 << 20), 0);
        mem_populate(memory, 5 << 20);
        assert_int_equal(((uint8_t *)memory)[(5 << 20) - 1], 0);
        mem_release(memory, 5 << 20);
    }
    assert_false(mem_pages_huge());
    mem_pages_set(MEM_PAGES_AUTO);
}

/* Decimal text is what printf writes, at the edges of every length. */
static void decimal_is_printf(void **state)
{
    (void)state;
    uint64_t edges[] = {0, 1, 9, 10, 99, 100, 4294967295u, 4294967296u, UINT64_MAX};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        char own[DECIMAL_MAX + 1] = "";
        char theirs[DECIMAL_MAX + 1];
        own[decimal_put(own, edges[i])] = '\0';
        snprintf(theirs, sizeof theirs, "%llu", (unsigned long long)edges[i]);
        assert_string_equal(own, theirs);
    }
}

/* Pages of memory that are there. */
static uint64_t pages_of(void *memory, uint64_t size)
{
    static unsigned char there[(64 << 20) / 4096];
    uint64_t pages = 0;
    assert_int_equal(mincore(memory, size, there), 0);
    for (uint64_t i = 0; i < size / 4096; i++) {
        pages += there[i] & 1;
    }
    return pages;
}

/* Warming ahead never changes memory that is in use, and ends when told, asked or not. */
static void warm_leaves_memory_alone(void **state)
{
    (void)state;
    enum { SIZE = 64 << 20 };
    void *memory;
    void *other;
    struct warm *warm;
    assert_int_equal(mem_reserve(SIZE, &memory), ERR_OK);
    assert_int_equal(mem_reserve(SIZE, &other), ERR_OK);
    const struct warm_region regions[] = {{memory, SIZE, 32 << 20, 0}, {other, SIZE, 4 << 20, 0}};
    assert_int_equal(warm_start(regions, 2, &warm), ERR_OK);
    uint8_t *bytes = memory;
    for (uint64_t at = 0; at < SIZE; at += 4096) {
        bytes[at] = (uint8_t)(at >> 12);
        warm_note(warm, 0, at);
    }
    warm_stop(warm);
    for (uint64_t at = 0; at < SIZE; at += 4096) {
        assert_int_equal(bytes[at], (uint8_t)(at >> 12));
    }
    assert_true(pages_of(other, SIZE) == 0);
    mem_release(memory, SIZE);
    mem_release(other, SIZE);
    warm_stop(NULL);
    warm_note(NULL, 0, 5);
}

/* A region that was told of nothing but its beginning is warm as far as asked, and no more. */
static void warm_goes_ahead(void **state)
{
    (void)state;
    enum { SIZE = 64 << 20, AHEAD = 4 << 20 };
    void *memory;
    struct warm *warm;
    assert_int_equal(mem_reserve(SIZE, &memory), ERR_OK);
    const struct warm_region region = {memory, SIZE, AHEAD, 0};
    assert_int_equal(warm_start(&region, 1, &warm), ERR_OK);
    warm_note(warm, 0, 0);
    for (int i = 0; i < 10000 && pages_of(memory, SIZE) < AHEAD / 4096; i++) {
        usleep(1000);
    }
    const uint64_t pages = pages_of(memory, SIZE);
    warm_stop(warm);
    if (pages == 0) {
        skip(); /* a system that cannot populate */
    }
    assert_int_equal(pages, AHEAD / 4096);
    mem_release(memory, SIZE);
}

/* The program's own pages are there afterwards, also those of data that nobody wrote to. */
static void warm_program_is_there(void **state)
{
    (void)state;
    static uint8_t never[1 << 20];
    const uintptr_t first = ((uintptr_t)never + 4095) & ~(uintptr_t)4095;
    const uint64_t size = (1 << 20) - 4096;
    warm_program();
    const uint64_t pages = pages_of((void *)first, size);
    if (pages == 0) {
        skip(); /* a system that cannot populate */
    }
    assert_int_equal(pages, size / 4096);
}

/* What callers tell apart, from the system's numbers; everything else is an error of the system,
 * and only 0 is none. Negative: somebody forgot the sign of a result. */
static void errno_becomes_the_nearest_error(void **state)
{
    static const struct {
        int number;
        enum err err;
    } known[] = {{0, ERR_OK},
                 {ENOMEM, ERR_NOMEM},
                 {ENOSPC, ERR_NOSPACE},
                 {EDQUOT, ERR_NOSPACE},
                 {EACCES, ERR_ACCESS},
                 {EPERM, ERR_ACCESS},
                 {ENOENT, ERR_NOTFOUND},
                 {EEXIST, ERR_EXISTS},
                 {EADDRINUSE, ERR_INUSE},
                 {EINVAL, ERR_INVALID},
                 {ENOSYS, ERR_UNSUPPORTED},
                 {EOPNOTSUPP, ERR_UNSUPPORTED},
                 {EIO, ERR_IO},
                 {EFBIG, ERR_TOOBIG}};
    (void)state;
    for (int number = -ENOSPC; number < 4096; number++) {
        enum err wanted = ERR_SYS;
        for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
            wanted = known[i].number == number ? known[i].err : wanted;
        }
        assert_int_equal(err_from_errno(number), wanted);
    }
}

/* Every error has a text of its own; a number that is none has one too. */
static void errors_have_texts(void **state)
{
    (void)state;
    for (int i = 0; i < ERR_COUNT; i++) {
        assert_true(err_text((enum err)i)[0] != '\0');
        for (int before = 0; before < i; before++) {
            assert_string_not_equal(err_text((enum err)i), err_text((enum err)before));
        }
    }
    assert_string_equal(err_text(ERR_COUNT), "unknown error");
    assert_string_equal(err_text((enum err)-1), "unknown error");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(crc_published_vector),   cmocka_unit_test(crc_versions_agree),
        cmocka_unit_test(geo_metres_is_haversine), cmocka_unit_test(digest_is_a_set_sum),
        cmocka_unit_test(hash_depends_on_key),    cmocka_unit_test(hist_percentiles_are_close),
        cmocka_unit_test(mem_reserve_gives_zeroed), cmocka_unit_test(decimal_is_printf),
        cmocka_unit_test(errno_becomes_the_nearest_error),
        cmocka_unit_test(errors_have_texts),
        cmocka_unit_test(warm_leaves_memory_alone),
        cmocka_unit_test(warm_goes_ahead),
        cmocka_unit_test(warm_program_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
