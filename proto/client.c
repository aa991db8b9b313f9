/* The client: opening and closing, the timer, and the public calls on top of the lists.
 *
 * There is one machine, driven by a libuv loop. A blocking call is that machine with a loop of
 * its own, run until the call is done. */
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "check.h"
#include "client_internal.h"

#define TIMEOUT_DEFAULT_MS         5000
#define CONNECT_TIMEOUT_DEFAULT_MS 2000
#define BACKOFF_MIN_DEFAULT_MS     20
#define BACKOFF_MAX_DEFAULT_MS     2000
#define IN_FLIGHT_DEFAULT          4096
#define IN_FLIGHT_LIMIT            (1u << 20)
#define QUEUE_BYTES_PUSHED         65536 /* nearshelf_send writes when this much is queued */

#define VERSION_OF(major, minor, patch)   #major "." #minor "." #patch
#define VERSION_TEXT(major, minor, patch) VERSION_OF(major, minor, patch)

const char *nearshelf_version(void)
{
    return VERSION_TEXT(NEARSHELF_VERSION_MAJOR, NEARSHELF_VERSION_MINOR, NEARSHELF_VERSION_PATCH);
}

static void default_u32(uint32_t *field, uint32_t value)
{
    if (*field == 0) {
        *field = value;
    }
}

static uint64_t seed_draw(void)
{
    uint64_t seed = 0;
    if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed)) {
        seed = uv_hrtime();
    }
    return seed;
}

/* A caller built against an older header passes fewer fields; the rest are defaults. */
static void options_set(struct nearshelf_options *options, const struct nearshelf_options *given)
{
    *options = (struct nearshelf_options){0};
    if (given) {
        size_t size = given->size ? given->size : sizeof(*given);
        memcpy(options, given, size < sizeof(*options) ? size : sizeof(*options));
    }
    default_u32(&options->timeout_ms, TIMEOUT_DEFAULT_MS);
    default_u32(&options->connect_timeout_ms, CONNECT_TIMEOUT_DEFAULT_MS);
    default_u32(&options->backoff_min_ms, BACKOFF_MIN_DEFAULT_MS);
    default_u32(&options->backoff_max_ms, BACKOFF_MAX_DEFAULT_MS);
    default_u32(&options->in_flight_max, IN_FLIGHT_DEFAULT);
    if (options->in_flight_max > IN_FLIGHT_LIMIT) {
        options->in_flight_max = IN_FLIGHT_LIMIT;
    }
    if (options->backoff_max_ms < options->backoff_min_ms) {
        options->backoff_max_ms = options->backoff_min_ms;
    }
    if (options->seed == 0) {
        options->seed = seed_draw();
    }
}

static struct nearshelf *from_handle(uv_handle_t *handle)
{
    struct nearshelf *client = handle->data;
    CHECK(client->magic == CLIENT_MAGIC);
    return client;
}

static void on_timer(uv_timer_t *timer)
{
    struct nearshelf *client = from_handle((uv_handle_t *)timer);
    uint64_t now_ms = uv_now(client->loop);
    client->timer_ms = UINT64_MAX;
    uint64_t next_ms = call_on_time(client, now_ms);
    link_on_time(client, now_ms);
    if (next_ms != UINT64_MAX) {
        client_wake_at(client, next_ms);
    }
    client_deliver(client);
}

static void on_prepare(uv_prepare_t *prepare)
{
    struct nearshelf *client = from_handle((uv_handle_t *)prepare);
    uv_prepare_stop(prepare);
    link_push(client);
    client_deliver(client);
}

void client_wake_at(struct nearshelf *client, uint64_t when_ms)
{
    if (when_ms >= client->timer_ms) {
        return;
    }
    uint64_t now_ms = uv_now(client->loop);
    client->timer_ms = when_ms;
    CHECK(uv_timer_start(&client->timer, on_timer, when_ms > now_ms ? when_ms - now_ms : 0, 0) ==
          0);
}

void client_wake_soon(struct nearshelf *client)
{
    CHECK(uv_prepare_start(&client->prepare, on_prepare) == 0);
}

static bool is_attached(const struct nearshelf *client)
{
    return client->loop != &client->own_loop;
}

static struct call *first_with_callback(const struct nearshelf *client)
{
    struct call *call = client->done.head;
    return call && call->done ? call : NULL;
}

/* One at a time off the list: a callback may close the client, which delivers the rest from
 * within; the struct itself lives until its handles are closed, in a later turn of the loop. */
void client_deliver(struct nearshelf *client)
{
    for (struct call *call; (call = first_with_callback(client)) != NULL;) {
        nearshelf_done *done = call->done;
        void *user = call->user;
        struct nearshelf_reply *reply = call_give_away(client, call);
        done(reply, user);
        nearshelf_reply_free(reply);
    }
}

