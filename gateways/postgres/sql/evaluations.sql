-- name: name_in_turn
-- Two requests for one subject take their turn, so that each finds its own number.
SELECT pg_advisory_xact_lock(hashtextextended('god/evaluations/' || %(subject)s::text, 0));

-- name: queue
INSERT INTO evaluations (evaluation_id, subject, number, challenge_id, training_id, checkpoint, purpose, repeats)
SELECT %(subject)s || '-e' || next.number, %(subject)s, next.number,
       %(challenge_id)s, %(training_id)s, %(checkpoint)s, %(purpose)s, %(repeats)s
  FROM (SELECT coalesce(max(number), 0) + 1 AS number FROM evaluations WHERE subject = %(subject)s) AS next
RETURNING *;

-- name: waiting_with
-- Of its challenge and purpose, in the queue; none of them, nor itself, with a failed attempt that counts.
SELECT w.evaluation_id
  FROM evaluations w
  JOIN evaluations e ON e.challenge_id = w.challenge_id AND e.purpose = w.purpose AND e.evaluation_id <> w.evaluation_id
 WHERE e.evaluation_id = %(evaluation_id)s AND w.status = 'queued'
   AND NOT EXISTS (SELECT FROM attempts a
                    WHERE a.evaluation_id = w.evaluation_id AND a.number >= w.counted_from AND a.ended_at IS NOT NULL)
   AND NOT EXISTS (SELECT FROM attempts a
                    WHERE a.evaluation_id = e.evaluation_id AND a.number >= e.counted_from AND a.ended_at IS NOT NULL)
 ORDER BY w.evaluation_id
 LIMIT %(most)s
   FOR UPDATE OF w SKIP LOCKED;

-- name: in_run
-- With an open attempt in this container run; the one that it is named after comes last.
SELECT evaluation_id
  FROM attempts
 WHERE evaluation_id IS NOT NULL AND ended_at IS NULL
   AND coalesce(shared_run, subject_id || '-a' || number) = %(run_name)s
 ORDER BY shared_run IS NULL, evaluation_id;

-- name: record
UPDATE evaluations
   SET status = 'done', outcome = %(outcome)s, report = %(report)s, recorded_at = clock_timestamp()
 WHERE evaluation_id = %(evaluation_id)s AND token = %(token)s AND status <> 'done';

-- name: of_tournament
-- Those that count in its standings, never re-evaluations.
SELECT e.*
  FROM evaluations e
  JOIN challenges c USING (challenge_id)
  JOIN groups g USING (group_id)
  JOIN rounds r USING (round_id)
  JOIN trainings t ON t.training_id = e.training_id
  JOIN group_members m ON m.group_id = g.group_id AND m.contestant = t.contestant
 WHERE r.tournament_id = %(tournament_id)s AND e.purpose = 'tournament'
 ORDER BY r.number, g.position, c.position, m.position, e.number;

-- name: attempts_of_tournament
SELECT a.*
  FROM attempts a
  JOIN evaluations e USING (evaluation_id)
  JOIN challenges c USING (challenge_id)
  JOIN groups g USING (group_id)
  JOIN rounds r USING (round_id)
 WHERE r.tournament_id = %(tournament_id)s AND e.purpose = 'tournament'
 ORDER BY a.subject_id, a.number;
