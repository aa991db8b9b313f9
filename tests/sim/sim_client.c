/* Clients: what they asked, what they still wait for, what they ask again. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "frame.h"
#include "hash.h"
#include "sim.h"

struct sim_request *sim_request_new(const struct sim_kind *kind)
{
    struct sim_request *request = calloc(1, sizeof *request);
    CHECK(request != NULL);
    request->kind = kind;
    request->item = request->node = request->order = SIM_NONE;
    request->part = request->key = request->state = SIM_NONE;
    request->thing = SIM_NONE;
    return request;
}

void sim_request_free(struct sim_request *request)
{
    if (request) {
        free(request->params);
        free(request->frame);
        free(request);
    }
}

/* An exact copy: there is no byte to read behind it. */
void sim_params_set(struct sim_request *request, const uint8_t *params, uint32_t size)
{
    free(request->params);
    request->params = malloc(size);
    CHECK(request->params != NULL);
    memcpy(request->params, params, size);
    request->size = size;
    request->content = hash_fixed(params, size);
}

void sim_queue_put(struct sim_queue *queue, struct sim_request *request)
{
    request->next = NULL;
    if (queue->last) {
        queue->last->next = request;
    } else {
        queue->first = request;
    }
    queue->last = request;
    queue->count++;
}

struct sim_request *sim_queue_take(struct sim_queue *queue)
{
    struct sim_request *request = queue->first;
    if (request) {
        queue->first = request->next;
        queue->last = queue->first ? queue->last : NULL;
        queue->count--;
    }
    return request;
}

struct sim_request *sim_queue_find(struct sim_queue *queue, uint32_t msgid)
{
    struct sim_request *before = NULL;
    struct sim_request *request = queue->first;
    while (request && request->msgid != msgid) {
        before = request;
        request = request->next;
    }
    if (!request) {
        return NULL;
    }
    if (before) {
        before->next = request->next;
    } else {
        queue->first = request->next;
    }
    queue->last = queue->last == request ? before : queue->last;
    queue->count--;
    return request;
}

void sim_queue_drop(struct sim_queue *queue)
{
    while (queue->count > 0) {
        sim_request_free(sim_queue_take(queue));
    }
}

/* -- asking -- */

struct sim_request *sim_request_again(const struct sim_request *from)
{
    struct sim_request *request = malloc(sizeof *request);
    CHECK(request != NULL);
    *request = *from;
    request->params = NULL;
    request->frame = NULL;
    request->is_retry = true;
    sim_params_set(request, from->params, from->size);
    return request;
}

static struct sim_request *draw_request(struct sim *sim, struct sim_client *client)
{
    const struct sim_request *past = sim->past[sim_draw(sim, SIM_PAST_MAX)];
    if (client->unsure.count > 0 && sim_chance(sim, 60)) {
        struct sim_request *request = sim_queue_take(&client->unsure);
        request->is_retry = true;
        sim->counts.retries++;
        return request;
    }
    if (past && sim_chance(sim, 6)) {
        sim->counts.retries++;
        return sim_request_again(past);
    }
    return sim_op_draw(sim);
}

void sim_client_ask(struct sim *sim, uint32_t index)
{
    struct sim_client *client = &sim->clients[index];
    if (client->waiting.count + client->sent.count + client->written.count >= sim->depth) {
        return;
    }
    struct sim_request *request = draw_request(sim, client);
    request->client = index;
    request->msgid = ++sim->last_msgid;
    sim_queue_put(&client->waiting, request);
    sim->counts.operations++;
}

/* -- hearing -- */

/* The client has its answer: some are asked again later, for the same facts. */
static void keep_or_free(struct sim *sim, struct sim_request *request)
{
    const bool is_kept = request->kind->is_change && !request->is_bad && sim_chance(sim, 30);
    if (!is_kept) {
        sim_request_free(request);
        return;
    }
    free(request->frame);
    request->frame = NULL;
    struct sim_request **slot = &sim->past[sim_draw(sim, SIM_PAST_MAX)];
    sim_request_free(*slot);
    *slot = request;
}

void sim_client_told(struct sim *sim, struct sim_client *client, uint64_t lsn)
{
    while (client->written.count > 0 && client->written.first->release_lsn <= lsn) {
        struct sim_request *request = sim_queue_take(&client->written);
        sim->told = request->release_lsn > sim->told ? request->release_lsn : sim->told;
        keep_or_free(sim, request);
    }
}

/* -- losing -- */

/* Nobody knows what became of these: most are asked again. */
static void lose(struct sim *sim, struct sim_client *client, struct sim_queue *queue)
{
    while (queue->count > 0) {
        struct sim_request *request = sim_queue_take(queue);
        free(request->frame);
        request->frame = NULL;
        sim->counts.lost_replies++;
        if (sim_chance(sim, 90)) {
            sim_queue_put(&client->unsure, request);
        } else {
            sim_request_free(request);
        }
    }
}

const struct sim_request *sim_client_load(const struct sim_client *client)
{
    const struct sim_request *at = client->sent.first;
    while (at && (strcmp(at->kind->method, "stock.load") != 0 || at->is_bad)) {
        at = at->next;
    }
    return at;
}

void sim_client_vanish(struct sim *sim, uint32_t index)
{
    struct sim_client *client = &sim->clients[index];
    if (service_is_suspended(sim->service) || sim_client_load(client)) {
        return; /* the books would not hear of its end */
    }
    service_conn_closed(sim->service, &client->conns[client->conn]);
    lose(sim, client, &client->sent);
    lose(sim, client, &client->written);
    lose(sim, client, &client->waiting);
    client->conn = 1 - client->conn;
    client->is_held = false;
    sim->counts.vanished++;
}

void sim_clients_lose(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        struct sim_client *client = &sim->clients[i];
        const struct sim_request *load = sim_client_load(client);
        sim_request_free(sim->halves[i]);
        sim->halves[i] = load ? sim_request_again(load) : NULL;
        lose(sim, client, &client->sent);
        lose(sim, client, &client->written);
        client->is_held = false;
    }
}
