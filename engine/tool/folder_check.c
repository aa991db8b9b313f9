/* Each snapshot is loaded as a start would load it; then the whole log from the oldest one on is
 * replayed, and its digest compared at every group and with every newer snapshot. All of it in a
 * child process: tables that contradict themselves end it, not the caller. */
#include "folder_check.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "disk.h"
#include "recovery.h"
#include "replay_ahead.h"
#include "snapshot.h"
#include "wal.h"

struct checking {
    struct disk *disk;
    struct wal *wal;
    const struct tables_options *options;
    FILE *out;
    struct snapshot_list list;
    struct snapshot_mark marks[SNAPSHOT_LIST_MAX]; /* as list; lsn 0 where damaged */
    bool is_met[SNAPSHOT_LIST_MAX]; /* as list; the log has a group that ends there */
    uint32_t damaged;
    struct tables tables;
    bool has_tables; /* they are those of the oldest snapshot, for the log to go on from */
    struct replay_ahead ahead;
    char error[WAL_ERROR_SIZE];
};

/* What the child found; shared with it. */
struct answer {
    enum err err;
    bool is_sound;
};

static void say_bad(struct checking *checking, const char *what)
{
    checking->damaged++;
    fprintf(checking->out, "DAMAGED %s\n", what);
}

static enum err tables_fresh(struct checking *checking)
{
    const enum err err = tables_init(&checking->tables, checking->options,
                                     wal_identity(checking->wal)->secret);
    if (err != ERR_OK) {
        memset(&checking->tables, 0, sizeof checking->tables);
        fprintf(checking->out, "the limits do not fit this machine: %s\n", err_text(err));
    }
    return err;
}

/* -- snapshots -- */

static enum err load_one(struct checking *checking, uint32_t i)
{
    char name[SNAPSHOT_NAME_SIZE];
    struct snapshot_mark *mark = &checking->marks[i];
    snapshot_name(checking->list.lsns[i], name);
    const enum err err = snapshot_load(checking->disk, name, wal_identity(checking->wal)->uuid,
                                       &checking->tables, mark, checking->error);
    if (err == ERR_OK && mark->lsn == checking->list.lsns[i]) {
        fprintf(checking->out, "%s: sound, lsn %llu, %llu orders, %llu cells\n", name,
                (unsigned long long)mark->lsn,
                (unsigned long long)checking->tables.orders.count,
                (unsigned long long)checking->tables.cells);
        return ERR_OK;
    }
    mark->lsn = 0;
    if (err == ERR_OK) {
        snprintf(checking->error, sizeof checking->error,
                 "%s, offset 48: the file has the name of another LSN", name);
    }
    say_bad(checking, checking->error);
    return err == ERR_FULL || err == ERR_NOMEM ? err : ERR_OK;
}

static enum err check_snapshots(struct checking *checking)
{
    enum err err = snapshot_find(checking->disk, &checking->list);
    for (uint32_t i = 0; i < checking->list.count && err == ERR_OK; i++) {
        err = tables_fresh(checking);
        if (err != ERR_OK) {
            return err;
        }
        err = load_one(checking, i);
        checking->has_tables = i + 1 == checking->list.count && checking->marks[i].lsn > 0;
        if (!checking->has_tables) {
            tables_close(&checking->tables);
        }
    }
    return err;
}

/* -- the log -- */

static enum err on_replay(void *owner, uint64_t lsn, uint64_t time_ms, uint8_t type,
                          const uint8_t *bytes, uint32_t size)
{
    struct checking *checking = owner;
    return tables_replay(&checking->tables, lsn, time_ms, type, bytes, size);
}

static void on_ahead(void *owner, uint8_t type, const uint8_t *bytes, uint32_t size)
{
    struct checking *checking = owner;
    replay_ahead(&checking->ahead, &checking->tables, type, bytes, size);
}

