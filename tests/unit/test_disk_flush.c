/* The real folder and both its back ends under a watch on their system calls (linked with --wrap):
 * what they call durable was flushed, names as well as bytes, in the right order; a short write or
 * a failed flush is told, once, and never tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "disk.h"
#include "disk_ring.h"
#include "log_fixture.h"

enum { INODES_MAX = 64, SIZE = 64 << 10 };

typedef enum err disk_maker(const struct disk_options *options, struct disk **disk_out);

/* What was written and not flushed since, and what the next call is to do. */
static struct {
    ino_t dirty[INODES_MAX];
    uint32_t dirty_count;
    bool are_names_dirty;
    bool was_renamed_dirty; /* bytes may be missing behind a name that is there */
    bool is_short_wanted;
    bool is_flush_to_fail;
    int refusal; /* errno of the kernel that refuses to restrict a ring */
    uint32_t writes, flushes;
} watch;

/* -- the watch -- */

static ino_t inode_of(int fd, bool *is_folder_out)
{
    struct stat facts;
    if (fstat(fd, &facts) != 0) {
        return 0;
    }
    *is_folder_out = S_ISDIR(facts.st_mode);
    return facts.st_ino;
}

static bool is_dirty(ino_t inode)
{
    for (uint32_t i = 0; i < watch.dirty_count; i++) {
        if (watch.dirty[i] == inode) {
            return true;
        }
    }
    return false;
}

static void dirty_add(int fd)
{
    bool is_folder;
    const ino_t inode = inode_of(fd, &is_folder);
    watch.writes++;
    if (!is_dirty(inode) && watch.dirty_count < INODES_MAX) {
        watch.dirty[watch.dirty_count++] = inode;
    }
}

static void dirty_drop(int fd)
{
    bool is_folder = false;
    const ino_t inode = inode_of(fd, &is_folder);
    watch.flushes++;
    watch.are_names_dirty = watch.are_names_dirty && !is_folder;
    for (uint32_t i = 0; i < watch.dirty_count; i++) {
        if (watch.dirty[i] == inode) {
            watch.dirty[i] = watch.dirty[--watch.dirty_count];
        }
    }
}

ssize_t __real_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset);
ssize_t __wrap_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
    dirty_add(fd);
    return __real_pwrite(fd, bytes, size, offset);
}

ssize_t __real_pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags);
ssize_t __wrap_pwritev2(int fd, const struct iovec *parts, int count, off_t offset, int flags)
{
    struct iovec part = parts[0];
    if (watch.is_short_wanted) {
        part.iov_len /= 2;
    }
    dirty_add(fd);
    const ssize_t done = __real_pwritev2(fd, &part, count, offset, flags);
    if (flags & RWF_DSYNC) {
        dirty_drop(fd);
    }
    return done;
}

/* The kernel tells a failed flush once, and forgets the pages. */
static int flush(int fd, int (*real)(int fd))
{
    if (watch.is_flush_to_fail) {
        watch.is_flush_to_fail = false;
        watch.flushes++;
        errno = EIO;
        return -1;
    }
    dirty_drop(fd);
    return real(fd);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
    return flush(fd, __real_fsync);
}

int __real_fdatasync(int fd);
int __wrap_fdatasync(int fd);
int __wrap_fdatasync(int fd)
{
    return flush(fd, __real_fdatasync);
}

int __real_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to);
int __wrap_renameat(int from_fd, const char *from, int to_fd, const char *to)
{
    struct stat facts;
    if (fstatat(from_fd, from, &facts, 0) == 0 && is_dirty(facts.st_ino)) {
        watch.was_renamed_dirty = true;
    }
    watch.are_names_dirty = true;
    return __real_renameat(from_fd, from, to_fd, to);
}

int __real_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags);
int __wrap_unlinkat(int fd, const char *name, int flags)
{
    watch.are_names_dirty = true;
    return __real_unlinkat(fd, name, flags);
}

