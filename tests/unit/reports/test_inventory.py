"""The images' table in the docs."""

import msgspec
import pytest

from serverlab.errors import UsageError
from serverlab.model.inventories import ImageInventory, Inventory
from serverlab.reports.docs import render_docs

INVENTORY = Inventory(
    format=1,
    base="python:3.13-slim-trixie",
    known_vulnerabilities=None,
    vulnerabilities_note="no list",
    images=(
        ImageInventory(name="app", size_bytes=241_400_000, debian_packages=105, python_packages=42),
        ImageInventory(name="redis", size_bytes=136_000_000, debian_packages=109, python_packages=0),
    ),
)
TABLE = """<!-- images: results/images.json -->
| image | size, MB | Debian packages | Python packages |
| :-- | --: | --: | --: |
| app | 241 | 105 | 42 |
| redis | 136 | 109 | – |

Base: `python:3.13-slim-trixie`. Its known vulnerabilities: n/a (no list).
<!-- /images -->"""


@pytest.fixture
def page(tmp_path):
    (tmp_path / "results").mkdir()
    path = tmp_path / "page.md"
    path.write_text("<!-- images: results/images.json --><!-- /images -->")
    return path


def write(root, inventory):
    (root / "results/images.json").write_bytes(msgspec.json.encode(inventory))


def test_each_image_has_a_row_and_what_is_not_known_says_why(tmp_path, page):
    write(tmp_path, INVENTORY)
    render_docs([page], tmp_path)
    assert page.read_text() == TABLE


def test_a_count_is_shown_as_it_is(tmp_path, page):
    write(tmp_path, msgspec.structs.replace(INVENTORY, known_vulnerabilities=7))
    render_docs([page], tmp_path)
    assert "Its known vulnerabilities: 7." in page.read_text()


def test_what_two_builds_came_to_is_a_column_where_there_were_two(tmp_path, page):
    app, redis = INVENTORY.images
    differs, same = (msgspec.structs.replace(app, differing_paths=number) for number in (2, 0))
    write(tmp_path, msgspec.structs.replace(INVENTORY, images=(differs, same, redis)))
    render_docs([page], tmp_path)
    assert page.read_text().splitlines()[1:6] == [
        "| image | size, MB | Debian packages | Python packages | two builds |",
        "| :-- | --: | --: | --: | :-- |",
        "| app | 241 | 105 | 42 | 2 paths differ |",
        "| app | 241 | 105 | 42 | the same |",
        "| redis | 136 | 109 | – | – |",
    ]


def test_a_file_of_another_version_is_refused(tmp_path, page):
    write(tmp_path, msgspec.structs.replace(INVENTORY, format=2))
    with pytest.raises(UsageError, match="has format 2, this version reads 1"):
        render_docs([page], tmp_path)


@pytest.mark.parametrize("content", [None, "{}", "no JSON"])
def test_what_is_no_inventory_is_refused(tmp_path, page, content):
    if content is not None:
        (tmp_path / "results/images.json").write_text(content)
    with pytest.raises(UsageError, match=r"page.md, line 1: results/images.json: no inventory of images"):
        render_docs([page], tmp_path)


def test_a_file_elsewhere_is_refused(tmp_path, page):
    page.write_text("<!-- images: ../images.json --><!-- /images -->")
    with pytest.raises(UsageError, match="relative to the root"):
        render_docs([page], tmp_path)
