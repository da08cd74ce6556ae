"""The project for ASGI servers: `config.asgi:application`."""

import os

from django.core.asgi import get_asgi_application

from config.requests import Utf8ASGIRequest

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

http = get_asgi_application()
http.request_class = Utf8ASGIRequest

# Below here models are imported, which needs what the line above has set up.
from channels.routing import ProtocolTypeRouter  # noqa: E402

from realtime.feed import Feed  # noqa: E402
from realtime.handshakes import Handshakes  # noqa: E402

application = ProtocolTypeRouter({"http": http, "websocket": Handshakes(Feed.as_asgi())})