/* A write of the ring is flushed by its own flag, or by a flush of its file linked to it. */
static void sqe_watch(const struct io_uring *ring, unsigned at)
{
    struct io_uring_sqe *sqe = &ring->sq.sqes[at & *ring->sq.kring_mask];
    struct io_uring_sqe *next = &ring->sq.sqes[(at + 1) & *ring->sq.kring_mask];
    const bool has_next = at + 1 != ring->sq.sqe_tail;
    const bool is_write = sqe->opcode == IORING_OP_WRITE || sqe->opcode == IORING_OP_WRITE_FIXED;
    if (!is_write) {
        return;
    }
    const bool is_linked = has_next && (sqe->flags & IOSQE_IO_LINK) &&
                           next->opcode == IORING_OP_FSYNC && next->fd == sqe->fd;
    dirty_add(sqe->fd);
    if (is_linked || (sqe->rw_flags & RWF_DSYNC)) {
        dirty_drop(sqe->fd);
    }
    sqe->len = watch.is_short_wanted ? sqe->len / 2 : sqe->len;
    if (is_linked && watch.is_flush_to_fail) {
        next->fd = -1; /* EBADF */
        watch.is_flush_to_fail = false;
    }
}

int __real_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring);
int __wrap_io_uring_submit(struct io_uring *ring)
{
    for (unsigned at = ring->sq.sqe_head; at != ring->sq.sqe_tail; at++) {
        sqe_watch(ring, at);
    }
    return __real_io_uring_submit(ring);
}

/* disk_ring.c calls it, and thread_be_prompt on the workers, which have no look at watch. */
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
long __wrap_syscall(long number, ...)
{
    va_list rest;
    va_start(rest, number);
    const int fd = va_arg(rest, int);
    const unsigned operation = va_arg(rest, unsigned);
    void *argument = va_arg(rest, void *);
    const unsigned count = va_arg(rest, unsigned);
    va_end(rest);
    const bool restricts =
        number == __NR_io_uring_register && operation == IORING_REGISTER_RESTRICTIONS;
    if (restricts && watch.refusal) {
        errno = watch.refusal;
        return -1;
    }
    return __real_syscall(number, fd, operation, argument, count);
}

/* -- the tests, each for both back ends -- */

static char folder[256];
static _Alignas(DISK_ALIGN) uint8_t block[2 * DISK_ALIGN];
static bool is_told;
static enum err told;

static void on_done(void *owner, enum err err)
{
    (void)owner;
    is_told = true;
    told = err;
}

static struct disk *opened(disk_maker *make, enum disk_method method)
{
    struct disk *disk;
    scratch_make(folder);
    const struct disk_options options = {.dir = folder, .method = method};
    const enum err err = make(&options, &disk);
    if (err != ERR_OK) {
        scratch_drop(folder);
        print_message("skipped: %s\n", err_text(err));
        skip();
    }
    disk->listener = (struct disk_listener){.written = on_done, .job_done = on_done};
    memset(&watch, 0, sizeof watch);
    return disk;
}

static void closed(struct disk *disk)
{
    disk->ops->free(disk);
    scratch_drop(folder);
}

static void all_is_durable(const char *what)
{
    if (watch.dirty_count || watch.are_names_dirty || watch.was_renamed_dirty) {
        fail_msg("after %s: %u files not flushed, names %s, %s", what, watch.dirty_count,
                 watch.are_names_dirty ? "not flushed" : "flushed",
                 watch.was_renamed_dirty ? "renamed before it was flushed" : "order right");
    }
}

static enum err waited(struct disk *disk)
{
    is_told = false;
    while (!is_told) {
        disk->ops->drive(disk, true);
    }
    return told;
}

