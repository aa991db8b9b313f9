/* A stream of mixed requests from a seed. */
#include "ask_stream.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "service_harness.h"

enum {
    NODES = 24,
    ITEMS = 36,
    HOT = 3,
    RULES = 5, /* names of strategies */
    LATE = 8, /* more items, and one more node, that are put under way */
    FIRST_PART = 4300, /* more than one batch of 4,096 */
    OTHER_PART = 900,
    HEAD = NODES + ITEMS + NODES * ITEMS / 2
};

_Static_assert(HEAD + FIRST_PART + (ASK_STREAM_PARTS - 1) * OTHER_PART <= ASK_STREAM_MAX,
               "every request of the stream has its place");

/* A node's status ends between the first two, keys and orders leave before the third. */
const uint64_t ask_stream_ms[ASK_STREAM_PARTS] = {1790000000000, 1790000005000, 1790000606000};

/* -- what is asked -- */

static uint32_t draw(struct ask_stream *stream, uint32_t below)
{
    return (uint32_t)rng_below(&stream->rng, below);
}

static const char *pick(struct ask_stream *stream, const char *const *words, uint32_t count)
{
    return words[draw(stream, count)];
}

__attribute__((format(printf, 3, 4))) static void ask(struct ask_stream *stream, const char *method,
                                                      const char *format, ...)
{
    va_list args;
    CHECK(stream->count < ASK_STREAM_MAX);
    struct ask_request *request = &stream->requests[stream->count++];
    *request = (struct ask_request){.part = stream->part, .method = method};
    request->conn = stream->has_loads ? 0 : draw(stream, HARNESS_CONNS);
    va_start(args, format);
    int len = vasprintf(&request->params, format, args);
    va_end(args);
    CHECK(len > 0);
}

struct text_buffer {
    char text[ASK_TEXT_MAX];
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct text_buffer *buffer,
                                                      const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(buffer->text + buffer->len, ASK_TEXT_MAX - buffer->len, format, args);
    va_end(args);
    CHECK(len >= 0);
    buffer->len += (size_t)len;
    CHECK(buffer->len < ASK_TEXT_MAX);
}

/* A third of all meets at a few items. */
static uint32_t some_item(struct ask_stream *stream)
{
    return draw(stream, draw(stream, 3) ? ITEMS : HOT);
}

/* One line; now and then of an item that nobody knows, or more than there can be. */
static void add_line(struct ask_stream *stream, struct text_buffer *order, uint32_t at)
{
    uint32_t rare = draw(stream, 60);
    uint32_t item = rare ? some_item(stream) : ITEMS + draw(stream, LATE);
    add(order, "%s{'item':'i%u','qty':%u", at ? "," : "", item,
        rare == 1 ? 5000 : 1 + draw(stream, 3));
    if (draw(stream, 25) == 0) {
        add(order, ",'node':'n%u'", draw(stream, NODES));
    } else if (draw(stream, 25) == 0) {
        add(order, ",'service':'pickup','pickup_node':'n%u'", draw(stream, NODES));
    } else if (draw(stream, 25) == 0) {
        add(order, ",'service':'same_day'");
    }
    if (draw(stream, 20) == 0) {
        add(order, ",'line':'x%u'", draw(stream, 4));
    }
    add(order, "}");
}

static void add_place(struct ask_stream *stream, struct text_buffer *order)
{
    if (draw(stream, 3) == 0) {
        add(order, ",'dest':{'country':'US','postcode':'%05u'%s}", 10000 + draw(stream, 12) * 100,
            draw(stream, 8) ? "" : ",'po_box':true");
        return;
    }
    add(order, ",'dest':{'lat':%.2f,'lon':%.2f}", 38 + draw(stream, 400) / 100.0,
        -76 + draw(stream, 400) / 100.0);
}

/* What an order may ask beside its lines. */
static void add_wishes(struct ask_stream *stream, struct text_buffer *order)
{
    if (draw(stream, 4) == 0) {
        add(order, ",'allow_partial':true");
    }
    if (draw(stream, 8) == 0) {
        add(order, ",'max_splits':%u", draw(stream, 3));
    }
    if (draw(stream, 10) == 0) {
        add(order, ",'max_km':%u", 50 + draw(stream, 300));
    }
    if (draw(stream, 10) == 0) {
        add(order, ",'explain':%u", 1 + draw(stream, 2));
    }
    if (draw(stream, 12) == 0) {
        add(order, ",'dry_run':true");
    }
    if (draw(stream, 12) == 0) {
        add(order, ",'exclude_nodes':['n%u','n%u']", draw(stream, NODES / 2),
            NODES / 2 + draw(stream, NODES / 2));
    }
    if (draw(stream, 10) == 0) {
        add(order, ",'ref':'r%u'", draw(stream, 100));
    }
    if (stream->has_rules && draw(stream, 8) == 0) {
        add(order, ",'strategy':'s%u'", draw(stream, RULES));
    }
}

