/* JSON in and out, by explicit stacks: the nesting of what people type has no claim on ours. */
#include <math.h>
#include <string.h>

#include "check.h"
#include "cli_internal.h"

enum { DEPTH_MAX = 16 };

/* An object or array that is being walked. */
struct walk {
    json_t *json;
    void *iterator; /* of an object */
    size_t index;   /* of an array */
};

static bool is_container(const json_t *json)
{
    return json_is_object(json) || json_is_array(json);
}

static void put_scalar(struct nearshelf_params *params, const char *key, const json_t *json)
{
    switch (json_typeof(json)) {
    case JSON_STRING:
        nearshelf_params_text_n(params, key, json_string_value(json), json_string_length(json));
        return;
    case JSON_INTEGER:
        nearshelf_params_int(params, key, json_integer_value(json));
        return;
    case JSON_REAL:
        nearshelf_params_float(params, key, json_real_value(json));
        return;
    case JSON_TRUE:
    case JSON_FALSE:
        nearshelf_params_bool(params, key, json_is_true(json));
        return;
    case JSON_NULL:
        nearshelf_params_nil(params, key);
        return;
    case JSON_OBJECT:
    case JSON_ARRAY:
        CHECK_UNREACHABLE("containers are walked");
    }
}

/* The next entry of the innermost container, or NULL at its end. */
static json_t *next_entry(struct walk *walk, const char **key_out)
{
    *key_out = NULL;
    if (json_is_array(walk->json)) {
        return json_array_get(walk->json, walk->index++);
    }
    void *iterator = walk->iterator;
    if (!iterator) {
        return NULL;
    }
    walk->iterator = json_object_iter_next(walk->json, iterator);
    *key_out = json_object_iter_key(iterator);
    return json_object_iter_value(iterator);
}

static struct walk walk_of(json_t *json)
{
    return (struct walk){.json = json, .iterator = json_object_iter(json)};
}

const char *cli_json_to_params(const json_t *object, struct nearshelf_params *params)
{
    struct walk stack[DEPTH_MAX];
    uint32_t depth = 1;
    if (!json_is_object(object)) {
        return "the parameters must be one JSON object";
    }
    stack[0] = walk_of((json_t *)(uintptr_t)object);
    while (depth > 0) {
        const char *key;
        json_t *entry = next_entry(&stack[depth - 1], &key);
        if (!entry) {
            depth--;
            if (depth > 0) {
                nearshelf_params_end(params);
            }
        } else if (!is_container(entry)) {
            put_scalar(params, key, entry);
        } else if (depth == DEPTH_MAX) {
            return "nested too deep";
        } else {
            (json_is_object(entry) ? nearshelf_params_map : nearshelf_params_array)(params, key);
            stack[depth++] = walk_of(entry);
        }
    }
    return NULL;
}

/* A value that is being turned into json. */
struct unpack {
    const struct nearshelf_value *value;
    json_t *json;
    uint32_t index;
};

/* JSON text must be UTF-8; bytes that are not show as hex. */
static json_t *json_of_text(const struct nearshelf_value *value)
{
    size_t size;
    const char *at = nearshelf_text(value, &size);
    json_t *json = json_stringn(at, size);
    if (json) {
        return json;
    }
    char hex[256];
    size_t shown = size < 120 ? size : 120;
    snprintf(hex, sizeof(hex), "0x");
    for (size_t i = 0; i < shown; i++) {
        snprintf(hex + 2 + 2 * i, 3, "%02x", (unsigned)(unsigned char)at[i]);
    }
    return json_string(hex);
}

static json_t *json_of_shallow(const struct nearshelf_value *value)
{
    switch (nearshelf_type(value)) {
    case NEARSHELF_BOOL:
        return json_boolean(nearshelf_bool(value, false));
    case NEARSHELF_INT:
        return json_integer(nearshelf_int(value, 0));
    case NEARSHELF_FLOAT: {
        double number = nearshelf_float(value, 0);
        return isfinite(number) ? json_real(number) : json_null();
    }
    case NEARSHELF_TEXT:
        return json_of_text(value);
    case NEARSHELF_ARRAY:
        return json_array();
    case NEARSHELF_MAP:
        return json_object();
    case NEARSHELF_ABSENT:
    case NEARSHELF_NIL:
        return json_null();
    }
    return json_null();
}

static void attach(json_t *to, const struct nearshelf_value *key, json_t *json)
{
    if (json_is_array(to)) {
        json_array_append_new(to, json);
        return;
    }
    char name[256];
    nearshelf_text_copy(key, name, sizeof(name));
    if (json_object_set_new(to, name, json) != 0) {
        json_object_set_new_nocheck(to, "?", json_null());
    }
}

json_t *cli_json_of(const struct nearshelf_value *value)
{
    struct unpack stack[DEPTH_MAX + 1] = {{.value = value, .json = json_of_shallow(value)}};
    uint32_t depth = 1;
    while (depth > 0) {
        struct unpack *top = &stack[depth - 1];
        const struct nearshelf_value *key = NULL;
        if (top->index == nearshelf_count(top->value)) {
            depth--;
            continue;
        }
        uint32_t index = top->index++;
        const struct nearshelf_value *entry = nearshelf_type(top->value) == NEARSHELF_MAP
                                                  ? nearshelf_pair(top->value, index, &key)
                                                  : nearshelf_at(top->value, index);
        json_t *json = json_of_shallow(entry);
        attach(top->json, key, json);
        if (nearshelf_count(entry) > 0) {
            CHECK(depth <= DEPTH_MAX);
            stack[depth++] = (struct unpack){.value = entry, .json = json};
        }
    }
    return stack[0].json;
}

void cli_json_print(const struct cli *cli, const struct nearshelf_value *value, FILE *to)
{
    json_t *json = cli_json_of(value);
    size_t layout = cli->is_terminal ? JSON_INDENT(2) : JSON_COMPACT;
    json_dumpf(json, to, layout | JSON_ENCODE_ANY | JSON_REAL_PRECISION(15));
    fputc('\n', to);
    json_decref(json);
}
