/* Nodes, their slots and the bitmaps over them. Areas are in area.c.
 *
 * A change takes the node's bits out, sets the config, and puts its bits in again: one place
 * (bits_set) knows which bitmaps there are. */
#include "network.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "area.h"
#include "check.h"
#include "hash.h"
#include "mem.h"
#include "prefetch.h"

enum {
    FILL = 56, /* slots of a word that a layout fills: the gaps take later nodes */
    IDS = 1 << 18
};

/* A whole number of cache lines, as aligned_alloc wants it. */
#define NODE_HOT_SIZE (((size_t)NODE_MAX + 1) * sizeof(struct node_hot))

/* Chord error of float coordinates, with room to spare: caps are widened by it. */
static const float CHORD_SLACK = 1e-6f;

struct network_index {
    uint32_t ids[IDS]; /* open addressing: handle + 1, 0 = empty */
    struct area_index areas;
    slot_bits *only_out; /* nodes whose rules only take out */
};

static slot_bits *bits_new(void)
{
    return calloc(WORD_MAX_NETWORK, sizeof(slot_bits));
}

static void bit_put(slot_bits *bits, uint32_t slot, bool is_set)
{
    slot_bits bit = (slot_bits)1 << (slot % 64);
    bits[slot / 64] = is_set ? bits[slot / 64] | bit : bits[slot / 64] & ~bit;
}

static bool bitmaps_init(struct network *network)
{
    bool is_ok = (network->used = bits_new()) && (network->with_serves = bits_new()) &&
                 (network->index->only_out = bits_new()) && (network->unreached = bits_new()) &&
                 (network->unreached_now = bits_new());
    for (int i = 0; i < SERVICE_COUNT; i++) {
        is_ok = is_ok && (network->eligible[i] = bits_new()) &&
                (network->offers[i] = bits_new()) && (network->metered[i] = bits_new()) &&
                (network->tight[i] = bits_new());
        network->reach_max[i] = 0;
        network->reach_min[i] = UINT32_MAX;
    }
    for (int i = 0; i < NODE_TYPE_COUNT; i++) {
        is_ok = is_ok && (network->of_type[i] = bits_new());
    }
    for (int i = 0; i < CLASS_MAX; i++) {
        is_ok = is_ok && (network->class_bits[i] = bits_new());
    }
    return is_ok;
}

static void slot_clear(struct network *network, uint32_t slot)
{
    __atomic_store_n(&network->node_of_slot[slot], NODE_NONE, __ATOMIC_RELAXED);
    network->x[slot] = 2.0f;
    network->y[slot] = 2.0f;
    network->z[slot] = 2.0f;
    network->points[slot] = (struct slot_point){2.0f, 2.0f, 2.0f, 0};
    network->point_x[slot] = 2.0;
    network->point_y[slot] = 2.0;
    network->point_z[slot] = 2.0;
}

/* The slots of words that come into use, or are laid out anew. */
static void slots_clear(struct network *network, uint32_t from, uint32_t count)
{
    for (uint32_t slot = from * 64; slot < (from + count) * 64; slot++) {
        slot_clear(network, slot);
    }
}

enum err network_init(struct network *network)
{
    memset(network, 0, sizeof *network);
    size_t floats = SLOT_MAX * sizeof(float);
    void *memory;
    enum err err = mem_reserve(sizeof(struct node) * NODE_MAX, &memory);
    if (err != ERR_OK) {
        return err;
    }
    network->nodes = memory;
    network->index = calloc(1, sizeof *network->index);
    network->hot = aligned_alloc(64, NODE_HOT_SIZE);
    network->marks = calloc(NODE_MAX + 1, sizeof *network->marks);
    network->x = aligned_alloc(64, floats);
    network->y = aligned_alloc(64, floats);
    network->z = aligned_alloc(64, floats);
    network->points = aligned_alloc(64, SLOT_MAX * sizeof *network->points);
    network->point_x = aligned_alloc(64, 3 * SLOT_MAX * sizeof(double));
    network->node_of_slot = malloc(SLOT_MAX * sizeof(uint16_t));
    network->cap_x = aligned_alloc(64, 4 * WORD_MAX_NETWORK * sizeof(float));
    if (!network->index || !network->hot || !network->marks || !network->x || !network->y ||
        !network->z || !network->points || !network->point_x || !network->node_of_slot ||
        !network->cap_x || !bitmaps_init(network) || !area_index_init(&network->index->areas)) {
        network_close(network);
        return ERR_NOMEM;
    }
    network->point_y = network->point_x + SLOT_MAX;
    network->point_z = network->point_y + SLOT_MAX;
    network->cap_y = network->cap_x + WORD_MAX_NETWORK;
    network->cap_z = network->cap_y + WORD_MAX_NETWORK;
    network->cap_radius = network->cap_z + WORD_MAX_NETWORK;
    for (uint32_t word = 0; word < WORD_MAX_NETWORK; word++) {
        network->cap_x[word] = network->cap_y[word] = network->cap_z[word] = 0;
        network->cap_radius[word] = -1.0f;
    }
    network->has_classes = true;
    return ERR_OK;
}