/* One new order in nine has an id that another has or had: same id, other content. */
static void ask_order(struct ask_stream *stream)
{
    static const char *const services[] = {"standard", "standard", "standard", "next_day",
                                           "same_day", "pickup"};
    struct text_buffer order = {"", 0};
    bool is_old = stream->orders > 0 && draw(stream, 9) == 0;
    const char *service = pick(stream, services, 6);
    uint32_t lines = draw(stream, 4) ? 1 + draw(stream, 3) : 1 + draw(stream, 9);
    add(&order, "{'order_id':'o%u','service':'%s','lines':[",
        is_old ? draw(stream, stream->orders) : stream->orders++, service);
    for (uint32_t i = 0; i < lines; i++) {
        add_line(stream, &order, i);
    }
    add(&order, "]");
    if (strcmp(service, "pickup") == 0) {
        add(&order, ",'pickup_node':'n%u'", draw(stream, NODES));
    }
    add_place(stream, &order);
    add_wishes(stream, &order);
    add(&order, "}");
    memcpy(stream->last_order, order.text, sizeof order.text);
    ask(stream, "order.route", "%s", order.text);
}

/* An order of the last few, which the same batch may hold, or of any. */
static uint32_t some_order(struct ask_stream *stream)
{
    uint32_t near = stream->orders < 8 ? stream->orders : 8;
    if (stream->orders == 0) {
        return 0;
    }
    return draw(stream, 3) ? stream->orders - 1 - draw(stream, near)
                           : draw(stream, stream->orders);
}

/* Half of the changes with a key, and few keys: seen again, with the same or another content. */
static const char *some_key(struct ask_stream *stream, char out[32])
{
    out[0] = '\0';
    if (draw(stream, 2)) {
        snprintf(out, 32, ",'key':'k%u'", draw(stream, 900));
    }
    return out;
}

static void ask_life(struct ask_stream *stream)
{
    static const char *const states[] = {"accepted", "picked",    "packed",  "shipped", "delivered",
                                         "ready",    "collected", "no_show", "shipped", "rejected"};
    char key[32];
    uint32_t order = some_order(stream);
    if (draw(stream, 4) == 0) {
        ask(stream, "fulfil.update",
            "{'fulfilment':'o%u/%u','state':'%s','lines':[{'line':'1','qty':1}]%s}", order,
            1 + draw(stream, 2), pick(stream, states, 10), some_key(stream, key));
    } else if (draw(stream, 3)) {
        ask(stream, "fulfil.update", "{'fulfilment':'o%u/%u','state':'%s','tracking':'t%u'%s}",
            order, 1 + (draw(stream, 5) == 0), pick(stream, states, 10), order,
            some_key(stream, key));
    } else if (draw(stream, 2)) {
        ask(stream, "order.cancel", "{'order_id':'o%u'%s}", order, some_key(stream, key));
    } else {
        ask(stream, "order.cancel", "{'order_id':'o%u','lines':[{'line':'1','qty':1}]%s}", order,
            some_key(stream, key));
    }
}

/* Times of fact lie in the last second before the part's time. */
static unsigned long long some_time(struct ask_stream *stream)
{
    return ask_stream_ms[stream->part] - draw(stream, 1000);
}

static void ask_stock(struct ask_stream *stream)
{
    char key[32];
    uint32_t item = draw(stream, 40) ? some_item(stream) : ITEMS + draw(stream, LATE);
    uint32_t node = draw(stream, NODES + (draw(stream, 40) == 0));
    switch (draw(stream, 25) ? draw(stream, 5) : 5) {
    case 0:
    case 1:
        ask(stream, "stock.adjust", "{'item':'i%u','node':'n%u','delta':%d%s}", item, node,
            (int)draw(stream, 20) - 3, some_key(stream, key));
        break;
    case 2:
        ask(stream, "stock.adjust", "{'item':'i%u','node':'n%u','delta':%d,'at':%llu}", item, node,
            (int)draw(stream, 20) - 3, some_time(stream));
        break;
    case 3:
        ask(stream, "stock.set", "{'item':'i%u','node':'n%u','on_hand':%u%s}", item, node,
            draw(stream, 9), some_key(stream, key));
        break;
    case 4:
        ask(stream, "stock.set", "{'item':'i%u','node':'n%u','on_hand':%u,'counted_at':%llu}", item,
            node, draw(stream, 9), some_time(stream));
        break;
    default:
        ask(stream, "stock.policy", "{'item':'i%u','node':'n%u','safety_stock':%u,'listed':%s%s}",
            item, node, draw(stream, 3), draw(stream, 5) ? "true" : "false",
            some_key(stream, key));
    }
}

