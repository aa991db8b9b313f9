/* The few things that the log does with a disk, as an interface: behind it stand io_uring, a
 * thread with pwrite, and the simulated and fault-injecting disks of the tests.
 *
 * One thread (the engine loop) makes every call and gets every completion, the latter only from
 * inside ops->drive. At most one write and one job are outstanding. File names are plain names in
 * the one folder of the disk. All sizes in bytes; offsets, sizes and buffers of read, write and
 * write_start are multiples of DISK_ALIGN. */
#ifndef LOG_DISK_H
#define LOG_DISK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "err.h"

enum { DISK_ALIGN = 4096 };

/* How a write is made durable. */
enum disk_method {
    DISK_METHOD_AUTO,      /* only in options: the faster one, measured at start */
    DISK_METHOD_FDATASYNC, /* write, then fdatasync (linked to it with io_uring) */
    DISK_METHOD_DSYNC,     /* one write with RWF_DSYNC */
    DISK_METHOD_UNSAFE     /* no flush at all: a power cut loses acknowledged changes */
};

/* What the disk turned out to be: named in the daemon's ready line. */
struct disk_facts {
    const char *backend;         /* "io_uring", "pwrite", or a test's own */
    bool is_direct;              /* O_DIRECT; else buffered */
    bool is_durable;             /* false on tmpfs and ramfs: contents end with the machine */
    bool has_registered_buffers; /* io_uring only */
    bool is_restricted;          /* io_uring only: the ring takes writes and flushes, no more */
    enum disk_method method;     /* in use */
    uint32_t flush_us_fdatasync; /* p80 of the start-up measurement, 0 = not made */
    uint32_t flush_us_dsync;
    char fallback[160]; /* why something above is not the first choice, or "" */
};

/* Who hears of completions. Set before the first write_start or job. */
struct disk_listener {
    void *owner;
    /* The write is durable, or failed: any error is final for the log. */
    void (*written)(void *owner, enum err err);
    /* create_start, rename_start or remove_start ended. */
    void (*job_done)(void *owner, enum err err);
};

typedef void disk_list_cb(void *owner, const char *name);

struct disk;

struct disk_ops {
    enum err (*list)(struct disk *disk, disk_list_cb *each, void *owner);

    /* Open an existing file for reading and writing. file_out is closed by close. */
    enum err (*open)(struct disk *disk, const char *name, int *file_out, uint64_t *size_out);
    void (*close)(struct disk *disk, int file);

    /* Read exactly size bytes from the disk itself, not from a cache that a kill left. ERR_IO
     * also when the file is shorter. */
    enum err (*read)(struct disk *disk, int file, uint64_t offset, void *bytes, size_t size);

    /* A small file as a whole: put is atomic and durable on return; ERR_NOTFOUND from get. */
    enum err (*put)(struct disk *disk, const char *name, const void *bytes, size_t size);
    enum err (*get)(struct disk *disk, const char *name, void *bytes, size_t size,
                    size_t *size_out);

    /* Durable on return. */
    enum err (*rename)(struct disk *disk, const char *from, const char *to);
    enum err (*remove)(struct disk *disk, const char *name);
    enum err (*free_space)(struct disk *disk, uint64_t *bytes_out);

    /* Bytes nobody can guess (identity, epochs); the simulated disk draws them from its seed. */
    enum err (*random)(struct disk *disk, void *bytes, size_t size);

    /* Make a file of zeros that begins with first_block (DISK_ALIGN bytes, copied): space
     * allocated, every byte written, file and folder synced; or nothing of that name.
     * ERR_NOSPACE is an ordinary answer. The _start forms do it beside the loop and end in
     * listener.job_done. */
    enum err (*create)(struct disk *disk, const char *name, uint64_t size,
                       const uint8_t *first_block);
    void (*create_start)(struct disk *disk, const char *name, uint64_t size,
                         const uint8_t *first_block);
    void (*rename_start)(struct disk *disk, const char *from, const char *to);
    void (*remove_start)(struct disk *disk, const char *name);

    /* A file written from its begin to its end under a passing name: made if it is missing, what it
     * holds does not matter, room bytes of space are taken for it (ERR_NOSPACE: no file). write is
     * blocking and lengthens it, and promises nothing before finish, which cuts it to size and
     * makes its bytes durable. Its name becomes durable with rename. */
    enum err (*make)(struct disk *disk, const char *name, uint64_t room, int *file_out);
    enum err (*write)(struct disk *disk, int file, uint64_t offset, const void *bytes, size_t size);
    enum err (*finish)(struct disk *disk, int file, uint64_t size);

    /* Write size bytes durably; they stay untouched until listener.written. */
    void (*write_start)(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                        uint32_t size);

    /* The same by the calling thread: on return they are durable, or that failed. It blocks as long
     * as the disk does; listener.written tells the result in the next drive, as ever. */
    void (*write_here)(struct disk *disk, int file, uint64_t offset, const uint8_t *bytes,
                       uint32_t size);

    /* Announce the memory that later writes come from. An error only costs speed. */
    enum err (*register_buffer)(struct disk *disk, void *bytes, size_t size);

    /* Readable when drive has something to do; -1: drive is called by the test. */
    int (*poll_fd)(struct disk *disk);

    /* Run the completions that are there; with wait, block until one was. */
    void (*drive)(struct disk *disk, bool wait);

    /* Wait for what is outstanding (its completion is not told), unlock, free. */
    void (*free)(struct disk *disk);
};

/* First member of each back end. */
struct disk {
    const struct disk_ops *ops;
    struct disk_listener listener;
    struct disk_facts facts;
};

/* Who opens a real folder, and what it may do there. */
enum disk_access {
    DISK_OWNER,      /* the engine: makes the folder if it is missing, locks `lock` alone */
    DISK_CHECKPOINT, /* its child: files of others only read; locks `checkpoint.lock` alone */
    DISK_LOOK,       /* only reads; no owner meanwhile (`lock` shared, where there is one) */
    DISK_GLANCE      /* only reads, beside an owner that may be there */
};

/* How a disk over a real folder is to be opened; a forced fallback is one that a test asks for. */
struct disk_options {
    const char *dir;         /* made by an owner if missing (its parent must exist) */
    enum disk_access access;
    enum disk_method method; /* AUTO: measured */
    bool force_buffered;     /* no O_DIRECT */
    bool force_unregistered; /* io_uring without registered buffers */
};

/* Open a real folder. Its lock is taken first and held until free. All but an owner open files
 * for reading, but for those that they make.
 *
 * Errors: ERR_LOCKED while another process holds it; ERR_UNSUPPORTED or ERR_ACCESS where io_uring
 * is not to be had; else what err_from_errno makes of the folder's errors. */
ERR_MUST_USE enum err disk_uring_new(const struct disk_options *options, struct disk **disk_out);
ERR_MUST_USE enum err disk_pwrite_new(const struct disk_options *options, struct disk **disk_out);

#endif
