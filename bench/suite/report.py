#!/usr/bin/python3
# Makes the report's page from the JSON of a run: report.py RUN.json PAGE.html
"""One file, inline SVG, no network. What was not measured says so; missed goals are marked."""
import html
import json
import sys

import goals
import picture_svg as svg
import shares
import where

PERCENTILES = ("p50", "p90", "p99", "p99.9", "p99.99")

STYLE = """
:root{--ink:#1c2430;--dim:#5d6b7c;--line:#dde3ea;--page:#fbfcfd;--card:#fff;--good:#1a7f4b;
--bad:#b3362b;--c0:#2563b0;--c1:#d9822b;--c2:#2f8f6b;--c3:#8a56ac;--c4:#b8434e;--c5:#6b7785;
--c6:#a08a2c}
@media(prefers-color-scheme:dark){:root{--ink:#e6eaf0;--dim:#9aa7b6;--line:#313b47;--page:#14181d;
--card:#1b2128;--good:#53c98a;--bad:#ef7f74;--c0:#6ea8ee;--c1:#f0a95c;--c2:#63c7a1;--c3:#bf94dd;
--c4:#ea8790;--c5:#9aa7b6;--c6:#d3bd5c}}
body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--page);margin:0 auto;
max-width:1180px;padding:24px}
h1{font-size:26px;margin:0 0 4px}h2{font-size:19px;margin:36px 0 8px}h3{font-size:15px;margin:0 0 8px}
p{margin:4px 0;max-width:78ch}.dim,figcaption{color:var(--dim);font-size:13px}
table{border-collapse:collapse;width:100%;font-size:14px}td,th{text-align:left;padding:5px 8px;
border-bottom:1px solid var(--line);vertical-align:top}td.n{text-align:right;white-space:nowrap;
font-variant-numeric:tabular-nums}.met{color:var(--good);font-weight:600}.missed{color:var(--bad);
font-weight:600}.grid2{display:grid;grid-template-columns:repeat(auto-fit,minmax(430px,1fr));gap:16px}
figure{background:var(--card);border:1px solid var(--line);border-radius:8px;margin:0;padding:14px}
svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:var(--dim)}
svg .label{fill:var(--ink);font-size:12px}svg .value{fill:var(--ink);font-weight:600;font-size:12px}
.grid{stroke:var(--line)}.spread{stroke:var(--ink);stroke-width:1.5}.line{fill:none;stroke-width:2}
.s0{fill:var(--c0);stroke:var(--c0)}.s1{fill:var(--c1);stroke:var(--c1)}.s2{fill:var(--c2);
stroke:var(--c2)}.s3{fill:var(--c3);stroke:var(--c3)}.s4{fill:var(--c4);stroke:var(--c4)}
.s5{fill:var(--c5);stroke:var(--c5)}.s6{fill:var(--c6);stroke:var(--c6)}.line{fill:none!important}
"""


def figure(title, picture, caption=""):
    return "<figure><h3>%s</h3>%s<figcaption>%s</figcaption></figure>" % (
        html.escape(title), picture, html.escape(caption))


def goal_rows(run):
    rows = []
    for key, what, side, bound in goals.ROWS:
        row = run["goals"].get(key, {})
        word = goals.verdict(side, bound, row.get("value"))
        spread = "" if row.get("min") is None else "%s .. %s" % (goals.number(row["min"]),
                                                                 goals.number(row["max"]))
        bound_text = "" if bound is None else "%s %s" % (
            {"reported": "about"}.get(side, side), goals.number(bound))
        note = row.get("skipped") or row.get("note") or ""
        rows.append("<tr><td>%s<br><span class=dim>%s</span></td><td class=n>%s</td>"
                    "<td class=n>%s</td><td class=n>%s</td><td class=%s>%s</td></tr>" % (
                        html.escape(what), html.escape("%s %s" % (key, note)),
                        goals.number(row.get("value")), spread, html.escape(bound_text),
                        word.split()[0].lower(), word.lower()))
    return "".join(rows)


def spread_bar(label, row, kind):
    return (label, row["median"], row["min"], row["max"], kind) if row else (label, 0, 0, 0, kind)


