/* The words of the wire contract: methods, codes, reasons, services, states. One table each,
 * shared by engine, client, tools and tests, so that a word is spelled in one place.
 *
 * Numbers of reasons, services, ways, statuses, states, node types and capabilities stand in log
 * records: a new word goes to the end of its list, and its number into test_names_stored.c. */
#ifndef PROTO_NAMES_H
#define PROTO_NAMES_H

#include <stdbool.h>
#include <stdint.h>

/* Methods that this version answers. */
#define NAMES_METHODS(X)                                                                           \
    X(METHOD_HELLO, "hello")                                                                       \
    X(METHOD_STATS, "stats")                                                                       \
    X(METHOD_NODE_PUT, "node.put")                                                                 \
    X(METHOD_NODE_STATUS, "node.status")                                                           \
    X(METHOD_NODE_GET, "node.get")                                                                 \
    X(METHOD_NODE_LIST, "node.list")                                                               \
    X(METHOD_ITEM_PUT, "item.put")                                                                 \
    X(METHOD_ITEM_GET, "item.get")                                                                 \
    X(METHOD_PLACE_LOAD, "place.load")                                                             \
    X(METHOD_STOCK_ADJUST, "stock.adjust")                                                         \
    X(METHOD_STOCK_SET, "stock.set")                                                               \
    X(METHOD_STOCK_LOAD, "stock.load")                                                             \
    X(METHOD_STOCK_POLICY, "stock.policy")                                                         \
    X(METHOD_STOCK_GET, "stock.get")                                                               \
    X(METHOD_STOCK_LIST, "stock.list")                                                             \
    X(METHOD_STOCK_FIND, "stock.find")                                                             \
    X(METHOD_ORDER_ROUTE, "order.route")                                                           \
    X(METHOD_ORDER_GET, "order.get")                                                               \
    X(METHOD_ORDER_LIST, "order.list")                                                             \
    X(METHOD_ORDER_CANCEL, "order.cancel")                                                         \
    X(METHOD_ORDER_REROUTE, "order.reroute")                                                       \
    X(METHOD_ORDER_MODIFY, "order.modify")                                                         \
    X(METHOD_FULFIL_UPDATE, "fulfil.update")                                                       \
    X(METHOD_FULFIL_LIST, "fulfil.list")                                                           \
    X(METHOD_FULFIL_REJECT, "fulfil.reject")                                                       \
    X(METHOD_CLOCK_SET, "clock.set")                                                               \
    X(METHOD_RETURN_QUOTE, "return.quote")                                                         \
    X(METHOD_RETURN_CREATE, "return.create")                                                       \
    X(METHOD_RETURN_RECEIVE, "return.receive")                                                     \
    X(METHOD_SUPPLY_PUT, "supply.put")                                                             \
    X(METHOD_SUPPLY_RECEIVE, "supply.receive")                                                     \
    X(METHOD_SUPPLY_CANCEL, "supply.cancel")                                                       \
    X(METHOD_TRANSFER_CREATE, "transfer.create")                                                   \
    X(METHOD_TRANSFER_SHIP, "transfer.ship")                                                       \
    X(METHOD_TRANSFER_RECEIVE, "transfer.receive")                                                 \
    X(METHOD_TRANSFER_CANCEL, "transfer.cancel")                                                   \
    X(METHOD_SNAPSHOT, "snapshot")                                                                 \
    X(METHOD_RESERVE_CREATE, "reserve.create")                                                     \
    X(METHOD_RESERVE_UPDATE, "reserve.update")                                                     \
    X(METHOD_RESERVE_RELEASE, "reserve.release")                                                   \
    X(METHOD_RESERVE_GET, "reserve.get")                                                           \
    X(METHOD_PROMISE_QUOTE, "promise.quote")                                                       \
    X(METHOD_CAPACITY_SET, "capacity.set")                                                         \
    X(METHOD_CAPACITY_GET, "capacity.get")                                                         \
    X(METHOD_CARRIER_LOAD, "carrier.load")                                                         \
    X(METHOD_TRAVEL_LOAD, "travel.load")                                                           \
    X(METHOD_EVENTS_READ, "events.read")                                                           \
    X(METHOD_STRATEGY_PUT, "strategy.put")                                                         \
    X(METHOD_STRATEGY_ACTIVATE, "strategy.activate")                                               \
    X(METHOD_STRATEGY_LIST, "strategy.list")                                                       \
    X(METHOD_STRATEGY_TRY, "strategy.try")                                                         \
    X(METHOD_EXPLAIN_GET, "explain.get")                                                           \
    X(METHOD_EXPLAIN_WHY_NOT, "explain.why_not")

