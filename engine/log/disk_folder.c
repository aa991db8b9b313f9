/* Files in one folder, each made under a passing name, synced, renamed, and the folder synced:
 * what is seen after a power cut is whole or absent (research F4, F5). */
#include "disk_folder.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

#include "check.h"

enum { FILL_SIZE = 256 << 10 };

#define TMPFS_TYPE   0x01021994
#define RAMFS_TYPE   0x858458f6
#define PASSING_NAME "making.tmp"
#define PROBE_NAME   "probe.tmp"
#define LOCK_NAME    "lock"
#define CHILD_LOCK   "checkpoint.lock"

static enum err last_error(void)
{
    const enum err err = err_from_errno(errno);
    return err == ERR_OK ? ERR_SYS : err;
}

static enum err write_whole(int fd, const void *bytes, size_t size, uint64_t offset)
{
    const ssize_t done = pwrite(fd, bytes, size, (off_t)offset);
    if (done < 0) {
        return last_error();
    }
    return (size_t)done == size ? ERR_OK : ERR_IO;
}

static enum err sync_folder(const struct folder *folder)
{
    return fsync(folder->dir_fd) == 0 ? ERR_OK : last_error();
}

/* Who only looks takes the lock that is there, and makes none. */
static enum err lock(struct folder *folder)
{
    const bool is_look = folder->access == DISK_LOOK;
    const char *name = folder->access == DISK_CHECKPOINT ? CHILD_LOCK : LOCK_NAME;
    if (folder->access == DISK_GLANCE) {
        return ERR_OK;
    }
    const int fd =
        openat(folder->dir_fd, name, (is_look ? O_RDONLY : O_RDWR | O_CREAT) | O_CLOEXEC, 0600);
    if (fd < 0) {
        return is_look && errno == ENOENT ? ERR_OK : last_error();
    }
    if (flock(fd, (is_look ? LOCK_SH : LOCK_EX) | LOCK_NB) != 0) {
        const enum err err = errno == EWOULDBLOCK ? ERR_LOCKED : last_error();
        close(fd);
        return err;
    }
    folder->lock_fd = fd;
    return ERR_OK;
}

/* Some file systems accept the flag and refuse the write, so one is tried. */
static bool direct_works(const struct folder *folder)
{
    void *block = NULL;
    bool works = false;
    const int fd =
        openat(folder->dir_fd, PROBE_NAME, O_RDWR | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0600);
    if (fd < 0) {
        return false;
    }
    if (posix_memalign(&block, DISK_ALIGN, DISK_ALIGN) == 0) {
        memset(block, 0, DISK_ALIGN);
        works = write_whole(fd, block, DISK_ALIGN, 0) == ERR_OK;
        free(block);
    }
    close(fd);
    unlinkat(folder->dir_fd, PROBE_NAME, 0);
    return works;
}

/* The same for who must not write: a block of any segment or snapshot is read. */
static void see_large(void *owner, const char *name)
{
    char *kept = owner;
    const size_t len = strlen(name);
    const bool is_large =
        len > 5 && (strcmp(name + len - 4, ".seg") == 0 || strcmp(name + len - 5, ".snap") == 0);
    if (is_large && len < 64) {
        memcpy(kept, name, len + 1);
    }
}

static bool direct_reads(struct folder *folder)
{
    char name[64] = "";
    void *block = NULL;
    bool works = false;
    if (folder_list(folder, see_large, name) != ERR_OK || !name[0]) {
        return false;
    }
    const int fd = openat(folder->dir_fd, name, O_RDONLY | O_DIRECT | O_CLOEXEC);
    if (fd < 0) {
        return false;
    }
    if (posix_memalign(&block, DISK_ALIGN, DISK_ALIGN) == 0) {
        works = pread(fd, block, DISK_ALIGN, 0) >= 0;
        free(block);
    }
    close(fd);
    return works;
}

/* Make dir and keep its name: the parent is synced too. */
static enum err make_dir(const char *dir)
{
    char parent[4096];
    if (mkdir(dir, 0700) != 0) {
        return errno == EEXIST ? ERR_OK : last_error();
    }
    const int size = snprintf(parent, sizeof parent, "%s/..", dir);
    if (size < 0 || (size_t)size >= sizeof parent) {
        return ERR_TOOBIG;
    }
    const int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) {
        return last_error();
    }
    const enum err err = fsync(fd) == 0 ? ERR_OK : last_error();
    close(fd);
    return err;
}

