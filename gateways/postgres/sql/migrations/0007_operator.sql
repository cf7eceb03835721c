-- What an operator decides: on a halted tournament by a block, that failures of ours count or their work is done again,
-- and that a result is revised. Nothing is overwritten.

ALTER TYPE round_status ADD VALUE 'superseded';  -- an earlier round was revised: what was played counts for nothing
ALTER TABLE rounds DROP CONSTRAINT rounds_check;
ALTER TABLE rounds
    ADD COLUMN failures_accepted boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT rounds_closed_at_check
        CHECK (CASE status WHEN 'closed' THEN closed_at IS NOT NULL WHEN 'playing' THEN closed_at IS NULL ELSE true END);
COMMENT ON COLUMN rounds.failures_accepted IS 'It may be closed although our side failed at most of its trainings.';

ALTER TABLE tournaments DISABLE TRIGGER final;
ALTER TABLE tournaments
    ADD COLUMN halted jsonb,
    ADD COLUMN title_revision integer NOT NULL DEFAULT 0;
UPDATE tournaments SET title_revision = 1 WHERE title IS NOT NULL;
UPDATE tournaments SET halted = '{"cause": "platform", "decide_by_block": 9007199254740991}' WHERE status = 'halted';
ALTER TABLE tournaments
    ADD CONSTRAINT tournaments_halted_check CHECK ((status = 'halted') = (halted IS NOT NULL)),
    ADD CONSTRAINT tournaments_halt_cause_check
        CHECK (halted IS NULL OR coalesce(halted ->> 'cause' IN ('preparation', 'platform', 'failures'), false)),
    ADD CONSTRAINT tournaments_decide_by_block_check
        CHECK (halted IS NULL OR coalesce((halted ->> 'decide_by_block')::bigint >= 0, false)),
    ADD CONSTRAINT tournaments_title_revision_check
        CHECK (title_revision >= 0 AND (title_revision = 0) = (title IS NULL));
COMMENT ON COLUMN tournaments.halted IS 'Why an operator has to decide, and by which block.';
COMMENT ON COLUMN tournaments.title IS 'Its newest revision; all of them are in titles.';

CREATE FUNCTION refuse_all_but_a_new_title() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    may_differ CONSTANT text[] := '{title, title_revision, number}';  -- a generated number is not there yet in NEW
BEGIN
    IF NEW.title_revision = OLD.title_revision + 1 AND to_jsonb(NEW) - may_differ = to_jsonb(OLD) - may_differ THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'what is recorded is not changed in %', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
DROP TRIGGER final ON tournaments;
CREATE TRIGGER final BEFORE UPDATE ON tournaments
    FOR EACH ROW WHEN (OLD.status = 'cancelled') EXECUTE FUNCTION refuse_change();
CREATE TRIGGER final_but_for_the_title BEFORE UPDATE ON tournaments
    FOR EACH ROW WHEN (OLD.status = 'finished') EXECUTE FUNCTION refuse_all_but_a_new_title();

CREATE TABLE titles (
    tournament_id text NOT NULL REFERENCES tournaments,
    revision      integer NOT NULL CHECK (revision >= 1),
    title         jsonb NOT NULL,
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tournament_id, revision)
);
COMMENT ON TABLE titles IS 'Revision 1 finished the tournament; the newest one holds.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON titles FOR EACH ROW EXECUTE FUNCTION refuse_change();
INSERT INTO titles SELECT tournament_id, 1, title, finished_at FROM tournaments WHERE title IS NOT NULL;

CREATE TABLE disqualifications (
    tournament_id text NOT NULL,
    hotkey        text NOT NULL,
    reason        text NOT NULL CHECK (reason <> ''),
    recorded_at   timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tournament_id, hotkey),
    FOREIGN KEY (tournament_id, hotkey) REFERENCES entries
);
COMMENT ON TABLE disqualifications IS 'Entrants whose results do not count, found after the entries were judged.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON disqualifications
    FOR EACH ROW EXECUTE FUNCTION refuse_change();

-- What our side failed may be done again; any other outcome is final.
ALTER TABLE trainings ADD COLUMN counted_from integer NOT NULL DEFAULT 1 CHECK (counted_from >= 1);
ALTER TABLE evaluations ADD COLUMN counted_from integer NOT NULL DEFAULT 1 CHECK (counted_from >= 1);
COMMENT ON COLUMN trainings.counted_from IS 'First attempt that counts; an operator''s resume forgives those before it.';
COMMENT ON COLUMN evaluations.counted_from IS 'First attempt that counts, as a training''s.';
DROP TRIGGER final ON trainings;
CREATE TRIGGER final BEFORE UPDATE ON trainings
    FOR EACH ROW WHEN (OLD.status = 'done' AND (OLD.outcome ->> 'fault' IS DISTINCT FROM 'platform' OR NEW.status <> 'queued'))
    EXECUTE FUNCTION refuse_change();
DROP TRIGGER final ON evaluations;
CREATE TRIGGER final BEFORE UPDATE ON evaluations
    FOR EACH ROW WHEN (OLD.status = 'done' AND (OLD.outcome ->> 'fault' IS DISTINCT FROM 'platform' OR NEW.status <> 'queued'))
    EXECUTE FUNCTION refuse_change();
