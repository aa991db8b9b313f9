/* Blocks, index, lists and the pieces by cell. What a change does is in apply_reserve.c. */
#include "reserve.h"

#include <string.h>

#include "check.h"
#include "decimal.h"
#include "hold.h"
#include "mem.h"
#include "network.h"

enum {
    TAG_RESERVATION = 13,
    TAG_PIECE = 14,
    BYTES_EACH = 512,             /* of blocks, on average */
    SLACK = 4 * SLAB_SIZE_MAX     /* so that the largest block can always be had */
};

static uint64_t power_of_two(uint64_t least)
{
    uint64_t count = 1024;
    while (count < least) {
        count *= 2;
    }
    return count;
}

static uint64_t slot_count(uint32_t max)
{
    return power_of_two((uint64_t)max * 3 / 2);
}

static uint64_t cell_count(uint32_t max)
{
    return power_of_two((uint64_t)max * RESERVE_PIECES_EACH * 4 / 3);
}

static uint64_t slab_bytes(uint32_t max)
{
    return (uint64_t)max * BYTES_EACH + 2 * SLACK;
}

enum err reserves_init(struct reserves *reserves, uint32_t max, const struct hash_key *key)
{
    memset(reserves, 0, sizeof *reserves);
    reserves->max = max;
    reserves->key = key;
    reserves->slot_mask = slot_count(max) - 1;
    reserves->cell_mask = cell_count(max) - 1;
    enum err err = slab_init(&reserves->slab, slab_bytes(max));
    if (err != ERR_OK) {
        return err;
    }
    void *memory;
    err = mem_reserve(slot_count(max) * sizeof(slab_ref), &memory);
    if (err == ERR_OK) {
        reserves->slots = memory;
        err = mem_reserve(cell_count(max) * sizeof(struct cell_pieces), &memory);
    }
    if (err != ERR_OK) {
        reserves_close(reserves);
        return err;
    }
    reserves->cells = memory;
    return ERR_OK;
}

void reserves_close(struct reserves *reserves)
{
    slab_close(&reserves->slab);
    mem_release(reserves->slots, (reserves->slot_mask + 1) * sizeof(slab_ref));
    mem_release(reserves->cells, (reserves->cell_mask + 1) * sizeof(struct cell_pieces));
    memset(reserves, 0, sizeof *reserves);
}

uint64_t reserves_memory(uint32_t max)
{
    return mem_size(slab_bytes(max)) + mem_size(slot_count(max) * sizeof(slab_ref)) +
           mem_size(cell_count(max) * sizeof(struct cell_pieces));
}

uint64_t reserves_bytes(const struct reserves *reserves)
{
    return reserves->slab.live + reserves->count * sizeof(slab_ref) +
           reserves->pieces * sizeof(struct cell_pieces);
}

/* -- index -- */

uint64_t reserves_hash(const struct reserves *reserves, const char *id, uint32_t len)
{
    return hash_keyed(reserves->key, id, len);
}

static uint64_t home(const struct reserves *reserves, uint64_t hash)
{
    return (hash >> 32) & reserves->slot_mask;
}

slab_ref reserves_find(const struct reserves *reserves, uint64_t hash, const char *id,
                       uint32_t len)
{
    uint64_t at = home(reserves, hash);
    for (; reserves->slots[at]; at = (at + 1) & reserves->slot_mask) {
        const struct reservation *own = reservation_at(reserves, reserves->slots[at]);
        if (own->id_hash == hash && own->id_len == len &&
            memcmp(reservation_id(own), id, len) == 0) {
            return reserves->slots[at];
        }
    }
    return 0;
}

static void slot_enter(struct reserves *reserves, slab_ref ref)
{
    uint64_t at = home(reserves, reservation_at(reserves, ref)->id_hash);
    while (reserves->slots[at]) {
        at = (at + 1) & reserves->slot_mask;
    }
    reserves->slots[at] = ref;
}

