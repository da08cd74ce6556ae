"""Reading a machine's package sources and making a newer suite's from them."""

from serverlab import debian
from serverlab.debian import Source

DEB822 = """\
# a comment
Types: deb
URIs: http://mirror.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb deb-src
URIs: http://mirror.example/debian-security
Suites: bookworm-security
Components: main
Signed-By:
 /usr/share/keyrings/debian-archive-keyring.gpg

Types: deb-src
URIs: http://mirror.example/sources-only
Suites: bookworm
Components: main

Enabled: no
Types: deb
URIs: http://mirror.example/switched-off
Suites: bookworm
Components: main
"""

ONE_LINE = """\
# deb http://mirror.example/commented bookworm main
deb-src http://mirror.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/other.gpg] http://other.example/apt stable main  # a remark
deb http://mirror.example/debian bookworm main non-free
deb http://mirror.example/debian bookworm-backports main
"""

KEY = "/usr/share/keyrings/debian-archive-keyring.gpg"


def machine(tmp_path, *, deb822="", one_line="", os_release=""):
    parts = tmp_path / "etc/apt/sources.list.d"
    parts.mkdir(parents=True)
    (parts / "debian.sources").write_text(deb822)
    (tmp_path / "etc/apt/sources.list").write_text(one_line)
    (tmp_path / "etc/os-release").write_text(os_release)
    return tmp_path


def test_deb822_stanzas_are_read_without_source_only_and_disabled_ones(tmp_path):
    assert debian.read_sources(machine(tmp_path, deb822=DEB822)) == (
        Source("http://mirror.example/debian", ("bookworm", "bookworm-updates"), ("main", "contrib"), KEY),
        Source("http://mirror.example/debian-security", ("bookworm-security",), ("main",), KEY),
    )


def test_one_line_sources_are_read_with_their_options(tmp_path):
    assert debian.read_sources(machine(tmp_path, one_line=ONE_LINE)) == (
        Source("http://other.example/apt", ("stable",), ("main",), "/etc/apt/keyrings/other.gpg"),
        Source("http://mirror.example/debian", ("bookworm",), ("main", "non-free")),
        Source("http://mirror.example/debian", ("bookworm-backports",), ("main",)),
    )


def test_a_machine_without_any_source_has_none(tmp_path):
    assert debian.read_sources(tmp_path) == ()


def test_a_newer_suite_comes_from_the_same_mirror_with_the_same_key(tmp_path):
    sources = debian.read_sources(machine(tmp_path, deb822=DEB822, one_line=ONE_LINE))
    assert debian.as_deb822(debian.moved_to("trixie", sources, codename="bookworm")) == (
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie\nComponents: main\n\n"
        "Types: deb\nURIs: http://mirror.example/debian\nSuites: trixie trixie-updates\nComponents: main\n"
        f"Signed-By: {KEY}\n\n"
        "Types: deb\nURIs: http://mirror.example/debian-security\nSuites: trixie-security\nComponents: main\n"
        f"Signed-By: {KEY}\n"
    )


def test_sources_of_other_projects_and_backports_are_not_moved():
    sources = (
        Source("http://other.example", ("stable",), ("main",)),
        Source("http://mirror.example", ("bookworm-backports",), ("main",)),
        Source("http://mirror.example", ("bookworm",), ("contrib",)),
    )
    assert debian.moved_to("trixie", sources, codename="bookworm") == ()


def test_the_main_mirror_is_the_one_with_the_suite_itself():
    updates = Source("http://u.example", ("trixie-updates",), ("main",))
    main = Source("http://m.example", ("trixie",), ("main",))
    assert debian.main_mirror((updates, main), suite="trixie") == main
    assert debian.main_mirror((updates,), suite="trixie") is None


def test_a_mirror_that_is_no_web_address_is_no_mirror_for_an_image():
    folder = Source("file:///srv/mirror", ("trixie",), ("main",))
    assert debian.main_mirror((folder,), suite="trixie") is None


def test_the_added_suite_is_pinned_below_what_is_installed():
    assert debian.pinned("trixie") == "Package: *\nPin: release n=trixie*\nPin-Priority: 50\n"


def test_the_release_is_read_from_os_release(tmp_path):
    text = 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\nVERSION_ID="12"\nVERSION_CODENAME=bookworm\nID=debian\n'
    root = machine(tmp_path, os_release=text)
    assert debian.read_release(root) == debian.Release(
        "debian", 12, "bookworm", "Debian GNU/Linux 12 (bookworm)"
    )


def test_ubuntus_version_counts_by_its_year(tmp_path):
    root = machine(tmp_path, os_release='ID=ubuntu\nVERSION_ID="24.04"\nVERSION_CODENAME=noble\n')
    assert debian.read_release(root).version == 24


def test_a_system_that_does_not_say_what_it_is_is_unknown(tmp_path):
    assert debian.read_release(tmp_path) == debian.Release("unknown", 0, "", "an unknown system")
