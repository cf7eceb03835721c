"""PostgreSQL, an S3 server, a Prefect server and its workers on this machine, for whoever has none: `god up`."""
