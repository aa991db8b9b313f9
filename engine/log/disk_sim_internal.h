/* The simulated disk's state, shared by disk_sim.c (operations) and disk_sim_end.c (kills and
 * power cuts). */
#ifndef LOG_DISK_SIM_INTERNAL_H
#define LOG_DISK_SIM_INTERNAL_H

#include "disk_sim.h"
#include "rng.h"

enum { SIM_FILES_MAX = 512, SIM_NAME_SIZE = 64, SIM_SECTOR_SIZE = 512, SIM_VOLATILE_MAX = 64 };

#define SIM_MAKING_NAME "making.tmp" /* what a create that never ended leaves */

struct sim_file {
    char name[SIM_NAME_SIZE]; /* "" = free slot */
    uint8_t *bytes;
    uint64_t size;
    bool is_loose; /* between make and finish: nothing of it is promised */
};

struct sim_write {
    bool is_outstanding;
    int file;
    uint64_t offset;
    uint8_t *bytes;
    uint32_t size;
};

/* Bytes that are seen but not durable: what stood there before, to be put back. */
struct sim_volatile {
    int file; /* -1: free */
    uint64_t offset;
    uint32_t size;
    uint8_t *before;
};

enum sim_job_kind { SIM_JOB_NONE, SIM_JOB_CREATE, SIM_JOB_RENAME, SIM_JOB_REMOVE };

struct sim_job {
    enum sim_job_kind kind;
    char name[SIM_NAME_SIZE];
    char to[SIM_NAME_SIZE];
    uint64_t size;
    uint8_t block[DISK_ALIGN];
};

struct disk_sim {
    struct disk base; /* first */
    struct rng rng;
    uint64_t capacity;
    bool is_off;
    bool holds_writes;
    bool holds_jobs;
    bool is_misdirecting; /* at the next end */
    int aimed_file;       /* of the misdirected write; -1: drawn, with its offset */
    uint64_t aimed_offset;
    bool ends_by_power;   /* armed end */
    uint64_t end_at;      /* operation number, 0 = none armed */
    uint64_t operations;
    struct sim_write write;
    bool has_written_here; /* a write_here's result is to be told */
    enum err here_result;
    struct sim_job job;
    struct sim_volatile volatiles[SIM_VOLATILE_MAX];
    uint32_t volatile_count;
    struct sim_volatile misdirected; /* what a misdirected write hit */
    disk_sim_watch_cb *watch;
    void *watch_owner;
    int files_used; /* slots up to here may be taken */
    struct sim_file files[SIM_FILES_MAX];
};

static inline struct disk_sim *sim_from(struct disk *disk)
{
    return (struct disk_sim *)disk;
}

/* -- files (disk_sim.c) -- */
int sim_find(const struct disk_sim *sim, const char *name);
struct sim_file *sim_add(struct disk_sim *sim, const char *name, uint64_t size);
void sim_drop(struct disk_sim *sim, int file);
void sim_resize(struct sim_file *file, uint64_t size);
void sim_name_set(char name[SIM_NAME_SIZE], const char *from);

/* The job without its counting: what it does to the files. */
enum err sim_job_do(struct disk_sim *sim, const struct sim_job *job);

/* -- ends (disk_sim_end.c) -- */

/* Where an operation stands to an armed end. */
enum disk_sim_step {
    SIM_STEP_GO,  /* do it */
    SIM_STEP_OFF, /* do nothing: the end came before */
    SIM_STEP_LAST /* do it; then the end comes (sim_leave) */
};

/* Count one operation. Anything but SIM_STEP_GO is answered ERR_CLOSED. */
enum disk_sim_step sim_enter(struct disk_sim *sim);

/* After an operation that was entered: its own result, or ERR_CLOSED when the end came with it. */
enum err sim_leave(struct disk_sim *sim, enum disk_sim_step step, enum err err);

/* All of the file is durable from now on. */
void sim_make_durable(struct disk_sim *sim, int file);

#endif
