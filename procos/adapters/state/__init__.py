"""The state database, SQLite or PostgreSQL: the only door for SQLAlchemy and Alembic."""
