/* order.modify: other quantities, lines, destination or service. What is not concerned stays where
 * it is; what is and is not picked yet is decided anew. Refused means that all stays as it was.
 *
 * A line's quantity here is what the customer shall have in the end: shipped, open and owed units
 * together. Units too many are taken from what is owed, then from the least advanced. */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "content_internal.h"
#include "order_names_internal.h"
#include "place_internal.h"
#include "replan_internal.h"

enum { F_ORDER_ID, F_LINES, F_DEST, F_SERVICE, F_KEY, F_COUNT };
enum { L_LINE, L_ITEM, L_QTY, L_SERVICE, L_PICKUP_NODE, L_NODE, L_COUNT };

/* Facts that a key remembers. */
enum { FACT_FIRST_PART, FACT_PARTS };

struct wish {
    struct text line, item, node; /* node: pinned or to be picked up at; len 0 = as it is */
    char scratch[READER_INT_TEXT_SIZE];
    uint32_t qty;
    int service; /* -1 = as it is */
    bool is_pickup_node;
};

struct modify {
    struct text order_id, key;
    bool has_lines, has_dest;
    int service; /* -1 = as it is */
    uint32_t count;
    struct wish wishes[EFFECT_LINES_MAX];
    struct ask place; /* only the fields of dest */
};

/* -- the request -- */

static void read_wish(struct reader *reader, struct wish *wish)
{
    static const char *const names[L_COUNT] = {"line",    "item",        "qty",
                                               "service", "pickup_node", "node"};
    struct reader_map map;
    wish->item = wish->node = (struct text){"", 0};
    wish->service = -1;
    wish->is_pickup_node = false;
    reader_map_begin(reader, &map, names, L_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case L_LINE:
            wish->line = reader_text_or_int(reader, wish->scratch, 1, ID_MAX);
            break;
        case L_ITEM:
            wish->item = reader_text(reader, 1, ID_MAX);
            break;
        case L_QTY:
            wish->qty = (uint32_t)reader_int(reader, 0, QTY_MAX);
            break;
        case L_SERVICE:
            wish->service = reader_word(reader, &names_services);
            break;
        default:
            wish->node = reader_text(reader, 1, ID_MAX);
            wish->is_pickup_node = field == L_PICKUP_NODE;
            break;
        }
    }
    reader_require(reader, &map, L_LINE);
    reader_require(reader, &map, L_QTY);
    if (reader_is_ok(reader) && reader_map_has(&map, L_NODE) &&
        reader_map_has(&map, L_PICKUP_NODE)) {
        reader_fail(reader, "give node or pickup_node, not both");
    }
}

/* A line twice: a table of 4,096 slots for at most 1,000 lines. */
static void check_names(struct reader *reader, const struct modify *modify)
{
    enum { SLOTS = 4096 };
    uint16_t slots[SLOTS] = {0};
    for (uint32_t i = 0; i < modify->count && reader_is_ok(reader); i++) {
        struct text name = modify->wishes[i].line;
        uint64_t at = hash_fixed(name.at, name.len) % SLOTS;
        for (; slots[at]; at = (at + 1) % SLOTS) {
            struct text seen = modify->wishes[slots[at] - 1u].line;
            if (seen.len == name.len && memcmp(seen.at, name.at, name.len) == 0) {
                reader_fail(reader, "lines[%u].line: %.*s is named twice: name each line once", i,
                            (int)name.len, name.at);
                break;
            }
        }
        slots[at] = (uint16_t)(i + 1);
    }
}

static void read_wishes(struct reader *reader, struct modify *modify)
{
    struct reader_array array;
    reader_array_begin(reader, &array, EFFECT_LINES_MAX);
    while (reader_array_next(reader, &array)) {
        read_wish(reader, &modify->wishes[modify->count++]);
    }
}

