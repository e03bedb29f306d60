"""Explains why the service sent no valid response and what to do about it. Uses httpx, prints nothing."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import httpx

_GATEWAY_STATUSES = frozenset({502, 503, 504})
_RUNS = "Check that the service runs on this host and port. `numberyard up` starts one of your own."
_ADDRESS = "Use the service's address only, such as https://numbers.example.com; see --url and `numberyard login`."


class UnreachableError(Exception):
    """No response came, or none from Numberyard; `fix` says what to do."""

    def __init__(self, detail: str, fix: str = "") -> None:
        super().__init__(detail)
        self.fix = fix


@contextmanager
def translating_connection_errors(url: str) -> Iterator[None]:
    """Turn httpx errors about the connection or the address into `UnreachableError`."""
    try:
        yield
    except httpx.InvalidURL as error:
        raise UnreachableError(f"{_shown(url)} is not a valid address: {error}", _ADDRESS) from error
    except httpx.RequestError as error:
        raise _unreachable(error, url) from error


def not_numberyard_error(url: str, answer: httpx.Response | None = None) -> UnreachableError:
    """Return the error for a response that is not from Numberyard's API."""
    kind = "" if answer is None else answer.headers.get("content-type", "")
    what = "A web page answers" if kind.startswith("text/html") else "Something else answers"
    return UnreachableError(f"{what} at {_shown(url)}, not Numberyard's API.", _ADDRESS)


def error_without_problem_document(answer: httpx.Response, url: str) -> UnreachableError:
    """Return the error for an error response without a problem document, as from a proxy or another server."""
    if answer.status_code in _GATEWAY_STATUSES:
        detail = f"{_shown(url)} responds with {answer.status_code}: the service behind it is not available."
        return UnreachableError(detail, "It may be starting: try again in a minute. Otherwise contact its operator.")
    if answer.is_redirect:
        to = urlsplit(answer.headers.get("location", ""))
        detail = f"{_shown(url)} redirects to {to.scheme}://{to.hostname}. Uploads do not follow redirects."
        return UnreachableError(detail, "Use that address as the URL.")
    return not_numberyard_error(url, answer)


def _unreachable(error: httpx.RequestError, url: str) -> UnreachableError:
    return _by_cause(error, url) or _by_kind(error, url)


def _by_cause(error: httpx.RequestError, url: str) -> UnreachableError | None:
    """Explain an error of the operating system or of TLS; None for other errors."""
    for cause in _causes(error):
        if isinstance(cause, ssl.SSLError):
            return _insecure(cause, url)
        if isinstance(cause, socket.gaierror):
            return UnreachableError(f"Host {_host(url)} not found.", "Check the spelling and your network.")
        if isinstance(cause, ConnectionRefusedError):
            return UnreachableError(f"Connection refused by {_shown(url)}.", _RUNS)
    return None


def _by_kind(error: httpx.RequestError, url: str) -> UnreachableError:
    """Explain an error of the HTTP client itself."""
    if isinstance(error, httpx.ProxyError):
        detail = f"The proxy refused the connection to {_host(url)}: {error}."
        return UnreachableError(detail, "Check HTTPS_PROXY and NO_PROXY in the environment.")
    if isinstance(error, httpx.ConnectTimeout):
        detail = f"{_host(url)} does not respond."
        return UnreachableError(detail, "Check host and port. A firewall or VPN may block the connection.")
    if isinstance(error, httpx.TimeoutException):
        detail = f"{_shown(url)} did not respond in time."
        return UnreachableError(detail, "It may be busy: try again. `numberyard jobs` shows whether a job was queued.")
    if isinstance(error, httpx.RemoteProtocolError):
        detail = f"{_shown(url)} closed the connection without a valid response."
        other = "https" if url.startswith("http:") else "http"
        return UnreachableError(detail, f"Try again. If it keeps happening, the service may need {other}://.")
    return UnreachableError(f"No connection to {_shown(url)}: {error or type(error).__name__}", _RUNS)


def _insecure(error: ssl.SSLError, url: str) -> UnreachableError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return UnreachableError(
            f"The certificate of {_host(url)} is not trusted: {error.verify_message.rstrip('.')}.",
            "Check the host name. If you have your own certificate authority, set SSL_CERT_FILE to its certificate.",
        )
    detail = f"The TLS connection to {_shown(url)} failed ({error.reason or error})."
    return UnreachableError(detail, "If the service does not use TLS, its URL begins with http://.")


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the error and its causes: httpx wraps the error of httpcore, which wraps the system's."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        cause = cause.__cause__ or cause.__context__


def _host(url: str) -> str:
    return urlsplit(url).hostname or ""


def _shown(url: str) -> str:
    """Return the URL without user name and password."""
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()
