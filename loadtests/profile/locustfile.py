"""A token is verified and one row is read, over kept-alive connections."""

import math

from shared.own_profile import OwnProfile
from shared.users import SETTINGS


class Profile(OwnProfile):
    """Keeps its connection as long as the server does.

    With the parameter ``access`` all users ask with that token, which is user01's, as other generators do.
    """

    def obtain_token(self, *, counted: bool) -> bool:
        """Whether there is a token: the one that was given, or one of the user's own."""
        given = SETTINGS.parameters.get("access")
        if given is None:
            return super().obtain_token(counted=counted)
        self.username, self.renew_at = "user01", math.inf
        self.headers = self.headers | {"Authorization": f"Bearer {given}"}
        return True
