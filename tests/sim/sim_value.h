/* A reply of the engine as a tree of values: read once into a block that is used again for the
 * next reply. One thread; texts borrow the reply's bytes. */
#ifndef TESTS_SIM_VALUE_H
#define TESTS_SIM_VALUE_H

#include <stdbool.h>
#include <stdint.h>

#include "reader.h"

enum { SIM_VALUES_MAX = 1 << 16 };

struct sim_value {
    enum reader_kind kind;
    uint32_t count; /* of a list or map */
    int64_t number;
    double real;
    struct text text;
    struct text name;              /* key, where it stands in a map */
    const struct sim_value *first; /* of a list or map */
    const struct sim_value *next;  /* the one behind it there */
};

struct sim_reply {
    uint32_t msgid;
    const struct sim_value *error;  /* NULL: none */
    const struct sim_value *result; /* NULL beside an error */
    uint32_t used;
    struct sim_value values[SIM_VALUES_MAX];
};

/* Aborts on what is no whole response frame. */
void sim_reply_read(struct sim_reply *reply, const uint8_t *bytes, uint32_t size);

/* Write a value as one line like JSON, for whoever looks into a failure. */
void sim_value_print(const struct sim_value *value);

/* The field of that name, or NULL. */
const struct sim_value *sim_field(const struct sim_value *map, const char *name);

/* The field, which must be there and of that kind; else the program ends and names it. */
int64_t sim_int(const struct sim_value *map, const char *name);
const struct sim_value *sim_list(const struct sim_value *map, const char *name);
const struct sim_value *sim_text(const struct sim_value *map, const char *name);

/* Whether a text value is this one. NULL is no text. */
bool sim_is(const struct sim_value *value, const char *text);
bool sim_is_true(const struct sim_value *map, const char *name);

/* The number behind a prefix letter: 17 of "o17", and of "o17/2". UINT32_MAX: no such id. */
uint32_t sim_id(const struct sim_value *value, char letter);

/* CODE of an error reply, as text for sim_is; NULL where it is none. */
bool sim_is_error(const struct sim_reply *reply, const char *code);
bool sim_is_refused(const struct sim_reply *reply, const char *reason); /* reason NULL: any */

#endif
