"""E-mails about jobs: their text, and the SMTP client that sends them.

The e-mails themselves are rows in the database: `worker.jobs.mails`.
"""
