"""Names of targets, and what their definitions say about them."""

import pytest

from serverlab.catalog import load_catalog, load_experiments, read_experiment
from serverlab.errors import UsageError
from serverlab.model.definitions import Target
from tests.checkout import (
    CADDY,
    DAPHNE,
    GUNICORN,
    GUNICORN_ASGI,
    NGINX,
    PROFILE,
    QUICK,
    STATIC,
    make_checkout,
    write,
)


@pytest.fixture
def root(tmp_path):
    return make_checkout(tmp_path)


@pytest.fixture
def catalog(root):
    return load_catalog(root)


def mistakes_of(root):
    return list(load_catalog(root).mistakes)


def refusal(call, *arguments):
    with pytest.raises(UsageError) as refused:
        call(*arguments)
    return refused.value.what, refused.value.hint


def test_a_target_has_the_variant_that_its_name_says(catalog):
    assert catalog.target("gunicorn:sync+nginx") == Target(server="gunicorn", variant="sync", edge="nginx")


def test_without_a_variant_it_is_the_servers_default(catalog):
    assert str(catalog.target("gunicorn")) == "gunicorn:gthread"
    assert str(catalog.target("daphne+nginx")) == "daphne:production+nginx"


def test_a_targets_full_name_is_read_back_as_the_same_target():
    for name in ("gunicorn:sync", "gunicorn:sync+nginx"):
        assert str(Target.parse(name)) == name


@pytest.mark.parametrize("name", ["gunicorn", "gunicorn:", "Gunicorn:sync", "gunicorn:sync+", "a:b:c", ""])
def test_a_name_without_variant_or_of_another_form_is_no_full_name(name):
    with pytest.raises(ValueError, match="not a full target name"):
        Target.parse(name)


@pytest.mark.parametrize(
    ("name", "what", "hint"),
    [
        (
            "gunicon",
            "unknown server 'gunicon', did you mean 'gunicorn'?",
            "Known: daphne, gunicorn, runserver, uwsgi",
        ),
        (
            "gunicon:sync+nginx",
            "'gunicon:sync+nginx': unknown server 'gunicon', did you mean 'gunicorn'?",
            "Known: daphne, gunicorn, runserver, uwsgi",
        ),
        ("iis", "unknown server 'iis'", "Known: daphne, gunicorn, runserver, uwsgi"),
        (
            "gunicorn:gtread",
            "'gunicorn:gtread': unknown variant of gunicorn 'gtread', did you mean 'gthread'?",
            "Known: sync, gthread",
        ),
        ("gunicorn+ngnix", "'gunicorn+ngnix': unknown edge 'ngnix', did you mean 'nginx'?", "Known: nginx"),
        (
            "Gunicorn nginx",
            "target 'Gunicorn nginx': not of the form SERVER[:VARIANT][+EDGE]",
            "For example: gunicorn:gthread+nginx",
        ),
        (
            "uwsgi:uwsgi",
            "target uwsgi:uwsgi: this variant works only behind an edge",
            "Try uwsgi:uwsgi+nginx",
        ),
        (
            "daphne:replicated",
            "target daphne:replicated: this variant works only behind an edge",
            "Try daphne:replicated+nginx",
        ),
    ],
)
def test_a_target_that_cannot_be_is_refused_with_what_can(catalog, name, what, hint):
    assert refusal(catalog.target, name) == (what, hint)


def test_an_edge_that_does_not_speak_the_variants_protocol_is_refused(root):
    write(root, "deploy/caddy/edge.toml", CADDY)
    catalog = load_catalog(root)
    assert (
        refusal(catalog.target, "uwsgi:uwsgi+caddy")[0]
        == "target uwsgi:uwsgi+caddy: caddy does not speak uwsgi"
    )
    assert str(catalog.target("uwsgi:http+caddy")) == "uwsgi:http+caddy"


def test_an_unknown_workload_is_refused_with_the_nearest_name(catalog):
    assert refusal(catalog.workload, "profil") == (
        "unknown workload 'profil', did you mean 'profile'?",
        "Known: profile, static",
    )


def test_every_target_that_can_be_is_listed_direct_ones_first(catalog):
    assert [str(target) for target in catalog.targets()] == [
        "daphne:production",
        "gunicorn:sync",
        "gunicorn:gthread",
        "runserver:threaded",
        "uwsgi:http",
        "daphne:production+nginx",
        "daphne:replicated+nginx",
        "gunicorn:sync+nginx",
        "gunicorn:gthread+nginx",
        "runserver:threaded+nginx",
        "uwsgi:http+nginx",
        "uwsgi:uwsgi+nginx",
    ]


