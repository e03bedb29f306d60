"""PostgreSQL: engine, transactions, migrations, counters, and the one module that limits queries to a tenant's tree.

Not here: the tables (`schemas.database.tables`), and the queries of a subject, which are in its package.
"""