void network_close(struct network *network)
{
    for (uint32_t i = 0; i < network->count; i++) {
        free(network->nodes[i].config.serves);
    }
    if (network->index) {
        area_index_close(&network->index->areas);
        free(network->index->only_out);
    }
    free(network->index);
    free(network->hot);
    free(network->marks);
    free(network->x);
    free(network->y);
    free(network->z);
    free(network->points);
    free(network->point_x);
    free(network->node_of_slot);
    free(network->cap_x);
    free(network->used);
    free(network->with_serves);
    free(network->unreached);
    free(network->unreached_now);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        free(network->eligible[i]);
        free(network->offers[i]);
        free(network->metered[i]);
        free(network->tight[i]);
    }
    for (int i = 0; i < NODE_TYPE_COUNT; i++) {
        free(network->of_type[i]);
    }
    for (int i = 0; i < CLASS_MAX; i++) {
        free(network->class_bits[i]);
    }
    for (int i = 0; i < FLAG_MAX; i++) {
        free(network->bars[i]);
    }
    mem_release(network->nodes, sizeof(struct node) * NODE_MAX);
    memset(network, 0, sizeof *network);
}

uint64_t network_memory(void)
{
    uint64_t bitmaps = 5 + 4 * SERVICE_COUNT + NODE_TYPE_COUNT + CLASS_MAX + FLAG_MAX;
    return mem_size(sizeof(struct node) * NODE_MAX) + sizeof(struct network_index) + NODE_HOT_SIZE +
           (NODE_MAX + 1) * (uint64_t)SERVICE_COUNT +
           SLOT_MAX * (3 * sizeof(float) + sizeof(struct slot_point) + 3 * sizeof(double) +
                       sizeof(uint16_t)) +
           WORD_MAX_NETWORK * (4 * sizeof(float) + bitmaps * sizeof(slot_bits));
}

uint64_t network_rules_bytes(const struct network *network, uint64_t more)
{
    return network->serves_bytes + area_index_bytes(&network->index->areas, more);
}

uint64_t network_hash(const char *id, uint32_t len)
{
    return hash_fixed(id, len);
}

/* The slot of the id, or the empty one where it would go. */
static uint32_t *id_slot(const struct network *network, uint64_t hash, const char *id, uint32_t len)
{
    uint32_t at = (uint32_t)hash % IDS;
    for (uint32_t entry; (entry = __atomic_load_n(&network->index->ids[at], __ATOMIC_ACQUIRE));) {
        uint16_t handle = (uint16_t)(entry - 1);
        if (network->hot[handle].id_len == len &&
            memcmp(network_id(network, handle), id, len) == 0) {
            break;
        }
        at = (at + 1) % IDS;
    }
    return &network->index->ids[at];
}

void network_prefetch(const struct network *network, uint64_t hash)
{
    prefetch_read(&network->index->ids[(uint32_t)hash % IDS]);
}

void network_prefetch_node(const struct network *network, uint64_t hash)
{
    uint32_t entry = __atomic_load_n(&network->index->ids[(uint32_t)hash % IDS], __ATOMIC_ACQUIRE);
    if (entry) {
        prefetch_read(&network->hot[entry - 1]);
    }
}

