/* promise.quote: what each service would promise for a cart and a place, decided as an order
 * would be, and nothing taken. A pure read. */
#include <string.h>

#include "decimal.h"
#include "place_internal.h"

enum {
    QUOTE_LINES_MAX = 50,
    QUOTE_NEAR_MAX = 20,
    QUOTE_MS = 15 * 60000, /* longest validity */
    AT_DAYS_MAX = 60,
    SERVICES_QUOTED =
        1 << SERVICE_STANDARD | 1 << SERVICE_NEXT_DAY | 1 << SERVICE_SAME_DAY | 1 << SERVICE_PICKUP
};

struct quote_line {
    struct text item, line, node;
    char scratch[READER_INT_TEXT_SIZE];
    struct order_kit kit; /* of a component */
};

struct quote {
    struct quote_line lines[QUOTE_LINES_MAX];
    struct route_line route_lines[QUOTE_LINES_MAX];
    uint32_t line_count;
    uint32_t services; /* bit per enum service */
    uint32_t near;     /* pick-up nodes to tell */
    struct place place;
    struct text channel;
    struct route_request request;
    uint64_t valid_until_ms;
};

/* -- reading -- */

static void read_line(struct reader *reader, struct quote_line *line, uint32_t *qty)
{
    static const char *const fields[] = {"item", "qty", "line", "node"};
    struct reader_map map;
    line->item = line->line = line->node = (struct text){"", 0};
    line->kit = (struct order_kit){0, 0, 0};
    reader_map_begin(reader, &map, fields, 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        switch (field) {
        case 0:
            line->item = reader_text(reader, 1, ID_MAX);
            break;
        case 1:
            *qty = (uint32_t)reader_int(reader, 1, QTY_MAX);
            break;
        case 2:
            line->line = reader_text_or_int(reader, line->scratch, 1, ID_MAX);
            break;
        default:
            line->node = reader_text(reader, 1, ID_MAX);
        }
    }
    reader_require(reader, &map, 0);
    reader_require(reader, &map, 1);
}

static void read_lines(struct reader *reader, struct quote *quote)
{
    struct reader_array array;
    quote->line_count = reader_array_begin(reader, &array, QUOTE_LINES_MAX);
    if (reader_is_ok(reader) && quote->line_count == 0) {
        reader_fail(reader, "a cart has at least one line");
    }
    for (uint32_t i = 0; reader_array_next(reader, &array); i++) {
        read_line(reader, &quote->lines[i], &quote->route_lines[i].qty);
    }
}

static uint32_t read_services(struct reader *reader)
{
    struct reader_array array;
    uint32_t bits = 0;
    reader_array_begin(reader, &array, SERVICE_COUNT);
    while (reader_array_next(reader, &array)) {
        int word = reader_word(reader, &names_services);
        bits |= word < 0 ? 0 : 1u << word;
        if (word >= 0 && !(SERVICES_QUOTED >> word & 1)) {
            reader_fail(reader, "only standard, next_day, same_day and pickup are quoted");
        }
    }
    if (reader_is_ok(reader) && !bits) {
        reader_fail(reader, "name at least one, or leave it out for all");
    }
    return bits;
}

static uint32_t read_near(struct reader *reader)
{
    static const char *const fields[] = {"k"};
    struct reader_map map;
    uint32_t k = 3;
    reader_map_begin(reader, &map, fields, 1);
    while (reader_map_next(reader, &map) >= 0) {
        k = (uint32_t)reader_int(reader, 1, QUOTE_NEAR_MAX);
    }
    return k;
}

/* A time from now on, at most so many days ahead. */
static uint64_t read_ahead(const struct service_core *service, struct reader *reader)
{
    uint64_t now_ms = service->now_ms;
    return (uint64_t)reader_int(reader, (int64_t)now_ms,
                                (int64_t)(now_ms + AT_DAYS_MAX * (uint64_t)86400000));
}