/* Errors: enumerator, text, kind (1 = the caller's fault, 0 = the server's). */
#define NAMES_CODES(X)                                                                             \
    X(CODE_INVALID_ARGUMENT, "INVALID_ARGUMENT", 1)                                                \
    X(CODE_UNKNOWN_METHOD, "UNKNOWN_METHOD", 1)                                                    \
    X(CODE_TOO_LARGE, "TOO_LARGE", 1)                                                              \
    X(CODE_UNKNOWN_ITEM, "UNKNOWN_ITEM", 1)                                                        \
    X(CODE_UNKNOWN_NODE, "UNKNOWN_NODE", 1)                                                        \
    X(CODE_UNKNOWN_PLACE, "UNKNOWN_PLACE", 1)                                                      \
    X(CODE_UNKNOWN_ORDER, "UNKNOWN_ORDER", 1)                                                      \
    X(CODE_UNKNOWN_LINE, "UNKNOWN_LINE", 1)                                                        \
    X(CODE_UNKNOWN_FULFILMENT, "UNKNOWN_FULFILMENT", 1)                                            \
    X(CODE_UNKNOWN_RESERVATION, "UNKNOWN_RESERVATION", 1)                                          \
    X(CODE_UNKNOWN_STRATEGY, "UNKNOWN_STRATEGY", 1)                                                \
    X(CODE_UNKNOWN_RETURN, "UNKNOWN_RETURN", 1)                                                    \
    X(CODE_UNKNOWN_SUPPLY, "UNKNOWN_SUPPLY", 1)                                                    \
    X(CODE_UNKNOWN_TRANSFER, "UNKNOWN_TRANSFER", 1)                                                \
    X(CODE_IDEMPOTENCY_CONFLICT, "IDEMPOTENCY_CONFLICT", 1)                                        \
    X(CODE_EVENTS_GONE, "EVENTS_GONE", 1)                                                          \
    X(CODE_OVERLOADED, "OVERLOADED", 0)                                                            \
    X(CODE_READ_ONLY, "READ_ONLY", 0)                                                              \
    X(CODE_TABLE_FULL, "TABLE_FULL", 0)                                                            \
    X(CODE_SHUTTING_DOWN, "SHUTTING_DOWN", 0)                                                      \
    X(CODE_INTERNAL, "INTERNAL", 0)

/* Reasons of a refusal. */
#define NAMES_REASONS(X)                                                                           \
    X(REASON_NONE, "")                                                                             \
    X(REASON_INSUFFICIENT_STOCK, "INSUFFICIENT_STOCK")                                             \
    X(REASON_NO_FEASIBLE_SOURCE, "NO_FEASIBLE_SOURCE")                                             \
    X(REASON_MAX_SPLITS_EXCEEDED, "MAX_SPLITS_EXCEEDED")                                           \
    X(REASON_SEARCH_LIMIT, "SEARCH_LIMIT")                                                         \
    X(REASON_INVALID_STATE, "INVALID_STATE")                                                       \
    X(REASON_STALE_COUNT, "STALE_COUNT")                                                           \
    X(REASON_STALE_MOVEMENT, "STALE_MOVEMENT")                                                     \
    X(REASON_TOO_MANY_ZEROED, "TOO_MANY_ZEROED")                                                   \
    X(REASON_QTY_EXCEEDS_ORDERED, "QTY_EXCEEDS_ORDERED")                                           \
    X(REASON_MAX_REJECTS_REACHED, "MAX_REJECTS_REACHED")                                           \
    X(REASON_NOT_RETURNABLE, "NOT_RETURNABLE")                                                     \
    X(REASON_PROMISE_NOT_MET, "PROMISE_NOT_MET")                                                   \
    X(REASON_CAPACITY_EXCEEDED, "CAPACITY_EXCEEDED")                                               \
    X(REASON_RESERVATION_EXPIRED, "RESERVATION_EXPIRED")