static bool decode(struct service_core *service, struct reader *reader, const struct call *call,
                   struct modify *modify)
{
    static const char *const fields[F_COUNT] = {"order_id", "lines", "dest", "service", "key"};
    struct reader_map map;
    modify->order_id = modify->key = (struct text){"", 0};
    modify->service = -1;
    modify->count = 0;
    memset(&modify->place, 0, sizeof modify->place);
    reader_init(reader, call->params, call->params_size);
    reader_params(reader, &map, fields, F_COUNT);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case F_ORDER_ID:
            modify->order_id = reader_text(reader, 1, ID_MAX);
            break;
        case F_LINES:
            read_wishes(reader, modify);
            break;
        case F_DEST:
            ask_read_dest(reader, &modify->place);
            break;
        case F_SERVICE:
            modify->service = reader_word(reader, &names_services);
            break;
        default:
            modify->key = reader_text(reader, 1, ID_MAX);
            break;
        }
    }
    reader_require(reader, &map, F_ORDER_ID);
    check_names(reader, modify);
    modify->has_lines = reader_map_has(&map, F_LINES);
    modify->has_dest = reader_map_has(&map, F_DEST);
    if (modify->has_dest && !modify->place.country[0]) {
        memcpy(modify->place.country, service->options.country, sizeof modify->place.country);
    }
    if (reader_is_ok(reader) && !modify->has_lines && !modify->has_dest && modify->service < 0) {
        reader_fail(reader, "gives none of lines, dest, service: nothing is to be changed");
    }
    return reader_is_ok(reader);
}

static uint64_t content_of(const struct modify *modify)
{
    const struct ask *place = &modify->place;
    struct content content;
    int64_t coordinates[2];
    memcpy(&coordinates[0], &place->lat, sizeof place->lat);
    memcpy(&coordinates[1], &place->lon, sizeof place->lon);
    content_begin(&content, METHOD_ORDER_MODIFY);
    content_text(&content, modify->order_id.at, modify->order_id.len);
    content_int(&content, modify->service);
    content_int(&content, modify->has_dest | place->has_lat << 1 | place->is_po_box << 2);
    content_int(&content, coordinates[0]);
    content_int(&content, coordinates[1]);
    content_text(&content, place->country, (uint32_t)strlen(place->country));
    content_text(&content, place->postcode, (uint32_t)strlen(place->postcode));
    content_int(&content, modify->has_lines ? (int64_t)modify->count : -1);
    for (uint32_t i = 0; i < modify->count; i++) {
        const struct wish *wish = &modify->wishes[i];
        content_text(&content, wish->line.at, wish->line.len);
        content_text(&content, wish->item.at, wish->item.len);
        content_text(&content, wish->node.at, wish->node.len);
        content_int(&content, wish->qty);
        content_int(&content, wish->service * 2 + wish->is_pickup_node);
    }
    return content.hash;
}

/* -- refusals -- */

static struct writer *refuse(struct service_core *service, struct call *call, struct order *order,
                             enum reason reason, uint32_t fields)
{
    service->refusals[reason]++;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 4 + fields);
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_string(writer, "status", order_status_text(ORDER_REFUSED));
    put_string(writer, "reason", reason_text(reason));
    put_lsn(service, writer);
    return writer;
}

static void refuse_done(struct service_core *service, struct call *call, struct order *order)
{
    struct writer *writer = refuse(service, call, order, REASON_INVALID_STATE, 1);
    put_string(writer, "state", order_status_text(order_status_now(order)));
    reply_send(service, call);
}

/* Units of the line are too far for what is asked. */
static void refuse_part(struct service_core *service, struct call *call, struct order *order,
                        uint32_t line, uint32_t part)
{
    char id[ID_MAX + 8];
    struct writer *writer = refuse(service, call, order, REASON_INVALID_STATE, 3);
    put_order_line(writer, order, line);
    put_text(writer, "fulfilment", id, fulfilment_text(order, part, id));
    put_string(writer, "state", state_text(part_state(order, part)));
    reply_send(service, call);
}