static void read_field(struct service_core *service, struct reader *reader, struct quote *quote,
                       int field)
{
    switch (field) {
    case 0:
        read_lines(reader, quote);
        break;
    case 1:
        place_read(reader, &quote->place);
        break;
    case 2:
        quote->services = read_services(reader);
        break;
    case 3:
        quote->near = read_near(reader);
        break;
    case 4:
        quote->channel = reader_text(reader, 1, ID_MAX);
        break;
    case 5:
        quote->request.deliver_after_ms = read_ahead(service, reader);
        break;
    default:
        quote->request.at_ms = read_ahead(service, reader);
    }
}

static void quote_read(struct service_core *service, struct reader *reader, struct quote *quote)
{
    static const char *const fields[] = {"lines",   "dest",          "services", "pickup_near",
                                         "channel", "deliver_after", "at"};
    struct reader_map map;
    quote->line_count = quote->near = 0;
    quote->services = SERVICES_QUOTED;
    quote->place.is_given = false;
    quote->channel = (struct text){"", 0};
    quote->request = (struct route_request){.max_splits = ROUTE_NO_LIMIT,
                                            .max_m = ROUTE_NO_LIMIT,
                                            .country = "",
                                            .postcode = "",
                                            .is_quote = true};
    reader_params(reader, &map, fields, 7);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        read_field(service, reader, quote, field);
    }
    reader_require(reader, &map, 0);
    if (quote->request.at_ms == service->now_ms) {
        quote->request.at_ms = 0; /* now */
    }
    for (uint32_t i = 0; i < quote->line_count && reader_is_ok(reader); i++) {
        if (!quote->place.is_given && !quote->lines[i].node.len) {
            reader_fail(reader, "dest: missing, and lines[%u] names no node", i);
        }
    }
}

static bool names_find_all(struct service_core *service, struct call *call, struct quote *quote)
{
    for (uint32_t i = 0; i < quote->line_count; i++) {
        struct route_line *own = &quote->route_lines[i];
        own->item = need_item(service, call, "item", quote->lines[i].item);
        if (own->item == ITEM_NONE) {
            return false;
        }
        own->node = NODE_NONE;
        own->kit = 0;
        if (quote->lines[i].node.len) {
            own->node = need_node(service, call, "node", quote->lines[i].node);
            if (own->node == NODE_NONE) {
                return false;
            }
        }
    }
    return true;
}

/* Move a line to another place, under the name that it has here. */
static void line_move(struct quote *quote, uint32_t from, uint32_t to)
{
    struct quote_line *line = &quote->lines[to];
    const struct quote_line *old = &quote->lines[from];
    bool is_own = old->line.at == old->scratch;
    if (to != from) {
        *line = *old;
        quote->route_lines[to] = quote->route_lines[from];
    }
    line->line.at = is_own ? line->scratch : line->line.at;
}

/* A line for each component of the kit that line i asks for. False: answered. */
static bool kit_apart(struct service_core *service, struct call *call, struct quote *quote,
                      uint32_t i)
{
    const struct kit *kit = kits_find(&service->tables.kits, quote->route_lines[i].item);
    uint32_t more = kit->count - 1;
    uint32_t qty = quote->route_lines[i].qty;
    if (quote->line_count + more > QUOTE_LINES_MAX) {
        reply_error(service, call, CODE_INVALID_ARGUMENT,
                    "lines: with the components of kits at most %d", QUOTE_LINES_MAX);
        return false;
    }
    for (uint32_t k = quote->line_count; k-- > i + 1;) {
        line_move(quote, k, k + more);
    }
    for (uint32_t k = kit->count; k-- > 0;) {
        const struct item *item = &service->tables.catalogue.items[kit->parts[k].item];
        line_move(quote, i, i + k);
        quote->lines[i + k].item = (struct text){item->id, item->id_len};
        quote->lines[i + k].kit =
            (struct order_kit){quote->route_lines[i].item + 1, kit->parts[k].qty, i};
        quote->route_lines[i + k].qty = qty * kit->parts[k].qty;
        quote->route_lines[i + k].kit = (uint16_t)(i + 1);
        if (k > 0) {
            quote->route_lines[i + k].item = kit->parts[k].item;
        }
    }
    quote->route_lines[i].item = kit->parts[0].item;
    quote->line_count += more;
    return true;
}

