-- name: append
-- Writers take their turn until they commit, so that event ids become visible in order and a reader that goes on
-- from the last id it saw misses none. Always the last thing that a transaction does.
WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended('god/events', 0)))
INSERT INTO events (subject, event, details)
SELECT %(subject)s, %(event)s, %(details)s FROM turn;

-- name: since
SELECT event_id, at, subject, event, details
  FROM events WHERE event_id > %(event_id)s
 ORDER BY event_id LIMIT %(limit)s;
