/* Blocks, index, lists of orders. What a change does to an order is in apply.c. */
#include "order.h"

#include <stddef.h>
#include <string.h>

#include "check.h"
#include "decimal.h"
#include "hold.h"
#include "mem.h"
#include "prefetch.h"
#include "wheel.h"

enum { PROBES = 64 };

enum { TAG_ORDER = 6, TAG_SHARE = 7, TAG_PART = 8, TAG_LINE = 22, TAG_CLOSED = 23, TAG_DATES = 64,
       TAG_DECIDED = 73, TAG_LINE_KIT = 74 };

struct order_slot {
    uint32_t tag;
    slab_ref ref; /* 0 = empty */
};

static uint64_t slot_count(uint32_t max)
{
    uint64_t count = 1024;
    while (count < (uint64_t)max * 3 / 2) {
        count *= 2;
    }
    return count;
}

enum err orders_init(struct orders *orders, uint32_t max, uint64_t bytes_max,
                     const struct hash_key *key)
{
    memset(orders, 0, sizeof *orders);
    orders->max = max;
    orders->key = key;
    orders->slot_mask = slot_count(max) - 1;
    enum err err = slab_init(&orders->slab, bytes_max);
    if (err != ERR_OK) {
        return err;
    }
    void *memory;
    err = mem_reserve((orders->slot_mask + 1) * sizeof(struct order_slot), &memory);
    if (err != ERR_OK) {
        slab_close(&orders->slab);
        return err;
    }
    orders->slots = memory;
    orders->done_mask = slot_count(max) - 1;
    mem_populate(memory, (orders->slot_mask + 1) * sizeof(struct order_slot));
    err = mem_reserve((orders->done_mask + 1) * sizeof(slab_ref), &memory);
    if (err != ERR_OK) {
        orders_close(orders);
        return err;
    }
    orders->done = memory;
    return ERR_OK;
}

void orders_close(struct orders *orders)
{
    slab_close(&orders->slab);
    mem_release(orders->slots, (orders->slot_mask + 1) * sizeof(struct order_slot));
    mem_release(orders->done, (orders->done_mask + 1) * sizeof(slab_ref));
    memset(orders, 0, sizeof *orders);
}

uint64_t orders_memory(uint32_t max, uint64_t bytes_max)
{
    return mem_size(bytes_max) + mem_size(slot_count(max) * sizeof(struct order_slot)) +
           mem_size(slot_count(max) * sizeof(slab_ref));
}

uint64_t orders_bytes(const struct orders *orders)
{
    return orders->slab.live + (orders->slot_mask + 1) * sizeof(struct order_slot) +
           orders->done_count * sizeof(slab_ref);
}

uint64_t orders_hash(const struct orders *orders, const char *id, uint32_t len)
{
    return hash_keyed(orders->key, id, len);
}

/* The home slot comes from the tag, so that removal can shift without the whole hash. */
static uint64_t home(const struct orders *orders, uint32_t tag)
{
    return ((uint64_t)tag * (orders->slot_mask + 1)) >> 32;
}

