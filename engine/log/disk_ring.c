/* Restrictions are a list of what is allowed, told before the ring is enabled. By the system call
 * itself: the shared liburing of Debian 12 (2.3) does not export its two functions for this. */
#include "disk_ring.h"

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>

static int call(const struct io_uring *ring, unsigned operation, void *argument, unsigned count)
{
    const long result =
        syscall(__NR_io_uring_register, ring->ring_fd, operation, argument, count);
    return result < 0 ? -errno : 0;
}

static int restrict_ring(const struct io_uring *ring)
{
    struct io_uring_restriction allowed[] = {
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_WRITE_FIXED},
        {.opcode = IORING_RESTRICTION_SQE_OP, .sqe_op = IORING_OP_FSYNC},
        {.opcode = IORING_RESTRICTION_SQE_FLAGS_ALLOWED, .sqe_flags = IOSQE_IO_LINK},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_BUFFERS},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_EVENTFD},
        {.opcode = IORING_RESTRICTION_REGISTER_OP, .register_op = IORING_REGISTER_ENABLE_RINGS},
    };
    const int error = call(ring, IORING_REGISTER_RESTRICTIONS, allowed,
                           sizeof allowed / sizeof allowed[0]);
    return error < 0 ? error : call(ring, IORING_REGISTER_ENABLE_RINGS, NULL, 0);
}

int disk_ring_start(struct io_uring *ring, uint32_t size, int *refused_out)
{
    *refused_out = 0;
    int error = io_uring_queue_init(size, ring, IORING_SETUP_R_DISABLED);
    if (error == 0) {
        error = restrict_ring(ring);
        if (error == 0) {
            return 0;
        }
        io_uring_queue_exit(ring);
    } else if (error != -EINVAL) {
        return error; /* none to be had at all, restricted or not */
    }
    *refused_out = -error;
    return io_uring_queue_init(size, ring, 0);
}
