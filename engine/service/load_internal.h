/* What the loads share: rows that are decoded slice by slice, room in the log between slices,
 * and the rules for counts. */
#ifndef SERVICE_LOAD_INTERNAL_H
#define SERVICE_LOAD_INTERNAL_H

#include "content_internal.h"
#include "service_internal.h"

enum { LOAD_ROWS_MAX = 100000, SLICE_ROWS = WORK_STEPS / 4 };

/* -- job.c -- */

enum job_room {
    JOB_ROOM_OK,
    JOB_ROOM_WAIT, /* try again with the next slice */
    JOB_ROOM_GONE  /* the call was answered with an error: the load is over */
};

enum { JOB_RECORDS = 2 }; /* of a slice at most: its own, and what follows from it */

/* Room for the next slice of a load that is under way. */
enum job_room job_room(struct service_core *service, struct job *job, uint32_t bytes);

/* -- loads of rows (load_rows.c) -- */

/* The `rows` field of a load: its bytes are kept, so that it is decoded between other work. Part
 * of the block that a job owns; the reader points into it, so it stays in place. */
struct row_source {
    struct reader reader;
    struct reader_map map;     /* a map of its own around rows: errors say rows[3][0] */
    struct reader_array array;
    uint32_t count;            /* rows that there are */
    uint32_t at;               /* rows that were read */
    uint8_t *bytes;            /* room for raw.len + ROW_SOURCE_HEAD */
};

enum { ROW_SOURCE_HEAD = 6 };

/* Begin to read rows from a copy of raw, the field's value; bytes has room for it. Not an array,
 * or too many: the reader is bad. */
void row_source_begin(struct row_source *source, struct text raw, uint8_t *bytes);

/* How many rows a raw array tells to have, 0 where it is none. */
uint32_t row_source_count(struct text raw);

/* Whether there is one more row, at whose first element the reader then stands; its end is
 * row_end. Each row is an array of exactly width elements. */
bool row_next(struct row_source *source, struct reader_array *row, uint32_t width);
void row_end(struct row_source *source, struct reader_array *row);

struct rows_load;

/* A method that loads rows. All of them are read before has_room is asked and one is applied. */
struct load_kind {
    size_t head, row; /* bytes of the method's load, and of each row behind it */
    uint32_t slice;   /* rows of a turn, and of a record */
    uint32_t width;   /* values of a row */

    /* Read row at, whose array the reader stands in, up to its last value. */
    void (*read)(struct service_core *service, struct rows_load *load, struct reader_array *array,
                 uint32_t at);
    void (*content)(struct rows_load *load, uint32_t at); /* of a row, into load->content */
    /* So that no slice finds tables or memory full. False: answered. */
    bool (*has_room)(struct service_core *service, struct job *job);
    uint32_t (*size)(struct rows_load *load, uint32_t count); /* of a record of so many */
    /* Log and apply count rows from at on; count may be 0. */
    void (*log)(struct service_core *service, struct rows_load *load, uint32_t at,
                uint32_t count);
};

/* What begins a method's own load, which is the beginning of the job's block: zeros, then the
 * rows, then the bytes they are read from. */
struct rows_load {
    const struct load_kind *kind;
    struct row_source source;
    struct content content; /* the method, then what it adds */
    bool is_taken;
    char key[ID_MAX];
    uint32_t key_len; /* 0 = none */
};

/* A load that rows_load_start runs. NULL: answered. */
struct job *rows_load_new(struct service_core *service, struct call *call,
                          const struct load_kind *kind, struct text raw, struct text key);

/* Take it over; its first slice runs now. Rows that are no array are answered. */
void rows_load_start(struct service_core *service, struct job *job);

/* -- slices of a stock load (load_slice.c) -- */

/* Rows are placed by the rank of their item among all that have one. Part of a job's block. */
struct load_order {
    const uint64_t *seen; /* bit per item that has a row */
    uint32_t *ranks;      /* per word of seen: items before it */
    uint32_t words;
    uint32_t word, rank; /* how far the ranks are */
    uint32_t row;        /* rows placed */
};

void load_order_begin(struct load_order *order, const uint64_t *seen, uint32_t words);

/* A step below 100 us. True: sorted has all rows in rising order of their items. */
bool load_order_step(struct load_order *order, const struct effect_stock_row *rows,
                     struct effect_stock_row *sorted, uint32_t count);

/* What a slice comes to: cells with another on_hand than before, and spans of those without. */
struct load_slice {
    const struct itemset *set; /* the items of the node */
    uint32_t count, span_count;
    bool is_joined; /* every cell of the last span's first item to reach is told by the slice */
    uint32_t reach;
    struct effect_stock_row rows[SLICE_ROWS];
    struct effect_span spans[SLICE_ROWS];
};

/* Items come in rising order. */
void load_slice_begin(struct load_slice *slice, const struct itemset *set);
void load_slice_row(struct load_slice *slice, uint32_t item, int32_t on_hand);
void load_slice_confirm(struct load_slice *slice, uint32_t item);

/* -- rules for counts (handle_stock.c) -- */

/* Time of what came without one: arrival, or just after the cell's last count where that was
 * made in this very moment, so that what comes later counts as later. */
uint64_t time_of_arrival(uint64_t now_ms, uint64_t counted_ms);

/* The same for a count on arrival of which what moved until then, latest_ms at the latest, is a
 * part: also what left in this very moment with units of a cell that was counted in it, and
 * so has a later time. */
uint64_t time_of_count(uint64_t now_ms, uint64_t counted_ms, uint64_t latest_ms);

/* Whether movements after counted_at may be forgotten already. */
bool count_is_too_old(const struct service_core *service, uint64_t counted_at);

/* on_hand now that follows from value then. */
int64_t count_now(const struct service_core *service, uint32_t item, uint16_t node, int64_t value,
                  uint64_t counted_at);

#endif
