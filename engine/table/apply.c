/* Effects on nodes, items, places and stock, and the changes of one cell that all effects use. */
#include <stdlib.h>
#include <string.h>

#include "apply_internal.h"
#include "check.h"

/* Any guess may be void, and what had no source may have one. */
void generation_next(struct tables *tables)
{
    tables->generation++;
    owed_raise_all(&tables->owed);
}

void generation_of_node(struct tables *tables, uint16_t node)
{
    tables->generation++;
    owed_raise_node(&tables->owed, node);
}

void applied(struct tables *tables, uint64_t lsn, uint64_t now_ms)
{
    CHECK(lsn > tables->lsn);
    tables->lsn = lsn;
    tables->time_ms = now_ms > tables->time_ms ? now_ms : tables->time_ms;
}

enum err tables_apply_time(struct tables *tables, uint64_t lsn, uint64_t now_ms, uint64_t time_ms)
{
    applied(tables, lsn, now_ms);
    if (time_ms < tables->time_ms) {
        return ERR_DAMAGED;
    }
    tables->time_ms = time_ms;
    tables->generation++; /* what was guessed for an earlier time */
    return ERR_OK;
}

/* -- cells -- */

struct cell tables_cell(const struct tables *tables, uint32_t item, uint16_t node)
{
    struct row *row = tables->catalogue.items[item].row;
    uint32_t slot = tables->network.hot[node].slot;
    return (struct cell){row, slot, row ? row_find(row, slot) : -1};
}

cell_word tables_word(const struct cell *cell)
{
    return cell->index < 0 ? 0 : row_word(cell->row, (uint32_t)cell->index);
}

uint64_t tables_counted_at(const struct cell *cell)
{
    return cell->index < 0 ? 0 : row_count_time(cell->row, (uint32_t)cell->index);
}

static int64_t unreserved(cell_word word)
{
    return (int64_t)cell_on_hand(word) - cell_reserved(word);
}

/* The count time has a digest row of its own: an order touches the word alone. */
void cell_set(struct tables *tables, uint32_t item, uint16_t node, const struct cell *cell,
              cell_word word)
{
    uint32_t index = (uint32_t)cell->index;
    cell_word before = row_word(cell->row, index);
    digest_take_words(&tables->digest, TAG_CELL, cell_name(item, node), before, 0);
    digest_add_words(&tables->digest, TAG_CELL, cell_name(item, node), word, 0);
    row_word_set(cell->row, cell->slot, index, word);
    if (unreserved(word) > unreserved(before)) {
        struct item *entry = &tables->catalogue.items[item];
        entry->raised = (uint32_t)tables->batch;
        if (entry->owed_first != OWED_NONE) {
            owed_raise(&tables->owed, entry, item, node, false);
        }
    }
    tables->cells_short += unreserved(word) < 0;
    tables->cells_short -= unreserved(before) < 0;
}

void cell_count_time_set(struct tables *tables, uint32_t item, uint16_t node,
                         const struct cell *cell, uint64_t count_time)
{
    uint32_t index = (uint32_t)cell->index;
    uint64_t before = row_count_time(cell->row, index);
    if (before) {
        digest_take_words(&tables->digest, TAG_COUNT, cell_name(item, node), before, 0);
    }
    if (count_time) {
        digest_add_words(&tables->digest, TAG_COUNT, cell_name(item, node), count_time, 0);
    }
    row_count_time_set(cell->row, index, count_time);
}

enum err cell_need(struct tables *tables, uint32_t item, uint16_t node, struct cell *cell_out)
{
    if (tables->cells == 0 && tables->network.is_dirty) {
        network_layout(&tables->network, NULL);
    }
    *cell_out = tables_cell(tables, item, node);
    if (cell_out->index >= 0) {
        return ERR_OK;
    }
    enum err err = itemset_add(&tables->node_items[node], item);
    if (err != ERR_OK) {
        return err;
    }
    struct item *entry = &tables->catalogue.items[item];
    struct row *row = row_with(entry->row, cell_out->slot, 0, 0, tables->network.words);
    if (!row) {
        return ERR_NOMEM;
    }
    tables->row_bytes += row_size(row) - (entry->row ? row_size(entry->row) : 0);
    struct row *before = entry->row;
    __atomic_store_n(&entry->row, row, __ATOMIC_SEQ_CST); /* as epoch.h wants it */
    epoch_retire(tables->epoch, before, before ? row_size(before) : 0);
    tables->cells++;
    digest_add_words(&tables->digest, TAG_CELL, cell_name(item, node), 0, 0);
    entry->raised = (uint32_t)tables->batch;
    *cell_out = tables_cell(tables, item, node);
    return ERR_OK;
}