static void refuse_qty(struct service_core *service, struct call *call, struct order *order,
                       uint32_t line, uint32_t asked, uint32_t gone)
{
    struct writer *writer = refuse(service, call, order, REASON_INVALID_STATE, 3);
    put_order_line(writer, order, line);
    put_int(writer, "qty", asked);
    put_int(writer, "done", gone);
    reply_send(service, call);
}

static void refuse_decision(struct service_core *service, struct call *call,
                            const struct replan *replan)
{
    struct writer *writer = refuse(service, call, replan->order, replan->answer.reason, 2);
    writer_str(writer, "fulfilments");
    writer_array(writer, 0);
    replan_put_left(service, writer, replan);
    reply_send(service, call);
}

/* -- what is asked -- */

/* Units of the line by what became of them. */
struct line_units {
    uint32_t gone; /* shipped, collected */
    uint32_t held;
    uint32_t owed;
};

static struct line_units units_of(const struct service_core *service, const struct replan *replan,
                                  uint32_t line)
{
    struct order *order = replan->order;
    struct line_units units = {.owed = replan_owed(service, replan, line)};
    for (uint32_t i = replan->first_share[line]; i != REPLAN_NO_SHARE; i = replan->next_share[i]) {
        uint32_t held = order_share_held(order, i);
        units.held += held;
        units.gone += share_active(&order_shares(order)[i]) - held;
    }
    return units;
}

/* Note that the line changes; qty is its quantity from now on. */
static void change_line(struct replan *replan, uint32_t line, uint32_t qty, struct text name)
{
    const struct replan_line *own = &replan->lines[line];
    bool is_new = line >= replan->order->line_count;
    uint32_t unfilled = is_new ? 0 : order_lines(replan->order)[line].unfilled;
    replan->changes[replan->effect.line_count++] = (struct effect_replan_line){
        line, {own->item, qty, unfilled, {name.at, name.len}, own->service, own->node,
               {0, 0, line}}}; /* a component stays one: its name is not told again */
}

/* A line that the order gets; kit.item 0: it is no component. */
static void add_line(struct replan *replan, const struct replan_line *line, uint32_t qty,
                     struct text name, const struct order_kit *kit)
{
    const uint32_t index = replan->line_count++;
    replan->lines[index] = *line;
    replan->wanted[index] = qty;
    replan->left[index] = 0;
    change_line(replan, index, qty, name);
    if (kit->item) {
        replan->changes[replan->effect.line_count - 1].line.kit = *kit;
    }
}

/* Held units of a share that have not come to the step; STEP_COUNT: all that is held. */
static uint32_t units_before(struct order *order, uint32_t index, int step)
{
    const struct order_share *share = &order_shares(order)[index];
    uint32_t held = order_share_held(order, index);
    uint32_t before = step < STEP_COUNT ? share_active(share) - share->reached[step] : held;
    return before < held ? before : held;
}

/* Cancel held units of the line, the least advanced first, among equals of the last share. */
static void cut_held(struct replan *replan, uint32_t line, uint32_t units)
{
    for (int step = 0; step <= STEP_COUNT && units > 0; step++) {
        for (uint32_t i = replan->first_share[line]; i != REPLAN_NO_SHARE && units > 0;
             i = replan->next_share[i]) {
            uint32_t left = units_before(replan->order, i, step) - replan->cut[i];
            uint32_t cut = left < units ? left : units;
            replan->cut[i] += cut;
            units -= cut;
        }
    }
    CHECK(units == 0);
}

/* Cut units of the line: what is owed first. */
static void cut_line(struct service_core *service, struct replan *replan, uint32_t line,
                     uint32_t units)
{
    const struct owed *owed = &service->tables.owed;
    uint32_t index = replan->owed_index[line];
    if (index != OWED_NONE) {
        const struct owed_entry *entry = owed_at(owed, index);
        uint32_t cut = entry->qty < units ? entry->qty : units;
        replan->owed[replan->effect.owed_count++] =
            (struct effect_owed){line, entry->qty - cut, entry->status, entry->reason};
        units -= cut;
    }
    cut_held(replan, line, units);
}