static uint32_t tag_of(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

void orders_prefetch(const struct orders *orders, uint64_t hash)
{
    prefetch_write(&orders->slots[home(orders, tag_of(hash))]);
}

slab_ref orders_likely(const struct orders *orders, uint64_t hash)
{
    uint64_t at = home(orders, tag_of(hash));
    for (uint64_t i = 0; i < 4; i++) {
        const struct order_slot *slot = &orders->slots[(at + i) & orders->slot_mask];
        if (slot->ref && slot->tag == tag_of(hash)) {
            return slot->ref;
        }
    }
    return 0;
}

static bool is_order(const struct orders *orders, slab_ref ref, uint64_t hash, const char *id,
                     uint32_t len)
{
    const struct order *order = order_at(orders, ref);
    return order->id_hash == hash && order->id_len == len &&
           memcmp(order_id(order), id, len) == 0;
}

slab_ref orders_find(const struct orders *orders, uint64_t hash, const char *id, uint32_t len)
{
    uint64_t at = home(orders, tag_of(hash));
    for (;; at = (at + 1) & orders->slot_mask) {
        const struct order_slot *slot = &orders->slots[at];
        if (slot->ref == 0) {
            return 0;
        }
        if (slot->tag == tag_of(hash) && is_order(orders, slot->ref, hash, id, len)) {
            return slot->ref;
        }
    }
}

/* A freed block of the right class may be there even when the region is used up; asking for
 * slack enough for the largest block keeps the answer simple and always safe. */
static bool slab_has_slack(const struct orders *orders)
{
    return orders->slab.used + 4u * SLAB_SIZE_MAX <= orders->slab.size ||
           orders->slab.live + 4u * SLAB_SIZE_MAX <= orders->slab.size / 8 * 7;
}

bool orders_have_room(const struct orders *orders, size_t size, const char **why_out)
{
    if (orders->count >= orders->max) {
        *why_out = "orders_max";
        return false;
    }
    if (size > SLAB_SIZE_MAX) {
        *why_out = "order size";
        return false;
    }
    if (!slab_has_slack(orders)) {
        *why_out = "orders_memory";
        return false;
    }
    return true;
}

static void slot_add(struct orders *orders, uint64_t hash, slab_ref ref)
{
    uint64_t at = home(orders, tag_of(hash));
    uint64_t probes = 0;
    while (orders->slots[at].ref) {
        at = (at + 1) & orders->slot_mask;
        orders->probes_over += ++probes == PROBES;
    }
    orders->slots[at] = (struct order_slot){tag_of(hash), ref};
}

static void slot_remove(struct orders *orders, uint64_t hash, slab_ref ref)
{
    uint64_t hole = home(orders, tag_of(hash));
    while (orders->slots[hole].ref != ref) {
        CHECK(orders->slots[hole].ref != 0);
        hole = (hole + 1) & orders->slot_mask;
    }
    for (uint64_t at = (hole + 1) & orders->slot_mask; orders->slots[at].ref;
         at = (at + 1) & orders->slot_mask) {
        uint64_t wanted = home(orders, orders->slots[at].tag);
        if (((at - wanted) & orders->slot_mask) >= ((at - hole) & orders->slot_mask)) {
            orders->slots[hole] = orders->slots[at];
            hole = at;
        }
    }
    orders->slots[hole] = (struct order_slot){0, 0};
}

slab_ref orders_add(struct orders *orders, uint64_t hash, size_t size)
{
    slab_ref ref = slab_take(&orders->slab, size);
    if (!ref) {
        return 0;
    }
    struct order *order = order_at(orders, ref);
    memset(order, 0, size);
    order->id_hash = hash;
    order->size = (uint32_t)size;
    order->older = orders->newest;
    if (orders->newest) {
        order_at(orders, orders->newest)->newer = ref;
    } else {
        orders->oldest = ref;
    }
    orders->newest = ref;
    slot_add(orders, hash, ref);
    orders->count++;
    orders->open_count++;
    return ref;
}

void orders_done(struct orders *orders, slab_ref ref, uint64_t now_ms)
{
    struct order *order = order_at(orders, ref);
    CHECK(order->done_ms == 0);
    order->done_ms = now_ms ? now_ms : 1;
    CHECK(orders->done_count <= orders->done_mask);
    orders->done[(orders->done_head + orders->done_count++) & orders->done_mask] = ref;
    orders->open_count--;
}

static void unlink_all(struct orders *orders, struct order *order)
{
    if (order->older) {
        order_at(orders, order->older)->newer = order->newer;
    } else {
        orders->oldest = order->newer;
    }
    if (order->newer) {
        order_at(orders, order->newer)->older = order->older;
    } else {
        orders->newest = order->older;
    }
}

enum { LINE = 64, BLOCK_LINES = 6, DONE_LINES = 5 };

static void prefetch_lines(const struct orders *orders, slab_ref ref, uint32_t first,
                           uint32_t count)
{
    const char *block = (const char *)order_at(orders, ref) + first * LINE;
    for (uint32_t line = 0; line < count; line++) {
        prefetch_write(block + line * LINE);
    }
}

void orders_prefetch_block(const struct orders *orders, slab_ref ref)
{
    prefetch_lines(orders, ref, 0, BLOCK_LINES);
}

enum { LINKS_LINE = offsetof(struct order, body_at) / LINE };

/* An id of 24 bytes leaves the links of the first part on that line, one of a UUID on the next. */
_Static_assert((sizeof(struct order) + 24 + offsetof(struct order_part, next_part)) / LINE ==
                   LINKS_LINE, "body_at and the links of a first part are on one line");

void orders_prefetch_links(const struct orders *orders, slab_ref ref)
{
    if (ref) {
        prefetch_lines(orders, ref, LINKS_LINE, 2);
    }
}

void orders_prefetch_beside(const struct orders *orders, const struct order_part *part)
{
    if (part->is_listed) {
        orders_prefetch_links(orders, part->prev_order);
        orders_prefetch_links(orders, part->next_order);
    }
}

void orders_prefetch_done(const struct orders *orders, uint64_t i)
{
    if (i < orders->done_count) {
        prefetch_lines(orders, orders_done_at(orders, i), 0, DONE_LINES);
    }
}

void orders_prefetch_done_links(const struct orders *orders, uint64_t i)
{
    if (i >= orders->done_count) {
        return;
    }
    const struct order *order = order_at(orders, orders_done_at(orders, i));
    orders_prefetch(orders, order->id_hash);
    prefetch_write(order_at(orders, order->older));
    prefetch_write(order_at(orders, order->newer));
    prefetch_write(slab_at(&orders->slab, order->history));
}

/* Give back the body where it is a block of its own. */
static void body_give(struct orders *orders, struct order *order)
{
    if (order->body_at < 0 || order->body_at >= (int64_t)order->size) {
        slab_ref ref = (slab_ref)((uint64_t)(order_body(order) - orders->slab.base) / SLAB_UNIT);
        slab_give(&orders->slab, ref, order->body_size);
    }
}

void orders_drop_oldest_done(struct orders *orders)
{
    CHECK(orders->done_count > 0);
    slab_ref ref = orders_done_at(orders, 0);
    struct order *order = order_at(orders, ref);
    orders->done_head++;
    orders->done_count--;
    unlink_all(orders, order);
    slot_remove(orders, order->id_hash, ref);
    if (order->history) {
        slab_give(&orders->slab, order->history,
                  order->history_room * sizeof(struct order_entry));
    }
    for (uint32_t i = 0; i < order->part_count; i++) {
        slab_ref tracking = order_parts(order)[i].tracking;
        if (tracking) {
            slab_give(&orders->slab, tracking, 256);
        }
    }
    body_give(orders, order);
    slab_give(&orders->slab, ref, order->size);
    orders->count--;
}

size_t order_head_size(uint32_t id_len)
{
    return sizeof(struct order) + ((size_t)id_len + 7) / 8 * 8;
}

size_t order_body_size(uint32_t parts, uint32_t shares, uint32_t lines)
{
    return parts * sizeof(struct order_part) + shares * sizeof(struct order_share) +
           lines * sizeof(struct order_line);
}

/* Rules are words among the texts: everything before them is in words too. */
_Static_assert(sizeof(struct order) % 8 == 0 && sizeof(struct order_part) % 8 == 0 &&
                   sizeof(struct order_share) % 4 == 0 && sizeof(struct order_line) % 4 == 0,
               "bodies keep the alignment of what stands in them");

static size_t grown_size(const struct order *order, uint32_t parts, uint32_t shares,
                         uint32_t lines, uint32_t text)
{
    return order->body_size + order_body_size(parts, shares, lines) + text;
}

bool orders_have_growth(const struct orders *orders, const struct order *order, uint32_t parts,
                        uint32_t shares, uint32_t lines, uint32_t text)
{
    size_t size = grown_size(order, parts, shares, lines, text);
    return size <= SLAB_SIZE_MAX && slab_has_slack(orders);
}

/* Copy count rows of width bytes and leave more zeroed ones behind them. */
static char *rows_copy(char *to, const void *from, uint32_t count, uint32_t more, size_t width)
{
    if (count > 0) {
        memcpy(to, from, count * width);
    }
    memset(to + count * width, 0, more * width);
    return to + (count + more) * width;
}

bool order_grow(struct orders *orders, struct order *order, uint32_t parts, uint32_t shares,
                uint32_t lines, uint32_t text, uint32_t *text_out)
{
    size_t size = grown_size(order, parts, shares, lines, text);
    size_t fixed = order_body_size(order->part_count, order->share_count, order->line_count);
    uint32_t shift = (uint32_t)order_body_size(parts, shares, lines);
    slab_ref ref = slab_take(&orders->slab, size);
    if (!ref) {
        return false;
    }
    char *body = slab_at(&orders->slab, ref);
    char *at = rows_copy(body, order_parts(order), order->part_count, parts,
                         sizeof(struct order_part));
    at = rows_copy(at, order_shares(order), order->share_count, shares,
                   sizeof(struct order_share));
    struct order_line *copied = (struct order_line *)(void *)at;
    at = rows_copy(at, order_lines(order), order->line_count, lines, sizeof(struct order_line));
    memcpy(at, order_body(order) + fixed, order->body_size - fixed);
    for (uint32_t i = 0; i < order->line_count; i++) {
        copied[i].text += shift;
    }
    *text_out = order->body_size + shift;
    body_give(orders, order);
    order->ref_at += shift;
    order->postcode_at += shift;
    order->rules_at += order->rules_at ? shift : 0;
    order->body_at = body - (char *)order;
    order->body_size = (uint32_t)size;
    order->part_count = (uint16_t)(order->part_count + parts);
    order->share_count = (uint16_t)(order->share_count + shares);
    order->line_count = (uint16_t)(order->line_count + lines);
    return true;
}

/* To a store: shipped, there as a whole (is_arrived), collected. */
static int store_step(enum state state)
{
    bool is_out = state == STATE_SHIPPED || state == STATE_READY;
    return is_out ? STEP_OUT : state == STATE_COLLECTED ? STEP_LAST : -1;
}

int state_step(enum state state, enum way way)
{
    bool is_pickup = way == WAY_PICKUP;
    if (way == WAY_CARRY_OUT) {
        return state == STATE_COLLECTED ? STEP_LAST : -1;
    }
    if (way == WAY_SHIP_TO_STORE && state >= STATE_SHIPPED) {
        return store_step(state);
    }
    switch (state) {
    case STATE_ACCEPTED:
        return STEP_ACCEPTED;
    case STATE_PICKING:
        return STEP_PICKING;
    case STATE_PICKED:
        return STEP_PICKED;
    case STATE_PACKED:
        return STEP_PACKED;
    case STATE_SHIPPED:
        return is_pickup ? -1 : STEP_OUT;
    case STATE_DELIVERED:
        return is_pickup ? -1 : STEP_LAST;
    case STATE_READY:
        return is_pickup ? STEP_OUT : -1;
    case STATE_COLLECTED:
        return is_pickup ? STEP_LAST : -1;
    case STATE_OPEN:
    case STATE_REJECTED:
    case STATE_CANCELLED:
    case STATE_NO_SHOW:
    case STATE_COUNT:
        break;
    }
    return -1;
}

static enum state step_state(int step, enum way way)
{
    static const enum state ship[] = {STATE_ACCEPTED, STATE_PICKING, STATE_PICKED,
                                      STATE_PACKED,   STATE_SHIPPED, STATE_DELIVERED};
    static const enum state pickup[] = {STATE_ACCEPTED, STATE_PICKING, STATE_PICKED,
                                        STATE_PACKED,   STATE_READY,   STATE_COLLECTED};
    bool is_collected = step == STEP_LAST && (way == WAY_SHIP_TO_STORE || way == WAY_CARRY_OUT);
    if (step < 0) {
        return STATE_OPEN;
    }
    return way == WAY_PICKUP || is_collected ? pickup[step] : ship[step];
}

/* Step that all units not at an end have reached, -1 = none of them. */
static int least_step(const struct order_share *share)
{
    int step = -1;
    while (step + 1 < STEP_COUNT && share->reached[step + 1] >= share_active(share)) {
        step++;
    }
    return step;
}

enum state part_state(struct order *order, uint32_t part)
{
    const struct order_part *own = &order_parts(order)[part];
    const struct order_share *shares = order_shares(order) + own->share_first;
    int least = STEP_COUNT;
    uint32_t last = 0;
    uint32_t no_show = 0;
    for (uint32_t i = 0; i < own->share_count; i++) {
        last += shares[i].reached[STEP_LAST];
        no_show += shares[i].no_show;
        if (share_active(&shares[i]) > shares[i].reached[STEP_LAST]) {
            int step = least_step(&shares[i]);
            least = step < least ? step : least;
        }
    }
    if (least == STEP_OUT && own->is_arrived) {
        return STATE_READY;
    }
    if (least < STEP_COUNT) {
        return step_state(least, (enum way)own->way);
    }
    if (last > 0) {
        return step_state(STEP_LAST, (enum way)own->way);
    }
    if (no_show > 0) {
        return STATE_NO_SHOW;
    }
    return own->is_rejected ? STATE_REJECTED : STATE_CANCELLED;
}

bool part_awaits(struct order *order, uint32_t part)
{
    const struct order_part *own = &order_parts(order)[part];
    uint32_t unfetched = 0;
    for (uint32_t i = 0; i < own->share_count && own->is_awaited; i++) {
        unfetched += share_unfetched(&order_shares(order)[own->share_first + i]);
    }
    return unfetched > 0;
}

bool part_is_untouched(struct order *order, uint32_t part)
{
    const struct order_part *own = &order_parts(order)[part];
    uint32_t held = 0;
    uint32_t taken = 0;
    for (uint32_t i = 0; i < own->share_count; i++) {
        const struct order_share *share = &order_shares(order)[own->share_first + i];
        held += share_held(share, (enum way)own->way);
        taken += share->reached[STEP_ACCEPTED];
    }
    return held > 0 && taken == 0;
}

uint64_t part_due(struct order *order, uint32_t part)
{
    const struct order_part *own = &order_parts(order)[part];
    bool is_ready = false;
    if (own->collect_by != 0) {
        enum state state = part_state(order, part);
        is_ready = state == STATE_READY || (state == STATE_SHIPPED && part_is_under_way(own));
    }
    if (own->accept_by_s && part_is_untouched(order, part)) {
        return (uint64_t)own->accept_by_s * 1000;
    }
    return is_ready ? own->collect_by : WHEEL_NEVER;
}

enum order_status order_status_now(struct order *order)
{
    uint64_t held = 0;
    uint64_t kept = 0;
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        const struct order_part *part = &order_parts(order)[share->part];
        held += part->is_awaited ? share_unfetched(share) : share_held(share, (enum way)part->way);
        kept += share->qty - share->cancelled - share->moved;
    }
    if (order->owed_status) {
        return (enum order_status)order->owed_status;
    }
    if (held > 0) {
        return (enum order_status)order->status;
    }
    return kept > 0 ? ORDER_DONE : ORDER_CANCELLED;
}