enum err folder_open(struct folder *folder, const char *dir, enum disk_access access,
                     bool force_buffered)
{
    *folder = (struct folder){.dir_fd = -1, .lock_fd = -1, .access = access};
    const bool is_owner = access == DISK_OWNER;
    const enum err err = is_owner ? make_dir(dir) : ERR_OK;
    if (err != ERR_OK) {
        return err;
    }
    struct statfs facts;
    folder->dir_fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (folder->dir_fd < 0 || fstatfs(folder->dir_fd, &facts) != 0) {
        return last_error();
    }
    const unsigned long type = (unsigned long)facts.f_type & 0xffffffffu;
    folder->is_durable = type != TMPFS_TYPE && type != RAMFS_TYPE;
    const enum err locked = lock(folder);
    if (locked != ERR_OK) {
        return locked;
    }
    folder->is_direct = !force_buffered && (is_owner ? direct_works(folder) : direct_reads(folder));
    /* A killed process may have left a name that is seen but not durable: a group written behind
     * it would be lost with it. */
    return is_owner ? sync_folder(folder) : ERR_OK;
}

void folder_close(struct folder *folder)
{
    if (folder->lock_fd >= 0) {
        close(folder->lock_fd);
    }
    if (folder->dir_fd >= 0) {
        close(folder->dir_fd);
    }
    folder->dir_fd = -1;
    folder->lock_fd = -1;
}

enum err folder_list(struct folder *folder, disk_list_cb *each, void *owner)
{
    const int fd = openat(folder->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        const enum err err = last_error();
        if (fd >= 0) {
            close(fd);
        }
        return err;
    }
    errno = 0;
    for (struct dirent *entry = readdir(dir); entry; entry = readdir(dir)) {
        each(owner, entry->d_name);
        errno = 0;
    }
    const enum err err = err_from_errno(errno);
    closedir(dir);
    return err;
}

enum err folder_file_open(struct folder *folder, const char *name, int *file_out,
                          uint64_t *size_out)
{
    struct stat facts;
    const bool is_owner = folder->access == DISK_OWNER;
    const int flags =
        (is_owner ? O_RDWR : O_RDONLY) | O_CLOEXEC | (folder->is_direct ? O_DIRECT : 0);
    const int fd = openat(folder->dir_fd, name, flags);
    if (fd < 0) {
        return last_error();
    }
    if (fstat(fd, &facts) != 0) {
        const enum err err = last_error();
        close(fd);
        return err;
    }
    if (!folder->is_direct && is_owner) {
        /* What a killed process left dirty must reach the disk before it can be dropped, and
         * dropped before it is read: recovery sees what the disk holds. */
        if (fdatasync(fd) != 0 || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) {
            close(fd);
            return ERR_IO;
        }
    }
    *file_out = fd;
    *size_out = (uint64_t)facts.st_size;
    return ERR_OK;
}

enum err folder_read(int file, uint64_t offset, void *bytes, size_t size)
{
    size_t done = 0;
    while (done < size) {
        const ssize_t got =
            pread(file, (uint8_t *)bytes + done, size - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return got < 0 ? last_error() : ERR_IO;
        }
        done += (size_t)got;
    }
    return ERR_OK;
}

static enum err fill_small(int fd, const void *bytes, size_t size)
{
    const enum err err = write_whole(fd, bytes, size, 0);
    if (err != ERR_OK) {
        return err;
    }
    return fsync(fd) == 0 ? ERR_OK : last_error();
}

enum err folder_put(struct folder *folder, const char *name, const void *bytes, size_t size)
{
    const int fd =
        openat(folder->dir_fd, PASSING_NAME, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0) {
        return last_error();
    }
    const enum err err = fill_small(fd, bytes, size);
    close(fd);
    return err == ERR_OK ? folder_rename(folder, PASSING_NAME, name) : err;
}

enum err folder_get(struct folder *folder, const char *name, void *bytes, size_t size,
                    size_t *size_out)
{
    const int fd = openat(folder->dir_fd, name, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        return last_error();
    }
    const ssize_t got = pread(fd, bytes, size, 0);
    const enum err err = got < 0 ? last_error() : ERR_OK;
    close(fd);
    *size_out = got < 0 ? 0 : (size_t)got;
    return err;
}

enum err folder_rename(struct folder *folder, const char *from, const char *to)
{
    if (renameat(folder->dir_fd, from, folder->dir_fd, to) != 0) {
        return last_error();
    }
    return sync_folder(folder);
}

enum err folder_remove(struct folder *folder, const char *name)
{
    if (unlinkat(folder->dir_fd, name, 0) != 0) {
        return last_error();
    }
    return sync_folder(folder);
}

enum err folder_free_space(struct folder *folder, uint64_t *bytes_out)
{
    struct statvfs facts;
    if (fstatvfs(folder->dir_fd, &facts) != 0) {
        return last_error();
    }
    *bytes_out = (uint64_t)facts.f_bavail * facts.f_frsize;
    return ERR_OK;
}

