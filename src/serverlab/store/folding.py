"""What a line of ``trials.jsonl`` says once: a second proof that differs little is written as its difference."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from serverlab.model.records import Proof, Trial


def folded(trial: Trial) -> Trial:
    """The trial as it is written: the proof after without what is as in the proof before.

    It stays whole where it lacks something that the first one has: a check that failed, or an answer that did not come.
    """
    before, after = trial.proof_before, trial.proof_after
    if before is None or after is None or not _has_all(before, after):
        return trial
    changed = msgspec.structs.replace(
        after,
        passed=_changed(before.passed, after.passed),
        identity=_changed(before.identity, after.identity),
        as_before=True,
    )
    return msgspec.structs.replace(trial, proof_after=changed)


def unfolded(trial: Trial) -> Trial:
    """The trial as it was before it was folded, whether it was or not.

    Raises:
        ValidationError: the proof after says that it is like one that is not there.
    """
    before, after = trial.proof_before, trial.proof_after
    if after is None or not after.as_before:
        return trial
    if before is None:
        raise msgspec.ValidationError("a proof after without the proof before that it is like")
    whole = msgspec.structs.replace(
        after,
        passed={**before.passed, **after.passed},
        identity={**before.identity, **after.identity},
        as_before=False,
    )
    return msgspec.structs.replace(trial, proof_after=whole)


def _has_all(before: Proof, after: Proof) -> bool:
    return before.passed.keys() <= after.passed.keys() and before.identity.keys() <= after.identity.keys()


def _changed(before: Mapping[str, str], after: Mapping[str, str]) -> dict[str, str]:
    return {name: said for name, said in after.items() if before.get(name) != said}