struct order_kit line_kit(struct order *order, uint32_t line)
{
    const struct order_line *own = &order_lines(order)[line];
    struct order_kit kit = {0, 0, line};
    if (own->text_len & ORDER_LINE_KIT) {
        memcpy(&kit, order_body(order) + own->text + (own->text_len & ~ORDER_LINE_KIT), sizeof kit);
    }
    return kit;
}

uint32_t line_run(struct order *order, uint32_t line)
{
    uint32_t count = 1;
    struct order_kit kit = line_kit(order, line);
    while (kit.item && line + count < order->line_count) {
        struct order_kit next = line_kit(order, line + count);
        if (!next.item || next.first != kit.first) {
            break;
        }
        count++;
    }
    return count;
}

const char *line_text(struct order *order, uint32_t line, char scratch[12], uint32_t *len_out)
{
    const struct order_line *own = &order_lines(order)[line];
    if (own->text_len) {
        *len_out = own->text_len & ~(uint32_t)ORDER_LINE_KIT;
        return order_body(order) + own->text;
    }
    *len_out = decimal_put(scratch, line + 1);
    return scratch;
}

bool order_history_add(struct orders *orders, struct order *order,
                       const struct order_entry *entry)
{
    size_t width = sizeof *entry;
    if (order->history_count == ORDER_HISTORY_MAX) {
        struct order_entry *entries = slab_at(&orders->slab, order->history);
        order->history_count = ORDER_HISTORY_MAX / 2;
        memmove(entries, entries + ORDER_HISTORY_MAX / 2, order->history_count * width);
    }
    if (order->history_count == order->history_room) {
        uint32_t room = order->history_room ? order->history_room * 2u : 8;
        slab_ref ref = slab_take(&orders->slab, room * width);
        if (!ref) {
            return false;
        }
        if (order->history) {
            memcpy(slab_at(&orders->slab, ref), slab_at(&orders->slab, order->history),
                   order->history_count * width);
            slab_give(&orders->slab, order->history, order->history_room * width);
        }
        order->history = ref;
        order->history_room = (uint16_t)room;
    }
    struct order_entry *entries = slab_at(&orders->slab, order->history);
    entries[order->history_count++] = *entry;
    return true;
}

