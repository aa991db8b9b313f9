/* The decision of an order: its groups in their order, each on what the earlier ones left. */
#include "route.h"

#include "check.h"
#include "mem.h"
#include "prefetch.h"
#include "route_internal.h"
#include "strategy_route_internal.h"

enum {
    WORDS_AHEAD_WEIGHTED = 24, /* of an area's list: what a search visits by a weighted strategy */
    STEPS_DEFAULT = 80000,     /* README, "Steps": what fits into a millisecond */
    FEW_TIMES = 64,
    LINE_STEPS = 8 /* of a line in each of the passes over all lines */
};

enum err route_new(struct route **out)
{
    const struct nearest_kernel *kernels[3];
    void *memory;
    enum err err = mem_reserve(sizeof(struct route), &memory);
    if (err != ERR_OK) {
        return err;
    }
    struct route *route = memory;
    mem_populate(memory, sizeof *route); /* no order waits for a fresh page */
    err = split_new(&route->split);
    if (err == ERR_OK) {
        err = carried_new(&route->carried);
    }
    if (err == ERR_OK) {
        err = faces_new(&route->faces);
    }
    if (err != ERR_OK) {
        split_free(route->split);
        carried_free(route->carried);
        mem_release(memory, sizeof(struct route));
        return err;
    }
    nearest_kernels(kernels);
    route->kernel = kernels[0];
    route->steps_max = STEPS_DEFAULT;
    route_slice_begin(route);
    *out = route;
    return ERR_OK;
}

void route_free(struct route *route)
{
    if (route) {
        split_free(route->split);
        carried_free(route->carried);
        faces_free(route->faces);
        mem_release(route, sizeof *route);
    }
}

void route_forget(struct route *route)
{
    route->areas.network = NULL;
    faces_forget(route->faces);
}

uint32_t route_steps_max(const struct route *route)
{
    return route->steps_max;
}

uint32_t route_steps_few(const struct route *route)
{
    return route->steps_max < UINT32_MAX / FEW_TIMES ? route->steps_max * FEW_TIMES : UINT32_MAX;
}

void route_steps_max_set(struct route *route, uint32_t steps)
{
    route->steps_max = steps;
}

void route_slices_set(struct route *route, uint32_t slice_steps, route_pause *pause, void *owner)
{
    route->slice_steps = slice_steps;
    route->pause = pause;
    route->pause_owner = owner;
    route_slice_begin(route);
}

void route_slice_begin(struct route *route)
{
    route->slice_left = route->slice_steps ? route->slice_steps : INT64_MAX;
}

void slice_end(struct route *route)
{
    if (route->slice_steps) {
        route->pause(route->pause_owner);
    }
    route_slice_begin(route);
}

void route_work(struct route *route, uint32_t steps)
{
    work(route, steps);
}

uint32_t route_kernel_set(struct route *route, uint32_t index)
{
    const struct nearest_kernel *kernels[3];
    uint32_t count = nearest_kernels(kernels);
    if (index < count) {
        route->kernel = kernels[index];
    }
    return count;
}

static uint32_t line_key(const struct route_line *line)
{
    return (uint32_t)line->service << 16 | line->node;
}

/* Chain the lines of equal service and place; the number of groups. */
static uint32_t groups_find(struct route *route)
{
    const struct route_request *request = route->request;
    uint32_t count = 0;
    route->order_stamp++;
    for (uint32_t line = 0; line < request->line_count; line++) {
        uint32_t key = line_key(&request->lines[line]);
        route->next_line[line] = UINT32_MAX;
        if (route->key_stamp[key] != route->order_stamp) {
            route->key_stamp[key] = route->order_stamp;
            route->key_group[key] = (uint16_t)count;
            route->pending[count++] = (struct pending){key, line, line};
            continue;
        }
        struct pending *pending = &route->pending[route->key_group[key]];
        route->next_line[pending->last] = line;
        pending->last = line;
    }
    return count;
}

/* Fixed places first, then same_day, then the rest; what goes to a store comes from anywhere. */
static uint32_t rank(uint32_t key)
{
    if ((key & 0xffff) != NODE_NONE && key >> 16 != SERVICE_SHIP_TO_STORE) {
        return 0;
    }
    return key >> 16 == SERVICE_SAME_DAY ? 1 : 2;
}

