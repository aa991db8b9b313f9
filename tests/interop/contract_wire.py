# The walk, part 1: frames, values, errors, hello and stats.
import socket

import msgpack

from client import Client, connect
from contract_scene import collect, now_ms
from regressions import expect

PREFIX = "w"
CASES, case = collect()
METHODS = {"hello", "stats", "node.put", "node.status", "node.get", "node.list", "item.put",
           "item.get", "place.load", "stock.adjust", "stock.set", "stock.load", "stock.policy",
           "stock.get", "stock.list", "stock.find", "order.route", "order.get", "order.list",
           "order.cancel", "fulfil.update", "fulfil.list", "clock.set", "fulfil.reject",
           "order.reroute", "order.modify", "return.quote", "return.create", "return.receive",
           "supply.put", "supply.receive", "supply.cancel", "transfer.create", "transfer.ship",
           "transfer.receive", "transfer.cancel", "snapshot", "events.read", "reserve.create",
           "reserve.update", "reserve.release", "reserve.get", "promise.quote", "carrier.load",
           "travel.load", "capacity.set", "capacity.get", "strategy.put", "strategy.activate",
           "strategy.list", "strategy.try", "explain.get",
           "explain.why_not"}


def raw(scene, *messages):
    """Send messages as they are; a receiver of the replies in the order of arrival."""
    sock = connect(scene.engine.address)
    sock.sendall(b"".join(m if isinstance(m, bytes) else msgpack.packb(m) for m in messages))
    unpacker = msgpack.Unpacker(raw=False)

    def receive():
        while True:
            for message in unpacker:
                return message
            data = sock.recv(65536)
            if not data:
                return None
            unpacker.feed(data)
    receive.sock = sock
    return receive


@case
def msgids(scene):
    """any msgid up to 2^32-1, 0 included, in any width, is echoed as it came"""
    wide = b"\x94\x00\xcf" + (7).to_bytes(8, "big") + b"\xa5hello\x90"
    signed = b"\x94\x00\xd3" + (9).to_bytes(8, "big") + b"\xa5hello\x90"
    get = raw(scene, [0, 0, "hello", []], [0, 2 ** 32 - 1, "hello", [{}]], wide, signed)
    got = [get()[:3] for _ in range(4)]
    expect(got == [[1, 0, None], [1, 2 ** 32 - 1, None], [1, 7, None], [1, 9, None]], "was", got)
    get = raw(scene, [0, 2 ** 32, "hello", []])
    expect(get() is None, "a msgid of 2^32 was answered")
    get = raw(scene, [0, -1, "hello", []])
    expect(get() is None, "a msgid of -1 was answered")


@case
def one_msgid_twice(scene):
    """the same msgid in two open requests: both are answered"""
    get = raw(scene, [0, 5, "hello", []], [0, 5, "stats", []])
    expect([get()[1], get()[1]] == [5, 5], "msgids")


@case
def params_shapes(scene):
    """params: an array with one map, or empty; anything else is an error of the call"""
    get = raw(scene, [0, 1, "hello", []], [0, 2, "hello", [{}]], [0, 3, "hello", [{}, {}]],
              [0, 4, "hello", {}], [0, 5, "hello", [1]], [0, 6, "hello", None])
    errors = [get() for _ in range(6)]
    for message in errors[:2]:
        expect(message[2] is None, "was", message)
    for message in errors[2:]:
        expect(message[2][0] == 1 and message[2][1].startswith("INVALID_ARGUMENT params"), "was",
               message)


@case
def binary_text(scene):
    """method and text as bin, and every integer as a float with an integral value"""
    item, node = scene.item("x"), scene.node("n")
    get = raw(scene, [0, 1, b"stock.set", [{b"item": item.encode(), "node": node.encode(),
                                            "on_hand": 3.0}]],
              [0, 2, "stock.set", [{"item": item, "node": node, "on_hand": 3.5}]],
              [0, 3, "stock.set", [{"item": item, "node": node, "on_hand": float("nan")}]],
              [0, 4, "stock.set", [{"item": item, "node": node, "on_hand": float("inf")}]],
              [0, 5, "stock.set", [{"item": item, "node": node, "on_hand": 1e300}]],
              [0, 6, "stock.set", [{"item": item, "node": node, "on_hand": "3"}]],
              [0, 7, "stock.set", [{"item": item, "node": node, "on_hand": True}]])
    got = [get() for _ in range(7)]
    expect(got[0][2] is None and got[0][3]["on_hand"] == 3, "was", got[0])
    for message in got[1:]:
        expect(message[2] and "on_hand" in message[2][1] and message[2][0] == 1, "was", message)