def test_a_target_can_do_what_its_server_and_its_edge_can_do(catalog):
    direct, behind = catalog.target("gunicorn"), catalog.target("gunicorn+nginx")
    assert catalog.capabilities(direct) == {"workers", "threads"}
    assert catalog.capabilities(behind) == {"workers", "threads", "static", "tls"}
    assert (catalog.lacking(direct, "static"), catalog.lacking(behind, "static")) == ("static", None)
    assert catalog.lacking(direct, "profile") is None


def test_an_edge_hands_websocket_on_and_does_not_make_it(root):
    write(root, "deploy/nginx/edge.toml", NGINX.replace('"static", "tls"', '"static", "tls", "websocket"'))
    write(root, "deploy/caddy/edge.toml", CADDY)
    catalog = load_catalog(root)
    names = ("daphne", "daphne+nginx", "daphne+caddy", "gunicorn+nginx")
    lacking = [name for name in names if "websocket" not in catalog.capabilities(catalog.target(name))]
    assert lacking == ["daphne+caddy", "gunicorn+nginx"]


def test_a_variant_can_call_the_app_otherwise_and_do_more_than_its_server_says(root):
    write(root, "deploy/gunicorn/server.toml", GUNICORN + GUNICORN_ASGI)
    catalog = load_catalog(root)
    server, asgi = catalog.servers["gunicorn"], catalog.target("gunicorn:asgi")
    found = {name: server.interface_of(variant).value for name, variant in server.variants.items()}
    assert found == {"sync": "wsgi", "gthread": "wsgi", "asgi": "asgi"}
    assert catalog.capabilities(asgi) == {"workers", "threads", "websocket"}
    assert catalog.capabilities(catalog.target("gunicorn:sync")) == {"workers", "threads"}


def test_a_capability_of_one_variant_is_declared_by_that_variant(root):
    write(root, "deploy/gunicorn/server.toml", GUNICORN + GUNICORN_ASGI)
    write(root, "deploy/nginx/edge.toml", NGINX.replace('"tls"', '"tls", "websocket"'))
    catalog = load_catalog(root)
    assert catalog.declared_by("websocket") == ["daphne", "gunicorn:asgi", "nginx"]
    assert catalog.declared_by("workers") == ["gunicorn", "uwsgi"]
    assert catalog.declared_by("http2") == []


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (
            '["websocket"]',
            '["websockets"]',
            "capabilities: unknown capability 'websockets', did you mean 'websocket'?",
        ),
        (
            '["websocket"]',
            '["websocket", "threads"]',
            "capabilities: threads is among the server's already; leave it out",
        ),
        ('"asgi"\n', '"wsgi"\n', "interface: wsgi is what the server says already; leave it out"),
        ('"asgi"\n', '"asgy"\n', "interface: Invalid enum value 'asgy' (found 'asgy')"),
    ],
)
def test_a_variant_says_only_what_its_server_does_not(root, old, new, mistake):
    assert old in GUNICORN_ASGI
    write(root, "deploy/gunicorn/server.toml", GUNICORN + GUNICORN_ASGI.replace(old, new))
    assert mistakes_of(root) == [f"deploy/gunicorn/server.toml: variants.asgi.{mistake}"]


def test_replicas_follow_the_budget_unless_a_number_is_wanted(catalog):
    replicated, single = catalog.target("daphne:replicated+nginx"), catalog.target("gunicorn+nginx")
    assert [catalog.replicas(replicated, cpus=cpus) for cpus in (1, 2)] == [1, 2]
    assert catalog.replicas(single, cpus=2) == 1
    assert catalog.replicas(single, cpus=1, wanted=3) == 3


def test_a_variants_own_identity_comes_before_the_servers(catalog):
    assert catalog.identity(catalog.target("uwsgi:uwsgi+nginx")).process == "^uwsgi --socket"
    assert catalog.identity(catalog.target("uwsgi:http")).process == "^uwsgi"


def test_hashes_change_with_the_files_they_stand_for_and_with_no_others(root, catalog):
    target = [catalog.target("gunicorn+nginx")]
    before = catalog.hashes(targets=target, workloads=["profile"])
    assert list(before) == [
        "app",
        "lab",
        "server/gunicorn",
        "server/nginx",
        "stack",
        "workload/profile",
        "workload/shared",
    ]
    write(root, "deploy/gunicorn/gunicorn.conf.py", "workers = 1\n")
    write(root, "deploy/uwsgi/uwsgi.ini", "[uwsgi]\n")
    write(root, "loadtests/profile/__pycache__/x.pyc", "")
    after = catalog.hashes(targets=target, workloads=["profile"])
    assert [name for name in before if before[name] != after[name]] == ["server/gunicorn"]


def test_a_sound_checkout_has_no_mistakes(root):
    assert mistakes_of(root) == []