static void movement_remember(struct tables *tables, uint32_t item, uint16_t node, int32_t delta,
                              uint64_t at_ms)
{
    struct movement lost;
    if (movements_add(&tables->movements, item, node, delta, at_ms, &lost)) {
        digest_take_words(&tables->digest, TAG_MOVEMENT, cell_name(lost.item, lost.node),
                          (uint64_t)(int64_t)lost.delta, lost.at_ms);
    }
    digest_add_words(&tables->digest, TAG_MOVEMENT, cell_name(item, node),
                     (uint64_t)(int64_t)delta, at_ms);
}

void cell_move(struct tables *tables, uint32_t item, uint16_t node, int64_t reserved_delta,
               int64_t moved, uint64_t at_ms)
{
    struct cell cell = tables_cell(tables, item, node);
    CHECK(cell.index >= 0);
    cell_word word = tables_word(&cell);
    int64_t reserved = cell_reserved(word) + reserved_delta;
    bool is_absorbed = moved != 0 && at_ms <= tables_counted_at(&cell);
    int64_t on_hand = cell_on_hand(word) + (is_absorbed ? 0 : moved);
    CHECK(reserved >= 0);
    CHECK(reserved <= CELL_RESERVED_MAX);
    CHECK(on_hand >= -CELL_ON_HAND_MAX);
    CHECK(on_hand <= CELL_ON_HAND_MAX);
    cell_set(tables, item, node, &cell,
             cell_make((int32_t)on_hand, (int32_t)reserved, cell_has_override(word)));
    if (moved != 0 && !is_absorbed) {
        movement_remember(tables, item, node, (int32_t)moved, at_ms);
    }
    if (moved < 0 && moved < reserved_delta) {
        reserve_short_note(tables, item, node);
    }
}

void cell_count(struct tables *tables, uint32_t item, uint16_t node, const struct cell *cell,
                int32_t on_hand, uint64_t counted_at)
{
    cell_word word = tables_word(cell);
    row_change_begin(cell->row);
    cell_set(tables, item, node, cell,
             cell_make(on_hand, cell_reserved(word), cell_has_override(word)));
    cell_count_time_set(tables, item, node, cell, counted_at);
    row_change_end(cell->row);
    reserve_short_note(tables, item, node);
}

/* -- nodes' answers -- */

void declines_set(struct tables *tables, uint16_t node, uint32_t rate)
{
    uint32_t *own = &tables->declines[node];
    if (*own) {
        digest_take_words(&tables->digest, TAG_DECLINES, node, *own, 0);
    }
    if (rate) {
        digest_add_words(&tables->digest, TAG_DECLINES, node, rate, 0);
    }
    tables->eased = rate < *own ? tables->batch : tables->eased;
    *own = rate;
}

/* -- keys -- */

void key_digest(struct tables *tables, const struct key_entry *entry, bool is_add)
{
    uint64_t facts = hash_fixed(entry->facts, sizeof entry->facts);
    uint64_t who = entry->key.low ^ entry->key.high * 0x9e3779b97f4a7c15u;
    if (is_add) {
        digest_add_words(&tables->digest, TAG_KEY, who, entry->content ^ facts, entry->lsn);
    } else {
        digest_take_words(&tables->digest, TAG_KEY, who, entry->content ^ facts, entry->lsn);
    }
}

void key_remember(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                  const struct effect_key *key)
{
    if (!key->is_set) {
        return;
    }
    struct key_entry entry = {key->key, key->content, lsn, now_ms, {0}};
    memcpy(entry.facts, key->facts, sizeof entry.facts);
    keyring_add(&tables->keyring, &entry);
    key_digest(tables, &entry, true);
}

/* -- network and catalogue -- */

enum err flag_enter(struct tables *tables, const struct effect_text *name)
{
    uint32_t flag;
    enum err err = catalogue_flag(&tables->catalogue, name->at, name->len, &flag);
    if (err == ERR_OK) {
        digest_add(&tables->digest, TAG_FLAG, name->at, name->len);
    }
    return err;
}

enum err tables_apply_flag(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                           const struct effect_text *name)
{
    applied(tables, lsn, now_ms);
    return flag_enter(tables, name);
}

static uint64_t areas_hash(const struct area *areas, uint32_t count)
{
    return count ? hash_fixed(areas, count * sizeof *areas) : 0;
}

