/* Long loads, applied slice by slice between other work, and what waits behind them: requests
 * of the same connection, so that each sees the effects of all earlier ones. */
#include <stdlib.h>
#include <string.h>

#include "load_internal.h"
#include "service_internal.h"

/* A request that came while a load of its connection was under way: a copy. */
struct job_deferred {
    struct job_deferred *next;
    struct frame_head head; /* its pointers are into bytes */
    void *conn;
    char bytes[];
};

static struct job *job_of(const struct service_core *service, const void *conn)
{
    struct job *job = service->jobs;
    while (job && job->call.conn != conn) {
        job = job->next;
    }
    return job;
}

/* Memory for a load, or for what waits behind one, within the limit of all together. */
static void *memory_get(struct service_core *service, size_t size)
{
    const uint64_t limit = service->options.loads_memory;
    void *memory = NULL;
    if (limit == 0 || (service->loads_bytes <= limit && size <= limit - service->loads_bytes)) {
        memory = malloc(size);
    }
    service->loads_bytes += memory ? size : 0;
    return memory;
}

static void memory_give(struct service_core *service, void *memory, size_t size)
{
    CHECK(service->loads_bytes >= size);
    service->loads_bytes -= size;
    free(memory);
}

static void reply_no_memory(struct service_core *service, struct call *call)
{
    service->overloaded++;
    reply_error(service, call, CODE_OVERLOADED,
                "%llu bytes are taken by loads under way, setting=loads_memory allows %llu: try "
                "again, retry_after_ms=100",
                (unsigned long long)service->loads_bytes,
                (unsigned long long)service->options.loads_memory);
}

/* The rows lie behind the job: one block. */
static size_t job_size(size_t rows_size)
{
    return sizeof(struct job) + rows_size;
}

struct job *job_new(struct service_core *service, struct call *call, size_t rows_size)
{
    struct job *job = memory_get(service, job_size(rows_size));
    if (!job) {
        reply_no_memory(service, call);
        return NULL;
    }
    *job = (struct job){.call = *call, .rows_size = rows_size};
    job->rows = job + 1;
    return job;
}

void job_free(struct service_core *service, struct job *job)
{
    CHECK(!job->deferred);
    memory_give(service, job, job_size(job->rows_size));
}

void job_start(struct service_core *service, struct job *job)
{
    struct job **end = &service->jobs;
    while (*end) {
        end = &(*end)->next;
    }
    *end = job;
    if (job->step(service, job)) {
        *end = NULL;
        job_free(service, job);
        return;
    }
    service->options.port.hold(job->call.conn, true);
}

static size_t deferred_size(const struct frame_head *head)
{
    return sizeof(struct job_deferred) + head->method_len + (size_t)head->params_size;
}

static void deferred_free(struct service_core *service, struct job_deferred *deferred)
{
    memory_give(service, deferred, deferred_size(&deferred->head));
}

/* NULL: there is no memory for it. */
static struct job_deferred *request_copy(struct service_core *service,
                                         const struct service_request *request)
{
    const struct frame_head *head = request->head;
    struct job_deferred *copy = memory_get(service, deferred_size(head));
    if (!copy) {
        return NULL;
    }
    *copy = (struct job_deferred){.head = *head, .conn = request->conn};
    memcpy(copy->bytes, head->method, head->method_len);
    memcpy(copy->bytes + head->method_len, head->params, head->params_size);
    copy->head.method = copy->bytes;
    copy->head.params = (const uint8_t *)copy->bytes + head->method_len;
    return copy;
}

static void deferred_append(struct job *job, struct job_deferred *list)
{
    struct job_deferred **end = &job->deferred;
    while (*end) {
        end = &(*end)->next;
    }
    *end = list;
}

bool job_defer(struct service_core *service, const struct service_request *request,
               struct call *call)
{
    struct job *job = job_of(service, request->conn);
    if (!job) {
        return false;
    }
    struct job_deferred *copy = request_copy(service, request);
    if (copy) {
        deferred_append(job, copy);
    } else {
        reply_no_memory(service, call);
    }
    return true;
}

/* Answer what waited, until one of them is a long load itself: the rest waits for that. */
static void deferred_run(struct service_core *service, struct job_deferred *list, const void *conn)
{
    while (list) {
        struct job *job = job_of(service, conn);
        if (job) {
            deferred_append(job, list);
            return;
        }
        struct job_deferred *next = list->next;
        /* Its delay begins now: it waited for its own connection, the server is not behind. */
        const struct service_request request = {list->conn, &list->head, service->now_ns};
        service->waited = list;
        service_one(service, &request);
        service->waited = NULL;
        deferred_free(service, list);
        list = next;
    }
}

static void list_free(struct service_core *service, struct job_deferred *list)
{
    while (list) {
        struct job_deferred *next = list->next;
        deferred_free(service, list);
        list = next;
    }
}

void jobs_close(struct service_core *service)
{
    while (service->jobs) {
        struct job *job = service->jobs;
        service->jobs = job->next;
        list_free(service, job->deferred);
        job->deferred = NULL;
        job_free(service, job);
    }
    list_free(service, service->waited);
    CHECK(service->loads_bytes == 0);
}

bool job_run(struct service_core *service)
{
    struct job *job = service->jobs;
    if (!job) {
        return false;
    }
    if (!job->step(service, job)) {
        return true;
    }
    service->jobs = job->next;
    void *conn = job->call.conn;
    struct job_deferred *list = job->deferred;
    job->deferred = NULL;
    job_free(service, job);
    deferred_run(service, list, conn);
    if (conn && !job_of(service, conn)) {
        service->options.port.hold(conn, false);
    }
    return true;
}

void job_conn_closed(struct service_core *service, void *conn)
{
    for (struct job *job = service->jobs; job; job = job->next) {
        if (job->call.conn == conn) {
            job->is_orphan = true;
            job->call.conn = NULL; /* its address may be another connection's soon */
            list_free(service, job->deferred);
            job->deferred = NULL;
        }
    }
}

enum job_room job_room(struct service_core *service, struct job *job, uint32_t bytes)
{
    switch (wal_room(service->wal, bytes, JOB_RECORDS, WAL_CLAIM_CHANGE)) {
    case WAL_ROOM_OK:
        return JOB_ROOM_OK;
    case WAL_ROOM_GROUP_FULL:
    case WAL_ROOM_SEGMENT_LATE:
        return JOB_ROOM_WAIT;
    case WAL_ROOM_DISK_FULL:
        reply_error(service, &job->call, CODE_READ_ONLY,
                    "the disk of the data folder became full: some rows are in, the same call "
                    "sent again completes it");
        return JOB_ROOM_GONE;
    case WAL_ROOM_DEAD:
        break;
    }
    reply_error(service, &job->call, CODE_INTERNAL, "the log failed: the process is ending");
    return JOB_ROOM_GONE;
}
