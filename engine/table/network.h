/* The nodes: what each is and may do, and where it lies, as bitmaps ready for a decision.
 *
 * A node has a handle (creation order, for ever; the only form in log and digest) and a slot:
 * its place in the bitmaps, along a Hilbert curve with gaps, so that the 64 slots of a word are
 * one neighbourhood with a bounding cap. Slots are derived: laid out afresh by network_layout
 * while no row of stock depends on them or when the owner moves the rows too; a later node takes
 * a free slot in the nearest word, whose cap grows.
 *
 * Engine loop only, but for the ids of nodes (network_find), and network_place, which other threads
 * may ask as well. Everything that a decision asks of all nodes is a bitmap over slots, kept
 * by the changes: which nodes offer a service, are of a type, of a priority, bar a flag, serve
 * an area.
 */
#ifndef TABLE_NETWORK_H
#define TABLE_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "err.h"
#include "geo.h"
#include "names.h"

enum {
    NODE_MAX = 65535,   /* nodes; handles are below it */
    NODE_NONE = 0xffff, /* no node */
    SLOT_MAX = 65536,
    WORD_MAX_NETWORK = SLOT_MAX / 64,
    FLAG_MAX = 64,      /* different item flags */
    CLASS_MAX = 8,      /* different priorities with a bitmap each; more: has_classes is false */
    AREA_TEXT_MAX = 23, /* "CC:postcode-prefix" */
    NODE_AREAS_MAX = 1000,
    AREAS_MAX = 1 << 18, /* different ones, ever named by a node */
    ID_MAX = 63
};

/* Words of a bitmap over slots. */
typedef uint64_t slot_bits;

/* One entry of `serves` or `not_to`. Text is compared upper-case, postcode without blanks. */
struct area {
    bool is_out; /* a leading '-' */
    uint8_t len;
    char text[AREA_TEXT_MAX + 1]; /* "US" or "US:9021" */
};

/* What time, capacity and the age of counts say of a node and a service; timing.h sets them. A
 * node with any of MARK_OUT is no candidate. */
enum {
    MARK_STALE = 1,   /* its counts are too old */
    MARK_FULL = 2,    /* no capacity left */
    MARK_CUTOFF = 4,  /* too late today */
    MARK_BLOCKED = 32, /* it said no a short while ago (strategy.h) */
    MARK_OUT = MARK_STALE | MARK_FULL | MARK_CUTOFF | MARK_BLOCKED,
    MARK_METERED = 8, /* units are counted: */
    MARK_TIGHT = 16,  /* fewer than NETWORK_TIGHT_UNITS are left */
    NETWORK_TIGHT_UNITS = 64
};

/* All that node.put and node.status set. Plain data; owned strings end with NUL. */
struct node_config {
    enum node_type type;
    double lat, lon;
    char name[128];
    char country[3]; /* "" = none */
    char postcode[17];
    uint8_t services;        /* bit per enum capability */
    enum node_status status; /* of the capabilities in status_services */
    uint8_t status_services; /* bit per enum capability */
    uint64_t status_until;   /* ms; 0 = for ever. Then active again, by record */
    int32_t priority;
    uint32_t max_m[SERVICE_COUNT]; /* reach in metres; UINT32_MAX = not set */
    uint32_t handling_cents;
    int32_t safety_stock;
    uint64_t bars; /* bit per flag */
    uint32_t collect_hours;
    uint32_t serves_count;
    struct area *serves; /* borrowed by network_put, which copies; owned inside a node */
};

struct node {
    char id[ID_MAX + 1];
    uint8_t id_len;
    uint16_t slot;
    struct geo_point point;
    struct node_config config;
};

enum { NODE_NAME = 27 }; /* bytes of an id beside the rest: most ids are no longer */

/* What an order reads of a node, one cache line: kept beside the nodes, which are large, so that
 * those of 4,613 nodes stay in the second-level cache. */