static void memory_free(struct nearshelf *client)
{
    client->magic = 0;
    free(client->input);
    free(client->table);
    free(client);
}

void client_handle_closed(struct nearshelf *client)
{
    CHECK(client->handles_open > 0);
    client->handles_open--;
    if (client->handles_open > 0 || !client->is_closing || !is_attached(client)) {
        return;
    }
    nearshelf_closed *closed = client->closed;
    void *user = client->closed_user;
    memory_free(client);
    if (closed) {
        closed(user);
    }
}

static void on_handle_closed(uv_handle_t *handle)
{
    client_handle_closed(from_handle(handle));
}

static uint32_t buckets_for(uint32_t count)
{
    uint32_t buckets = 16;
    while (buckets < count) {
        buckets *= 2;
    }
    return buckets;
}

static struct nearshelf *client_new(const char *address, const struct nearshelf_options *options)
{
    struct nearshelf *client = calloc(1, sizeof(*client));
    if (!client) {
        return NULL;
    }
    options_set(&client->options, options);
    uint32_t buckets = buckets_for(client->options.in_flight_max);
    client->table = calloc(buckets, sizeof(client->table[0]));
    if (!client->table) {
        free(client);
        return NULL;
    }
    client->table_mask = buckets - 1;
    client->magic = CLIENT_MAGIC;
    client->backoff_ms = client->options.backoff_min_ms;
    client->timer_ms = UINT64_MAX;
    rng_init(&client->rng, client->options.seed);
    socket_reset(client);
    CHECK(link_address_parse(&client->address, address));
    return client;
}

static void handles_init(struct nearshelf *client, uv_loop_t *loop)
{
    client->loop = loop;
    CHECK(uv_timer_init(loop, &client->timer) == 0);
    CHECK(uv_prepare_init(loop, &client->prepare) == 0);
    client->timer.data = client;
    client->prepare.data = client;
    client->handles_open = 2;
}

static bool address_is_good(const char *address)
{
    struct link_address parsed;
    return address && link_address_parse(&parsed, address);
}

enum nearshelf_error nearshelf_attach(struct uv_loop_s *loop, const char *address,
                                      const struct nearshelf_options *options,
                                      struct nearshelf **client_out)
{
    *client_out = NULL;
    if (!loop || !address_is_good(address)) {
        return NEARSHELF_ARGUMENT;
    }
    struct nearshelf *client = client_new(address, options);
    if (!client) {
        return NEARSHELF_MEMORY;
    }
    handles_init(client, loop);
    *client_out = client;
    return NEARSHELF_OK;
}

/* A wait after an earlier failure is cut short: the caller wants to know now. */
enum nearshelf_error nearshelf_connect(struct nearshelf *client)
{
    if (is_attached(client)) {
        return NEARSHELF_ARGUMENT;
    }
    uv_update_time(client->loop);
    if (client->state == LINK_BACKOFF) {
        client->state = LINK_DOWN;
    }
    if (client->state == LINK_DOWN) {
        link_start(client);
    }
    while (client->state == LINK_CONNECTING || client->state == LINK_RESOLVING) {
        uv_run(client->loop, UV_RUN_ONCE);
    }
    return client->state == LINK_UP ? NEARSHELF_OK : NEARSHELF_UNREACHABLE;
}

enum nearshelf_error nearshelf_open(const char *address, const struct nearshelf_options *options,
                                    struct nearshelf **client_out)
{
    *client_out = NULL;
    if (!address_is_good(address)) {
        return NEARSHELF_ARGUMENT;
    }
    struct nearshelf *client = client_new(address, options);
    if (!client) {
        return NEARSHELF_MEMORY;
    }
    if (uv_loop_init(&client->own_loop) != 0) {
        memory_free(client);
        return NEARSHELF_MEMORY;
    }
    handles_init(client, &client->own_loop);
    if (!client->options.connect_later && nearshelf_connect(client) != NEARSHELF_OK) {
        nearshelf_close(client);
        return NEARSHELF_UNREACHABLE;
    }
    *client_out = client;
    return NEARSHELF_OK;
}

static void done_free(struct nearshelf *client)
{
    while (client->done.head) {
        nearshelf_reply_free(call_give_away(client, client->done.head));
    }
}

void nearshelf_close(struct nearshelf *client)
{
    nearshelf_close_then(client, NULL, NULL);
}

