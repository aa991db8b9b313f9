/* Blocking connects: they happen before the clock runs. */
#include "dial.h"

#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* Left to itself the kernel lets megabytes wait unseen; what waits shall wait in the client. The
 * send buffer bounds what is under way, the mark what the engine's window has not let go yet. */
enum { SEND_BUFFER = 256 << 10, UNSENT_MARK = 64 << 10 };

static enum err finish(int fd, const struct sockaddr *address, socklen_t size, int *fd_out,
                       char *why_out, size_t why_size)
{
    if (fd < 0 || connect(fd, address, size) != 0 || fcntl(fd, F_SETFL, O_NONBLOCK) != 0) {
        snprintf(why_out, why_size, "%s", strerror(errno));
        if (fd >= 0) {
            close(fd);
        }
        return ERR_SYS;
    }
    *fd_out = fd;
    return ERR_OK;
}

static enum err dial_unix(const char *path, int *fd_out, char *why_out, size_t why_size)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        snprintf(why_out, why_size, "path too long");
        return ERR_INVALID;
    }
    memcpy(address.sun_path, path, strlen(path));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    return finish(fd, (const struct sockaddr *)&address, sizeof address, fd_out, why_out, why_size);
}

static enum err dial_tcp(const char *address, int *fd_out, char *why_out, size_t why_size)
{
    char host[256];
    const char *colon = strrchr(address, ':');
    if (colon == NULL || colon == address || (size_t)(colon - address) >= sizeof host) {
        snprintf(why_out, why_size, "want HOST:PORT or unix:PATH");
        return ERR_INVALID;
    }
    snprintf(host, sizeof host, "%.*s", (int)(colon - address), address);
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *found = NULL;
    int result = getaddrinfo(host, colon + 1, &hints, &found);
    if (result != 0) {
        snprintf(why_out, why_size, "%s", gai_strerror(result));
        return ERR_INVALID;
    }
    int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    enum err err = finish(fd, found->ai_addr, found->ai_addrlen, fd_out, why_out, why_size);
    freeaddrinfo(found);
    int one = 1;
    int size = SEND_BUFFER;
    int mark = UNSENT_MARK;
    if (err == ERR_OK) {
        setsockopt(*fd_out, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        setsockopt(*fd_out, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        setsockopt(*fd_out, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &mark, sizeof mark);
    }
    return err;
}

enum err dial(const char *address, int *fd_out, char *why_out, size_t why_size)
{
    if (strncmp(address, "unix:", 5) == 0) {
        return dial_unix(address + 5, fd_out, why_out, why_size);
    }
    return dial_tcp(address, fd_out, why_out, why_size);
}

void dial_raise_files(uint32_t count)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < count) {
        limit.rlim_cur = limit.rlim_max < count ? limit.rlim_max : count;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}
