/* The ring of disk_uring.c: what the kernel may be asked for through it, and nothing else.
 *
 * It is made disabled and restricted before it is enabled: who gets hold of it, by whatever hole,
 * can write to open files, flush them, and register buffers. That binds for the ring's life. */
#ifndef LOG_DISK_RING_H
#define LOG_DISK_RING_H

#include <liburing.h>
#include <stdbool.h>
#include <stdint.h>

/* Make a ring of size entries. Where the kernel knows no restrictions (before 5.10), or refuses
 * them, it is an ordinary one: *refused_out is the errno, else 0. Returns 0 or -errno; 0: the
 * caller ends it with io_uring_queue_exit. */
int disk_ring_start(struct io_uring *ring, uint32_t size, int *refused_out);

#endif
