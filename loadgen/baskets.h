/* Real shopping baskets: the invoices of uk_baskets.csv.gz, without cancellations and returns. */
#ifndef LOADGEN_BASKETS_H
#define LOADGEN_BASKETS_H

#include <stdint.h>

#include "err.h"
#include "id_index.h"

struct basket_line {
    uint32_t item;
    uint32_t qty;
};

/* Owner: whoever called baskets_init; read-only afterwards. An all-zero struct is empty. */
struct baskets {
    struct basket_line *lines;
    uint32_t lines_count;
    uint32_t *starts; /* of each basket in lines; one more than baskets */
    uint32_t count;
};

/* Read dir/uk_baskets.csv.gz through gzip. Items are added to items under "uk-" and their code.
 *
 * Errors (told on stderr):
 *   ERR_NOTFOUND  the file or gzip is not there.
 *   ERR_INVALID   a line is not of the form expected, or there are none.
 *   ERR_NOMEM     no memory.
 */
ERR_MUST_USE enum err baskets_init(struct baskets *baskets, const char *dir,
                                   struct id_index *items);
void baskets_close(struct baskets *baskets);

#endif