@case
def integers_as_floats_in_orders(scene):
    """JavaScript's numbers: integers as floats and floats as integers, in orders too"""
    item, node = scene.item("x"), scene.node("n", lat=40, lon=-100, max_km={"standard": 100})
    scene.stock(item, node, 5.0)
    answer = scene.route("o", [(item, 2.0)], dest={"lat": 40, "lon": -100}, max_splits=0.0,
                         max_km=50, explain=1.0)
    expect(answer["status"] == "routed", "was", answer)
    answer = scene.route("o", [(item, 2)], max_splits=0, max_km=50.0)
    expect(answer.get("duplicate") is True, "other widths are other content", answer)
    far = scene.node("far", lat=40, lon=0)
    scene.stock(item, far, 1)
    scene.route("z", [(item, 1)], dest={"lat": 40.0, "lon": -0.0})
    again = scene.route("z", [(item, 1)], dest={"lat": 40, "lon": 0})
    expect(again.get("duplicate") is True, "-0.0 is other content than 0", again)


@case
def unknown_and_duplicate_keys(scene):
    """an unknown key and a key that comes twice are refused by name, at every level"""
    item, node = scene.item("x"), scene.node("n")
    text = scene.error("INVALID_ARGUMENT", ["unknown field qtyy", "did you mean qty?", "lines[0]"],
                       "order.route", **scene.ask("o", [{"item": item, "qtyy": 1}]))
    expect(text == "INVALID_ARGUMENT lines[0]: unknown field qtyy, did you mean qty?", "was", text)
    scene.error("INVALID_ARGUMENT", ["dest", "lattitude"], "order.route",
                **scene.ask("o", [(item, 1)], dest={"lattitude": 1, "lon": 1}))
    for method in sorted(METHODS):
        scene.error("INVALID_ARGUMENT", ["zzz"], method, zzz=1)
    twice = (b"\x94\x00\x01\xa8item.get\x91\x82\xa4item\xa1a\xa4item\xa1b",
             b"\x94\x00\x02\xabstock.adjust"[:3] + b"\xac" + b"stock.adjust\x91\x82\xa4node\xa1a"
             b"\xa4node\xa1b")
    get = raw(scene, *twice)
    for field in ("item", "node"):
        message = get()
        expect("duplicate field " + field in message[2][1], "was", message)
    for field in ("reservation_id", "sold_at"):
        scene.error("INVALID_ARGUMENT", [field], "order.route",
                    **scene.ask("o", [(item, 1)], **{field: 1}))


@case
def text_is_utf8(scene):
    """text is UTF-8 of the length told; an id has 1 to 63 bytes"""
    scene.item("x" * (63 - len(scene.prefix)))
    scene.error("INVALID_ARGUMENT", ["item", "63"], "item.put", item="x" * 64)
    scene.error("INVALID_ARGUMENT", ["item"], "item.put", item="")
    scene.item("\u00e9\u4e2d")
    get = raw(scene, [0, 1, "item.put", [{"item": b"\xff\xfe"}]],
              b"\x94\x00\x02\xa8item.put\x91\x81\xa4item\xa2\xc3\x28")
    for _ in range(2):
        message = get()
        expect(message[2] and "UTF-8" in message[2][1] and "item" in message[2][1], "was", message)


@case
def nil_is_no_value(scene):
    """nil is a value only where it sets a default back; elsewhere it is an error by name"""
    item, node = scene.item("x"), scene.node("n")
    scene.error("INVALID_ARGUMENT", ["counted_at"], "stock.set", item=item, node=node, on_hand=1,
                counted_at=None)
    scene.error("INVALID_ARGUMENT", ["max_km"], "order.route",
                **{**scene.ask("o", [(item, 1)]), "max_km": None})
    scene.error("INVALID_ARGUMENT", ["type"], "node.put", node=node, type=None)


