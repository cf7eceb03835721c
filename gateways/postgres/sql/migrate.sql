-- name: lock
-- One migrator at a time; the lock ends with the connection.
SELECT pg_advisory_lock(hashtextextended('god/migrate', 0));

-- name: create_table
CREATE TABLE IF NOT EXISTS schema_migrations (
    name       text PRIMARY KEY,
    checksum   text NOT NULL,
    applied_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- name: applied
SELECT name, checksum FROM schema_migrations;

-- name: record
INSERT INTO schema_migrations (name, checksum) VALUES (%(name)s, %(checksum)s);