/* Units of the line that are not picked yet go to where its new place or service leads. False:
 * some are further, and the call is answered. */
static bool move_line(struct service_core *service, struct call *call, struct replan *replan,
                      uint32_t line)
{
    struct order *order = replan->order;
    for (uint32_t i = replan->first_share[line]; i != REPLAN_NO_SHARE; i = replan->next_share[i]) {
        uint32_t units = order_share_held(order, i) - replan->cut[i];
        if (units > replan_movable(order, i)) {
            refuse_part(service, call, order, line, order_shares(order)[i].part);
            return false;
        }
        replan_move(replan, i, units);
    }
    return true;
}

/* -- lines -- */

static bool node_of_wish(struct service_core *service, struct call *call, const struct wish *wish,
                         uint16_t *node_out)
{
    if (wish->node.len == 0) {
        return true;
    }
    *node_out = need_node(service, call, wish->is_pickup_node ? "pickup_node" : "node", wish->node);
    return *node_out != NODE_NONE;
}

/* Whether what has this service is fetched at a node, there or sent there. */
static bool is_fetched(uint8_t service)
{
    return service_is_pickup((enum service)service) || service == SERVICE_SHIP_TO_STORE;
}

/* The place of a line must go with its service: what is sent to a store names it, and nothing is
 * carried out after the sale. was: the service so far, SERVICE_COUNT of a new line; at: of the
 * wish, -1 where the line has none. False: answered. */
static bool place_fits(struct service_core *service, struct call *call,
                       const struct modify *modify, int at, const struct replan_line *line,
                       uint8_t was, bool is_more)
{
    const struct wish *wish = at >= 0 ? &modify->wishes[at] : NULL;
    const bool is_to_store = line->service == SERVICE_SHIP_TO_STORE;
    char field[32] = "service";
    if (wish) {
        snprintf(field, sizeof field, "lines[%d]", at);
    }
    if (wish && wish->is_pickup_node && !is_fetched(line->service)) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "%s.pickup_node: the line's service is %s, not pickup", field,
                    service_text((enum service)line->service));
    } else if (is_to_store && wish && wish->node.len && !wish->is_pickup_node) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "%s.node: what is sent to a store comes from the nearest node: leave it out",
                    field);
    } else if (is_to_store && line->node == NODE_NONE) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "%s: pickup_node is missing, and the line is to be sent to a store", field);
    } else if (line->service == SERVICE_CARRY_OUT && (was != line->service || is_more)) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "%s: carry_out is of the moment of the sale: route another order", field);
    } else {
        return true;
    }
    return false;
}

/* The wish as a line, or, where it is for a kit, as one for each component, all with its name.
 * False: answered. */
static bool lines_add(struct service_core *service, struct call *call, uint32_t at,
                      const struct wish *wish, const struct replan_line *asked,
                      struct replan *replan)
{
    const struct item *item = &service->tables.catalogue.items[asked->item];
    const struct kit *kit = item->is_kit ? kits_find(&service->tables.kits, asked->item) : NULL;
    const struct kit_part whole = {asked->item, 1};
    const struct kit_part *parts = kit ? kit->parts : &whole;
    const uint32_t count = kit ? kit->count : 1;
    const uint32_t first = replan->line_count;
    if (count > EFFECT_LINES_MAX - first) {
        reply_error(service, call, CODE_TOO_LARGE,
                    "lines: an order has at most %d, removed ones and all components of kits "
                    "included", EFFECT_LINES_MAX);
        return false;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct replan_line line = *asked;
        const uint64_t qty = (uint64_t)wish->qty * parts[i].qty;
        if (qty > QTY_MAX) {
            reply_error(service, call, CODE_INVALID_ARGUMENT,
                        "lines[%u].qty: more than %d units of a component", at, QTY_MAX);
            return false;
        }
        line.item = parts[i].item;
        line.kit = kit ? (uint16_t)(first + 1) : 0;
        line.kit_item = kit ? asked->item + 1 : 0;
        add_line(replan, &line, (uint32_t)qty, wish->line,
                 &(struct order_kit){line.kit_item, parts[i].qty, first});
    }
    return true;
}

