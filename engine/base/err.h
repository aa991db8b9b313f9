/* The operating errors that functions of the engine return, with their texts. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

/* One row per error: enumerator, text for people. */
#define ERR_TABLE(X)                                                                               \
    X(ERR_OK, "ok")                                                                                \
    X(ERR_NOMEM, "out of memory")                                                                  \
    X(ERR_FULL, "full")                                                                            \
    X(ERR_TOOBIG, "too big")                                                                       \
    X(ERR_IO, "input/output error")                                                                \
    X(ERR_NOSPACE, "no space left on device")                                                      \
    X(ERR_DAMAGED, "damaged data")                                                                 \
    X(ERR_FORMAT, "unknown format version")                                                        \
    X(ERR_LOCKED, "locked by another process")                                                     \
    X(ERR_NOTFOUND, "not found")                                                                   \
    X(ERR_EXISTS, "exists already")                                                                \
    X(ERR_ACCESS, "permission denied")                                                             \
    X(ERR_UNSUPPORTED, "not supported here")                                                       \
    X(ERR_INVALID, "invalid")                                                                      \
    X(ERR_CLOSED, "closed")                                                                        \
    X(ERR_TIMEOUT, "timed out")                                                                    \
    X(ERR_INUSE, "address in use")                                                                 \
    X(ERR_SYS, "system error")

#define ERR_ENUM(name, text) name,
enum err { ERR_TABLE(ERR_ENUM) ERR_COUNT };
#undef ERR_ENUM

/* On every function that returns an enum err which must not be dropped. */
#define ERR_MUST_USE __attribute__((warn_unused_result))

/* Text of err, never NULL; static storage. */
const char *err_text(enum err err);

/* Nearest enum err of an errno value (0 is ERR_OK). */
enum err err_from_errno(int error);

#endif
