/* A disk in memory for tests: completions come when the test lets them, power fails when it says
 * so and tears the write in flight, every byte can be looked at and changed. One thread. */
#ifndef LOG_DISK_SIM_H
#define LOG_DISK_SIM_H

#include <stdbool.h>
#include <stdint.h>

#include "disk.h"

/* A disk of capacity bytes; identities, epochs and tears are drawn from seed. Never NULL. Freed
 * by disk_sim_free, not by a log that was given it. */
struct disk *disk_sim_new(uint64_t seed, uint64_t capacity);
void disk_sim_free(struct disk *disk);

/* An independent copy; nothing may be outstanding. */
struct disk *disk_sim_clone(const struct disk *disk);

/* While held, writes or jobs stay outstanding until released, also by a waiting drive. The
 * completion itself is told by the next drive. Releasing nothing is fine. */
void disk_sim_hold_writes(struct disk *disk, bool is_held);
void disk_sim_hold_jobs(struct disk *disk, bool is_held);
bool disk_sim_has_write(const struct disk *disk);
bool disk_sim_has_job(const struct disk *disk);

/* Of a write in flight each 512-byte sector arrives or not, drawn; a job in flight never was.
 * Everything fails with ERR_CLOSED until disk_sim_power_on. */
void disk_sim_power_cut(struct disk *disk);
void disk_sim_power_on(struct disk *disk);

/* More or less space from now on. */
void disk_sim_capacity_set(struct disk *disk, uint64_t capacity);

/* The bytes of a file, to be looked at or changed; NULL if there is none. Valid until the file is
 * removed or replaced. */
uint8_t *disk_sim_file(struct disk *disk, const char *name, uint64_t *size_out);

/* Put a file there as if written long ago. */
void disk_sim_file_put(struct disk *disk, const char *name, const uint8_t *bytes, uint64_t size);

/* Cut or lengthen a file, filling with zeros. */
void disk_sim_file_resize(struct disk *disk, const char *name, uint64_t size);

#endif
