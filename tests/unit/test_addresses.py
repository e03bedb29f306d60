"""Which URLs and addresses may be called: every way to write an address that is none of the public network's."""

from __future__ import annotations

import ipaddress
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from schemas import callback_urls
from worker.callbacks.http_client import fault_of
from worker.config.settings import Settings

ALLOWED = """
8.8.8.8 1.1.1.1 172.15.255.255 172.32.0.1 100.63.255.255 100.128.0.1 192.0.1.1 223.255.255.1
2606:4700:4700::1111 2a00:1450::1 ::ffff:8.8.8.8 64:ff9b::808:808 2002:808:808::1
"""
# This network, private, shared, loopback, link-local; assignments, documentation, benchmarks, relays, multicast,
# reserved, broadcast, one cloud's own; the same in IPv6; hidden: mapped, compatible, translated (by the well-known and
# the local prefix), 6to4, Teredo.
REFUSED = """
0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.127.255.255 127.0.0.1 127.255.255.254 169.254.169.254
172.16.0.1 172.31.255.255 192.168.1.1
192.0.0.192 192.0.2.1 198.51.100.7 203.0.113.7 198.18.0.1 198.19.255.255 192.88.99.1
224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 168.63.129.16
:: ::1 fe80::1 fec0::1 fc00::1 fd00:ec2::254 ff02::1 2001:db8::1 3fff::1 100::1
2001::1 2001:2::1 2001:10::1 2001:20::1 5f00::1 4000::1
::ffff:127.0.0.1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 ::127.0.0.1 ::ffff:0:127.0.0.1
64:ff9b::7f00:1 64:ff9b::a00:1 64:ff9b:1::808:808 2002:7f00:1:: 2002:a00:1::1 2002:a9fe:a9fe::1
2001:0:808:808::1 2001:0:4136:e378:8000:63bf:3fff:fdd2
"""


@pytest.mark.parametrize("text", ALLOWED.split())
def test_global_addresses_are_called(text: str) -> None:
    assert callback_urls.is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize("text", REFUSED.split())
def test_all_others_are_not(text: str) -> None:
    assert not callback_urls.is_allowed(ipaddress.ip_address(text))


@pytest.mark.parametrize(
    ("network", "inside", "outside"),
    [
        ("10.0.0.0/8", "10.1.2.3", "127.0.0.1"),
        ("10.0.0.0/8", "::ffff:10.1.2.3", "64:ff9b::a01:203"),
        ("fd00::/8", "fd12::1", "fc12::1"),
        ("10.0.0.7/32,fd00::/8", "10.0.0.7", "10.0.0.8"),
    ],
)
def test_an_operator_may_allow_networks_of_its_own(network: str, inside: str, outside: str) -> None:
    allowed = callback_urls.networks_of(network)
    assert callback_urls.is_allowed(ipaddress.ip_address(inside), allowed)
    assert not callback_urls.is_allowed(ipaddress.ip_address(outside), allowed)


@pytest.mark.parametrize("text", ["10.0.0.0/33", "10.0.0.1/8", "everything", "10.0.0.0/8;fd00::/8"])
def test_a_network_that_is_none_stops_the_service_at_its_start(text: str) -> None:
    with pytest.raises(ValidationError):
        Settings(callback_networks=text)


@given(st.integers(0, 2**32 - 1))
def test_no_wrapping_makes_an_address_allowed(number: int) -> None:
    plain = ipaddress.IPv4Address(number)
    allowed = callback_urls.is_allowed(plain)
    wrapped = (
        int(ipaddress.IPv6Address("::ffff:0:0")) + number,
        int(ipaddress.IPv6Address("64:ff9b::")) + number,
        int(ipaddress.IPv6Address("2002::")) + (number << 80),
    )
    assert [callback_urls.is_allowed(ipaddress.IPv6Address(one)) for one in wrapped] == [allowed] * 3
    assert not callback_urls.is_allowed(ipaddress.IPv6Address(number))


