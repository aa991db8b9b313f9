/* One value of a setting: reading, ranges, and how people write them. */
#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "config_internal.h"

struct unit {
    const char *name;
    uint64_t factor;
};

/* Largest first; the first of each is what a printed value may take. */
static const struct unit size_units[] = {
    {"TiB", (uint64_t)1 << 40}, {"GiB", (uint64_t)1 << 30}, {"MiB", (uint64_t)1 << 20},
    {"KiB", (uint64_t)1 << 10}, {"B", 1},                   {NULL, 0}};
static const struct unit time_units[] = {
    {"h", 3600000}, {"min", 60000}, {"s", 1000}, {"ms", 1}, {NULL, 0}};

static const struct unit *units_of(enum config_kind kind)
{
    return kind == CONFIG_KIND_SIZE ? size_units : time_units;
}

static void unit_text(const struct unit *units, uint64_t value, char *out, size_t size)
{
    if (value == 0) {
        snprintf(out, size, "0");
        return;
    }
    while (value % units->factor) {
        units++;
    }
    snprintf(out, size, "%" PRIu64 " %s", value / units->factor, units->name);
}

void config_size_text(uint64_t size, char out[32])
{
    const struct unit *unit = size_units;
    while (unit->factor > 1 && size < unit->factor) {
        unit++;
    }
    if (size % unit->factor == 0) {
        snprintf(out, 32, "%" PRIu64 " %s", size / unit->factor, unit->name);
    } else {
        snprintf(out, 32, "%.1f %s", (double)size / (double)unit->factor, unit->name);
    }
}

static void words_text(const char *const *words, char *out, size_t size)
{
    size_t used = 0;
    for (; *words && used < size; words++) {
        const char *between = used == 0 ? "" : words[1] ? ", " : " or ";
        int wrote = snprintf(out + used, size - used, "%s%s", between, *words);
        used += wrote > 0 ? (size_t)wrote : 0;
    }
}

static void numbers_text(const struct setting *setting, char *out, size_t size)
{
    char low[32];
    char high[32];
    if (setting->kind == CONFIG_KIND_COUNT) {
        snprintf(out, size, "%" PRIu64 " to %" PRIu64, setting->min, setting->max);
        return;
    }
    unit_text(units_of(setting->kind), setting->min, low, sizeof low);
    unit_text(units_of(setting->kind), setting->max, high, sizeof high);
    snprintf(out, size, "%s to %s", low, high);
}

void config_range_text(const struct setting *setting, char *out, size_t size)
{
    switch (setting->kind) {
    case CONFIG_KIND_TEXT:
        snprintf(out, size, "%" PRIu64 " to %" PRIu64 " bytes", setting->min, setting->max);
        break;
    case CONFIG_KIND_LIST:
        snprintf(out, size, "up to %d, given again or separated by commas", CONFIG_LISTEN_MAX);
        break;
    case CONFIG_KIND_COUNT:
    case CONFIG_KIND_SIZE:
    case CONFIG_KIND_TIME:
        numbers_text(setting, out, size);
        break;
    case CONFIG_KIND_SWITCH:
        snprintf(out, size, "yes or no");
        break;
    case CONFIG_KIND_CHOICE:
        words_text(setting->words, out, size);
        break;
    }
}

/* -- reading -- */

static const char *digits_read(const char *text, uint64_t *value_out)
{
    uint64_t value = 0;
    if (!isdigit((unsigned char)*text)) {
        return NULL;
    }
    for (; isdigit((unsigned char)*text); text++) {
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value)) {
            return NULL;
        }
    }
    *value_out = value;
    return text;
}

static bool unit_read(const struct unit *units, const char *text, uint64_t *value)
{
    while (*text == ' ') {
        text++;
    }
    for (; units->name; units++) {
        if (strcasecmp(units->name, text) == 0) {
            return !__builtin_mul_overflow(*value, units->factor, value);
        }
    }
    return false;
}

static bool number_read(const struct setting *setting, const char *text, uint64_t *value_out)
{
    const char *rest = digits_read(text, value_out);
    if (!rest) {
        return false;
    }
    if (*rest == '\0') { /* a time says its unit, or one would be guessed wrong */
        return setting->kind != CONFIG_KIND_TIME || *value_out == 0;
    }
    return setting->kind != CONFIG_KIND_COUNT &&
           unit_read(units_of(setting->kind), rest, value_out);
}

