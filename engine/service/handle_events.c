/* events.read: readers at their own places in the log, some of them waiting.
 *
 * A reader is READY when durable records lie before it. One reader at a time is the active one: the
 * feed reads its next records (beside the loop, where there is a thread), their events are added to
 * its answer, and so on until the answer is full or no more is durable. A reader whose filters let
 * nothing through goes on to the durable end, at most STEPS_MAX answers of the feed, and then waits
 * or is told how far it got. */
#include <stdlib.h>
#include <string.h>

#include "events_internal.h"
#include "wal_feed.h"

enum {
    WAIT_MS_MAX = 60000,
    STEPS_MAX = 256, /* answers of the feed for one call: 8 MiB of log and more */
    TURN_STEPS = 8,  /* of them in one turn, where they are read in it */
    LOG_ID_MAX = 63
};

enum feed_state { FEED_FREE, FEED_READY, FEED_WAITING };

struct feed_reader {
    enum feed_state state;
    struct call call;
    uint64_t next; /* LSN */
    uint64_t seen; /* LSN of the state that its request saw: not answered before it is durable */
    uint64_t deadline_ns; /* 0 = it does not wait */
    uint32_t types, limit, steps;
    bool has_nodes;
    uint64_t nodes[EVENTS_NODE_WORDS];
};

struct feeds {
    struct wal_feed *feed;
    struct feed_reader readers[FEED_READERS_MAX];
    struct feed_reader *active; /* its events stand in the buffer */
    uint32_t turn;              /* who was active last */
    uint32_t open;              /* readers that are not free */
    struct events events;
    uint8_t *buffer; /* EVENTS_BUFFER bytes */
    uint64_t told, answered;
};

/* -- life -- */

enum err feeds_new(struct service_core *service, struct feeds **out)
{
    const struct service_options *options = &service->options;
    struct feeds *feeds = calloc(1, sizeof *feeds);
    *out = feeds;
    if (!feeds) {
        return ERR_NOMEM;
    }
    feeds->buffer = malloc(EVENTS_BUFFER);
    if (!feeds->buffer) {
        return ERR_NOMEM;
    }
    const struct wal_feed_options how = {
        .dir = options->log.dir,
        .force_buffered = options->log.force_buffered,
        .disk = options->feed_thread ? NULL : wal_disk(service->wal),
        .context_type = EFFECT_TIME,
    };
    return wal_feed_new(&how, &feeds->feed);
}

void feeds_free(struct feeds *feeds)
{
    if (!feeds) {
        return;
    }
    wal_feed_free(feeds->feed);
    free(feeds->buffer);
    free(feeds);
}

/* -- the request -- */

static uint32_t read_types(struct reader *reader)
{
    struct reader_array array;
    uint32_t types = 0;
    reader_array_begin(reader, &array, 2 * EVENT_COUNT);
    while (reader_array_next(reader, &array)) {
        const int type = reader_word(reader, &names_events);
        types |= type >= 0 ? 1u << type : 0;
    }
    if (reader_is_ok(reader) && types == 0) {
        reader_fail(reader, "names no type: leave it out to mean all");
    }
    return types;
}

static void read_nodes(struct service_core *service, struct reader *reader,
                       struct feed_reader *feed)
{
    const struct network *network = &service->tables.network;
    struct reader_array array;
    feed->has_nodes = true;
    reader_array_begin(reader, &array, LIST_MAX);
    while (reader_array_next(reader, &array)) {
        const struct text id = reader_text(reader, 1, ID_MAX);
        const uint16_t node =
            reader_is_ok(reader) ? network_find(network, id.at, id.len) : NODE_NONE;
        if (node != NODE_NONE) {
            feed->nodes[node / 64] |= UINT64_C(1) << node % 64;
        } else {
            reader_fail(reader, "unknown node %.*s", (int)id.len, id.at);
        }
    }
}

