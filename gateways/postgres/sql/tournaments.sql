-- name: open
-- No row comes back when one of the kind is open already, or the id is taken.
INSERT INTO tournaments (tournament_id, kind, netuid, rules, opened_block, closing_block, champion, opened_at)
VALUES (%(tournament_id)s, %(kind)s, %(netuid)s, %(rules)s, %(opened_block)s, %(closing_block)s, %(champion)s,
        coalesce(%(opened_at)s, clock_timestamp()))
    ON CONFLICT DO NOTHING
RETURNING *;

-- name: open_of_kind
SELECT * FROM tournaments WHERE kind = %(kind)s AND status IN ('collecting', 'active', 'halted');

-- name: load
SELECT * FROM tournaments WHERE tournament_id = %(tournament_id)s;

-- name: lock
SELECT * FROM tournaments WHERE tournament_id = %(tournament_id)s FOR UPDATE;

-- name: lock_of_round
SELECT t.* FROM tournaments t JOIN rounds r USING (tournament_id) WHERE r.round_id = %(round_id)s FOR UPDATE OF t;

-- name: open_ids
SELECT tournament_id FROM tournaments WHERE status IN ('collecting', 'active', 'halted')
 ORDER BY opened_at, tournament_id;

-- name: latest
SELECT * FROM tournaments WHERE kind = %(kind)s ORDER BY number DESC LIMIT 1;

-- name: finished
SELECT * FROM tournaments WHERE kind = %(kind)s AND status = 'finished' ORDER BY finished_at DESC, number DESC;

-- name: write_entry
INSERT INTO entries (tournament_id, position, hotkey, coldkey, stake_rao, repository, "commit", registered_block,
                     tree, status, reason, fault)
VALUES (%(tournament_id)s, %(position)s, %(hotkey)s, %(coldkey)s, %(stake_rao)s, %(repository)s, %(commit)s,
        %(registered_block)s, %(tree)s, %(status)s, %(reason)s, %(fault)s);

-- name: entries
SELECT * FROM entries WHERE tournament_id = %(tournament_id)s ORDER BY position;

-- name: completed_entries
SELECT e.hotkey, count(*) AS times FROM entries e JOIN tournaments t USING (tournament_id)
 WHERE t.status = 'finished' AND e.status = 'accepted' GROUP BY e.hotkey;

-- name: activate
UPDATE tournaments SET status = 'active', seed = %(seed)s
 WHERE tournament_id = %(tournament_id)s AND status = 'collecting';

-- name: finish
UPDATE tournaments SET status = 'finished', title = %(title)s, title_revision = 1, finished_at = clock_timestamp()
 WHERE tournament_id = %(tournament_id)s AND status = 'active';

-- name: set_status
UPDATE tournaments SET status = %(status)s, reason = %(reason)s, halted = %(halted)s,
       cancelled_at = CASE WHEN %(status)s::tournament_status = 'cancelled' THEN clock_timestamp() END
 WHERE tournament_id = %(tournament_id)s;
