"""Database access for tenants, users, carriers, tokens, admins and their sessions, and creation of the first account.

No permission rules: callers check `schemas.permissions` first.
"""
