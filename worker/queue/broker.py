"""Celery on Redis or Valkey: the one configured app, and the wake-up messages that go through it.

A message carries no facts, only "there are work items of this kind". A lost or duplicate message changes only the time
that the work takes. Publishing does not delay a request by more than `WAKE_SECONDS`.
"""

from __future__ import annotations

import contextvars
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import lru_cache, partial
from typing import Any

import redis
import structlog
from celery import Celery
from kombu.entity import Queue
from kombu.exceptions import KombuError
from redis.exceptions import RedisError

from schemas.jobs import Phase
from worker.config.settings import Settings, get_settings
from worker.queue import redis_client, redis_tls

log = structlog.get_logger(__name__)

UPKEEP = "upkeep"
PHASES = {
    "checking": (Phase.CHECK, Phase.CORRECT, Phase.VALIDATE, Phase.CUT),
    "chunks": (Phase.WRITE,),
    "reports": (Phase.REPORT, Phase.RENDER),
    "callbacks": (Phase.CALLBACK,),
    "workbooks": (Phase.WORKBOOK,),
    "mails": (Phase.MAIL,),
    "previews": (Phase.PREVIEW,),
    "exports": (Phase.EXPORT,),
}
QUEUES = {phase: queue for queue, phases in PHASES.items() for phase in phases}
ALL_QUEUES = (*PHASES, UPKEEP)
# Callbacks and e-mails wait for external servers, so they have their own process. Both kinds of process run the rescue
# round: it waits neither for a long file nor for slow receivers; if all processes are busy, then for at most one
# time-out.
QUEUES_OF_WORKER = (QUEUES[Phase.CHECK], QUEUES[Phase.WRITE], QUEUES[Phase.REPORT], UPKEEP)
# A large workbook or export takes many seconds of CPU time: making it in an importing worker would delay imports. A
# preview has a person who waits for it.
QUEUES_OF_UPKEEP = (
    *(QUEUES[phase] for phase in (Phase.CALLBACK, Phase.WORKBOOK, Phase.MAIL, Phase.PREVIEW, Phase.EXPORT)),
    UPKEEP,
)
TASKS = {queue: f"numberyard.{queue}" for queue in PHASES}
SWEEP = "numberyard.sweep"
READY, READY_SECONDS, READY_TRIES = "numberyard.ready.", 10, 5
TIDY = "numberyard.tidy"
WEBHOOKS = "numberyard.webhooks"
CONNECT_SECONDS = 1.0
PUBLISH_SECONDS = 0.3  # time-out of one broker response; after this time no further message is sent
WAKE_SECONDS = 0.7
SOFT_SHUTDOWN_SECONDS = 10.0
MOST_WAITING = 32  # messages that this process keeps to send
MAX_WAKEUPS = 16  # most wake-up messages in a queue, and so most workers that one announcement starts


def configuration(settings: Settings) -> dict[str, object]:
    """Return Celery's settings; docs/decisions/0008-celery.md gives the reason for each."""
    if settings.redis_url is None:
        raise LookupError("NUMBERYARD_REDIS_URL is not set")
    url = settings.redis_url.get_secret_value()
    timeouts = {"socket_connect_timeout": CONNECT_SECONDS, "socket_timeout": 5.0, "retry_on_timeout": False}
    return {
        "broker_url": redis_client.celery_url(url),
        "broker_use_ssl": redis_tls.options(url, settings) or None,
        "broker_transport_options": {
            **timeouts,
            **_sentinel_options(url, settings, CONNECT_SECONDS),
            "visibility_timeout": 2 * int(settings.longest_piece_seconds),
            "max_retries": 0,
        },
        "broker_connection_retry_on_startup": True,
        "broker_connection_max_retries": None,
        "task_ignore_result": True,
        "task_serializer": "json",
        "accept_content": ["json"],
        "task_acks_late": True,
        "task_reject_on_worker_lost": False,
        "task_time_limit": settings.longest_piece_seconds + settings.lease_seconds,
        "worker_prefetch_multiplier": 1,
        "worker_cancel_long_running_tasks_on_connection_loss": False,
        "worker_soft_shutdown_timeout": SOFT_SHUTDOWN_SECONDS,
        "worker_enable_remote_control": False,
        "worker_send_task_events": False,
        "worker_max_memory_per_child": 1_500_000,
        "task_queues": [Queue(name) for name in ALL_QUEUES],  # type: ignore[no-untyped-call]
        "task_default_queue": UPKEEP,
        "task_create_missing_queues": False,
        "task_publish_retry": False,
        "beat_schedule": {
            "sweep": {
                "task": SWEEP,
                "schedule": settings.sweep_seconds,
                # No `expires`, here and below: the clock of the receiving machine would decide on it.
                "options": {"queue": UPKEEP},
            },
            "tidy": {"task": TIDY, "schedule": settings.tidy_seconds, "options": {"queue": UPKEEP}},
        },
        "beat_max_loop_interval": settings.sweep_seconds,
    }


def _sentinel_options(url: str, settings: Settings, timeout: float) -> dict[str, object]:
    if not redis_client.is_sentinel(url):
        return {}
    options = redis_client.sentinel_options(url, settings, timeout)
    return {"master_name": settings.redis_master_name, "sentinel_kwargs": options}


