/* libuv 1.44 grows the list in maybe_resize (src/unix/core.c), by realloc, and aborts on NULL. */
#include "loop_memory.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "check.h"
#include "say.h"

static int end_code;

/* Nothing that was told is lost: what is not on the disk was told to nobody. */
static void *grow_or_end(void *memory, size_t size)
{
    void *grown = realloc(memory, size);
    if (!grown && size) {
        say(SAY_ERROR, "out_of_memory",
            "why=\"no memory to watch files\": nothing that is not on the disk was told to anyone; "
            "give the process more memory and start it again");
        _exit(end_code);
    }
    return grown;
}

void loop_memory_take(int exit_code)
{
    static bool is_taken;
    end_code = exit_code;
    if (!is_taken) {
        CHECK(uv_replace_allocator(malloc, grow_or_end, calloc, free) == 0);
        is_taken = true;
    }
}

static void on_nothing(uv_poll_t *poll, int status, int events)
{
    (void)poll;
    (void)status;
    (void)events;
}

/* A file with a high number, watched for a moment: the list never shrinks. */
bool loop_memory_files(uv_loop_t *loop, uv_poll_t *poll, int files)
{
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) {
        return false;
    }
    const int high = fcntl(fds[0], F_DUPFD_CLOEXEC, files - 1);
    bool is_good = high >= 0 && uv_poll_init(loop, poll, high) == 0;
    if (is_good) {
        is_good = uv_poll_start(poll, UV_READABLE, on_nothing) == 0;
        uv_close((uv_handle_t *)poll, NULL);
    }
    if (high >= 0) {
        close(high);
    }
    close(fds[0]);
    close(fds[1]);
    return is_good;
}
