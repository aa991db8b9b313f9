/* Runs a program with the address of a scripted server that routes every order to one node. */
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "check.h"
#include "rpc_peer.h"

static enum peer_action route(struct peer *peer, const struct peer_request *request, void *user)
{
    (void)user;
    if (strcmp(request->method, "order.route") == 0) {
        peer_answer(peer, request->msgid,
                    "{\"status\":\"routed\",\"fulfilments\":[{\"node\":\"mitte\",\"km\":1.284}]}");
    } else {
        peer_error(peer, request->msgid, 1, "UNKNOWN_METHOD");
    }
    return PEER_GO;
}

int main(int argc, char **argv)
{
    struct peer peer;
    int status;
    if (argc != 2) {
        fputs("usage: rpc_peer_run PROGRAM\n", stderr);
        return 2;
    }
    peer_start(&peer, 0, route, NULL);
    pid_t child = fork();
    if (child == 0) {
        execl(argv[1], argv[1], peer.address, (char *)NULL);
        _exit(127);
    }
    CHECK(waitpid(child, &status, 0) == child);
    peer_stop(&peer);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}
