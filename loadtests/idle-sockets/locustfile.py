"""Many sockets that are open and hardly used."""

from locust import task

from shared.clock import now_s
from shared.sockets import BREAKS, Subscriber
from shared.users import SETTINGS


class Holder(Subscriber):
    """Holds a socket open and pings now and then; a socket that was closed meanwhile is a failed ping."""

    def wait_time(self) -> float:
        """Between half and one and a half of the pause, so that users do not ping in step."""
        return self.think_s * self.choose.uniform(0.5, 1.5)

    @task
    def ping(self) -> None:
        """From the ping to its pong, past whatever else arrives; counted as ``WS ping``."""
        start_s = now_s()
        echo = f"{self.number} {start_s}"
        try:
            self.socket.send(f'{{"type": "ping", "echo": "{echo}"}}')
            while self.hear(SETTINGS.timeout_s - (now_s() - start_s)).get("echo") != echo:
                pass
        except BREAKS as error:
            self.lost(error, name="ping", start_s=start_s)
        else:
            self.tell("ping", start_s=start_s)
