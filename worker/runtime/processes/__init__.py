"""Child processes that never outlive their parent: start, supervise, stop; and free ports.

Nothing here knows a concrete server.
"""
