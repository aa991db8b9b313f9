/* A disk that passes everything on to another one and lets chosen operations fail, by count. For
 * tests; production code has no injection points. One thread. */
#ifndef LOG_DISK_FAULT_H
#define LOG_DISK_FAULT_H

#include <stdint.h>

#include "disk.h"

enum disk_fault_kind {
    DISK_FAULT_WRITE_LOST,  /* nothing arrives, error told */
    DISK_FAULT_WRITE_SHORT, /* the first half (whole blocks) arrives, error told */
    DISK_FAULT_FLUSH,       /* all arrives, error told: a failed flush */
    DISK_FAULT_JOB,         /* create_start, rename_start or remove_start */
    DISK_FAULT_CALL         /* any blocking operation */
};

/* Wrap inner (borrowed). Never NULL. */
struct disk *disk_fault_new(struct disk *inner);
void disk_fault_free(struct disk *disk);

/* Let the operation number at (1 = the next) of that kind fail with err, once. Writes are counted
 * together, whatever the kind. */
void disk_fault_arm(struct disk *disk, enum disk_fault_kind kind, uint64_t at, enum err err);

/* What was armed and has not come yet does not come any more. */
void disk_fault_disarm(struct disk *disk);

/* Whether the operation that was armed has come. */
bool disk_fault_has_come(const struct disk *disk);

/* Operations that have passed so far, to loop over each of them: writes, jobs, calls. */
uint64_t disk_fault_count(const struct disk *disk, enum disk_fault_kind kind);

#endif
