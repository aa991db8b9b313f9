/* Built in place of disk_uring.c where liburing is missing: the fallback is taken by name. */
#include "disk.h"

enum err disk_uring_new(const struct disk_options *options, struct disk **disk_out)
{
    (void)options;
    *disk_out = NULL;
    return ERR_UNSUPPORTED;
}