static void ask_node_put(struct ask_stream *stream, uint32_t node)
{
    static const char *const types[] = {"store", "warehouse", "vendor"};
    static const char *const rules[] = {"", ",'serves':['US','-US:105']", ",'serves':['US:10']",
                                        ",'bars':['cold']", ",'safety_stock':1",
                                        ",'max_km':{'standard':250}"};
    char costs[80] = "";
    if (stream->has_rules) {
        snprintf(costs, sizeof costs, ",'country':'US','postcode':'%05u','handling_cents':%u",
                 10000 + draw(stream, 30) * 100, draw(stream, 3) * 100);
    }
    ask(stream, "node.put",
        "{'node':'n%u','type':'%s','lat':%.2f,'lon':%.2f,'priority':%u%s%s,"
        "'services':['ship','same_day','pickup']}",
        node, pick(stream, types, 3), 38 + draw(stream, 400) / 100.0,
        -76 + draw(stream, 400) / 100.0, draw(stream, 8) == 0, pick(stream, rules, 6), costs);
}

static void ask_item_put(struct ask_stream *stream, uint32_t item)
{
    static const char *const rules[] = {"", ",'flags':['cold']", ",'flags':['no_ship_from_store']",
                                        ",'flags':['no_same_day']", ",'not_to':['US:107']",
                                        ",'flags':[],'not_to':[]"};
    ask(stream, "item.put", "{'item':'i%u','weight_g':%u%s}", item, 1 + draw(stream, 900),
        pick(stream, rules, draw(stream, 2) ? 1 : 6));
}

/* The network changes under way: some nodes pause, some until a time between two parts. */
static void ask_network(struct ask_stream *stream)
{
    char key[32];
    uint32_t node = draw(stream, NODES + 1);
    switch (draw(stream, 6)) {
    case 0:
        ask_node_put(stream, node);
        break;
    case 1:
        ask_item_put(stream, draw(stream, ITEMS + LATE));
        break;
    case 2:
        ask(stream, "node.status", "{'node':'n%u','status':'on_hold','until':%llu%s}", node,
            (unsigned long long)ask_stream_ms[stream->part] + 1000, some_key(stream, key));
        break;
    case 3: /* short enough to be done at once */
        ask(stream, "place.load", "{'country':'US','rows':[['10%u',%u,-74]]}", draw(stream, 10),
            38 + draw(stream, 4));
        break;
    default:
        ask(stream, "node.status", "{'node':'n%u','status':'active'}", node);
    }
}

static void ask_read(struct ask_stream *stream)
{
    switch (draw(stream, 7)) {
    case 0:
        ask(stream, "stock.get", "{'item':'i%u','node':'n%u','holds':true}", draw(stream, ITEMS),
            draw(stream, NODES));
        break;
    case 1:
        ask(stream, "stock.find", "{'items':[{'item':'i%u'},{'item':'i%u'}],'dest':{'lat':40,"
            "'lon':-74}}", draw(stream, ITEMS), draw(stream, ITEMS + 3));
        break;
    case 2:
        ask(stream, "fulfil.list", "{'node':'n%u','limit':5}", draw(stream, NODES));
        break;
    case 3:
        ask(stream, "stock.list", "{'node':'n%u'}", draw(stream, NODES));
        break;
    case 4:
        ask(stream, "node.get", "{'node':'n%u'}", draw(stream, NODES));
        break;
    default:
        ask(stream, "order.get", "{'order_id':'o%u'}", some_order(stream));
    }
}

static void ask_load(struct ask_stream *stream)
{
    struct text_buffer rows = {"", 0};
    char key[32];
    for (uint32_t item = draw(stream, 3); item < ITEMS; item += 1 + draw(stream, 6)) {
        add(&rows, "%s['i%u',%u]", rows.len ? "," : "", item, draw(stream, 9));
    }
    ask(stream, "stock.load", "{'node':'n%u','rows':[%s],'basis':'%s','absent':'%s'%s}",
        draw(stream, NODES), rows.text, draw(stream, 2) ? "on_hand" : "available",
        draw(stream, 4) ? "keep" : "zero", some_key(stream, key));
}

