/* A buffer that doubles, and a source that hands out one section at a time. */
#include "image_memory.h"

#include <stdlib.h>
#include <string.h>

#include "check.h"

static void room(struct image_sink *sink, uint32_t size)
{
    struct image_memory *image = (struct image_memory *)sink;
    image->size = sink->at ? (uint64_t)(sink->at - image->bytes) : 0;
    image->room = (image->size + size) * 2;
    image->bytes = realloc(image->bytes, image->room);
    CHECK(image->bytes);
    sink->at = image->bytes + image->size;
    sink->end = image->bytes + image->room;
}

void image_memory_save(const struct tables *tables, struct image_memory *image)
{
    memset(image, 0, sizeof *image);
    image->sink.room = room;
    CHECK(image_section_count <= IMAGE_MEMORY_SECTIONS);
    for (uint32_t i = 0; i < image_section_count; i++) {
        image_sections[i].save(tables, &image->sink);
        image->ends[i] = image->sink.at ? (uint64_t)(image->sink.at - image->bytes) : 0;
    }
    CHECK(image->sink.err == ERR_OK);
    image->size = image->ends[image_section_count - 1];
    image->lsn = tables->lsn;
    image->time_ms = tables->time_ms;
    image->digest = tables->digest;
}

static bool no_more(struct image_source *source)
{
    (void)source;
    return false;
}

enum err image_memory_load(const struct image_memory *image, struct tables *tables, int left_out,
                           char why[IMAGE_WHY_SIZE])
{
    struct image_source source = {.more = no_more};
    for (uint32_t i = 0; i < image_section_count; i++) {
        source.at = image->bytes + (i ? image->ends[i - 1] : 0);
        source.end = (int)i == left_out ? source.at : image->bytes + image->ends[i];
        source.version = image_sections[i].version;
        image_sections[i].load(tables, &source);
    }
    enum err err = image_load_end(tables, &source, image->lsn, image->time_ms, &image->digest);
    memcpy(why, source.why, IMAGE_WHY_SIZE);
    return err;
}

uint64_t image_memory_section(const struct image_memory *image, uint32_t index)
{
    return image->ends[index] - (index ? image->ends[index - 1] : 0);
}

bool image_memory_equal(const struct image_memory *a, const struct image_memory *b)
{
    return a->size == b->size && memcmp(a->bytes, b->bytes, a->size) == 0;
}

void image_memory_free(struct image_memory *image)
{
    free(image->bytes);
    memset(image, 0, sizeof *image);
}
