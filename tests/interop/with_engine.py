# Starts a fresh daemon, runs a command against it, stops the daemon.
"""with_engine.py --engine PATH -- COMMAND [ARGUMENT...]: `HOST` and `PORT` among the arguments
are replaced. The exit code is the command's, or 1 when the daemon did not live through it."""
import subprocess
import sys

import server

COMMAND_SECONDS = 3600


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("command", nargs="+")
    options = server.settle(parser.parse_args())
    with server.Engine(options.engine) as engine:
        host, port = engine.address.rsplit(":", 1)
        words = [{"HOST": host, "PORT": port}.get(word, word) for word in options.command]
        code = subprocess.run(words, timeout=COMMAND_SECONDS).returncode
        if not engine.is_alive():
            raise AssertionError("the daemon did not live through it")
        if code != 0:
            print(engine.log_tail())
    return code


if __name__ == "__main__":
    sys.exit(main())
