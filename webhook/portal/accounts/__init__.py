"""Pages of enterprises, resellers, users and their numbers, carriers, and API tokens.

Admin accounts and sign-in are in `webhook.portal.login`.
"""