/* Why a node was not chosen. Checked in this order: the first that holds is told. */
#define NAMES_REJECTS(X)                                                                           \
    X(REJECT_NONE, "")                                                                             \
    X(REJECT_EXCLUDED, "EXCLUDED")                                                                 \
    X(REJECT_PREVIOUSLY_REJECTED, "PREVIOUSLY_REJECTED")                                           \
    X(REJECT_NODE_INACTIVE, "NODE_INACTIVE")                                                       \
    X(REJECT_SERVICE_NOT_OFFERED, "SERVICE_NOT_OFFERED")                                           \
    X(REJECT_DESTINATION_NOT_SERVED, "DESTINATION_NOT_SERVED")                                     \
    X(REJECT_TOO_FAR, "TOO_FAR")                                                                   \
    X(REJECT_ITEM_BARRED, "ITEM_BARRED")                                                           \
    X(REJECT_NODE_BLOCKED, "NODE_BLOCKED")                                                         \
    X(REJECT_STOCK_STALE, "STOCK_STALE")                                                           \
    X(REJECT_CAPACITY_FULL, "CAPACITY_FULL")                                                       \
    X(REJECT_CUTOFF_MISSED, "CUTOFF_MISSED")                                                       \
    X(REJECT_MISSES_PROMISE, "MISSES_PROMISE")                                                     \
    X(REJECT_STRATEGY_FENCED, "STRATEGY_FENCED")                                                   \
    X(REJECT_OUT_OF_STOCK, "OUT_OF_STOCK")                                                         \
    X(REJECT_BELOW_SAFETY_STOCK, "BELOW_SAFETY_STOCK")                                             \
    X(REJECT_INSUFFICIENT_QTY, "INSUFFICIENT_QTY")                                                 \
    X(REJECT_OUTRANKED, "OUTRANKED")                                                               \
    X(REJECT_RING_FENCED, "RING_FENCED")

#define NAMES_SERVICES(X)                                                                          \
    X(SERVICE_STANDARD, "standard")                                                                \
    X(SERVICE_NEXT_DAY, "next_day")                                                                \
    X(SERVICE_SAME_DAY, "same_day")                                                                \
    X(SERVICE_PICKUP, "pickup")                                                                    \
    X(SERVICE_RESERVE_PICKUP, "reserve_pickup")                                                    \
    X(SERVICE_SHIP_TO_STORE, "ship_to_store")                                                      \
    X(SERVICE_CARRY_OUT, "carry_out")

/* Capabilities of a node. */
#define NAMES_CAPABILITIES(X)                                                                      \
    X(CAPABILITY_SHIP, "ship")                                                                     \
    X(CAPABILITY_SAME_DAY, "same_day")                                                             \
    X(CAPABILITY_PICKUP, "pickup")                                                                 \
    X(CAPABILITY_RETURN, "return")                                                                 \
    X(CAPABILITY_CARRY_OUT, "carry_out")

#define NAMES_NODE_TYPES(X)                                                                        \
    X(NODE_STORE, "store")                                                                         \
    X(NODE_WAREHOUSE, "warehouse")                                                                 \
    X(NODE_VENDOR, "vendor")

#define NAMES_NODE_STATUSES(X)                                                                     \
    X(NODE_ACTIVE, "active")                                                                       \
    X(NODE_ON_HOLD, "on_hold")                                                                     \
    X(NODE_CLOSED, "closed")

