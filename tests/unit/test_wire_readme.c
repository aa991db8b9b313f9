/* Reads proto/README.md back: each example's bytes and its text are the same value, to our frame
 * scan, reader and writer and to msgpack-c; and the page has every word of names.h.
 * Argument: the path of the page. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <msgpack.h>

#include "frame.h"
#include "reader.h"
#include "writer.h"

enum { PAGE_SIZE_MAX = 128 * 1024, EXAMPLE_SIZE_MAX = 4096, LEVELS = 16 };

static const char *page_path;
static char page[PAGE_SIZE_MAX];

/* One fenced block. */
struct example {
    char name[64];
    char mark; /* '>' to the server, '<' from it, '~' to it and not the smallest encodings */
    uint8_t bytes[EXAMPLE_SIZE_MAX];
    uint32_t size;
    char text[EXAMPLE_SIZE_MAX];
    uint32_t text_len;
};

static int read_page(void **state)
{
    (void)state;
    FILE *file = fopen(page_path, "rb");
    if (file == NULL) {
        return -1;
    }
    size_t size = fread(page, 1, sizeof page - 1, file);
    fclose(file);
    page[size] = 0;
    return size > 0 && size < sizeof page - 1 ? 0 : -1;
}

static void add_hex(struct example *example, char mark, const char *line, const char *end)
{
    example->mark = mark;
    while (line < end) {
        char *next;
        unsigned long byte = strtoul(line, &next, 16);
        assert_true(next == line + 3 && byte < 256 && example->size < EXAMPLE_SIZE_MAX);
        example->bytes[example->size++] = (uint8_t)byte;
        line = next;
    }
}

/* Lines of text are joined by a space. line stands on the one before it. */
static void add_text(struct example *example, const char *line, const char *end)
{
    line += example->text_len == 0;
    size_t len = (size_t)(end - line);
    assert_true(example->text_len + len < EXAMPLE_SIZE_MAX);
    memcpy(example->text + example->text_len, line, len);
    example->text_len += (uint32_t)len;
    example->text[example->text_len] = 0;
}

/* The next example from *at on; false when there is none. */
static bool next_example(const char **at, struct example *example)
{
    static const char fence[] = "\n```hex ";
    const char *start = strstr(*at, fence);
    *example = (struct example){.mark = 0};
    if (start == NULL) {
        return false;
    }
    assert_int_equal(sscanf(start + sizeof fence - 1, "%63s", example->name), 1);
    const char *line = strchr(start + 1, '\n') + 1;
    while (strncmp(line, "```", 3) != 0) {
        const char *end = strchr(line, '\n');
        assert_non_null(end);
        if (*line == '=') {
            add_text(example, line + 1, end);
        } else {
            assert_true(*line == '>' || *line == '<' || *line == '~');
            add_hex(example, *line, line + 1, end);
        }
        line = end + 1;
    }
    *at = line;
    return true;
}

/* Text to MessagePack: one level per open bracket. */
struct packing {
    struct writer writer;
    uint32_t depth;
    struct {
        uint32_t mark;
        uint32_t values;
    } levels[LEVELS + 1];
};

static void open_level(struct packing *packing)
{
    packing->levels[packing->depth].values++;
    assert_true(packing->depth < LEVELS);
    packing->depth++;
    packing->levels[packing->depth].values = 0;
    packing->levels[packing->depth].mark = writer_open(&packing->writer);
}

static void close_level(struct packing *packing, char bracket)
{
    assert_true(packing->depth > 0);
    uint32_t mark = packing->levels[packing->depth].mark;
    uint32_t values = packing->levels[packing->depth].values;
    packing->depth--;
    if (bracket == '}') {
        writer_map_close(&packing->writer, mark, values / 2);
    } else {
        writer_array_close(&packing->writer, mark, values);
    }
}

/* A text or, with a b before it, a bin; gives what is behind it. */
static const char *pack_text(struct writer *writer, const char *at)
{
    bool is_bin = *at == 'b';
    const char *start = at + (is_bin ? 2 : 1);
    const char *end = strchr(start, '"');
    assert_non_null(end);
    uint32_t len = (uint32_t)(end - start);
    assert_null(memchr(start, '\\', len));
    if (is_bin) {
        writer_byte(writer, 0xc4);
        writer_byte(writer, (uint8_t)len);
        writer_raw(writer, start, len);
    } else {
        writer_text(writer, start, len);
    }
    return end + 1;
}

