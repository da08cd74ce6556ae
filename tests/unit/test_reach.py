"""What a build container is given so that it reaches a package index."""

from pathlib import Path

import pytest

from serverlab import reach
from tests.fakes import Answer, FakeShell


def pip_says(text):
    return FakeShell({"": Answer(stdout=text)})


def test_a_machine_without_an_index_of_its_own_gives_no_pip_configuration():
    shell = pip_says("global.cert='/etc/ssl/x.crt'\n:env:.default-timeout='180'\n")
    assert reach.pip_configuration(shell) == ""


def test_an_index_of_the_company_is_handed_on():
    shell = pip_says("global.index-url='https://index.example/simple'\nglobal.trusted-host='index.example'\n")
    assert reach.pip_configuration(shell) == (
        "[global]\nindex-url = https://index.example/simple\ntrusted-host = index.example\n"
    )


def test_an_index_from_the_environment_counts_too():
    shell = pip_says(":env:.index-url='https://index.example/simple'\n")
    assert reach.pip_configuration(shell) == "[global]\nindex-url = https://index.example/simple\n"


@pytest.mark.parametrize(
    "value", ["file:///opt/simple file:///opt/more", "http://localhost:3141/x", "http://127.0.0.1:8080/x"]
)
def test_what_only_this_machine_can_see_is_not_handed_on(value):
    assert reach.pip_configuration(pip_says(f"global.extra-index-url='{value}'\n")) == ""


def test_of_several_indexes_the_usable_ones_are_kept():
    shell = pip_says("global.extra-index-url='file:///opt/simple https://more.example/simple'\n")
    assert reach.pip_configuration(shell) == "[global]\nextra-index-url = https://more.example/simple\n"


def test_trusted_hosts_alone_are_no_configuration():
    assert reach.pip_configuration(pip_says("global.trusted-host='index.example'\n")) == ""


def test_the_first_bundle_that_exists_is_taken(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN")
    environment = {"PIP_CERT": str(tmp_path / "gone.pem"), "SSL_CERT_FILE": str(bundle)}
    assert reach.certificate_bundle(environment, ("/etc/ssl/certs/ca-certificates.crt",)) == bundle


def test_without_a_variable_the_systems_bundle_is_taken(tmp_path):
    bundle = tmp_path / "system.pem"
    bundle.write_text("-----BEGIN")
    assert reach.certificate_bundle({}, ("/nowhere/at/all", str(bundle))) == bundle


def test_a_machine_without_bundles_has_none():
    assert reach.certificate_bundle({}, ()) is None


def test_a_bundle_that_buildkit_would_refuse_is_passed_over(tmp_path):
    bundle = tmp_path / "huge.pem"
    bundle.write_bytes(b"x" * (reach.SECRET_LIMIT_BYTES + 1))
    assert reach.certificate_bundle({"PIP_CERT": str(bundle)}, ()) is None


def test_secrets_go_by_file_and_the_file_is_gone_afterwards(tmp_path):
    bundle = tmp_path / "ca.pem"
    bundle.write_text("-----BEGIN")
    shell = pip_says("global.index-url='https://user:pass@index.example/simple'\n")
    with reach.build_options(shell, {"PIP_CERT": str(bundle)}) as options:
        configuration = Path(options[-1].removeprefix("id=pip_conf,src="))
        assert "user:pass" in configuration.read_text()
        assert options[:-1] == ["--secret", f"id=ca,src={bundle}", "--secret"]
        assert not any("user:pass" in option for option in options)
    assert not configuration.exists()


def test_proxies_are_named_without_their_values():
    environment = {"HTTPS_PROXY": "http://me:pass@proxy.example:3128", "NO_PROXY": "internal.example"}
    with reach.build_options(pip_says(""), environment) as options:
        assert [option for option in options if "PROXY" in option] == [
            "--build-arg=HTTPS_PROXY",
            "--build-arg=NO_PROXY",
        ]


def test_a_proxy_on_this_machine_is_left_out():
    with reach.build_options(pip_says(""), {"http_proxy": "http://127.0.0.1:3128"}) as options:
        assert not [option for option in options if "proxy" in option]