/* A line that the order does not have yet. False: answered. */
static bool wish_new(struct service_core *service, struct call *call, const struct modify *modify,
                     uint32_t at, struct replan *replan)
{
    const struct wish *wish = &modify->wishes[at];
    int service_asked = wish->service >= 0 ? wish->service : modify->service;
    struct replan_line line = {.node = NODE_NONE};
    line.service = service_asked >= 0 ? (uint8_t)service_asked : replan->order->service;
    if (wish->item.len == 0 || wish->qty == 0) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "lines[%u]: %.*s is a new line: it needs an item, and a qty above 0", at,
                    (int)wish->line.len, wish->line.at);
        return false;
    }
    line.item = need_item(service, call, "lines.item", wish->item);
    if (line.item == ITEM_NONE || !node_of_wish(service, call, wish, &line.node) ||
        !place_fits(service, call, modify, (int)at, &line, SERVICE_COUNT, true)) {
        return false;
    }
    return lines_add(service, call, at, wish, &line, replan);
}

static bool item_is_same(struct service_core *service, struct call *call,
                         const struct modify *modify, uint32_t at, uint32_t handle)
{
    const struct wish *wish = &modify->wishes[at];
    const struct item *item = &service->tables.catalogue.items[handle];
    if (wish->item.len == 0 || (wish->item.len == item->id_len &&
                                memcmp(wish->item.at, item->id, item->id_len) == 0)) {
        return true;
    }
    reply_error(service, call, CODE_INVALID_ARGUMENT,
                "lines[%u].item: line %.*s is of item %.*s: another item is another line", at,
                (int)wish->line.len, wish->line.at, (int)item->id_len, item->id);
    return false;
}

/* One line of the order, as it shall be; wish NULL: it is not wanted any more. False: answered. */
static bool line_settle(struct service_core *service, struct call *call,
                        const struct modify *modify, int at, struct replan *replan, uint32_t index)
{
    struct order *order = replan->order;
    const struct order_line *own = &order_lines(order)[index];
    const struct wish *wish = at >= 0 ? &modify->wishes[at] : NULL;
    struct replan_line *line = &replan->lines[index];
    struct line_units units = units_of(service, replan, index);
    uint32_t have = units.gone + units.held + units.owed;
    uint32_t qty = wish                ? wish->qty * units_per(order, index)
                   : modify->has_lines ? units.gone
                                       : have;
    bool is_pinned = false;
    if (wish) {
        struct order_kit kit = line_kit(order, index);
        uint32_t item = kit.item ? kit.item - 1 : own->item;
        if (!item_is_same(service, call, modify, (uint32_t)at, item) ||
            !node_of_wish(service, call, wish, &line->node)) {
            return false;
        }
        line->service = wish->service >= 0 ? (uint8_t)wish->service : line->service;
        is_pinned = line->node != own->node;
    }
    if ((!wish || wish->service < 0) && modify->service >= 0 && own->service == order->service) {
        line->service = (uint8_t)modify->service;
    }
    bool is_other_service = line->service != own->service;
    if (!is_pinned && is_fetched(own->service) && !is_fetched(line->service)) {
        line->node = NODE_NONE; /* where it was to be fetched */
    }
    if (!place_fits(service, call, modify, at, line, own->service, qty > have)) {
        return false;
    }
    if (qty < units.gone) {
        refuse_qty(service, call, order, index, qty, units.gone);
        return false;
    }
    if (qty < have) {
        cut_line(service, replan, index, have - qty);
    }
    replan->wanted[index] = qty > have ? qty - have : 0;
    bool is_elsewhere = modify->has_dest && line->node == NODE_NONE;
    if ((is_other_service || is_pinned || is_elsewhere) &&
        !move_line(service, call, replan, index)) {
        return false;
    }
    if (qty != have || is_other_service || line->node != own->node) {
        change_line(replan, index, own->qty - have + qty, (struct text){"", 0});
    }
    return true;
}

