"""The PostgreSQL gateway: one store per port, one method per transaction, SQL in named queries under `sql/`."""
