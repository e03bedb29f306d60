"""Sign-in and sign-out, the own account, and admin accounts.

The check of each request for a session is `webhook.portal.shared.login_required`.
"""