uint16_t network_find_hashed(const struct network *network, uint64_t hash, const char *id,
                             uint32_t len)
{
    uint32_t entry = __atomic_load_n(id_slot(network, hash, id, len), __ATOMIC_ACQUIRE);
    return entry ? (uint16_t)(entry - 1) : NODE_NONE;
}

uint16_t network_find(const struct network *network, const char *id, uint32_t len)
{
    return network_find_hashed(network, network_hash(id, len), id, len);
}

enum capability service_capability(enum service service)
{
    switch (service) {
    case SERVICE_SAME_DAY:
        return CAPABILITY_SAME_DAY;
    case SERVICE_PICKUP:
    case SERVICE_RESERVE_PICKUP:
        return CAPABILITY_PICKUP;
    case SERVICE_CARRY_OUT:
        return CAPABILITY_CARRY_OUT;
    case SERVICE_STANDARD:
    case SERVICE_NEXT_DAY:
    case SERVICE_SHIP_TO_STORE:
    case SERVICE_COUNT:
        break;
    }
    return CAPABILITY_SHIP;
}

bool service_needs_reach(enum service service)
{
    return service == SERVICE_NEXT_DAY || service == SERVICE_SAME_DAY;
}

bool node_can(const struct node *node, enum capability capability)
{
    uint32_t bit = 1u << capability;
    bool is_active = node->config.status == NODE_ACTIVE || !(node->config.status_services & bit);
    return is_active && (node->config.services & bit);
}

bool node_is_active(const struct node *node, enum service service)
{
    uint32_t bit = 1u << service_capability(service);
    return node->config.status == NODE_ACTIVE || !(node->config.status_services & bit);
}

bool node_offers(const struct node *node, enum service service)
{
    uint32_t bit = 1u << service_capability(service);
    bool has_reach = node->config.max_m[service] != UINT32_MAX || !service_needs_reach(service);
    return (node->config.services & bit) && node_is_active(node, service) && has_reach;
}

bool node_is_unreached(const struct node *node, enum service service)
{
    return service == SERVICE_NEXT_DAY && node_can(node, CAPABILITY_SHIP) &&
           node->config.max_m[service] == UINT32_MAX;
}

enum way node_type_way(enum node_type type, enum service service)
{
    if (service == SERVICE_SAME_DAY) {
        return WAY_SAME_DAY;
    }
    if (service_is_pickup(service)) {
        return WAY_PICKUP;
    }
    if (service == SERVICE_CARRY_OUT) {
        return WAY_CARRY_OUT;
    }
    if (service == SERVICE_SHIP_TO_STORE) {
        return WAY_SHIP_TO_STORE;
    }
    switch (type) {
    case NODE_STORE:
        return WAY_SHIP_FROM_STORE;
    case NODE_WAREHOUSE:
        return WAY_SHIP_FROM_WAREHOUSE;
    case NODE_VENDOR:
    case NODE_TYPE_COUNT:
        break;
    }
    return WAY_DROP_SHIP;
}

static bool only_takes_out(const struct node_config *config)
{
    for (uint32_t i = 0; i < config->serves_count; i++) {
        if (!config->serves[i].is_out) {
            return false;
        }
    }
    return config->serves_count > 0;
}

static bool bars_set(struct network *network, const struct node *node, bool is_in)
{
    for (uint32_t flag = 0; flag < FLAG_MAX; flag++) {
        if (!(node->config.bars >> flag & 1)) {
            continue;
        }
        if (!network->bars[flag] && !(network->bars[flag] = bits_new())) {
            return false;
        }
        bit_put(network->bars[flag], node->slot, is_in);
    }
    return true;
}

static void unreached_set(struct network *network, uint32_t slot, bool is_in, bool is_out_now)
{
    bool was_in = network->unreached[slot / 64] >> (slot % 64) & 1;
    network->unreached_count += (uint32_t)is_in - (uint32_t)was_in;
    bit_put(network->unreached, slot, is_in);
    bit_put(network->unreached_now, slot, is_in && !is_out_now);
}

