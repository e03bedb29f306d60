"""The operations of the service, one module per resource: shared by the API (JSON) and the portal (forms).

They take validated bodies and queries of `schemas`, act for `auth.actor()`, and return bodies of `schemas`, the public
id of a job, or a `Download`; or they raise `webhook.http.errors.Refused`. Permission rules are in
`schemas.permissions`. Of a request, they read only the body, if it has a file. They record jobs with
`webhook.http.idempotency`, which does nothing without a key.
"""
