"""The inventory of phone numbers: written in bulk, searched, filtered and counted within a tenant's tree."""
