# Every end-to-end figure as a share of the floor, and per engine CPU-second with both cores' load.
"""The floor is that of the same run: two-line orders, durable, closed loop. Rows of other worlds and
other jobs are held against the same figure, which is the least that a two-line order costs here."""
OF = "two-line orders a second of the floor in this run"
HEAD = ("end to end", "a second", "of the floor", "per engine CPU-s", "thread", "engine", "client",
        "cores")


def one(name, per_s, thread=None, engine=None, client=None, cores=None):
    return {"name": name, "per_s": per_s, "thread": thread, "engine": engine, "client": client,
            "cores": cores}


def of_floor(sections):
    part = sections.get("floor", {})
    return [one(title, part[key]["orders_per_s"]["median"], part[key]["thread_busy"]["median"],
                part[key].get("process_cpu"), part[key]["client_cpu"]["median"], part[key]["cores"])
            for key, title in (("floor", "the floor"), ("engine", "Nearshelf, closed")) if key in part]


def of_peers(sections):
    rows = []
    for peer in ("redis", "tarantool", "postgres"):
        part = sections.get("peer_" + peer, {})
        for mode, found in part.items():
            if isinstance(found, dict) and "taken_per_s" in found:
                name = "Nearshelf beside %s" % peer if mode == "engine" else "%s %s" % (
                    peer, mode.replace("_", " "))
                rows.append(one(name, found["taken_per_s"]["median"], found.get("server_thread"),
                                found["server_cpu"], found["client_cpu"], found.get("cores")))
    return rows


def of_hot(sections):
    part = sections.get("hot", {})
    return [one("Nearshelf, one line, %s" % name, part[key]["taken_per_s"]["median"],
                part[key].get("server_thread"), part[key]["server_cpu"], part[key]["client_cpu"],
                part[key].get("cores"))
            for key, name in (("hot", "one hot item"), ("uniform", "any item")) if key in part]


def of_life(sections):
    part = sections.get("life", {})
    named = [("Nearshelf with life cycle, closed", part.get("closed"))]
    named += [("the same, open, %s offered" % rate, found)
              for rate, found in part.get("open", {}).items()]
    return [one(name, found["accepted_per_s"], found["engine_thread"], found["engine_cpu"],
                found["client_cpu"], found["cores"]) for name, found in named if found]


def rows(sections):
    """One dict per figure, with its share of the floor and its rate per CPU-second."""
    found = of_floor(sections) + of_hot(sections) + of_life(sections) + of_peers(sections)
    floor = sections.get("floor", {}).get("floor", {}).get("orders_per_s", {}).get("median")
    for row in found:
        spent = row["engine"] or row["thread"]
        row["of_floor"] = row["per_s"] / floor if floor else None
        row["per_cpu_s"] = row["per_s"] / spent if spent and spent > 0.02 else None
    return found


def percent(value):
    return "-" if value is None else "%.0f %%" % (100 * value)


def cells(row):
    cores = " ".join(percent(core) for core in row["cores"] or [])
    return (row["name"], "{:,.0f}".format(row["per_s"]), percent(row["of_floor"]),
            "-" if row["per_cpu_s"] is None else "{:,.0f}".format(row["per_cpu_s"]),
            percent(row["thread"]), percent(row["engine"]), percent(row["client"]), cores or "-")


def table(sections):
    """Lines of text."""
    shape = "%-42s %12s %13s %17s %8s %8s %8s  %s"
    return [shape % HEAD] + [shape % cells(row) for row in rows(sections)]