/* A node's digest row: its config as encoded, without the key. */
static void node_digest(struct tables *tables, uint16_t handle, bool is_add)
{
    const struct node *node = &tables->network.nodes[handle];
    const struct node_config *c = &node->config;
    uint8_t bytes[1024];
    struct effect_node effect = {{node->id, node->id_len}, *c, {0}, false};
    effect.config.serves_count = 0;
    uint32_t size = effect_node_encode(bytes, &effect);
    uint64_t areas = areas_hash(c->serves, c->serves_count);
    memcpy(bytes + size, &areas, sizeof areas);
    size += (uint32_t)sizeof areas;
    if (is_add) {
        digest_add(&tables->digest, TAG_NODE, bytes, size);
    } else {
        digest_take(&tables->digest, TAG_NODE, bytes, size);
    }
}

enum err node_enter(struct tables *tables, const struct effect_node *effect)
{
    uint16_t handle = network_find(&tables->network, effect->id.at, effect->id.len);
    if (handle != NODE_NONE) {
        node_digest(tables, handle, false);
    }
    enum err err = network_put(&tables->network, effect->id.at, effect->id.len, &effect->config,
                               &handle);
    if (err != ERR_OK) {
        return err;
    }
    node_digest(tables, handle, true);
    node_placed(tables, handle);
    generation_next(tables);
    node_timer(tables, handle);
    reserves_sweep(&tables->reserves); /* its safety stock may be another */
    return ERR_OK;
}

enum err tables_apply_node(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                           const struct effect_node *effect)
{
    uint16_t handle = network_find(&tables->network, effect->id.at, effect->id.len);
    struct node_config before = {.status = NODE_ACTIVE};
    applied(tables, lsn, now_ms);
    if (handle != NODE_NONE) {
        before = tables->network.nodes[handle].config;
    }
    enum err err = node_enter(tables, effect);
    if (err == ERR_OK && effect->counts_closing) {
        handle = network_find(&tables->network, effect->id.at, effect->id.len);
        closing_change(tables, handle, &before, now_ms);
    }
    if (err == ERR_OK) {
        key_remember(tables, lsn, now_ms, &effect->key);
    }
    return err;
}

static void item_digest(struct tables *tables, uint32_t handle, bool is_add)
{
    const struct item *item = &tables->catalogue.items[handle];
    uint64_t id = hash_fixed(item->id, item->id_len);
    uint64_t rest = areas_hash(item->not_to, item->not_to_count) ^ item->weight_g;
    if (is_add) {
        digest_add_words(&tables->digest, TAG_ITEM, id, item->flags, rest);
    } else {
        digest_take_words(&tables->digest, TAG_ITEM, id, item->flags, rest);
    }
    const struct kit *kit = item->is_kit ? kits_find(&tables->kits, handle) : NULL;
    for (uint32_t i = 0; kit && i < kit->count; i++) {
        uint64_t part = (uint64_t)kit->parts[i].item << 32 | kit->parts[i].qty;
        if (is_add) {
            digest_add_words(&tables->digest, TAG_KIT, id, part, i);
        } else {
            digest_take_words(&tables->digest, TAG_KIT, id, part, i);
        }
    }
}

enum err item_enter(struct tables *tables, const struct effect_item *effect)
{
    uint32_t handle;
    uint32_t before = tables->catalogue.count;
    enum err err = catalogue_put(&tables->catalogue, effect->id.at, effect->id.len, &handle);
    if (err != ERR_OK) {
        return err;
    }
    struct item *item = &tables->catalogue.items[handle];
    struct area *areas = NULL;
    size_t size = effect->not_to_count * sizeof *areas;
    if (size && !(areas = malloc(size))) {
        return ERR_NOMEM;
    }
    if (handle < before) {
        item_digest(tables, handle, false);
    }
    if (size) {
        memcpy(areas, effect->not_to, size);
    }
    err = kits_set(&tables->kits, handle, effect->parts, effect->part_count);
    if (err != ERR_OK) {
        free(areas);
        return err;
    }
    __atomic_store_n(&item->is_kit, effect->part_count > 0, __ATOMIC_RELEASE);
    tables->catalogue.area_bytes += size - item->not_to_count * sizeof *areas;
    free(item->not_to);
    item->not_to = areas;
    item->not_to_count = (uint8_t)effect->not_to_count;
    item->flags = effect->flags;
    item->weight_g = effect->weight_g;
    item_digest(tables, handle, true);
    generation_next(tables);
    return ERR_OK;
}

