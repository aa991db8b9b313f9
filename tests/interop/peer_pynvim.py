# Peer: python3-pynvim's session, which sends a notification with a bin method first.
import sys

try:
    from pynvim.msgpack_rpc import tcp_session
except ImportError:
    print("skipped: python3-pynvim is not installed")
    sys.exit(77)


def route(session, order, item):
    return session.request("order.route", {
        "order_id": order, "service": "standard", "lines": [{"item": item, "qty": 2}],
        "dest": {"lat": 40.7, "lon": -74.0}})


session = tcp_session(sys.argv[1], int(sys.argv[2]))
# Version 0.4.2 leaves this to its Nvim class; without it any error is an AttributeError.
session.error_wrapper = lambda error: Exception(error[1])
answer = route(session, "peer-1", "tea")
print("node=%s km=%s" % (answer["fulfilments"][0]["node"], answer["total_km"]))
try:
    route(session, "peer-2", "coffee")
except Exception as error:
    print("error=%s" % error)
session.close()
