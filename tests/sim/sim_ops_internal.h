/* What the files of requests share: drawing ids, writing params, judging errors. */
#ifndef TESTS_SIM_OPS_INTERNAL_H
#define TESTS_SIM_OPS_INTERNAL_H

#include "sim.h"

/* A map of params that is being written. */
struct sim_form {
    struct writer *writer;
    uint32_t mark, count;
};

struct sim_form form_begin(struct writer *writer);
void form_end(struct sim_form *form);
struct writer *form_key(struct sim_form *form, const char *name);
void form_int(struct sim_form *form, const char *name, int64_t value);
void form_float(struct sim_form *form, const char *name, double value);
void form_bool(struct sim_form *form, const char *name, bool value);
void form_text(struct sim_form *form, const char *name, const char *text);

/* A letter and a number: "i7". */
void form_id(struct sim_form *form, const char *name, char letter, uint32_t id);
void put_id(struct writer *writer, char letter, uint32_t id);

/* Half of the changes carry a key of their own; now and then one that another change had. */
void form_new_key(struct sim *sim, struct sim_request *request, struct sim_form *form);

/* A place to go to; coordinates alone. */
void form_place(struct sim *sim, struct sim_request *request, struct sim_form *form);
void put_coordinates(struct sim *sim, struct writer *writer);

/* Draws: few items and nodes are asked for much. Sometimes an id that nobody knows. */
uint32_t draw_item(struct sim *sim);

/* The item of a line; in seeds of all methods now and then a kit: then its number from SIM_KITS on,
 * and put_item writes its name. */
enum { SIM_KITS = 1000, SIM_KIT_COUNT = 3, SIM_KIT_PARTS = 2 };
struct sim_kit {
    uint32_t items[SIM_KIT_PARTS], per[SIM_KIT_PARTS];
};
extern const struct sim_kit sim_kits[SIM_KIT_COUNT];
uint32_t draw_sold(struct sim *sim);
void put_item(struct writer *writer, uint32_t item);

uint32_t draw_node(struct sim *sim);
uint32_t draw_order(struct sim *sim); /* SIM_NONE: there is none yet */

/* A reservation or document: one that was asked for before, or a new id, seldom an old one. */
void draw_thing(struct sim *sim, struct sim_request *request, enum books_kind kind);
void draw_new_thing(struct sim *sim, struct sim_request *request, enum books_kind kind);

/* In seeds of all methods now and then a channel, for which quotas may keep units. */
void form_channel(struct sim *sim, struct sim_form *form);

/* -- what is asked for rarely (sim_ops_rare.c), all of it in seeds of all methods alone -- */

/* Further fields of a node: areas that it serves, flags that it bars, its clock, a date, age of its
 * counts. */
void form_node_rare(struct sim *sim, const struct sim_request *request, struct sim_form *form);

/* Flags of an item; flags: so many words of so many. */
void form_words(struct sim *sim, struct sim_form *form, const char *field);

/* A place by postcode; some are known. */
void put_postcode(struct sim *sim, struct writer *writer);

/* Nodes that are asked for or not, and how far they may be. */
void form_reach(struct sim *sim, struct sim_request *request, struct sim_form *form);

/* Fields of a line beyond item and qty: so many were drawn, and put. */
enum line_wish { LINE_PLAIN, LINE_NAMED, LINE_PINNED, LINE_PICKUP, LINE_SERVICE };
enum line_wish draw_line_wish(struct sim *sim);
uint32_t line_wish_fields(enum line_wish wish);
void put_line_wish(struct sim *sim, struct sim_request *request, struct writer *writer,
                   enum line_wish wish);

/* Pages: from where the last reply of this list ended; any answer is right then. */
void form_after(struct sim *sim, struct sim_request *request, struct sim_form *form,
                enum sim_pages list);
void pages_see(struct sim *sim, const struct sim_reply *reply, enum sim_pages list);

/* A cell of which some reservation (or fulfilment) holds units, as the ledger has it: false, there
 * is none. */
bool draw_held(struct sim *sim, uint32_t *reservation, uint32_t *item, uint32_t *node);
bool draw_share(struct sim *sim, uint32_t *order, uint32_t *part, uint32_t *item, uint32_t *node);

/* The name of a strategy; not every one of so many names is put. */
void form_strategy(struct sim *sim, struct sim_form *form, const char *field, uint32_t names);

/* A fulfilment of some order, in the field of that name. */
void form_fulfilment(struct sim *sim, struct sim_request *request, struct sim_form *form);

/* A time of fact of the last moments. */
uint64_t draw_time(struct sim *sim);
bool is_known_item(const struct sim *sim, uint32_t item);
bool is_known_node(const struct sim *sim, uint32_t node);

/* -- judging -- */

/* An error that has nothing to do with what was asked: overload, disk full, a full table; or that
 * the item, node or order is unknown, where it is. True: it was one, and nothing happened. */
bool is_plain_error(struct sim *sim, const struct sim_request *request,
                    const struct sim_reply *reply);

/* What the key of a change says: its reply must be that of a duplicate, of a conflict, of a new
 * change, or may be any of them (the key's window is over). */
enum key_says { KEY_SAYS_NEW, KEY_SAYS_DUPLICATE, KEY_SAYS_CONFLICT, KEY_SAYS_ANY };
enum key_says key_judge(struct sim *sim, const struct sim_request *request);

