"""Why no answer came, or none of Numberyard's, in words that tell what to do. Knows httpx, prints nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

_BEHIND = frozenset({502, 503, 504})
_RUNS = "Is it running there, on this port? `numberyard up` starts one of your own."
_ADDRESS = "Give the service's address alone, such as https://numbers.example.com; see --url and `numberyard login`."


class UnreachableError(Exception):
    """No answer came, or one that is not Numberyard's; `fix` is what to do about it."""

    def __init__(self, detail: str, fix: str = "") -> None:
        super().__init__(detail)
        self.fix = fix


@contextmanager
def reaching(url: str) -> Iterator[None]:
    """Turn what httpx says about the connection or the address into `UnreachableError`."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise UnreachableError(f"{_shown(url)} is no address: {error}", _ADDRESS) from error
    except httpx.RequestError as error:
        raise _told(error, url) from error


def stranger(url: str, answer: httpx.Response | None = None) -> UnreachableError:
    """Something answers that is not Numberyard's API."""
    kind = "" if answer is None else answer.headers.get("content-type", "")
    what = "A web page answers" if kind.startswith("text/html") else "Something else answers"
    return UnreachableError(f"{what} at {_shown(url)}, not Numberyard's API.", _ADDRESS)


def no_problem(answer: httpx.Response, url: str) -> UnreachableError:
    """A refusal that is no problem document: whoever wrote it stands before the service, or in its place."""
    if answer.status_code in _BEHIND:
        detail = f"{_shown(url)} answers {answer.status_code}: the service behind it is not there."
        return UnreachableError(detail, "It may be starting: try again in a minute, then tell its operator.")
    if answer.is_redirect:
        to = urlsplit(answer.headers.get("location", ""))
        detail = f"{_shown(url)} sends us on to {to.scheme}://{to.hostname}, and a file is not sent twice."
        return UnreachableError(detail, "Give that address as the URL.")
    return stranger(url, answer)


def _told(error: httpx.RequestError, url: str) -> UnreachableError:
    return _by_cause(error, url) or _by_kind(error, url)


def _by_cause(error: httpx.RequestError, url: str) -> UnreachableError | None:
    """What the system or TLS said, if it was they who failed."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return _insecure(cause, url)
        if isinstance(cause, socket.gaierror):
            return UnreachableError(f"No host called {_host(url)} was found.", "Check its spelling, and your network.")
        if isinstance(cause, ConnectionRefusedError):
            return UnreachableError(f"Nothing answers at {_shown(url)}: the connection was refused.", _RUNS)
    return None


def _by_kind(error: httpx.RequestError, url: str) -> UnreachableError:
    """What the HTTP client says of its own."""
    if isinstance(error, httpx.ProxyError):
        detail = f"The proxy does not let us through to {_host(url)}: {error}."
        return UnreachableError(detail, "See HTTPS_PROXY and NO_PROXY in the environment.")
    if isinstance(error, httpx.ConnectTimeout):
        detail = f"{_host(url)} does not answer."
        return UnreachableError(detail, "Check host and port; a firewall or VPN may be in between.")
    if isinstance(error, httpx.TimeoutException):
        detail = f"{_shown(url)} took the request and gave no answer in time."
        return UnreachableError(detail, "It may be busy: try again. `numberyard jobs` tells whether a job was queued.")
    if isinstance(error, httpx.RemoteProtocolError):
        detail = f"The connection to {_shown(url)} was closed without a proper answer."
        other = "https" if url.startswith("http:") else "http"
        return UnreachableError(detail, f"Try again. If it always happens, the service may want {other}://.")
    return UnreachableError(f"No connection to {_shown(url)}: {error or type(error).__name__}", _RUNS)


def _insecure(error: ssl.SSLError, url: str) -> UnreachableError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"The certificate of {_host(url)} cannot be trusted: {error.verify_message.rstrip('.')}.",
            "Check the host's name. For an authority of your own set SSL_CERT_FILE to its certificate.",
        )
    detail = f"{_shown(url)} does not speak TLS as it should ({error.reason or error})."
    return UnreachableError(detail, "If the service has none, its URL begins with http://.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from: httpx wraps httpcore's, which wraps the system's."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _shown(url: str) -> str:
    """The URL without a user and a password in it."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
