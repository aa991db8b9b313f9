/* Sources of settings: file, environment, flags; and the checks between settings. */
#include "config.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <inttypes.h>
#include <string.h>

#include "config_internal.h"
#include "names.h"

enum { SETTINGS_MAX = 64, LINE_MAX_SIZE = 198 };

enum source { SOURCE_DEFAULT, SOURCE_FILE, SOURCE_ENVIRONMENT, SOURCE_FLAG };

/* One load: where each setting came from so far. */
struct loading {
    struct config *config;
    enum source source;
    enum source sources[SETTINGS_MAX];
    uint32_t lines[SETTINGS_MAX];
    const char *path; /* of the file being read */
    FILE *file;
    uint32_t line;
    char *error; /* CONFIG_ERROR_SIZE bytes; "" = none */
};

/* -- names -- */

static void upper_case(char *text)
{
    for (; *text; text++) {
        *text = (char)toupper((unsigned char)*text);
    }
}

static char plain(char c)
{
    return c == '-' ? '_' : c;
}

int config_find(const char *name, size_t len)
{
    for (uint32_t i = 0; i < config_settings_count; i++) {
        const char *own = config_settings[i].name;
        size_t at = 0;
        while (at < len && own[at] && plain(name[at]) == own[at]) {
            at++;
        }
        if (at == len && own[at] == '\0') {
            return (int)i;
        }
    }
    return -1;
}

const char *config_nearest(const char *name, size_t len)
{
    const char *texts[SETTINGS_MAX];
    char own[64];
    struct names names = {texts, config_settings_count};
    if (len > sizeof own) {
        return NULL;
    }
    for (uint32_t i = 0; i < config_settings_count; i++) {
        texts[i] = config_settings[i].name;
    }
    for (size_t i = 0; i < len; i++) {
        own[i] = plain(name[i]);
    }
    return names_nearest(&names, own, (uint32_t)len);
}

/* The text of "unknown X, did you mean Y?" behind what. */
static void unknown(char *error, const char *what, const char *name, size_t len)
{
    const char *near = config_nearest(name, len);
    int shown = len < 60 ? (int)len : 60;
    if (near) {
        snprintf(error, CONFIG_ERROR_SIZE, "%s %.*s, did you mean %s?", what, shown, name, near);
    } else {
        snprintf(error, CONFIG_ERROR_SIZE, "%s %.*s: --help lists the settings", what, shown,
                 name);
    }
}

/* -- setting -- */

static void list_replace(struct loading *loading, uint32_t index)
{
    const struct setting *setting = &config_settings[index];
    if (setting->kind == CONFIG_KIND_LIST && loading->sources[index] != loading->source) {
        struct config_list *list = (void *)((char *)loading->config + setting->offset);
        list->count = 0;
    }
}

static bool set(struct loading *loading, uint32_t index, const char *text,
                char why_out[CONFIG_ERROR_SIZE])
{
    list_replace(loading, index);
    loading->sources[index] = loading->source;
    loading->lines[index] = loading->line;
    return config_value_set(loading->config, &config_settings[index], text, why_out);
}

void config_default(struct config *config)
{
    char why[CONFIG_ERROR_SIZE];
    memset(config, 0, sizeof *config);
    for (uint32_t i = 0; i < config_settings_count; i++) {
        (void)config_value_set(config, &config_settings[i], config_settings[i].initial, why);
    }
}

/* -- the file -- */

static void file_error(struct loading *loading, const char *why)
{
    if (!loading->error[0]) {
        snprintf(loading->error, CONFIG_ERROR_SIZE, "%.200s:%u: %.280s", loading->path,
                 loading->line, why);
    }
}

static char *on_line(char *line, int size, void *owner)
{
    struct loading *loading = owner;
    if (loading->error[0] || !fgets(line, size, loading->file)) {
        return NULL;
    }
    loading->line++;
    if (!strchr(line, '\n') && !feof(loading->file)) {
        char why[80];
        snprintf(why, sizeof why, "a line has at most %d bytes", LINE_MAX_SIZE);
        file_error(loading, why);
        return NULL;
    }
    return line;
}

static int on_setting(void *owner, const char *section, const char *name, const char *value)
{
    struct loading *loading = owner;
    char why[CONFIG_ERROR_SIZE];
    int index = config_find(name, strlen(name));
    if (section[0]) {
        snprintf(why, sizeof why, "[%.60s]: settings stand without a section", section);
        file_error(loading, why);
        return 0;
    }
    if (index < 0) {
        unknown(why, "unknown setting", name, strlen(name));
        file_error(loading, why);
        return 0;
    }
    bool is_list = config_settings[index].kind == CONFIG_KIND_LIST;
    if (!is_list && loading->sources[index] == SOURCE_FILE) {
        snprintf(why, sizeof why, "%s: given before, in line %u", config_settings[index].name,
                 loading->lines[index]);
        file_error(loading, why);
        return 0;
    }
    if (!set(loading, (uint32_t)index, value, why)) {
        file_error(loading, why);
        return 0;
    }
    return 1;
}

