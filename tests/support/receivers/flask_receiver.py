"""A receiver with Flask and the official library. Arguments: the port and the secret. GET / lists what was accepted."""

from __future__ import annotations

import sys
from typing import Any

from flask import Flask, jsonify, request
from standardwebhooks.webhooks import Webhook, WebhookVerificationError


def receiver(secret: str) -> Flask:
    """The application."""
    app, webhook, accepted = Flask("receiver"), Webhook(secret), list[dict[str, Any]]()

    @app.get("/")
    def listed() -> Any:  # noqa: ANN401 - a response
        return jsonify(accepted)

    @app.post("/hook")
    def hook() -> Any:  # noqa: ANN401 - a response
        try:
            event = webhook.verify(request.get_data(), dict(request.headers))
        except WebhookVerificationError as error:
            return {"error": str(error)}, 400
        accepted.append({"id": request.headers["webhook-id"], "event": event})
        return "", 204

    return app


if __name__ == "__main__":
    receiver(sys.argv[2]).run("127.0.0.1", int(sys.argv[1]))
