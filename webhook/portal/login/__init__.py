"""Signing in and out, the own account, and the people who can sign in."""
