/* Turns of the engine: batches in, replies out, the disk's completions, time. What the port is
 * told is held against what the disk has done. */
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "frame.h"
#include "sim.h"
#include "wal.h"

enum { FRAME_HEAD = 64, SETTLE_TURNS = 100000 };

static struct sim *the_sim; /* connections do not know whose they are */

uint32_t sim_draw(struct sim *sim, uint32_t below)
{
    return (uint32_t)rng_below(&sim->rng, below);
}

bool sim_chance(struct sim *sim, uint32_t percent)
{
    return rng_below(&sim->rng, 100) < percent;
}

uint64_t sim_now(const struct sim *sim)
{
    const uint64_t group_ms = wal_time(service_wal(sim->service));
    const uint64_t record_ms = service_tables(sim->service)->time_ms; /* moved on by a record */
    return group_ms > record_ms ? group_ms : record_ms;
}

static struct sim_client *client_of(struct sim *sim, const void *conn)
{
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        struct sim_client *client = &sim->clients[i];
        if (conn == &client->conns[client->conn]) {
            return client;
        }
    }
    return NULL;
}

/* -- port -- */

static uint8_t *on_reply_begin(void *conn, uint32_t size)
{
    CHECK(size <= sizeof the_sim->reply_bytes);
    CHECK(!the_sim->reply_conn);
    the_sim->reply_conn = conn;
    return the_sim->reply_bytes;
}

static uint32_t msgid_of(const uint8_t *bytes, uint32_t size)
{
    struct reader reader;
    struct reader_array array;
    reader_init(&reader, bytes, size);
    reader_array_begin(&reader, &array, 4);
    (void)reader_array_next(&reader, &array);
    (void)reader_int(&reader, 1, 1);
    (void)reader_array_next(&reader, &array);
    return (uint32_t)reader_int(&reader, 0, UINT32_MAX);
}

/* Every reply leaves when all that was begun when it was written is durable. */
static void on_reply_end(void *conn, uint32_t size, uint64_t release_lsn)
{
    struct sim *sim = the_sim;
    CHECK(conn == sim->reply_conn);
    CHECK(sim->is_closing || release_lsn == wal_lsn_begun(service_wal(sim->service)));
    sim->reply_conn = NULL;
    if (sim->is_closing) {
        return;
    }
    sim->books->lsn = release_lsn;
    sim->counts.replies++;
    if (conn == &sim->ask_conn) {
        CHECK(sim->asked != NULL);
        sim->asked->release_lsn = release_lsn;
        sim_op_see(sim, sim->asked, sim->reply_bytes, size);
        sim->asked = NULL;
        return;
    }
    struct sim_client *client = client_of(sim, conn);
    CHECK(client != NULL);
    struct sim_request *request = sim_queue_find(&client->sent, msgid_of(sim->reply_bytes, size));
    CHECK(request != NULL); /* a reply to nothing that was asked, or a second one */
    request->release_lsn = release_lsn;
    sim_op_see(sim, request, sim->reply_bytes, size);
    sim_queue_put(&client->written, request);
}

static void on_done(void *conn)
{
    (void)conn;
    CHECK_UNREACHABLE("nobody here sends notifications");
}

static void on_hold(void *conn, bool held)
{
    struct sim_client *client = client_of(the_sim, conn);
    if (client) {
        client->is_held = held;
    }
}

static void replies_leave(struct sim *sim)
{
    for (uint32_t i = 0; i < SIM_CLIENTS_MAX; i++) {
        sim_client_told(sim, &sim->clients[i], sim->released);
    }
}

/* Invariant 6, at the moment itself: what is released is on the disk, flush and all. */
static void on_release(void *owner, uint64_t lsn)
{
    struct sim *sim = owner;
    CHECK(lsn >= sim->released);
    CHECK(lsn <= sim->on_disk);
    sim->released = lsn;
    books_settle(sim->books, lsn);
    replies_leave(sim);
}

static void on_pause(void *owner, bool is_paused)
{
    ((struct sim *)owner)->is_paused = is_paused;
}

static uint64_t on_clock(void *owner)
{
    return ((const struct sim *)owner)->now_ns;
}

static void on_failed(void *owner, const char *why)
{
    struct sim *sim = owner;
    CHECK(why[0]);
    sim->is_dead = true;
}

static bool on_checkpoint(void *owner, uint64_t lsn, char why_out[WAL_ERROR_SIZE])
{
    struct sim *sim = owner;
    CHECK(sim->checkpoint_lsn == 0);
    CHECK(lsn <= sim->on_disk);
    sim->checkpoint_lsn = lsn;
    why_out[0] = '\0';
    return true;
}

struct service_port sim_port(struct sim *sim)
{
    the_sim = sim;
    return (struct service_port){.owner = sim,
                                 .reply_begin = on_reply_begin,
                                 .reply_end = on_reply_end,
                                 .done = on_done,
                                 .hold = on_hold,
                                 .release = on_release,
                                 .pause = on_pause,
                                 .clock_ns = on_clock,
                                 .failed = on_failed,
                                 .checkpoint = on_checkpoint};
}

static struct service_turn turn_now(const struct sim *sim)
{
    return (struct service_turn){sim->wall_ms, sim->now_ns};
}

/* -- time -- */

