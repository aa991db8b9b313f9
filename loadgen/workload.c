/* Draws orders and writes their requests from pieces made at the start. */
#include "workload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "big_endian.h"
#include "check.h"

#define POPULARITY_EXPONENT 0.8

/* Baskets come with one item index for all stock codes of the file. */
enum { BASKET_ITEMS_MAX = 8192, READ_MOSTLY_LINES = 3 };

static enum err name_items(struct workload *workload, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        char id[16];
        int size = snprintf(id, sizeof id, "SKU-%07u", i);
        CHECK(id_index_add(&workload->items, id, (uint32_t)size) == i);
    }
    return ERR_OK;
}

/* `{"item": id, "qty":` of each item. */
static enum err cut_pieces(struct workload *workload)
{
    static const uint8_t head[] = {0x82, 0xa4, 'i', 't', 'e', 'm'};
    static const uint8_t tail[] = {0xa3, 'q', 't', 'y'};
    workload->pieces = calloc(workload->items.count, sizeof *workload->pieces);
    if (workload->pieces == NULL) {
        return ERR_NOMEM;
    }
    for (uint32_t i = 0; i < workload->items.count; i++) {
        const struct id_name *name = &workload->items.names[i];
        struct item_piece *piece = &workload->pieces[i];
        uint8_t *at = piece->bytes;
        memcpy(at, head, sizeof head);
        at += sizeof head;
        *at++ = (uint8_t)(0xa0 | name->size);
        memcpy(at, name->at, name->size);
        at += name->size;
        memcpy(at, tail, sizeof tail);
        piece->size = (uint8_t)(at + sizeof tail - piece->bytes);
    }
    return ERR_OK;
}

enum err workload_init(struct workload *workload, const struct load_opts *opts,
                       const struct network *network)
{
    bool is_baskets = opts->workload == WORKLOAD_BASKETS;
    *workload = (struct workload){
        .kind = opts->workload,
        .seed = opts->seed,
        .tag = (uint32_t)opts->tag,
        .lines_max = opts->lines,
        .network = network,
    };
    enum err err = id_index_init(&workload->items, is_baskets ? BASKET_ITEMS_MAX : opts->items);
    if (err == ERR_OK) {
        err = is_baskets ? baskets_init(&workload->baskets, opts->data_dir, &workload->items)
                         : name_items(workload, opts->items);
    }
    if (err == ERR_OK) {
        err = cut_pieces(workload);
    }
    if (err == ERR_OK) {
        err = alias_init_zipf(&workload->by_popularity, workload->items.count, POPULARITY_EXPONENT);
    }
    if (err != ERR_OK) {
        workload_close(workload);
    }
    return err;
}

void workload_close(struct workload *workload)
{
    id_index_close(&workload->items);
    free(workload->pieces);
    alias_close(&workload->by_popularity);
    baskets_close(&workload->baskets);
    *workload = (struct workload){0};
}

/* 90 % of orders have 1 to 5 lines, the small ones more often; 9.5 % have 6 to 50, the rest 51
 * to 200. */
static uint32_t consumer_lines(struct rng *rng)
{
    static const uint8_t small[16] = {1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 4, 4, 5};
    uint64_t kind = rng_below(rng, 1000);
    if (kind < 900) {
        return small[rng_below(rng, 16)];
    }
    return kind < 995 ? 6 + (uint32_t)rng_below(rng, 45) : 51 + (uint32_t)rng_below(rng, 150);
}

static uint32_t consumer_qty(struct rng *rng)
{
    uint64_t kind = rng_below(rng, 100);
    if (kind < 80) {
        return 1;
    }
    return kind < 95 ? 2 : 3 + (uint32_t)rng_below(rng, 4);
}

static void draw_consumer(const struct workload *workload, struct rng *rng, uint32_t lines_max,
                          struct order *out)
{
    out->count = consumer_lines(rng);
    out->count = out->count < lines_max ? out->count : lines_max;
    for (uint32_t i = 0; i < out->count; i++) {
        out->lines[i].item = alias_draw(&workload->by_popularity, rng);
        out->lines[i].qty = consumer_qty(rng);
    }
}

/* Two different items, each as likely as any other. */
static void draw_two_line(const struct workload *workload, struct rng *rng, struct order *out)
{
    uint32_t items = workload->items.count;
    out->count = items > 1 ? 2 : 1;
    uint32_t first = (uint32_t)rng_below(rng, items);
    out->lines[0] = (struct order_line){.item = first, .qty = 1};
    if (items > 1) {
        uint32_t step = 1 + (uint32_t)rng_below(rng, items - 1);
        out->lines[1] = (struct order_line){.item = (first + step) % items, .qty = 1};
    }
}

