/* The corpus once, then drawn inputs until the time is over. */
#include "fuzz_main.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { CORPUS_MAX = 8192, SIZE_BYTES = 4 };

struct entry {
    uint8_t *bytes;
    size_t size;
};

static struct entry corpus[CORPUS_MAX];
static uint32_t corpus_count;
static uint64_t current; /* number of the input that runs; 0 = one of the corpus */
static char name_now[4096];

/* Told as it fails: the input that did it. */
static void on_abort(int number)
{
    char text[4200];
    const int size = current
                         ? snprintf(text, sizeof text, "again with --seed %llu\n",
                                    (unsigned long long)current)
                         : snprintf(text, sizeof text, "again with %s\n", name_now);
    if (write(STDERR_FILENO, text, (size_t)size) < 0) {
        _exit(1);
    }
    signal(number, SIG_DFL);
    raise(number);
}

/* From an exact copy, so that a read behind its end shows. */
static void run_copy(const uint8_t *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    CHECK(copy);
    memcpy(copy, bytes, size);
    (void)LLVMFuzzerTestOneInput(copy, size);
    free(copy);
}

static void corpus_input(const uint8_t *bytes, size_t size)
{
    CHECK(corpus_count < CORPUS_MAX);
    struct entry *entry = &corpus[corpus_count++];
    *entry = (struct entry){malloc(size ? size : 1), size};
    CHECK(entry->bytes);
    memcpy(entry->bytes, bytes, size);
    run_copy(bytes, size);
}

static FILE *open_input(const char *path)
{
    FILE *file = fopen(path, "rb");
    CHECK(file);
    return file;
}

static void corpus_file(const char *path)
{
    static uint8_t bytes[FUZZ_INPUT_MAX];
    FILE *file = open_input(path);
    const size_t size = fread(bytes, 1, sizeof bytes, file);
    fclose(file);
    snprintf(name_now, sizeof name_now, "%s", path);
    corpus_input(bytes, size);
}

/* What campaigns found, in one file: of each input its size, u32 little endian, and its bytes. */
static void corpus_grown(const char *path)
{
    static uint8_t bytes[FUZZ_INPUT_MAX];
    uint8_t head[SIZE_BYTES];
    FILE *file = open_input(path);
    for (uint32_t i = 0; fread(head, 1, sizeof head, file) == sizeof head; i++) {
        const size_t size = head[0] | (size_t)head[1] << 8 | (size_t)head[2] << 16;
        CHECK(head[3] == 0);
        CHECK(size <= sizeof bytes);
        const size_t seen = fread(bytes, 1, size, file);
        CHECK(seen == size);
        snprintf(name_now, sizeof name_now, "input %u of %s", i, path);
        corpus_input(bytes, size);
    }
    fclose(file);
}

static void corpus_folder(const char *path)
{
    struct dirent **names;
    char name[4096];
    const int count = scandir(path, &names, NULL, alphasort);
    CHECK(count >= 0);
    for (int i = 0; i < count; i++) {
        if (names[i]->d_name[0] != '.') {
            snprintf(name, sizeof name, "%s/%s", path, names[i]->d_name);
            corpus_file(name);
        }
        free(names[i]);
    }
    free(names);
}

static void run_drawn(uint64_t seed)
{
    static uint8_t input[FUZZ_INPUT_MAX];
    struct rng rng;
    size_t size = 0;
    rng_init(&rng, seed);
    if (corpus_count) {
        const struct entry *entry = &corpus[rng_below(&rng, corpus_count)];
        memcpy(input, entry->bytes, entry->size);
        size = entry->size;
    }
    current = seed;
    size = fuzz_draw(&rng, input, size);
    CHECK(size <= FUZZ_INPUT_MAX);
    run_copy(input, size);
}

size_t fuzz_mutate(struct rng *rng, uint8_t *input, size_t size)
{
    for (uint64_t changes = 1 + rng_below(rng, 4); changes > 0; changes--) {
        const size_t at = size ? (size_t)rng_below(rng, size) : 0;
        const size_t rest = size - at;
        const size_t some = rest ? 1 + (size_t)rng_below(rng, rest < 32 ? rest : 32) : 0;
        switch (rng_below(rng, 4)) {
        case 0: /* a byte is another one */
            if (rest) {
                input[at] = (uint8_t)rng_next(rng);
            }
            break;
        case 1: /* a bit */
            if (rest) {
                input[at] ^= (uint8_t)(1u << rng_below(rng, 8));
            }
            break;
        case 2: /* some are gone */
            memmove(input + at, input + at + some, rest - some);
            size -= some;
            break;
        default: /* some come twice */
            if (size + some <= FUZZ_INPUT_MAX) {
                memmove(input + at + some, input + at, rest);
                size += some;
            }
            break;
        }
    }
    return size;
}

static double seconds_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void take_path(const char *path)
{
    struct stat facts;
    CHECK(stat(path, &facts) == 0);
    const char *end = strrchr(path, '.');
    if (S_ISDIR(facts.st_mode)) {
        corpus_folder(path);
    } else if (end && strcmp(end, ".grown") == 0) {
        corpus_grown(path);
    } else {
        corpus_file(path);
    }
}

int main(int argc, char **argv)
{
    double seconds = 0;
    uint64_t seed = 1;
    uint64_t drawn = 0;
    signal(SIGABRT, on_abort);
    signal(SIGSEGV, on_abort);
    for (int i = 1; i < argc; i++) {
        if (i + 1 < argc && strcmp(argv[i], "--seconds") == 0) {
            seconds = strtod(argv[++i], NULL);
        } else if (i + 1 < argc && strcmp(argv[i], "--seed") == 0) {
            seed = strtoull(argv[++i], NULL, 10);
        } else {
            take_path(argv[i]);
        }
    }
    CHECK(seed > 0);
    for (const double end = seconds_now() + seconds; seconds_now() < end; drawn++) {
        run_drawn(seed + drawn);
    }
    printf("%u inputs of the corpus, %llu drawn from %llu on\n", corpus_count,
           (unsigned long long)drawn, (unsigned long long)seed);
    for (uint32_t i = 0; i < corpus_count; i++) {
        free(corpus[i].bytes);
    }
    return corpus_count + drawn ? 0 : 1;
}