def throughput(sections):
    floor = sections.get("floor", {})
    first = [spread_bar("floor", floor.get("floor", {}).get("orders_per_s"), "s5"),
             spread_bar("Nearshelf", floor.get("engine", {}).get("orders_per_s"), "s0")]
    per_cpu = [spread_bar("floor", floor.get("floor", {}).get("per_cpu_s"), "s5"),
               spread_bar("Nearshelf", floor.get("engine", {}).get("per_cpu_s"), "s0")]
    peers = []
    for name, kind in (("redis", "s1"), ("tarantool", "s2"), ("postgres", "s3")):
        section = sections.get("peer_" + name, {})
        for mode in ("engine",) if not peers and "engine" in section else ():
            peers.append(spread_bar("Nearshelf", section[mode]["taken_per_s"], "s0"))
        for mode in ("reserve_always", "always", "everysec", "fsync", "write", "on", "off"):
            if mode in section:
                label = "redis, cells given, always" if mode == "reserve_always" else \
                    "%s %s" % (name, mode)
                peers.append(spread_bar(label, section[mode]["taken_per_s"], kind))
    return [figure("Against the floor: orders per second",
                   svg.bars(first, "orders/s", "orders per second"),
                   "Two-line orders, durable, closed loop, one connection core; the line is the "
                   "spread of the rounds. {:,} items.".format(floor.get("items", 0))),
            figure("Against the floor: orders per CPU-second of the thread",
                   svg.bars(per_cpu, "orders/s", "orders per CPU-second"),
                   "What the thread would do if it never waited."),
            figure("The same job elsewhere", svg.bars(peers, "orders/s", "peers"),
                   "Same orders, client and pipelining, or the peer's own best. Modes that answer "
                   "before the disk has it are shown beside those that do not.")]


def reads(sections):
    """stock.get on the engine loop, and on 1 and 2 read loops: a second, and a core's second."""
    section = sections.get("read_loops", {})
    pictures = []
    for field, title, caption in (
            ("per_s", "stock.get: reads per second by read loops",
             "Random cells, pipelined; the client wants a core as well: this machine has %s." %
             section.get("cores_of_machine", "?")),
            ("per_cpu_s", "stock.get: reads per CPU-second by read loops",
             "What each core of the engine's gives; flat bars are loops that scale.")):
        rows = [spread_bar("engine loop" if count == "0" else "%s read loop%s" % (
            count, "" if count == "1" else "s"), section.get(count, {}).get(field), "s0")
            for count in ("0", "1", "2")]
        pictures.append(figure(title, svg.bars(rows, "reads/s", title), caption))
    return pictures


def latencies(sections):
    pictures = []
    for name, title in (("engine", "Nearshelf"), ("redis", "Redis, always"),
                        ("tarantool", "Tarantool, fsync"), ("postgres", "PostgreSQL, on")):
        rows = sections.get("peer_" + name, {}).get("latency_by_rate", [])
        series = [("%s/s" % svg.short(row["rate"]),
                   [row["latency_ms"].get(p) for p in PERCENTILES]) for row in rows]
        pictures.append(figure(title, svg.lines(PERCENTILES, series, "ms", title),
                               "Open loop, Poisson arrivals, from the intended time; at shares of "
                               "its own best rate."))
    tries = sections.get("life", {}).get("open", {})
    series = [("%s/s offered" % svg.short(row["offered_per_s"]),
               [row["latency_ms"].get(p) for p in PERCENTILES]) for row in tries.values()]
    pictures.append(figure("Nearshelf with the life cycle", svg.lines(
        PERCENTILES, series, "ms", "life cycle"),
        "Each order shipped or cancelled about a second later."))
    return pictures