static void draw_basket(const struct workload *workload, struct order *out)
{
    const struct baskets *baskets = &workload->baskets;
    uint32_t index = (uint32_t)((out->number + workload->seed) % baskets->count);
    uint32_t start = baskets->starts[index];
    out->count = baskets->starts[index + 1] - start;
    out->count = out->count < workload->lines_max ? out->count : workload->lines_max;
    CHECK(out->count <= ORDER_LINES_MAX);
    for (uint32_t i = 0; i < out->count; i++) {
        const struct basket_line *line = &baskets->lines[start + i];
        out->lines[i] = (struct order_line){.item = line->item, .qty = line->qty};
    }
}

void workload_draw(const struct workload *workload, uint64_t number, struct order *out)
{
    struct rng rng;
    rng_init(&rng, workload->seed * 0xd1342543de82ef95u + number);
    out->number = number;
    network_draw_place(workload->network, &rng, &out->lat, &out->lon);
    switch (workload->kind) {
    case WORKLOAD_TWO_LINE:
        draw_two_line(workload, &rng, out);
        break;
    case WORKLOAD_BASKETS:
        draw_basket(workload, out);
        break;
    case WORKLOAD_HOT:
        out->count = 1;
        out->lines[0] = (struct order_line){.item = 0, .qty = 1};
        break;
    case WORKLOAD_READ_MOSTLY:
        draw_consumer(
            workload, &rng,
            workload->lines_max < READ_MOSTLY_LINES ? workload->lines_max : READ_MOSTLY_LINES, out);
        break;
    case WORKLOAD_SAME_DAY: /* what fits into one bag, from one store */
        draw_consumer(workload, &rng, 2, out);
        break;
    case WORKLOAD_CONSUMER:
        draw_consumer(workload, &rng, workload->lines_max, out);
        break;
    case WORKLOAD_COUNT:
        CHECK_UNREACHABLE("workload kind");
    }
}

static void put_hex(char *at, uint64_t value, uint32_t digits)
{
    for (uint32_t i = digits; i > 0; i--) {
        at[i - 1] = "0123456789abcdef"[value & 15];
        value >>= 4;
    }
}

void workload_order_id(const struct workload *workload, uint64_t number, char out[ORDER_ID_SIZE])
{
    put_hex(out, workload->tag, 7);
    out[7] = '-';
    put_hex(out + 8, number, 12);
}

bool workload_order_number(const struct workload *workload, const char *id, uint32_t size,
                           uint64_t *out)
{
    if (size != ORDER_ID_SIZE) {
        return false;
    }
    uint64_t number = 0;
    for (uint32_t i = 8; i < ORDER_ID_SIZE; i++) {
        uint64_t digit = id[i] <= '9' ? (uint64_t)(id[i] - '0') : (uint64_t)(id[i] - 'a' + 10);
        number = number << 4 | (digit & 15);
    }
    char expected[ORDER_ID_SIZE];
    workload_order_id(workload, number, expected);
    *out = number;
    return memcmp(expected, id, ORDER_ID_SIZE) == 0;
}

/* Copy a literal without its NUL. */
#define PUT(at, literal)                                                                           \
    do {                                                                                           \
        memcpy((at), (literal), sizeof(literal) - 1);                                              \
        (at) += sizeof(literal) - 1;                                                               \
    } while (0)

static uint8_t *put_uint(uint8_t *at, uint32_t value)
{
    if (value < 0x80) {
        *at = (uint8_t)value;
        return at + 1;
    }
    *at = 0xce;
    be32_store(at + 1, value);
    return at + 5;
}

static uint8_t *put_float(uint8_t *at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *at = 0xcb;
    be64_store(at + 1, bits);
    return at + 9;
}

static uint8_t *put_lines(const struct workload *workload, const struct order *order, uint8_t *at)
{
    if (order->count < 16) {
        *at++ = (uint8_t)(0x90 | order->count);
    } else {
        *at = 0xdc;
        be16_store(at + 1, (uint16_t)order->count);
        at += 3;
    }
    for (uint32_t i = 0; i < order->count; i++) {
        const struct item_piece *piece = &workload->pieces[order->lines[i].item];
        memcpy(at, piece->bytes, sizeof piece->bytes);
        at = put_uint(at + piece->size, order->lines[i].qty);
    }
    return at;
}

uint32_t workload_encode(const struct workload *workload, const struct order *order, uint32_t msgid,
                         uint8_t *at)
{
    uint8_t *begin = at;
    PUT(at, "\x94\x00\xce");
    be32_store(at, msgid);
    at += 4;
    PUT(at, "\xab"
            "order.route\x91\x84\xa8"
            "order_id\xb4");
    workload_order_id(workload, order->number, (char *)at);
    at += ORDER_ID_SIZE;
    PUT(at, "\xa5lines");
    at = put_lines(workload, order, at);
    if (workload->kind == WORKLOAD_SAME_DAY) {
        PUT(at, "\xa7service\xa8same_day");
    } else {
        PUT(at, "\xa7service\xa8standard");
    }
    PUT(at, "\xa4"
            "dest\x82\xa3lat");
    at = put_float(at, order->lat);
    PUT(at, "\xa3lon");
    at = put_float(at, order->lon);
    return (uint32_t)(at - begin);
}
