"""A way on which nothing that is said arrives: only a time-out ends who waits there."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from serverlab.faults.callers import Caller, SoFar
from serverlab.faults.fault import NotEffective, Scene
from serverlab.faults.proxy import Toxic
from serverlab.faults.toxics import Poisoned

SILENT = tuple(Toxic("timeout", stream, {"timeout": 0}) for stream in ("upstream", "downstream"))
GATEWAY_TIMEOUT = 504
SPARE_S = 30.0
"""How much more patience than the fault lasts who is asked for."""


@dataclass(frozen=True, kw_only=True)
class BlackHole(Poisoned):
    """Nothing that is said on the way arrives; a request that needs it shows whether anything bounds its time.

    One is sent at once; where ``later_s`` is not 0 another one so much later, when the first ones have taken what
    threads there are, and that is judged. 504 says what bounded it, and so does the app where it gives up by itself.
    Other statuses, those of ``told_by``, and an end without a word are a time-out's doing only from ``silent_from_s``
    on. Whatever else ends the request is no bound, and is kept under another name.
    """

    path: str
    told_by: Collection[int] = range(500, 600)
    silent_from_s: float
    later_s: float = 0.0

    @contextmanager
    def inject(self, scene: Scene) -> Iterator[str]:
        """Ask with more patience than the fault lasts, and keep when an answer came, or that none did."""
        with super().inject(scene) as seen:
            first, later = (Caller(scene.url, self.path, timeout_s=scene.hold_s + SPARE_S) for _ in range(2))
            sending = threading.Timer(self.later_s, later.start)
            first.start()
            try:
                if self.later_s:
                    sending.start()
                yield seen
                if self.later_s:
                    sending.join()
                    self._tell_first(scene, first.so_far())
                self._tell(scene, (later if self.later_s else first).so_far())
            finally:
                sending.cancel()
                first.let_go()
                later.let_go()

    def _tell_first(self, scene: Scene, found: SoFar) -> None:
        """Keep what became of the one that is not judged.

        Raises:
            NotEffective: it was answered as if all were well.
        """
        scene.note(f"sent at once, {self._told(found)}")
        scene.measure(first_after_s=round(found.after_s, 3), first_status=found.status or 0)

    def _tell(self, scene: Scene, found: SoFar) -> None:
        """Keep what bounded the request, or that nothing has yet.

        Raises:
            NotEffective: it was answered as if all were well.
        """
        after_s, status = round(found.after_s, 3), found.status or 0
        told = self._told(found)
        if found.ended and not self._is_bound(found):
            scene.note(f"{told}, which is no time-out's doing")
            scene.measure(ended_after_s=after_s, ended_status=status)
        else:
            scene.note(told)
            scene.measure(bounded_after_s=after_s, bounded_status=status, bounded_by_app=int(found.from_app))

    def _told(self, found: SoFar) -> str:
        if found.status == 200:
            raise NotEffective(
                f"{self.path}: answered with 200 after {found.after_s:.1f} s, so that something arrives"
            )
        said = "cut off" if found.ended else "not answered"
        by = " by the app itself" if found.from_app else ""
        how = f"answered{by} with {found.status}" if found.status else said
        return f"{self.path}: {how} after {found.after_s:.1f} s"

    def _is_bound(self, found: SoFar) -> bool:
        if found.from_app or found.status == GATEWAY_TIMEOUT:
            return True
        return found.after_s >= self.silent_from_s and (found.status is None or found.status in self.told_by)
