# The seeded bugs: where, what stands there, what stands there instead.
"""Each is one edit of one file. `before` must stand in the file exactly once; mutants.py --check
says so of all of them, so that the list follows the code."""
import collections

Mutant = collections.namedtuple("Mutant", "name file before after")

FOLDER = "engine/log/disk_folder.c"
URING = "engine/log/disk_uring.c"
WAL = "engine/log/wal.c"
FORMAT = "engine/log/wal_format.c"
RECOVER = "engine/log/wal_recover.c"
SEGMENT = "engine/log/wal_segment.c"
APPLY = "engine/table/apply.c"
APPLY_ORDER = "engine/table/apply_order.c"

MUTANTS = [
    Mutant("acknowledge-before-completion", WAL,
           "(uint32_t)size);\n    }\n    wal_segment_advance(wal);",
           "(uint32_t)size);\n    }\n    wal->lsn_durable = wal->flying_last_lsn;\n"
           "    if (wal->durable) {\n        wal->durable(wal->owner, wal->lsn_durable);\n    }\n"
           "    wal_segment_advance(wal);"),
    Mutant("drop-the-flush-pwrite", FOLDER,
           "method == DISK_METHOD_FDATASYNC && fdatasync(file) != 0", "method == (enum disk_method)77"),
    Mutant("ignore-the-epoch", FORMAT,
           "header_out->epoch != epoch || header_out->offset != offset",
           "(epoch == 0 && header_out->epoch != epoch) || header_out->offset != offset"),
    Mutant("non-atomic-take", APPLY_ORDER,
           "order_share_hold(tables, order, ref, i);",
           "if (i == 0 || effect->share_count != 2) {\n"
           "            order_share_hold(tables, order, ref, i);\n        }"),
    Mutant("truncate-in-the-middle", RECOVER,
           "return header->number == reading->number && header->first_lsn == reading->lsn &&\n"
           "           header->chain == reading->chain;",
           "return header->number > 0 && reading->lsn > 0;"),
    Mutant("drop-the-flush-uring", URING,
           "if (uring->posix.base.facts.method == DISK_METHOD_FDATASYNC) {",
           "if (uring->posix.base.facts.method == (enum disk_method)77) {"),
    Mutant("ignore-a-short-write-pwrite", FOLDER,
           "    if ((size_t)done != size) {\n        return ERR_IO;\n    }\n"
           "    if (method == DISK_METHOD_FDATASYNC",
           "    if (method == DISK_METHOD_FDATASYNC"),
    Mutant("ignore-a-short-write-uring", URING,
           "(uint32_t)cqe->res != uring->write_size", "(uint32_t)cqe->res > uring->write_size"),
    Mutant("retry-the-flush", FOLDER,
           "method == DISK_METHOD_FDATASYNC && fdatasync(file) != 0",
           "method == DISK_METHOD_FDATASYNC && fdatasync(file) != 0 && fdatasync(file) != 0"),
    Mutant("forget-the-directory-sync", FOLDER,
           "return fsync(folder->dir_fd) == 0 ? ERR_OK : last_error();",
           "return folder->dir_fd >= 0 ? ERR_OK : last_error();"),
    Mutant("no-directory-sync-at-start", FOLDER,
           "return is_owner ? sync_folder(folder) : ERR_OK;", "return ERR_OK;"),
    Mutant("skip-the-payload-crc", FORMAT,
           "return crc32c(0, payload, header->size) == header->payload_crc &&", "return"),
    Mutant("skip-the-chain", RECOVER,
           "if (header->chain != reading->chain) {",
           "if (header->chain != reading->chain && reading->number == 0) {"),
    Mutant("skip-the-digest", "engine/snapshot/recovery.c",
           "return digest_equal(stamped, &replaying->tables->digest) ? ERR_OK : ERR_DAMAGED;",
           "return stamped && replaying->tables ? ERR_OK : ERR_DAMAGED;"),
    Mutant("go-on-after-a-failed-write", WAL,
           "if (err != ERR_OK || wal->is_dead) {\n        wal->flying = NULL;",
           "if (wal->is_dead) {\n        wal->flying = NULL;"),
    Mutant("no-rewrite-after-recovery", RECOVER,
           "    reading->above[reading->above_count++] = *place;", "    reading->above_count = 0;"),
    Mutant("release-at-the-durable-lsn", "engine/service/reply.c",
           "port->reply_end(call->conn, size, lsn_begun(service));",
           "port->reply_end(call->conn, size, wal_lsn_durable(service->wal));"),
    Mutant("take-without-room", "engine/service/service.c",
           "    case WAL_ROOM_DISK_FULL:\n        reply_error",
           "    case WAL_ROOM_DISK_FULL:\n        return true;\n        reply_error"),
    Mutant("no-reserve-for-releases", SEGMENT,
           "if (claim == WAL_CLAIM_RELEASE) {", "if (claim == WAL_CLAIM_RELEASE || quarter > 0) {"),
    Mutant("wait-for-a-full-disk", SEGMENT,
           "return wal->is_disk_full ? WAL_ROOM_DISK_FULL : WAL_ROOM_SEGMENT_LATE;",
           "return wal->next == WAL_NEXT_FULL ? WAL_ROOM_DISK_FULL : WAL_ROOM_SEGMENT_LATE;"),
    Mutant("apply-twice", APPLY,
           "    int64_t on_hand = cell_on_hand(word) + (is_absorbed ? 0 : moved);\n    CHECK",
           "    int64_t on_hand = cell_on_hand(word) + (is_absorbed ? 0 : 2 * moved);\n    CHECK"),
    Mutant("forget-keys", "engine/service/key.c",
           "const struct key_entry *seen = keyring_find(&service->tables.keyring, &hash);",
           "const struct key_entry *seen =\n"
           "        content % 16 == 0 ? NULL : keyring_find(&service->tables.keyring, &hash);"),
    Mutant("oversell-by-one", "engine/table/stock.h",
           "return ats > 0 ? (uint32_t)ats : 0;\n}",
           "return ats > 0 ? (uint32_t)ats + (ats == 1) : 0;\n}"),
    Mutant("absorb-nothing", APPLY,
           "bool is_absorbed = moved != 0 && at_ms <= tables_counted_at(&cell);",
           "bool is_absorbed = moved != 0 && at_ms < tables_counted_at(&cell);"),
    Mutant("time-runs-backward", WAL,
           "if (time_ms > wal->time_ms) {", "if (time_ms != wal->time_ms) {"),
    Mutant("no-seal", WAL,
           "void wal_seal(struct wal *wal)\n{\n    if (!is_seal_due(wal)) {",
           "void wal_seal(struct wal *wal)\n{\n    if (is_seal_due(wal) || wal->is_open) {"),
]
