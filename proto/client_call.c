/* The calls of a client: acceptance, the id table, the four lists, and every way to end. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "client_internal.h"

#define METHOD_MAX 63
#define HEAD_MAX   80

/* Where the head of a request is packed. */
struct head {
    uint32_t size;
    uint8_t bytes[HEAD_MAX];
};

static int head_write(void *data, const char *bytes, size_t size)
{
    struct head *head = data;
    CHECK(head->size + size <= HEAD_MAX);
    memcpy(head->bytes + head->size, bytes, size);
    head->size += (uint32_t)size;
    return 0;
}

static void head_pack(struct head *head, uint32_t id, const char *method)
{
    msgpack_packer packer;
    msgpack_packer_init(&packer, head, head_write);
    msgpack_pack_array(&packer, 4);
    msgpack_pack_int(&packer, FRAME_REQUEST);
    msgpack_pack_uint32(&packer, id);
    msgpack_pack_str(&packer, strlen(method));
    msgpack_pack_str_body(&packer, method, strlen(method));
}

/* The server would close the connection on a malformed frame, so none leaves here. */
static bool request_is_whole(const struct call *call)
{
    static const struct frame_limits limits = {NEARSHELF_REQUEST_SIZE_MAX, FRAME_DEPTH_MAX};
    struct frame_scan scan;
    frame_scan_init(&scan);
    enum frame_state state = frame_scan_run(&scan, call->request, call->size, &limits);
    return state == FRAME_DONE && scan.pos == call->size;
}

static struct call *table_find(const struct nearshelf *client, uint32_t id)
{
    struct call *call = client->table[id & client->table_mask];
    while (call && call->id != id) {
        call = call->chain;
    }
    return call;
}

static void table_add(struct nearshelf *client, struct call *call)
{
    struct call **bucket = &client->table[call->id & client->table_mask];
    call->chain = *bucket;
    *bucket = call;
}

static void table_remove(struct nearshelf *client, struct call *call)
{
    struct call **at = &client->table[call->id & client->table_mask];
    while (*at != call) {
        CHECK(*at);
        at = &(*at)->chain;
    }
    *at = call->chain;
}

/* Ids run upward and around; one that is still outstanding after 2^32 others is passed over. */
static uint32_t id_take(struct nearshelf *client)
{
    while (table_find(client, client->id_next)) {
        client->id_next++;
    }
    return client->id_next++;
}

static enum nearshelf_error request_make(uint32_t id, const char *method,
                                         const struct nearshelf_params *params,
                                         struct call **call_out)
{
    const uint8_t *bytes;
    size_t bytes_size;
    struct head head = {0};
    *call_out = NULL;
    if (strlen(method) > METHOD_MAX || !params_span(params, &bytes, &bytes_size)) {
        return NEARSHELF_ARGUMENT;
    }
    head_pack(&head, id, method);
    if (head.size + bytes_size > NEARSHELF_REQUEST_SIZE_MAX) {
        return NEARSHELF_TOO_LARGE;
    }
    struct call *call = calloc(1, sizeof(*call) + head.size + bytes_size);
    if (!call) {
        return NEARSHELF_MEMORY;
    }
    call->id = id;
    call->size = head.size + (uint32_t)bytes_size;
    memcpy(call->request, head.bytes, head.size);
    memcpy(call->request + head.size, bytes, bytes_size);
    *call_out = call;
    return NEARSHELF_OK;
}

static uint64_t deadline_of(const struct nearshelf *client)
{
    uint32_t timeout_ms = client->options.timeout_ms;
    if (timeout_ms == NEARSHELF_TIMEOUT_NONE) {
        return UINT64_MAX;
    }
    uv_update_time(client->loop);
    return uv_now(client->loop) + timeout_ms;
}

