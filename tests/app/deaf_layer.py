"""A channel layer that nobody can reach."""


class DeafLayer:
    """Takes the settings of a layer, and refuses everything else."""

    def __init__(self, **_):
        pass

    async def group_send(self, group, message):
        raise ConnectionRefusedError(group)
