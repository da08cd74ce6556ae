"""What a TLS server agrees to, asked of one whose settings are known."""

import datetime as dt
import socket
import ssl
import threading

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from serverlab.attacks import handshake

SUITES = ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305")


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A file with a key and its certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "planted")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        + made.public_bytes(serialization.Encoding.PEM)
    )
    return path


@pytest.fixture
def serve(certificate):
    """A function that starts a server, with its own idea of TLS, and returns its port."""
    listeners = []

    def started(change):
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        change(context)
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        threading.Thread(target=_answer_all, args=(listener, context), daemon=True).start()
        return listener.getsockname()[1]

    yield started
    for listener in listeners:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def _answer_all(listener, context):
    while True:
        try:
            plain, _ = listener.accept()
        except OSError:
            return
        with plain:
            try:
                context.wrap_socket(plain, server_side=True).close()
            except OSError:
                continue


def only_new(context):
    context.minimum_version = ssl.TLSVersion.TLSv1_3


def two_suites(context):
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(":".join(SUITES))
    context.options &= ~ssl.OP_CIPHER_SERVER_PREFERENCE


def two_suites_in_its_own_order(context):
    two_suites(context)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE


def one_group(context):
    context.set_ecdh_curve("secp384r1")


def test_versions_are_those_that_are_spoken(serve):
    assert handshake.versions(serve(only_new)) == {"TLSv1.3"}


def test_suites_are_those_that_are_taken(serve):
    assert handshake.ciphers(serve(two_suites)) == set(SUITES)


def test_it_shows_who_chooses(serve):
    client_chooses, server_chooses = serve(two_suites), serve(two_suites_in_its_own_order)
    orders = (SUITES, SUITES[::-1])
    assert [handshake.preferred(client_chooses, order) for order in orders] == list(SUITES)
    assert len({handshake.preferred(server_chooses, order) for order in orders}) == 1


def test_groups_are_those_that_the_server_asks_a_key_for(serve):
    assert handshake.groups(serve(one_group)) == {"secp384r1"}


def test_a_record_that_is_no_retry_request_asks_for_no_group():
    assert handshake._wanted_group(b"") is None
    assert handshake._wanted_group(b"\x15\x03\x03\x00\x02\x02\x28") is None
