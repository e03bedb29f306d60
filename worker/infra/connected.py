"""The former name of `worker.queue.healthcheck`, for `python -m worker.infra.connected`."""

import sys

from worker.queue.healthcheck import main

if __name__ == "__main__":
    sys.exit(main())