static const char *pack_number(struct writer *writer, const char *at)
{
    char *end;
    size_t len = strspn(at, "-+0123456789.eE");
    assert_true(len > 0);
    if (memchr(at, '.', len) != NULL) {
        writer_float(writer, strtod(at, &end));
    } else {
        writer_int(writer, strtoll(at, &end, 10));
    }
    assert_true(end == at + len);
    return end;
}

static const char *pack_scalar(struct packing *packing, const char *at)
{
    packing->levels[packing->depth].values++;
    if (*at == '"' || strncmp(at, "b\"", 2) == 0) {
        return pack_text(&packing->writer, at);
    }
    if (strncmp(at, "null", 4) == 0) {
        writer_nil(&packing->writer);
        return at + 4;
    }
    if (*at == 't' || *at == 'f') {
        writer_bool(&packing->writer, *at == 't');
        return at + (*at == 't' ? 4 : 5);
    }
    return pack_number(&packing->writer, at);
}

/* Pack the text of an example; gives the size. */
static uint32_t pack(const char *text, uint8_t *out)
{
    static struct packing packing;
    packing.depth = 0;
    packing.levels[0].values = 0;
    writer_init(&packing.writer, out, EXAMPLE_SIZE_MAX);
    for (const char *at = text; *at != 0;) {
        if (strchr(" ,:", *at) != NULL) {
            at++;
        } else if (*at == '[' || *at == '{') {
            open_level(&packing);
            at++;
        } else if (*at == ']' || *at == '}') {
            close_level(&packing, *at++);
        } else {
            at = pack_scalar(&packing, at);
        }
    }
    assert_int_equal(packing.depth, 0);
    assert_int_equal(packing.levels[0].values, 1);
    assert_false(packing.writer.is_full);
    return writer_size(&packing.writer);
}

/* MessagePack to text, by the reader. */
struct showing {
    struct reader reader;
    uint32_t depth;
    struct {
        bool is_map;
        struct reader_map map;
        struct reader_array array;
        uint32_t count;
    } levels[LEVELS];
    char text[EXAMPLE_SIZE_MAX];
    uint32_t len;
};

__attribute__((format(printf, 2, 3))) static void show(struct showing *showing, const char *format,
                                                       ...)
{
    va_list args;
    va_start(args, format);
    int len =
        vsnprintf(showing->text + showing->len, EXAMPLE_SIZE_MAX - showing->len, format, args);
    va_end(args);
    assert_true(len >= 0 && showing->len + (uint32_t)len < EXAMPLE_SIZE_MAX);
    showing->len += (uint32_t)len;
}

/* The shortest digits that give the number back, with a point. */
static void show_float(struct showing *showing, double number)
{
    char digits[40];
    for (int precision = 1; precision <= 17; precision++) {
        snprintf(digits, sizeof digits, "%.*g", precision, number);
        if (strtod(digits, NULL) == number) {
            break;
        }
    }
    show(showing, "%s%s", digits, strchr(digits, '.') == NULL ? ".0" : "");
}

static void show_open(struct showing *showing, bool is_map)
{
    assert_true(showing->depth < LEVELS);
    uint32_t level = showing->depth++;
    showing->levels[level].is_map = is_map;
    showing->levels[level].count = 0;
    if (is_map) {
        reader_map_begin(&showing->reader, &showing->levels[level].map, NULL, 0);
    } else {
        reader_array_begin(&showing->reader, &showing->levels[level].array, 1000);
    }
    show(showing, "%s", is_map ? "{" : "[");
}

static void show_value(struct showing *showing)
{
    struct text text;
    enum reader_kind kind = reader_peek(&showing->reader);
    if (kind == READER_KIND_MAP || kind == READER_KIND_ARRAY) {
        show_open(showing, kind == READER_KIND_MAP);
    } else if (kind == READER_KIND_TEXT) {
        text = reader_text(&showing->reader, 0, UINT32_MAX);
        show(showing, "\"%.*s\"", (int)text.len, text.at);
    } else if (kind == READER_KIND_INT) {
        show(showing, "%" PRId64, reader_int(&showing->reader, INT64_MIN, INT64_MAX));
    } else if (kind == READER_KIND_FLOAT) {
        show_float(showing, reader_float(&showing->reader, -1e300, 1e300));
    } else if (kind == READER_KIND_BOOL) {
        show(showing, "%s", reader_bool(&showing->reader) ? "true" : "false");
    } else {
        assert_true(reader_nil(&showing->reader));
        show(showing, "null");
    }
}