/* Files, names and jobs are durable when they are told to be. */
static void check_names(disk_maker *make)
{
    int file;
    struct disk *disk = opened(make, DISK_METHOD_FDATASYNC);
    assert_int_equal(disk->ops->create(disk, "a", SIZE, block), ERR_OK);
    all_is_durable("create");
    assert_int_equal(disk->ops->put(disk, "small", "x", 1), ERR_OK);
    all_is_durable("put");
    assert_int_equal(disk->ops->rename(disk, "a", "b"), ERR_OK);
    all_is_durable("rename");
    disk->ops->create_start(disk, "c", SIZE, block);
    assert_int_equal(waited(disk), ERR_OK);
    all_is_durable("create_start");
    disk->ops->rename_start(disk, "c", "d");
    assert_int_equal(waited(disk), ERR_OK);
    all_is_durable("rename_start");
    disk->ops->remove_start(disk, "d");
    assert_int_equal(waited(disk), ERR_OK);
    all_is_durable("remove_start");
    assert_int_equal(disk->ops->remove(disk, "b"), ERR_OK);
    all_is_durable("remove");
    assert_int_equal(disk->ops->make(disk, "e", SIZE, &file), ERR_OK);
    assert_int_equal(disk->ops->write(disk, file, 0, block, sizeof block), ERR_OK);
    assert_int_equal(disk->ops->finish(disk, file, sizeof block), ERR_OK);
    disk->ops->close(disk, file);
    assert_int_equal(watch.dirty_count, 0);
    assert_int_equal(disk->ops->rename(disk, "e", "f"), ERR_OK);
    all_is_durable("a file written from begin to end");
    closed(disk);
}

static int file_made(struct disk *disk)
{
    int file;
    uint64_t size;
    assert_int_equal(disk->ops->create(disk, "log", SIZE, block), ERR_OK);
    assert_int_equal(disk->ops->open(disk, "log", &file, &size), ERR_OK);
    memset(&watch, 0, sizeof watch);
    return file;
}

static void check_write(disk_maker *make, enum disk_method method)
{
    struct disk *disk = opened(make, method);
    const int file = file_made(disk);
    disk->ops->write_start(disk, file, DISK_ALIGN, block, sizeof block);
    assert_int_equal(waited(disk), ERR_OK);
    assert_int_equal(watch.writes, 1);
    all_is_durable("write_start");
    disk->ops->write_here(disk, file, DISK_ALIGN, block, sizeof block);
    assert_int_equal(watch.writes, 2);
    all_is_durable("write_here");
    assert_int_equal(waited(disk), ERR_OK);
    assert_int_equal(watch.writes, 2);
    disk->ops->close(disk, file);
    closed(disk);
}

/* The two ways of writing. */
typedef void write_way(struct disk *disk, int file);

static void beside(struct disk *disk, int file)
{
    disk->ops->write_start(disk, file, DISK_ALIGN, block, sizeof block);
}

static void here(struct disk *disk, int file)
{
    disk->ops->write_here(disk, file, DISK_ALIGN, block, sizeof block);
}

/* A short write is an error, and nothing is written again. */
static void check_short(disk_maker *make, enum disk_method method, write_way *write)
{
    struct disk *disk = opened(make, method);
    const int file = file_made(disk);
    watch.is_short_wanted = true;
    write(disk, file);
    assert_int_not_equal(waited(disk), ERR_OK);
    assert_int_equal(watch.writes, 1);
    disk->ops->close(disk, file);
    closed(disk);
}

/* So is a failed flush, which a second one would hide. */
static void check_flush(disk_maker *make, write_way *write)
{
    struct disk *disk = opened(make, DISK_METHOD_FDATASYNC);
    const int file = file_made(disk);
    watch.is_flush_to_fail = true;
    write(disk, file);
    assert_int_not_equal(waited(disk), ERR_OK);
    assert_int_equal(watch.writes, 1);
    assert_in_range(watch.flushes, 0, 1);
    disk->ops->close(disk, file);
    closed(disk);
}

/* What an earlier process left of names is made durable before anybody relies on it. */
static void check_start(disk_maker *make)
{
    struct disk *disk = opened(make, DISK_METHOD_FDATASYNC);
    disk->ops->free(disk);
    const struct disk_options options = {.dir = folder, .method = DISK_METHOD_FDATASYNC};
    watch.are_names_dirty = true;
    assert_int_equal(make(&options, &disk), ERR_OK);
    assert_false(watch.are_names_dirty);
    closed(disk);
}

