-- name: write_round
INSERT INTO rounds (round_id, tournament_id, number, type)
VALUES (%(round_id)s, %(tournament_id)s, %(number)s, %(type)s);

-- name: write_group
INSERT INTO groups (group_id, round_id, position) VALUES (%(group_id)s, %(round_id)s, %(position)s);

-- name: write_member
INSERT INTO group_members (group_id, round_id, position, contestant)
VALUES (%(group_id)s, %(round_id)s, %(position)s, %(contestant)s);

-- name: write_challenge
INSERT INTO challenges (challenge_id, group_id, position, kind, plan)
VALUES (%(challenge_id)s, %(group_id)s, %(position)s, %(kind)s, %(plan)s);

-- name: write_training
INSERT INTO trainings (training_id, challenge_id, contestant, hotkey, repository, "commit", tree)
VALUES (%(training_id)s, %(challenge_id)s, %(contestant)s, %(hotkey)s, %(repository)s, %(commit)s, %(tree)s);

-- name: rounds
SELECT * FROM rounds WHERE tournament_id = %(tournament_id)s ORDER BY number;

-- name: groups
SELECT g.*, array_remove(array_agg(m.contestant ORDER BY m.position), NULL) AS members
  FROM rounds r
  JOIN groups g USING (round_id)
  LEFT JOIN group_members m USING (group_id)
 WHERE r.tournament_id = %(tournament_id)s
 GROUP BY g.group_id
 ORDER BY g.position;

-- name: challenges
SELECT c.*, r.round_id, r.tournament_id
  FROM rounds r
  JOIN groups g USING (round_id)
  JOIN challenges c USING (group_id)
 WHERE r.tournament_id = %(tournament_id)s
 ORDER BY r.number, g.position, c.position;

-- name: newest_results
SELECT DISTINCT ON (r.number) r.round_id, r.number, res.revision
  FROM rounds r
  JOIN round_results res USING (round_id)
 WHERE r.tournament_id = %(tournament_id)s AND r.status = 'closed'
 ORDER BY r.number, res.revision DESC;

-- name: newest_standings
SELECT s.*
  FROM standings s
  JOIN rounds r USING (round_id)
 WHERE r.tournament_id = %(tournament_id)s AND r.status = 'closed'
   AND s.revision = (SELECT max(revision) FROM round_results res WHERE res.round_id = s.round_id)
 ORDER BY r.number, s.position;

-- name: lock_challenge
SELECT c.*, r.round_id, r.tournament_id
  FROM challenges c JOIN groups g USING (group_id) JOIN rounds r USING (round_id)
 WHERE c.challenge_id = %(challenge_id)s FOR UPDATE OF c;

-- name: settle_challenge
-- Ready when there are data, failed when there is a reason.
UPDATE challenges
   SET status = CASE WHEN %(reason)s::text IS NULL THEN 'ready' ELSE 'failed' END::challenge_status,
       data = %(data)s, reason = %(reason)s
 WHERE challenge_id = %(challenge_id)s AND status = 'planned';

-- name: replan_challenge
UPDATE challenges SET status = 'planned', plan = %(plan)s, kind = %(kind)s, reason = NULL
 WHERE challenge_id = %(challenge_id)s AND status = 'failed';

-- name: lock_round
SELECT r.*, (SELECT coalesce(max(revision), 0) FROM round_results res WHERE res.round_id = r.round_id) AS revision
  FROM rounds r WHERE round_id = %(round_id)s FOR UPDATE OF r;

-- name: standings
SELECT * FROM standings WHERE round_id = %(round_id)s AND revision = %(revision)s ORDER BY position;

-- name: write_result
INSERT INTO round_results (round_id, revision) VALUES (%(round_id)s, %(revision)s);

-- name: write_standing
INSERT INTO standings (round_id, revision, position, group_id, contestant, rank, value, gap, advances, reason, fault)
VALUES (%(round_id)s, %(revision)s, %(position)s, %(group_id)s, %(contestant)s, %(rank)s, %(value)s, %(gap)s,
        %(advances)s, %(reason)s, %(fault)s);

-- name: close
UPDATE rounds SET status = 'closed', closed_at = clock_timestamp() WHERE round_id = %(round_id)s AND status = 'playing';
