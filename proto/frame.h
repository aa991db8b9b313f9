/* Finds the end of a MessagePack-RPC frame in a stream of bytes, and reads its head.
 *
 * Nothing is allocated and nothing recurses; a declared length or count is only ever compared
 * with what is allowed. The scan resumes where it stopped, so that a frame which arrives in
 * pieces costs its bytes once. Any thread; a scan belongs to one connection. */
#ifndef PROTO_FRAME_H
#define PROTO_FRAME_H

#include <stdbool.h>
#include <stdint.h>

enum { FRAME_SIZE_MAX = 1 << 20, FRAME_DEPTH_MAX = 16 };

struct frame_limits {
    uint32_t size_max;  /* bytes of a frame */
    uint32_t depth_max; /* open containers, the outer array included; at most FRAME_DEPTH_MAX */
};

/* Where a scan stands. Owned by the caller; the fields are frame.c's. */
struct frame_scan {
    uint32_t pos;                       /* offset of the next value's first byte */
    uint32_t depth;                     /* containers open at pos */
    uint32_t left[FRAME_DEPTH_MAX + 1]; /* values to come in each; [0] is the frame itself */
};

enum frame_state {
    FRAME_MORE,      /* well so far, not all there */
    FRAME_DONE,      /* scan.pos is the frame's size in bytes */
    FRAME_BAD,       /* not MessagePack-RPC: cannot be resynchronised */
    FRAME_TOO_LARGE, /* is, or declares to be, over limits.size_max */
    FRAME_TOO_DEEP   /* nests over limits.depth_max */
};

void frame_scan_init(struct frame_scan *scan);

/* Go on with a scan. bytes is the frame's first byte (it may have moved since the last call),
 * size what is there now, of this frame and of those behind it. After FRAME_DONE the scan is
 * initialised anew for the next frame; after the last three states the connection is lost. */
enum frame_state frame_scan_run(struct frame_scan *scan, const uint8_t *bytes, uint32_t size,
                                const struct frame_limits *limits);

enum frame_type { FRAME_REQUEST = 0, FRAME_RESPONSE = 1, FRAME_NOTIFY = 2, FRAME_OTHER };

/* The head of a frame; the pointers borrow the frame's bytes. */
struct frame_head {
    enum frame_type type;
    uint32_t msgid;     /* 0 in a notification */
    const char *method; /* not NUL-terminated, not checked for UTF-8; NULL in a response */
    uint32_t method_len;
    const uint8_t *params; /* of a response: error and result, one behind the other */
    uint32_t params_size;
};

/* Read the head of a frame that frame_scan_run found whole. False: it is not MessagePack-RPC
 * (arity, type not 0, 1 or 2, msgid no integer of 32 bits, method neither str nor bin). */
bool frame_head_read(const uint8_t *bytes, uint32_t size, struct frame_head *out);

#endif
