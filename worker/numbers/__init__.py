"""The inventory of phone numbers: bulk writes, and searches, filters and counts within a tenant's tree.

Permission rules are in `schemas.permissions`, the parsing of numbers in `worker.phone`.
"""
