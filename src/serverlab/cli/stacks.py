"""Verbs that start, show and stop stacks: up, down, ps, logs, locust, clean."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

from cyclopts import App, Parameter, Token, validators

from serverlab import compose, host, load, probe, seeding
from serverlab.catalog import Catalog
from serverlab.catalog.stacks import stack_of
from serverlab.cli.context import Context, show, show_json
from serverlab.compose import BY_HAND, LABEL, SERVICE_LABEL, Cache, Container, Database, StackSettings
from serverlab.errors import EnvironmentLacks, UsageError
from serverlab.lock import only_lab
from serverlab.model.definitions import Target
from serverlab.runner.run import clear_the_machine
from serverlab.runner.trial import expectation, set_for

LOCUST_PORT = 8089

AtLeastOne = Annotated[int, Parameter(validator=validators.Number(gte=1))]
AUTO = "auto"


def _port(_kind: type[int], tokens: Sequence[Token]) -> int:
    """A port number, or 0 for ``auto``."""
    text = tokens[0].value
    return 0 if text == AUTO else int(text)


Port = Annotated[int, Parameter(converter=_port, validator=validators.Number(gte=0, lte=65535))]


class Stacks:
    """The verbs, bound to a context."""

    def __init__(self, context: Context) -> None:
        """Work with this checkout and engine."""
        self._context = context

    def up(
        self,
        target: str,
        *,
        cpus: AtLeastOne = 1,
        replicas: AtLeastOne | None = None,
        db: Database = Database.SQLITE,
        cache: Cache = Cache.DATABASE,
        realtime: Annotated[bool, Parameter(negative="")] = False,
        port: Port = 8000,
        tls_port: Port = 8443,
        json: Annotated[bool, Parameter(negative="")] = False,
    ) -> None:
        """Start a stack on 127.0.0.1, wait until it is ready, prove it and print its addresses.

        Parameters
        ----------
        target
            SERVER[:VARIANT][+EDGE], for example gunicorn:gthread+nginx.
        cpus
            Budget of the stack in cores.
        replicas
            App containers behind the edge.
        db
            Where the app keeps its rows.
        cache
            Where the app keeps what its processes share.
        realtime
            Put Daphne beside the server, for WebSockets only, and Redis between them (only behind an edge).
        port
            Port for HTTP on 127.0.0.1; auto (or 0) takes any free one.
        tls_port
            Port for HTTPS on 127.0.0.1 (only behind an edge); auto takes any free one.
        json
            For a machine to read.
        """
        settings = _settings(
            self._context,
            target,
            cpus=cpus,
            replicas=replicas,
            db=db,
            cache=cache,
            realtime=realtime,
            port=port,
            tls_port=tls_port,
        )
        with _started(self._context, settings, keep=True):
            addresses = _addresses(self._context, settings)
        if json:
            show_json({"target": str(settings.target), **addresses})
        else:
            show("\n".join(f"{name}: {address}" for name, address in addresses.items()))

    def down(self) -> None:
        """Stop the stack and remove its containers, networks and volumes."""
        with only_lab(self._context.lock):
            removed = self._context.engine.remove_all()
        self._context.say(f"removed {', '.join(removed)}" if removed else "nothing was up")

    def clean(self) -> None:
        """Remove every container, network and volume that carries our label, and nothing else."""
        self.down()

    def ps(self, *, json: Annotated[bool, Parameter(negative="")] = False) -> None:
        """Show the containers of the stack.

        Parameters
        ----------
        json
            For a machine to read.
        """
        rows = [_row(container) for container in self._context.engine.containers()]
        if json:
            show_json(rows)
        elif not rows:
            show("nothing is up")
        else:
            show(
                "\n".join("  ".join(str(value).ljust(18) for value in row.values()).rstrip() for row in rows)
            )

    def logs(self, service: str = "app", *, tail: AtLeastOne = 100) -> None:
        """Print the last log lines of a service's containers.

        Parameters
        ----------
        service
            app, edge, db, cache, realtime or load.
        tail
            How many lines of each container.
        """
        containers = self._context.engine.containers(service)
        if not containers:
            alive = sorted({_service(each) for each in self._context.engine.containers()})
            raise UsageError(
                f"no container of service {service!r}", f"Alive: {', '.join(alive) or 'nothing'}"
            )
        for container in containers:
            show("\n".join(f"{container.name} | {line}" for line in compose.log_lines(container, lines=tail)))

    def locust(
        self,
        target: str,
        *,
        workload: str = "profile",
        cpus: AtLeastOne = 1,
        db: Database = Database.SQLITE,
        cache: Cache = Cache.DATABASE,
        port: Port = 8000,
    ) -> None:
        """Start a stack and Locust's web page on 127.0.0.1:8089; Ctrl-C ends both.

        Parameters
        ----------
        target
            SERVER[:VARIANT][+EDGE], for example daphne+nginx.
        workload
            Whose number of users the page proposes, WORKLOAD[:VARIANT]; the others can be ticked there, too.
        cpus
            Budget of the stack in cores.
        db
            Where the app keeps its rows.
        cache
            Where the app keeps what its processes share.
        port
            Port of the stack on 127.0.0.1; auto takes any free one.
        """
        chosen = self._context.sound_catalog.workload(workload)
        settings = set_for(
            chosen,
            _settings(
                self._context,
                target,
                cpus=cpus,
                replicas=None,
                db=db,
                cache=cache,
                port=port,
                tls_port=8443,
            ),
        )
        with _started(self._context, settings, keep=False):
            names = self._context.sound_catalog.workloads
            variables = load.web_variables(names, workload, chosen, url=settings.inner_url)
            compose.start_load(self._context.shell, self._context.root, settings, variables, web=True)
            generator = self._context.engine.service("load")
            load.await_page(generator, f"http://127.0.0.1:{LOCUST_PORT}/")
            show(f"locust: http://127.0.0.1:{LOCUST_PORT}")
            self._context.say("Ctrl-C ends Locust and the stack.")
            try:
                code = generator.wait()["StatusCode"]
            except KeyboardInterrupt:
                self._context.say("stopping")
            else:
                hint = "See its last lines for why, then start it again."
                raise load.GeneratorBroke(
                    f"Locust ended with exit code {code}{compose.tails([generator])}", hint
                )


def register(app: App, context: Context) -> None:
    """Add the verbs to the app."""
    verbs = Stacks(context)
    app.command(verbs.up)
    app.command(verbs.down)
    app.command(verbs.clean)
    app.command(verbs.ps)
    app.command(verbs.logs)
    app.command(verbs.locust)


@contextmanager
def _started(context: Context, settings: StackSettings, *, keep: bool) -> Iterator[None]:
    """The stack while it runs, proved; it stays up afterwards only with ``keep`` and when nothing was raised."""
    with only_lab(context.lock):
        clear_the_machine(context.lab)
        _check_ports(context, settings, others=() if keep else (LOCUST_PORT,))
        stays = False
        try:
            context.say(f"starting {settings.target}")
            compose.up(context.shell, context.engine, context.root, settings)
            ready_s = probe.wait_ready(context.engine, settings)
            seeding.store_passwords(context.engine, settings)
            context.say(f"ready after {ready_s:.1f} s")
            _prove(context, settings)
            yield
            stays = keep
        finally:
            if not stays:
                context.engine.remove_all()


def _check_ports(context: Context, settings: StackSettings, *, others: tuple[int, ...]) -> None:
    """Raise EnvironmentLacks, with who has it, where a port that the stack is to have is taken."""
    wanted = (settings.port, *((settings.tls_port,) if settings.target.edge else ()), *others)
    for port in wanted:
        if port and (who := context.taken_by(port)):
            raise EnvironmentLacks(
                f"{settings.target}: port {port} is taken by {who}",
                "End what listens there, or take any free ones: `serverlab up --port auto --tls-port auto`.",
            )


def _prove(context: Context, settings: StackSettings) -> None:
    proof = probe.prove(context.engine, expectation(context.sound_catalog, settings))
    for failed in probe.failed_checks(proof):
        context.say(f"warning: proof failed: {failed}")
    if proof.ok:
        context.say(f"proved by {proof.asked} checks: {settings.target}, version {proof.server_version}")


def _settings(
    context: Context,
    name: str,
    *,
    cpus: int,
    replicas: int | None,
    db: Database,
    cache: Cache,
    port: int,
    tls_port: int,
    realtime: bool = False,
) -> StackSettings:
    catalog = context.sound_catalog
    target = catalog.target(name)
    if replicas is not None and replicas > 1 and target.edge is None:
        raise UsageError(f"{target}: several replicas need an edge", f"Try {target}+nginx")
    if realtime:
        _check_realtime(catalog, target)
    return stack_of(
        catalog,
        target,
        cpus=cpus,
        replicas=replicas,
        split=host.assign_cores(cpus, host.cores_of(context.engine)),
        label=BY_HAND,
        database=db,
        cache=cache,
        realtime=realtime,
        port=port,
        tls_port=tls_port,
    )


def _check_realtime(catalog: Catalog, target: Target) -> None:
    """Raise UsageError where Daphne cannot stand beside the target's server."""
    if not catalog.variant(target).runs_coroutines:
        variants = catalog.servers[target.server].variants
        able = " or ".join(
            f"{target.server}:{name}" for name, each in variants.items() if each.runs_coroutines
        )
        raise UsageError(
            f"{target}: Daphne cannot be beside the server: a write tells Daphne of itself in a coroutine, and other "
            f"requests would fail meanwhile (deploy/{target.server}/server.toml, variants.{target.variant}: "
            "runs_coroutines = false)",
            f"Leave --realtime out, or take {able}." if able else "Leave --realtime out.",
        )
    if target.edge is None:
        raise UsageError(f"{target}: Daphne beside the server needs an edge", f"Try {target}+nginx")
    if "websocket" in catalog.capabilities(target):
        raise UsageError(f"{target}: the server speaks WebSocket itself", "Leave --realtime out.")


def _addresses(context: Context, settings: StackSettings) -> dict[str, str]:
    http = probe.front_url(context.engine, settings)
    if settings.target.edge is None:
        return {"http": http}
    return {"http": http, "https": context.engine.url("edge", port=8443, scheme="https")}


def _service(container: Container) -> str:
    return str(container.labels.get(SERVICE_LABEL, "?"))


def _row(container: Container) -> dict[str, str]:
    state = container.attrs["State"]
    ports = container.attrs["NetworkSettings"]["Ports"] or {}
    published = [
        f"127.0.0.1:{each['HostPort']}->{inner}" for inner, bound in ports.items() for each in bound or []
    ]
    return {
        "service": _service(container),
        "name": str(container.name),
        "image": str(container.attrs["Config"]["Image"]),
        "status": str(container.status),
        "health": str(state.get("Health", {}).get("Status", "")),
        "run": str(container.labels.get(LABEL)),
        "ports": ", ".join(published),
    }