/* Components in the place of kits. False: answered. */
static bool kits_apart_all(struct service_core *service, struct call *call, struct quote *quote)
{
    const struct item *items = service->tables.catalogue.items;
    for (uint32_t i = 0; i < quote->line_count && service->tables.kits.count > 0; i++) {
        struct quote_line *line = &quote->lines[i];
        if (line->line.len == 0) { /* its place is not its name any more */
            line->line = (struct text){line->scratch, decimal_put(line->scratch, i + 1)};
        }
    }
    for (uint32_t i = quote->line_count; i-- > 0;) { /* from the last: places before stay */
        if (items[quote->route_lines[i].item].is_kit && !kit_apart(service, call, quote, i)) {
            return false;
        }
    }
    for (uint32_t i = 1; i < quote->line_count; i++) { /* numbers as the lines stand now */
        bool goes_on = quote->lines[i].kit.item && quote->lines[i - 1].kit.item &&
                       quote->route_lines[i].kit == quote->route_lines[i - 1].kit;
        quote->lines[i].kit.first = goes_on ? quote->lines[i - 1].kit.first : i;
    }
    for (uint32_t i = 0; i < quote->line_count; i++) {
        bool is_part = quote->lines[i].kit.item != 0;
        quote->route_lines[i].kit = is_part ? (uint16_t)(quote->lines[i].kit.first + 1) : 0;
    }
    return true;
}

static bool request_fill(struct service_core *service, struct call *call, struct quote *quote)
{
    struct route_request *request = &quote->request;
    request->lines = quote->route_lines;
    request->line_count = quote->line_count;
    request->channel = channel_find(service, quote->channel);
    if (!quote->place.is_given) {
        return true;
    }
    if (!place_point(service, call, "dest", &quote->place, &request->dest)) {
        return false;
    }
    request->has_dest = true;
    request->country = quote->place.country;
    request->postcode = quote->place.postcode;
    request->is_po_box = quote->place.is_po_box;
    return true;
}

/* -- telling -- */

/* Fields of the parts that most of a reply consists of, in line (writer.h says why). */
#define field_int(writer, name, value)                                                             \
    do {                                                                                           \
        writer_str((writer), name);                                                                \
        writer_int((writer), (int64_t)(value));                                                    \
    } while (0)
#define field_text(writer, name, text, len)                                                        \
    do {                                                                                           \
        writer_str((writer), name);                                                                \
        writer_text((writer), (text), (len));                                                      \
    } while (0)
#define field_time(writer, name, minutes) field_int(writer, name, (minutes) * DATE_MINUTE_MS)
#define field_km(writer, name, metres)                                                             \
    do {                                                                                           \
        writer_str((writer), name);                                                                \
        writer_float((writer), (double)(metres) / 1000.0);                                         \
    } while (0)

/* Fields of an entry beside those that put_line writes always. */
static uint32_t kit_fields(const struct quote *quote, uint32_t line)
{
    return quote->lines[line].kit.item != 0;
}

/* Out of line, by a writer of its own: few lines are of a kit. */
static __attribute__((noinline)) struct writer kit_put(const struct service_core *service,
                                                       struct writer writer,
                                                       const struct order_kit *kit)
{
    put_kit(service, &writer, kit);
    return writer;
}

WRITER_INLINE void put_line(const struct service_core *service, struct writer *writer,
                            const struct quote *quote, uint32_t line, uint32_t qty)
{
    const struct quote_line *own = &quote->lines[line];
    char scratch[DECIMAL_MAX];
    if (own->line.len) {
        field_text(writer, "line", own->line.at, own->line.len);
    } else if (line < 9) {
        scratch[0] = (char)('1' + line);
        field_text(writer, "line", scratch, 1);
    } else {
        field_text(writer, "line", scratch, decimal_put(scratch, line + 1));
    }
    if (own->kit.item) {
        *writer = kit_put(service, *writer, &own->kit);
    }
    field_text(writer, "item", own->item.at, own->item.len);
    field_int(writer, "qty", qty);
}

