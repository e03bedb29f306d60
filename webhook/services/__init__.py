"""What can be done, one module per resource: functions for all doors, the API with JSON and a portal with forms.

They take bodies and queries of `schemas`, validated already, act for `auth.actor()`, and answer bodies of `schemas`,
the id of the job to look at, or a `Download`; or they raise `webhook.http.errors.Refused`. Who may do what is asked of
`schemas.permissions`. They look at no header and no query string; of a request that brings a file they take the body.
What a door has begun by a key (`webhook.http.idempotency`) is kept to, and costs nothing where no key is known.
"""
