# syntax=docker/dockerfile:1
# One image for web, worker, upkeep, beat and migrate; docker-compose.yml says which of them a container is.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /opt/numberyard
ENV PATH="/opt/numberyard/bin:$PATH"
WORKDIR /src
# The locked packages first: this layer lasts as long as the lock.
# With the packages for traces and error reports: --build-arg LOCK=requirements-extras.lock
ARG LOCK=requirements.lock
COPY requirements.lock requirements-extras.lock ./
RUN pip install --require-hashes --no-deps --requirement "$LOCK"
COPY pyproject.toml README.md LICENSE ./
COPY schemas schemas
COPY worker worker
COPY webhook webhook
RUN pip install --no-deps --no-build-isolation .

FROM python:3.13-slim
ENV PATH="/opt/numberyard/bin:$PATH" \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1 \
    NUMBERYARD_DATA_DIR=/data \
    TMPDIR=/scratch
COPY --from=build /opt/numberyard /opt/numberyard
# Owned by the user below, so that volumes mounted here are, too.
RUN install --directory --owner=10001 --group=10001 /data /data/files /scratch
USER 10001:10001
WORKDIR /data
EXPOSE 8080
STOPSIGNAL SIGTERM
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8080/readyz', timeout=4)"]
CMD ["gunicorn", "--bind", "0.0.0.0:8080", "--worker-tmp-dir", "/dev/shm", \
     "--config", "python:webhook.http.gunicorn_conf", "webhook.asgi:create_app()"]
