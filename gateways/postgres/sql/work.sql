-- name: lock
SELECT * FROM {work} WHERE {key} = %(id)s FOR UPDATE;

-- name: load
SELECT * FROM {work} WHERE {key} = %(id)s;

-- name: attempts
SELECT * FROM attempts WHERE {key} = %(id)s ORDER BY number;

-- name: dispatched
UPDATE {work} SET dispatches = dispatches + 1, dispatched_at = clock_timestamp()
 WHERE {key} = %(id)s AND status <> 'done'
RETURNING dispatches;

-- name: take
UPDATE {work} SET status = 'running', token = %(token)s
 WHERE {key} = %(id)s AND status <> 'done' AND token <= %(token)s;

-- name: newest_attempt
SELECT * FROM attempts WHERE {key} = %(id)s ORDER BY number DESC LIMIT 1;

-- name: open_attempt
INSERT INTO attempts ({key}, number, token, instance, slot, shared_run)
SELECT %(id)s, coalesce(max(number), 0) + 1, %(token)s, %(instance)s, %(slot)s, %(shared_run)s
  FROM attempts WHERE {key} = %(id)s
RETURNING *;

-- name: start_attempt
UPDATE attempts SET started_at = %(started_at)s
 WHERE {key} = %(id)s AND ended_at IS NULL AND started_at IS NULL;

-- name: end_attempt
UPDATE attempts
   SET started_at = coalesce(%(started_at)s, started_at), ended_at = %(ended_at)s, ending = %(ending)s,
       exit_code = %(exit_code)s, fault = %(fault)s, detail = %(detail)s,
       peak_memory_bytes = %(peak_memory_bytes)s, log = %(log)s
 WHERE {key} = %(id)s AND ended_at IS NULL;

-- name: end_attempt_without_run
-- No container ran, so there is an end and no ending.
UPDATE attempts SET ended_at = clock_timestamp() WHERE {key} = %(id)s AND ended_at IS NULL;

-- name: requeue
UPDATE {work} SET status = 'queued' WHERE {key} = %(id)s AND token = %(token)s AND status = 'running';
