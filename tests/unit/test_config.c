/* Settings: from file, environment and flags, and every way in which they can be wrong. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "config.h"

enum { ARGS_MAX = 12 };

static const char *const path = "test_config_scratch.conf";

static void file_write(const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

/* Load with these flags (separated by one blank) and this one environment entry, or NULL. */
static enum config_action load(struct config *config, const char *flags, const char *entry,
                               char error[CONFIG_ERROR_SIZE])
{
    char text[512];
    char own[128];
    char *argv[ARGS_MAX] = {text};
    char *environment[] = {entry ? own : NULL, NULL};
    int argc = 1;
    snprintf(own, sizeof own, "%s", entry ? entry : "");
    snprintf(text, sizeof text, "nearshelfd %s", flags);
    for (char *at = strchr(text, ' '); at; at = strchr(at, ' ')) {
        *at++ = '\0';
        if (*at) {
            assert_true(argc < ARGS_MAX - 1);
            argv[argc++] = at;
        }
    }
    return config_load(config, argc, argv, environment, error);
}

/* What is wrong is told with its place and what to do. */
static void expect_bad(const char *flags, const char *entry, const char *begin, const char *part)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE];
    assert_int_equal(load(&config, flags, entry, error), CONFIG_BAD);
    if (strncmp(error, begin, strlen(begin)) != 0 || !strstr(error, part)) {
        fail_msg("error is \"%s\", not \"%s...%s...\"", error, begin, part);
    }
}

static void expect_bad_file(const char *text, const char *begin, const char *part)
{
    file_write(text);
    expect_bad("--config test_config_scratch.conf", NULL, begin, part);
    unlink(path);
}

/* A flag wins over the environment, that over the file, that over the default. */
static void sources_win_in_order(void **state)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE];
    (void)state;
    file_write("items_max = 10\norders_max = 11\nholds_max = 12\n");
    assert_int_equal(load(&config, "--config test_config_scratch.conf --orders-max 21",
                          "NEARSHELF_ITEMS_MAX=30", error),
                     CONFIG_RUN);
    assert_int_equal(config.items_max, 30);
    assert_int_equal(config.orders_max, 21);
    assert_int_equal(config.holds_max, 12);
    assert_int_equal(config.keys_max, 10000000);
    assert_int_equal(load(&config, "--items_max=5", "NEARSHELF_ITEMS_MAX=30", error), CONFIG_RUN);
    assert_int_equal(config.items_max, 5);
    unlink(path);
}

/* Addresses add up within one source and replace those of a weaker one. */
static void listens_add_up(void **state)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE];
    (void)state;
    file_write("listen = 127.0.0.1:1\nlisten = 127.0.0.1:2, unix:/x\n");
    assert_int_equal(load(&config, "--config test_config_scratch.conf", NULL, error), CONFIG_RUN);
    assert_int_equal(config.listen.count, 3);
    assert_string_equal(config.listen.texts[1], "127.0.0.1:2");
    assert_string_equal(config.listen.texts[2], "unix:/x");
    assert_int_equal(
        load(&config, "--listen a:1 --config test_config_scratch.conf --listen b:2", NULL, error),
        CONFIG_RUN);
    assert_int_equal(config.listen.count, 2);
    assert_string_equal(config.listen.texts[0], "a:1");
    assert_int_equal(load(&config, "", NULL, error), CONFIG_RUN);
    assert_int_equal(config.listen.count, 1);
    unlink(path);
}

/* Sizes and times take units; switches may stand alone. */
static void values_have_units(void **state)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE];
    (void)state;
    assert_int_equal(load(&config,
                          "--orders-memory 2GiB --frame-size-max=64kib --key-window 90s "
                          "--count-window=1h --unsafe-no-sync --log-buffered=yes --pages small",
                          NULL, error),
                     CONFIG_RUN);
    assert_int_equal(config.orders_memory, (uint64_t)2 << 30);
    assert_int_equal(config.frame_size_max, 65536);
    assert_int_equal(config.key_window, 90000);
    assert_int_equal(config.count_window, 3600000);
    assert_int_equal(config.unsafe_no_sync, 1);
    assert_int_equal(config.log_buffered, 1);
    assert_int_equal(config.pages, CONFIG_PAGES_SMALL);
    assert_int_equal(config.orders_ready, (uint64_t)64 << 20);
    assert_int_equal(load(&config, "--country us --currency eur --orders-ready=1GiB", NULL, error),
                     CONFIG_RUN);
    assert_int_equal(config.orders_ready, (uint64_t)1 << 30);
    assert_string_equal(config.country, "US");
    assert_string_equal(config.currency, "EUR");
}

/* An error of the file names file and line, and the setting that was meant. */
static void files_are_told_by_line(void **state)
{
    (void)state;
    expect_bad_file("# x\n\nlisen = a:1\n", "test_config_scratch.conf:3: ", "did you mean listen?");
    expect_bad_file("xyzzyx = 1\n", "test_config_scratch.conf:1: unknown setting xyzzyx", "--help");
    expect_bad_file("batch = 0\n", "test_config_scratch.conf:1: batch = 0", "1 to 4096");
    expect_bad_file("batch = 7\nbatch = 8\n", "test_config_scratch.conf:2: batch", "line 1");
    expect_bad_file("batch = 7\n[engine]\nitems_max = 3\n", "test_config_scratch.conf:3: [engine]",
                    "without a section");
    expect_bad_file("batch = 7\nnonsense\n", "test_config_scratch.conf:2: ", "name = value");
    expect_bad("--config no_such_file.conf", NULL, "no_such_file.conf: ", "No such file");
}

