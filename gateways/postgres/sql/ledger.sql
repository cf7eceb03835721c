-- name: make_cursor
INSERT INTO ledger_cursors (address) VALUES (%(address)s) ON CONFLICT DO NOTHING;

-- name: lock_cursor
SELECT read_until FROM ledger_cursors WHERE address = %(address)s FOR UPDATE;

-- name: cursor
SELECT read_until FROM ledger_cursors WHERE address = %(address)s;

-- name: move_cursor
UPDATE ledger_cursors SET read_until = greatest(read_until, %(to_block)s) WHERE address = %(address)s;

-- name: deposit
-- No row comes back for a transfer that is there already.
INSERT INTO ledger (coldkey, kind, amount_rao, transfer_id, block_number)
VALUES (%(sender)s, 'deposit', %(amount_rao)s, %(transfer_id)s, %(block_number)s)
    ON CONFLICT (transfer_id) DO NOTHING
RETURNING *;

-- name: charge
-- The fee of the tournament's own rules, for each accepted entry; a trigger refuses what a balance does not cover.
INSERT INTO ledger (coldkey, kind, amount_rao, tournament_id, hotkey)
SELECT e.coldkey, 'fee', -(t.rules ->> 'fee_rao')::bigint, e.tournament_id, e.hotkey
  FROM entries e JOIN tournaments t USING (tournament_id)
 WHERE e.tournament_id = %(tournament_id)s AND e.status = 'accepted' AND (t.rules ->> 'fee_rao')::bigint > 0
 ORDER BY e.position
RETURNING *;

-- name: refund
-- Each fee once.
INSERT INTO ledger (coldkey, kind, amount_rao, tournament_id, hotkey)
SELECT coldkey, 'refund', -amount_rao, tournament_id, hotkey
  FROM ledger WHERE tournament_id = %(tournament_id)s AND kind = 'fee'
 ORDER BY entry_id
    ON CONFLICT (tournament_id, hotkey, kind) DO NOTHING
RETURNING *;

-- name: balances
SELECT coldkey, coalesce(sum(amount_rao) FILTER (
           WHERE %(at_block)s::bigint IS NULL OR block_number IS NULL OR block_number <= %(at_block)s), 0)::bigint
       AS balance_rao
  FROM ledger WHERE %(coldkeys)s::text[] IS NULL OR coldkey = ANY (%(coldkeys)s)
 GROUP BY coldkey;

-- name: entries
SELECT * FROM ledger WHERE %(coldkey)s::text IS NULL OR coldkey = %(coldkey)s ORDER BY entry_id;
