/* A disk in memory for tests: completions come when the test lets them, processes and power end
 * when it says so, with the write in flight torn, lost, reordered or misdirected; every byte can be
 * looked at and changed. One thread.
 *
 * It keeps what disk.h promises of files and names (whole or absent, durable on return), so that
 * recovery meets what the log may rely on; that the real folder keeps it is tested there. */
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

/* While held, writes or jobs stay outstanding until released, also by a waiting drive; a write_here
 * is never held. The completion itself is told by the next drive. Releasing nothing is fine. */
void disk_sim_hold_writes(struct disk *disk, bool is_held);
void disk_sim_hold_jobs(struct disk *disk, bool is_held);
bool disk_sim_has_write(const struct disk *disk);
bool disk_sim_has_job(const struct disk *disk);

/* -- ends: everything fails with ERR_CLOSED from there until disk_sim_power_on, which is the start
 * of the next process -- */

/* The power fails. Of a write in flight each 512-byte sector arrives or not, drawn, so it is lost,
 * torn or reordered; of what a kill left volatile likewise. A job in flight happened or not; a
 * create may leave `making.tmp`. */
void disk_sim_power_cut(struct disk *disk);

/* The process is killed. The write in flight arrives whole, in part or not at all; what arrives is
 * seen by the next process, yet volatile: a power cut may take it back until a write to the same
 * file was completed. */
void disk_sim_kill(struct disk *disk);

void disk_sim_power_on(struct disk *disk);
bool disk_sim_is_off(const struct disk *disk);

/* Operations so far (blocking calls, writes and jobs begun and completed), to draw an end from. */
uint64_t disk_sim_operations(const struct disk *disk);

/* End at the operation number at from now (1 = the next), which has happened or not, drawn. */
void disk_sim_end_at(struct disk *disk, uint64_t at, bool is_power);

/* At the next end, what arrives of the write in flight lands at another block of a log file,
 * drawn; disk_sim_repair puts back what stood there. True from repair: something was hit. */
void disk_sim_misdirect(struct disk *disk);
/* The same, at that offset of that file, or as near before it as there is room. */
void disk_sim_misdirect_to(struct disk *disk, const char *name, uint64_t offset);
bool disk_sim_repair(struct disk *disk);

/* Hear of each write as it becomes durable. NULL: of none. */
typedef void disk_sim_watch_cb(void *owner, const uint8_t *bytes, uint32_t size);
void disk_sim_watch(struct disk *disk, disk_sim_watch_cb *watch, void *owner);

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