enum err tables_apply_item(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                           const struct effect_item *effect)
{
    applied(tables, lsn, now_ms);
    enum err err = item_enter(tables, effect);
    if (err == ERR_OK) {
        key_remember(tables, lsn, now_ms, &effect->key);
    }
    return err;
}

static void place_digest(struct tables *tables, const char *country, const char *postcode,
                         double lat, double lon, bool is_add)
{
    char name[2 + POSTCODE_MAX];
    uint64_t words[2];
    size_t len = strlen(postcode);
    memcpy(name, country, 2);
    memcpy(name + 2, postcode, len);
    memcpy(&words[0], &lat, sizeof lat);
    memcpy(&words[1], &lon, sizeof lon);
    uint64_t who = hash_fixed(name, 2 + len);
    if (is_add) {
        digest_add_words(&tables->digest, TAG_PLACE, who, words[0], words[1]);
    } else {
        digest_take_words(&tables->digest, TAG_PLACE, who, words[0], words[1]);
    }
}

enum err places_enter(struct tables *tables, const struct effect_places *effect)
{
    for (uint32_t i = 0; i < effect->count; i++) {
        const struct effect_place *row = &effect->rows[i];
        bool has_old;
        double lat;
        double lon;
        enum err err = gazetteer_put(&tables->gazetteer, effect->country, row->postcode, row->lat,
                                     row->lon, &has_old, &lat, &lon);
        if (err != ERR_OK) {
            return err;
        }
        if (has_old) {
            place_digest(tables, effect->country, row->postcode, lat, lon, false);
        }
        place_digest(tables, effect->country, row->postcode, row->lat, row->lon, true);
    }
    generation_next(tables);
    return ERR_OK;
}

enum err tables_apply_places(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_places *effect)
{
    applied(tables, lsn, now_ms);
    return places_enter(tables, effect);
}

/* -- stock -- */

static enum err stock_row(struct tables *tables, const struct effect_stock *effect,
                          const struct effect_stock_row *row)
{
    struct cell cell;
    enum err err = cell_need(tables, row->item, effect->node, &cell);
    if (err != ERR_OK) {
        return err;
    }
    struct item *item = &tables->catalogue.items[row->item];
    cell_word before = tables_word(&cell);
    if (effect->is_count) {
        cell_count(tables, row->item, effect->node, &cell, row->value, effect->at_ms);
    } else {
        cell_move(tables, row->item, effect->node, 0, row->value, effect->at_ms);
    }
    if (item->owed_first != OWED_NONE && unreserved(tables_word(&cell)) > unreserved(before)) {
        owed_raise(&tables->owed, item, row->item, effect->node, true);
    }
    return ERR_OK;
}

/* The cells were counted and are as they were. */
static void stock_span(struct tables *tables, uint16_t node, const struct effect_span *span,
                       uint64_t at_ms)
{
    const struct itemset *set = &tables->node_items[node];
    uint32_t item = itemset_next(set, span->first);
    while (item <= span->last) {
        const struct cell cell = tables_cell(tables, item, node);
        CHECK(cell.index >= 0);
        row_change_begin(cell.row);
        cell_count_time_set(tables, item, node, &cell, at_ms);
        row_change_end(cell.row);
        reserve_short_note(tables, item, node);
        item = itemset_next(set, item + 1);
    }
}

enum err tables_apply_stock(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                            const struct effect_stock *effect)
{
    applied(tables, lsn, now_ms);
    for (uint32_t i = 0; i < effect->span_count; i++) {
        stock_span(tables, effect->node, &effect->spans[i], effect->at_ms);
    }
    for (uint32_t i = 0; i < effect->count; i++) {
        enum err err = stock_row(tables, effect, &effect->rows[i]);
        if (err != ERR_OK) {
            return err;
        }
    }
    if (effect->is_count && effect->count + effect->span_count > 0) {
        node_fed(tables, effect->node, effect->at_ms);
    }
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}

static void quota_digest(struct tables *tables, uint32_t item, uint16_t node,
                         const struct quota *quota, bool is_add)
{
    uint64_t who = quotas_channel_of(&tables->policies.quotas, quota) ^ cell_name(item, node);
    uint64_t units = (uint64_t)quota->qty << 32 | quota->taken;
    if (is_add) {
        digest_add_words(&tables->digest, TAG_QUOTA, who, units, quota->since);
    } else {
        digest_take_words(&tables->digest, TAG_QUOTA, who, units, quota->since);
    }
}

