-- name: plan
-- The same evidence is set once: no row comes back when it is there already.
INSERT INTO weight_settings (setting_id, netuid, policy, evidence, weights)
VALUES (%(setting_id)s, %(netuid)s, %(policy)s, %(evidence)s, %(weights)s)
    ON CONFLICT DO NOTHING
RETURNING *;

-- name: same_evidence
SELECT * FROM weight_settings WHERE evidence_sha256 = %(sha256)s;

-- name: confirm
UPDATE weight_settings
   SET block_number = %(block_number)s, receipt = %(receipt)s, confirmed_at = clock_timestamp()
 WHERE setting_id = %(setting_id)s AND block_number IS NULL;

-- name: is_confirmed
SELECT FROM weight_settings WHERE setting_id = %(setting_id)s AND block_number IS NOT NULL;

-- name: latest
SELECT * FROM weight_settings ORDER BY planned_order DESC LIMIT 1;
