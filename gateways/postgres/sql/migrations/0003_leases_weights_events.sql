-- Who holds what; what was said to the chain; what happened.

CREATE SEQUENCE lease_tokens;
COMMENT ON SEQUENCE lease_tokens IS 'Fencing tokens; they only ever grow.';

CREATE TYPE lease_kind AS ENUM (
    'slot',      -- a place on a machine; the row stays when it is free
    'exclusive'  -- only excludes others; the row goes when it is free
);

CREATE TABLE leases (
    resource     text PRIMARY KEY,
    kind         lease_kind NOT NULL,
    instance     text,
    device       text,
    owner        text,
    holder       text,
    token        bigint,
    acquired_at  timestamptz,
    heartbeat_at timestamptz,
    expires_at   timestamptz,
    CHECK (num_nonnulls(owner, holder, token, acquired_at, heartbeat_at, expires_at) IN (0, 6)),
    CHECK ((kind = 'slot') = (instance IS NOT NULL)),
    CHECK (kind = 'slot' OR (owner IS NOT NULL AND device IS NULL AND resource = 'exclusive/' || owner))
);
CREATE INDEX leases_owner ON leases (owner);
CREATE INDEX leases_token ON leases (token);
COMMENT ON COLUMN leases.owner IS 'For whom: a training, an evaluation, a tournament.';
COMMENT ON COLUMN leases.holder IS 'By whom: one flow run.';

CREATE TABLE weight_settings (
    setting_id      text PRIMARY KEY,
    planned_order   bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    netuid          integer NOT NULL CHECK (netuid >= 0),
    policy          text NOT NULL,
    evidence        jsonb NOT NULL,
    evidence_sha256 text GENERATED ALWAYS AS (evidence ->> 'sha256') STORED NOT NULL UNIQUE,
    weights         jsonb NOT NULL CHECK (jsonb_typeof(weights) = 'object'),
    planned_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    block_number    bigint CHECK (block_number >= 0),
    receipt         jsonb,
    confirmed_at    timestamptz,
    CHECK (num_nonnulls(block_number, receipt, confirmed_at) IN (0, 3))
);
CREATE TRIGGER final BEFORE UPDATE ON weight_settings
    FOR EACH ROW WHEN (OLD.block_number IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON weight_settings FOR EACH ROW EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN weight_settings.weights IS 'Hotkey → exact decimal, as it was derived from the evidence.';

CREATE TABLE events (
    event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    subject  text NOT NULL CHECK (subject ~ '^[a-z]+:.'),
    event    text NOT NULL CHECK (event <> ''),
    details  jsonb NOT NULL DEFAULT '{}' CHECK (jsonb_typeof(details) = 'object')
);
CREATE INDEX events_subject ON events (subject, event_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON events FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON events EXECUTE FUNCTION refuse_change();