/* Splits that the group may still have, plus one. */
static uint32_t max_nodes(const struct route *route)
{
    uint32_t asked = route->request->max_splits;
    uint32_t used = route->answer->splits;
    if (service_is_pickup(route->group.service) || route->group.service == SERVICE_CARRY_OUT) {
        return 1;
    }
    if (asked == ROUTE_NO_LIMIT) {
        return route->group.service == SERVICE_SAME_DAY ? 1 : ROUTE_PARTS_MAX;
    }
    uint32_t left = asked - used;
    return left < ROUTE_PARTS_MAX ? left + 1 : ROUTE_PARTS_MAX;
}

struct route_guess single_source(struct route *route)
{
    return route->is_ruled ? strategy_source(route) : nearest_source(route, false);
}

bool store_holds(struct route *route, uint16_t store)
{
    route->group.service = SERVICE_PICKUP;
    group_refence(route);
    bool holds = group_takes_node(route, store, 0) && group_holds(route, store);
    route->group.service = SERVICE_SHIP_TO_STORE;
    group_refence(route);
    return holds;
}

void to_store_begin(struct route *route)
{
    const struct route_request *request = route->request;
    uint16_t store = route->group.place;
    const struct node *node = &route->view->network->nodes[store];
    route->store_request = *request;
    route->store_request.has_dest = true;
    route->store_request.dest = node->point;
    route->store_request.country = node->config.country;
    route->store_request.postcode = node->config.postcode;
    route->request = &route->store_request;
    route->group.place = NODE_NONE;
    route->group.to = store;
    group_refence(route);
}

static bool decide_to_store(struct route *route)
{
    uint16_t store = route->group.place;
    bool is_decided = true;
    to_store_begin(route);
    if (store_holds(route, store)) {
        is_decided = answer_add_single(route, store, 0);
    } else {
        strategy_begin(route);
        if (route->why.visit) {
            why_group(route, single_source);
        }
        struct route_guess best = single_source(route);
        is_decided = best.node != NODE_NONE ? answer_add_single(route, best.node, best.metres)
                                            : split_decide(route);
    }
    return is_decided;
}

bool group_decide(struct route *route)
{
    if (route->group.service == SERVICE_SHIP_TO_STORE) {
        return decide_to_store(route);
    }
    if (route->why.visit) {
        why_group(route, single_source);
    }
    if (route->group.service == SERVICE_CARRY_OUT &&
        group_takes_node(route, route->group.place, 0)) {
        return answer_add_single(route, route->group.place, 0); /* it is gone already */
    }
    if (route->group.place == NODE_NONE && route->request->has_dest) {
        struct route_guess best = single_source(route);
        work(route, route->group.demand_count * LINE_STEPS);
        if (best.node != NODE_NONE) {
            return answer_add_single(route, best.node, best.metres);
        }
    }
    return split_decide(route);
}

/* Whether the group just decided has no candidate at all. */
static bool is_fenced_off(const struct route *route, uint32_t first_part)
{
    const struct route_answer *answer = route->answer;
    return answer->part_count <= first_part && answer->unfilled_count > 0 &&
           route->unfilled[answer->unfilled_count - 1].reason == REASON_NO_FEASIBLE_SOURCE;
}

static bool begin_and_decide(struct route *route, const struct pending *pending)
{
    const struct route_request *request = route->request;
    uint32_t count = 0;
    uint32_t first_part = route->answer->part_count;
    bool has_kits = false;
    for (uint32_t line = pending->first; line != UINT32_MAX; line = route->next_line[line]) {
        route->lines[count++] = line;
        has_kits = has_kits || request->lines[line].kit;
    }
    route->earlier_parts = first_part;
    group_begin(route, count);
    work(route, count * LINE_STEPS);
    route->group.max_nodes = max_nodes(route);
    strategy_begin(route);
    bool is_decided = has_kits ? kits_decide(route, pending) : group_decide(route);
    bool is_told = !route->request->is_quote && is_fenced_off(route, first_part);
    if (route->request->explain > 0 || is_told) {
        explain_group(route, first_part);
    }
    route->request = request;
    return is_decided;
}

static void decide_groups(struct route *route, uint32_t count)
{
    for (uint32_t r = 0; r < 3; r++) {
        for (uint32_t i = 0; i < count; i++) {
            if (rank(route->pending[i].key) == r && !begin_and_decide(route, &route->pending[i])) {
                return;
            }
        }
    }
}

void route_begin(struct route *route, const struct stock_view *view,
                 const struct route_request *request)
{
    CHECK(request->line_count > 0);
    CHECK(request->line_count <= ROUTE_LINES_MAX);
    route->view = view;
    if (request->channel) {
        route->channel_view = *view;
        route->channel_view.channel = request->channel;
        route->view = &route->channel_view;
    }
    route->request = request;
    route->has_takes = false;
    route->is_ruled = false;
    route->keep = 0;
    route->earlier_parts = 0;
    fence_place(route);
}

