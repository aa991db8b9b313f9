/* Texts of the errors and the border to errno. */
#include "err.h"

#include <errno.h>
#include <stddef.h>

#define ERR_TEXT(name, text) text,
static const char *const texts[] = {ERR_TABLE(ERR_TEXT)};
#undef ERR_TEXT

const char *err_text(enum err err)
{
    if ((size_t)err >= sizeof texts / sizeof texts[0]) {
        return "unknown error";
    }
    return texts[err];
}

enum err err_from_errno(int error)
{
    switch (error) {
    case 0:
        return ERR_OK;
    case ENOMEM:
        return ERR_NOMEM;
    case ENOSPC:
    case EDQUOT:
        return ERR_NOSPACE;
    case EACCES:
    case EPERM:
        return ERR_ACCESS;
    case ENOENT:
        return ERR_NOTFOUND;
    case EEXIST:
        return ERR_EXISTS;
    case EADDRINUSE:
        return ERR_INUSE;
    case EINVAL:
        return ERR_INVALID;
    case ENOSYS:
    case EOPNOTSUPP:
        return ERR_UNSUPPORTED;
    case EIO:
        return ERR_IO;
    case EFBIG:
        return ERR_TOOBIG;
    default:
        return ERR_SYS;
    }
}