def test_mistakes_of_all_files_are_gathered_with_paths_below_the_checkout(root):
    write(root, "deploy/gunicorn/server.toml", GUNICORN.replace("threads = 16\n", "thread = 16\n", 1))
    write(
        root, "deploy/nginx/edge.toml", NGINX.replace('protocols = ["http", "uwsgi"]', 'protocols = ["htp"]')
    )
    write(root, "loadtests/profile/workload.toml", PROFILE.replace("users = 16", "users = 0"))
    write(root, "loadtests/static/workload.toml", "format = ")
    known = (
        "known: title, track, command, workers, threads, interface, capabilities, protocol, keeps_connections, "
        "runs_coroutines, unanswered, environment, identity, replicas_per_cpu"
    )
    assert mistakes_of(root) == [
        f"deploy/gunicorn/server.toml: variants.gthread.thread: unknown key, did you mean 'threads'? ({known})",
        "deploy/gunicorn/server.toml: variants.gthread.threads: missing",
        "deploy/nginx/edge.toml: protocols[0]: Invalid enum value 'htp' (found 'htp')",
        "loadtests/profile/workload.toml: users: Expected `int` >= 1 (found 0)",
        "loadtests/static/workload.toml: not valid TOML: Invalid value (at end of document)",
    ]


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        (
            'default_variant = "gthread"',
            'default_variant = "gtread"',
            "default_variant: 'gtread' is not a variant, did you mean 'gthread'?",
        ),
        (
            '"workers", "threads"]',
            '"workers", "treads"]',
            "capabilities: unknown capability 'treads', did you mean 'threads'?",
        ),
        ('"SIGTERM"', '"TERM"', "signals.stop: 'TERM' is not a signal's name such as SIGTERM"),
        ("'^gunicorn$'", "'(gunicorn'", "identity.server_header: not a regular expression: "),
        ("per_cpu = 1 }", "per_cpu = 0 }", "variants.gthread.workers: no worker at all for one core"),
        (
            "threads = 16\n",
            'threads = 16\nprotocol = "uwsgi"\nkeeps_connections = false\n',
            "variants.gthread.keeps_connections: means nothing where uwsgi is spoken",
        ),
        (
            "threads = 16\n",
            'threads = 16\ninterface = "asgi"\nruns_coroutines = false\n',
            "variants.gthread.runs_coroutines: an ASGI server runs nothing else; leave it out",
        ),
        (
            "threads = 16\n",
            "threads = 16\nunanswered = { head_bytes = 0 }\n",
            "variants.gthread.unanswered.head_bytes: Expected `int` >= 1 (found 0)",
        ),
        (
            'variants = ["gthread"]',
            'variants = ["gtread"]',
            "settings[0].variants: unknown variant 'gtread', did you mean 'gthread'?",
        ),
        ("format = 1", "format = 2", "format: Expected `int` <= 1 (found 2)"),
    ],
)
def test_what_does_not_fit_together_in_a_server_is_a_mistake(root, old, new, mistake):
    assert old in GUNICORN
    write(root, "deploy/gunicorn/server.toml", GUNICORN.replace(old, new))
    (found,) = mistakes_of(root)
    assert found.startswith(f"deploy/gunicorn/server.toml: {mistake}")


def test_a_variants_own_identity_is_checked_too(root):
    broken = DAPHNE + "\n[variants.production.identity]\nserver_header = ''\nprocess = '*'\n"
    write(root, "deploy/daphne/server.toml", broken)
    (found,) = mistakes_of(root)
    assert "variants.production.identity.process: not a regular expression: nothing to repeat" in found


def test_an_edge_is_checked_like_a_server(root):
    write(root, "deploy/nginx/edge.toml", NGINX.replace('"tls"', '"tsl"'))
    assert mistakes_of(root) == [
        "deploy/nginx/edge.toml: capabilities: unknown capability 'tsl', did you mean 'tls'?"
    ]


def test_a_workload_may_only_need_what_a_target_can_have(root):
    write(root, "loadtests/static/workload.toml", STATIC.replace('["static"]', '["statik"]'))
    assert mistakes_of(root) == [
        "loadtests/static/workload.toml: needs: unknown capability 'statik', did you mean 'static'?"
    ]


def test_experiments_are_found_by_the_names_of_their_files(catalog):
    assert list(load_experiments(catalog)) == ["quick"]
    assert load_experiments(catalog)["quick"].targets == ("gunicorn", "runserver")


def test_an_experiment_that_is_not_there_is_refused_with_the_nearest_one(root, catalog):
    assert refusal(read_experiment, root / "experiments/quik.toml", catalog) == (
        f"experiment {root}/experiments/quik.toml: no such file, did you mean 'quick'?",
        "Shipped: quick",
    )