/* Allocate, so that a full disk is known at once, then write every byte: an extent that is
 * allocated but unwritten would cost a journal commit at each flush. */
static uint64_t now_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Leave the disk to the log for as long as the last piece took: zeros at full speed put the
 * log's flush from p90 0.2 to 0.8 ms. */
static void pause_as_long(uint64_t since_ns)
{
    const uint64_t took_ns = now_ns() - since_ns;
    const struct timespec pause = {.tv_nsec = took_ns < 50000000u ? (long)took_ns : 50000000};
    nanosleep(&pause, NULL);
}

static enum err fill(struct folder *folder, int fd, uint64_t size, const uint8_t *zeros,
                     bool is_paced)
{
    if (fallocate(fd, 0, 0, (off_t)size) != 0 && errno != EOPNOTSUPP) {
        return last_error();
    }
    for (uint64_t at = 0; at < size; at += FILL_SIZE) {
        const uint64_t left = size - at;
        const size_t part = left < FILL_SIZE ? (size_t)left : FILL_SIZE;
        if (atomic_load_explicit(&folder->is_ending, memory_order_relaxed)) {
            return ERR_CLOSED;
        }
        const uint64_t since_ns = now_ns();
        const enum err err = write_whole(fd, zeros, part, at);
        if (err != ERR_OK) {
            return err;
        }
        if (is_paced) {
            pause_as_long(since_ns);
        }
    }
    return ERR_OK;
}

static enum err fill_and_sync(struct folder *folder, int fd, uint64_t size,
                              const uint8_t *first_block, bool is_paced)
{
    /* No memory is asked for: a log must not fail for want of a quarter of a mebibyte of zeros. */
    static const _Alignas(DISK_ALIGN) uint8_t zeros[FILL_SIZE];
    _Alignas(DISK_ALIGN) uint8_t first[DISK_ALIGN];
    enum err err = fill(folder, fd, size, zeros, is_paced);
    if (err == ERR_OK) {
        memcpy(first, first_block, DISK_ALIGN);
        err = write_whole(fd, first, DISK_ALIGN, 0);
    }
    if (err == ERR_OK && fsync(fd) != 0) {
        err = last_error();
    }
    return err;
}

enum err folder_create(struct folder *folder, const char *name, uint64_t size,
                       const uint8_t *first_block, bool is_paced)
{
    CHECK(size % DISK_ALIGN == 0);
    const int flags = O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | (folder->is_direct ? O_DIRECT : 0);
    const int fd = openat(folder->dir_fd, PASSING_NAME, flags, 0600);
    if (fd < 0) {
        return last_error();
    }
    const enum err err = fill_and_sync(folder, fd, size, first_block, is_paced);
    close(fd);
    if (err != ERR_OK) {
        unlinkat(folder->dir_fd, PASSING_NAME, 0); /* give the space back */
        return err;
    }
    return folder_rename(folder, PASSING_NAME, name);
}

/* Space is only taken where that is cheap to ask for: without fallocate the writes will tell. */
static enum err take_space(int fd, uint64_t room)
{
    if (room == 0 || fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)room) == 0 ||
        errno == EOPNOTSUPP) {
        return ERR_OK;
    }
    return last_error();
}

enum err folder_make(struct folder *folder, const char *name, uint64_t room, int *file_out)
{
    const int flags = O_RDWR | O_CREAT | O_CLOEXEC | (folder->is_direct ? O_DIRECT : 0);
    const int fd = openat(folder->dir_fd, name, flags, 0600);
    if (fd < 0) {
        return last_error();
    }
    const enum err err = take_space(fd, room);
    if (err != ERR_OK) {
        close(fd);
        unlinkat(folder->dir_fd, name, 0); /* give the space back */
        return err;
    }
    *file_out = fd;
    return ERR_OK;
}

enum err folder_write_on(int file, uint64_t offset, const void *bytes, size_t size)
{
    return write_whole(file, bytes, size, offset);
}

enum err folder_finish(int file, uint64_t size)
{
    return ftruncate(file, (off_t)size) == 0 && fsync(file) == 0 ? ERR_OK : last_error();
}

enum err folder_write(int file, uint64_t offset, const uint8_t *bytes, size_t size,
                      enum disk_method method)
{
    const struct iovec part = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    const int flags = method == DISK_METHOD_DSYNC ? RWF_DSYNC : 0;
    const ssize_t done = pwritev2(file, &part, 1, (off_t)offset, flags);
    if (done < 0) {
        return last_error();
    }
    if ((size_t)done != size) {
        return ERR_IO;
    }
    if (method == DISK_METHOD_FDATASYNC && fdatasync(file) != 0) {
        return last_error();
    }
    return ERR_OK;
}