struct node_hot {
    struct geo_point point;
    int32_t safety_stock;
    uint32_t handling_cents;
    uint16_t slot;
    uint8_t type; /* enum node_type */
    uint8_t id_len;
    char name[NODE_NAME]; /* the id, where it fits */
    uint8_t reserved;
};

_Static_assert(sizeof(struct node_hot) == 64, "what an order reads of a node is a cache line");

/* Where a slot lies, a quarter of a cache line: for a search that looks at few slots of a word. */
struct slot_point {
    float x, y, z;
    float reserved;
};

/* The bounding cap of a word: every node of the word lies within radius of its centre. */
struct network {
    /* -- nodes -- */
    struct node *nodes;   /* by handle */
    struct node_hot *hot; /* by handle; follows nodes */
    uint8_t (*marks)[SERVICE_COUNT]; /* by handle */
    uint32_t count;

    /* -- by slot -- */
    uint32_t words;   /* bitmap words in use */
    float *x, *y, *z; /* unit vectors, SLOT_MAX each, 64-byte aligned; a free slot is far
                               away (2,2,2) */
    struct slot_point *points;           /* the same once more, 64-byte aligned */
    double *point_x, *point_y, *point_z; /* the same, exact */
    uint16_t *node_of_slot;              /* NODE_NONE = free */

    /* -- by word: cap centre and radius (chord, rounded up); an empty word has radius -1 -- */
    float *cap_x, *cap_y, *cap_z, *cap_radius;
    uint64_t caps_version; /* grows when a cap changes */

    /* -- bitmaps over slots, words words each -- */
    slot_bits *used;                    /* a node sits here */
    slot_bits *eligible[SERVICE_COUNT]; /* offers it and no mark takes it out */
    slot_bits *offers[SERVICE_COUNT];   /* offers it, active for it, reach set where required */
    slot_bits *metered[SERVICE_COUNT];  /* MARK_METERED, and MARK_TIGHT */
    slot_bits *tight[SERVICE_COUNT];
    uint32_t metered_count;             /* bits in all of metered */
    slot_bits *unreached;     /* next_day: offers it but for a reach, so by carriers alone */
    slot_bits *unreached_now; /* of them those that no mark takes out */
    uint32_t unreached_count; /* bits in unreached */
    slot_bits *of_type[NODE_TYPE_COUNT];
    slot_bits *bars[FLAG_MAX]; /* NULL while no node bars the flag */
    slot_bits *with_serves;    /* nodes that have serves rules */
    uint32_t with_serves_count;
    uint64_t serves_bytes; /* of the rules of all nodes */

    /* -- priorities, lowest first -- */
    bool has_classes; /* at most CLASS_MAX different ones */
    uint32_t class_count;
    int32_t class_priority[CLASS_MAX];
    slot_bits *class_bits[CLASS_MAX];

    /* -- largest reach of any node, metres; UINT32_MAX where some node has none -- */
    uint32_t reach_max[SERVICE_COUNT];
    /* smallest reach of any node, or less; UINT32_MAX: no node has one */
    uint32_t reach_min[SERVICE_COUNT];

    struct network_index *index; /* id -> handle, area -> bitmaps */
    uint64_t placed;             /* odd while nodes are being placed; see network_place */
    uint64_t generation;         /* grows with every change */
    bool is_dirty;               /* laid out slots may be improved by network_layout */
};

ERR_MUST_USE enum err network_init(struct network *network);
void network_close(struct network *network);

/* Bytes that it takes at most, without the rules of served areas; and bytes of those, while so many
 * more areas are entered. */
uint64_t network_memory(void);
uint64_t network_rules_bytes(const struct network *network, uint64_t more);

/* What another thread may see of a node: each field as it was at some moment, and all of them as
 * they were at one, if network->placed, loaded before (acquire) and after, is the same even
 * number. */
struct node_place {
    struct geo_point point;
    int32_t safety_stock;
    uint16_t slot;
};

void network_place(const struct network *network, uint16_t handle, struct node_place *out);

