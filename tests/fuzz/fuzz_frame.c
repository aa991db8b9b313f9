/* Any bytes through the frame scan, the head and the reader. */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check.h"
#include "frame.h"
#include "fuzz_main.h"
#include "reader.h"
#include "utf8.h"

static const struct frame_limits limits = {64 * 1024, FRAME_DEPTH_MAX};
static const char *const fields[] = {"order_id", "lines", "item", "qty", "dest", "service"};

/* Go on with a scan byte by byte; it must end as the one in one go did. */
static void scan_in_bytes(const uint8_t *bytes, uint32_t size, enum frame_state whole, uint32_t pos)
{
    struct frame_scan scan;
    enum frame_state state = FRAME_MORE;
    frame_scan_init(&scan);
    for (uint32_t there = 1; there <= size && state == FRAME_MORE; there++) {
        state = frame_scan_run(&scan, bytes, there, &limits);
    }
    CHECK(state == whole);
    if (state == FRAME_DONE) {
        CHECK(scan.pos == pos);
    }
}

/* Read one value of a field by its kind, in each of the ways that fit it. */
static void read_value(struct reader *reader, int field)
{
    char scratch[READER_INT_TEXT_SIZE];
    struct reader_map map;
    struct reader_array array;
    struct text key;
    switch (field) {
    case 0:
        reader_text_or_int(reader, scratch, 1, 63);
        break;
    case 1:
        reader_array_begin(reader, &array, 1000);
        while (reader_array_next(reader, &array)) {
            reader_raw(reader);
        }
        break;
    case 3:
        reader_int(reader, 1, 1000000);
        break;
    case 4:
        reader_map_begin(reader, &map, NULL, 0);
        while (reader_map_next_key(reader, &map, &key)) {
            reader_float(reader, -180, 180);
        }
        break;
    case 5:
        reader_word(reader, &names_services);
        break;
    default:
        reader_text(reader, 1, 63);
        break;
    }
}

static void read_params(const struct frame_head *head)
{
    struct reader reader;
    struct reader_map map;
    reader_init(&reader, head->params, head->params_size);
    reader_params(&reader, &map, fields, sizeof fields / sizeof fields[0]);
    for (int field; (field = reader_map_next(&reader, &map)) >= 0;) {
        read_value(&reader, field);
    }
    reader_require(&reader, &map, 0);
    const char *error = reader_error(&reader);
    size_t len = strlen(error);
    CHECK(reader_is_ok(&reader) == (len == 0));
    CHECK(len < READER_ERROR_SIZE);
    CHECK(utf8_is_valid(error, (uint32_t)len));
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    struct frame_scan scan;
    struct frame_head head;
    if (size > 2u * limits.size_max) {
        return 0;
    }
    frame_scan_init(&scan);
    enum frame_state state = frame_scan_run(&scan, bytes, (uint32_t)size, &limits);
    scan_in_bytes(bytes, (uint32_t)size, state, scan.pos);
    if (state != FRAME_DONE) {
        return 0;
    }
    CHECK(scan.pos <= size);
    if (frame_head_read(bytes, scan.pos, &head) && head.type != FRAME_RESPONSE) {
        read_params(&head);
    }
    return 0;
}

#ifndef FUZZ_ENGINE
size_t fuzz_draw(struct rng *rng, uint8_t *input, size_t size)
{
    return fuzz_mutate(rng, input, size);
}
#endif