@lru_cache(maxsize=1)
def app() -> Celery:
    """Return this process's Celery app, created at first use."""
    celery_app = Celery("numberyard", set_as_current=False)
    celery_app.conf.update(configuration(get_settings()))
    return celery_app


@lru_cache(maxsize=1)
def _publisher() -> Celery:
    """Return an app that only sends, with time-outs short enough for an HTTP request."""
    celery_app = Celery("numberyard-publisher", set_as_current=False)
    celery_app.conf.update(configuration(get_settings()))
    short = {"socket_timeout": PUBLISH_SECONDS, "socket_connect_timeout": PUBLISH_SECONDS}
    for options in (transport := celery_app.conf.broker_transport_options, transport.get("sentinel_kwargs", {})):
        options.update(short)
    return celery_app


@lru_cache(maxsize=1)
def _client() -> redis.Redis:
    return client(get_settings(), PUBLISH_SECONDS)


def client(settings: Settings, timeout: float, **more: Any) -> redis.Redis:  # noqa: ANN401 - redis-py's options
    """Return a new client of the broker; `timeout`: seconds for each operation. `LookupError` without an address."""
    if settings.redis_url is None:
        raise LookupError("NUMBERYARD_REDIS_URL is not set")
    return redis_client.connect(settings.redis_url.get_secret_value(), settings, timeout, **more)


class BackgroundSender:
    """A thread that sends messages, so that a caller waits at most `seconds`, whatever is wrong with the broker.

    A time-out for each operation is not enough: a first message takes a dozen operations, and resolving the broker's
    name has no time-out at all. A late message is still sent; a message for which there is no room in the queue is not.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="wake-up")

    def send(self, send: Callable[[], bool]) -> bool:
        """Call `send` in the thread and return its result; False if it takes too long or too many messages wait."""
        if self._executor._work_queue.qsize() >= MOST_WAITING:  # noqa: SLF001 - an executor has no public queue size
            return False
        try:
            return self._executor.submit(contextvars.copy_context().run, send).result(self._seconds)
        except TimeoutError:
            return False


@lru_cache(maxsize=1)
def _background_sender() -> BackgroundSender:
    return BackgroundSender(WAKE_SECONDS)


# A forked child has none of its parent's threads.
os.register_at_fork(after_in_child=_background_sender.cache_clear)


def waiting_in(queue: str) -> int:
    """Return the number of messages waiting in a queue; if there are enough, more are pointless. `RedisError`."""
    return int(_client().llen(queue))


def wake(phase: Phase | None, job: str, pieces: int = 1) -> bool:
    """Send wake-up messages for the work items of a phase (None: there are none).

    Return False if the broker has not accepted them yet; callers can ignore this, as the rescue round sends them again.

    Tasks send their message again as long as there are work items (see `worker.tasks`), so a few messages start a job
    of any size. Takes at most `WAKE_SECONDS`.
    """
    return phase is None or _background_sender().send(partial(_announce, phase, job, pieces))


def _announce(phase: Phase, job: str, pieces: int) -> bool:
    until = time.monotonic() + PUBLISH_SECONDS
    queue = QUEUES[phase]
    try:
        for sent in range(min(pieces, MAX_WAKEUPS - waiting_in(queue))):
            if sent and time.monotonic() > until:
                break  # the broker responds, but slowly
            _publisher().send_task(TASKS[queue], args=[job], queue=queue, retry=False)
    except (KombuError, RedisError, OSError) as error:
        log.warning("broker_unreachable", phase=phase.value, job=job, error=type(error).__name__)
        return False
    return True


def wake_webhooks() -> bool:
    """Send a wake-up message for messages to subscribers; as `wake`."""
    return _background_sender().send(partial(_send, WEBHOOKS, QUEUES[Phase.CALLBACK]))


def _send(task: str, queue: str) -> bool:
    try:
        if waiting_in(queue) < MAX_WAKEUPS:
            _publisher().send_task(task, queue=queue, retry=False)
    except (KombuError, RedisError, OSError) as error:
        log.warning("broker_unreachable", task=task, error=type(error).__name__)
        return False
    return True


def mark_ready(name: str) -> None:
    """Record for `READY_SECONDS` that a worker of this name takes messages; `is_ready` reads it."""
    for _ in range(READY_TRIES):
        with suppress(RedisError):
            _client().set(f"{READY}{name}", 1, ex=READY_SECONDS)
            return


def is_ready(client: redis.Redis, name: str) -> bool:
    """Return whether a worker of this name has begun to take messages within the last `READY_SECONDS`."""
    return bool(client.exists(f"{READY}{name}"))


def request_maintenance() -> None:
    """Request a rescue round and then a cleanup round, when a worker starts: beat does not know of the start.

    By message, not in the calling process: if a worker's parent process used the database, the children that it forks
    would inherit its connections.
    """
    try:
        for task in (SWEEP, TIDY) if waiting_in(UPKEEP) < MAX_WAKEUPS else ():
            _publisher().send_task(task, queue=UPKEEP, retry=False)
    except (KombuError, RedisError, OSError) as error:
        log.warning("broker_unreachable", error=type(error).__name__)