void nearshelf_close_then(struct nearshelf *client, nearshelf_closed *done, void *user)
{
    if (!client) {
        return;
    }
    CHECK(client->magic == CLIENT_MAGIC);
    CHECK(!client->is_closing);
    client->is_closing = true;
    client->closed = done;
    client->closed_user = user;
    link_close(client);
    call_close_all(client);
    client_deliver(client);
    done_free(client);
    uv_close((uv_handle_t *)&client->timer, on_handle_closed);
    uv_close((uv_handle_t *)&client->prepare, on_handle_closed);
    if (is_attached(client)) {
        return;
    }
    uv_run(&client->own_loop, UV_RUN_DEFAULT);
    CHECK(uv_loop_close(&client->own_loop) == 0);
    memory_free(client);
    if (done) {
        done(user);
    }
}

void nearshelf_timeout_set(struct nearshelf *client, uint32_t timeout_ms)
{
    client->options.timeout_ms = timeout_ms ? timeout_ms : TIMEOUT_DEFAULT_MS;
}

const char *nearshelf_connect_text(const struct nearshelf *client)
{
    return client->connect_text;
}

void nearshelf_counters_get(const struct nearshelf *client, struct nearshelf_counters *counters_out,
                            size_t size)
{
    size_t known = sizeof(client->counters);
    memset(counters_out, 0, size);
    memcpy(counters_out, &client->counters, size < known ? size : known);
}

static enum nearshelf_error submit(struct nearshelf *client, const char *method,
                                   const struct nearshelf_params *params, struct call **call_out)
{
    *call_out = NULL;
    if (!client || !method || client->is_closing) {
        return NEARSHELF_ARGUMENT;
    }
    enum nearshelf_error error = call_new(client, method, params, call_out);
    if (error == NEARSHELF_OK) {
        client_wake_at(client, (*call_out)->deadline_ms);
        client_wake_soon(client);
    }
    return error;
}

enum nearshelf_error nearshelf_call_async(struct nearshelf *client, const char *method,
                                          const struct nearshelf_params *params,
                                          nearshelf_done *done, void *user)
{
    struct call *call;
    if (!client || !done || !is_attached(client)) {
        return NEARSHELF_ARGUMENT;
    }
    enum nearshelf_error error = submit(client, method, params, &call);
    if (error == NEARSHELF_OK) {
        call->done = done;
        call->user = user;
    }
    return error;
}

enum nearshelf_error nearshelf_send(struct nearshelf *client, const char *method,
                                    const struct nearshelf_params *params, uint32_t *id_out)
{
    struct call *call;
    if (!client || is_attached(client)) {
        return NEARSHELF_ARGUMENT;
    }
    enum nearshelf_error error = submit(client, method, params, &call);
    if (error != NEARSHELF_OK) {
        return error;
    }
    if (id_out) {
        *id_out = call->id;
    }
    client->queued_bytes += call->size;
    if (client->queued_bytes >= QUEUE_BYTES_PUSHED) {
        client->queued_bytes = 0;
        link_push(client);
    }
    return NEARSHELF_OK;
}

void nearshelf_flush(struct nearshelf *client)
{
    if (!is_attached(client)) {
        uv_run(client->loop, UV_RUN_NOWAIT);
    }
}

enum nearshelf_error nearshelf_receive(struct nearshelf *client, struct nearshelf_reply **reply_out)
{
    *reply_out = NULL;
    if (is_attached(client)) {
        return NEARSHELF_ARGUMENT;
    }
    if (client->outstanding == 0) {
        return NEARSHELF_EMPTY;
    }
    while (!client->done.head) {
        uv_run(client->loop, UV_RUN_ONCE);
    }
    *reply_out = call_give_away(client, client->done.head);
    return (*reply_out)->error;
}

enum nearshelf_error nearshelf_receive_id(struct nearshelf *client, uint32_t id,
                                          struct nearshelf_reply **reply_out)
{
    *reply_out = NULL;
    if (is_attached(client)) {
        return NEARSHELF_ARGUMENT;
    }
    struct call *call = call_find(client, id);
    if (!call) {
        return NEARSHELF_EMPTY;
    }
    while (call->list != &client->done) {
        uv_run(client->loop, UV_RUN_ONCE);
    }
    *reply_out = call_give_away(client, call);
    return (*reply_out)->error;
}

uint32_t nearshelf_outstanding(const struct nearshelf *client)
{
    return client->outstanding;
}

enum nearshelf_error nearshelf_call(struct nearshelf *client, const char *method,
                                    const struct nearshelf_params *params,
                                    struct nearshelf_reply **reply_out)
{
    uint32_t id;
    *reply_out = NULL;
    enum nearshelf_error error = nearshelf_send(client, method, params, &id);
    return error == NEARSHELF_OK ? nearshelf_receive_id(client, id, reply_out) : error;
}
