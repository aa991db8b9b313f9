/* Reservations as orders, counts and time use them up. */
#include <string.h>

#include "reserve_internal.h"

enum { BREAKS_A_TURN = 4, SWEEP_PIECES = 1000, DROP_MAX = 1000 };

/* -- ends -- */

void reserve_end_log(struct service_core *service, slab_ref ref, enum reservation_state state)
{
    const struct reservation *own = reservation_at(&service->tables.reserves, ref);
    const struct effect_reserve_end effect = {.id = {reservation_id(own), own->id_len},
                                              .state = (uint8_t)state};
    uint8_t *bytes = log_begin(service, EFFECT_SMALL_MAX);
    uint64_t lsn = log_end(service, EFFECT_RESERVE_END, effect_reserve_end_encode(bytes, &effect));
    must_apply(tables_apply_reserve_end(&service->tables, lsn, service->now_ms, &effect),
               "reserve_end");
}

bool reserve_retention(struct service_core *service)
{
    const struct reserves *reserves = &service->tables.reserves;
    uint64_t count = 0;
    for (slab_ref ref = reserves->ended_oldest; ref && count < DROP_MAX; count++) {
        const struct reservation *own = reservation_at(reserves, ref);
        if (own->ended_ms + service->options.order_window_ms > service->now_ms) {
            break;
        }
        ref = own->next_ended;
    }
    if (count == 0 ||
        wal_room(service->wal, EFFECT_SMALL_MAX, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    uint8_t *bytes = log_begin(service, EFFECT_SMALL_MAX);
    uint64_t lsn = log_end(service, EFFECT_RESERVE_DROP, effect_reserve_drop_encode(bytes, count));
    must_apply(tables_apply_reserve_drop(&service->tables, lsn, service->now_ms, count),
               "reserve_drop");
    return count == DROP_MAX;
}

/* -- broken -- */

/* The newest pieces on the cell, as many as give up the units. */
static uint32_t newest_pieces(const struct service_core *service, const struct reserve_cell *cell,
                              uint32_t units, struct effect_broken *broken)
{
    const struct reserves *reserves = &service->tables.reserves;
    struct piece_name at = reserves_newest(reserves, cell->item, cell->node);
    uint32_t count = 0;
    while (at.ref && units > 0 && count < EFFECT_BREAK_PIECES) {
        const struct reservation *own = reservation_at(reserves, at.ref);
        const struct reservation_piece *piece = &reservation_pieces(reserves, own)[at.piece];
        const uint32_t given = piece->held < units ? piece->held : units;
        broken[count++] = (struct effect_broken){{reservation_id(own), own->id_len}, given};
        units -= given;
        at = piece->older;
    }
    return count;
}

/* False: no room in the log. */
static bool break_log(struct service_core *service, const struct reserve_cell *cell)
{
    struct effect_broken broken[EFFECT_BREAK_PIECES];
    const struct cell found = tables_cell(&service->tables, cell->item, cell->node);
    int64_t ats = stock_ats(&service->tables.view, cell->item, cell->node, tables_word(&found));
    const struct effect_reserve_take effect = {
        .item = cell->item,
        .node = cell->node,
        .units = (uint32_t)-ats,
        .broken_count = newest_pieces(service, cell, (uint32_t)-ats, broken),
        .broken = broken};
    const uint32_t size = effect_reserve_take_size(&effect);
    if (wal_room(service->wal, size, 1, WAL_CLAIM_RELEASE) != WAL_ROOM_OK) {
        return false;
    }
    uint8_t *bytes = log_begin(service, size);
    uint64_t lsn =
        log_end(service, EFFECT_RESERVE_TAKE, effect_reserve_take_encode(bytes, &effect));
    must_apply(tables_apply_reserve_take(&service->tables, lsn, service->now_ms, &effect),
               "reserve_take");
    return true;
}

bool reserve_breaks(struct service_core *service)
{
    struct reserves *reserves = &service->tables.reserves;
    uint32_t breaks = 0;
    while (reserves->todo_count > 0) {
        const struct reserve_cell cell = reserves->todo[reserves->todo_first];
        if (!tables_is_short(&service->tables, cell.item, cell.node)) {
            reserves->todo_first = (reserves->todo_first + 1) % RESERVE_TODO_MAX;
            reserves->todo_count--;
        } else if (breaks++ == BREAKS_A_TURN) {
            return true;
        } else if (!break_log(service, &cell)) {
            return false; /* the next tick tries again */
        }
    }
    return tables_reserve_sweep(&service->tables, SWEEP_PIECES) || reserves->todo_count > 0;
}

/* -- an order takes its place -- */

bool reserve_for_order(struct service_core *service, struct call *call, struct ask *ask)
{
    slab_ref ref = need_reservation(service, call, ask->reservation_id);
    if (!ref) {
        return false;
    }
    const struct reservation *own = reservation_at(&service->tables.reserves, ref);
    enum reservation_state state = (enum reservation_state)own->state;
    if (state == RESERVATION_COMMITTED) {
        reserve_refuse_state(service, call, ref);
        return false;
    }
    ask->reservation = reservation_is_live(own) ? ref : 0;
    ask->reservation_found = reservation_state_text(state);
    return true;
}

/* Whether every line has the service of the reservation, and no node was asked for or shut out. */
static bool is_as_reserved(const struct ask *ask, const struct reservation *own)
{
    bool is_same = own->service != RESERVE_NO_SERVICE && ask->include_count == 0 &&
                   ask->exclude_count == 0;
    for (uint32_t i = 0; i < ask->line_count && is_same; i++) {
        is_same = (uint8_t)ask->route_lines[i].service == own->service;
    }
    return is_same;
}

/* The nodes that hold something, each once. */
static uint32_t held_nodes(const struct service_core *service, const struct reservation *own,
                           uint16_t nodes[LIST_MAX])
{
    const struct reservation_piece *pieces =
        reservation_pieces(&service->tables.reserves, own);
    uint32_t count = 0;
    for (uint32_t i = 0; i < own->piece_count && count < LIST_MAX; i++) {
        uint32_t at = 0;
        while (at < count && nodes[at] != pieces[i].node) {
            at++;
        }
        if (pieces[i].held > 0 && at == count) {
            nodes[count++] = pieces[i].node;
        }
    }
    return count;
}

/* At the nodes that hold it. */
static bool decide_where_held(struct service_core *service, const struct ask *ask,
                              const struct reservation *own, struct route_answer *answer)
{
    struct route_request request;
    uint16_t *nodes = service->asks->include; /* the order named none */
    ask_request(service->asks, ask, &request);
    request.include = nodes;
    request.include_count = held_nodes(service, own, nodes);
    if (request.include_count == 0) {
        return false;
    }
    route_decide(service->route, &service->tables.view, &request, answer);
    return answer->status == ORDER_ROUTED;
}

/* The node that the client named for the item when it was reserved, or NODE_NONE. */
static uint16_t named_node(const struct service_core *service, const struct reservation *own,
                           uint32_t item)
{
    const struct reservation_line *lines = reservation_lines(&service->tables.reserves, own);
    for (uint32_t i = 0; i < own->line_count; i++) {
        if (lines[i].item == item && lines[i].node != NODE_NONE) {
            return lines[i].node;
        }
    }
    return NODE_NONE;
}

/* With lines fixed to the nodes that the client named in the reservation. Lines times lines: only
 * for orders of a usual size. */
static bool decide_where_named(struct service_core *service, struct ask *ask,
                               const struct reservation *own, struct route_answer *answer)
{
    struct route_request request;
    uint16_t fixed[ASK_LINES_MAX];
    bool is_any = false;
    if ((uint64_t)ask->line_count * own->line_count > WORK_STEPS) {
        return false;
    }
    for (uint32_t i = 0; i < ask->line_count; i++) {
        struct route_line *line = &ask->route_lines[i];
        fixed[i] = line->node;
        line->node = line->node == NODE_NONE ? named_node(service, own, line->item) : line->node;
        is_any = is_any || line->node != fixed[i];
    }
    if (is_any) {
        ask_request(service->asks, ask, &request);
        route_decide(service->route, &service->tables.view, &request, answer);
    }
    for (uint32_t i = 0; i < ask->line_count; i++) {
        ask->route_lines[i].node = fixed[i];
    }
    return is_any && answer->status == ORDER_ROUTED;
}

void reserve_lend(struct service_core *service, const void *what, bool is_lent)
{
    tables_reserve_lend(&service->tables, *(const slab_ref *)what, is_lent);
}

void reserve_decide(struct service_core *service, struct ask *ask, struct route_answer *answer)
{
    struct tables *tables = &service->tables;
    const struct reservation *own = reservation_at(&tables->reserves, ask->reservation);
    lend_begin(service, reserve_lend, &ask->reservation);
    bool is_decided = is_as_reserved(ask, own) ? decide_where_held(service, ask, own, answer)
                                               : decide_where_named(service, ask, own, answer);
    if (!is_decided) {
        struct route_request request;
        ask_request(service->asks, ask, &request);
        route_decide(service->route, &tables->view, &request, answer);
    }
    lend_end(service);
}

uint32_t reserve_held(const struct service_core *service, slab_ref ref, uint32_t item,
                      uint16_t node)
{
    const struct reserves *reserves = &service->tables.reserves;
    const struct reservation *own = reservation_at(reserves, ref);
    uint32_t held = 0;
    for (uint32_t i = 0; i < own->piece_count; i++) {
        const struct reservation_piece *piece = &reservation_pieces(reserves, own)[i];
        bool is_here =
            piece->node == node && reservation_lines(reserves, own)[piece->line].item == item;
        held += is_here ? piece->held : 0;
    }
    return held;
}
