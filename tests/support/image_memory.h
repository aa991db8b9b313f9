/* The image of tables in memory: saved section by section, loaded again, compared. One thread. */
#ifndef SUPPORT_IMAGE_MEMORY_H
#define SUPPORT_IMAGE_MEMORY_H

#include <stdbool.h>
#include <stdint.h>

#include "image.h"

enum { IMAGE_MEMORY_SECTIONS = 64 };

/* An image. All zeros is one that holds nothing; freed by image_memory_free. */
struct image_memory {
    struct image_sink sink; /* first */
    uint8_t *bytes;
    uint64_t size, room;
    uint64_t ends[IMAGE_MEMORY_SECTIONS]; /* of the sections in bytes */
    uint64_t lsn, time_ms;
    struct digest digest;
};

void image_memory_save(const struct tables *tables, struct image_memory *image);

/* Load into fresh tables, leaving out one section (-1: none). why gets the reason of an error. */
enum err image_memory_load(const struct image_memory *image, struct tables *tables, int left_out,
                           char why[IMAGE_WHY_SIZE]);

/* Bytes of a section. */
uint64_t image_memory_section(const struct image_memory *image, uint32_t index);

bool image_memory_equal(const struct image_memory *a, const struct image_memory *b);
void image_memory_free(struct image_memory *image);

#endif
