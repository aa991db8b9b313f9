# Peer: python3-msgpack on a plain socket.
import sys

from client import CallError, Client


def route(client, order, item):
    return client.call("order.route", order_id=order, service="standard",
                       lines=[{"item": item, "qty": 2}], dest={"lat": 40.7, "lon": -74.0})


client = Client("%s:%s" % (sys.argv[1], sys.argv[2]))
answer = route(client, "peer-1", "tea")
print("node=%s km=%s" % (answer["fulfilments"][0]["node"], answer["total_km"]))
try:
    route(client, "peer-2", "coffee")
except CallError as error:
    print("error=%s" % error.text)
