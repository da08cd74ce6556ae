"""How soon credentials end, and what replicas must share, on sites whose answer is known."""

import itertools

import pytest

from serverlab.attacks import ATTACKS, traits
from serverlab.attacks.profiles import BOTH_INTERFACES, PROFILES
from serverlab.catalog import load_catalog
from serverlab.cli.context import CHECKOUT
from serverlab.model.definitions import Target
from serverlab.model.records import CoreSplit
from serverlab.model.security import Verdict
from serverlab.model.stacks import Cache
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


CACHED = {f"session_{event}_s" for event in ("log_out", "everywhere", "password")}


def test_a_session_in_the_cache_ends_at_once_on_a_sound_site_and_no_row_is_touched_by_hand():
    stage = a_stage(Site(), app=PROFILES[ATTACKS["T-07"].profile].app())
    outcome = ATTACKS["T-07"].run(stage)
    assert (outcome.verdict, set(outcome.measured)) == (Verdict.PASS, CACHED)


def test_a_session_that_outlives_its_end_is_found(monkeypatch):
    monkeypatch.setattr(traits, "AT_ONCE_S", 0.01)
    outcome = ATTACKS["T-07"].run(a_stage(Site(ends=False)))
    assert (outcome.verdict, outcome.measured) == (Verdict.FAIL, {})
    assert outcome.seen == "; ".join(
        f"session, {event}: session, {event} still accepted"
        for event in ("log out", "everywhere", "password")
    )


def test_what_is_kept_in_the_cache_is_asked_where_it_is_redis():
    profile = PROFILES[ATTACKS["T-07"].profile]
    assert (profile.cache, profile.app()["LAB_SESSION_STORE"]) == (Cache.REDIS, "cache")


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
    for target in BOTH_INTERFACES:
        settings = {
            name: stage_settings(catalog, Target.parse(target), name, split=split, label="unit")
            for name in ("replicated", "unshared", "unshared-stateless")
        }
        found = {name: (each.replicas, each.shared_data, dict(each.app)) for name, each in settings.items()}
        assert found == {
            "replicated": (2, True, {}),
            "unshared": (2, False, {}),
            "unshared-stateless": (
                2,
                False,
                {"LAB_JWT_VERIFY": "stateless", "LAB_SESSION_STORE": "cache"},
            ),
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
