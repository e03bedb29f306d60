"""What runs in the background: expired leases are released, lost wake-ups repeated, and old files removed."""
