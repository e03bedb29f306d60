"""What all pages use: the blueprint and its checks, forms, select fields, flash messages, layout, static files.

No page of a subject is here: these are in `accounts`, `jobs`, `login` and `numbers`.
"""
