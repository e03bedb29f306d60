"""Upload Phone Numbers in three steps, the page of a job, and Activity.

Forms of all other actions on numbers are in `webhook.portal.numbers`.
"""