def test_all_mistakes_of_an_experiment_are_told_with_its_file_and_their_keys(root, catalog):
    path = write(
        root,
        "experiments/wrong.toml",
        QUICK.replace('["gunicorn", "runserver"]', '["gunicon", "uwsgi:uwsgi"]')
        .replace('["profile"]', '["profil"]')
        .replace('"gunicorn:gthread"', '"gunicorn:gtread"'),
    )
    what, hint = refusal(read_experiment, path, catalog)
    assert what.splitlines() == [
        f"{path}: targets[0]: unknown server 'gunicon', did you mean 'gunicorn'?",
        f"{path}: targets[1]: target uwsgi:uwsgi: this variant works only behind an edge",
        f"{path}: workloads[0]: unknown workload 'profil', did you mean 'profile'?",
        f"{path}: reference: 'gunicorn:gtread': unknown variant of gunicorn 'gtread', did you mean 'gthread'?",
    ]
    assert hint == "`serverlab check` reads all files again."


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ('"runserver"]', '"gunicorn:gthread"]', "targets: the same target is named twice"),
        ('["profile"]', '["profile", "profile"]', "workloads: the same workload is named twice"),
        ("rounds = 2", "rounds = 2\ncpus = [1, 1]", "cpus: the same budget is named twice"),
        ('["profile"]', "[]", "targets, workloads and cpus each need at least one entry"),
        ("rounds = 2", "rounds = 2\ncpus = []", "targets, workloads and cpus each need at least one entry"),
        ("gunicorn:gthread", "gunicorn:sync", "reference: gunicorn:sync is not among the targets"),
        ("rounds = 2", "rounds = 0", "rounds: Expected `int` >= 1 (found 0)"),
        ("seed = 7", "seed = 7\n[load]\nduration_s = 0", "load.duration_s: Expected `float` > 0.0 (found 0)"),
    ],
)
def test_an_experiment_that_could_not_be_run_is_refused(root, catalog, old, new, mistake):
    assert old in QUICK
    path = write(root, "experiments/wrong.toml", QUICK.replace(old, new))
    assert refusal(read_experiment, path, catalog)[0] == f"{path}: {mistake}"


PREDICTION = '[[predictions]]\ntarget = "runserver"\nratio = [0.7, 0.9]\nsource = "a talk"\n'


def test_a_prediction_is_registered_with_its_source(root, catalog):
    path = write(root, "experiments/told.toml", QUICK + PREDICTION)
    (prediction,) = read_experiment(path, catalog).predictions
    assert (prediction.target, prediction.ratio, prediction.source) == ("runserver", (0.7, 0.9), "a talk")


@pytest.mark.parametrize(
    ("old", "new", "mistake"),
    [
        ("[0.7, 0.9]", "[0.9, 0.7]", "ratio: 0.9 and 0.7 are not two ratios, the lower one first"),
        ("[0.7, 0.9]", "[0, 0.9]", "ratio: 0 and 0.9 are not two ratios, the lower one first"),
        ("[0.7, 0.9]", "[0.7]", "ratio: Expected `array` of length >= 2 (found [0.7])"),
        ('"a talk"', '" "', "source: say where the prediction is from"),
        ('target = "runserver"\n', "", "target: missing"),
        ('"runserver"', '"uwsgi"', "target: 'uwsgi' is not among the targets"),
        ('"runserver"', '"runsever"', "target: unknown server 'runsever', did you mean 'runserver'?"),
        (
            "ratio",
            'workload = "profil"\nratio',
            "workload: 'profil' is not measured, did you mean 'profile'?",
        ),
        ("ratio", "cpus = 2\nratio", "cpus: 2 is not among the budgets"),
    ],
)
def test_a_prediction_that_no_row_could_be_scored_by_is_a_mistake(root, catalog, old, new, mistake):
    assert old in PREDICTION
    path = write(root, "experiments/wrong.toml", QUICK + PREDICTION.replace(old, new))
    assert refusal(read_experiment, path, catalog)[0] == f"{path}: predictions[0].{mistake}"


def test_with_a_reference_per_edge_every_edge_needs_its_own(root, catalog):
    text = QUICK.replace('"runserver"]', '"runserver+nginx"]') + 'reference_scope = "edge"\n'
    path = write(root, "experiments/edges.toml", text)
    assert refusal(read_experiment, path, catalog)[0] == (
        f"{path}: reference: gunicorn:gthread+nginx is not among the targets"
    )


def test_an_experiment_is_refused_while_a_definition_is_wrong(root):
    write(root, "deploy/daphne/server.toml", "")
    catalog = load_catalog(root)
    what, _ = refusal(read_experiment, root / "experiments/quick.toml", catalog)
    assert what.splitlines() == list(catalog.mistakes)
