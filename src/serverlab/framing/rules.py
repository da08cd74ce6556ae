"""What is right, as functions that say what was not."""

from __future__ import annotations

from collections.abc import Callable

from serverlab.analysis.framing import LATER
from serverlab.formatting import plural
from serverlab.framing.case import Rule, Seen, digest
from serverlab.model.framing import Kind

TOO_LARGE = (400, 413, 414, 431)
ODD_IN_PATHS = ("..", "//", "#", "\\u0000", "\\u0001")
"""What a path in its normal form does not hold; control bytes as the app keeps them."""

NO_CHUNKS = 411
"""Says that a length is wanted, which a server that takes no chunks may do (RFC 9110, 15.5.12)."""


def happened(seen: Seen) -> str:
    """What was seen, in words."""
    if seen.kind is Kind.SILENT:
        return "no answer" + _reached(seen)
    if seen.kind is Kind.CLOSED:
        return "closed without an answer" + _reached(seen)
    status = seen.first.status or "an answer without a status line"
    if seen.kind is Kind.REJECT:
        return f"{status}, the app was given {seen.broke}" if seen.broke else f"{status}{_reached(seen)}"
    return f"{status}{_reached(seen)}"


def _reached(seen: Seen) -> str:
    """What the app had of it."""
    messages = [each for each in seen.logged if each.role not in LATER]
    if not messages:
        return ""
    body = messages[0].body_bytes
    size = "its body unread" if body is None else f"a body of {plural(body, 'byte')}"
    return f", the app got {plural(len(messages), 'request')} with {size}"


def refused(*statuses: int) -> Rule:
    """Answered by one of these (400 if none is named), or by an error for the app where its body should be."""
    wanted = statuses or (400,)

    def rule(seen: Seen) -> str:
        right = seen.kind is Kind.REJECT and (seen.broke or seen.first.status in wanted)
        return "" if right else happened(seen)

    return rule


def delivered(body: bytes = b"") -> Rule:
    """Accepted, and the app got exactly this body with the first message."""

    def rule(seen: Seen) -> str:
        first = seen.of("first")
        if seen.kind is not Kind.ACCEPT or first is None or first.body_bytes is None:
            return happened(seen)
        whole = first.body_bytes == len(body) and first.body_sha256 == digest(body)
        return "" if whole else f"{happened(seen)} and not {len(body)}"

    return rule


def either(*rules: Rule) -> Rule:
    """As one of these says."""

    def rule(seen: Seen) -> str:
        said = [each(seen) for each in rules]
        return "" if "" in said else said[0]

    return rule


def both(*rules: Rule) -> Rule:
    """As all of these say."""

    def rule(seen: Seen) -> str:
        return next((said for each in rules if (said := each(seen))), "")

    return rule


def never_short(length: int) -> Rule:
    """No answer, a refusal or a closed connection; never a body shorter than ``length`` that looks whole."""

    def rule(seen: Seen) -> str:
        if seen.kind is not Kind.ACCEPT:
            return (
                ""
                if seen.kind is not Kind.REJECT or seen.broke or 400 <= seen.first.status < 500
                else happened(seen)
            )
        got = seen.echo.get("body_bytes")
        return f"{seen.first.status}, the app got {got} of {length} bytes as if they were all"

    return rule


def without_header(name: str, value: str = "") -> Rule:
    """The app got no such header field; or, if a value is given, not that one."""

    def rule(seen: Seen) -> str:
        if seen.kind is not Kind.ACCEPT:
            return ""
        found = seen.headers.get(name.lower())
        given = found is not None and value in found
        return f"{seen.first.status}, the app got {name}: {found}" if given else ""

    return rule


def with_header(name: str, value: str = "") -> Rule:
    """Accepted, and the app got the header field with (in it) that value."""

    def rule(seen: Seen) -> str:
        if seen.kind is not Kind.ACCEPT:
            return happened(seen)
        found = seen.headers.get(name.lower())
        if found is not None and value in found:
            return ""
        return f"{seen.first.status}, {name} was {'absent' if found is None else 'another'}"

    return rule


def behind_edge(rule: Rule) -> Rule:
    """As the rule says where there is an edge; anything elsewhere."""
    return lambda seen: rule(seen) if seen.behind_edge else ""


def no_error(seen: Seen) -> str:
    """An answer, and none that says the server broke."""
    return "" if seen.kind in (Kind.ACCEPT, Kind.REJECT) and seen.first.status < 500 else happened(seen)


def not_switched(seen: Seen) -> str:
    """The protocol stays as it was."""
    return "101, the protocol was switched" if seen.first.status == 101 else no_error(seen)


def within(*statuses: int) -> Rule:
    """Answered by one of these."""
    return lambda seen: "" if seen.replies and seen.first.status in statuses else happened(seen)


def in_order(seen: Seen) -> str:
    """Both messages of a pair are answered in order, or the first alone before the connection is closed."""
    roles = [str(each.document.get("marker", "")).rpartition("-")[2] for each in seen.replies]
    pair = [role for role in roles if role != "tail"]
    if pair == ["first", "second"] or (pair == ["first"] and seen.closed):
        return ""
    return f"answers to {', '.join(roles) or 'none'}"


def nothing_of(*signs: str) -> Rule:
    """No answer holds one of these texts, and none is a 5xx."""

    def rule(seen: Seen) -> str:
        everything = b"".join(each.body for each in seen.replies).decode("latin-1")
        found = [sign for sign in signs if sign in everything]
        return f"{seen.first.status}, the answer holds {found[0]!r}" if found else no_error(seen)

    return rule


def normal_path(seen: Seen) -> str:
    """What the app got as a path, if anything, can be read in one way only."""
    first = seen.of("first")
    path = first.path.partition("?")[0] if first else ""
    odd = [sign for sign in ODD_IN_PATHS if sign in path]
    return f"{seen.first.status}, the app got the path {path}" if odd else ""


def without_fragment(seen: Seen) -> str:
    """The app got no fragment, in a path or in a query: no client may send one."""
    found = [each.path for each in seen.logged if "#" in each.path]
    return f"{seen.first.status}, the app got {found[0]}" if found else ""


def stays_here(seen: Seen) -> str:
    """A redirect leads to no other host."""
    to = seen.first.headers.get("location", "")
    return (
        f"{seen.first.status} to {to}" if to.startswith("//") or "evil" in to.partition("?")[0][:20] else ""
    )


def measured_at_most(name: str, most: float, unit: str) -> Rule:
    """What was measured under that name is no more; nor is it right where nothing was."""

    def rule(seen: Seen) -> str:
        found = seen.measured.get(name)
        if found is None:
            return f"{happened(seen)}: {name} was not measured"
        return f"{happened(seen)}: {found:.1f} {unit}" if found > most else ""

    return rule


def judged_by(words: str, holds: Callable[[Seen], bool]) -> Rule:
    """As the function says, and otherwise these words."""
    return lambda seen: "" if holds(seen) else f"{happened(seen)}: {words}"