/* The reply against that. True: there is nothing to enter into the books. */
bool is_key_answer(struct sim *sim, const struct sim_request *request,
                   const struct sim_reply *reply);

/* The change has happened: its key is known from now on, with these facts. */
void key_note(struct sim *sim, const struct sim_request *request, const int64_t *facts);

/* Whether the order may have left memory, or must still be known. */
bool is_fading(const struct sim *sim, const struct books_order *order);

/* -- reservations and documents: made once, known until their window is over -- */

bool is_thing_there(const struct sim *sim, const struct sim_request *request);

/* The reply to one that makes a thing: an error, a refusal or a duplicate, rightly. False: it is
 * made now, and may be. */
bool is_thing_known(struct sim *sim, const struct sim_request *request,
                    const struct sim_reply *reply);
void thing_note(struct sim *sim, const struct sim_request *request);

/* Who is told something of it: it must be there. */
void thing_firm(struct sim *sim, const struct sim_request *request);

/* Whether the ledger has all events up to the state that the reply being judged is of. */
bool is_ledger_current(const struct sim *sim);

/* -- kinds, by file -- */
void clock_make(struct sim *, struct sim_request *, struct writer *);
void clock_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void adjust_make(struct sim *, struct sim_request *, struct writer *);
void adjust_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void set_make(struct sim *, struct sim_request *, struct writer *);
void set_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void load_make(struct sim *, struct sim_request *, struct writer *);
void load_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void policy_make(struct sim *, struct sim_request *, struct writer *);
void policy_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void stock_get_make(struct sim *, struct sim_request *, struct writer *);
void stock_get_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void stock_list_make(struct sim *, struct sim_request *, struct writer *);
void stock_list_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void find_make(struct sim *, struct sim_request *, struct writer *);
void find_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void route_make(struct sim *, struct sim_request *, struct writer *);
void route_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void cancel_make(struct sim *, struct sim_request *, struct writer *);
void cancel_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void update_make(struct sim *, struct sim_request *, struct writer *);
void update_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void order_get_make(struct sim *, struct sim_request *, struct writer *);
void order_get_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void order_list_make(struct sim *, struct sim_request *, struct writer *);
void order_list_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void fulfil_list_make(struct sim *, struct sim_request *, struct writer *);
void fulfil_list_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void node_put_make(struct sim *, struct sim_request *, struct writer *);
void node_put_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void node_status_make(struct sim *, struct sim_request *, struct writer *);
void node_status_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void node_ask_make(struct sim *, struct sim_request *, struct writer *);
void node_list_make(struct sim *, struct sim_request *, struct writer *);
void item_put_make(struct sim *, struct sim_request *, struct writer *);
void item_get_make(struct sim *, struct sim_request *, struct writer *);
void places_make(struct sim *, struct sim_request *, struct writer *);
void snapshot_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void empty_make(struct sim *, struct sim_request *, struct writer *);
void plain_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void reserve_create_make(struct sim *, struct sim_request *, struct writer *);
void reserve_create_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void reserve_update_make(struct sim *, struct sim_request *, struct writer *);
void reserve_update_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void reserve_release_make(struct sim *, struct sim_request *, struct writer *);
void reserve_get_make(struct sim *, struct sim_request *, struct writer *);
void reserve_get_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void return_create_make(struct sim *, struct sim_request *, struct writer *);
void return_create_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void return_receive_make(struct sim *, struct sim_request *, struct writer *);
void return_receive_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void return_quote_make(struct sim *, struct sim_request *, struct writer *);
void return_quote_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void supply_put_make(struct sim *, struct sim_request *, struct writer *);
void supply_put_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void supply_receive_make(struct sim *, struct sim_request *, struct writer *);
void supply_cancel_make(struct sim *, struct sim_request *, struct writer *);
void supply_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void transfer_create_make(struct sim *, struct sim_request *, struct writer *);
void transfer_create_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void transfer_move_make(struct sim *, struct sim_request *, struct writer *);
void transfer_cancel_make(struct sim *, struct sim_request *, struct writer *);
void transfer_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void reject_make(struct sim *, struct sim_request *, struct writer *);
void reroute_make(struct sim *, struct sim_request *, struct writer *);
void modify_make(struct sim *, struct sim_request *, struct writer *);
void replan_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void quote_make(struct sim *, struct sim_request *, struct writer *);
void quote_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void capacity_set_make(struct sim *, struct sim_request *, struct writer *);
void capacity_set_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void capacity_get_make(struct sim *, struct sim_request *, struct writer *);
void capacity_get_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void carrier_make(struct sim *, struct sim_request *, struct writer *);
void travel_make(struct sim *, struct sim_request *, struct writer *);
void strategy_put_make(struct sim *, struct sim_request *, struct writer *);
void strategy_activate_make(struct sim *, struct sim_request *, struct writer *);
void strategy_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void strategy_try_make(struct sim *, struct sim_request *, struct writer *);
void strategy_try_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void explain_get_make(struct sim *, struct sim_request *, struct writer *);
void explain_get_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void why_not_make(struct sim *, struct sim_request *, struct writer *);
void why_not_see(struct sim *, const struct sim_request *, const struct sim_reply *);
void events_make(struct sim *, struct sim_request *, struct writer *);
void events_see(struct sim *, const struct sim_request *, const struct sim_reply *);

#endif