/* False: answered. */
static bool lines_settle(struct service_core *service, struct call *call,
                         const struct modify *modify, struct replan *replan)
{
    struct order_names names;
    int wish_of[EFFECT_LINES_MAX];
    uint32_t line_count = replan->order->line_count;
    uint32_t fresh[EFFECT_LINES_MAX];
    uint32_t fresh_count = 0;
    memset(wish_of, 0xff, sizeof wish_of);
    order_names_init(&names, replan->order, -1);
    for (uint32_t i = 0; i < modify->count; i++) {
        uint32_t line = order_names_find(&names, modify->wishes[i].line, false);
        if (line == ORDER_NAMES_NONE) {
            fresh[fresh_count++] = i;
        } else {
            for (uint32_t k = line; k < line + line_run(replan->order, line); k++) {
                wish_of[k] = (int)i; /* all components of a kit */
            }
        }
    }
    for (uint32_t i = 0; i < line_count; i++) {
        if (!line_settle(service, call, modify, wish_of[i], replan, i)) {
            return false;
        }
    }
    for (uint32_t i = 0; i < fresh_count; i++) {
        if (!wish_new(service, call, modify, fresh[i], replan)) {
            return false;
        }
    }
    return true;
}

/* -- destination and service -- */

static bool is_same_place(const struct modify *modify, const struct replan *replan)
{
    const struct ask *place = &modify->place;
    bool is_same_point = place->has_lat == replan->has_dest &&
                         (!place->has_lat || (place->lat == replan->lat &&
                                              place->lon == replan->lon));
    return is_same_point && strcmp(place->country, replan->country) == 0 &&
           strcmp(place->postcode, replan->postcode) == 0 &&
           place->is_po_box == replan->order->is_po_box;
}

/* False: answered. */
static bool place_settle(struct service_core *service, struct call *call, struct modify *modify,
                         struct replan *replan)
{
    const struct ask *place = &modify->place;
    struct geo_point point;
    if (!modify->has_dest || is_same_place(modify, replan)) {
        modify->has_dest = false;
        return true;
    }
    if (!place->has_lat && !gazetteer_find(&service->tables.gazetteer, place->country,
                                           place->postcode, &point)) {
        place_unknown(service, call, "dest", place->country, place->postcode);
        return false;
    }
    replan->has_dest = place->has_lat;
    replan->lat = place->lat;
    replan->lon = place->lon;
    memcpy(replan->country, place->country, sizeof replan->country);
    memcpy(replan->postcode, place->postcode, sizeof replan->postcode);
    struct effect_replan *effect = &replan->effect;
    effect->has_place = true;
    effect->has_dest = place->has_lat;
    effect->is_po_box = place->is_po_box;
    effect->lat = place->lat;
    effect->lon = place->lon;
    memcpy(effect->country, place->country, sizeof effect->country);
    effect->postcode =
        (struct effect_text){replan->postcode, (uint32_t)strlen(replan->postcode)};
    return true;
}

/* -- answers -- */

/* Ids of the fulfilments before first_part that hold something and lost something in the record
 * of lsn, or did not. */
static void put_ids(struct service_core *service, struct writer *writer, const char *name,
                    struct order *order, uint32_t first_part, uint64_t lsn, bool is_changed)
{
    const struct order_entry *entries =
        order->history ? slab_at(&service->tables.orders.slab, order->history) : NULL;
    bool lost[EFFECT_PARTS_MAX] = {false};
    char id[ID_MAX + 8];
    uint32_t count = 0;
    for (uint32_t i = 0; i < order->history_count; i++) {
        if (entries[i].lsn == lsn && entries[i].part < first_part) {
            lost[entries[i].part] = true;
        }
    }
    writer_string(writer, name);
    uint32_t mark = writer_open(writer);
    for (uint32_t i = 0; i < first_part; i++) {
        bool is_open = order_parts(order)[i].is_listed;
        if (is_changed ? lost[i] : is_open && !lost[i]) {
            writer_text(writer, id, fulfilment_text(order, i, id));
            count++;
        }
    }
    writer_array_close(writer, mark, count);
}

