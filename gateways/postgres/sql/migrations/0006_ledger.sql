-- Money: what came in, what entries cost, what was given back. When a tournament was cancelled. And a local chain that
-- remembers who was registered at which block, and who transferred what.

CREATE TYPE ledger_kind AS ENUM (
    'deposit',  -- a transfer on the chain to the collection address
    'fee',      -- of an accepted entry
    'refund'    -- of such a fee: the tournament was cancelled
);

CREATE TABLE ledger (
    entry_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    coldkey       text NOT NULL CHECK (coldkey <> ''),
    kind          ledger_kind NOT NULL,
    amount_rao    bigint NOT NULL,
    transfer_id   text UNIQUE,
    block_number  bigint CHECK (block_number >= 0),
    tournament_id text,
    hotkey        text,
    UNIQUE (tournament_id, hotkey, kind),
    FOREIGN KEY (tournament_id, hotkey) REFERENCES entries (tournament_id, hotkey),
    CHECK (CASE kind WHEN 'fee' THEN amount_rao < 0 ELSE amount_rao > 0 END),
    CHECK (num_nonnulls(transfer_id, block_number) = CASE kind WHEN 'deposit' THEN 2 ELSE 0 END),
    CHECK (num_nonnulls(tournament_id, hotkey) = CASE kind WHEN 'deposit' THEN 0 ELSE 2 END)
);
CREATE INDEX ledger_coldkey ON ledger (coldkey, entry_id);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON ledger FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON ledger EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE ledger IS 'The balance of a coldkey is the sum of its rows.';
COMMENT ON COLUMN ledger.block_number IS 'Of the transfer.';

CREATE FUNCTION refuse_uncovered_fee() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    balance bigint;
BEGIN
    -- Fees come one after another; what else is written meanwhile only adds.
    PERFORM pg_advisory_xact_lock('ledger'::regclass::bigint);
    SELECT coalesce(sum(amount_rao), 0) INTO balance FROM ledger WHERE coldkey = NEW.coldkey;
    IF balance + NEW.amount_rao < 0 THEN
        RAISE EXCEPTION 'the balance of coldkey %, % rao, does not cover the fee of % rao for %: judge the entries anew',
            NEW.coldkey, balance, -NEW.amount_rao, NEW.hotkey USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER covered BEFORE INSERT ON ledger
    FOR EACH ROW WHEN (NEW.kind = 'fee') EXECUTE FUNCTION refuse_uncovered_fee();

CREATE FUNCTION refuse_refund_without_fee() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger WHERE kind = 'fee' AND coldkey = NEW.coldkey AND hotkey = NEW.hotkey
                      AND tournament_id = NEW.tournament_id AND amount_rao = -NEW.amount_rao) THEN
        RAISE EXCEPTION 'coldkey % paid no fee of % rao for %', NEW.coldkey, NEW.amount_rao, NEW.hotkey
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER paid_before BEFORE INSERT ON ledger
    FOR EACH ROW WHEN (NEW.kind = 'refund') EXECUTE FUNCTION refuse_refund_without_fee();

CREATE TABLE ledger_cursors (
    address    text PRIMARY KEY CHECK (address <> ''),
    read_until bigint NOT NULL DEFAULT -1 CHECK (read_until >= -1)
);
COMMENT ON TABLE ledger_cursors IS 'Up to which block all transfers to an address are in the ledger.';

ALTER TABLE tournaments ADD COLUMN cancelled_at timestamptz;
ALTER TABLE tournaments DISABLE TRIGGER final;
UPDATE tournaments t
   SET cancelled_at = coalesce((SELECT max(at) FROM events
                                 WHERE subject = 'tournament:' || t.tournament_id AND event = 'cancelled'), opened_at)
 WHERE status = 'cancelled';
ALTER TABLE tournaments ENABLE TRIGGER final;
ALTER TABLE tournaments ADD CONSTRAINT tournaments_cancelled_at_check
    CHECK ((status = 'cancelled') = (cancelled_at IS NOT NULL));

CREATE TABLE chain_registrations (
    registration_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    netuid          integer NOT NULL CHECK (netuid >= 0),
    uid             integer NOT NULL CHECK (uid BETWEEN 0 AND 65535),
    hotkey          text NOT NULL CHECK (hotkey <> ''),
    coldkey         text NOT NULL,
    stake_rao       bigint NOT NULL CHECK (stake_rao >= 0),
    block_number    bigint NOT NULL CHECK (block_number >= 0)
);
CREATE INDEX chain_registrations_newest ON chain_registrations (netuid, uid, block_number DESC, registration_id DESC);
CREATE INDEX chain_registrations_hotkey ON chain_registrations (netuid, hotkey);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON chain_registrations
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
COMMENT ON TABLE chain_registrations IS 'Who is registered, with which stake, from this block on.';
INSERT INTO chain_registrations (netuid, uid, hotkey, coldkey, stake_rao, block_number)
SELECT netuid, uid, hotkey, coldkey, stake_rao, 0 FROM chain_neurons ORDER BY netuid, uid;
DROP TABLE chain_neurons;

CREATE TABLE chain_transfers (
    number       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    sender       text NOT NULL CHECK (sender <> ''),
    receiver     text NOT NULL CHECK (receiver <> ''),
    amount_rao   bigint NOT NULL CHECK (amount_rao > 0),
    block_number bigint NOT NULL CHECK (block_number >= 0)
);
CREATE INDEX chain_transfers_receiver ON chain_transfers (receiver, block_number);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON chain_transfers
    FOR EACH ROW EXECUTE FUNCTION refuse_change();