WRITER_INLINE void put_part(const struct service_core *service, struct writer *writer,
                            const struct quote *quote, const struct route_answer *answer,
                            uint32_t index, uint32_t *share)
{
    const struct route_part *part = &answer->parts[index];
    const struct node *node = &service->tables.network.nodes[part->node];
    writer_map(writer, 8);
    field_text(writer, "node", node->id, node->id_len);
    writer_str(writer, "method");
    writer_string(writer, way_text((enum way)part->way));
    field_km(writer, "km", part->metres);
    field_int(writer, "cost_cents", part->cost_cents);
    field_time(writer, "ship_by", part->dates.ship_by_min);
    field_time(writer, "deliver_from", part->dates.from_min);
    field_time(writer, "deliver_by", part->dates.by_min);
    uint32_t end = *share;
    while (end < answer->share_count && answer->shares[end].part == index) {
        end++;
    }
    writer_str(writer, "lines");
    writer_array(writer, end - *share);
    for (; *share < end; ++*share) {
        uint32_t line = answer->shares[*share].line;
        writer_map(writer, 3 + kit_fields(quote, line));
        put_line(service, writer, quote, line, answer->shares[*share].qty);
    }
}

static void put_missing(const struct service_core *service, struct writer *writer,
                        const struct quote *quote,
                        const struct route_answer *answer)
{
    writer_str(writer, "missing");
    writer_array(writer, answer->unfilled_count);
    for (uint32_t i = 0; i < answer->unfilled_count; i++) {
        const struct route_unfilled *own = &answer->unfilled[i];
        writer_map(writer, 5 + kit_fields(quote, own->line));
        put_line(service, writer, quote, own->line, own->qty);
        put_string(writer, "reason", reason_text(own->reason));
        put_int(writer, "available", own->available);
    }
}

/* Until when the option stays what it is, as far as the clock alone goes. */
static uint64_t option_order_by(const struct service_core *service, const struct quote *quote,
                                const struct route_answer *answer)
{
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < answer->part_count; i++) {
        const struct route_part *part = &answer->parts[i];
        uint64_t own = promise_order_by(&service->tables.timing, part->node,
                                        (enum service)part->service, quote->request.at_ms);
        least = own < least ? own : least;
    }
    return least;
}

/* The last of its fulfilments says when all of it is there. */
static void put_promise(const struct service_core *service, struct writer *out,
                        struct quote *quote, const struct route_answer *answer)
{
    struct writer own = *out;
    struct writer *writer = &own;
    uint32_t from = 0;
    uint32_t by = 0;
    uint64_t cents = 0;
    uint64_t order_by_ms = option_order_by(service, quote, answer);
    for (uint32_t i = 0; i < answer->part_count; i++) {
        const struct route_part *part = &answer->parts[i];
        from = part->dates.from_min > from ? part->dates.from_min : from;
        by = part->dates.by_min > by ? part->dates.by_min : by;
        cents += part->cost_cents;
    }
    quote->valid_until_ms =
        order_by_ms < quote->valid_until_ms ? order_by_ms : quote->valid_until_ms;
    field_time(writer, "deliver_from", from);
    field_time(writer, "deliver_by", by);
    field_int(writer, "order_by", (int64_t)order_by_ms);
    field_int(writer, "cost_cents", (int64_t)cents);
    field_km(writer, "km", answer->total_m);
    field_int(writer, "splits", answer->splits);
    writer_str(writer, "fulfilments");
    writer_array(writer, answer->part_count);
    for (uint32_t i = 0, share = 0; i < answer->part_count; i++) {
        put_part(service, writer, quote, answer, i, &share);
    }
    *out = own;
}

/* Units of the line that are not there, after what earlier lines of its item would take. */
static uint32_t line_missing(const struct service_core *service, const struct quote *quote,
                             uint16_t node, uint32_t line)
{
    const struct route_line *own = &quote->route_lines[line];
    struct cell cell = tables_cell(&service->tables, own->item, node);
    struct stock_view view = service->tables.view;
    view.channel = quote->request.channel;
    uint64_t free =
        cell.index < 0 ? 0 : stock_free(&view, own->item, node, tables_word(&cell));
    uint64_t before = 0;
    for (uint32_t i = 0; i < line; i++) {
        before += quote->route_lines[i].item == own->item ? quote->route_lines[i].qty : 0;
    }
    free = free > before ? free - before : 0;
    return free < own->qty ? own->qty - (uint32_t)free : 0;
}

