"""The images' table in the docs."""

from __future__ import annotations

from pathlib import Path

import msgspec

from serverlab.errors import UsageError
from serverlab.formatting import ABSENT, plural
from serverlab.model.base import FORMAT
from serverlab.model.inventories import ImageInventory, Inventory

HEAD = ("| image | size, MB | Debian packages | Python packages |", "| :-- | --: | --: | --: |")
COMPARED = (" two builds |", " :-- |")


def read_inventory(path: Path, name: str) -> Inventory:
    """Return what ``serverlab images --json`` wrote.

    Raises:
        UsageError: the file cannot be read, or another version of the lab wrote it.
    """
    try:
        inventory = msgspec.json.decode(path.read_bytes(), type=Inventory)
    except (OSError, msgspec.MsgspecError) as wrong:
        raise UsageError(f"{name}: no inventory of images: {wrong}") from None
    if inventory.format != FORMAT:
        raise UsageError(f"{name}: has format {inventory.format}, this version reads {FORMAT}")
    return inventory


def render_inventory(inventory: Inventory) -> str:
    """Return a Markdown table with a row for each image, and a line about the base.

    It has a column for what two builds came to, where any image was built twice.
    """
    compared = any(image.differing_paths is not None for image in inventory.images)
    head = [line + more if compared else line for line, more in zip(HEAD, COMPARED, strict=True)]
    rows = [_row(image) + (f" {_builds(image)} |" if compared else "") for image in inventory.images]
    known = inventory.known_vulnerabilities
    count = f"n/a ({inventory.vulnerabilities_note})" if known is None else str(known)
    return "\n".join([*head, *rows, "", f"Base: `{inventory.base}`. Its known vulnerabilities: {count}."])


def _row(image: ImageInventory) -> str:
    size = f"{image.size_bytes / 1e6:.0f}"
    return f"| {image.name} | {size} | {image.debian_packages} | {image.python_packages or ABSENT} |"


def _builds(image: ImageInventory) -> str:
    if image.differing_paths is None:
        return ABSENT
    return f"{plural(image.differing_paths, 'path')} differ" if image.differing_paths else "the same"
