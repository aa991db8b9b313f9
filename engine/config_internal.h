/* What the files of the configuration share: the table's rows and the values' rules. */
#ifndef CONFIG_INTERNAL_H
#define CONFIG_INTERNAL_H

#include <stddef.h>

#include "config.h"

enum config_kind {
    CONFIG_KIND_TEXT,   /* char[CONFIG_TEXT_SIZE], from min to max bytes */
    CONFIG_KIND_LIST,   /* struct config_list: given again, or separated by commas */
    CONFIG_KIND_COUNT,  /* whole number */
    CONFIG_KIND_SIZE,   /* bytes, with B, KiB, MiB, GiB */
    CONFIG_KIND_TIME,   /* ms, with ms, s, min, h */
    CONFIG_KIND_SWITCH, /* yes, no */
    CONFIG_KIND_CHOICE  /* one of words */
};

struct setting {
    const char *name;
    enum config_kind kind;
    size_t offset; /* of its field in struct config */
    const char *initial; /* as a file has it */
    uint64_t min, max;
    const char *const *words; /* of a choice, ending in NULL */
    const char *help;
};

extern const struct setting config_settings[];
extern const uint32_t config_settings_count;

/* Index of a setting by name, where '-' and '_' are the same; -1: none. */
int config_find(const char *name, size_t len);

/* Name of the setting nearest to name, or NULL. */
const char *config_nearest(const char *name, size_t len);

/* Set the field from text; a list is added to. False: why_out says what is asked for. */
bool config_value_set(struct config *config, const struct setting *setting, const char *text,
                      char why_out[CONFIG_ERROR_SIZE]);

/* "1 to 100000", "64 KiB to 1 GiB", "yes or no". */
void config_range_text(const struct setting *setting, char *out, size_t size);

#endif
