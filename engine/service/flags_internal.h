/* Item flags and areas in requests and answers, as nodes and items both have them. */
#ifndef SERVICE_FLAGS_INTERNAL_H
#define SERVICE_FLAGS_INTERNAL_H

#include "content_internal.h"
#include "service_internal.h"

/* A list of flag words as it came; they borrow the request. */
struct flag_words {
    uint32_t count;
    struct text words[FLAG_MAX];
};

/* A list of at most FLAG_MAX words of 1 to 63 bytes. */
void flag_words_read(struct reader *reader, struct flag_words *flags);
void flag_words_content(const struct flag_words *flags, struct content *content);

/* Whether those that are not known yet can be numbered; else the call is answered. */
bool flag_words_have_room(struct service_core *service, struct call *call, const char *field,
                          const struct flag_words *flags);

/* Bytes of the records that number the new ones, at most one record a word. */
uint32_t flag_words_size(const struct flag_words *flags);

/* Their bits; new words get their numbers by a record each. Ask for room before. */
uint64_t flag_words_intern(struct service_core *service, const struct flag_words *flags);

/* The words of the bits, and areas, as fields of an answer. */
void put_flags(struct service_core *service, struct writer *writer, const char *name,
               uint64_t flags);
void put_areas(struct writer *writer, const char *name, const struct area *areas, uint32_t count);

#endif
