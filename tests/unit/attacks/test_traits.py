"""How soon credentials end, and what replicas must share, on sites whose answer is known."""

import itertools

import pytest

from serverlab.attacks import traits
from serverlab.attacks.profiles import PROFILES, REPLICATED
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.model.definitions import Target
from serverlab.model.records import CoreSplit
from serverlab.model.security import Verdict
from serverlab.runner.assault import stage_settings
from tests.unit.attacks.sites import Site, a_stage


class Ended:
    """Is refused from its n-th question on."""

    def __init__(self, questions):
        self._left = questions

    def me(self):
        self._left -= 1
        return type("Response", (), {"status_code": 401 if self._left < 0 else 200})


def test_what_ends_later_is_told_from_what_ends_sooner_and_what_never_does():
    found = traits.refused_after({"now": Ended(0), "later": Ended(2), "never": Ended(9**9)}, within_s=0.2)
    assert found["never"] is None
    assert found["now"] < traits.POLL_S <= found["later"]


def test_everything_ends_at_once_on_a_sound_site():
    outcome = traits.after_everything_ended(a_stage(Site(csrf=False)))
    assert (outcome.verdict, set(outcome.measured)) == (
        Verdict.PASS,
        {f"{way}_{event}_s" for way in traits.WAYS for event in ("everywhere", "password")},
    )


def turns(*sites):
    """Sites that answer in turn, as replicas behind an edge do."""
    whose = itertools.cycle(sites)

    def answer(request):
        site = next(whose)
        return site(request)

    return answer


def knowing():
    """A site that has known the seeded user from the start."""
    return Site(csrf=False, users={traits.SEEDED: "lab-password"})


def test_replicas_that_share_a_store_lose_nothing():
    site = knowing()
    outcome = traits.shared(a_stage(turns(site, site)))
    assert (outcome.verdict, set(outcome.measured.values())) == (Verdict.PASS, {1.0})


def test_replicas_that_share_nothing_answer_every_other_time():
    shares = traits.surviving(a_stage(turns(knowing(), knowing())))
    assert {name: shares[f"{name}_me_share"] for name in traits.WAYS} == dict.fromkeys(traits.WAYS, 0.5)
    assert all(0.2 < shares[f"{way}_refresh_share"] < 0.8 for way in ("jwt", "plain"))
    assert traits.shared(a_stage(turns(knowing(), knowing()))).verdict is Verdict.FAIL


def test_an_answer_that_is_neither_yes_nor_no_is_no_share():
    with pytest.raises(ValueError, match="answered 502"):
        traits._share(iter([200, 502]))


def test_what_replicas_share_is_asked_on_stacks_of_two():
    catalog = load_catalog(CHECKOUT)
    split = CoreSplit(stack="0", generator="1", disjoint=True)
    for target in REPLICATED:
        settings = {
            name: stage_settings(catalog, Target.parse(target), name, split=split, label="unit")
            for name in ("replicated", "unshared", "unshared-stateless")
        }
        found = {name: (each.replicas, each.shared_data, dict(each.app)) for name, each in settings.items()}
        assert found == {
            "replicated": (2, True, {}),
            "unshared": (2, False, {}),
            "unshared-stateless": (2, False, {"LAB_JWT_VERIFY": "stateless"}),
        }


@pytest.mark.parametrize(
    ("profile", "target", "fits"),
    [
        ("open", "gunicorn:gthread", True),
        ("unshared", "gunicorn:gthread", False),
        ("unshared", "gunicorn:gthread+nginx", True),
        ("unshared", "apache:daemon+nginx", False),
    ],
)
def test_a_profile_is_for_the_targets_that_it_names(profile, target, fits):
    assert PROFILES[profile].fits(Target.parse(target)) is fits