/* What a service asks of the node, marks included. */
static void service_bits_set(struct network *network, const struct node *node, enum service service,
                             bool is_in)
{
    uint8_t marks = network->marks[node - network->nodes][service];
    bool is_offered = is_in && node_offers(node, service);
    bit_put(network->offers[service], node->slot, is_offered);
    bit_put(network->eligible[service], node->slot, is_offered && !(marks & MARK_OUT));
    if (service == SERVICE_NEXT_DAY) {
        unreached_set(network, node->slot, is_in && node_is_unreached(node, service),
                      (marks & MARK_OUT) != 0);
    }
    bit_put(network->metered[service], node->slot, is_in && (marks & MARK_METERED));
    bit_put(network->tight[service], node->slot, is_in && (marks & MARK_TIGHT));
}

bool network_mark(struct network *network, uint16_t node, enum service service, uint8_t marks)
{
    uint8_t before = network->marks[node][service];
    if (before == marks) {
        return false;
    }
    network->marks[node][service] = marks;
    network->metered_count += (marks & MARK_METERED) != 0;
    network->metered_count -= (before & MARK_METERED) != 0;
    service_bits_set(network, &network->nodes[node], service, true);
    return true;
}

/* Put the node's bits in every bitmap, or take them out. Classes and reach are rebuilt apart. */
static bool bits_set(struct network *network, const struct node *node, bool is_in)
{
    uint32_t slot = node->slot;
    bit_put(network->used, slot, is_in);
    bit_put(network->of_type[node->config.type], slot, is_in);
    for (int i = 0; i < SERVICE_COUNT; i++) {
        service_bits_set(network, node, (enum service)i, is_in);
    }
    bit_put(network->with_serves, slot, is_in && node->config.serves_count > 0);
    bit_put(network->index->only_out, slot, is_in && only_takes_out(&node->config));
    if (!bars_set(network, node, is_in)) {
        return false;
    }
    return area_index_set(&network->index->areas, node->config.serves, node->config.serves_count,
                          slot, is_in);
}

static void place(struct network *network, const struct node *node)
{
    uint32_t slot = node->slot;
    network->x[slot] = (float)node->point.x;
    network->y[slot] = (float)node->point.y;
    network->z[slot] = (float)node->point.z;
    network->points[slot] =
        (struct slot_point){network->x[slot], network->y[slot], network->z[slot], 0};
    network->point_x[slot] = node->point.x;
    network->point_y[slot] = node->point.y;
    network->point_z[slot] = node->point.z;
    __atomic_store_n(&network->node_of_slot[slot], (uint16_t)(node - network->nodes),
                     __ATOMIC_RELAXED);
    struct node_hot *hot = &network->hot[node - network->nodes];
    __atomic_store_n(&hot->slot, node->slot, __ATOMIC_RELEASE);
    __atomic_store_n(&hot->safety_stock, node->config.safety_stock, __ATOMIC_RELEASE);
    struct geo_point point = node->point;
    __atomic_store(&hot->point.x, &point.x, __ATOMIC_RELEASE);
    __atomic_store(&hot->point.y, &point.y, __ATOMIC_RELEASE);
    __atomic_store(&hot->point.z, &point.z, __ATOMIC_RELEASE);
    hot->type = (uint8_t)node->config.type;
    hot->handling_cents = node->config.handling_cents;
}

/* Before the first place and after the last one of a change. */
static void placing(struct network *network, bool is_begun)
{
    DCHECK((network->placed % 2 == 0) == is_begun);
    __atomic_store_n(&network->placed, network->placed + 1,
                     is_begun ? __ATOMIC_RELAXED : __ATOMIC_RELEASE);
}

void network_place(const struct network *network, uint16_t handle, struct node_place *out)
{
    const struct node_hot *hot = &network->hot[handle];
    out->slot = __atomic_load_n(&hot->slot, __ATOMIC_ACQUIRE);
    out->safety_stock = __atomic_load_n(&hot->safety_stock, __ATOMIC_ACQUIRE);
    __atomic_load(&hot->point.x, &out->point.x, __ATOMIC_ACQUIRE);
    __atomic_load(&hot->point.y, &out->point.y, __ATOMIC_ACQUIRE);
    __atomic_load(&hot->point.z, &out->point.z, __ATOMIC_ACQUIRE);
}

