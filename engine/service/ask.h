/* One order.route request, decoded: what was asked, in the engine's terms. */
#ifndef SERVICE_ASK_H
#define SERVICE_ASK_H

#include "look.h"
#include "service_internal.h"
#include "touch.h"

enum {
    ASK_LINES_MAX = 1000,
    ASK_LINE_POOL = 8192,   /* lines of one staged sub-batch */
    ASK_CANON_MAX = 2 << 20 /* what the content hash runs over: a frame, with defaults filled in */
};

struct ask_line {
    struct text item;
    struct text line; /* len 0 = its position */
    struct text node;        /* pins the line; len 0 = none */
    struct text pickup_node; /* len 0 = none */
    char scratch[READER_INT_TEXT_SIZE];
    uint64_t item_hash;
    int service; /* enum service, or -1 = the order's */
    struct order_kit kit; /* of a component; only where the ask has kits */
};

struct ask {
    bool is_decoded; /* false: decode again for the error */
    bool is_guessed;
    bool has_lat, has_lon;
    bool is_po_box;
    bool allow_partial;
    bool backorder; /* what has no source is owed */
    bool dry_run;
    bool has_point; /* point is set: coordinates given, or the postcode is loaded */
    bool is_resolved; /* all names were found */
    bool has_kits;    /* the lines are components where kits were asked for */
    bool may_float;   /* a line may have neither destination nor node: a cart's */
    uint8_t explain;
    int service;
    struct text order_id;
    uint64_t order_hash;
    uint64_t content;
    uint64_t generation; /* of the tables when resolved */
    double lat, lon;
    struct geo_point point;
    char country[3];
    char postcode[17]; /* normalised */
    struct text pickup_node, channel, strategy, ref, sold_at;
    uint64_t channel_hash;      /* as resolved, 0 = none, or there are no quotas */
    struct text reservation_id; /* len 0 = none */
    slab_ref reservation;       /* that the order takes the place of, 0 = none */
    const char *reservation_found; /* its state when asked, for the answer; NULL = none named */
    uint32_t max_splits, max_m; /* ROUTE_NO_LIMIT = none asked */
    uint64_t required_by_ms, deliver_after_ms; /* 0 = not asked */
    uint32_t line_count;
    struct ask_line *lines;          /* in the pool */
    struct route_line *route_lines;  /* as resolved */
    uint32_t include_count, exclude_count;
    struct text include_raw, exclude_raw; /* MessagePack arrays of node ids; len 0 = absent */
    uint16_t sold_node; /* as resolved; NODE_NONE */
    uint16_t rule_handle;        /* of the strategy that decides it, and itself: */
    const struct strategy *rule; /* NULL = nearest */
    const struct strategy *guess_rule; /* that the guess was made by */
    struct route_guess guess;
    struct route_rank rank; /* of a guess by a strategy */
};

enum { ASKS_ROOM = 4096 }; /* calls of a sub-batch at most */

/* Numbers of the calls of one kind that are staged. */
struct asks_staged {
    uint32_t count;
    uint16_t at[ASKS_ROOM];
};

/* Scratch of staged requests, made once. */
struct asks {
    struct ask *asks; /* one per call of a sub-batch */
    struct touch *touches; /* the same */
    struct look *looks;    /* the same */
    struct asks_staged decoded, touched, looked;
    struct ask_line *lines;
    struct route_line *route_lines;
    uint32_t lines_used;
    struct ask_line *kit_lines; /* ASK_LINES_MAX: an order with kits, taken apart */
    struct route_line *kit_route_lines;
    uint8_t *canon;
    uint16_t include[LIST_MAX], exclude[LIST_MAX];
    struct effect_line effect_lines[EFFECT_LINES_MAX];
    struct effect_part effect_parts[EFFECT_PARTS_MAX];
    struct effect_share effect_shares[EFFECT_SHARES_MAX];
    uint32_t effect_owed[EFFECT_LINES_MAX];
};

/* Decode params into ask; lines, of the pool, has room for ASK_LINES_MAX. Errors are in reader. */
bool ask_decode(struct service_core *service, struct reader *reader, const struct call *call,
                struct ask *ask, struct ask_line *lines);

/* The same in one pass, for requests as nearly every client sends them (ask_quick.c). False: not
 * one of these, or wrong in some way; what stands in ask is void, and ask_decode decides. */
bool ask_quick(struct service_core *service, const struct call *call, struct ask *ask,
               struct ask_line *lines);

/* A place, `dest`, into the ask's fields. Errors are in reader. */
void ask_read_dest(struct reader *reader, struct ask *ask);

/* What both begin with: defaults, and where the lines go. */
void ask_begin(struct service_core *service, struct ask *ask, struct ask_line *lines);

/* What both end with: what follows from the fields, and what must hold between them. */
bool ask_settle(struct service_core *service, struct reader *reader, struct ask *ask);

/* Its lines and its destination, for methods that take the same. */
void ask_read_lines(struct reader *reader, struct ask *ask);
void ask_read_dest(struct reader *reader, struct ask *ask);

/* Find every name as it is now (ask_resolve.c); false: answered with the error. */
bool ask_resolve(struct service_core *service, struct call *call, struct ask *ask);

/* Of it one item; and the point of the destination: false: a postcode that is not loaded, and no
 * coordinates. */
bool ask_find_item(struct service_core *service, struct ask *ask, uint32_t line);
bool ask_find_place(const struct service_core *service, struct ask *ask);

/* Put components in the place of kits (kit_lines.c), once all names are found. False: answered. */
bool kits_apart(struct service_core *service, struct call *call, struct ask *ask);

/* Answer with a decision (order_answer.c); or, where the order is in memory already, with what it
 * is: false: it is not, and nothing was answered. */
void order_reply(struct service_core *service, struct call *call, const struct ask *ask,
                 const struct route_answer *answer);
bool order_reply_seen(struct service_core *service, struct call *call, const struct ask *ask);

/* Pieces of such an answer: what has no source, and why nodes were not chosen. */
void ask_put_unfilled(const struct service_core *service, struct writer *writer,
                      const struct ask *ask, const struct route_answer *answer);
void ask_put_rejected(struct writer *writer, const struct route_answer *answer);

/* What was asked, defaults filled in, as the bytes of asks->canon whose hash_fixed is the content;
 * gives their size. Hash them a little later: bytes just stored one by one come slowly when they
 * are read by eights. */
uint32_t ask_canon(struct asks *asks, const struct ask *ask);

/* The node that fixes line i, or that it is sent to: its pin, where it is picked up or was sold;
 * len 0 = none. */
struct text ask_fixed_node(const struct ask *ask, uint32_t i);

/* Which strategy decides it as things are now, where it names none. */
void ask_choose(const struct service_core *service, struct ask *ask);

/* The request as the router takes it. Borrowed from ask and asks. */
void ask_request(struct asks *asks, const struct ask *ask, struct route_request *request);

#endif
