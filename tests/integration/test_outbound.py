"""Requests to strangers' addresses: what is connected to, how long it may take, what an answer is taken for."""

from __future__ import annotations

import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from schemas.callback_urls import networks_of
from schemas.http.callbacks import DeliveryResult
from tests.support.servers.callback_receiver import NETWORK, TLS_NAME, Receiver, receiving, silent_port
from worker.callbacks import http_client
from worker.callbacks.http_client import Answer, Rules
from worker.callbacks.pinned_network import UndeliveredError
from worker.config import tls
from worker.runtime.processes.ports import free_port

LOCAL = Rules(networks=networks_of(NETWORK), seconds=5.0)
STRICT = Rules(seconds=5.0)
BODY = b'{"type":"job.completed"}'


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as told:
        yield told


def post(url: str, rules: Rules) -> Answer:
    return http_client.post(url, BODY, {"X-Test": "yes"}, rules)


def failed(url: str, rules: Rules) -> tuple[DeliveryResult, int | None]:
    with pytest.raises(UndeliveredError) as caught:
        post(url, rules)
    return caught.value.result, caught.value.status


def resolving(*answers: list[str]) -> Callable[[str, int], list[str]]:
    """A resolver that answers each question with the next of these."""
    left = iter(answers)
    return lambda _host, _port: next(left)


def test_the_head_of_an_answer(receiver: Receiver) -> None:
    receiver.mode, receiver.headers = 429, {"Retry-After": "7", "Content-Length": "0"}
    assert post(receiver.url, LOCAL) == Answer(429, None, "7")
    (got,) = receiver.got
    assert (got.path, got.body) == ("/hook?key=s3cret", BODY)
    assert set(got.headers) == {"host", "x-test", "content-length", "connection"}
    assert got.headers["host"] == f"127.0.0.1:{receiver.port}"


def test_the_body_of_an_answer_is_not_read(receiver: Receiver) -> None:
    """It says that a terabyte follows."""
    receiver.mode, receiver.headers = 200, {"Content-Length": str(10**12)}
    assert post(receiver.url, LOCAL).status == 200


def test_nothing_of_the_environment_is_used(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, f"http://127.0.0.1:{free_port()}")
    assert post(receiver.url, LOCAL).status == 204


# What is connected to


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]", "[::1]", "10.0.0.1", "169.254.169.254"]
)
def test_a_forbidden_address_is_not_connected_to(receiver: Receiver, host: str) -> None:
    assert failed(f"http://{host}:{receiver.port}/", STRICT) == (DeliveryResult.REFUSED_ADDRESS, None)
    assert receiver.connections == 0


@pytest.mark.parametrize("host", ["2130706433", "0x7f.1", "127.1", "0"])
def test_an_address_in_disguise_is_not_connected_to(receiver: Receiver, host: str) -> None:
    assert failed(f"http://{host}:{receiver.port}/", LOCAL)[0] == DeliveryResult.NOT_REACHED
    assert receiver.connections == 0


@pytest.mark.parametrize(
    "found", [["127.0.0.1"], ["8.8.8.8", "127.0.0.1"], ["::ffff:127.0.0.1"], ["64:ff9b::7f00:1"], ["fe80::1%eth0"]]
)
def test_a_name_with_a_forbidden_address_is_not_connected_to(receiver: Receiver, found: list[str]) -> None:
    """One is enough: who mixes them is up to something."""
    rules = replace(STRICT, resolve=resolving(found))
    assert failed(f"http://receiver.example:{receiver.port}/", rules)[0] == DeliveryResult.REFUSED_ADDRESS
    assert receiver.connections == 0