static float chord(const struct network *network, uint32_t word, const struct geo_point *point)
{
    double dx = (double)network->cap_x[word] - point->x;
    double dy = (double)network->cap_y[word] - point->y;
    double dz = (double)network->cap_z[word] - point->z;
    return (float)sqrt(dx * dx + dy * dy + dz * dz);
}

static void cap_grow(struct network *network, uint32_t word, const struct geo_point *point)
{
    if (network->cap_radius[word] < 0) {
        network->cap_x[word] = (float)point->x;
        network->cap_y[word] = (float)point->y;
        network->cap_z[word] = (float)point->z;
    }
    float radius = chord(network, word, point) + CHORD_SLACK;
    if (radius > network->cap_radius[word]) {
        network->cap_radius[word] = radius;
        network->caps_version++;
    }
}

/* A free slot in the nearest word; a new word where those in use are filled. */
static uint32_t slot_choose(const struct network *network, const struct geo_point *point)
{
    uint32_t best = UINT32_MAX;
    float least = 4.0f;
    if (network->count >= network->words * FILL && network->words < WORD_MAX_NETWORK) {
        return network->words * 64;
    }
    for (uint32_t word = 0; word < network->words; word++) {
        float d = network->cap_radius[word] < 0 ? 3.0f : chord(network, word, point);
        if (~network->used[word] && d < least) {
            least = d;
            best = word;
        }
    }
    CHECK(best != UINT32_MAX);
    return best * 64 + (uint32_t)__builtin_ctzll(~network->used[best]);
}

static int by_priority(const void *a, const void *b)
{
    int32_t x = *(const int32_t *)a;
    int32_t y = *(const int32_t *)b;
    return x < y ? -1 : x > y;
}

/* The class of a priority among count sorted ones, or count. */
static uint32_t class_of(const struct network *network, int32_t priority)
{
    uint32_t i = 0;
    while (i < network->class_count && network->class_priority[i] != priority) {
        i++;
    }
    return i;
}

static void classes_rebuild(struct network *network)
{
    network->class_count = 0;
    network->has_classes = true;
    for (uint32_t i = 0; i < network->count && network->has_classes; i++) {
        int32_t priority = network->nodes[i].config.priority;
        if (class_of(network, priority) < network->class_count) {
            continue;
        }
        network->has_classes = network->class_count < CLASS_MAX;
        if (network->has_classes) {
            network->class_priority[network->class_count++] = priority;
        }
    }
    qsort(network->class_priority, network->class_count, sizeof(int32_t), by_priority);
    for (uint32_t i = 0; i < CLASS_MAX; i++) {
        memset(network->class_bits[i], 0, WORD_MAX_NETWORK * sizeof(slot_bits));
    }
    for (uint32_t i = 0; i < network->count && network->has_classes; i++) {
        const struct node *node = &network->nodes[i];
        bit_put(network->class_bits[class_of(network, node->config.priority)], node->slot, true);
    }
}

/* Whether the node's priority fits the classes as they are; then only its bit is set. */
static void class_add(struct network *network, const struct node *node, bool is_new, int32_t before)
{
    uint32_t class = class_of(network, node->config.priority);
    if (!is_new && before == node->config.priority) {
        return;
    }
    if (is_new && network->has_classes && class < network->class_count) {
        bit_put(network->class_bits[class], node->slot, true);
        return;
    }
    classes_rebuild(network);
}

/* Reach only ever widens between layouts: an upper bound is enough for pruning. */
static void reach_widen(struct network *network, const struct node *node)
{
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (node->config.max_m[i] > network->reach_max[i]) {
            network->reach_max[i] = node->config.max_m[i];
        }
        if (node->config.max_m[i] < network->reach_min[i]) {
            network->reach_min[i] = node->config.max_m[i];
        }
    }
}

static enum err config_copy(struct node_config *to, const struct node_config *from)
{
    size_t size = sizeof(struct area) * from->serves_count;
    *to = *from;
    to->serves = NULL;
    if (size) {
        to->serves = malloc(size);
        if (!to->serves) {
            return ERR_NOMEM;
        }
        memcpy(to->serves, from->serves, size);
    }
    return ERR_OK;
}