uint64_t order_line_units(struct order *order, uint32_t line)
{
    uint64_t units = order_lines(order)[line].unfilled;
    for (uint32_t i = 0; i < order->share_count; i++) {
        const struct order_share *share = &order_shares(order)[i];
        units += share->line == line ? share_kept(share) : 0;
    }
    return units;
}

static void digest_words(struct digest *digest, bool is_add, uint32_t tag, uint64_t a, uint64_t b,
                         uint64_t c)
{
    const struct digest row = digest_of_words(tag, a, b, c);
    if (is_add) {
        digest_join(digest, &row);
    } else {
        digest_part(digest, &row);
    }
}

/* What its rows of lines, parts and shares go by. */
static uint64_t digest_name(const struct order *order)
{
    return order->id_hash ^ order->lsn * 0x9e3779b97f4a7c15u;
}

/* What a change of the order may have changed; before the first one it is told by content. */
static void digest_changed(struct order *order, struct digest *digest, bool is_add)
{
    uint64_t who = digest_name(order);
    uint64_t place[2];
    memcpy(&place[0], &order->lat, sizeof order->lat);
    memcpy(&place[1], &order->lon, sizeof order->lon);
    digest_words(digest, is_add, TAG_LINE, who - 1,
                 place[0] ^ order->service ^ (uint64_t)order->is_po_box << 8, place[1]);
    for (uint32_t i = 0; i < order->line_count; i++) {
        const struct order_line *line = &order_lines(order)[i];
        digest_words(digest, is_add, TAG_LINE, who + i, (uint64_t)line->item << 32 | line->qty,
                     (uint64_t)line->unfilled << 24 | (uint64_t)line->node << 8 | line->service);
        const struct order_kit kit = line_kit(order, i);
        if (order->has_more_kits && kit.item) {
            digest_words(digest, is_add, TAG_LINE_KIT, who + i,
                         (uint64_t)kit.item << 32 | kit.per, kit.first);
        }
    }
}

