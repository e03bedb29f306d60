"""PostgreSQL: engine, transactions, migrations, counters, and the one module that limits queries to a tenant's tree."""