static void check_all(disk_maker *make)
{
    check_names(make);
    check_write(make, DISK_METHOD_FDATASYNC);
    check_write(make, DISK_METHOD_DSYNC);
    for (uint32_t i = 0; i < 2; i++) {
        write_way *write = i ? here : beside;
        check_short(make, DISK_METHOD_FDATASYNC, write);
        check_short(make, DISK_METHOD_DSYNC, write);
        check_flush(make, write);
    }
    check_start(make);
}

static void pwrite_flushes(void **state)
{
    (void)state;
    check_all(disk_pwrite_new);
}

static void uring_flushes(void **state)
{
    (void)state;
    check_all(disk_uring_new);
}

/* What the one entry of the ring that stands ready comes to. */
static int answer_of(struct io_uring *ring)
{
    struct io_uring_cqe *cqe;
    assert_int_equal(__real_io_uring_submit(ring), 1);
    assert_int_equal(io_uring_wait_cqe(ring, &cqe), 0);
    const int answer = cqe->res;
    io_uring_cqe_seen(ring, cqe);
    return answer;
}

static int read_answer(struct io_uring *ring, int fd)
{
    io_uring_prep_read(io_uring_get_sqe(ring), fd, block, sizeof block, 0);
    return answer_of(ring);
}

/* The log's ring writes and flushes, and does nothing else that a ring can do. */
static void ring_refuses_the_rest(void **state)
{
    (void)state;
    struct io_uring ring;
    int refused;
    memset(&watch, 0, sizeof watch);
    if (disk_ring_start(&ring, 8, &refused) != 0 || refused) {
        print_message("skipped: no restricted io_uring here\n");
        skip();
    }
    const int fd = memfd_create("ring", 0);
    io_uring_prep_write(io_uring_get_sqe(&ring), fd, block, sizeof block, 0);
    assert_int_equal(answer_of(&ring), sizeof block);
    io_uring_prep_fsync(io_uring_get_sqe(&ring), fd, IORING_FSYNC_DATASYNC);
    assert_int_equal(answer_of(&ring), 0);
    assert_int_equal(read_answer(&ring, fd), -EACCES);
    io_uring_prep_nop(io_uring_get_sqe(&ring));
    assert_int_equal(answer_of(&ring), -EACCES);
    io_uring_prep_openat(io_uring_get_sqe(&ring), AT_FDCWD, "/etc/passwd", O_RDONLY, 0);
    assert_int_equal(answer_of(&ring), -EACCES);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring);
    io_uring_prep_write(sqe, fd, block, sizeof block, 0);
    sqe->flags |= IOSQE_ASYNC;
    assert_int_equal(answer_of(&ring), -EACCES);
    assert_int_equal(io_uring_register_files(&ring, &fd, 1), -EACCES);
    close(fd);
    io_uring_queue_exit(&ring);
}

/* A kernel that refuses is named, and the log is written all the same. */
static void unrestricted_ring_is_named(void **state)
{
    (void)state;
    struct disk *disk = opened(disk_uring_new, DISK_METHOD_FDATASYNC);
    disk->ops->free(disk);
    watch.refusal = EINVAL;
    struct io_uring ring;
    int refused;
    const struct disk_options options = {.dir = folder, .method = DISK_METHOD_FDATASYNC};
    assert_int_equal(disk_uring_new(&options, &disk), ERR_OK);
    assert_false(disk->facts.is_restricted);
    assert_non_null(strstr(disk->facts.fallback, "restricted io_uring: Invalid argument"));
    closed(disk);
    assert_int_equal(disk_ring_start(&ring, 8, &refused), 0);
    assert_int_equal(refused, EINVAL);
    const int fd = memfd_create("ring", 0);
    assert_int_equal(read_answer(&ring, fd), 0); /* the end of an empty file: not refused */
    close(fd);
    io_uring_queue_exit(&ring);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pwrite_flushes),
        cmocka_unit_test(uring_flushes),
        cmocka_unit_test(ring_refuses_the_rest),
        cmocka_unit_test(unrestricted_ring_is_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
