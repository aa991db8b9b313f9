/* Settings of drawn bytes, from a file, a flag and the environment: taken, or refused with one line
 * of text; what was taken is taken again, the same. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "check.h"
#include "config.h"
#include "fuzz_main.h"

enum { WORD_MAX = 512 };

static void error_look(const char *error)
{
    const size_t len = strnlen(error, CONFIG_ERROR_SIZE);
    CHECK(len > 0);
    CHECK(len < CONFIG_ERROR_SIZE);
    CHECK(!memchr(error, '\n', len));
}

/* The whole input as a file. */
static void as_file(const uint8_t *input, size_t size)
{
    static struct config config;
    static struct config again;
    char error[CONFIG_ERROR_SIZE] = "";
    char path[64];
    const int fd = memfd_create("config", MFD_CLOEXEC);
    CHECK(fd >= 0);
    CHECK(write(fd, input, size) == (ssize_t)size);
    snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
    memset(&config, 0, sizeof config);
    memset(&again, 0, sizeof again);
    config_default(&config);
    config_default(&again);
    const bool is_good = config_file_read(&config, path, error);
    if (!is_good) {
        error_look(error);
    }
    CHECK(config_file_read(&again, path, error) == is_good);
    CHECK(memcmp(&config, &again, sizeof config) == 0);
    close(fd);
}

/* Its lines as flags, or as the environment. */
static void as_words(const uint8_t *input, size_t size, bool is_environment)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE] = "";
    char text[WORD_MAX];
    char program[] = "nearshelfd";
    char *words[16] = {program};
    char *none[] = {NULL};
    int count = is_environment ? 0 : 1;
    const size_t used = size < sizeof text - 1 ? size : sizeof text - 1;
    memcpy(text, input, used);
    text[used] = '\0';
    words[count++] = text;
    for (char *at = strchr(text, '\n'); at && count < 15; at = strchr(at, '\n')) {
        *at++ = '\0';
        words[count++] = at;
    }
    words[count] = NULL;
    char *arguments[] = {program, NULL};
    const enum config_action action =
        is_environment ? config_load(&config, 1, arguments, words, error)
                       : config_load(&config, count, words, none, error);
    if (action == CONFIG_BAD) {
        error_look(error);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *input, size_t size)
{
    if (size < 1) {
        return 0;
    }
    switch (input[0]) {
    case '-':
        as_words(input, size, false);
        break;
    case 'N':
        as_words(input, size, true);
        break;
    default:
        as_file(input, size);
        break;
    }
    return 0;
}

#ifndef FUZZ_ENGINE
/* A setting by its right name, with a value that is one, mostly. */
static size_t setting_draw(struct rng *rng, uint8_t *at, size_t room)
{
    static const char *const values[] = {"0", "1", "yes", "no", "8MiB", "10min", "auto", "-1",
                                         "18446744073709551616", "1e9", "", "\"a b\"",
                                         "127.0.0.1:0",
                                         "16TiB", "720h", "1 GiB", "=", "unix:x, 127.0.0.1:1"};
    const char *name;
    const char *usual;
    uint32_t count = 0;
    while (config_setting(count, &name, &usual)) {
        count++;
    }
    CHECK(config_setting((uint32_t)rng_below(rng, count), &name, &usual));
    const char *value = rng_below(rng, 4) ? values[rng_below(rng, 18)] : usual;
    const char *before[] = {"", "--", "NEARSHELF_"};
    char text[WORD_MAX];
    const int size =
        snprintf(text, sizeof text, "%s%s=%s\n", before[rng_below(rng, 3)], name, value);
    const size_t used = (size_t)size < room ? (size_t)size : 0;
    memcpy(at, text, used);
    return used;
}

size_t fuzz_draw(struct rng *rng, uint8_t *input, size_t size)
{
    if (size && rng_below(rng, 2)) {
        return fuzz_mutate(rng, input, size);
    }
    size = 0;
    for (uint64_t lines = 1 + rng_below(rng, 4); lines > 0; lines--) {
        size += setting_draw(rng, input + size, FUZZ_INPUT_MAX - size);
    }
    return rng_below(rng, 2) ? fuzz_mutate(rng, input, size) : size;
}
#endif