def growth(sections):
    pictures = []
    for name, title in (("nodes", "Nodes"), ("items", "Items (1,000 nodes, 1 % stocked)"),
                        ("density", "Density (4,613 nodes)"), ("lines", "Lines of an order"),
                        ("connections", "Connections")):
        rows = sections.get("growth", {}).get(name, [])
        names = [row["label"] for row in rows]
        pictures.append(figure(title + ": orders per second", svg.lines(
            names, [("per second", [row["orders_per_s"] for row in rows])], "/s", title)))
        cpu = [("engine CPU per order, us", [row["cpu_us_per_order"] for row in rows])]
        if rows and "start_ms" in rows[0]:
            cpu.append(("start on its snapshot, ms", [row["start_ms"] for row in rows]))
        if rows and name == "density":
            cpu.append(("bytes per cell", [row["bytes_per_cell"] for row in rows]))
        pictures.append(figure(title + ": cost", svg.lines(names, cpu, "", title)))
    return pictures


def profiles(run):
    """Where the time goes: of the missed goals first, each with its profile."""
    missed = [key for key, row in run["goals"].items() if row["verdict"] == "MISSED"]
    parts = []
    for key in missed:
        found = goals.profiles_of(key, run["sections"])
        parts.append("<h3 class=missed>%s</h3>" % html.escape(key))
        parts += [profile(name, row) for name, row in found] or ["<p>no profile was taken</p>"]
    shown = {name for key in missed for name, _ in goals.profiles_of(key, run["sections"])}
    others = [profile(name, row) for name, row in run["sections"].get("profiles", {}).items()
              if name not in shown]
    if others:
        parts.append("<details><summary>the other profiles of this run</summary>%s</details>" %
                     "".join(others))
    return "".join(parts)


def profile(name, found):
    return "<p><b>%s</b>: %s</p><ul class=dim>%s</ul>" % (
        html.escape(name), html.escape(found["what"]),
        "".join("<li>%s</li>" % html.escape(line) for line in where.text_of(found)))


def grid(head, rows):
    """A table of text."""
    return "<table><tr>%s</tr>%s</table>" % (
        "".join("<th>%s" % html.escape(word) for word in head),
        "".join("<tr>%s</tr>" % "".join(
            "<td%s>%s</td>" % ("" if i == 0 else " class=n", html.escape(word))
            for i, word in enumerate(row)) for row in rows))


def end_to_end(sections):
    return "<p>The floor's share: of %s. Thread: the one that serves; engine: its whole process; " \
        "cores: the load of each core of the machine.</p>%s" % (
            shares.OF, grid(shares.HEAD, [shares.cells(row) for row in shares.rows(sections)]))


GROWTH_HEAD = ("point", "nodes x items", "cells", "orders/s", "us an order", "p50 ms", "p99 ms",
               "thread", "nodes an order ships from", "bytes a cell", "start ms")


def growth_row(name, row):
    has_world = "cells" in row
    return ("%s %s" % (name, row["label"]),
            "{:,} x {:,}".format(row["nodes"], row["items"]) if has_world else "as above",
            "{:,}".format(row["cells"]) if has_world else "", "{:,}".format(row["orders_per_s"]),
            "%.2f" % row["cpu_us_per_order"], "%.2f" % row["p50_ms"], "%.2f" % row["p99_ms"],
            shares.percent(row["thread"]), "%.2f" % row["parts"],
            "%.1f" % row["bytes_per_cell"] if has_world else "",
            "{:,.0f}".format(row["start_ms"]) if has_world else "")


def growth_table(sections):
    """Every point that was measured; those of lines and connections are of one world."""
    found = sections.get("growth", {})
    rows = []
    if "of" in found.get("memory", {}):
        world = found["memory"]["of"]
        rows.append(("lines and connections", "{:,} x {:,}".format(world["nodes"], world["items"]),
                     "{:,}".format(world["cells"]), "", "", "", "", "", "",
                     "%.1f" % world["bytes_per_cell"], "{:,.0f}".format(world["start_ms"])))
    for name in ("lines", "connections", "density", "nodes", "items"):
        rows += [growth_row(name, row) for row in found.get(name, []) if "parts" in row]
    return grid(GROWTH_HEAD, rows) if rows else ""


def bends(sections):
    rows = sections.get("growth", {}).get("bends", {})
    return "".join("<p><b>%s</b> bends %s.</p>" % (html.escape(name), html.escape("; ".join(lines)))
                   for name, lines in rows.items())


