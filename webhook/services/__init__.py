"""The operations of the service, one module per resource: shared by the API (JSON) and the portal (forms).

They take validated bodies and queries of `schemas`, act for `auth.actor()`, and return bodies of `schemas`, the public
id of a job, or a `Download`; or they raise `webhook.http.errors.Refused`. The rules of who may do what are in
`schemas.permissions`. No headers and no query strings are read here; of a request with a file, the body is. Created
jobs are recorded with `webhook.http.idempotency`, which does nothing without a key.
"""