/* How a fulfilment leaves its node. */
#define NAMES_WAYS(X)                                                                              \
    X(WAY_SHIP_FROM_STORE, "ship_from_store")                                                      \
    X(WAY_SHIP_FROM_WAREHOUSE, "ship_from_warehouse")                                              \
    X(WAY_DROP_SHIP, "drop_ship")                                                                  \
    X(WAY_SAME_DAY, "same_day")                                                                    \
    X(WAY_PICKUP, "pickup")                                                                        \
    X(WAY_CARRY_OUT, "carry_out")                                                                  \
    X(WAY_SHIP_TO_STORE, "ship_to_store")

#define NAMES_ORDER_STATUSES(X)                                                                    \
    X(ORDER_ROUTED, "routed")                                                                      \
    X(ORDER_PARTIAL, "partial")                                                                    \
    X(ORDER_REFUSED, "refused")                                                                    \
    X(ORDER_DONE, "done")                                                                          \
    X(ORDER_CANCELLED, "cancelled")                                                                \
    X(ORDER_BACKORDERED, "backordered")                                                            \
    X(ORDER_HELD, "held")

/* Life of a fulfilment, in order of advance; the ends come last. */
#define NAMES_STATES(X)                                                                            \
    X(STATE_OPEN, "open")                                                                          \
    X(STATE_ACCEPTED, "accepted")                                                                  \
    X(STATE_PICKING, "picking")                                                                    \
    X(STATE_PICKED, "picked")                                                                      \
    X(STATE_PACKED, "packed")                                                                      \
    X(STATE_SHIPPED, "shipped")                                                                    \
    X(STATE_DELIVERED, "delivered")                                                                \
    X(STATE_READY, "ready")                                                                        \
    X(STATE_COLLECTED, "collected")                                                                \
    X(STATE_REJECTED, "rejected")                                                                  \
    X(STATE_CANCELLED, "cancelled")                                                                \
    X(STATE_NO_SHOW, "no_show")

/* Life of a reservation. */
#define NAMES_RESERVATION_STATES(X)                                                                \
    X(RESERVATION_HELD, "held")                                                                    \
    X(RESERVATION_COMMITTED, "committed")                                                          \
    X(RESERVATION_RELEASED, "released")                                                            \
    X(RESERVATION_EXPIRED, "expired")                                                              \
    X(RESERVATION_BROKEN, "broken")

/* Why a node says no to a fulfilment (fulfil.reject). */
#define NAMES_DECLINES(X)                                                                          \
    X(DECLINE_OUT_OF_STOCK, "out_of_stock")                                                        \
    X(DECLINE_DAMAGED, "damaged")                                                                  \
    X(DECLINE_TOO_BUSY, "too_busy")                                                                \
    X(DECLINE_CLOSED, "closed")                                                                    \
    X(DECLINE_NOT_ALLOWED, "not_allowed")                                                          \
    X(DECLINE_NO_RESPONSE, "no_response")                                                          \
    X(DECLINE_OTHER, "other")

/* What a rejection says about the stock of its cells. */
#define NAMES_STOCK_ACTIONS(X)                                                                     \
    X(STOCK_ACTION_NONE, "none")                                                                   \
    X(STOCK_ACTION_MISSING, "missing")                                                             \
    X(STOCK_ACTION_ZERO, "zero")                                                                   \
    X(STOCK_ACTION_SET, "set")

/* Why units of an order came to other nodes, or became owed, after it was routed. */
#define NAMES_CAUSES(X)                                                                            \
    X(CAUSE_REJECT, "reject")                                                                      \
    X(CAUSE_REROUTE, "reroute")                                                                    \
    X(CAUSE_MODIFY, "modify")                                                                      \
    X(CAUSE_STOCK, "stock")                                                                        \
    X(CAUSE_NODE_STATUS, "node_status")

/* How a strategy compares two nodes. */
#define NAMES_STRATEGY_MODES(X)                                                                    \
    X(STRATEGY_LEXICOGRAPHIC, "lexicographic")                                                     \
    X(STRATEGY_WEIGHTED, "weighted")