/* The node of a slot that has cells, from any thread. */
static inline uint16_t network_at_slot(const struct network *network, uint32_t slot)
{
    return __atomic_load_n(&network->node_of_slot[slot], __ATOMIC_RELAXED);
}

/* Handle of a node by id, or NODE_NONE. Any thread. */
uint16_t network_find(const struct network *network, const char *id, uint32_t len);

/* The steps of it, for batches: hash, prefetch the slot, prefetch the node, find. Any thread. */
uint64_t network_hash(const char *id, uint32_t len);
void network_prefetch(const struct network *network, uint64_t hash);
void network_prefetch_node(const struct network *network, uint64_t hash);
uint16_t network_find_hashed(const struct network *network, uint64_t hash, const char *id,
                             uint32_t len);

/* Create the node (id unknown) or replace its config. Errors: ERR_FULL (65,535 nodes),
 * ERR_NOMEM. */
ERR_MUST_USE enum err network_put(struct network *network, const char *id, uint32_t len,
                                  const struct node_config *config, uint16_t *handle_out);

/* Whether the areas that nobody named before still fit: AREAS_MAX is for the asking side to keep;
 * what the log says is applied. */
bool network_areas_fit(const struct network *network, const struct area *areas, uint32_t count);

/* What a put of a thousand new areas would take long to make, made ahead and in pieces: room for
 * more areas in the index, steps of its entries moved at a time (true: done, or no memory, which
 * the put then says); then the bitmaps of count areas, for a node that is there or, with
 * NODE_NONE, one that will lie at point (false: out of memory). No answer changes by it. */
bool network_areas_grow(struct network *network, uint32_t more, uint32_t steps);
ERR_MUST_USE bool network_areas_ready(struct network *network, uint16_t handle,
                                      const struct geo_point *point, const struct area *areas,
                                      uint32_t count);

/* Set the node's marks for a service. True: they are other ones than before. */
bool network_mark(struct network *network, uint16_t node, enum service service, uint8_t marks);

/* Lay out the slots afresh. map_out (SLOT_MAX entries, or NULL) receives old slot -> new slot. */
void network_layout(struct network *network, uint16_t *map_out);

/* Nodes that serve a destination, as a bitmap over slots of network->words words, or NULL: all
 * do. country "" = unknown: then only nodes without rules and rules that only take out match.
 * scratch: WORD_MAX_NETWORK words, the result is there. */
const slot_bits *network_serving(const struct network *network, const char *country,
                                 const char *postcode, slot_bits *scratch);

/* Whether a list of areas holds the destination: the longest matching entry decides; without a
 * match: true only when the list is empty or only takes out. Oracle of network_serving. */
bool areas_hold(const struct area *areas, uint32_t count, const char *country,
                const char *postcode);

/* Fetched by the customer from the node that has it. */
static inline bool service_is_pickup(enum service service)
{
    return service == SERVICE_PICKUP || service == SERVICE_RESERVE_PICKUP;
}

/* The capability that a service needs, and whether it needs a reach on the node. */
enum capability service_capability(enum service service);
bool service_needs_reach(enum service service);

/* The id, of hot[handle].id_len bytes. */
static inline const char *network_id(const struct network *network, uint16_t handle)
{
    const struct node_hot *hot = &network->hot[handle];
    return hot->id_len <= NODE_NAME ? hot->name : network->nodes[handle].id;
}

/* Whether the node offers the service now (capability, status, reach set where required). */
bool node_offers(const struct node *node, enum service service);
/* Whether it would offer next_day, had it a reach for it: a carrier's rows stand for that too. */
bool node_is_unreached(const struct node *node, enum service service);
/* Whether the node has the capability and is active for it. */
bool node_can(const struct node *node, enum capability capability);
/* Whether the node is active for the service's capability. */
bool node_is_active(const struct node *node, enum service service);

/* How a fulfilment of the service leaves a node of the type. */
enum way node_type_way(enum node_type type, enum service service);

#endif
