-- The local twin of the chain: what a real chain would keep.

CREATE TABLE chain_genesis (
    only_row   boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    started_at timestamptz NOT NULL,
    seed       text NOT NULL
);
COMMENT ON TABLE chain_genesis IS 'When block 0 was made, and what the hashes come from.';

CREATE TABLE chain_blocks (
    block_number bigint PRIMARY KEY CHECK (block_number >= 0),
    hash         text NOT NULL UNIQUE CHECK (hash ~ '^[0-9a-f]{64}$'),
    produced_at  timestamptz NOT NULL
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON chain_blocks FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE chain_neurons (
    netuid    integer NOT NULL CHECK (netuid >= 0),
    uid       integer NOT NULL CHECK (uid BETWEEN 0 AND 65535),
    hotkey    text NOT NULL CHECK (hotkey <> ''),
    coldkey   text NOT NULL,
    stake_rao bigint NOT NULL CHECK (stake_rao >= 0),
    PRIMARY KEY (netuid, uid),
    UNIQUE (netuid, hotkey)
);

CREATE TABLE chain_commitments (
    commitment_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    netuid        integer NOT NULL,
    hotkey        text NOT NULL,
    payload       text NOT NULL,
    block_number  bigint NOT NULL CHECK (block_number >= 0)
);
CREATE INDEX chain_commitments_newest ON chain_commitments (netuid, hotkey, block_number DESC, commitment_id DESC);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON chain_commitments
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE chain_weights (
    setting_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    netuid       integer NOT NULL,
    block_number bigint NOT NULL CHECK (block_number >= 0),
    version_key  bigint NOT NULL,
    weights      jsonb NOT NULL CHECK (jsonb_typeof(weights) = 'object')
);
CREATE INDEX chain_weights_newest ON chain_weights (netuid, setting_id DESC);
COMMENT ON COLUMN chain_weights.weights IS 'uid → u16.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON chain_weights FOR EACH ROW EXECUTE FUNCTION refuse_change();