enum nearshelf_error call_new(struct nearshelf *client, const char *method,
                              const struct nearshelf_params *params, struct call **call_out)
{
    *call_out = NULL;
    if (client->outstanding >= client->options.in_flight_max) {
        return NEARSHELF_FULL;
    }
    struct call *call;
    enum nearshelf_error error = request_make(id_take(client), method, params, &call);
    if (error != NEARSHELF_OK) {
        return error;
    }
    if (!request_is_whole(call)) {
        call_free(call);
        return NEARSHELF_ARGUMENT;
    }
    call->reply = reply_new(call->id, NEARSHELF_OK);
    if (!call->reply) {
        call_free(call);
        return NEARSHELF_MEMORY;
    }
    call->class = retry_class_of(method);
    call->deadline_ms = deadline_of(client);
    call->order = client->order_next++;
    client->outstanding++;
    client->counters.calls++;
    table_add(client, call);
    call_list_push(&client->queued, call);
    *call_out = call;
    return NEARSHELF_OK;
}

void call_free(struct call *call)
{
    nearshelf_reply_free(call->reply);
    free(call);
}

struct call *call_find(const struct nearshelf *client, uint32_t id)
{
    return table_find(client, id);
}

struct nearshelf_reply *call_give_away(struct nearshelf *client, struct call *call)
{
    CHECK(call->list == &client->done);
    struct nearshelf_reply *reply = call->reply;
    call->reply = NULL;
    call_list_remove(call);
    table_remove(client, call);
    client->outstanding--;
    call_free(call);
    return reply;
}

void call_list_push(struct call_list *list, struct call *call)
{
    call->list = list;
    call->next = NULL;
    call->prev = list->tail;
    if (list->tail) {
        list->tail->next = call;
    } else {
        list->head = call;
    }
    list->tail = call;
}

static void call_list_push_front(struct call_list *list, struct call *call)
{
    call->list = list;
    call->prev = NULL;
    call->next = list->head;
    if (list->head) {
        list->head->prev = call;
    } else {
        list->tail = call;
    }
    list->head = call;
}

void call_list_remove(struct call *call)
{
    struct call_list *list = call->list;
    *(call->prev ? &call->prev->next : &list->head) = call->next;
    *(call->next ? &call->next->prev : &list->tail) = call->prev;
    call->list = NULL;
}

static bool is_answer(enum nearshelf_error error)
{
    return error == NEARSHELF_OK || error == NEARSHELF_SERVER;
}

void call_finish(struct nearshelf *client, struct call *call, enum nearshelf_error error,
                 const char *text)
{
    CHECK(call->list != &client->done);
    if (call == client->queued.head && client->head_sent > 0) {
        client->is_torn = true; /* half a frame is out: nothing can follow it */
        client->head_sent = 0;
    }
    reply_fail(call->reply, error, text);
    call->reply->may_have_happened =
        !is_answer(error) && call->was_sent && call->class != RETRY_READ;
    call_list_remove(call);
    call_list_push(&client->done, call);
}

/* OVERLOADED means that nothing was run, so any method may try again. */
static bool should_wait(struct nearshelf *client, struct call *call)
{
    if (!client->options.retry_overloaded || call->reply->error != NEARSHELF_SERVER ||
        strcmp(call->reply->code, "OVERLOADED") != 0) {
        return false;
    }
    uint32_t after_ms = reply_retry_after_ms(call->reply);
    uint64_t jitter_ms = rng_below(&client->rng, after_ms / 4 + 1);
    call->resend_ms = uv_now(client->loop) + after_ms + jitter_ms;
    return call->resend_ms < call->deadline_ms;
}

/* Without memory for a fresh reply the answer that is there stands. */
static bool wait_for_resend(struct nearshelf *client, struct call *call)
{
    struct nearshelf_reply *fresh = reply_new(call->id, NEARSHELF_OK);
    if (!fresh) {
        return false;
    }
    nearshelf_reply_free(call->reply);
    call->reply = fresh;
    call->was_sent = call->was_lost;
    call_list_remove(call);
    call_list_push(&client->waiting, call);
    client_wake_at(client, call->resend_ms);
    return true;
}