static bool number_set(struct config *config, const struct setting *setting, const char *text,
                       char why_out[CONFIG_ERROR_SIZE])
{
    static const char *const asked[] = {
        [CONFIG_KIND_COUNT] = "a whole number",
        [CONFIG_KIND_SIZE] = "a size such as 64MiB (B, KiB, MiB, GiB, TiB)",
        [CONFIG_KIND_TIME] = "a time such as 10min (ms, s, min, h)",
    };
    uint64_t value;
    char range[96];
    config_range_text(setting, range, sizeof range);
    if (!number_read(setting, text, &value)) {
        snprintf(why_out, CONFIG_ERROR_SIZE, "%s = %.60s: must be %s, %s", setting->name, text,
                 asked[setting->kind], range);
        return false;
    }
    if (value < setting->min || value > setting->max) {
        snprintf(why_out, CONFIG_ERROR_SIZE, "%s = %.60s: must be from %s", setting->name, text,
                 range);
        return false;
    }
    memcpy((char *)config + setting->offset, &value, sizeof value);
    return true;
}

static bool word_set(struct config *config, const struct setting *setting, const char *text,
                     char why_out[CONFIG_ERROR_SIZE])
{
    static const char *const switches[] = {"no", "yes", NULL};
    const char *const *words = setting->kind == CONFIG_KIND_SWITCH ? switches : setting->words;
    for (uint64_t i = 0; words[i]; i++) {
        if (strcmp(words[i], text) == 0) {
            memcpy((char *)config + setting->offset, &i, sizeof i);
            return true;
        }
    }
    char range[96];
    config_range_text(setting, range, sizeof range);
    snprintf(why_out, CONFIG_ERROR_SIZE, "%s = %.60s: must be %s", setting->name, text, range);
    return false;
}

static bool text_set(struct config *config, const struct setting *setting, const char *text,
                     char why_out[CONFIG_ERROR_SIZE])
{
    size_t len = strlen(text);
    if (len < setting->min || len > setting->max) {
        char range[96];
        config_range_text(setting, range, sizeof range);
        snprintf(why_out, CONFIG_ERROR_SIZE, "%s = %.60s: must have %s", setting->name, text,
                 range);
        return false;
    }
    memcpy((char *)config + setting->offset, text, len + 1);
    return true;
}

static bool list_add(struct config_list *list, const char *text, size_t len,
                     const struct setting *setting, char why_out[CONFIG_ERROR_SIZE])
{
    if (len == 0 || len >= sizeof list->texts[0]) {
        snprintf(why_out, CONFIG_ERROR_SIZE, "%s: each must have 1 to %zu bytes", setting->name,
                 sizeof list->texts[0] - 1);
        return false;
    }
    if (list->count == CONFIG_LISTEN_MAX) {
        snprintf(why_out, CONFIG_ERROR_SIZE, "%s: at most %d", setting->name, CONFIG_LISTEN_MAX);
        return false;
    }
    memcpy(list->texts[list->count], text, len);
    list->texts[list->count][len] = '\0';
    list->count++;
    return true;
}

static bool list_set(struct config *config, const struct setting *setting, const char *text,
                     char why_out[CONFIG_ERROR_SIZE])
{
    struct config_list *list = (void *)((char *)config + setting->offset);
    for (;;) {
        text += strspn(text, " ");
        size_t len = strcspn(text, ", ");
        if (!list_add(list, text, len, setting, why_out)) {
            return false;
        }
        text += len + strspn(text + len, " ");
        if (*text == '\0') {
            return true;
        }
        text += *text == ',';
    }
}

bool config_value_set(struct config *config, const struct setting *setting, const char *text,
                      char why_out[CONFIG_ERROR_SIZE])
{
    switch (setting->kind) {
    case CONFIG_KIND_TEXT:
        return text_set(config, setting, text, why_out);
    case CONFIG_KIND_LIST:
        return list_set(config, setting, text, why_out);
    case CONFIG_KIND_COUNT:
    case CONFIG_KIND_SIZE:
    case CONFIG_KIND_TIME:
        return number_set(config, setting, text, why_out);
    case CONFIG_KIND_SWITCH:
    case CONFIG_KIND_CHOICE:
        break;
    }
    return word_set(config, setting, text, why_out);
}
