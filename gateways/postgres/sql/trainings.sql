-- name: record
UPDATE trainings SET status = 'done', outcome = %(outcome)s, recorded_at = clock_timestamp()
 WHERE training_id = %(training_id)s AND token = %(token)s AND status <> 'done';

-- name: of_tournament
SELECT t.*
  FROM trainings t
  JOIN challenges c USING (challenge_id)
  JOIN groups g USING (group_id)
  JOIN rounds r USING (round_id)
  JOIN group_members m ON m.group_id = g.group_id AND m.contestant = t.contestant
 WHERE r.tournament_id = %(tournament_id)s
 ORDER BY r.number, g.position, c.position, m.position;

-- name: attempts_of_tournament
SELECT a.*
  FROM attempts a
  JOIN trainings t USING (training_id)
  JOIN challenges c USING (challenge_id)
  JOIN groups g USING (group_id)
  JOIN rounds r USING (round_id)
 WHERE r.tournament_id = %(tournament_id)s
 ORDER BY a.subject_id, a.number;
