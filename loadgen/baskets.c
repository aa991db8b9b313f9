/* The file is sorted by invoice, so a change of invoice begins a new basket. */
#include "baskets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"

enum { LINES_MAX = 1000000, BASKETS_MAX = 100000, QTY_MAX = 1000000 };

/* Start `gzip -dc path` and give its output. No shell: the path stays one argument. */
static FILE *open_gzip(const char *path, pid_t *pid_out)
{
    int ends[2];
    if (access(path, R_OK) != 0 || pipe(ends) != 0) {
        return NULL;
    }
    *pid_out = fork();
    if (*pid_out == 0) {
        dup2(ends[1], STDOUT_FILENO);
        close(ends[0]);
        close(ends[1]);
        execlp("gzip", "gzip", "-dc", path, (char *)NULL);
        _exit(127);
    }
    close(ends[1]);
    FILE *file = *pid_out > 0 ? fdopen(ends[0], "r") : NULL;
    if (file == NULL) {
        close(ends[0]);
    }
    return file;
}

/* One line `invoice,stock_code,quantity,...`. False: it is not of that form, or memory ends.
 * last is the invoice before, and becomes this one. */
static bool take_line(struct baskets *baskets, struct id_index *items, const char *line,
                      char last[16])
{
    char invoice[16];
    char code[16];
    long qty = 0;
    if (sscanf(line, "%15[^,],%12[^,],%ld,", invoice, code, &qty) != 3) {
        return false;
    }
    if (invoice[0] == 'C' || qty <= 0 || qty > QTY_MAX) {
        return true; /* a cancellation or a return */
    }
    char id[ID_SIZE_MAX + 1];
    int size = snprintf(id, sizeof id, "uk-%s", code);
    uint32_t item = id_index_add(items, id, (uint32_t)size);
    if (item == ID_NONE || baskets->lines_count == LINES_MAX || baskets->count == BASKETS_MAX) {
        return false;
    }
    if (strcmp(invoice, last) != 0) {
        baskets->starts[baskets->count++] = baskets->lines_count;
        memcpy(last, invoice, sizeof invoice);
    }
    baskets->lines[baskets->lines_count++] =
        (struct basket_line){.item = item, .qty = (uint32_t)qty};
    return true;
}

static enum err read_all(struct baskets *baskets, struct id_index *items, FILE *file)
{
    char line[512];
    char last[16] = "";
    uint32_t number = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (number++ > 0 && !take_line(baskets, items, line, last)) {
            fprintf(stderr, "nearshelf-load: uk_baskets.csv.gz:%u: not as expected: %s", number,
                    line);
            return ERR_INVALID;
        }
    }
    baskets->starts[baskets->count] = baskets->lines_count;
    return baskets->count > 0 ? ERR_OK : ERR_INVALID;
}

enum err baskets_init(struct baskets *baskets, const char *dir, struct id_index *items)
{
    *baskets = (struct baskets){
        .lines = calloc(LINES_MAX, sizeof *baskets->lines),
        .starts = calloc(BASKETS_MAX + 1, sizeof *baskets->starts),
    };
    if (baskets->lines == NULL || baskets->starts == NULL) {
        baskets_close(baskets);
        return ERR_NOMEM;
    }
    char path[4096];
    snprintf(path, sizeof path, "%s/uk_baskets.csv.gz", dir);
    pid_t pid = -1;
    FILE *file = open_gzip(path, &pid);
    enum err err = file == NULL ? ERR_NOTFOUND : read_all(baskets, items, file);
    if (file != NULL) {
        fclose(file);
        waitpid(pid, NULL, 0);
    }
    if (err != ERR_OK) {
        fprintf(stderr, "nearshelf-load: %s: no baskets: %s\n", path, err_text(err));
        baskets_close(baskets);
    }
    return err;
}

void baskets_close(struct baskets *baskets)
{
    free(baskets->lines);
    free(baskets->starts);
    *baskets = (struct baskets){0};
}