static void put_near(const struct service_core *service, struct writer *out,
                     const struct quote *quote, const struct route_near *near)
{
    struct writer own = *out;
    struct writer *writer = &own;
    const struct node *node = &service->tables.network.nodes[near->node];
    const struct promise_ask ask = {.node = near->node,
                                    .service = SERVICE_PICKUP,
                                    .at_ms = quote->request.at_ms,
                                    .deliver_after_ms = quote->request.deliver_after_ms};
    const struct promise_place nowhere = {.lanes.count = 0};
    struct promise promise;
    uint32_t count = 0;
    promise_make(&service->tables.timing, &ask, &nowhere, &promise);
    writer_map(writer, 4);
    field_text(writer, "node", node->id, node->id_len);
    field_km(writer, "km", near->metres);
    field_int(writer, "ready_at", (int64_t)promise.ship_by_ms);
    writer_str(writer, "missing");
    *out = own;
    uint32_t mark = writer_open(out);
    for (uint32_t i = 0; i < quote->line_count; i++) {
        uint32_t missing = line_missing(service, quote, near->node, i);
        if (missing > 0) {
            writer_map(out, 3 + kit_fields(quote, i));
            put_line(service, out, quote, i, missing);
            count++;
        }
    }
    writer_array_close(out, mark, count);
}

static void put_pickup_nodes(struct service_core *service, struct writer *writer,
                             struct quote *quote)
{
    struct route_near near[QUOTE_NEAR_MAX];
    uint32_t count =
        route_nodes_near(service->route, &service->tables.view, &quote->request, quote->near, near);
    writer_str(writer, "pickup_nodes");
    writer_array(writer, count);
    for (uint32_t i = 0; i < count; i++) {
        put_near(service, writer, quote, &near[i]);
    }
}

static void put_option(struct service_core *service, struct writer *writer, struct quote *quote,
                       enum service own)
{
    struct route_answer answer;
    bool has_near = own == SERVICE_PICKUP && quote->near > 0 && quote->request.has_dest;
    for (uint32_t i = 0; i < quote->line_count; i++) {
        quote->route_lines[i].service = own;
    }
    const struct strategies *strategies = &service->tables.strategies;
    quote->request.strategy = strategies_at(
        strategies, strategies_of(strategies, own, quote->channel.at, quote->channel.len));
    route_decide(service->route, &service->tables.view, &quote->request, &answer);
    bool is_feasible = answer.status == ORDER_ROUTED;
    writer_map(writer, (is_feasible ? 10u : 4u) + has_near);
    writer_str(writer, "service");
    writer_string(writer, service_text(own));
    writer_str(writer, "feasible");
    writer_bool(writer, is_feasible);
    if (is_feasible) {
        put_promise(service, writer, quote, &answer);
    } else {
        put_string(writer, "reason", reason_text(answer.reason));
    }
    put_missing(service, writer, quote, &answer);
    if (has_near) {
        put_pickup_nodes(service, writer, quote);
    }
}

void handle_promise_quote(struct service_core *service, struct call *call)
{
    struct reader reader;
    struct quote quote;
    reader_init(&reader, call->params, call->params_size);
    quote_read(service, &reader, &quote);
    if (!reader_is_ok(&reader)) {
        reply_invalid(service, call, &reader);
        return;
    }
    if (!names_find_all(service, call, &quote) || !kits_apart_all(service, call, &quote) ||
        !request_fill(service, call, &quote)) {
        return;
    }
    uint64_t at_ms = quote.request.at_ms ? quote.request.at_ms : service->now_ms;
    quote.valid_until_ms = at_ms + QUOTE_MS;
    struct writer *writer = reply_begin(service, call);
    writer_map(writer, 3);
    writer_str(writer, "options");
    writer_array(writer, (uint32_t)__builtin_popcount(quote.services));
    for (int i = 0; i < SERVICE_COUNT; i++) {
        if (quote.services >> i & 1) {
            put_option(service, writer, &quote, (enum service)i);
        }
    }
    put_int(writer, "valid_until", (int64_t)quote.valid_until_ms);
    put_lsn(service, writer);
    reply_send(service, call);
}
