# 583,000 orders/s offered with the life cycle, and the highest rate that keeps the bound.
"""Closed first, for what it can take; then 583,000/s, told at once; then steps downwards: a rate that
keeps p99 within the bound for seconds must keep it for a minute, or the search goes on below it. The
part ends within its time whatever it finds, and tells for how long the rate was kept."""
import load
import part_engine
import servers
import stocked
import where

FEED = 583000
BOUND_MS = 5
STEPS = (0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)
MINUTES = 3           # tried at most, of a minute each


def open_run(loader, engine, items, rate, duration, warmup=2):
    return loader.run(engine, ["--workload", "two-line", "--items", str(items), "--rate",
                               str(int(rate)), "--connections", "8", "--life", "1"],
                      duration, warmup)


def brief(report):
    return {key: report[key] for key in ("offered_per_s", "accepted_per_s", "ended", "client_cpu",
                                         "engine_thread", "engine_cpu", "open_at_end", "refused",
                                         "errors", "late_sends", "cores", "threads")} | {
        "latency_ms": report["latency_ms"].get("order.route", {}), "codes": report["error_codes"]}


def p99_of(report):
    """Of the orders that were answered; where none was, the time that was waited for one."""
    row = report["latency_ms"].get("order.route")
    return row["p99"] if row else 1000.0 * report["seconds"]


def is_kept(report, rate):
    """Nearly all that was offered was answered well, in time."""
    row = report["latency_ms"].get("order.route")
    return bool(row) and row["p99"] <= BOUND_MS and report["accepted_per_s"] >= 0.98 * rate


def highest(run, loader, engine, items, capacity, tried):
    """The highest rate that keeps the bound for a minute: (report, rate, seconds that it was kept).
    After MINUTES that did not, the rate that kept it for seconds; where none did, the last one tried
    and the rate 0."""
    seconds, minutes = (3, 0) if run.is_quick else (5, MINUTES)
    found = None
    for share in STEPS[1::2] if run.is_quick else STEPS:
        rate = capacity * share
        found = open_run(loader, engine, items, rate, seconds, 2)
        tried["%d" % rate] = brief(found)
        if not is_kept(found, rate):
            continue
        if minutes == 0:
            return found, rate, seconds
        minutes -= 1
        longer = open_run(loader, engine, items, rate, 60, 4)
        tried["60 s at %d" % rate] = brief(longer)
        if is_kept(longer, rate):
            return longer, rate, 60
    return found, 0, 0


def life(run, loader, items):
    """With the life cycle: closed for what it can take, then open at 583,000/s, then the highest
    rate that keeps the bound. The loop has a core, its helpers and the client the other."""
    engine = stocked.engine(run, loader, ["--items", str(items)], "--order-window", "2s", "--pin",
                            *part_engine.BIG[2:], *stocked.READY)
    loader.cores = servers.all_but_first()
    closed = loader.run(engine, ["--closed", "--workload", "two-line", "--items", str(items),
                                 "--connections", "8", "--depth", "128", "--life", "1"],
                        3 if run.is_quick else 6, 4)
    capacity = closed["accepted_per_s"]
    with where.Samples(engine.pid) as samples:
        probe = open_run(loader, engine, items, FEED, 3 if run.is_quick else 10, 0.2)
    run.profile("open_583k", samples, "583,000 orders/s offered, with life cycle")
    tried = {"%d" % FEED: brief(probe)}
    run.put("p99_583k_ms", p99_of(probe), None, None,
            "%d answered well of %d offered/s; closed %d/s; the search for a rate kept did not end" % (
                probe["accepted_per_s"], probe["offered_per_s"], capacity))
    last, kept, seconds = highest(run, loader, engine, items, capacity, tried)
    log = part_engine.stats(run, engine)["log"]
    loader.cores = None
    run.section("life", {"closed": brief(closed), "open": tried, "kept_per_s": kept,
                         "kept_for_s": seconds,
                         "flush_us": log["flush_us"], "backend": log["backend"],
                         "resident_bytes": servers.memory_bytes(engine.pid)})
    run.put("p99_583k_ms", p99_of(probe), None, None,
            "%d answered well of %d offered/s; %s %d/s: p99 %.2f, client's core %.0f %%, threads %s;"
            " %.2f %% of sends 1 ms late; engine's flushes p50 %d, p99 %d us; closed %d/s" % (
                probe["accepted_per_s"], probe["offered_per_s"],
                kept_text(seconds),
                last["offered_per_s"], p99_of(last),
                100 * last["client_cpu"], shares_text(last["threads"]),
                100.0 * last["late_sends"] / max(1, last["sent"]), log["flush_us"]["p50"],
                log["flush_us"]["p99"], capacity))
    engine.stop()
    servers.drop(engine.root)


def kept_text(seconds):
    return "highest kept with p99 <= %d ms for %d s" % (BOUND_MS, seconds) if seconds else \
        "none kept, last tried"


def shares_text(names):
    """Threads that had a hundredth of a core at least, the busiest first."""
    rows = sorted(names.items(), key=lambda row: -row[1])
    return ", ".join("%s %.0f %%" % (name, 100 * share) for name, share in rows if share >= 0.01)


def measure(run):
    loader = load.Loader(run.build, run.data, None if run.data else 1000)
    life(run, loader, 2000 if run.is_quick else 10000)