static enum err on_group(void *owner, const struct digest *stamped, uint64_t last_lsn,
                         uint64_t time_ms)
{
    struct checking *checking = owner;
    (void)time_ms;
    for (uint32_t i = 0; i < checking->list.count; i++) {
        const struct snapshot_mark *mark = &checking->marks[i];
        checking->is_met[i] |= mark->lsn == last_lsn;
        if (mark->lsn == last_lsn && !digest_equal(&mark->digest, stamped)) {
            char text[SNAPSHOT_NAME_SIZE + 64];
            char name[SNAPSHOT_NAME_SIZE];
            snapshot_name(mark->lsn, name);
            snprintf(text, sizeof text, "%s, offset 80: not the state that the log has there",
                     name);
            say_bad(checking, text);
        }
    }
    return digest_equal(stamped, &checking->tables.digest) ? ERR_OK : ERR_DAMAGED;
}

/* Start from the oldest sound snapshot, loaded again where it is not what was loaded last; none:
 * from the log's beginning. */
static enum err start(struct checking *checking)
{
    char name[SNAPSHOT_NAME_SIZE];
    for (uint32_t i = checking->list.count; i-- > 0;) {
        struct snapshot_mark mark = checking->marks[i];
        if (mark.lsn == 0) {
            continue;
        }
        snapshot_name(mark.lsn, name);
        wal_start_at(checking->wal, &(struct wal_start){.lsn = mark.lsn,
                                                        .time_ms = mark.time_ms,
                                                        .group_number = mark.group_number,
                                                        .chain = mark.chain,
                                                        .digest = mark.digest,
                                                        .is_origin = mark.is_origin,
                                                        .is_whole = true});
        checking->is_met[i] = true;
        return checking->has_tables
                   ? ERR_OK
                   : snapshot_load(checking->disk, name, mark.uuid, &checking->tables, &mark,
                                   checking->error);
    }
    return ERR_OK;
}

/* A start from such a snapshot is refused. */
static void check_met(struct checking *checking)
{
    for (uint32_t i = 0; i < checking->list.count; i++) {
        char text[SNAPSHOT_NAME_SIZE + 64];
        char name[SNAPSHOT_NAME_SIZE];
        if (checking->marks[i].lsn == 0 || checking->is_met[i]) {
            continue;
        }
        snapshot_name(checking->marks[i].lsn, name);
        snprintf(text, sizeof text, "%s, offset 48: the log has no group that ends with this LSN",
                 name);
        say_bad(checking, text);
    }
}

static void say_log(struct checking *checking, const struct wal_recovery *found)
{
    fprintf(checking->out,
            "log: sound, %llu segments, %llu groups with %llu records up to lsn %llu, "
            "%llu bytes\n",
            (unsigned long long)found->segments, (unsigned long long)found->groups,
            (unsigned long long)found->records, (unsigned long long)found->last_lsn,
            (unsigned long long)found->bytes);
    if (found->passed) {
        fprintf(checking->out, "log: sound, %llu groups before the oldest snapshot\n",
                (unsigned long long)found->passed);
    }
    if (found->has_torn_tail) {
        fprintf(checking->out,
                "log: %s, offset %llu: a last group that was never completed, told to nobody\n",
                found->torn_file, (unsigned long long)found->torn_offset);
    }
}

static enum err check_log(struct checking *checking)
{
    struct wal_recovery found;
    const struct wal_until all = {UINT64_MAX, UINT64_MAX};
    enum err err = checking->has_tables ? ERR_OK : tables_fresh(checking);
    if (err != ERR_OK) {
        return err;
    }
    err = start(checking);
    wal_ahead(checking->wal, on_ahead, REPLAY_AHEAD);
    if (err == ERR_OK) {
        err = wal_read(checking->wal, &all, on_replay, on_group, checking, &found);
        snprintf(checking->error, sizeof checking->error, "%s", wal_error(checking->wal));
    }
    if (err != ERR_OK) {
        say_bad(checking, checking->error);
    } else {
        say_log(checking, &found);
        check_met(checking);
        tables_check(&checking->tables);
        fprintf(checking->out, "books: in balance, %llu cells, %llu orders, %llu holds\n",
                (unsigned long long)checking->tables.cells,
                (unsigned long long)checking->tables.orders.count,
                (unsigned long long)checking->tables.holds.live);
    }
    tables_close(&checking->tables);
    return ERR_OK;
}