void call_on_response(struct nearshelf *client, uint32_t id, const uint8_t *frame, uint32_t size)
{
    struct call *call = table_find(client, id);
    client->backoff_ms = client->options.backoff_min_ms;
    if (!call || call->list != &client->sent) {
        client->counters.unmatched++;
        return;
    }
    reply_parse(call->reply, frame, size);
    if (should_wait(client, call) && wait_for_resend(client, call)) {
        return;
    }
    if (call->reply->error == NEARSHELF_OK && call->class != RETRY_READ &&
        call->order >= client->order_changed) {
        client->order_changed = call->order + 1;
    }
    call_list_remove(call);
    call_list_push(&client->done, call);
}

/* A goal that was overtaken by a later, answered change would undo it when sent again. */
static bool may_resend(const struct nearshelf *client, const struct call *call)
{
    switch (call->class) {
    case RETRY_READ:
    case RETRY_KEYED:
        return true;
    case RETRY_GOAL:
        return call->order >= client->order_changed || retry_has_key(call->request, call->size);
    case RETRY_NEVER:
        return retry_has_key(call->request, call->size);
    }
    return false;
}

void call_on_loss(struct nearshelf *client, enum nearshelf_error reason, const char *text)
{
    bool is_hopeless = reason == NEARSHELF_PROTOCOL;
    for (struct call *call = client->sent.head, *next; call; call = next) {
        next = call->next;
        if (is_hopeless) {
            call_finish(client, call, reason, text);
        } else if (!may_resend(client, call)) {
            call_finish(client, call, NEARSHELF_UNKNOWN, NULL);
        }
    }
    while (client->sent.tail) {
        struct call *call = client->sent.tail;
        call->was_lost = true;
        call_list_remove(call);
        call_list_push_front(&client->queued, call);
        client->counters.resends++;
    }
}

void call_on_oversize(struct nearshelf *client, uint32_t id)
{
    struct call *call = table_find(client, id);
    if (call && call->list == &client->sent) {
        call_finish(client, call, NEARSHELF_TOO_LARGE,
                    "the reply is over 16 MiB: ask for less with limit");
    }
}

static void expire(struct nearshelf *client, struct call *call)
{
    if (client->state == LINK_UP) {
        call_finish(client, call, NEARSHELF_TIMEOUT, NULL);
    } else if (call->was_sent && call->class != RETRY_READ) {
        call_finish(client, call, NEARSHELF_UNKNOWN, NULL);
    } else {
        const char *why = client->connect_text;
        call_finish(client, call, NEARSHELF_UNREACHABLE, *why ? why : NULL);
    }
}

static uint64_t expire_list(struct nearshelf *client, struct call_list *list, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    for (struct call *call = list->head, *next; call; call = next) {
        next = call->next;
        if (call->deadline_ms <= now_ms) {
            expire(client, call);
        } else if (call->deadline_ms < next_ms) {
            next_ms = call->deadline_ms;
        }
    }
    return next_ms;
}

static uint64_t queue_waiting(struct nearshelf *client, uint64_t now_ms)
{
    uint64_t next_ms = UINT64_MAX;
    for (struct call *call = client->waiting.head, *next; call; call = next) {
        next = call->next;
        if (call->resend_ms <= now_ms) {
            call_list_remove(call);
            call_list_push(&client->queued, call);
            client->counters.overloads++;
            client_wake_soon(client);
        } else if (call->resend_ms < next_ms) {
            next_ms = call->resend_ms;
        }
    }
    return next_ms;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

uint64_t call_on_time(struct nearshelf *client, uint64_t now_ms)
{
    uint64_t next_ms = expire_list(client, &client->sent, now_ms);
    next_ms = earlier(next_ms, expire_list(client, &client->waiting, now_ms));
    next_ms = earlier(next_ms, queue_waiting(client, now_ms));
    return earlier(next_ms, expire_list(client, &client->queued, now_ms));
}

void call_close_all(struct nearshelf *client)
{
    struct call_list *lists[] = {&client->sent, &client->waiting, &client->queued};
    for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        while (lists[i]->head) {
            call_finish(client, lists[i]->head, NEARSHELF_CLOSED, NULL);
        }
    }
}
