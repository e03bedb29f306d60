"""Tenants, users, carriers, tokens, admins and their sessions in the database, and the first account.

Who may do what is decided by `schemas.permissions`; callers ask it first.
"""