/* Mostly a little; now and then a second, past the windows of keys and orders, or backwards. */
void sim_clock(struct sim *sim)
{
    const uint32_t rare = sim_draw(sim, 4000);
    sim->wall_ms += sim_draw(sim, 4);
    sim->now_ns += 1000000;
    if (rare < 40) {
        sim->wall_ms += 1000;
    } else if (rare == 40) {
        sim->wall_ms += 601 * 1000;
        sim_tick(sim); /* what is over its window leaves before anybody asks for it */
        sim_tick(sim);
    } else if (rare < 45) {
        sim->wall_ms -= 3000;
    }
}

/* -- turns -- */

static void frame_make(struct sim_request *request, struct frame_head *head)
{
    struct writer writer;
    struct frame_scan scan;
    const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    const uint32_t room = request->size + FRAME_HEAD;
    request->frame = malloc(room);
    CHECK(request->frame != NULL);
    writer_init(&writer, request->frame, room);
    writer_request(&writer, request->msgid, request->kind->method);
    writer_raw(&writer, request->params, request->size);
    CHECK(!writer.is_full);
    frame_scan_init(&scan);
    const enum frame_state state =
        frame_scan_run(&scan, request->frame, writer_size(&writer), &limits);
    CHECK(state == FRAME_DONE);
    const bool is_frame = frame_head_read(request->frame, writer_size(&writer), head);
    CHECK(is_frame);
}

/* Of the clients in turn, from a drawn one, each some of what it waits with, in its order. */
static uint32_t gather(struct sim *sim, uint32_t max)
{
    uint32_t count = 0;
    const uint32_t first = sim_draw(sim, sim->client_count);
    for (uint32_t i = 0; i < sim->client_count; i++) {
        struct sim_client *client = &sim->clients[(first + i) % sim->client_count];
        uint32_t some = 1 + sim_draw(sim, sim->depth);
        while (count < max && some > 0 && client->waiting.count > 0 && !client->is_held) {
            struct sim_request *request = sim_queue_take(&client->waiting);
            frame_make(request, &sim->heads[count]);
            sim->batch[count] = (struct service_request){&client->conns[client->conn],
                                                         &sim->heads[count], sim->now_ns};
            sim_queue_put(&client->sent, request);
            count++;
            some--;
        }
    }
    return count;
}

/* What a turn or a slice of one changed. */
static void turn_look(struct sim *sim)
{
    sim_state_note(sim);
    replies_leave(sim); /* with nothing in flight that is at once */
}

/* A suspended turn goes on, or stays as it is while other things happen: an end among them. */
static void slices(struct sim *sim)
{
    while (service_is_suspended(sim->service) && !sim_chance(sim, 5)) {
        const struct service_turn turn = turn_now(sim);
        if (sim_chance(sim, 20)) {
            sim_drive(sim, sim_chance(sim, 80), sim_chance(sim, 50));
        }
        (void)service_tick(sim->service, &turn);
        sim->counts.slices++;
        turn_look(sim);
    }
}

void sim_batch(struct sim *sim, uint32_t max)
{
    CHECK(max <= SIM_BATCH_MAX);
    slices(sim);
    if (sim->is_paused || sim->is_dead || service_is_suspended(sim->service)) {
        return;
    }
    const uint32_t count = gather(sim, max);
    const struct service_turn turn = turn_now(sim);
    if (count > 0) {
        service_batch(sim->service, &turn, sim->batch, count);
        turn_look(sim);
        slices(sim);
    }
}

void sim_tick(struct sim *sim)
{
    const struct service_turn turn = turn_now(sim);
    (void)service_tick(sim->service, &turn);
    turn_look(sim);
    slices(sim);
}

void sim_drive(struct sim *sim, bool writes, bool jobs)
{
    disk_sim_hold_writes(sim->disk, !writes);
    disk_sim_hold_jobs(sim->disk, !jobs);
    wal_drive(service_wal(sim->service));
    disk_sim_hold_writes(sim->disk, true);
    disk_sim_hold_jobs(sim->disk, true);
}

void sim_seal(struct sim *sim)
{
    struct wal *wal = service_wal(sim->service);
    if (wal_seal_due_ms(wal, sim->wall_ms) == 0) {
        wal_seal(wal);
    }
}

/* -- asking at once -- */

bool sim_settle(struct sim *sim)
{
    for (uint32_t i = 0; !service_is_idle(sim->service) || sim->is_paused; i++) {
        if (sim->is_dead) {
            return false;
        }
        CHECK(i < SETTLE_TURNS); /* the engine stands still */
        sim_drive(sim, true, true);
        sim->wall_ms += 1;
        sim_tick(sim);
        sim_checkpoint(sim);
    }
    return !sim->is_dead;
}

bool sim_ask(struct sim *sim, struct sim_request *request)
{
    struct frame_head head;
    if (!sim_settle(sim)) {
        sim_request_free(request);
        return false;
    }
    request->msgid = ++sim->last_msgid;
    frame_make(request, &head);
    const struct service_request one = {&sim->ask_conn, &head, sim->now_ns};
    const struct service_turn turn = turn_now(sim);
    sim->asked = request;
    service_batch(sim->service, &turn, &one, 1);
    sim_state_note(sim);
    bool is_alive = sim_settle(sim);
    for (uint32_t i = 0; is_alive && sim->asked; i++) { /* readers of events get on by turns */
        CHECK(i < SETTLE_TURNS);
        sim->now_ns += 1000000;
        sim_tick(sim);
        sim_drive(sim, true, true);
        is_alive = sim_settle(sim);
    }
    CHECK(!is_alive || request->release_lsn <= sim->released);
    sim->told = is_alive && request->release_lsn > sim->told ? request->release_lsn : sim->told;
    sim->asked = NULL;
    sim_request_free(request);
    return is_alive;
}