def overload(sections):
    """The phases, each the median of the rounds."""
    over = sections.get("overload", {})
    phases = over.get("phases")
    if not phases:
        return ""
    names = list(next(iter(phases.values())))
    head = ["phase"] + [name.replace("_per_s", "/s").replace("_", " ") for name in names]
    rows = [[phase] + ["{:,.0f}".format(row[name]) for name in names]
            for phase, row in phases.items()]
    back = ", ".join("not seen" if seconds is None else "%.1f" % seconds
                     for seconds in over.get("recovery_s", []))
    return "<h2>Overload</h2><p>%s. best: the rate at which most is decided; before, after: half " \
        "of that; over: ten times the best. Usual latency is back after s: %s.</p>%s" % (
            html.escape(over["throttle"]), back, grid(head, rows))


def memory(sections):
    """A line of what things take, where it was measured."""
    rows = sections.get("growth", {}).get("memory", {})
    names = (("bytes_per_open_order", "bytes an open order"),
             ("bytes_per_connection", "an idle connection"),
             ("bytes_per_working_connection", "a connection that has worked"))
    told = ["{:,.0f} {}".format(rows[key], text) for key, text in names if key in rows]
    return "<p>Memory: %s.</p>" % ", ".join(told) if told else ""


def quality(sections):
    pictures = []
    for part, title in (("up_to_12_items", "baskets of up to 12 items"), ("all", "all baskets")):
        rows = sections.get("rules", {}).get(part, {})
        for field, unit in (("shipments", "shipments"), ("km", "km")):
            kinds = {"nearshelf": "s0", "exact": "s5"}
            pictures.append(figure("%s per 10,000, %s" % (unit, title), svg.bars(
                [(name.replace("_", " "), row[field], None, None, kinds.get(name, "s1"))
                 for name, row in rows.items()], unit, title)))
    return pictures


def page(run):
    facts, sections = run["machine"], run["sections"]
    missed = [key for key, row in run["goals"].items() if row["verdict"] == "MISSED"]
    parts = [
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport "
        "content='width=device-width,initial-scale=1'><title>Nearshelf: measured</title>"
        "<style>%s</style><h1>Nearshelf, measured</h1>" % STYLE,
        "<p class=dim>%s, %s cores, %s GiB, Linux %s, %s · commit %s · %s · flush of 4 KiB p50 %s "
        "us · network: %s%s</p>" % tuple(html.escape(str(word)) for word in (
            facts["cpu"], facts["cores"], facts["memory_gib"], facts["kernel"], facts["system"],
            facts["commit"], facts["compiler"], facts.get("flush_p50_us", "?"), run["network"],
            ", quick run" if run["quick"] else "")),
        "<p class=dim>Noise: load %.1f before the run, %.1f s stolen by the host during it.</p>"
        % (facts["load_before"], facts["stolen_s"]),
        "<h2>Goals</h2><p>%d missed%s</p><table><tr><th>what<th>figure<th>spread<th>goal<th>"
        "</tr>%s</table>" % (len(missed), ": " + ", ".join(missed) if missed else "",
                             goal_rows(run)),
        "<h2>Where the time goes</h2>%s" % profiles(run),
        "<h2>End to end</h2>%s" % end_to_end(sections),
        "<h2>Throughput</h2><div class=grid2>%s</div>" % "".join(throughput(sections)),
        "<h2>Reads</h2><div class=grid2>%s</div>" % "".join(reads(sections)),
        "<h2>Latency by percentile</h2><div class=grid2>%s</div>" % "".join(latencies(sections)),
        "<h2>Growth</h2>%s%s%s<div class=grid2>%s</div>" % (
            memory(sections), bends(sections), growth_table(sections), "".join(growth(sections))),
        "<h2>Quality of decisions</h2><div class=grid2>%s</div>" % "".join(quality(sections)),
        overload(sections),
    ]
    for fault in run["faults"]:
        parts.append("<p class=missed>%s</p>" % html.escape(fault[:300]))
    return "\n".join(parts) + "</html>\n"


def write(run, path):
    with open(path, "w") as file:
        file.write(page(run))


if __name__ == "__main__":
    with open(sys.argv[1]) as source:
        write(json.load(source), sys.argv[2])