static void answer(struct service_core *service, struct call *call, struct order *order,
                   const int64_t facts[KEY_FACTS_MAX], uint64_t lsn, bool is_duplicate)
{
    int64_t first = facts[FACT_FIRST_PART];
    bool is_known = first + facts[FACT_PARTS] <= order->part_count;
    uint32_t parts = is_known ? (uint32_t)facts[FACT_PARTS] : 0;
    uint32_t before = is_known ? (uint32_t)first : 0;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 7u + is_duplicate);
    put_text(writer, "order_id", order_id(order), order->id_len);
    put_string(writer, "status", order_status_text(order_status_now(order)));
    put_ids(service, writer, "kept", order, before, lsn, false);
    put_ids(service, writer, "changed", order, before, lsn, true);
    writer_str(writer, "fulfilments");
    writer_array(writer, parts);
    for (uint32_t i = 0; i < parts; i++) {
        put_fulfilment(service, writer, order, before + i, false);
    }
    put_owed(service, writer, order);
    if (is_duplicate) {
        put_bool(writer, "duplicate", true);
    }
    put_lsn(service, writer);
    reply_send(service, call);
}

/* -- the change -- */

static bool is_nothing(const struct replan *replan)
{
    const struct effect_replan *effect = &replan->effect;
    return effect->move_count + effect->cancel_count + effect->line_count + effect->owed_count ==
               0 &&
           !effect->has_place && effect->service == replan->order->service;
}

static void modify_take(struct service_core *service, struct call *call, struct replan *replan,
                        const struct effect_key *key)
{
    struct replan_where where = replan_where_of(replan);
    where.lends = true;
    where.allow_partial = replan->order->is_backorder;
    bool is_found = replan_decide(service, replan, &where);
    if (!is_found && !(where.allow_partial &&
                       replan->answer.reason == REASON_INSUFFICIENT_STOCK)) {
        refuse_decision(service, call, replan);
        return;
    }
    replan_owe(service, replan, ORDER_BACKORDERED);
    replan->effect.key = *key;
    int64_t *facts = replan->effect.key.facts;
    facts[FACT_FIRST_PART] = replan->order->part_count;
    facts[FACT_PARTS] = replan->effect.part_count;
    if (replan_has_room(service, call, replan)) {
        uint64_t lsn = replan_take(service, replan);
        answer(service, call, replan->order, facts, lsn, false);
    }
}

static void decide(struct service_core *service, struct call *call, struct modify *modify,
                   slab_ref ref)
{
    struct order *order = order_at(&service->tables.orders, ref);
    struct effect_key key;
    const struct key_entry *seen;
    enum key_result result =
        key_look(service, call, modify->key, content_of(modify), &key, &seen);
    if (result == KEY_SEEN) {
        answer(service, call, order, seen->facts, seen->lsn, true);
        return;
    }
    if (result != KEY_NEW) {
        return;
    }
    if (order->done_ms) {
        refuse_done(service, call, order);
        return;
    }
    struct replan *replan = replan_begin(service, ref, CAUSE_MODIFY);
    if (!place_settle(service, call, modify, replan) ||
        !lines_settle(service, call, modify, replan)) {
        return;
    }
    if (modify->service >= 0) {
        replan->effect.service = (uint8_t)modify->service;
    }
    replan_cancel(replan);
    if (is_nothing(replan)) {
        const int64_t facts[KEY_FACTS_MAX] = {[FACT_FIRST_PART] = order->part_count};
        answer(service, call, order, facts, 0, true);
    } else {
        modify_take(service, call, replan, &key);
    }
}

void handle_order_modify(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct modify modify;
    if (!decode(service, &reader, call, &modify)) {
        reply_invalid(service, call, &reader);
        return;
    }
    slab_ref ref = need_order(service, call, modify.order_id);
    if (ref) {
        decide(service, call, &modify, ref);
    }
}