def test_a_name_is_resolved_once_and_the_connection_goes_where_it_was_judged(receiver: Receiver) -> None:
    """DNS rebinding: the second question would be answered with an address that is not allowed; it is not asked."""
    asked: list[str] = []

    def rebinding(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"] if len(asked) == 1 else ["10.0.0.1"]

    rules = replace(LOCAL, resolve=rebinding)
    assert post(f"http://receiver.example:{receiver.port}/", rules).status == 204
    assert asked == ["receiver.example"]
    assert receiver.got[0].headers["host"] == f"receiver.example:{receiver.port}"


def test_a_name_that_turns_to_a_forbidden_address_is_refused_the_next_time(receiver: Receiver) -> None:
    """Each try is judged anew."""
    rules = Rules(networks=networks_of("127.0.0.1/32"), seconds=5.0, resolve=resolving(["127.0.0.1"], ["127.0.0.2"]))
    url = f"http://receiver.example:{receiver.port}/"
    assert post(url, rules).status == 204
    assert failed(url, rules)[0] == DeliveryResult.REFUSED_ADDRESS
    assert receiver.connections == 1


def test_the_next_address_is_tried_when_one_does_not_answer(receiver: Receiver) -> None:
    rules = replace(LOCAL, resolve=resolving(["127.0.0.2", "127.0.0.1"]))
    assert post(f"http://receiver.example:{receiver.port}/", rules).status == 204


def test_a_name_that_is_not_known() -> None:
    def unknown(_host: str, _port: int) -> list[str]:
        raise OSError

    assert failed("http://receiver.example/", replace(LOCAL, resolve=unknown))[0] == DeliveryResult.NOT_REACHED
    assert failed("http://receiver.example/", replace(LOCAL, resolve=resolving([])))[0] == DeliveryResult.NOT_REACHED
    assert failed(f"http://127.0.0.1:{free_port()}/", LOCAL)[0] == DeliveryResult.NOT_REACHED


# Time


@pytest.mark.parametrize("mode", ["hang", "drip"])
def test_the_deadline_holds_whatever_the_receiver_does(receiver: Receiver, mode: str) -> None:
    receiver.mode = mode
    began = time.monotonic()
    assert failed(receiver.url, replace(LOCAL, seconds=0.5))[0] == DeliveryResult.TIMED_OUT
    assert 0.4 < time.monotonic() - began < 2.5


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_the_deadline_holds_where_nobody_says_a_word(scheme: str) -> None:
    with silent_port() as port:
        began = time.monotonic()
        assert failed(f"{scheme}://127.0.0.1:{port}/", replace(LOCAL, seconds=0.5))[0] == DeliveryResult.TIMED_OUT
        assert time.monotonic() - began < 2.5


def test_the_deadline_holds_for_the_resolver() -> None:
    def slow(_host: str, _port: int) -> list[str]:
        time.sleep(3)
        return ["127.0.0.1"]

    began = time.monotonic()
    assert failed("http://receiver.example/", replace(LOCAL, seconds=0.3, resolve=slow))[0] == DeliveryResult.TIMED_OUT
    assert time.monotonic() - began < 2


# What an answer is taken for


def test_what_is_no_http(receiver: Receiver) -> None:
    for mode in ("garbage", "drop"):
        receiver.mode = mode
        assert failed(receiver.url, LOCAL)[0] == DeliveryResult.NOT_HTTP


def test_a_head_without_end_is_cut_off(receiver: Receiver) -> None:
    receiver.mode, receiver.headers = 200, {f"X-{number}": "x" * 4000 for number in range(60)}
    assert failed(receiver.url, LOCAL)[0] == DeliveryResult.NOT_HTTP


# Redirects


def test_a_redirect_is_not_followed_unless_it_may_be(receiver: Receiver) -> None:
    with receiving() as first:
        first.mode, first.headers = "redirect", {"Location": receiver.url}
        assert failed(first.url, LOCAL) == (DeliveryResult.REDIRECTED, 307)
        assert receiver.connections == 0
        assert post(first.url, replace(LOCAL, redirects=1)).status == 204
    assert receiver.got[0].body == BODY


def test_redirects_end(receiver: Receiver) -> None:
    receiver.mode, receiver.headers = "redirect", {"Location": "/again"}
    assert failed(receiver.url, replace(LOCAL, redirects=3)) == (DeliveryResult.REDIRECTED, 307)
    assert [got.path for got in receiver.got] == ["/hook?key=s3cret", "/again", "/again", "/again"]


def test_every_hop_is_judged(receiver: Receiver) -> None:
    """The first host is allowed and public by its name; where it sends us is not."""
    rules = replace(LOCAL, networks=networks_of("127.0.0.1/32"), redirects=5)
    receiver.mode = "redirect"
    for there, result in {
        "http://127.0.0.2:8080/": DeliveryResult.REFUSED_ADDRESS,
        "http://169.254.169.254/latest/meta-data/": DeliveryResult.REFUSED_ADDRESS,
        "http://[::1]/": DeliveryResult.REFUSED_ADDRESS,
        "http://2130706433/": DeliveryResult.REDIRECTED,
        "file:///etc/passwd": DeliveryResult.REDIRECTED,
        "gopher://127.0.0.1:6379/": DeliveryResult.REDIRECTED,
        "http://u:p@127.0.0.1/": DeliveryResult.REDIRECTED,
        "http://[": DeliveryResult.REDIRECTED,
    }.items():
        receiver.headers = {"Location": there}
        assert failed(receiver.url, rules)[0] == result, there


@pytest.mark.parametrize("status", [300, 303, 304, 307])
def test_what_cannot_be_followed_as_a_post_is_not(receiver: Receiver, status: int) -> None:
    """307 without a Location is one of them."""
    receiver.mode, receiver.headers = status, {} if status == 307 else {"Location": "/other"}
    assert failed(receiver.url, replace(LOCAL, redirects=3)) == (DeliveryResult.REDIRECTED, status)


# TLS


def test_a_certificate_is_verified_against_the_name_of_the_url() -> None:
    with receiving(tls=True) as receiver:
        named = f"https://{TLS_NAME}:{receiver.port}/"
        trusting = replace(LOCAL, ca_file=receiver.ca_file, resolve=lambda _host, _port: ["127.0.0.1"])
        assert post(named, trusting).status == 204
        assert failed(named, replace(trusting, ca_file=None))[0] == DeliveryResult.TLS_FAILED
        assert failed(receiver.url, trusting)[0] == DeliveryResult.TLS_FAILED  # the address is not what it is for
        other = f"https://other.example:{receiver.port}/"
        assert failed(other, trusting)[0] == DeliveryResult.TLS_FAILED
        assert len(receiver.got) == 1


def test_a_receiver_that_speaks_no_tls(receiver: Receiver) -> None:
    assert failed(receiver.url.replace("http:", "https:"), LOCAL)[0] == DeliveryResult.TLS_FAILED


def test_no_redirect_leaves_tls(receiver: Receiver) -> None:
    with receiving(tls=True) as first:
        first.mode, first.headers = "redirect", {"Location": receiver.url}
        rules = replace(LOCAL, redirects=1, ca_file=first.ca_file, resolve=lambda _host, _port: ["127.0.0.1"])
        assert failed(f"https://{TLS_NAME}:{first.port}/", rules) == (DeliveryResult.REDIRECTED, 307)
    assert receiver.got == []


def test_verification_is_never_off() -> None:
    context = tls.client_context(None)  # what all connections are made with
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
