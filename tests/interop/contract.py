# A walk through the contract, sentence by sentence: fields, edges, error texts, retries, limits.
"""The cases stand in contract_wire.py (frames, values, errors), contract_stock.py (network and
stock), contract_order.py, contract_fulfil.py, contract_change.py, contract_way.py,
contract_strategy.py and
contract_limits.py (engines with small limits, a full disk). All but the last share one engine; each
case draws ids of its own."""
import os
import re
import sys

import contract_change
import contract_fulfil
import contract_limits
import contract_order
import contract_stock
import contract_strategy
import contract_way
import contract_wire
import regressions
import server
from contract_scene import FIELDS_SEEN, Scene
from regressions import expect

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "proto", "README.md")


def page_tells_every_field(_):
    """every field that was seen in an answer stands in proto/README.md"""
    with open(README) as file:
        words = set(re.findall(r"[A-Za-z_][A-Za-z0-9_.]*", file.read()))
    missing = {key: method for key, method in FIELDS_SEEN.items() if key not in words}
    expect(len(FIELDS_SEEN) > 100 and not missing, "not told", missing, len(FIELDS_SEEN))


def main():
    parser = server.arguments(__doc__)
    parser.add_argument("--only", default="", help="cases whose name holds this")
    options = server.settle(parser.parse_args())
    good = True
    with server.Engine(options.engine) as engine:
        for module in (contract_wire, contract_stock, contract_order, contract_fulfil,
                       contract_change, contract_way, contract_strategy):
            for number, function in enumerate(module.CASES):
                if options.only in function.__doc__:
                    prefix = "%s%d." % (module.PREFIX, number)
                    good &= regressions.run(function.__doc__, function, Scene(engine, prefix))
                    good &= engine.is_alive()
    for function in contract_limits.CASES:
        if options.only in function.__doc__:
            good &= regressions.run(function.__doc__, function, options)
    if not options.only:
        good &= regressions.run(page_tells_every_field.__doc__, page_tells_every_field, None)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