/* A line that inih would cut in two is refused instead. */
static void long_lines_are_refused(void **state)
{
    char text[400];
    (void)state;
    memset(text, 'x', sizeof text);
    memcpy(text, "dir = ", 6);
    text[sizeof text - 2] = '\n';
    text[sizeof text - 1] = '\0';
    expect_bad_file(text, "test_config_scratch.conf:1: ", "at most");
}

/* Errors of flags and environment name them. */
static void flags_and_environment_are_named(void **state)
{
    (void)state;
    expect_bad("--itms-max 5", NULL, "--itms-max: ", "did you mean --items_max?");
    expect_bad("--batch", NULL, "--batch: ", "needs a value");
    expect_bad("--batch 1x", NULL, "--batch: ", "whole number");
    expect_bad("--batch -1", NULL, "--batch: ", "whole number");
    expect_bad("--batch 99999999999999999999", NULL, "--batch: ", "whole number");
    expect_bad("--key-window 5", NULL, "--key-window: ", "10min");
    expect_bad("--buffers-max 5m", NULL, "--buffers-max: ", "64MiB");
    expect_bad("--pages large", NULL, "--pages: ", "auto or small");
    expect_bad("--log-buffered=maybe", NULL, "--log-buffered: ", "yes or no");
    expect_bad("batch 5", NULL, "batch: ", "--name VALUE");
    expect_bad("", "NEARSHELF_BATCH=many", "NEARSHELF_BATCH: ", "whole number");
}

/* What must hold between settings. */
static void settings_fit_together(void **state)
{
    (void)state;
    expect_bad("--country U", NULL, "country", "two letters");
    expect_bad("--currency U1D", NULL, "currency", "three letters");
    expect_bad("--segment-size 8MiB --group-size-max 16MiB", NULL, "segment_size", "two groups");
    expect_bad("--output-soft 6MiB", NULL, "output_hard", "2 x output_soft");
}

/* Flags that are no settings. */
static void actions(void **state)
{
    static struct config config;
    char error[CONFIG_ERROR_SIZE];
    (void)state;
    assert_int_equal(load(&config, "--help --nonsense 5", NULL, error), CONFIG_BAD);
    assert_int_equal(load(&config, "--help", NULL, error), CONFIG_HELP);
    assert_int_equal(load(&config, "--batch 5 --version", NULL, error), CONFIG_VERSION);
    assert_int_equal(load(&config, "--check-config --batch 5", NULL, error), CONFIG_CHECK);
    assert_int_equal(load(&config, "--check-config --batch 0", NULL, error), CONFIG_BAD);
}

/* The line "#name = default" of the example, at the start of a line. */
static bool example_has(const char *example, const char *name, const char *initial)
{
    char line[256];
    snprintf(line, sizeof line, "\n#%s =%s%s\n", name, initial[0] ? " " : "", initial);
    return strstr(example, line) != NULL;
}

/* Every setting stands in the example with its default; with all lines live it means the same
 * as no file at all. */
static void example_has_every_setting(void **state)
{
    static char example[65536];
    static struct config defaults;
    static struct config config;
    char error[CONFIG_ERROR_SIZE];
    const char *name;
    const char *initial;
    (void)state;
    FILE *file = fopen(EXAMPLE_FILE, "re");
    assert_non_null(file);
    size_t size = fread(example, 1, sizeof example - 1, file);
    fclose(file);
    example[size] = '\0';
    for (uint32_t i = 0; config_setting(i, &name, &initial); i++) {
        if (!example_has(example, name, initial)) {
            fail_msg("the example has no line \"#%s = %s\"", name, initial);
        }
    }
    for (char *at = example; (at = strstr(at, "\n#")) != NULL; at++) {
        at[1] = at[2] == ' ' || at[2] == '\n' ? '#' : ' ';
    }
    for (char *at = example; (at = strstr(at, "\n ")) != NULL;) {
        memmove(at + 1, at + 2, strlen(at + 2) + 1); /* an indented line would go on the last */
    }
    file_write(example);
    config_default(&defaults);
    config_default(&config);
    config.listen.count = 0;
    config.batch = 1;
    assert_true(config_file_read(&config, path, error));
    assert_memory_equal(&config, &defaults, sizeof config);
    unlink(path);
}

/* Sizes as people read them. */
static void size_texts(void **state)
{
    char text[32];
    (void)state;
    config_size_text((uint64_t)6 << 30, text);
    assert_string_equal(text, "6 GiB");
    config_size_text(((uint64_t)3 << 30) / 2, text);
    assert_string_equal(text, "1.5 GiB");
    config_size_text(0, text);
    assert_string_equal(text, "0 B");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sources_win_in_order),
        cmocka_unit_test(listens_add_up),
        cmocka_unit_test(values_have_units),
        cmocka_unit_test(files_are_told_by_line),
        cmocka_unit_test(long_lines_are_refused),
        cmocka_unit_test(flags_and_environment_are_named),
        cmocka_unit_test(settings_fit_together),
        cmocka_unit_test(actions),
        cmocka_unit_test(example_has_every_setting),
        cmocka_unit_test(size_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
