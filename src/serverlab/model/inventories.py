"""What the lab's images are made of."""

from __future__ import annotations

from serverlab.model.base import Record


class ImageInventory(Record, frozen=True):
    """An image's size and the number of packages in it, those of its base included.

    ``differing_paths`` is in how many paths two builds from nothing differed; None where it was not built twice.
    """

    name: str
    size_bytes: int
    debian_packages: int
    python_packages: int
    differing_paths: int | None = None


class Inventory(Record, frozen=True):
    """All images; ``known_vulnerabilities`` of the base is None where no list could be asked, and the note says why."""

    format: int
    base: str
    known_vulnerabilities: int | None
    vulnerabilities_note: str
    images: tuple[ImageInventory, ...]