static void decide_all(struct route *route, const struct stock_view *view,
                       const struct route_request *request, struct route_answer *answer)
{
    route_begin(route, view, request);
    answer_begin(route, answer);
    decide_groups(route, groups_find(route));
    answer_end(route);
}

void route_why(struct route *route, const struct stock_view *view,
               const struct route_request *request, uint16_t node, route_why_visit *visit,
               void *owner, struct route_answer *answer)
{
    route->why = (struct why_ask){node, visit, owner};
    decide_all(route, view, request, answer);
    route->why.visit = NULL;
}

/* Whether it is an answer without these fences. */
static bool is_answered_without(struct route *route, const struct stock_view *view,
                                const struct route_request *request, uint32_t fences)
{
    struct route_answer answer;
    route->relaxed = fences;
    decide_all(route, view, request, &answer);
    route->relaxed = 0;
    return answer.status != ORDER_REFUSED;
}

/* A refusal for which capacity or the date asked for is to blame is told as such. */
static enum reason reason_of_time(struct route *route, const struct stock_view *view,
                                  const struct route_request *request)
{
    bool has_capacity = view->timing && view->timing->capacity.count > 0;
    bool has_date = request->required_by_ms != 0;
    if (has_capacity && is_answered_without(route, view, request, FENCE_CAPACITY)) {
        return REASON_CAPACITY_EXCEEDED;
    }
    if (has_date && is_answered_without(route, view, request,
                                        FENCE_PROMISE | (has_capacity ? FENCE_CAPACITY : 0u))) {
        return REASON_PROMISE_NOT_MET;
    }
    return REASON_NONE;
}

void route_decide(struct route *route, const struct stock_view *view,
                  const struct route_request *request, struct route_answer *answer)
{
    decide_all(route, view, request, answer);
    if (answer->status != ORDER_REFUSED || answer->reason == REASON_PROMISE_NOT_MET) {
        return;
    }
    bool has_fences = view->timing && (view->timing->capacity.count > 0 || request->required_by_ms);
    enum reason reason = has_fences ? reason_of_time(route, view, request) : REASON_NONE;
    if (reason != REASON_NONE) {
        struct route_request explained = *request;
        explained.explain = explained.explain ? explained.explain : 1;
        decide_all(route, view, &explained, answer);
        answer->reason = reason;
    } else if (has_fences) {
        decide_all(route, view, request, answer); /* the lists of the answer were overwritten */
    }
}

/* Whether all lines are one group without a fixed place, to a destination, and nothing is to be
 * explained; then it is begun. */
static bool common_begin(struct route *route, const struct stock_view *view,
                         const struct route_request *request)
{
    uint32_t key = line_key(&request->lines[0]);
    route_begin(route, view, request);
    if ((key & 0xffff) != NODE_NONE || !request->has_dest || request->explain > 0) {
        return false;
    }
    for (uint32_t line = 0; line < request->line_count; line++) {
        if (line_key(&request->lines[line]) != key) {
            return false;
        }
        route->lines[line] = line;
    }
    group_begin(route, request->line_count);
    return true;
}

static const struct near_area *area_known(const struct route *route, const struct stock_view *view,
                                          const struct geo_point *dest)
{
    if (!dest) {
        return NULL;
    }
    const float place[3] = {(float)dest->x, (float)dest->y, (float)dest->z};
    return near_area_known(&route->areas, view->network, place);
}

/* Every line that they touch: the last one too where they begin in the midst of one. */
static void prefetch_bytes(const void *from, size_t size)
{
    const char *end = (const char *)from + size;
    const char *line = (const char *)from - (uintptr_t)from % 64;
    for (; line < end; line += 64) {
        prefetch_read(line);
    }
}

void route_prefetch(const struct route *route, const struct stock_view *view,
                    const struct route_line *lines, uint32_t count, const struct geo_point *dest)
{
    const struct near_area *area = area_known(route, view, dest);
    for (uint32_t line = 0; line < count; line++) {
        prefetch_read(view->catalogue->items[lines[line].item].row);
    }
    if (area) {
        prefetch_bytes(area, offsetof(struct near_area, bounds[NEAR_AHEAD]));
    }
}

