"""Faults between the client and the stack: slow, narrow, cut and broken connections."""

from __future__ import annotations

from serverlab.faults.fault import Fault
from serverlab.faults.proxy import Toxic
from serverlab.faults.toxics import Poisoned
from serverlab.model.faults import Rule
from serverlab.model.stacks import Proxied

NOTHING_FAILS = Rule(failures_at_most=0)
"""What only takes longer must not fail."""

SHARE = 0.3
"""Of connections that are broken, so that it is seen what becomes of the others."""

OTHERS_GO_ON = Rule(goodput_at_least=0.5)
"""Seven of ten connections are whole; more than that number must not suffer."""

BYTES = tuple(Toxic("slicer", stream, {"average_size": 1}) for stream in ("upstream", "downstream"))
SLICES = tuple(
    Toxic("slicer", stream, {"average_size": 64, "size_variation": 32, "delay": 10_000})
    for stream in ("upstream", "downstream")
)

FAULTS: tuple[Fault, ...] = (
    *(
        Poisoned(
            id=id_,
            title=f"clients {latency} ms away",
            what=f"All that clients and stack say to each other arrives {latency} ms later, give or take a tenth.",
            way=Proxied.FRONT,
            toxics=tuple(
                Toxic("latency", stream, {"latency": latency, "jitter": latency // 10})
                for stream in ("upstream", "downstream")
            ),
            rule=NOTHING_FAILS,
        )
        for id_, latency in (("F-50", 20), ("F-50b", 100))
    ),
    Poisoned(
        id="F-50c",
        title="narrow connections",
        what="Each client's connection carries 2 KB in a second, both ways.",
        way=Proxied.FRONT,
        toxics=tuple(Toxic("bandwidth", stream, {"rate": 2}) for stream in ("upstream", "downstream")),
        rule=NOTHING_FAILS,
    ),
    Poisoned(
        id="F-50d",
        title="requests in slices",
        what="Requests and answers arrive in slices of about 64 bytes, 10 ms apart.",
        way=Proxied.FRONT,
        toxics=SLICES,
        rule=NOTHING_FAILS,
    ),
    Poisoned(
        id="F-51",
        title="connections reset",
        what="Three of ten connections of clients are reset as soon as they are there.",
        way=Proxied.FRONT,
        toxics=(Toxic("reset_peer", attributes={"timeout": 0}, toxicity=SHARE),),
        rule=OTHERS_GO_ON,
    ),
    Poisoned(
        id="F-51b",
        title="half-open connections",
        what="Three of ten clients connect, and what they send never arrives.",
        way=Proxied.FRONT,
        toxics=(Toxic("timeout", "upstream", {"timeout": 0}, toxicity=SHARE),),
        rule=OTHERS_GO_ON,
    ),
    Poisoned(
        id="F-51c",
        title="answers cut short",
        what="Three of ten answers end after 100 bytes.",
        way=Proxied.FRONT,
        toxics=(Toxic("limit_data", attributes={"bytes": 100}, toxicity=SHARE),),
        rule=OTHERS_GO_ON,
    ),
    # No F-51d, late ends (slow_close): the prober closes only after the whole answer, so nothing of it could be seen.
    Poisoned(
        id="F-51e",
        title="one byte at a time",
        what="Requests and answers arrive one byte at a time.",
        way=Proxied.FRONT,
        toxics=BYTES,
        rule=NOTHING_FAILS,
    ),
)