static bool decode(struct service_core *service, const struct call *call, struct reader *reader,
                   struct feed_reader *feed, struct text *log_id_out)
{
    static const char *const fields[] = {"from_lsn", "log_id", "types",
                                         "nodes",    "limit",  "wait_ms"};
    struct reader_map map;
    uint64_t wait_ms = 0;
    *log_id_out = (struct text){0};
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            feed->next = (uint64_t)reader_int(reader, 0, (INT64_C(1) << 53) - 1);
            break;
        case 1:
            *log_id_out = reader_text(reader, 1, LOG_ID_MAX);
            break;
        case 2:
            feed->types = read_types(reader);
            break;
        case 3:
            read_nodes(service, reader, feed);
            break;
        case 4:
            feed->limit = (uint32_t)reader_int(reader, 1, PAGE_MAX);
            break;
        default:
            wait_ms = (uint64_t)reader_int(reader, 0, WAIT_MS_MAX);
            break;
        }
    }
    reader_require(reader, &map, 0);
    feed->deadline_ns = wait_ms ? service->now_ns + wait_ms * 1000000 : 0;
    return reader_is_ok(reader);
}

static void answer_gone(struct service_core *service, struct feed_reader *feed)
{
    reply_error(service, &feed->call, CODE_EVENTS_GONE,
                "events before oldest_lsn=%llu are gone: read the state anew, go on from there",
                (unsigned long long)wal_feed_oldest(service->wal));
}

/* Whether the place can be read from, 0 standing for the oldest; else the call is answered. */
static bool place_is_good(struct service_core *service, struct feed_reader *feed,
                          struct text log_id)
{
    char own[LOG_ID_SIZE];
    const uint64_t oldest = wal_feed_oldest(service->wal);
    log_id_text(service, own);
    feed->next = feed->next == 0 ? oldest : feed->next;
    if (log_id.len && (log_id.len != strlen(own) || memcmp(log_id.at, own, log_id.len) != 0)) {
        reply_error(service, &feed->call, CODE_EVENTS_GONE,
                    "log_id is another one, now log_id=%s oldest_lsn=%llu: read the state anew",
                    own, (unsigned long long)oldest);
        return false;
    }
    if (feed->next < oldest) {
        answer_gone(service, feed);
        return false;
    }
    if (feed->next > lsn_begun(service) + 1) {
        reply_error(service, &feed->call, CODE_INVALID_ARGUMENT,
                    "from_lsn: at most %llu, the next one to come; is this the log it was read of?",
                    (unsigned long long)lsn_begun(service) + 1);
        return false;
    }
    return true;
}

static struct feed_reader *reader_free(struct feeds *feeds)
{
    for (uint32_t i = 0; i < FEED_READERS_MAX; i++) {
        if (feeds->readers[i].state == FEED_FREE) {
            return &feeds->readers[i];
        }
    }
    return NULL;
}

static uint32_t readers_of(const struct feeds *feeds, const void *conn)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < FEED_READERS_MAX; i++) {
        count += feeds->readers[i].state != FEED_FREE && feeds->readers[i].call.conn == conn;
    }
    return count;
}

