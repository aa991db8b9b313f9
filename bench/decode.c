/* Cost of finding and reading one order.route frame: our scan and reader beside msgpack-c. */
#include <msgpack.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "frame.h"
#include "reader.h"
#include "writer.h"

enum { FRAMES = 64, FRAME_ROOM = 512 };

struct frames {
    uint8_t bytes[FRAMES][FRAME_ROOM];
    uint32_t size[FRAMES];
    msgpack_zone zone;
};

static void line_write(struct writer *writer, uint32_t item, uint32_t qty)
{
    char id[16] = "SKU-0000000";
    for (int at = 10; item > 0; at--, item /= 10) {
        id[at] = (char)('0' + item % 10);
    }
    writer_map(writer, 2);
    writer_str(writer, "item");
    writer_text(writer, id, 11);
    writer_str(writer, "qty");
    writer_uint(writer, qty);
}

static void frames_make(struct frames *frames)
{
    for (uint32_t i = 0; i < FRAMES; i++) {
        struct writer writer;
        writer_init(&writer, frames->bytes[i], FRAME_ROOM);
        writer_request(&writer, 1000 + i, "order.route");
        writer_map(&writer, 4);
        writer_str(&writer, "order_id");
        writer_text(&writer, "order-2026-11-27-0001", 21);
        writer_str(&writer, "lines");
        writer_array(&writer, 2);
        line_write(&writer, 1000 + i * 7, 1);
        line_write(&writer, 90000 - i, 2);
        writer_str(&writer, "service");
        writer_str(&writer, "standard");
        writer_str(&writer, "dest");
        writer_map(&writer, 2);
        writer_str(&writer, "lat");
        writer_float(&writer, 40.7 + i);
        writer_str(&writer, "lon");
        writer_float(&writer, -74.0 + i);
        frames->size[i] = writer_size(&writer);
    }
}

static uint64_t scan_work(void *owner, uint64_t count)
{
    struct frames *frames = bench_hide(owner);
    static const struct frame_limits limits = {FRAME_SIZE_MAX, FRAME_DEPTH_MAX};
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct frame_scan scan;
        uint32_t n = i % FRAMES;
        frame_scan_init(&scan);
        sum += frame_scan_run(&scan, frames->bytes[n], frames->size[n], &limits) == FRAME_DONE;
        sum += scan.pos;
    }
    return sum;
}

static uint64_t line_read(struct reader *reader)
{
    static const char *const fields[] = {"item", "qty", "line", "service", "pickup_node", "node"};
    struct reader_map map;
    uint64_t sum = 0;
    reader_map_begin(reader, &map, fields, 6);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        sum += field == 0 ? reader_text(reader, 1, 63).len
                          : (uint64_t)reader_int(reader, 1, 1000000);
    }
    return sum;
}

static uint64_t params_read(struct reader *reader)
{
    static const char *const fields[] = {"order_id", "lines", "service", "dest"};
    static const char *const dest_fields[] = {"lat", "lon"};
    struct reader_map map;
    struct reader_map dest;
    struct reader_array array;
    uint64_t sum = 0;
    reader_params(reader, &map, fields, 4);
    for (int field; (field = reader_map_next(reader, &map)) >= 0;) {
        if (field == 1) {
            sum += reader_array_begin(reader, &array, 1000);
            while (reader_array_next(reader, &array)) {
                sum += line_read(reader);
            }
        } else if (field == 3) {
            reader_map_begin(reader, &dest, dest_fields, 2);
            while (reader_map_next(reader, &dest) >= 0) {
                sum += (uint64_t)(int64_t)reader_float(reader, -180, 180);
            }
        } else {
            sum += reader_text(reader, 1, 63).len;
        }
    }
    return sum + reader_is_ok(reader);
}

static uint64_t read_work(void *owner, uint64_t count)
{
    struct frames *frames = bench_hide(owner);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        struct frame_head head;
        struct reader reader;
        uint32_t n = i % FRAMES;
        sum += frame_head_read(frames->bytes[n], frames->size[n], &head);
        reader_init(&reader, head.params, head.params_size);
        sum += params_read(&reader);
    }
    return sum;
}

static uint64_t msgpack_work(void *owner, uint64_t count)
{
    struct frames *frames = bench_hide(owner);
    uint64_t sum = 0;
    for (uint64_t i = 0; i < count; i++) {
        msgpack_object object;
        uint32_t n = i % FRAMES;
        size_t at = 0;
        msgpack_zone_clear(&frames->zone);
        sum += msgpack_unpack((const char *)frames->bytes[n], frames->size[n], &at, &frames->zone,
                              &object) == MSGPACK_UNPACK_SUCCESS;
        sum += object.via.array.size;
    }
    return sum;
}

int main(int argc, char **argv)
{
    static struct frames frames;
    struct bench bench;
    if (!bench_init(&bench, argc, argv)) {
        return 2;
    }
    frames_make(&frames);
    if (!msgpack_zone_init(&frames.zone, 8192)) {
        return 1;
    }
    bench_run(&bench, "frame_scan", "two lines, string ids, 140 B", 2000000, 1000, scan_work,
              &frames);
    bench_run(&bench, "head_and_fields", "the same, all fields read", 2000000, 1000, read_work,
              &frames);
    bench_run(&bench, "msgpack_c_unpack", "the same, tree only, zone reused", 2000000, 1000,
              msgpack_work, &frames);
    msgpack_zone_destroy(&frames.zone);
    return 0;
}