/* Rows from some areas of nodes to some of destinations. */
static void ask_carrier(struct ask_stream *stream)
{
    static const char *const origins[] = {"US", "US:1", "US:10", "US:12", "US:101"};
    static const char *const dests[] = {"US", "US:10", "US:107", "US:11"};
    struct text_buffer rows = {"", 0};
    for (uint32_t i = 0; i < 6; i++) {
        add(&rows, "%s['%s','%s','%s',%u,%u,%u]", i ? "," : "",
            draw(stream, 4) ? "standard" : "next_day", pick(stream, origins, 5),
            pick(stream, dests, 4), 1 + draw(stream, 3), draw(stream, 9) * 100,
            draw(stream, 3) * 50);
    }
    ask(stream, "carrier.load", "{'carrier':'c%u','rows':[%s]}", draw(stream, 3), rows.text);
}

/* Strategies of a few names, and which of them decides. */
static void ask_rule(struct ask_stream *stream)
{
    static const char *const bodies[] = {
        "'mode':'lexicographic','terms':[{'term':'distance','band':100},{'term':'load'},"
        "{'term':'cost'},{'term':'acceptance'}]",
        "'mode':'weighted','terms':[{'term':'distance','weight':1},{'term':'load','weight':20},"
        "{'term':'cost','weight':0.1},{'term':'acceptance','weight':3}]",
        "'mode':'lexicographic','terms':[{'term':'load'},{'term':'scarcity','band':10},"
        "{'term':'distance'}],'fences':[{'fence':'max_load','value':40}]",
        "'mode':'weighted','terms':[{'term':'distance','weight':1},"
        "{'term':'scarcity','weight':2}],'fences':[{'fence':'max_km','value':300},"
        "{'fence':'keep_last','value':1}]",
    };
    static const char *const services[] = {"", ",'service':'standard'", ",'service':'next_day'"};
    if (draw(stream, 4) == 0) {
        ask_carrier(stream);
    } else if (draw(stream, 3) == 0) {
        ask(stream, "strategy.put", "{'name':'s%u',%s}", draw(stream, RULES),
            pick(stream, bodies, 4));
    } else {
        ask(stream, "strategy.activate", "{'name':'s%u'%s}", draw(stream, RULES),
            pick(stream, services, 3));
    }
}

static void ask_any(struct ask_stream *stream)
{
    uint32_t what = draw(stream, 100);
    if (stream->has_rules && draw(stream, 60) == 0) {
        ask_rule(stream);
        return;
    }
    if (stream->has_loads && draw(stream, 40) == 0) {
        ask_load(stream);
    } else if (what < 45) {
        ask_order(stream);
    } else if (what < 50 && stream->orders) {
        ask(stream, "order.route", "%s", stream->last_order);
    } else if (what < 70) {
        ask_life(stream);
    } else if (what < 90) {
        ask_stock(stream);
    } else if (what < 93) {
        ask_network(stream);
    } else {
        ask_read(stream);
    }
}

/* The nodes, the items, and every second cell with some stock. */
static void head_fill(struct ask_stream *stream)
{
    for (uint32_t node = 0; node < NODES; node++) {
        ask_node_put(stream, node);
    }
    for (uint32_t item = 0; item < ITEMS; item++) {
        ask_item_put(stream, item);
    }
    for (uint32_t i = 0; i < NODES * ITEMS / 2; i++) {
        ask(stream, "stock.set", "{'item':'i%u','node':'n%u','on_hand':%u}", i % ITEMS,
            i / ITEMS * 2 + i % 2, draw(stream, 12));
    }
}

static void stream_fill(struct ask_stream *stream)
{
    head_fill(stream);
    for (stream->part = 0; stream->part < ASK_STREAM_PARTS; stream->part++) {
        uint32_t count = stream->part ? OTHER_PART : FIRST_PART;
        for (uint32_t i = 0; i < count; i++) {
            ask_any(stream);
        }
    }
}

struct ask_stream *ask_stream_new(uint64_t seed, bool has_loads, bool has_rules)
{
    struct ask_stream *stream = calloc(1, sizeof *stream);
    CHECK(stream);
    rng_init(&stream->rng, seed);
    stream->has_loads = has_loads;
    stream->has_rules = has_rules;
    stream_fill(stream);
    return stream;
}

void ask_stream_free(struct ask_stream *stream)
{
    for (uint32_t i = 0; i < stream->count; i++) {
        free(stream->requests[i].params);
    }
    free(stream);
}
