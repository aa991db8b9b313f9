/* Keys of changes: found again by a hash that is keyed and scoped to the method. */
#include <string.h>

#include "content_internal.h"
#include "service_internal.h"

enum { KEY_TEXT_MAX = 32 + ID_MAX };

static struct hash128 key_hash(const struct service_core *service, enum method method,
                               struct text key)
{
    char text[KEY_TEXT_MAX];
    const char *name = method_text(method);
    size_t len = strlen(name) + 1;
    CHECK(len + key.len <= sizeof text);
    memcpy(text, name, len);
    memcpy(text + len, key.at, key.len);
    return hash_keyed128(&service->tables.key, text, len + key.len);
}

enum key_result key_look(struct service_core *service, struct call *call, struct text key,
                         uint64_t content, struct effect_key *key_out,
                         const struct key_entry **seen_out)
{
    memset(key_out, 0, sizeof *key_out);
    *seen_out = NULL;
    if (key.len == 0) {
        return KEY_NEW;
    }
    struct hash128 hash = key_hash(service, call->method, key);
    const struct key_entry *seen = keyring_find(&service->tables.keyring, &hash);
    if (seen && seen->content != content) {
        reply_error(service, call, CODE_IDEMPOTENCY_CONFLICT,
                    "key: %.*s was used for another %s, at lsn=%llu: take a new key for a new "
                    "change",
                    (int)key.len, key.at, method_text(call->method),
                    (unsigned long long)seen->lsn);
        return KEY_ANSWERED;
    }
    if (seen) {
        *seen_out = seen;
        return KEY_SEEN;
    }
    const struct keyring *keyring = &service->tables.keyring;
    if (keyring->count + service->keys_promised >= keyring->max) {
        reply_error(service, call, CODE_TABLE_FULL,
                    "key: keys_max=%u keys are remembered: send fewer keyed changes, raise "
                    "keys_max or lower key_window",
                    keyring->max);
        return KEY_ANSWERED;
    }
    *key_out = (struct effect_key){.is_set = true, .key = hash, .content = content};
    return KEY_NEW;
}

/* -- content -- */

static void mix(struct content *content, uint64_t value)
{
    uint64_t words[2] = {content->hash, value};
    content->hash = hash_fixed(words, sizeof words);
}

void content_begin(struct content *content, enum method method)
{
    const char *name = method_text(method);
    content->hash = hash_fixed(name, strlen(name));
}

void content_int(struct content *content, int64_t value)
{
    mix(content, (uint64_t)value);
}

void content_text(struct content *content, const char *text, uint32_t len)
{
    mix(content, hash_fixed(text, len));
}