void handle_events_read(struct service_core *service, struct call *call)
{
    struct feed_reader *feed = reader_free(service->feeds);
    struct reader reader;
    struct text log_id;
    if (!feed) {
        reply_error(service, call, CODE_OVERLOADED,
                    "event_readers=%d read or wait already: try again, retry_after_ms=100",
                    FEED_READERS_MAX);
        return;
    }
    if (readers_of(service->feeds, call->conn) >= FEED_READERS_EACH) {
        reply_error(service, call, CODE_OVERLOADED,
                    "event_readers_each=%d of this connection read or wait already: take another "
                    "connection, or try again, retry_after_ms=100",
                    FEED_READERS_EACH);
        return;
    }
    *feed = (struct feed_reader){.call = *call, .types = UINT32_MAX, .limit = PAGE_DEFAULT};
    if (!decode(service, call, &reader, feed, &log_id)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (place_is_good(service, feed, log_id)) {
        feed->state = FEED_READY; /* its turn comes at the end of this one */
        feed->seen = lsn_begun(service);
        service->feeds->open++;
    }
}

/* -- answers -- */

static void answer(struct service_core *service, struct feed_reader *feed)
{
    struct feeds *feeds = service->feeds;
    const bool is_active = feeds->active == feed;
    const struct writer *events = &feeds->events.writer;
    char log_id[LOG_ID_SIZE];
    log_id_text(service, log_id);
    struct writer *writer = reply_begin(service, &feed->call);
    writer_map(writer, 5);
    put_string(writer, "log_id", log_id);
    put_int(writer, "oldest_lsn", (int64_t)wal_feed_oldest(service->wal));
    writer_str(writer, "events");
    writer_array(writer, is_active ? feeds->events.count : 0);
    if (is_active) {
        writer_raw(writer, feeds->buffer, writer_size(events));
        feeds->told += feeds->events.count;
        feeds->active = NULL;
    }
    put_int(writer, "next_lsn", (int64_t)feed->next);
    put_int(writer, "lsn", (int64_t)wal_lsn_durable(service->wal));
    feed->state = FEED_FREE;
    feeds->open--;
    feeds->answered++;
    reply_send(service, &feed->call);
}

static void answer_failed(struct service_core *service, struct feed_reader *feed, enum err err)
{
    service->feeds->active = NULL;
    service->feeds->open--;
    feed->state = FEED_FREE;
    if (err == ERR_NOTFOUND) {
        answer_gone(service, feed);
    } else {
        reply_error(service, &feed->call, CODE_INTERNAL,
                    "the log cannot be read at lsn=%llu: %s; look at it with nearshelf check",
                    (unsigned long long)feed->next, err_text(err));
    }
}

/* Whether it is not to wait any longer. */
static bool is_over(const struct service_core *service, const struct feed_reader *feed)
{
    return service->is_draining || (feed->deadline_ns <= service->now_ns &&
                                    feed->seen <= wal_lsn_durable(service->wal));
}

/* The active reader has all that is durable, or all that one answer may bring. */
static void settle(struct service_core *service, struct feed_reader *feed)
{
    if (service->feeds->events.count > 0 || feed->steps >= STEPS_MAX || is_over(service, feed)) {
        answer(service, feed);
    } else {
        service->feeds->active = NULL;
        feed->state = FEED_WAITING;
    }
}

/* -- reading -- */

/* The events of the records that the feed brought; as far as the answer has room for them. */
static enum err tell(struct service_core *service, struct feed_reader *feed,
                     const struct wal_feed_part *part)
{
    struct events *events = &service->feeds->events;
    const uint8_t *at = part->bytes;
    enum err err = ERR_OK;
    events->at_ms = part->time_ms;
    if (part->context) {
        err = effect_time_decode(part->context + WAL_RECORD_HEADER_SIZE,
                                 wal_record_size(part->context), &events->at_ms);
    }
    for (uint32_t i = 0; i < part->count && err == ERR_OK && events->count < feed->limit &&
                         writer_size(&events->writer) < EVENTS_BYTES;
         i++) {
        const uint32_t size = wal_record_size(at);
        const uint8_t *bytes = at + WAL_RECORD_HEADER_SIZE;
        events->lsn = part->lsn + i;
        err = at[0] == EFFECT_TIME ? effect_time_decode(bytes, size, &events->at_ms)
                                   : events_of_record(events, at[0], bytes, size);
        feed->next += err == ERR_OK;
        at = bytes + size;
    }
    return events->writer.is_full ? ERR_FULL : err;
}

static void taken(struct service_core *service, enum err err, const struct wal_feed_part *part)
{
    struct feeds *feeds = service->feeds;
    struct feed_reader *feed = feeds->active;
    if (!feed) {
        return; /* answered when the engine began to stop */
    }
    if (err == ERR_OK) {
        CHECK(part->lsn == feed->next);
        err = tell(service, feed, part);
    }
    feed->steps++;
    if (err != ERR_OK) {
        answer_failed(service, feed, err);
    } else if (feeds->events.count >= feed->limit || feed->steps >= STEPS_MAX ||
               writer_size(&feeds->events.writer) >= EVENTS_BYTES ||
               feed->next > wal_lsn_durable(service->wal)) {
        settle(service, feed);
    }
}

static void activate(struct service_core *service, struct feed_reader *feed)
{
    struct feeds *feeds = service->feeds;
    feeds->active = feed;
    feed->steps = 0;
    feeds->events = (struct events){.service = service,
                                    .types = feed->types,
                                    .nodes = feed->has_nodes ? feed->nodes : NULL};
    writer_init(&feeds->events.writer, feeds->buffer, EVENTS_BUFFER);
}

/* The next reader that has something to read, in turn; who has nothing waits or is answered. */
static bool choose(struct service_core *service)
{
    struct feeds *feeds = service->feeds;
    for (uint32_t i = 0; i < FEED_READERS_MAX && !feeds->active; i++) {
        feeds->turn = (feeds->turn + 1) % FEED_READERS_MAX;
        struct feed_reader *feed = &feeds->readers[feeds->turn];
        if (feed->state == FEED_FREE) {
            continue;
        }
        if (feed->next <= wal_lsn_durable(service->wal)) {
            activate(service, feed);
        } else if (is_over(service, feed)) {
            answer(service, feed);
        } else {
            feed->state = FEED_WAITING;
        }
    }
    return feeds->active != NULL;
}

bool feeds_run(struct service_core *service)
{
    struct feeds *feeds = service->feeds;
    struct wal_feed_part part;
    enum err err;
    if (feeds->open == 0 && !wal_feed_is_busy(feeds->feed)) {
        return false;
    }
    for (uint32_t step = 0; step < TURN_STEPS; step++) {
        if (wal_feed_take(feeds->feed, &err, &part)) {
            taken(service, err, &part);
        }
        if (wal_feed_is_busy(feeds->feed) || (!feeds->active && !choose(service))) {
            return false;
        }
        if (feeds->active->next < wal_feed_oldest(service->wal)) {
            answer_failed(service, feeds->active, ERR_NOTFOUND);
        } else {
            wal_feed_ask(feeds->feed, service->wal, feeds->active->next);
        }
    }
    return true;
}

/* -- for the turns -- */

uint32_t feeds_due_ms(const struct service_core *service)
{
    uint64_t soonest = UINT64_MAX;
    for (uint32_t i = 0; i < FEED_READERS_MAX && service->feeds->open > 0; i++) {
        const struct feed_reader *feed = &service->feeds->readers[i];
        if (feed->state == FEED_WAITING && feed->deadline_ns < soonest) {
            soonest = feed->deadline_ns;
        }
    }
    if (soonest == UINT64_MAX) {
        return UINT32_MAX;
    }
    return soonest <= service->now_ns ? 1 : (uint32_t)((soonest - service->now_ns) / 1000000 + 1);
}

int feeds_fd(const struct service_core *service)
{
    return wal_feed_fd(service->feeds->feed);
}

void feeds_drain(struct service_core *service)
{
    for (uint32_t i = 0; i < FEED_READERS_MAX; i++) {
        struct feed_reader *feed = &service->feeds->readers[i];
        if (feed->state != FEED_FREE) {
            answer(service, feed);
        }
    }
}

/* The connection is gone: its place is free, its call is finished. */
void feeds_conn_closed(struct service_core *service, const void *conn)
{
    for (uint32_t i = 0; i < FEED_READERS_MAX; i++) {
        struct feed_reader *feed = &service->feeds->readers[i];
        if (feed->state != FEED_FREE && feed->call.conn == conn) {
            feed->call.conn = NULL;
            feed->deadline_ns = 0;
        }
    }
}

/* -- stats -- */

void put_feeds(const struct service_core *service, struct writer *writer)
{
    const struct feeds *feeds = service->feeds;
    writer_str(writer, "events");
    writer_map(writer, 5);
    put_int(writer, "oldest_lsn", (int64_t)wal_feed_oldest(service->wal));
    put_int(writer, "readers", feeds->open);
    put_int(writer, "readers_max", FEED_READERS_MAX);
    put_int(writer, "reads", (int64_t)feeds->answered);
    put_int(writer, "told", (int64_t)feeds->told);
}