static void slot_leave(struct reserves *reserves, slab_ref ref)
{
    uint64_t mask = reserves->slot_mask;
    uint64_t hole = home(reserves, reservation_at(reserves, ref)->id_hash);
    while (reserves->slots[hole] != ref) {
        hole = (hole + 1) & mask;
    }
    for (uint64_t at = (hole + 1) & mask; reserves->slots[at]; at = (at + 1) & mask) {
        uint64_t wanted = home(reserves, reservation_at(reserves, reserves->slots[at])->id_hash);
        if (((at - wanted) & mask) >= ((at - hole) & mask)) {
            reserves->slots[hole] = reserves->slots[at];
            hole = at;
        }
    }
    reserves->slots[hole] = 0;
}

/* -- blocks and lists -- */

bool reserves_have_room(const struct reserves *reserves, uint32_t count, uint32_t pieces)
{
    return reserves->count + count <= reserves->max &&
           reserves->pieces + (uint64_t)pieces <= (uint64_t)reserves->max * RESERVE_PIECES_EACH &&
           reserves->slab.used + SLACK <= reserves->slab.size;
}

slab_ref reserves_add(struct reserves *reserves, uint64_t hash, const char *id, uint32_t len)
{
    slab_ref ref = slab_take(&reserves->slab, sizeof(struct reservation) + len);
    CHECK(ref);
    struct reservation *own = reservation_at(reserves, ref);
    *own = (struct reservation){.id_hash = hash, .id_len = (uint8_t)len};
    memcpy(own + 1, id, len);
    own->older = reserves->newest;
    if (reserves->newest) {
        reservation_at(reserves, reserves->newest)->newer = ref;
    } else {
        reserves->oldest = ref;
    }
    reserves->newest = ref;
    reserves->count++;
    slot_enter(reserves, ref);
    return ref;
}

static void body_give(struct reserves *reserves, struct reservation *own)
{
    if (own->body) {
        slab_give(&reserves->slab, own->body, own->body_size);
    }
    own->body = 0;
}

void reserves_body_new(struct reserves *reserves, struct reservation *own, uint32_t lines,
                       uint32_t pieces, uint32_t texts)
{
    size_t size = lines * sizeof(struct reservation_line) +
                  pieces * sizeof(struct reservation_piece) + texts;
    body_give(reserves, own);
    own->body = slab_take(&reserves->slab, size);
    CHECK(own->body);
    memset(slab_at(&reserves->slab, own->body), 0, size);
    own->body_size = (uint32_t)size;
    own->line_count = (uint16_t)lines;
    own->piece_count = (uint16_t)pieces;
}

void reserves_end(struct reserves *reserves, slab_ref ref, uint64_t now_ms)
{
    struct reservation *own = reservation_at(reserves, ref);
    CHECK(reservation_is_live(own));
    own->ended_ms = now_ms ? now_ms : 1;
    if (reserves->ended_newest) {
        reservation_at(reserves, reserves->ended_newest)->next_ended = ref;
    } else {
        reserves->ended_oldest = ref;
    }
    reserves->ended_newest = ref;
    reserves->ended_count++;
}

static void unlist(struct reserves *reserves, struct reservation *own)
{
    if (own->older) {
        reservation_at(reserves, own->older)->newer = own->newer;
    } else {
        reserves->oldest = own->newer;
    }
    if (own->newer) {
        reservation_at(reserves, own->newer)->older = own->older;
    } else {
        reserves->newest = own->older;
    }
}

void reserves_drop_oldest_ended(struct reserves *reserves)
{
    slab_ref ref = reserves->ended_oldest;
    CHECK(ref);
    struct reservation *own = reservation_at(reserves, ref);
    reserves->ended_oldest = own->next_ended;
    reserves->ended_newest = own->next_ended ? reserves->ended_newest : 0;
    reserves->sweep = reserves->sweep == ref ? own->newer : reserves->sweep;
    unlist(reserves, own);
    slot_leave(reserves, ref);
    body_give(reserves, own);
    reserves->count--;
    reserves->ended_count--;
    slab_give(&reserves->slab, ref, sizeof(struct reservation) + own->id_len);
}

/* -- pieces by cell -- */

