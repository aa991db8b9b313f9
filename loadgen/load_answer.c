/* Keys are told apart by length and bytes; whatever is not known is passed over, as the contract
 * demands of clients. */
#include "load_answer.h"

#include "check.h"

bool answer_read(struct answer *answer, const uint8_t *bytes, uint32_t size)
{
    struct cursor cursor = {.at = bytes, .end = bytes + size};
    *answer = (struct answer){0};
    uint32_t count = cursor_array(&cursor);
    int64_t type = cursor_int(&cursor);
    int64_t msgid = cursor_int(&cursor);
    if (cursor.is_bad || count != 4 || type != 1 || msgid < 0 || msgid > UINT32_MAX) {
        return false;
    }
    answer->msgid = (uint32_t)msgid;
    if (cursor_nil(&cursor)) {
        answer->result = cursor;
        return true;
    }
    answer->is_error = true;
    uint32_t parts = cursor_array(&cursor);
    cursor_int(&cursor);
    answer->text = cursor_text(&cursor);
    answer->code = answer->text;
    const char *space =
        answer->text.size > 0 ? memchr(answer->text.at, ' ', answer->text.size) : NULL;
    if (space != NULL) {
        answer->code.size = (uint32_t)(space - answer->text.at);
    }
    return !cursor.is_bad && parts == 2;
}

uint32_t answer_retry_after_ms(const struct answer *answer)
{
    static const char key[] = "retry_after_ms=";
    const char *found = memmem(answer->text.at, answer->text.size, key, sizeof key - 1);
    if (found == NULL) {
        return 0;
    }
    uint32_t value = 0;
    const char *end = answer->text.at + answer->text.size;
    for (const char *at = found + sizeof key - 1; at < end && *at >= '0' && *at <= '9'; at++) {
        value = value > 100000 ? value : value * 10 + (uint32_t)(*at - '0');
    }
    return value;
}

enum answer_status answer_status_of(struct span word)
{
    static const struct {
        const char *word;
        enum answer_status status;
    } words[] = {{"routed", ANSWER_ROUTED},
                 {"refused", ANSWER_REFUSED},
                 {"partial", ANSWER_PARTIAL},
                 {"done", ANSWER_DONE},
                 {"cancelled", ANSWER_CANCELLED}};
    for (uint32_t i = 0; i < sizeof words / sizeof *words; i++) {
        if (strlen(words[i].word) == word.size && memcmp(words[i].word, word.at, word.size) == 0) {
            return words[i].status;
        }
    }
    return ANSWER_OTHER;
}

/* Decimal digits, all of them; UINT32_MAX if there are others, none or too many. */
static uint32_t decimal(const char *at, uint32_t size)
{
    if (size == 0 || size > 9) {
        return UINT32_MAX;
    }
    uint32_t value = 0;
    for (uint32_t i = 0; i < size; i++) {
        if (at[i] < '0' || at[i] > '9') {
            return UINT32_MAX;
        }
        value = value * 10 + (uint32_t)(at[i] - '0');
    }
    return value;
}

/* The n of `<order_id>/<n>`; 0 if it is none. */
static uint32_t fulfilment_number(struct span id)
{
    const char *slash = id.size > 0 ? memrchr(id.at, '/', id.size) : NULL;
    if (slash == NULL) {
        return 0;
    }
    uint32_t number = decimal(slash + 1, id.size - (uint32_t)(slash + 1 - id.at));
    return number > 0x7fff ? 0 : number;
}

static void push(struct route_answer *route, struct cursor *cursor, uint32_t word)
{
    if (route->words_count == FACTS_WORDS_MAX) {
        cursor->is_bad = true;
        return;
    }
    route->words[route->words_count++] = word;
}

/* One `{line, item, qty}` as a word. */
static uint32_t read_line(struct cursor *cursor)
{
    uint32_t line = 0;
    int64_t qty = 0;
    for (uint32_t left = cursor_map(cursor); left > 0 && !cursor->is_bad; left--) {
        struct span key = cursor_text(cursor);
        if (span_is(key, "line")) {
            struct span id = cursor_text(cursor);
            line = decimal(id.at, id.size);
        } else if (span_is(key, "qty")) {
            qty = cursor_int(cursor);
        } else {
            cursor_skip(cursor);
        }
    }
    if (line == 0 || line > 2048 || qty <= 0 || qty >= 1 << FACTS_QTY_BITS) {
        cursor->is_bad = true;
        return 0;
    }
    return (line - 1) << FACTS_QTY_BITS | (uint32_t)qty;
}

static void read_lines(struct route_answer *route, struct cursor *cursor)
{
    uint32_t count = cursor_array(cursor);
    push(route, cursor, count);
    for (; count > 0 && !cursor->is_bad; count--) {
        push(route, cursor, read_line(cursor));
    }
}

