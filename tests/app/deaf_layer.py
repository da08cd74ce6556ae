"""A channel layer that nobody can reach."""

import asyncio


class DeafLayer:
    """Takes the settings of a layer, and refuses everything else."""

    def __init__(self, **_):
        pass

    async def new_channel(self):
        return "deaf"

    async def receive(self, channel):
        await asyncio.Event().wait()

    async def group_add(self, group, channel):
        raise ConnectionRefusedError(group)

    async def group_discard(self, group, channel):
        raise ConnectionRefusedError(group)

    async def group_send(self, group, message):
        raise ConnectionRefusedError(group)
