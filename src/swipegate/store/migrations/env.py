"""How Alembic runs the revisions: on the connection of store/revision.py, in the transaction that it has begun."""

from alembic import context

context.configure(connection=context.config.attributes["connection"])
context.run_migrations()
