/* Connections of the floor, and its one loop. */
#ifndef BENCH_FLOOR_FLOOR_LOOP_H
#define BENCH_FLOOR_FLOOR_LOOP_H

#include "floor.h"
#include "floor_log.h"

enum { FLOOR_CONNS_MAX = 10240 };

/* Replies stand in out: sent bytes, then those that may go (to marked), then those that wait for
 * the group in flight (to waiting), then those whose records are still collecting (to used). */
struct floor_conn {
    int fd;
    uint8_t *in, *out;
    uint32_t in_used, in_size;
    uint32_t out_sent, out_marked, out_waiting, out_used, out_size;
    bool is_listed, is_open;
};

/* Owner: the thread that runs it. */
struct floor_loop {
    struct floor_tables tables;
    struct floor_log log;
    struct floor_conn conns[FLOOR_CONNS_MAX]; /* by file descriptor */
    uint32_t listed[FLOOR_CONNS_MAX];         /* with replies under way */
    uint32_t listed_count;
    struct floor_order batch[FLOOR_BATCH];
    int epoll_fd, listen_fd;
    uint16_t port;
    volatile bool is_stopped;
};

/* Listen on a loopback port, 0: a free one. Errors: ERR_SYS (told on stderr). */
ERR_MUST_USE enum err floor_loop_open(struct floor_loop *loop, uint16_t port);

/* Serve until is_stopped. */
void floor_loop_run(struct floor_loop *loop);
void floor_loop_close(struct floor_loop *loop);

/* Room for size bytes of a reply; floor_conn_add them. */
uint8_t *floor_conn_room(struct floor_loop *loop, struct floor_conn *conn, uint32_t size);

/* -- floor_setup.c: hello, node.put, item.put, stock.load --
 * Answer the frame at at. Positive: its size. 0: not all there. Negative: close the connection. */
int32_t floor_setup(struct floor_loop *loop, struct floor_conn *conn, const uint8_t *at,
                    uint32_t size);

#endif