static enum err create(struct network *network, const char *id, uint32_t len,
                       const struct node_config *config, struct node **out)
{
    CHECK(len <= ID_MAX);
    if (network->count >= NODE_MAX) {
        return ERR_FULL;
    }
    struct node *node = &network->nodes[network->count];
    memset(node, 0, sizeof *node);
    enum err err = config_copy(&node->config, config);
    if (err != ERR_OK) {
        return err;
    }
    memcpy(node->id, id, len);
    node->id_len = (uint8_t)len;
    node->point = geo_point(config->lat, config->lon);
    node->slot = (uint16_t)slot_choose(network, &node->point);
    if (node->slot / 64 == network->words) {
        slots_clear(network, network->words, 1);
        network->words++;
    }
    struct node_hot *hot = &network->hot[network->count]; /* other threads read the id there */
    hot->id_len = node->id_len;
    memcpy(hot->name, id, len < NODE_NAME ? len : NODE_NAME);
    network->count++;
    network->is_dirty = true;
    *out = node;
    return ERR_OK;
}

static enum err replace(struct network *network, struct node *node,
                        const struct node_config *config)
{
    struct node_config copy;
    enum err err = config_copy(&copy, config);
    if (err != ERR_OK) {
        return err;
    }
    network->with_serves_count -= node->config.serves_count > 0;
    network->serves_bytes -= node->config.serves_count * sizeof(struct area);
    if (!bits_set(network, node, false)) {
        free(copy.serves);
        return ERR_NOMEM;
    }
    free(node->config.serves);
    node->config = copy;
    node->point = geo_point(copy.lat, copy.lon);
    return ERR_OK;
}

enum err network_put(struct network *network, const char *id, uint32_t len,
                     const struct node_config *config, uint16_t *handle_out)
{
    uint16_t handle = network_find(network, id, len);
    bool is_new = handle == NODE_NONE;
    struct node *node = is_new ? NULL : &network->nodes[handle];
    int32_t before = is_new ? 0 : node->config.priority;
    enum err err =
        is_new ? create(network, id, len, config, &node) : replace(network, node, config);
    if (err != ERR_OK) {
        return err;
    }
    placing(network, true);
    place(network, node);
    placing(network, false);
    if (is_new) { /* from now on other threads find it */
        __atomic_store_n(id_slot(network, network_hash(id, len), id, len),
                         (uint32_t)(node - network->nodes) + 1, __ATOMIC_RELEASE);
    }
    cap_grow(network, node->slot / 64, &node->point);
    network->with_serves_count += node->config.serves_count > 0;
    network->serves_bytes += node->config.serves_count * sizeof(struct area);
    bool is_set = bits_set(network, node, true);
    class_add(network, node, is_new, before);
    reach_widen(network, node);
    network->generation++;
    *handle_out = (uint16_t)(node - network->nodes);
    return is_set ? ERR_OK : ERR_NOMEM;
}

bool network_areas_fit(const struct network *network, const struct area *areas, uint32_t count)
{
    const struct area_index *index = &network->index->areas;
    return index->count + count <= AREAS_MAX ||
           index->count + area_index_unknown(index, areas, count) <= AREAS_MAX;
}

bool network_areas_grow(struct network *network, uint32_t more, uint32_t steps)
{
    return area_index_grow(&network->index->areas, more, steps);
}

bool network_areas_ready(struct network *network, uint16_t handle, const struct geo_point *point,
                         const struct area *areas, uint32_t count)
{
    const uint32_t slot =
        handle == NODE_NONE ? slot_choose(network, point) : network->nodes[handle].slot;
    return area_index_ready(&network->index->areas, areas, count, slot);
}

struct keyed {
    uint32_t key;
    uint16_t handle;
};

static int by_key(const void *a, const void *b)
{
    const struct keyed *x = a;
    const struct keyed *y = b;
    if (x->key != y->key) {
        return x->key < y->key ? -1 : 1;
    }
    return x->handle < y->handle ? -1 : x->handle > y->handle;
}