static bool file_read(struct loading *loading, const char *path)
{
    loading->source = SOURCE_FILE;
    loading->path = path;
    loading->file = fopen(path, "re");
    if (!loading->file) {
        snprintf(loading->error, CONFIG_ERROR_SIZE, "%.300s: %s", path, strerror(errno));
        return false;
    }
    int bad = ini_parse_stream(on_line, loading, on_setting, loading);
    if (ferror(loading->file)) {
        snprintf(loading->error, CONFIG_ERROR_SIZE, "%.300s: cannot be read", path);
    }
    fclose(loading->file);
    loading->file = NULL;
    if (bad && !loading->error[0]) {
        loading->line = bad > 0 ? (uint32_t)bad : loading->line;
        file_error(loading, "this is no `name = value`");
    }
    loading->line = 0;
    return !loading->error[0];
}

bool config_file_read(struct config *config, const char *path, char error_out[CONFIG_ERROR_SIZE])
{
    error_out[0] = '\0';
    struct loading loading = {.config = config, .error = error_out};
    return file_read(&loading, path);
}

/* -- the environment -- */

static void environment_name(const struct setting *setting, char out[80])
{
    snprintf(out, 80, "NEARSHELF_%s", setting->name);
    upper_case(out);
}

static const char *environment_value(char *const *environment, const char *name)
{
    size_t len = strlen(name);
    for (; environment && *environment; environment++) {
        if (strncmp(*environment, name, len) == 0 && (*environment)[len] == '=') {
            return *environment + len + 1;
        }
    }
    return NULL;
}

static bool environment_read(struct loading *loading, char *const *environment)
{
    loading->source = SOURCE_ENVIRONMENT;
    for (uint32_t i = 0; i < config_settings_count; i++) {
        char why[CONFIG_ERROR_SIZE];
        char name[80];
        environment_name(&config_settings[i], name);
        const char *value = environment_value(environment, name);
        if (value && !set(loading, i, value, why)) {
            snprintf(loading->error, CONFIG_ERROR_SIZE, "%s: %.400s", name, why);
            return false;
        }
    }
    return true;
}

/* -- flags -- */

/* One flag of the command line, taken apart. */
struct flag {
    const char *name;
    size_t len;
    const char *value; /* NULL: none with '=' */
};

static struct flag flag_of(const char *argument)
{
    struct flag flag = {argument + 2, strcspn(argument + 2, "="), NULL};
    flag.value = flag.name[flag.len] == '=' ? flag.name + flag.len + 1 : NULL;
    return flag;
}

static bool flag_is(const struct flag *flag, const char *name)
{
    return strlen(name) == flag->len && memcmp(flag->name, name, flag->len) == 0;
}

static bool flag_fails(struct loading *loading, const struct flag *flag, const char *why)
{
    int shown = flag->len < 60 ? (int)flag->len : 60;
    snprintf(loading->error, CONFIG_ERROR_SIZE, "--%.*s: %.400s", shown, flag->name, why);
    return false;
}

/* The value of a flag that needs one: behind '=', or the next argument. */
static bool flag_value(struct loading *loading, struct flag *flag, char *const *argv, int *i)
{
    if (!flag->value) {
        flag->value = argv[*i + 1];
        if (!flag->value) {
            return flag_fails(loading, flag, "needs a value");
        }
        ++*i;
    }
    return true;
}

static bool flag_config(struct loading *loading, const struct flag *flag)
{
    size_t len = strlen(flag->value);
    if (len == 0 || len >= sizeof loading->config->file) {
        return flag_fails(loading, flag, "needs the path of a file");
    }
    memcpy(loading->config->file, flag->value, len + 1);
    return true;
}

static bool flag_unknown(struct loading *loading, const struct flag *flag)
{
    char why[128];
    const char *near = config_nearest(flag->name, flag->len);
    if (!near) {
        return flag_fails(loading, flag, "unknown flag: --help lists them");
    }
    snprintf(why, sizeof why, "unknown flag, did you mean --%s?", near);
    return flag_fails(loading, flag, why);
}

static bool flag_setting(struct loading *loading, struct flag *flag, char *const *argv, int *i)
{
    char why[CONFIG_ERROR_SIZE];
    int index = config_find(flag->name, flag->len);
    if (index < 0) {
        return flag_unknown(loading, flag);
    }
    if (config_settings[index].kind == CONFIG_KIND_SWITCH && !flag->value) {
        flag->value = "yes";
    } else if (!flag_value(loading, flag, argv, i)) {
        return false;
    }
    return set(loading, (uint32_t)index, flag->value, why) || flag_fails(loading, flag, why);
}

/* A flag that is no setting; false: it is one. */
static bool flag_action(const struct flag *flag, enum config_action *action)
{
    if (flag_is(flag, "help")) {
        *action = CONFIG_HELP;
    } else if (flag_is(flag, "version")) {
        *action = CONFIG_VERSION;
    } else if (flag_is(flag, "check-config")) {
        *action = *action == CONFIG_RUN ? CONFIG_CHECK : *action;
    } else {
        return false;
    }
    return true;
}

