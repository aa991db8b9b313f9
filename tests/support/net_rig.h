/* A net with an echoing service, and plain sockets against it, all in the test's own thread:
 * each wait of a client turns the server's loop. */
#ifndef NET_RIG_H
#define NET_RIG_H

#include <stdbool.h>
#include <stdint.h>

#include "net.h"

enum { RIG_LATER_MAX = 64 };

/* Owned by the test; zeroed, options may be set before rig_open. */
struct rig {
    struct net_options options;
    uv_loop_t loop;
    struct net *net;
    uint64_t lsn;        /* release LSN of the next reply; 0 = free to go */
    bool is_counting;    /* each reply raises lsn by one */
    bool is_later;       /* requests are kept, unanswered, in later[] */
    uint32_t reply_size; /* at least so many bytes a reply */
    struct net_conn *later[RIG_LATER_MAX];
    uint32_t later_msgids[RIG_LATER_MAX];
    uint32_t later_count;
    uint32_t batches, requests, notifications;
    uint32_t batch_of_marked; /* batch in which method "marked" came, from 1 */
    uint32_t batch_size_max;
    uint32_t refused; /* replies for which net_reply_begin gave NULL */
    uint32_t closed;  /* runs of the closed callback */
    uint64_t read_ns;
    uint64_t batch_ns; /* that a batch takes at least */
    bool is_drained;
};

/* Listen on a free loopback port. */
void rig_open(struct rig *rig);
/* Drain, free, and see that the loop holds nothing any more. */
void rig_close(struct rig *rig);
void rig_drained(void *owner);

void rig_turn(struct rig *rig, uint32_t turns);
void rig_turn_ms(struct rig *rig, uint32_t ms);
/* Answer the kept request i. False: the connection is going. */
bool rig_answer(struct rig *rig, uint32_t i, uint64_t lsn);
struct net_stats rig_stats(struct rig *rig);

/* A blocking-looking, non-blocking socket connected to the net's first address. */
int rig_connect(struct rig *rig);
void rig_send(struct rig *rig, int fd, const void *bytes, size_t size);
/* Read until size bytes are there, the stream ends or 5 s pass. Bytes read. */
size_t rig_receive(struct rig *rig, int fd, void *bytes, size_t size);
/* Whether nothing arrives in ten turns. */
bool rig_is_silent(struct rig *rig, int fd);
/* Whether the stream ends (or is reset) without another byte. */
bool rig_is_ended(struct rig *rig, int fd);

/* Frame of a request with that many bytes of padding. Size. */
uint32_t rig_request(uint8_t *frame, uint32_t msgid, const char *method, uint32_t padding);
/* What the echo answers to it. Size. */
uint32_t rig_reply(const struct rig *rig, uint8_t *frame, uint32_t msgid);
/* Whether the next bytes are the replies to the msgids first, first + 1, ... */
bool rig_has_replies(struct rig *rig, int fd, uint32_t first, uint32_t count);

#endif