void policy_digest(struct tables *tables, uint32_t item, uint16_t node, bool is_add)
{
    const struct policy *policy = policies_find(&tables->policies, item, node);
    if (!policy) {
        return;
    }
    uint64_t bits = (policy->has_safety ? 1u : 0u) | (policy->is_unlisted ? 2u : 0u);
    uint64_t safety = (uint64_t)(int64_t)policy->safety_stock;
    if (is_add) {
        digest_add_words(&tables->digest, TAG_POLICY, cell_name(item, node), bits, safety);
    } else {
        digest_take_words(&tables->digest, TAG_POLICY, cell_name(item, node), bits, safety);
    }
    for (uint32_t i = policy->quotas; i; i = quotas_at(&tables->policies.quotas, i)->next) {
        quota_digest(tables, item, node, quotas_at(&tables->policies.quotas, i), is_add);
    }
}

void quota_move(struct tables *tables, uint32_t item, uint16_t node, uint64_t channel, uint64_t lsn,
                int64_t units)
{
    const struct policy *policy = policies_find(&tables->policies, item, node);
    struct quota *quota =
        policy ? quotas_find(&tables->policies.quotas, policy->quotas, channel) : NULL;
    if (!quota || lsn < quota->since) {
        return;
    }
    int64_t taken = quota->taken + units;
    CHECK(taken >= 0);
    CHECK(taken <= UINT32_MAX);
    quota_digest(tables, item, node, quota, false);
    quota->taken = (uint32_t)taken;
    quota_digest(tables, item, node, quota, true);
}

/* The cell's chain as the effect sets it; the old one goes. */
static enum err quotas_set(struct tables *tables, uint64_t lsn, const struct effect_policy *effect,
                           uint32_t before, uint32_t *first_out)
{
    struct quotas *quotas = &tables->policies.quotas;
    enum err err = ERR_OK;
    *first_out = QUOTA_NONE;
    quotas_drop(quotas, before);
    for (uint32_t i = 0; i < effect->quota_count && err == ERR_OK; i++) {
        const struct effect_text *channel = &effect->quotas[i].channel;
        const struct quota what = {.since = lsn, .qty = effect->quotas[i].qty};
        err = quotas_add(quotas, first_out, channel->at, channel->len, &what);
    }
    return err;
}

enum err tables_apply_policy(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                             const struct effect_policy *effect)
{
    struct cell cell;
    const struct policy *before = policies_find(&tables->policies, effect->item, effect->node);
    struct policy policy = {effect->has_safety, effect->is_unlisted,
                            effect->has_safety ? effect->safety_stock : 0,
                            before ? before->quotas : QUOTA_NONE, 0};
    applied(tables, lsn, now_ms);
    enum err err = cell_need(tables, effect->item, effect->node, &cell);
    if (err != ERR_OK) {
        return err;
    }
    policy_digest(tables, effect->item, effect->node, false);
    if (effect->has_quotas) {
        err = quotas_set(tables, lsn, effect, policy.quotas, &policy.quotas);
        if (err != ERR_OK) {
            return err;
        }
    }
    err = policies_set(&tables->policies, effect->item, effect->node, &policy);
    if (err != ERR_OK) {
        return err;
    }
    policy_digest(tables, effect->item, effect->node, true);
    cell_word word = tables_word(&cell);
    cell_set(tables, effect->item, effect->node, &cell,
             cell_make(cell_on_hand(word), cell_reserved(word),
                       policy.has_safety || policy.is_unlisted || policy.quotas));
    generation_next(tables);
    reserve_short_note(tables, effect->item, effect->node);
    key_remember(tables, lsn, now_ms, &effect->key);
    return ERR_OK;
}

/* -- retention -- */

enum err tables_apply_drop(struct tables *tables, uint64_t lsn, uint64_t now_ms,
                           const struct effect_drop *effect)
{
    applied(tables, lsn, now_ms);
    if (effect->orders > tables->orders.done_count) {
        return ERR_DAMAGED;
    }
    for (uint64_t i = 0; i < effect->orders; i++) {
        orders_prefetch_done(&tables->orders, 12);
        orders_prefetch_done_links(&tables->orders, 5);
        parts_timers_drop(tables, orders_done_at(&tables->orders, 0));
        order_digest(order_at(&tables->orders, orders_done_at(&tables->orders, 0)),
                     &tables->digest, false);
        orders_drop_oldest_done(&tables->orders);
    }
    for (uint64_t i = 0; i < effect->keys; i++) {
        const struct key_entry *entry = keyring_oldest(&tables->keyring);
        if (!entry) {
            return ERR_DAMAGED;
        }
        key_digest(tables, entry, false);
        keyring_drop(&tables->keyring);
    }
    return documents_drop(tables, effect->documents);
}
