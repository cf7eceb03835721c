-- The local twin of the chain. Of its blocks only some are kept, see `gateways.local_chain`.

-- name: begin_chain
-- Make the chain; nothing happens when it is there.
INSERT INTO chain_genesis (started_at, seed) VALUES (%(started_at)s, %(seed)s) ON CONFLICT DO NOTHING;

-- name: lock_chain
-- Whoever writes to the chain holds this row, so that writers come one after another.
SELECT started_at, seed FROM chain_genesis FOR UPDATE;

-- name: newest_block
SELECT block_number, hash, produced_at FROM chain_blocks ORDER BY block_number DESC LIMIT 1;

-- name: nearest_block
-- The newest kept block that is not after this one.
SELECT block_number, hash, produced_at FROM chain_blocks
 WHERE block_number <= %(block_number)s ORDER BY block_number DESC LIMIT 1;

-- name: keep_blocks
INSERT INTO chain_blocks (block_number, hash, produced_at)
SELECT * FROM unnest(%(block_numbers)s::bigint[], %(hashes)s::text[], %(produced_at)s::timestamptz[]);

-- name: neurons
-- As they were at the block.
SELECT DISTINCT ON (uid) uid, hotkey, coldkey, stake_rao FROM chain_registrations
 WHERE netuid = %(netuid)s AND block_number <= %(at_block)s
 ORDER BY uid, block_number DESC, registration_id DESC;

-- name: register
-- The next uid for a new hotkey; a known one keeps its uid and takes the new stake.
INSERT INTO chain_registrations (netuid, uid, hotkey, coldkey, stake_rao, block_number)
SELECT %(netuid)s, coalesce(max(uid) FILTER (WHERE hotkey = %(hotkey)s), max(uid) + 1, 0),
       %(hotkey)s, %(coldkey)s, %(stake_rao)s, %(block_number)s
  FROM chain_registrations WHERE netuid = %(netuid)s
RETURNING uid;

-- name: commit
-- No row comes back when the hotkey is not registered.
INSERT INTO chain_commitments (netuid, hotkey, payload, block_number)
SELECT netuid, hotkey, %(payload)s, %(block_number)s
  FROM chain_registrations WHERE netuid = %(netuid)s AND hotkey = %(hotkey)s LIMIT 1
RETURNING block_number;

-- name: commitments
-- Each hotkey's newest that is not after the block.
SELECT DISTINCT ON (hotkey) hotkey, payload, block_number FROM chain_commitments
 WHERE netuid = %(netuid)s AND block_number <= %(at_block)s
 ORDER BY hotkey, block_number DESC, commitment_id DESC;

-- name: transfer
INSERT INTO chain_transfers (sender, receiver, amount_rao, block_number)
VALUES (%(sender)s, %(receiver)s, %(amount_rao)s, %(block_number)s)
RETURNING block_number || '-' || number AS transfer_id, sender, amount_rao, block_number;

-- name: transfers
SELECT block_number || '-' || number AS transfer_id, sender, amount_rao, block_number FROM chain_transfers
 WHERE receiver = %(receiver)s AND block_number BETWEEN %(from_block)s AND %(to_block)s ORDER BY number;

-- name: take_weights
INSERT INTO chain_weights (netuid, block_number, version_key, weights)
VALUES (%(netuid)s, %(block_number)s, %(version_key)s, %(weights)s);

-- name: newest_weights
SELECT netuid, block_number, version_key, weights FROM chain_weights
 WHERE netuid = %(netuid)s ORDER BY setting_id DESC LIMIT 1;