/* Centre of the nodes of a word and the radius that holds them. */
static void cap_fit(struct network *network, uint32_t word)
{
    struct geo_point sum = {0, 0, 0};
    for (slot_bits bits = network->used[word]; bits; bits &= bits - 1) {
        uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
        const struct geo_point *point = &network->nodes[network->node_of_slot[slot]].point;
        sum = (struct geo_point){sum.x + point->x, sum.y + point->y, sum.z + point->z};
    }
    double norm = sqrt(sum.x * sum.x + sum.y * sum.y + sum.z * sum.z);
    norm = norm > 0 ? norm : 1;
    network->cap_x[word] = (float)(sum.x / norm);
    network->cap_y[word] = (float)(sum.y / norm);
    network->cap_z[word] = (float)(sum.z / norm);
    network->cap_radius[word] = network->used[word] ? 0.0f : -1.0f;
    network->caps_version++;
    for (slot_bits bits = network->used[word]; bits; bits &= bits - 1) {
        uint32_t slot = word * 64 + (uint32_t)__builtin_ctzll(bits);
        cap_grow(network, word, &network->nodes[network->node_of_slot[slot]].point);
    }
}

static void bitmaps_clear(struct network *network)
{
    size_t size = WORD_MAX_NETWORK * sizeof(slot_bits);
    memset(network->used, 0, size);
    memset(network->with_serves, 0, size);
    memset(network->index->only_out, 0, size);
    memset(network->unreached, 0, size);
    memset(network->unreached_now, 0, size);
    network->unreached_count = 0;
    for (int i = 0; i < SERVICE_COUNT; i++) {
        memset(network->eligible[i], 0, size);
        memset(network->offers[i], 0, size);
        memset(network->metered[i], 0, size);
        memset(network->tight[i], 0, size);
        network->reach_max[i] = 0;
        network->reach_min[i] = UINT32_MAX;
    }
    for (int i = 0; i < NODE_TYPE_COUNT; i++) {
        memset(network->of_type[i], 0, size);
    }
    for (int i = 0; i < FLAG_MAX; i++) {
        if (network->bars[i]) {
            memset(network->bars[i], 0, size);
        }
    }
    area_index_clear(&network->index->areas);
}

/* Give slots in key order, fill of each word. */
static void assign(struct network *network, const struct keyed *order, uint32_t fill,
                   uint16_t *map_out)
{
    const uint32_t words = (network->count + fill - 1) / fill;
    slots_clear(network, 0, words > network->words ? words : network->words);
    bitmaps_clear(network);
    network->words = words;
    for (uint32_t i = 0; i < network->count; i++) {
        struct node *node = &network->nodes[order[i].handle];
        uint16_t slot = (uint16_t)((i / fill) * 64 + i % fill);
        if (map_out) {
            map_out[node->slot] = slot;
        }
        node->slot = slot;
        place(network, node);
        bool is_set = bits_set(network, node, true);
        CHECK(is_set);
        reach_widen(network, node);
    }
    for (uint32_t word = 0; word < WORD_MAX_NETWORK; word++) {
        cap_fit(network, word);
    }
    classes_rebuild(network);
}

void network_layout(struct network *network, uint16_t *map_out)
{
    struct keyed *order = malloc(sizeof *order * (network->count + 1));
    if (!order) {
        return; /* the present layout stays: slower, never wrong */
    }
    for (uint32_t i = 0; i < network->count; i++) {
        const struct node_config *config = &network->nodes[i].config;
        order[i] = (struct keyed){geo_hilbert(config->lat, config->lon), (uint16_t)i};
    }
    qsort(order, network->count, sizeof *order, by_key);
    placing(network, true);
    assign(network, order, network->count <= FILL * (WORD_MAX_NETWORK - 64) ? FILL : 64, map_out);
    placing(network, false);
    free(order);
    network->is_dirty = false;
    network->generation++;
}

const slot_bits *network_serving(const struct network *network, const char *country,
                                 const char *postcode, slot_bits *scratch)
{
    if (network->with_serves_count == 0) {
        return NULL;
    }
    slot_bits decided[WORD_MAX_NETWORK];
    memset(decided, 0, network->words * sizeof(slot_bits));
    for (uint32_t word = 0; word < network->words; word++) {
        scratch[word] = ~network->with_serves[word];
    }
    area_index_match(&network->index->areas, country, postcode, network->words, scratch, decided);
    for (uint32_t word = 0; word < network->words; word++) {
        scratch[word] |= network->index->only_out[word] & ~decided[word];
    }
    return scratch;
}