/* One fulfilment. Without with_lines its lines are passed over. */
static void read_fulfilment(struct route_answer *route, struct cursor *cursor,
                            const struct id_index *nodes, bool with_lines)
{
    uint32_t number = 0;
    uint32_t node = ID_NONE;
    struct cursor lines = {.is_bad = true};
    for (uint32_t left = cursor_map(cursor); left > 0 && !cursor->is_bad; left--) {
        struct span key = cursor_text(cursor);
        if (span_is(key, "node")) {
            struct span id = cursor_text(cursor);
            node = id_index_find(nodes, id.at, id.size);
        } else if (span_is(key, "fulfilment")) {
            number = fulfilment_number(cursor_text(cursor));
        } else {
            if (span_is(key, "lines")) {
                lines = *cursor;
            }
            cursor_skip(cursor);
        }
    }
    cursor->is_bad = cursor->is_bad || node == ID_NONE || number == 0 || lines.is_bad;
    push(route, cursor, number << 16 | (node & 0xffff));
    if (with_lines && !cursor->is_bad) {
        read_lines(route, &lines);
        cursor->is_bad = lines.is_bad;
    }
}

/* All of them, packed as facts.h tells. Where nothing is unfilled (is_whole) a single one holds the
 * whole order, and its lines need not be read. */
static void read_fulfilments(struct route_answer *route, struct cursor *cursor,
                             const struct id_index *nodes, bool is_whole)
{
    route->words_count = 0;
    uint32_t count = cursor_array(cursor);
    bool with_lines = count != 1 || !is_whole;
    if (with_lines) {
        push(route, cursor, FACTS_SPREAD | count);
    }
    for (uint32_t i = 0; i < count && !cursor->is_bad; i++) {
        read_fulfilment(route, cursor, nodes, with_lines);
    }
    route->is_promised = count > 0;
}

static void read_field(struct route_answer *route, struct cursor *result, struct span key,
                       struct cursor *fulfilments)
{
    if (span_is(key, "status")) {
        route->status = answer_status_of(cursor_text(result));
    } else if (span_is(key, "reason")) {
        route->reason = cursor_text(result);
    } else if (span_is(key, "total_km")) {
        route->total_km = cursor_float(result);
    } else if (span_is(key, "optimal")) {
        route->is_optimal = cursor_bool(result);
    } else if (span_is(key, "duplicate")) {
        route->is_duplicate = cursor_bool(result);
    } else {
        if (span_is(key, "fulfilments")) {
            *fulfilments = *result;
        }
        cursor_skip(result);
    }
}

bool answer_read_route(struct route_answer *route, struct cursor *result,
                       const struct id_index *nodes)
{
    route->status = ANSWER_OTHER;
    route->reason = (struct span){.at = "", .size = 0};
    route->is_duplicate = route->is_optimal = route->is_promised = false;
    route->total_km = 0;
    route->words_count = 0;
    struct cursor fulfilments = {.is_bad = true};
    for (uint32_t left = cursor_map(result); left > 0 && !result->is_bad; left--) {
        struct span key = cursor_text(result);
        read_field(route, result, key, &fulfilments);
    }
    if (!fulfilments.is_bad && route->status != ANSWER_REFUSED) {
        read_fulfilments(route, &fulfilments, nodes, route->status != ANSWER_PARTIAL);
        result->is_bad = result->is_bad || fulfilments.is_bad;
    }
    return !result->is_bad && (route->is_promised || route->status == ANSWER_REFUSED);
}

/* Pack a single fulfilment that holds the whole order as one word. */
static void shorten(struct route_answer *route, const struct order *order)
{
    bool is_whole = route->words[0] == (FACTS_SPREAD | 1) && route->words[2] == order->count;
    for (uint32_t i = 0; is_whole && i < order->count; i++) {
        is_whole = route->words[3 + i] == (i << FACTS_QTY_BITS | order->lines[i].qty);
    }
    if (is_whole) {
        route->words[0] = route->words[1];
        route->words_count = 1;
    }
}

bool answer_read_facts(struct route_answer *route, struct cursor *result,
                       const struct id_index *nodes, const struct order *order)
{
    route->is_promised = false;
    for (uint32_t left = cursor_map(result); left > 0 && !result->is_bad; left--) {
        struct span key = cursor_text(result);
        if (span_is(key, "fulfilments")) {
            read_fulfilments(route, result, nodes, false);
        } else {
            cursor_skip(result);
        }
    }
    if (result->is_bad || !route->is_promised) {
        return false;
    }
    shorten(route, order);
    return true;
}

bool answer_is_refused(struct cursor result, struct span *reason_out)
{
    bool is_refused = false;
    *reason_out = (struct span){.at = "", .size = 0};
    for (uint32_t left = cursor_map(&result); left > 0 && !result.is_bad; left--) {
        struct span key = cursor_text(&result);
        if (span_is(key, "status")) {
            is_refused = answer_status_of(cursor_text(&result)) == ANSWER_REFUSED;
        } else if (span_is(key, "reason")) {
            *reason_out = cursor_text(&result);
        } else {
            cursor_skip(&result);
        }
    }
    return is_refused;
}