static uint64_t cell_home(const struct reserves *reserves, uint32_t item, uint16_t node)
{
    uint64_t x = ((uint64_t)item << 16 | node) * 0x9e3779b97f4a7c15u;
    return (x >> 32 ^ x >> 52) & reserves->cell_mask;
}

static struct cell_pieces *cell_find(const struct reserves *reserves, uint32_t item, uint16_t node)
{
    uint64_t at = cell_home(reserves, item, node);
    while (reserves->cells[at].newest.ref &&
           (reserves->cells[at].item != item || reserves->cells[at].node != node)) {
        at = (at + 1) & reserves->cell_mask;
    }
    return &reserves->cells[at];
}

static void cell_remove(struct reserves *reserves, uint64_t hole)
{
    uint64_t mask = reserves->cell_mask;
    for (uint64_t at = (hole + 1) & mask; reserves->cells[at].newest.ref; at = (at + 1) & mask) {
        const struct cell_pieces *cell = &reserves->cells[at];
        uint64_t wanted = cell_home(reserves, cell->item, cell->node);
        if (((at - wanted) & mask) >= ((at - hole) & mask)) {
            reserves->cells[hole] = *cell;
            hole = at;
        }
    }
    memset(&reserves->cells[hole], 0, sizeof reserves->cells[hole]);
}

static struct reservation_piece *piece_of(const struct reserves *reserves, struct piece_name name)
{
    return &reservation_pieces(reserves, reservation_at(reserves, name.ref))[name.piece];
}

static uint32_t piece_item(const struct reserves *reserves, struct piece_name name)
{
    const struct reservation *own = reservation_at(reserves, name.ref);
    return reservation_lines(reserves, own)[piece_of(reserves, name)->line].item;
}

void reserves_piece_enter(struct reserves *reserves, struct piece_name name)
{
    struct reservation_piece *piece = piece_of(reserves, name);
    uint32_t item = piece_item(reserves, name);
    struct cell_pieces *cell = cell_find(reserves, item, piece->node);
    piece->older = cell->newest;
    piece->newer = (struct piece_name){0, 0};
    if (cell->newest.ref) {
        piece_of(reserves, cell->newest)->newer = name;
    }
    *cell = (struct cell_pieces){name, item, piece->node,
                                 (cell->newest.ref ? cell->units : 0) + piece->held};
    reserves->pieces++;
}

void reserves_piece_leave(struct reserves *reserves, struct piece_name name)
{
    struct reservation_piece *piece = piece_of(reserves, name);
    if (piece->older.ref) {
        piece_of(reserves, piece->older)->newer = piece->newer;
    }
    if (piece->newer.ref) {
        piece_of(reserves, piece->newer)->older = piece->older;
    } else {
        struct cell_pieces *cell = cell_find(reserves, piece_item(reserves, name), piece->node);
        CHECK(cell->newest.ref == name.ref);
        cell->newest = piece->older;
        if (!piece->older.ref) {
            cell_remove(reserves, (uint64_t)(cell - reserves->cells));
        }
    }
    piece->older = piece->newer = (struct piece_name){0, 0};
    reserves->pieces--;
}

int64_t reserves_units(const struct reserves *reserves, uint32_t item, uint16_t node)
{
    const struct cell_pieces *cell = cell_find(reserves, item, node);
    return cell->newest.ref ? cell->units : 0;
}

void reserves_piece_less(struct reserves *reserves, struct piece_name name, uint32_t units)
{
    cell_find(reserves, piece_item(reserves, name), piece_of(reserves, name)->node)->units -=
        units;
}

struct piece_name reserves_newest(const struct reserves *reserves, uint32_t item, uint16_t node)
{
    return cell_find(reserves, item, node)->newest;
}

/* -- what may have to be broken -- */

void reserves_sweep(struct reserves *reserves)
{
    reserves->sweep = reserves->oldest;
}

void reserves_todo(struct reserves *reserves, uint32_t item, uint16_t node)
{
    if (reserves->todo_count == RESERVE_TODO_MAX) {
        reserves_sweep(reserves);
        return;
    }
    uint32_t at = (reserves->todo_first + reserves->todo_count) % RESERVE_TODO_MAX;
    reserves->todo[at] = (struct reserve_cell){item, node};
    reserves->todo_count++;
}

