"""nginx with the configuration of deploy/nginx in front of a web server, on ports of this machine: a Debian package."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import psutil
import trustme

from tests.support.programs import need
from tests.support.servers.service import wait_for
from worker.runtime.processes.ports import LOOPBACK, free_port

CONFIGURATION = Path(__file__).parents[3] / "deploy/nginx/numberyard.conf"
SECONDS = 60.0
NAME = "localhost"
# Of the whole process; the file of the project belongs into its block `http`, as in Debian and in the image of nginx.
MAIN = """daemon off;
pid {folder}/pid;
error_log {folder}/error.log;
worker_processes 2;
events {{ worker_connections 1024; }}
http {{
  access_log {folder}/access.log;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  include {folder}/numberyard.conf;
}}
"""


@dataclass(frozen=True)
class Nginx:
    """A running nginx."""

    process: psutil.Popen
    plain_port: int
    port: int
    trust: ssl.SSLContext
    folder: Path

    @property
    def url(self) -> str:
        """Return the address that clients use."""
        return f"https://{NAME}:{self.port}"

    def client(self, token: str = "", **headers: str) -> httpx.Client:
        """Return a client that verifies the certificate, in the name of a token if one is given."""
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        return httpx.Client(base_url=self.url, headers=headers, verify=self.trust, timeout=SECONDS, trust_env=False)

    def log(self) -> str:
        return (self.folder / "error.log").read_text(errors="replace")


def configured(folder: Path, server_port: int, plain_port: int, port: int) -> Path:
    """Write the configuration with ports and certificate of this machine; return the main file."""
    text = CONFIGURATION.read_text(encoding="utf-8")
    for old, new in (
        ("server web:8080;", f"server {LOOPBACK}:{server_port};"),
        ("listen 8080;", f"listen {LOOPBACK}:{plain_port};"),
        ("listen 8443 ssl http2;", f"listen {LOOPBACK}:{port} ssl http2;"),
        ("  listen [::]:8080;\n", ""),
        ("  listen [::]:8443 ssl http2;\n", ""),
        ("/etc/nginx/tls", str(folder)),
        ("/var/www/acme", str(folder)),
    ):
        assert old in text, old
        text = text.replace(old, new)
    (folder / "numberyard.conf").write_text(text)
    main = folder / "nginx.conf"
    main.write_text(MAIN.format(folder=folder))
    return main


def certified(folder: Path) -> ssl.SSLContext:
    """Write certificate and key; return what trusts them."""
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME)
    certificate.private_key_pem.write_to_path(str(folder / "tls.key"))
    with (folder / "tls.crt").open("wb") as chain:
        chain.writelines(blob.bytes() for blob in certificate.cert_chain_pems)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return trust


@contextmanager
def proxied(folder: Path, server_port: int) -> Iterator[Nginx]:
    """Run nginx in front of the web server on a port."""
    program = need("nginx")
    folder.mkdir()
    folder.chmod(0o755)  # nginx's own processes run as another user if this one is root
    trust = certified(folder)
    plain_port, port = free_port(), free_port()
    main = configured(folder, server_port, plain_port, port)
    with (folder / "output.log").open("wb") as log:
        process = psutil.Popen([program, "-p", str(folder), "-c", str(main)], stdout=log, stderr=log)
    nginx = Nginx(process, plain_port, port, trust, folder)
    try:
        with nginx.client() as client:
            wait_for(lambda: process.poll() is not None or _answers(client), SECONDS, "nginx to answer")
        assert process.poll() is None, (folder / "output.log").read_text()
        yield nginx
    finally:
        process.terminate()
        process.wait(SECONDS)


def _answers(client: httpx.Client) -> bool:
    try:
        return client.get("/metrics").status_code == 404  # nginx's own answer
    except httpx.TransportError:
        return False