/* What a strategy looks at: of each the smaller number is better. */
#define NAMES_STRATEGY_TERMS(X)                                                                    \
    X(STRATEGY_TERM_DISTANCE, "distance")                                                          \
    X(STRATEGY_TERM_ROAD, "road")                                                                  \
    X(STRATEGY_TERM_MINUTES, "minutes")                                                            \
    X(STRATEGY_TERM_COST, "cost")                                                                  \
    X(STRATEGY_TERM_DATE, "date")                                                                  \
    X(STRATEGY_TERM_STORE, "store")                                                                \
    X(STRATEGY_TERM_WAREHOUSE, "warehouse")                                                        \
    X(STRATEGY_TERM_VENDOR, "vendor")                                                              \
    X(STRATEGY_TERM_PRIORITY, "priority")                                                          \
    X(STRATEGY_TERM_LOAD, "load")                                                                  \
    X(STRATEGY_TERM_ACCEPTANCE, "acceptance")                                                      \
    X(STRATEGY_TERM_SCARCITY, "scarcity")

/* Who is no source for a strategy. */
#define NAMES_STRATEGY_FENCES(X)                                                                   \
    X(STRATEGY_FENCE_MAX_KM, "max_km")                                                             \
    X(STRATEGY_FENCE_MAX_MINUTES, "max_minutes")                                                   \
    X(STRATEGY_FENCE_MAX_COST, "max_cost_cents")                                                   \
    X(STRATEGY_FENCE_MAX_LOAD, "max_load")                                                         \
    X(STRATEGY_FENCE_MIN_ACCEPTANCE, "min_acceptance")                                             \
    X(STRATEGY_FENCE_KEEP_LAST, "keep_last")                                                       \
    X(STRATEGY_FENCE_TYPES, "types")

/* Types of events. */
#define NAMES_EVENTS(X)                                                                            \
    X(EVENT_ORDER_ROUTED, "order.routed")                                                          \
    X(EVENT_ORDER_CHANGED, "order.changed")                                                        \
    X(EVENT_ORDER_HELD, "order.held")                                                              \
    X(EVENT_ORDER_CANCELLED, "order.cancelled")                                                    \
    X(EVENT_ORDER_DONE, "order.done")                                                              \
    X(EVENT_FULFIL_CREATED, "fulfil.created")                                                      \
    X(EVENT_FULFIL_STATE, "fulfil.state")                                                          \
    X(EVENT_PROMISE_BROKEN, "promise.broken")                                                      \
    X(EVENT_RESERVE_HELD, "reserve.held")                                                          \
    X(EVENT_RESERVE_RELEASED, "reserve.released")                                                  \
    X(EVENT_RESERVE_EXPIRED, "reserve.expired")                                                    \
    X(EVENT_RESERVE_BROKEN, "reserve.broken")                                                      \
    X(EVENT_STOCK_CHANGED, "stock.changed")                                                        \
    X(EVENT_STOCK_SHORT, "stock.short")                                                            \
    X(EVENT_NODE_CHANGED, "node.changed")                                                          \
    X(EVENT_SUPPLY_CHANGED, "supply.changed")                                                      \
    X(EVENT_RETURN_RECEIVED, "return.received")                                                    \
    X(EVENT_RESERVE_COMMITTED, "reserve.committed")                                                \
    X(EVENT_RESERVE_TAKEN, "reserve.taken")                                                        \
    X(EVENT_RETURN_CREATED, "return.created")                                                      \
    X(EVENT_TRANSFER_CHANGED, "transfer.changed")                                                  \
    X(EVENT_ITEM_CHANGED, "item.changed")                                                          \
    X(EVENT_STRATEGY_CHANGED, "strategy.changed")                                                  \
    X(EVENT_RETURN_EXPIRED, "return.expired")

