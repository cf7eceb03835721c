-- name: one_at_a_time
-- Leases are rare and short to take: taking turns keeps the choice among free slots exact.
SELECT pg_advisory_xact_lock(hashtextextended('god/leases', 0));

-- name: register
INSERT INTO leases (resource, kind, instance, device)
VALUES (%(resource)s, 'slot', %(instance)s, %(device)s)
    ON CONFLICT (resource) DO NOTHING;

-- name: free_expired_slots
UPDATE leases
   SET owner = NULL, holder = NULL, token = NULL, acquired_at = NULL, heartbeat_at = NULL, expires_at = NULL
 WHERE kind = 'slot' AND expires_at <= clock_timestamp();

-- name: drop_expired_exclusives
DELETE FROM leases WHERE kind = 'exclusive' AND expires_at <= clock_timestamp();

-- name: held
SELECT holder, heartbeat_at < clock_timestamp() - make_interval(secs => %(stale_seconds)s) AS is_stale
  FROM leases WHERE owner = %(owner)s LIMIT 1;

-- name: next_token
SELECT nextval('lease_tokens') AS token;

-- name: renew
UPDATE leases
   SET holder = %(holder)s, token = %(token)s, acquired_at = clock_timestamp(), heartbeat_at = clock_timestamp(),
       expires_at = greatest(expires_at, clock_timestamp() + make_interval(secs => %(seconds)s))
 WHERE owner = %(owner)s
RETURNING *;

-- name: take_slots
-- As many free slots as are wanted, all of the first instance that has them; otherwise none.
WITH free AS (
    SELECT resource, instance,
           count(*) OVER (PARTITION BY instance) AS of_instance,
           row_number() OVER (PARTITION BY instance ORDER BY length(resource), resource) AS place
      FROM leases WHERE kind = 'slot' AND owner IS NULL
), chosen AS (
    SELECT resource FROM free
     WHERE place <= %(slots)s AND instance = (SELECT min(instance) FROM free WHERE of_instance >= %(slots)s)
)
UPDATE leases
   SET owner = %(owner)s, holder = %(holder)s, token = %(token)s,
       acquired_at = clock_timestamp(), heartbeat_at = clock_timestamp(),
       expires_at = clock_timestamp() + make_interval(secs => %(seconds)s)
  FROM chosen WHERE leases.resource = chosen.resource
RETURNING leases.*;

-- name: exclude
INSERT INTO leases (resource, kind, owner, holder, token, acquired_at, heartbeat_at, expires_at)
VALUES ('exclusive/' || %(owner)s::text, 'exclusive', %(owner)s, %(holder)s, %(token)s,
        clock_timestamp(), clock_timestamp(), clock_timestamp() + make_interval(secs => %(seconds)s))
RETURNING *;

-- name: heartbeat
UPDATE leases SET heartbeat_at = clock_timestamp()
 WHERE owner = %(owner)s AND token = %(token)s AND expires_at > clock_timestamp();

-- name: free_slots
UPDATE leases
   SET owner = NULL, holder = NULL, token = NULL, acquired_at = NULL, heartbeat_at = NULL, expires_at = NULL
 WHERE kind = 'slot' AND owner = %(owner)s AND token = %(token)s;

-- name: drop_exclusive
DELETE FROM leases WHERE kind = 'exclusive' AND owner = %(owner)s AND token = %(token)s;

-- name: live_owners
SELECT DISTINCT owner FROM leases
 WHERE expires_at > clock_timestamp()
   AND heartbeat_at >= clock_timestamp() - make_interval(secs => %(stale_seconds)s);

-- name: stale
SELECT * FROM leases
 WHERE expires_at > clock_timestamp()
   AND heartbeat_at < clock_timestamp() - make_interval(secs => %(stale_seconds)s)
 ORDER BY owner;