@case
def missing_fields_are_named(scene):
    """a missing field is named"""
    for method, field in (("node.put", "node"), ("node.get", "node"), ("node.status", "node"),
                          ("item.put", "item"), ("item.get", "item"), ("place.load", "country"),
                          ("stock.adjust", "item"), ("stock.set", "item"), ("stock.load", "node"),
                          ("stock.policy", "item"), ("stock.get", "item"), ("stock.list", "node"),
                          ("stock.find", "items"), ("order.route", "order_id"),
                          ("order.get", "order_id"), ("order.cancel", "order_id"),
                          ("fulfil.update", "fulfilment")):
        scene.error("INVALID_ARGUMENT", [field], method)
    scene.error("INVALID_ARGUMENT", ["lines"], "order.route", order_id="a", service="standard")
    scene.error("INVALID_ARGUMENT", ["service"], "order.route", order_id="a",
                lines=[{"item": "x", "qty": 1}])
    scene.error("INVALID_ARGUMENT", ["lines[0]", "qty"], "order.route", order_id="a",
                service="standard", lines=[{"item": "x"}])


@case
def unknown_methods(scene):
    """an unknown method is an error that helps; starred ones are unknown until they are there"""
    scene.error("UNKNOWN_METHOD", ["order.rout", "did you mean order.route?"], "order.rout")
    scene.error("UNKNOWN_METHOD", ["hello"], "zzzzzzzz")
    later = {"reserve.create", "events.read", "promise.quote"}
    for method in sorted(later - METHODS):
        scene.error("UNKNOWN_METHOD", [method], method)
    scene.error("UNKNOWN_METHOD", ["clock.set", "--test-clock"], "clock.set", now=0)
    scene.error("UNKNOWN_METHOD", [], "")
    get = raw(scene, [0, 1, "\x00\x1b[31m", [{}]])
    message = get()
    expect("\x1b" not in message[2][1], "control bytes come back", message)


@case
def notifications(scene):
    """a notification has its effect and no reply; unknown ones and responses are only counted"""
    item, node = scene.item("x"), scene.node("n")
    before = scene.call("stats")["unknown_notifications"]
    get = raw(scene, [2, "stock.adjust", [{"item": item, "node": node, "delta": 4}]],
              [2, "no.such", [{}]], [2, "stock.adjust", [{"item": 1}]], [1, 3, None, {}],
              [0, 1, "stock.get", [{"item": item, "node": node}]])
    message = get()
    expect(message[1] == 1 and message[3]["on_hand"] == 4, "was", message)
    expect(scene.call("stats")["unknown_notifications"] == before + 1, "not counted")


@case
def order_of_effects(scene):
    """effects of one connection happen in the order sent, and each sees the earlier ones"""
    item, node = scene.item("x"), scene.node("n")
    messages = []
    for n in range(300):
        messages.append([2 if n % 3 else 0, 2 * n, "stock.adjust",
                         [{"item": item, "node": node, "delta": 1}]])
        if n % 3:
            del messages[-1][1]
        messages.append([0, 2 * n + 1, "stock.get", [{"item": item, "node": node}]])
    get = raw(scene, *messages)
    got = {}
    for _ in range(400):
        message = get()
        expect(message[2] is None, "error", message)
        got[message[1]] = message[3]["on_hand"]
    for n in range(300):
        expect(got[2 * n + 1] == n + 1, "read", n, got[2 * n + 1])


@case
def not_rpc_is_closed(scene):
    """what is not MessagePack-RPC is closed; HTTP, RESP and TLS are told what this port is"""
    for bad in (b"\x00", b"\x95\x00\x01\x02\x03\x04", b"\x93\x00\x01\xa1x",
                b"\x94\x03\x01\xa1x\x90", b"\x94\x00\x01\x05\x90", b"\x94\x00\xa1x\xa5hello\x90", b"\xc1"):
        expect(raw(scene, bad)() is None, "answered", bad)
    sock = connect(scene.engine.address)
    sock.sendall(b"GET / HTTP/1.1\r\n\r\n")
    text = sock.recv(4096)
    expect(text.startswith(b"HTTP/1.1 400") and b"MessagePack-RPC" in text, "HTTP", text)
    sock = connect(scene.engine.address)
    sock.sendall(b"*1\r\n$4\r\nPING\r\n")
    expect(sock.recv(4096).startswith(b"-ERR this port speaks MessagePack-RPC"), "RESP")
    sock = connect(scene.engine.address)
    sock.sendall(b"\x16\x03\x01\x00\x05")
    expect(sock.recv(4096) == b"", "TLS was answered")


