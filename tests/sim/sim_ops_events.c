/* events.read: clients that ask for any place, and the one whose ledger is kept. */
#include <stdio.h>
#include <string.h>

#include "check.h"
#include "sim_ops_internal.h"
#include "wal.h"

enum { PAGE = 1000, READ_TURNS = 10000, AGAIN = 400 };

/* What a request of events.read is for, in its state. */
enum { FOR_NOBODY, FOR_LEDGER, FOR_LEDGER_AGAIN };

bool is_ledger_current(const struct sim *sim)
{
    return sim->is_wide && !sim->ledger->is_lost && sim->ledger->next_lsn > sim->books->lsn;
}

void events_make(struct sim *sim, struct sim_request *request, struct writer *params)
{
    struct sim_form form = form_begin(params);
    const uint32_t back = sim_draw(sim, 300);
    request->at_ms = 0;
    request->state = FOR_NOBODY;
    request->from_lsn = sim->told > back ? sim->told - back : 0;
    form_int(&form, "from_lsn", (int64_t)request->from_lsn);
    if (sim_chance(sim, 50)) {
        form_int(&form, "limit", 1 + sim_draw(sim, 50));
    }
    if (sim_chance(sim, 30)) {
        struct writer *writer = form_key(&form, "types");
        writer_array(writer, 2);
        writer_string(writer, "order.routed");
        writer_string(writer, "fulfil.state");
    }
    if (sim_chance(sim, 30)) {
        request->node = draw_node(sim);
        struct writer *writer = form_key(&form, "nodes");
        writer_array(writer, 1);
        put_id(writer, 'n', request->node);
    }
    if (sim_chance(sim, 20)) {
        form_int(&form, "wait_ms", 1 + sim_draw(sim, 20));
    }
    form_end(&form);
}

/* Only what is durable is told, in order, whole LSNs, from the place on that was asked for. */
static void check_page(const struct sim *sim, const struct sim_request *request,
                       const struct sim_value *result)
{
    uint64_t last = 0;
    int64_t last_n = -1;
    const uint64_t next = (uint64_t)sim_int(result, "next_lsn");
    const uint64_t durable = (uint64_t)sim_int(result, "lsn");
    CHECK(durable <= sim->on_disk);
    CHECK(next <= durable + 1 || next == request->from_lsn);
    for (const struct sim_value *event = sim_list(result, "events")->first; event;
         event = event->next) {
        const uint64_t lsn = (uint64_t)sim_int(event, "lsn");
        const int64_t n = sim_int(event, "n");
        CHECK(lsn >= request->from_lsn);
        CHECK(lsn < next);
        CHECK(lsn <= durable);
        CHECK(lsn > last || (lsn == last && n > last_n));
        last = lsn;
        last_n = n;
    }
}

static void ledger_read(struct sim *sim, const struct sim_value *result)
{
    struct ledger *ledger = sim->ledger;
    const struct sim_value *log_id = sim_text(result, "log_id");
    if (!ledger->log_id[0]) {
        CHECK(log_id->text.len < sizeof ledger->log_id);
        memcpy(ledger->log_id, log_id->text.at, log_id->text.len);
    }
    CHECK(sim_is(log_id, ledger->log_id));
    for (const struct sim_value *event = sim_list(result, "events")->first; event;
         event = event->next) {
        ledger_take(ledger, event);
        sim->counts.events++;
    }
    ledger->next_lsn = (uint64_t)sim_int(result, "next_lsn");
}

/* (log_id, lsn, n) names an event for ever: what was told is told again as it was. */
static void ledger_read_again(struct sim *sim, const struct sim_value *result)
{
    const struct ledger *ledger = sim->ledger;
    uint64_t hash = 0;
    for (const struct sim_value *event = sim_list(result, "events")->first; event;
         event = event->next) {
        const uint64_t lsn = (uint64_t)sim_int(event, "lsn");
        const struct sim_value *next = event->next;
        if (lsn >= ledger->next_lsn) {
            return;
        }
        hash += ledger_hash(event);
        if (!next || (uint64_t)sim_int(next, "lsn") != lsn) {
            CHECK(hash == ledger->hashes[lsn]);
            hash = 0;
        }
    }
}

void events_see(struct sim *sim, const struct sim_request *request, const struct sim_reply *reply)
{
    if (sim_is_error(reply, "EVENTS_GONE")) {
        CHECK(!sim->is_retaining);
        if (request->state == FOR_LEDGER) {
            sim->ledger->is_lost = true;
        }
        return;
    }
    if (sim_is_error(reply, "INTERNAL")) {
        /* Its read may be the call that failed, or that the end of the process came with. */
        CHECK(sim->is_fault_armed || disk_sim_is_off(sim->disk));
        return;
    }
    /* What was known of the log may have been taken back by an end. */
    if (sim_is_error(reply, "INVALID_ARGUMENT")) {
        CHECK(request->from_lsn > wal_lsn_begun(service_wal(sim->service)) + 1 ||
              !is_known_node(sim, request->node));
        return;
    }
    if (is_plain_error(sim, request, reply)) {
        return;
    }
    check_page(sim, request, reply->result);
    if (request->state == FOR_LEDGER) {
        ledger_read(sim, reply->result);
    } else if (request->state == FOR_LEDGER_AGAIN) {
        ledger_read_again(sim, reply->result);
    }
}

static bool ask_page(struct sim *sim, uint64_t from_lsn, uint32_t what)
{
    struct sim_request *request = sim_op_named(sim, "events.read");
    struct writer writer;
    writer_init(&writer, sim->params, SIM_PARAMS_MAX);
    struct sim_form form = form_begin(&writer);
    request->state = what;
    request->node = SIM_NONE;
    request->from_lsn = from_lsn;
    form_int(&form, "from_lsn", (int64_t)from_lsn);
    form_int(&form, "limit", PAGE);
    form_end(&form);
    sim_params_set(request, sim->params, writer_size(&writer));
    return sim_ask(sim, request);
}

bool sim_read_events(struct sim *sim)
{
    struct ledger *ledger = sim->ledger;
    if (!sim->is_wide || ledger->is_lost) {
        return true;
    }
    for (uint32_t turns = 0; ledger->next_lsn <= wal_lsn_begun(service_wal(sim->service));
         turns++) {
        CHECK(turns < READ_TURNS);
        const uint64_t from = ledger->next_lsn ? ledger->next_lsn : 1;
        if (!ask_page(sim, from, FOR_LEDGER) || disk_sim_is_off(sim->disk)) {
            return false;
        }
        if (ledger->is_lost) {
            return true;
        }
    }
    return true;
}

bool sim_read_events_again(struct sim *sim)
{
    const struct ledger *ledger = sim->ledger;
    if (!sim->is_wide || ledger->is_lost || !sim->is_retaining || ledger->next_lsn < 2) {
        return true;
    }
    const uint64_t back = 1 + sim_draw(sim, AGAIN);
    sim->counts.events_again++;
    return ask_page(sim, ledger->next_lsn > back ? ledger->next_lsn - back : 1,
                    FOR_LEDGER_AGAIN);
}
