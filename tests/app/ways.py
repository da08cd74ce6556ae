"""The ways of signing in, each with a client of its own, so that one test asks all of them the same."""

from dataclasses import dataclass, field

from django.test import Client

WAYS = ("session", "jwt", "plain in headers", "plain in cookies")
PASSWORD = "correct-horse-battery"


@dataclass
class Way:
    """Signs in one of the ways, and sends what that way wants to be sent; CSRF is enforced."""

    name: str
    client: Client = field(default_factory=lambda: Client(enforce_csrf_checks=True))
    access: str = ""
    refresh_token: str = ""

    @property
    def prefix(self):
        return f"/api/auth/{self.name.split()[0]}"

    @property
    def ambient(self):
        """Whether the credential is one that a browser sends by itself."""
        return self.name in ("session", "plain in cookies")

    def csrf(self):
        return self.client.get("/api/auth/csrf/").json()["csrf_token"] if self.ambient else ""

    def headers(self):
        credential = {"Authorization": f"Bearer {self.access}"} if self.access else {}
        return credential | ({"X-CSRFToken": self.csrf()} if self.ambient else {})

    def post(self, name, **body):
        path = f"{self.prefix}/{name}/"
        return self.client.post(path, body, content_type="application/json", headers=self.headers())

    def sign_up(self, **body):
        return self.post("signup", **body)

    def log_in(self, username="reader", password=PASSWORD):
        return self._keep(self.post("login", username=username, password=password))

    def me(self):
        return self.client.get(f"{self.prefix}/me/", headers=self.headers())

    def refresh(self):
        return self._keep(self.post("refresh", **self._refresh_body()))

    def log_out(self):
        return self.post("logout", **self._refresh_body())

    def change_password(self, old=PASSWORD, new="another-staple-42"):
        return self.post("password", old_password=old, new_password=new)

    def log_out_everywhere(self):
        return self.post("logout-everywhere")

    def _refresh_body(self):
        return {"refresh": self.refresh_token} if self.refresh_token else {}

    def _keep(self, answer):
        body = answer.json()
        self.access = body.get("access", self.access)
        self.refresh_token = body.get("refresh", self.refresh_token)
        return answer