@case
def depth_and_size(scene):
    """depth at most 16, frame at most 1 MiB: the edge is taken, one more is told and closed"""
    deep = [0]
    for _ in range(12):
        deep = [deep]
    for more, is_taken in ((1, True), (2, False)):
        value = deep
        for _ in range(more - 1):
            value = [value]
        get = raw(scene, [0, 1, "hello", [{"client": value}]])
        text = get()[2][1]
        expect(text.startswith("INVALID_ARGUMENT" if is_taken else "TOO_LARGE"), "depth", text)
        expect(is_taken or get() is None, "not closed")
    head = b"\x94\x00\x01\xa5hello\x91\x81\xa6client\xdb"
    limit = scene.call("hello")["limits"]["frame_size"]
    expect(limit == 1 << 20, "frame_size", limit)
    fits = limit - len(head) - 4
    message = raw(scene, head + fits.to_bytes(4, "big") + b"x" * fits)()
    expect(message and "client" in message[2][1], "a frame of 1 MiB", message)
    get = raw(scene, head + (fits + 1).to_bytes(4, "big"))
    text = get()[2][1]
    expect(text.startswith("TOO_LARGE") and "1048576" in text, "a larger frame", text)
    expect(get() is None, "not closed")


@case
def hello_tells_everything(scene):
    """hello: every method, limit and word of its row; another protocol is an error"""
    hello = scene.call("hello", client="walk", protocol=1)
    expect(set(hello["methods"]) == METHODS, "methods", set(hello["methods"]) ^ METHODS)
    for field in ("server", "version", "protocol", "features", "limits", "currency", "log_id",
                  "role", "now"):
        expect(field in hello, "hello has no", field)
    expect(hello["role"] == "primary" and hello["protocol"] == 1, "hello", hello)
    expect(abs(hello["now"] - now_ms()) < 5000, "now", hello["now"])
    limits = hello["limits"]
    for name in ("frame_size", "depth", "lines", "nodes", "items", "orders", "keys", "conns",
                 "inflight", "search_steps", "search_steps_few", "count_window_ms", "key_window_ms",
                 "order_window_ms"):
        expect(type(limits[name]) is int, "limit", name)
    expect(limits["depth"] == 16 and limits["nodes"] == 65535, "limits", limits)
    expect(set(hello["work"]) == METHODS, "work", hello["work"])
    expect(all(value > 0 for value in hello["work"].values()), "work", hello["work"])
    scene.error("INVALID_ARGUMENT", ["protocol"], "hello", protocol=2)
    scene.call("hello", client="x" * 63)
    scene.error("INVALID_ARGUMENT", ["client", "63"], "hello", client="x" * 64)


@case
def stats_tells_everything(scene):
    """stats: counters, rates, latencies, refusals, errors, log, memory, cells short, open orders"""
    item, node = scene.item("x"), scene.node("n")
    before = scene.call("stats")
    scene.stock(item, node, 1)
    scene.route("o", [(item, 1)])
    scene.refused("INSUFFICIENT_STOCK", "order.route", **scene.ask("p", [(item, 1)]))
    scene.error("UNKNOWN_ITEM", [], "item.get", item=scene.prefix + "none")
    scene.stock(item, node, 0)
    stats = scene.call("stats")
    calls = stats["methods"]["order.route"]
    earlier = before["methods"].get("order.route", {"calls": 0})
    expect(calls["calls"] == earlier["calls"] + 2, "calls", calls)
    expect(set(calls["latency_us"]) == {"p50", "p99", "p999", "max"}, "latency", calls)
    expect(calls["per_second"] > 0, "rate", calls)
    for name, key in (("refusals", "INSUFFICIENT_STOCK"), ("errors", "UNKNOWN_ITEM")):
        expect(stats[name][key] == before[name].get(key, 0) + 1, name, stats[name])
    expect(stats["log"]["flush_us"]["p50"] >= 0 and stats["log"]["group_bytes"]["max"] > 0, "log")
    expect(stats["cells_short"] == before["cells_short"] + 1, "cells_short", stats)
    expect(stats["open_orders"] == before["open_orders"] + 1, "open_orders", stats)
    expect(0 < stats["oldest_open_at"] <= now_ms(), "oldest", stats)
    for table in ("nodes", "items", "cells", "orders", "holds", "keys", "movements"):
        entry = stats["tables"][table]
        expect(entry["count"] <= entry["max"] and entry["bytes"] >= 0, "table", table, entry)


@case
def unix_socket(scene):
    """the same over a Unix socket"""
    client = Client("unix:" + scene.engine.unix_path)
    expect(client.call("hello")["log_id"] == scene.call("hello")["log_id"], "log_id")
    client.sock.shutdown(socket.SHUT_WR)
    client.close()
