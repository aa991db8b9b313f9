/* Redis: FCALL with everything as text, answers are integers. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "peer_proto.h"

static uint32_t hello(const struct peer_world *world, uint8_t *out)
{
    (void)world;
    memcpy(out, "PING\r\n", 6);
    return 6;
}

static int32_t welcome(const uint8_t *bytes, uint32_t size)
{
    if (size < 7) {
        return 0;
    }
    return memcmp(bytes, "+PONG\r\n", 7) == 0 ? 7 : -1;
}

void peer_answer_packed(struct peer_answer *out, int64_t packed)
{
    out->outcome = packed < 0 ? PEER_REFUSED : PEER_TAKEN;
    out->is_known = packed > 0 && packed >> 34 != 0;
    out->node[0] = (uint16_t)(packed >> 17 & 0xffff);
    out->node[1] = (uint16_t)(packed & 0xffff);
    out->parts = 1 + (out->node[0] != out->node[1]);
}

static uint32_t request(const struct peer_world *world, enum peer_job job,
                        const struct peer_order *order, uint32_t slot, uint8_t *out)
{
    char id[PEER_ID_SIZE];
    char item[2][PEER_ITEM_SIZE];
    char number[2][12];
    (void)slot;
    peer_world_id(world, order->number, id);
    peer_world_item(order->item[0], item[0]);
    peer_world_item(order->item[1], item[1]);
    if (job == PEER_RESERVE) {
        int first = snprintf(number[0], sizeof number[0], "%u", order->node[0]);
        int second = snprintf(number[1], sizeof number[1], "%u", order->node[1]);
        return (uint32_t)snprintf(
            (char *)out, PEER_REQUEST_MAX,
            "*10\r\n$5\r\nFCALL\r\n$7\r\nreserve\r\n$1\r\n0\r\n$20\r\n%.20s\r\n$%d\r\n%s\r\n"
            "$11\r\n%.11s\r\n$1\r\n1\r\n$%d\r\n%s\r\n$11\r\n%.11s\r\n$1\r\n1\r\n",
            id, first, number[0], item[0], second, number[1], item[1]);
    }
    int area = snprintf(number[0], sizeof number[0], "%u", order->area);
    return (uint32_t)snprintf(
        (char *)out, PEER_REQUEST_MAX,
        "*9\r\n$5\r\nFCALL\r\n$5\r\nroute\r\n$1\r\n0\r\n$20\r\n%.20s\r\n$%d\r\n%s\r\n"
        "$11\r\n%.11s\r\n$1\r\n1\r\n$11\r\n%.11s\r\n$1\r\n1\r\n",
        id, area, number[0], item[0], item[1]);
}

static int32_t reply(const struct peer_world *world, const uint8_t *bytes, uint32_t size,
                     struct peer_answer *out)
{
    (void)world;
    const uint8_t *end = memchr(bytes, '\n', size);
    if (end == NULL) {
        return 0;
    }
    out->slot = PEER_SLOT_NEXT;
    if (bytes[0] == ':') {
        peer_answer_packed(out, strtoll((const char *)bytes + 1, NULL, 10));
    } else if (bytes[0] == '-') {
        static bool is_told;
        out->outcome = PEER_FAILED;
        if (!is_told) {
            fprintf(stderr, "bench-peer: redis: %.*s", (int)(end + 1 - bytes), (const char *)bytes);
            is_told = true;
        }
    } else {
        return -1;
    }
    return (int32_t)(end + 1 - bytes);
}

const struct peer_proto peer_resp = {"redis", hello, welcome, request, NULL, reply};