static enum err check_all(struct checking *checking)
{
    const struct wal_options reader = {.disk = checking->disk, .is_reader = true};
    enum err err = wal_open(&reader, checking->error, &checking->wal);
    if (err != ERR_OK) {
        say_bad(checking, checking->error);
        return ERR_OK;
    }
    err = check_snapshots(checking);
    if (err == ERR_OK) {
        err = check_log(checking);
    }
    wal_close(checking->wal);
    return err;
}

static enum err check_here(const char *dir, const struct tables_options *tables, FILE *out,
                           bool *is_sound_out)
{
    static struct checking checking; /* large */
    const struct disk_options where = {
        .dir = dir, .access = DISK_LOOK, .method = DISK_METHOD_FDATASYNC};
    checking = (struct checking){.options = tables, .out = out};
    *is_sound_out = false;
    enum err err = disk_pwrite_new(&where, &checking.disk);
    if (err != ERR_OK) {
        fprintf(out, "%s: %s%s\n", dir, err_text(err),
                err == ERR_LOCKED ? ": an engine has it; make a backup, and check that" : "");
        return err;
    }
    err = check_all(&checking);
    checking.disk->ops->free(checking.disk);
    *is_sound_out = err == ERR_OK && checking.damaged == 0;
    return err;
}

/* -- in a process of its own -- */

/* What a CHECK of tables that are broken ends; none of it is worth a core file. */
static void child(const char *dir, const struct tables_options *tables, int answer_fd,
                  struct answer *answer)
{
    const struct rlimit none = {0, 0};
    (void)setrlimit(RLIMIT_CORE, &none);
    FILE *out = fdopen(answer_fd, "w");
    if (!out) {
        _exit(1);
    }
    setlinebuf(out);
    answer->err = check_here(dir, tables, out, &answer->is_sound);
    fclose(out);
    _exit(0);
}

static void copy_lines(int fd, FILE *out)
{
    char bytes[4096];
    for (;;) {
        const ssize_t got = read(fd, bytes, sizeof bytes);
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            return;
        }
        (void)fwrite(bytes, 1, (size_t)got, out);
    }
}

static enum err check_in_child(const char *dir, const struct tables_options *tables, FILE *out,
                               struct answer *answer)
{
    int fds[2];
    int status = 0;
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return ERR_SYS;
    }
    fflush(NULL);
    const pid_t pid = fork();
    if (pid == 0) {
        close(fds[0]);
        child(dir, tables, fds[1], answer);
    }
    close(fds[1]);
    if (pid > 0) {
        copy_lines(fds[0], out);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
        }
    }
    close(fds[0]);
    if (pid < 0) {
        return ERR_SYS;
    }
    if (WIFSIGNALED(status)) {
        answer->is_sound = false;
        fprintf(out, "DAMAGED books: what was loaded contradicts itself, as the line on "
                     "stderr says (CHECK failed): restore a backup, or keep the folder and ask\n");
        return ERR_OK;
    }
    return answer->err;
}

enum err folder_check(const char *dir, const struct tables_options *tables, FILE *out,
                      bool *is_sound_out)
{
    *is_sound_out = false;
    struct answer *answer = mmap(NULL, sizeof *answer, PROT_READ | PROT_WRITE,
                                 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (answer == MAP_FAILED) {
        return ERR_NOMEM;
    }
    *answer = (struct answer){.err = ERR_SYS};
    const enum err err = check_in_child(dir, tables, out, answer);
    *is_sound_out = err == ERR_OK && answer->is_sound;
    munmap(answer, sizeof *answer);
    return err;
}