/* Step to the next value of the innermost level; false, and closed, at its end. */
static bool show_next(struct showing *showing)
{
    uint32_t level = showing->depth - 1;
    struct text key = {"", 0};
    bool is_map = showing->levels[level].is_map;
    bool has_next = is_map
                        ? reader_map_next_key(&showing->reader, &showing->levels[level].map, &key)
                        : reader_array_next(&showing->reader, &showing->levels[level].array);
    if (!has_next) {
        show(showing, "%s", is_map ? "}" : "]");
        showing->depth--;
        return false;
    }
    show(showing, "%s", showing->levels[level].count++ > 0 ? ", " : "");
    if (is_map) {
        show(showing, "\"%.*s\": ", (int)key.len, key.at);
    }
    return true;
}

static const char *text_of(const uint8_t *bytes, uint32_t size)
{
    static struct showing showing;
    showing.depth = showing.len = 0;
    reader_init(&showing.reader, bytes, size);
    do {
        show_value(&showing);
        while (showing.depth > 0 && !show_next(&showing)) {
            continue;
        }
    } while (showing.depth > 0);
    assert_string_equal(reader_error(&showing.reader), "");
    assert_int_equal(reader_peek(&showing.reader), READER_KIND_NONE);
    return showing.text;
}

/* The reader takes str and bin alike: drop the b of b"...". */
static void drop_bin_marks(char *text)
{
    char *to = text;
    for (const char *from = text; *from != 0; from++) {
        bool is_mark = from[0] == 'b' && from[1] == '"' && (from == text || from[-1] != '"') &&
                       strchr("[{ ", from == text ? ' ' : from[-1]) != NULL;
        if (!is_mark) {
            *to++ = *from;
        }
    }
    *to = 0;
}

/* Calls check on each example of the page; at least count of them. */
static void for_each(void (*check)(struct example *example), uint32_t count)
{
    static struct example example;
    const char *at = page;
    uint32_t found = 0;
    while (next_example(&at, &example)) {
        print_message("example %s\n", example.name);
        check(&example);
        found++;
    }
    assert_true(found >= count);
}

static void check_writer(struct example *example)
{
    uint8_t bytes[EXAMPLE_SIZE_MAX];
    uint32_t size = pack(example->text, bytes);
    if (example->mark != '~') {
        assert_int_equal(size, example->size);
        assert_memory_equal(bytes, example->bytes, size);
    }
}

/* The writer makes an example's bytes of its text. */
static void writer_makes_the_bytes(void **state)
{
    (void)state;
    for_each(check_writer, 8);
}

static void check_reader(struct example *example)
{
    drop_bin_marks(example->text);
    assert_string_equal(text_of(example->bytes, example->size), example->text);
}

/* The reader makes an example's text of its bytes. */
static void reader_makes_the_text(void **state)
{
    (void)state;
    for_each(check_reader, 8);
}

static void check_frame(struct example *example)
{
    const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    struct frame_scan scan;
    struct frame_head head;
    frame_scan_init(&scan);
    assert_int_equal(frame_scan_run(&scan, example->bytes, example->size, &limits), FRAME_DONE);
    assert_int_equal(scan.pos, example->size);
    assert_true(frame_head_read(example->bytes, example->size, &head));
    assert_int_equal(head.type == FRAME_RESPONSE, example->mark == '<');
}

/* Each example is one frame, of the direction that its mark says. */
static void examples_are_frames(void **state)
{
    (void)state;
    for_each(check_frame, 8);
}