@given(st.integers(0, 2**32 - 1))
def test_what_python_knows_to_be_private_is_refused(number: int) -> None:
    address = ipaddress.IPv4Address(number)
    if not address.is_global or address.is_multicast:
        assert not callback_urls.is_allowed(address)


GOOD = {
    "https://example.com": ("https", "example.com", 443, "/", "example.com"),
    "HTTP://Example.com:80/a?b=c@d": ("http", "Example.com", 80, "/a?b=c@d", "Example.com"),
    "https://example.com:8443?x=1": ("https", "example.com", 8443, "/?x=1", "example.com:8443"),
    "http://8.8.8.8:1024/": ("http", "8.8.8.8", 1024, "/", "8.8.8.8:1024"),
    "https://[2606:4700:4700::1111]:443/x": ("https", "2606:4700:4700::1111", 443, "/x", "[2606:4700:4700::1111]"),
    "http://xn--bcher-kva.example/%20": ("http", "xn--bcher-kva.example", 80, "/%20", "xn--bcher-kva.example"),
    "http://a_b.example:443/": ("http", "a_b.example", 443, "/", "a_b.example:443"),
}


@pytest.mark.parametrize(("text", "parts"), GOOD.items(), ids=GOOD)
def test_a_url_is_taken_apart(text: str, parts: tuple[object, ...]) -> None:
    url = callback_urls.parse(text)
    assert (url.scheme, url.host, url.port, url.target, url.authority) == parts
    assert callback_urls.parse(str(url)) == url
    assert fault_of(text, ()) is None


BAD = (
    *("", "example.com", "//example.com", "ftp://example.com", "file:///etc/passwd", "javascript:alert(1)"),
    "https:/a.example",
    *("http://", "http:///x", "http://:80/", "http://?x", "https://user@example.com", "https://u:p@example.com/"),
    *("https://example.com#x", "https://example.com/ x", "https://example.com/\r\nHost:x", "https://exämple.com"),
    "https://a\\b.com",
    *("https://example.com:0", "https://example.com:", "https://example.com:22", "https://example.com:25/", "https://a.example:65536"),
    *("https://example.com:99999999999", "https://example.com:8x", "https://a..b", "https://a.example.", "https://-a.example"),
    *("https://" + "a" * 64 + ".example", "https://" + "a." * 127 + "example", "https://example.com/" + "a" * 2048),
    *("https://[::1", "https://[example.com]", "https://[127.0.0.1]", "https://[fe80::1%25eth0]/", "https://[]/", "https://a]b"),
    # addresses by their many names, and the machine itself by its own
    *("http://2130706433", "http://0x7f000001", "http://0x7f.1", "http://127.1", "http://0177.0.0.1", "http://127.0.0.01"),
    *("http://127.0.0.1", "http://[::1]", "http://[::ffff:127.0.0.1]", "http://[::ffff:7f00:1]:8080/", "http://0"),
    *("http://localhost", "http://LOCALHOST:5432/", "http://x.localhost/", "http://169.254.169.254/latest", "http://10.0.0.1"),
    *("http://1.2.3", "http://1.2.3.4.5", "http://example.1", "http://example.0x1"),
)  # fmt: skip


@pytest.mark.parametrize("text", BAD)
def test_any_other_url_is_refused_with_what_to_do(text: str) -> None:
    fault = fault_of(text, ())
    assert fault
    assert fault[0].islower()
    assert text not in fault or len(text) < 3


@pytest.mark.parametrize("host", ["2130706433", "0x7f000001", "0x7f.1", "127.1", "0177.0.0.1", "0"])
def test_what_the_system_takes_for_an_address_is_not_taken_for_a_name(host: str) -> None:
    socket.inet_aton(host)  # so it is one, to others
    assert fault_of(f"http://{host}/", callback_urls.networks_of("0.0.0.0/0"))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "[::ffff:127.0.0.1]"])
def test_the_operators_networks_count_for_literals_too(host: str) -> None:
    assert fault_of(f"http://{host}:8080/", callback_urls.networks_of("127.0.0.0/8")) is None
    assert fault_of(f"http://{host}:8080/", callback_urls.networks_of("10.0.0.0/8"))
