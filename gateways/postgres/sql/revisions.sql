-- name: through
-- Who goes through by the newest revision of a round's standings.
SELECT contestant
  FROM standings s
 WHERE round_id = %(round_id)s AND advances
   AND revision = (SELECT max(revision) FROM round_results res WHERE res.round_id = s.round_id);

-- name: supersede
UPDATE rounds SET status = 'superseded'
 WHERE tournament_id = %(tournament_id)s AND number > %(number)s AND status <> 'superseded'
RETURNING round_id;

-- name: end_trainings
UPDATE trainings t SET status = 'done', outcome = %(outcome)s, recorded_at = clock_timestamp()
  FROM challenges c JOIN groups g USING (group_id)
 WHERE c.challenge_id = t.challenge_id AND g.round_id = ANY (%(rounds)s) AND t.status <> 'done'
RETURNING training_id AS work_id;

-- name: end_evaluations
UPDATE evaluations e SET status = 'done', outcome = %(outcome)s, recorded_at = clock_timestamp()
  FROM challenges c JOIN groups g USING (group_id)
 WHERE c.challenge_id = e.challenge_id AND g.round_id = ANY (%(rounds)s) AND e.status <> 'done'
   AND e.purpose = 'tournament'
RETURNING evaluation_id AS work_id;

-- name: end_attempts
UPDATE attempts SET ended_at = clock_timestamp(), ending = 'lost', fault = 'platform', detail = %(reason)s
 WHERE subject_id = ANY (%(subjects)s) AND ended_at IS NULL;

-- name: write_title
INSERT INTO titles (tournament_id, revision, title) VALUES (%(tournament_id)s, %(revision)s, %(title)s);

-- name: title
SELECT title FROM titles WHERE tournament_id = %(tournament_id)s AND revision = %(revision)s;

-- name: revise_title
UPDATE tournaments SET title = %(title)s, title_revision = %(revision)s WHERE tournament_id = %(tournament_id)s;

-- name: disqualify
INSERT INTO disqualifications (tournament_id, hotkey, reason) VALUES (%(tournament_id)s, %(hotkey)s, %(reason)s);

-- name: disqualified
SELECT hotkey, reason FROM disqualifications WHERE tournament_id = %(tournament_id)s ORDER BY recorded_at, hotkey;