/* Step over a setting that a later pass reads. */
static bool flag_skip(struct loading *loading, const struct flag *flag, char *const *argv, int *i)
{
    int index = config_find(flag->name, flag->len);
    if (index < 0) {
        return flag_unknown(loading, flag);
    }
    bool is_switch = config_settings[index].kind == CONFIG_KIND_SWITCH;
    *i += !is_switch && !flag->value && argv[*i + 1];
    return true;
}

/* One pass: with is_first only --config and the flags that are no settings, so that the file is
 * read before what wins over it. */
static bool flags_read(struct loading *loading, int argc, char *const *argv, bool is_first,
                       enum config_action *action)
{
    loading->source = SOURCE_FLAG;
    for (int i = 1; i < argc; i++) {
        if (strncmp(argv[i], "--", 2) != 0 || argv[i][2] == '\0') {
            snprintf(loading->error, CONFIG_ERROR_SIZE,
                     "%.100s: a setting is given as --name VALUE; --help lists them", argv[i]);
            return false;
        }
        struct flag flag = flag_of(argv[i]);
        bool is_good = true;
        if (flag_is(&flag, "config")) {
            is_good = flag_value(loading, &flag, argv, &i) && flag_config(loading, &flag);
        } else if (flag_action(&flag, action)) {
            continue;
        } else if (is_first) {
            is_good = flag_skip(loading, &flag, argv, &i);
        } else {
            is_good = flag_setting(loading, &flag, argv, &i);
        }
        if (!is_good) {
            return false;
        }
    }
    return true;
}

/* -- all together -- */

static bool letters(const char *text)
{
    while (isalpha((unsigned char)*text)) {
        text++;
    }
    return *text == '\0';
}

/* What must hold between settings, or of one text. */
static const char *check(struct config *config)
{
    upper_case(config->country);
    upper_case(config->currency);
    if (!letters(config->country) || strlen(config->country) == 1) {
        return "country: must be two letters, or empty";
    }
    if (!letters(config->currency)) {
        return "currency: must be three letters, such as USD";
    }
    if (config->segment_size % 4096) {
        return "segment_size: must be a multiple of 4 KiB";
    }
    if (config->segment_size < 2 * config->group_size_max + ((uint64_t)1 << 20)) {
        return "segment_size: must hold two groups: at least 2 x group_size_max + 1 MiB";
    }
    if (config->output_hard < 2 * config->output_soft) {
        return "output_hard: must be at least 2 x output_soft";
    }
    return NULL;
}

/* The error is one line whatever the values hold that it repeats. */
static void error_flatten(char error[CONFIG_ERROR_SIZE])
{
    for (char *c = error; *c; c++) {
        *c = (unsigned char)*c < ' ' ? '?' : *c;
    }
}

static enum config_action load(struct config *config, int argc, char *const *argv,
                               char *const *environment, char error_out[CONFIG_ERROR_SIZE])
{
    struct loading loading = {.config = config, .error = error_out};
    enum config_action action = CONFIG_RUN;
    error_out[0] = '\0';
    config_default(config);
    if (!flags_read(&loading, argc, argv, true, &action)) {
        return CONFIG_BAD;
    }
    if (action == CONFIG_HELP || action == CONFIG_VERSION) {
        return action;
    }
    if (config->file[0] && !file_read(&loading, config->file)) {
        return CONFIG_BAD;
    }
    if (!environment_read(&loading, environment) ||
        !flags_read(&loading, argc, argv, false, &action)) {
        return CONFIG_BAD;
    }
    const char *why = check(config);
    if (why) {
        snprintf(error_out, CONFIG_ERROR_SIZE, "%s", why);
        return CONFIG_BAD;
    }
    return action;
}

enum config_action config_load(struct config *config, int argc, char *const *argv,
                               char *const *environment, char error_out[CONFIG_ERROR_SIZE])
{
    const enum config_action action = load(config, argc, argv, environment, error_out);
    error_flatten(error_out);
    return action;
}

void config_help(FILE *out)
{
    for (uint32_t i = 0; i < config_settings_count; i++) {
        const struct setting *setting = &config_settings[i];
        char flag[64];
        char range[96];
        snprintf(flag, sizeof flag, "--%s", setting->name);
        for (char *c = flag; *c; c++) {
            *c = *c == '_' ? '-' : *c;
        }
        config_range_text(setting, range, sizeof range);
        fprintf(out, "  %-18s %s\n  %18s %s%s%s\n", flag, setting->help, "", range,
                setting->initial[0] ? "; default " : "", setting->initial);
    }
}

bool config_setting(uint32_t i, const char **name_out, const char **default_out)
{
    if (i >= config_settings_count) {
        return false;
    }
    *name_out = config_settings[i].name;
    *default_out = config_settings[i].initial;
    return true;
}