static void check_msgpack(struct example *example)
{
    uint8_t bytes[EXAMPLE_SIZE_MAX];
    uint32_t size = pack(example->text, bytes);
    msgpack_unpacked unpacked;
    msgpack_sbuffer buffer;
    msgpack_packer packer;
    size_t pos = 0;
    msgpack_unpacked_init(&unpacked);
    msgpack_sbuffer_init(&buffer);
    msgpack_packer_init(&packer, &buffer, msgpack_sbuffer_write);
    assert_int_equal(
        msgpack_unpack_next(&unpacked, (const char *)example->bytes, example->size, &pos),
        MSGPACK_UNPACK_SUCCESS);
    assert_int_equal(pos, example->size);
    msgpack_pack_object(&packer, unpacked.data);
    assert_int_equal(buffer.size, size);
    assert_memory_equal(buffer.data, bytes, size);
    msgpack_sbuffer_destroy(&buffer);
    msgpack_unpacked_destroy(&unpacked);
}

/* msgpack-c reads the bytes, and packs what it read as our writer packs the text. */
static void msgpack_agrees(void **state)
{
    (void)state;
    for_each(check_msgpack, 8);
}

/* The page has the examples that clients need. */
static void page_has_the_examples(void **state)
{
    (void)state;
    static const char *const names[] = {"hello", "order.route",  "order.routed", "order.refused",
                                        "error", "notification", "pynvim"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char fence[80];
        snprintf(fence, sizeof fence, "\n```hex %s\n", names[i]);
        assert_non_null(strstr(page, fence));
    }
}

/* Every word of names.h stands on the page in code marks, alone or among others. */
static void page_has_every_word(void **state)
{
    (void)state;
    const struct names *families[] = {
        &names_codes,         &names_reasons,      &names_rejects,
        &names_services,      &names_capabilities, &names_node_types,
        &names_node_statuses, &names_ways,         &names_order_statuses};
    for (size_t i = 0; i < sizeof families / sizeof families[0]; i++) {
        for (uint32_t j = 0; j < families[i]->count; j++) {
            char word[64];
            snprintf(word, sizeof word, "`%s`", families[i]->texts[j]);
            if (families[i]->texts[j][0] != 0 && strstr(page, word) == NULL) {
                fail_msg("%s is not on the page", word);
            }
        }
    }
}

/* Every method is described under a heading. */
static void page_has_every_method(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < names_methods.count; i++) {
        char alone[64];
        char first[64];
        char second[64];
        char middle[64];
        snprintf(middle, sizeof middle, ", %s, ", names_methods.texts[i]);
        snprintf(alone, sizeof alone, "\n### %s\n", names_methods.texts[i]);
        snprintf(first, sizeof first, "\n### %s, ", names_methods.texts[i]);
        snprintf(second, sizeof second, ", %s\n\n", names_methods.texts[i]);
        if (strstr(page, alone) == NULL && strstr(page, first) == NULL &&
            strstr(page, second) == NULL && strstr(page, middle) == NULL) {
            fail_msg("%s is not on the page", names_methods.texts[i]);
        }
    }
}

/* The text of the error example is the reader's own. */
static void error_example_is_ours(void **state)
{
    (void)state;
    static const char *const order[] = {"lines"};
    static const char *const line[] = {"item", "qty"};
    static const char bytes[] = "\x91\x81\xa5lines\x91\x81\xa4qtyy\x01";
    struct reader reader;
    struct reader_map map;
    struct reader_map inner;
    struct reader_array array;
    char wanted[128];
    reader_init(&reader, (const uint8_t *)bytes, sizeof bytes - 1);
    reader_params(&reader, &map, order, 1);
    assert_int_equal(reader_map_next(&reader, &map), 0);
    assert_int_equal(reader_array_begin(&reader, &array, 10), 1);
    assert_true(reader_array_next(&reader, &array));
    reader_map_begin(&reader, &inner, line, 2);
    assert_int_equal(reader_map_next(&reader, &inner), -1);
    snprintf(wanted, sizeof wanted, "\"INVALID_ARGUMENT %s\"", reader_error(&reader));
    assert_non_null(strstr(page, wanted));
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writer_makes_the_bytes), cmocka_unit_test(reader_makes_the_text),
        cmocka_unit_test(examples_are_frames),    cmocka_unit_test(msgpack_agrees),
        cmocka_unit_test(page_has_the_examples),  cmocka_unit_test(page_has_every_word),
        cmocka_unit_test(page_has_every_method),  cmocka_unit_test(error_example_is_ours),
    };
    if (argc != 2) {
        fprintf(stderr, "usage: test_wire_readme <path of proto/README.md>\n");
        return 2;
    }
    page_path = argv[1];
    return cmocka_run_group_tests(tests, read_page, NULL);
}