void order_digest_part(struct order *order, uint32_t index, struct digest *digest, bool is_add)
{
    const struct order_part *part = &order_parts(order)[index];
    uint64_t who = digest_name(order) + index;
    digest_words(digest, is_add, TAG_PART, who,
                 (uint64_t)part->node << 48 | (uint64_t)part->way << 40 |
                     (uint64_t)part->service << 32 | part->metres,
                 part->collect_by << 32 ^ part->cost_cents ^ (uint64_t)part->is_rejected << 63 ^
                     (uint64_t)part->is_arrived << 62 ^ (uint64_t)part->is_awaited << 61 ^
                     part->accept_by_s * 0x9e3779b97f4a7c15u);
    if (part->closed_s) {
        digest_words(digest, is_add, TAG_CLOSED, who, part->closed_s, 0);
    }
    if (part->dates.ship_by_min || part->dates.slot) {
        digest_words(digest, is_add, TAG_DATES, who,
                     (uint64_t)part->dates.ship_by_min << 32 | part->dates.slot,
                     (uint64_t)part->dates.from_min << 32 | part->dates.by_min);
    }
}

void order_digest_share(struct order *order, uint32_t index, struct digest *digest, bool is_add)
{
    const struct order_share *share = &order_shares(order)[index];
    uint64_t steps = 0;
    for (int step = 0; step < STEP_COUNT; step++) {
        steps = steps * 1000003 + share->reached[step];
    }
    digest_words(digest, is_add, TAG_SHARE, digest_name(order) + index,
                 (uint64_t)share->qty << 32 | (uint64_t)share->part << 16 | share->line,
                 (steps * 1000003 + share->cancelled) * 1000003 + share->no_show +
                     share->moved * 0x9e3779b97f4a7c15u);
}

/* Shares and parts go in word by word: their links and references are not logged state. Of an
 * order that was never changed the fixed part and the lines are told by its content. Fields that
 * came later weigh nothing while they are zero: digests of older logs stay what they were. */
void order_digest(struct order *order, struct digest *digest, bool is_add)
{
    digest_words(digest, is_add, TAG_ORDER, order->content ^ order->created_ms << 20, order->lsn,
                 ((uint64_t)order->status << 56 | (uint64_t)order->line_count << 40 |
                  (uint64_t)order->share_count << 20 | order->part_count) ^
                     (uint64_t)order->rejects << 48);
    if (order->strategy) {
        digest_words(digest, is_add, TAG_DECIDED, digest_name(order), order->strategy, 0);
    }
    if (order->is_changed) {
        digest_changed(order, digest, is_add);
    }
    for (uint32_t i = 0; i < order->part_count; i++) {
        order_digest_part(order, i, digest, is_add);
    }
    for (uint32_t i = 0; i < order->share_count; i++) {
        order_digest_share(order, i, digest, is_add);
    }
}