/* -- texts, digest, check -- */

const char *reservation_line_text(const struct reserves *reserves, const struct reservation *own,
                                  uint32_t line, char scratch[12], uint32_t *len_out)
{
    const struct reservation_line *lines = reservation_lines(reserves, own);
    if (lines[line].text_len) {
        *len_out = lines[line].text_len;
        return (const char *)lines + lines[line].text;
    }
    *len_out = decimal_put(scratch, line + 1);
    return scratch;
}

static void digest_row(struct digest *digest, bool is_add, uint32_t tag, uint64_t a, uint64_t b,
                       uint64_t c)
{
    if (is_add) {
        digest_add_words(digest, tag, a, b, c);
    } else {
        digest_take_words(digest, tag, a, b, c);
    }
}

void reservation_digest(const struct reserves *reserves, const struct reservation *own,
                        struct digest *digest, bool is_add)
{
    uint64_t who = own->id_hash ^ own->lsn * 0x9e3779b97f4a7c15u;
    digest_row(digest, is_add, TAG_RESERVATION, own->content ^ own->created_ms << 20,
               own->lsn ^ own->expires_ms << 16,
               (uint64_t)own->state << 56 | (uint64_t)own->service << 48 |
                   (uint64_t)own->line_count << 32 | own->piece_count);
    for (uint32_t i = 0; i < own->piece_count; i++) {
        const struct reservation_piece *piece = &reservation_pieces(reserves, own)[i];
        const struct reservation_line *line = &reservation_lines(reserves, own)[piece->line];
        digest_row(digest, is_add, TAG_PIECE, who + i,
                   (uint64_t)line->item << 32 | (uint64_t)piece->node << 16 | piece->line,
                   (uint64_t)line->qty << 32 | piece->held);
    }
}

static void check_units(const struct reserves *reserves, struct piece_name newest)
{
    const struct reservation_piece *piece = piece_of(reserves, newest);
    int64_t units = -reserves_units(reserves, piece_item(reserves, newest), piece->node);
    for (struct piece_name at = newest; at.ref; at = piece_of(reserves, at)->older) {
        units += piece_of(reserves, at)->held;
    }
    CHECK(units == 0);
}

static void check_pieces(const struct reserves *reserves, slab_ref ref, int64_t *held,
                         uint64_t *holds)
{
    const struct reservation *own = reservation_at(reserves, ref);
    for (uint32_t i = 0; i < own->piece_count; i++) {
        const struct piece_name name = {ref, i};
        const struct reservation_piece *piece = piece_of(reserves, name);
        CHECK((piece->held > 0) == (piece->hold != HOLD_NONE));
        if (piece->held == 0) {
            continue;
        }
        CHECK(reservation_is_live(own));
        struct piece_name newest =
            reserves_newest(reserves, piece_item(reserves, name), piece->node);
        bool is_newest = newest.ref == ref && newest.piece == i;
        CHECK(is_newest == (piece->newer.ref == 0));
        if (is_newest) {
            check_units(reserves, name);
        }
        *held += piece->held;
        ++*holds;
    }
}

void reserves_check(const struct reserves *reserves, int64_t *held, uint64_t *holds)
{
    uint32_t count = 0;
    uint32_t ended = 0;
    uint64_t pieces = 0;
    for (slab_ref ref = reserves->oldest; ref; count++) {
        const struct reservation *own = reservation_at(reserves, ref);
        CHECK(reserves_find(reserves, own->id_hash, reservation_id(own), own->id_len) == ref);
        check_pieces(reserves, ref, held, &pieces);
        ref = own->newer;
    }
    for (slab_ref ref = reserves->ended_oldest; ref; ended++) {
        ref = reservation_at(reserves, ref)->next_ended;
    }
    CHECK(count == reserves->count);
    CHECK(ended == reserves->ended_count);
    CHECK(pieces == reserves->pieces);
    *holds += pieces;
}