#define NAMES_ENUM(name, text) name,
#define NAMES_CODE_ENUM(name, text, kind) name,
enum method { NAMES_METHODS(NAMES_ENUM) METHOD_COUNT };
enum code { NAMES_CODES(NAMES_CODE_ENUM) CODE_COUNT };
enum reason { NAMES_REASONS(NAMES_ENUM) REASON_COUNT };
enum reject { NAMES_REJECTS(NAMES_ENUM) REJECT_COUNT };
enum service { NAMES_SERVICES(NAMES_ENUM) SERVICE_COUNT };
enum capability { NAMES_CAPABILITIES(NAMES_ENUM) CAPABILITY_COUNT };
enum node_type { NAMES_NODE_TYPES(NAMES_ENUM) NODE_TYPE_COUNT };
enum node_status { NAMES_NODE_STATUSES(NAMES_ENUM) NODE_STATUS_COUNT };
enum way { NAMES_WAYS(NAMES_ENUM) WAY_COUNT };
enum order_status { NAMES_ORDER_STATUSES(NAMES_ENUM) ORDER_STATUS_COUNT };
enum state { NAMES_STATES(NAMES_ENUM) STATE_COUNT };
enum reservation_state { NAMES_RESERVATION_STATES(NAMES_ENUM) RESERVATION_STATE_COUNT };
enum decline { NAMES_DECLINES(NAMES_ENUM) DECLINE_COUNT };
enum stock_action { NAMES_STOCK_ACTIONS(NAMES_ENUM) STOCK_ACTION_COUNT };
enum cause { NAMES_CAUSES(NAMES_ENUM) CAUSE_COUNT };
enum strategy_mode { NAMES_STRATEGY_MODES(NAMES_ENUM) STRATEGY_MODE_COUNT };
enum strategy_term_kind { NAMES_STRATEGY_TERMS(NAMES_ENUM) STRATEGY_TERM_COUNT };
enum strategy_fence_kind { NAMES_STRATEGY_FENCES(NAMES_ENUM) STRATEGY_FENCE_COUNT };
enum event { NAMES_EVENTS(NAMES_ENUM) EVENT_COUNT };
#undef NAMES_ENUM
#undef NAMES_CODE_ENUM

/* Texts; static storage. The value must be one of the enum. */
const char *method_text(enum method method);
const char *code_text(enum code code);
int code_kind(enum code code);
const char *reason_text(enum reason reason);
const char *reject_text(enum reject reject);
const char *service_text(enum service service);
const char *capability_text(enum capability capability);
const char *node_type_text(enum node_type type);
const char *node_status_text(enum node_status status);
const char *way_text(enum way way);
const char *order_status_text(enum order_status status);
const char *state_text(enum state state);
const char *reservation_state_text(enum reservation_state state);
const char *decline_text(enum decline decline);
const char *cause_text(enum cause cause);
const char *event_type_text(enum event event);
const char *strategy_mode_text(enum strategy_mode mode);
const char *strategy_term_text(enum strategy_term_kind term);
const char *strategy_fence_text(enum strategy_fence_kind fence);

/* The same with their lengths, for the words that stand in every reply to an order. */
struct word {
    const char *at;
    uint32_t len;
};
extern const struct word service_words[SERVICE_COUNT], way_words[WAY_COUNT],
    order_status_words[ORDER_STATUS_COUNT], state_words[STATE_COUNT];

/* A family of words, for look-ups by text and for messages that list them. */
struct names {
    const char *const *texts;
    uint32_t count;
};

extern const struct names names_methods, names_services, names_capabilities, names_node_types,
    names_node_statuses, names_ways, names_order_statuses, names_states, names_codes, names_reasons,
    names_rejects, names_declines, names_stock_actions, names_causes, names_events,
    names_strategy_modes, names_strategy_terms, names_strategy_fences;

/* Index of the word of len bytes at text, or -1. */
int names_find(const struct names *names, const char *text, uint32_t len);

/* The word of the family nearest to text if it is close (edit distance at most 2 and at most
 * half of len), else NULL. For "did you mean". */
const char *names_nearest(const struct names *names, const char *text, uint32_t len);

#endif
