-- name: accept_failures
UPDATE rounds SET failures_accepted = true WHERE tournament_id = %(tournament_id)s AND status = 'playing';

-- name: plan_failed_challenges
UPDATE challenges c SET status = 'planned', reason = NULL
  FROM groups g JOIN rounds r USING (round_id)
 WHERE g.group_id = c.group_id AND r.tournament_id = %(tournament_id)s AND r.status = 'playing' AND c.status = 'failed';

-- name: queue_trainings
-- What our side failed in the playing round.
UPDATE trainings t SET status = 'queued', outcome = NULL, recorded_at = NULL
  FROM challenges c JOIN groups g USING (group_id) JOIN rounds r USING (round_id)
 WHERE c.challenge_id = t.challenge_id AND r.tournament_id = %(tournament_id)s AND r.status = 'playing'
   AND t.fault = 'platform'
RETURNING training_id AS work_id;

-- name: queue_evaluations
UPDATE evaluations e SET status = 'queued', outcome = NULL, report = NULL, recorded_at = NULL
  FROM challenges c JOIN groups g USING (group_id) JOIN rounds r USING (round_id)
 WHERE c.challenge_id = e.challenge_id AND r.tournament_id = %(tournament_id)s AND r.status = 'playing'
   AND e.fault = 'platform' AND e.purpose = 'tournament'
RETURNING evaluation_id AS work_id;

-- name: count_trainings_anew
UPDATE trainings t
   SET dispatches = 0,
       counted_from = (SELECT coalesce(max(a.number), 0) + 1
                         FROM attempts a WHERE a.training_id = t.training_id AND a.ended_at IS NOT NULL)
  FROM challenges c JOIN groups g USING (group_id) JOIN rounds r USING (round_id)
 WHERE c.challenge_id = t.challenge_id AND r.tournament_id = %(tournament_id)s AND t.status <> 'done';

-- name: count_evaluations_anew
UPDATE evaluations e
   SET dispatches = 0,
       counted_from = (SELECT coalesce(max(a.number), 0) + 1
                         FROM attempts a WHERE a.evaluation_id = e.evaluation_id AND a.ended_at IS NOT NULL)
  FROM challenges c JOIN groups g USING (group_id) JOIN rounds r USING (round_id)
 WHERE c.challenge_id = e.challenge_id AND r.tournament_id = %(tournament_id)s AND e.status <> 'done';
