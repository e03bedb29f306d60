"""Phone Numbers: the list, the page of one number, and the forms of actions on numbers.

Uploads, and the pages of the jobs that the forms submit, are in `webhook.portal.jobs`.
"""