/* How many words of its area's list a search reads; 0 = it does not go by that. */
static uint32_t words_ahead(const struct strategy *rule)
{
    bool is_weighted = rule && rule->mode == STRATEGY_WEIGHTED;
    uint32_t words = is_weighted ? WORDS_AHEAD_WEIGHTED : NEAR_AHEAD;
    return !rule || rule->is_led ? words : 0;
}

/* The words that the area's list begins with, where most searches end: NEAR_AHEAD of them lie in
 * some four lines, each of which is asked for once. */
static void prefetch_words(struct row *row, const struct near_area *area, uint32_t count)
{
    for (uint32_t i = 0; i < area->line_count; i++) {
        prefetch_read((const char *)row + area->lines[i] * 64u);
    }
    for (uint32_t i = NEAR_AHEAD; i < area->count && i < count; i++) {
        prefetch_read(&row_maybe(row)[area->words[i]]);
    }
}

void route_prefetch_rows(const struct route *route, const struct stock_view *view,
                         const struct route_line *lines, uint32_t count,
                         const struct geo_point *dest, const struct strategy *rule)
{
    const uint32_t ahead = words_ahead(rule);
    const struct near_area *area = ahead ? area_known(route, view, dest) : NULL;
    for (uint32_t line = 0; line < count; line++) {
        struct row *row = view->catalogue->items[lines[line].item].row;
        if (!row) {
            continue;
        }
        if (row->kind == ROW_LIST) {
            prefetch_bytes(row_slots(row), row->count * sizeof(uint16_t));
        } else if (area && area->is_filled) {
            prefetch_words(row, area, ahead);
        } else {
            prefetch_bytes(row_maybe(row), row->words * sizeof(uint64_t));
        }
    }
}

void route_guess(struct route *route, const struct stock_view *view,
                 const struct route_request *request, struct route_guess *guess)
{
    *guess = (struct route_guess){NODE_NONE, 0};
    if (!request->strategy && common_begin(route, view, request)) {
        *guess = nearest_source(route, true);
    }
}

void route_guess_ruled(struct route *route, const struct stock_view *view,
                       const struct route_request *request, struct route_guess *guess,
                       struct route_rank *rank)
{
    *guess = (struct route_guess){NODE_NONE, 0};
    if (request->strategy && common_begin(route, view, request)) {
        strategy_begin(route);
        *guess = strategy_guess(route, rank);
    }
}

void route_guess_prefetch_places(const struct stock_view *view, const struct route_line *lines,
                                 uint32_t count, const struct route_guess *guess)
{
    uint32_t slot = guess->node == NODE_NONE ? 0 : view->network->hot[guess->node].slot;
    for (uint32_t line = 0; line < count && guess->node != NODE_NONE; line++) {
        const struct row *row = view->catalogue->items[lines[line].item].row;
        if (row) {
            row_prefetch_find(row, slot);
        }
    }
}

void route_guess_prefetch(const struct stock_view *view, const struct route_line *lines,
                          uint32_t count, const struct route_guess *guess)
{
    uint32_t slot = guess->node == NODE_NONE ? 0 : view->network->hot[guess->node].slot;
    for (uint32_t line = 0; line < count && guess->node != NODE_NONE; line++) {
        struct row *row = view->catalogue->items[lines[line].item].row;
        int32_t index = row ? row_find(row, slot) : -1;
        if (index >= 0) {
            prefetch_write(&row_cells(row)[index]);
        }
    }
}

static bool is_in_base(const struct route *route, uint16_t node)
{
    uint32_t slot = route->view->network->hot[node].slot;
    return route->group.base[slot / 64] >> (slot % 64) & 1;
}

bool route_confirm(struct route *route, const struct stock_view *view,
                   const struct route_request *request, const struct route_guess *guess,
                   struct route_answer *answer)
{
    if (guess->node == NODE_NONE || !common_begin(route, view, request) ||
        !is_in_base(route, guess->node) || !group_holds(route, guess->node)) {
        return false;
    }
    answer_begin(route, answer);
    return answer_add_single(route, guess->node, group_metres(route, guess->node)) &&
           fence_dates(route);
}

bool route_confirm_ruled(struct route *route, const struct stock_view *view,
                         const struct route_request *request, const struct route_guess *guess,
                         const struct route_rank *rank, struct route_answer *answer)
{
    if (guess->node == NODE_NONE || !common_begin(route, view, request) ||
        !is_in_base(route, guess->node)) {
        return false;
    }
    strategy_begin(route);
    if (!group_holds(route, guess->node) || !strategy_stands(route, guess, rank)) {
        return false;
    }
    answer_begin(route, answer);
    return answer_add_single(route, guess->node, guess->metres) && fence_dates(route);
}
