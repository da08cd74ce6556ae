"""Rules for Dockerfiles: each is a function that says whether a text breaks it."""

import json
import re

INSTRUCTION = re.compile(r"^(?P<name>[A-Z]+)[ \t]+(?P<rest>.*)$", re.MULTILINE)
CONTINUATION = re.compile(r"\\\n(?:[ \t]*#[^\n]*\n)*")
OURS = re.compile(r"\$\{(BASE|APP)_IMAGE\}(\s+AS\s+\w+)?")
SECRET_NAME = re.compile(r"(?i)(^|[\s_])(secret|password|token|jwt_key|api_key|credential)s?[\w]*=")
STRIPPED = re.compile(r"find / -xdev -type f -perm /6000 -exec chmod a-s \{\} \+")


def instructions(text):
    """Name and rest of every instruction, continued lines joined, comments left out."""
    lines = [line for line in CONTINUATION.sub(" ", text).splitlines() if not line.startswith("#")]
    return [(match["name"], match["rest"]) for match in INSTRUCTION.finditer("\n".join(lines))]


def last_stage(text):
    """The instructions of the image that comes out."""
    found = instructions(text)
    return found[max(index for index, (name, _) in enumerate(found) if name == "FROM") :]


def rests(found, *names):
    return [rest for name, rest in found if name in names]


def fetches_a_front_end(text):
    return bool(re.search(r"^#\s*syntax\s*=", text, re.MULTILINE | re.IGNORECASE))


def is_built_from_elsewhere(text):
    return not all(OURS.fullmatch(rest) for rest in rests(instructions(text), "FROM"))


def runs_as_root_or_by_name(text):
    users = rests(last_stage(text), "USER")
    return not users or not re.fullmatch(r"[1-9]\d*:[1-9]\d*", users[-1])


def lacks_our_labels(text):
    labels = " ".join(rests(last_stage(text), "LABEL"))
    return not all(
        re.search(label, labels)
        for label in (
            r'org\.serverlab="?image"?(\s|$)',
            r"org\.opencontainers\.image\.title=",
            r"org\.opencontainers\.image\.licenses=",
        )
    )


def starts_through_a_shell(text):
    def is_list(rest):
        try:
            return isinstance(json.loads(rest), list)
        except ValueError:
            return False

    return not all(is_list(rest) for rest in rests(last_stage(text), "ENTRYPOINT", "CMD"))


def installs_without_hashes(text):
    calls = re.findall(r"pip3? (?:install|wheel)[^&;]*", " ; ".join(rests(instructions(text), "RUN")))
    return any("--require-hashes" not in call and "--no-index" not in call for call in calls)


def adds_instead_of_copying(text):
    return bool(rests(instructions(text), "ADD"))


def keeps_package_lists(text):
    runs = [rest for rest in rests(instructions(text), "RUN") if "apt-get update" in rest]
    return any("rm -rf /var/lib/apt/lists/*" not in rest for rest in runs)


def installs_recommended_packages(text):
    runs = " ; ".join(rests(instructions(text), "RUN"))
    return any("--no-install-recommends" not in call for call in re.findall(r"apt-get install[^&;]*", runs))


def runs_what_it_fetches(text):
    return bool(re.search(r"\b(curl|wget)\b", " ".join(rests(instructions(text), "RUN"))))


def holds_a_secret(text):
    return any(SECRET_NAME.search(rest) for rest in rests(instructions(text), "ARG", "ENV"))


def keeps_setuid_programs(text):
    """From the base, that is; who starts from the app has none."""
    stage = last_stage(text)
    return "BASE_IMAGE" in stage[0][1] and not STRIPPED.search(" ".join(rests(stage, "RUN")))


def opens_files_to_everybody(text):
    return bool(
        re.search(r"chmod\s+(-R\s+)?(0?777|[ao]\+w|[ugo]*\+s)", " ".join(rests(instructions(text), "RUN")))
    )


def keeps_logs(text):
    """They hold the time of the build, so that no two builds are the same."""
    runs = [rest for rest in rests(last_stage(text), "RUN") if "apt-get install" in rest]
    made = ("/var/log/apt/*", "/var/log/*.log", "/var/cache/ldconfig/aux-cache")
    return any(path not in rest for rest in runs for path in made)


def compiles_with_times(text):
    """As pip compiles Python left alone: with the time at which it wrote the source."""
    runs = " ; ".join(rests(last_stage(text), "RUN"))
    return any("--no-compile" not in call for call in re.findall(r"pip3? install[^&;]*", runs))


RULES = (
    fetches_a_front_end,
    is_built_from_elsewhere,
    runs_as_root_or_by_name,
    lacks_our_labels,
    starts_through_a_shell,
    installs_without_hashes,
    adds_instead_of_copying,
    keeps_package_lists,
    installs_recommended_packages,
    runs_what_it_fetches,
    holds_a_secret,
    keeps_setuid_programs,
    opens_files_to_everybody,
    keeps_logs,
    compiles_with_times,
)


def broken(text):
    """The names of the rules that a Dockerfile breaks."""
    return [rule.__name__ for rule in RULES if rule(text)]
