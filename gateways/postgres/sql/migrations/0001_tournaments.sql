-- Tournaments, what was drawn in them, and how their rounds ended.

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'what is recorded is not changed in %', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;
COMMENT ON FUNCTION refuse_change() IS 'Trigger of append-only tables and of rows that are final.';

CREATE TYPE fault AS ENUM (
    'miner',     -- the submission is at fault; it counts
    'platform',  -- ours; it never counts against a miner
    'chain'      -- the chain did not do its part
);

CREATE TYPE tournament_kind AS ENUM ('text', 'image');

CREATE TYPE tournament_status AS ENUM (
    'collecting',  -- entries are taken until the closing block
    'active',      -- rounds are played
    'halted',      -- our side failed too often; an operator resumes it
    'finished',    -- the title is decided
    'cancelled'    -- it ends without a title
);

CREATE TABLE tournaments (
    tournament_id text PRIMARY KEY CHECK (tournament_id ~ '^(text|image)-[0-9]{4,9}$'),
    kind          tournament_kind NOT NULL,
    number        integer GENERATED ALWAYS AS (substring(tournament_id FROM '[0-9]+$')::integer) STORED,
    status        tournament_status NOT NULL DEFAULT 'collecting',
    netuid        integer NOT NULL CHECK (netuid >= 0),
    rules         jsonb NOT NULL,
    opened_block  bigint NOT NULL CHECK (opened_block >= 0),
    closing_block bigint NOT NULL CHECK (closing_block >= opened_block),
    seed          text CHECK (seed ~ '^[0-9a-f]{64}$'),
    champion      jsonb NOT NULL,
    title         jsonb,
    reason        text,
    opened_at     timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at   timestamptz,
    UNIQUE (kind, number),
    CHECK (split_part(tournament_id, '-', 1) = kind::text),
    CHECK (seed IS NOT NULL OR status IN ('collecting', 'cancelled')),
    CHECK (seed IS NULL OR status <> 'collecting'),
    CHECK ((status = 'finished') = (title IS NOT NULL)),
    CHECK ((status = 'finished') = (finished_at IS NOT NULL)),
    CHECK ((status IN ('halted', 'cancelled')) = (reason IS NOT NULL))
);
CREATE UNIQUE INDEX one_open_tournament_per_kind ON tournaments (kind)
    WHERE status IN ('collecting', 'active', 'halted');
CREATE TRIGGER final BEFORE UPDATE ON tournaments
    FOR EACH ROW WHEN (OLD.status IN ('finished', 'cancelled')) EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN tournaments.rules IS 'The rule set in force, copied when the tournament opened.';
COMMENT ON COLUMN tournaments.champion IS 'Who defends, as of the opening.';

CREATE TYPE entry_status AS ENUM (
    'accepted',  -- takes part
    'refused'    -- does not; the reason says why
);

CREATE TABLE entries (
    tournament_id    text NOT NULL REFERENCES tournaments,
    position         integer NOT NULL CHECK (position >= 1),
    hotkey           text NOT NULL CHECK (hotkey NOT IN ('', 'champion')),
    coldkey          text NOT NULL,
    stake_rao        bigint NOT NULL CHECK (stake_rao >= 0),
    repository       text NOT NULL,
    "commit"         text NOT NULL,
    registered_block bigint NOT NULL,
    tree             jsonb,
    status           entry_status NOT NULL,
    reason           text,
    fault            fault,
    PRIMARY KEY (tournament_id, hotkey),
    UNIQUE (tournament_id, position),
    CHECK (status = 'refused' OR (tree IS NOT NULL AND "commit" ~ '^[0-9a-f]{40}$')),
    CHECK ((status = 'refused') = (reason IS NOT NULL)),
    CHECK (status = 'refused' OR fault IS NULL)
);
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON entries FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TYPE round_type AS ENUM ('group', 'knockout', 'title');

CREATE TYPE round_status AS ENUM (
    'playing',  -- trainings and evaluations are under way
    'closed'    -- its standings are recorded
);

CREATE TABLE rounds (
    round_id      text PRIMARY KEY,
    tournament_id text NOT NULL REFERENCES tournaments,
    number        integer NOT NULL CHECK (number >= 1),
    type          round_type NOT NULL,
    status        round_status NOT NULL DEFAULT 'playing',
    drawn_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at     timestamptz,
    UNIQUE (tournament_id, number),
    CHECK ((status = 'closed') = (closed_at IS NOT NULL))
);
CREATE UNIQUE INDEX one_round_playing ON rounds (tournament_id) WHERE status = 'playing';

CREATE TABLE groups (
    group_id text PRIMARY KEY,
    round_id text NOT NULL REFERENCES rounds,
    position integer NOT NULL CHECK (position >= 1),
    UNIQUE (round_id, position),
    UNIQUE (group_id, round_id)
);

CREATE TABLE group_members (
    group_id   text NOT NULL,
    round_id   text NOT NULL,
    position   integer NOT NULL CHECK (position >= 1),
    contestant text NOT NULL,
    PRIMARY KEY (group_id, contestant),
    UNIQUE (group_id, position),
    UNIQUE (round_id, contestant),
    FOREIGN KEY (group_id, round_id) REFERENCES groups (group_id, round_id)
);
COMMENT ON TABLE group_members IS 'Who plays whom; everybody at most once in a round.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON group_members FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TYPE challenge_kind AS ENUM ('InstructTextTask', 'ChatTask', 'DpoTask', 'GrpoTask', 'ImageTask');

CREATE TYPE challenge_status AS ENUM (
    'planned',  -- drawn
    'ready',    -- its data are in the artifact store
    'failed'    -- it could not be prepared: ours, never a miner's
);

CREATE TABLE challenges (
    challenge_id text PRIMARY KEY,
    group_id     text NOT NULL REFERENCES groups,
    position     integer NOT NULL CHECK (position >= 1),
    kind         challenge_kind NOT NULL,
    status       challenge_status NOT NULL DEFAULT 'planned',
    plan         jsonb NOT NULL CHECK (plan ->> 'challenge_id' = challenge_id),
    data         jsonb,
    reason       text,
    UNIQUE (group_id, position),
    CHECK ((status = 'ready') = (data IS NOT NULL)),
    CHECK ((status = 'failed') = (reason IS NOT NULL))
);

CREATE TABLE round_results (
    round_id    text NOT NULL REFERENCES rounds,
    revision    integer NOT NULL CHECK (revision >= 1),
    recorded_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (round_id, revision)
);
COMMENT ON TABLE round_results IS 'Revision 1 closed the round; the newest one holds.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON round_results FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE standings (
    round_id   text NOT NULL,
    revision   integer NOT NULL,
    position   integer NOT NULL CHECK (position >= 1),
    group_id   text NOT NULL,
    contestant text NOT NULL,
    rank       integer NOT NULL CHECK (rank >= 1),
    loss       double precision CHECK (loss >= 0 AND loss < 'Infinity'),
    advances   boolean NOT NULL,
    reason     text,
    fault      fault,
    PRIMARY KEY (round_id, revision, contestant),
    UNIQUE (round_id, revision, position),
    FOREIGN KEY (round_id, revision) REFERENCES round_results,
    FOREIGN KEY (group_id, round_id) REFERENCES groups (group_id, round_id),
    FOREIGN KEY (group_id, contestant) REFERENCES group_members (group_id, contestant)
);
CREATE INDEX standings_group ON standings (group_id, contestant);
COMMENT ON COLUMN standings.loss IS 'Mean over the group''s challenges, nats per answer token; lower is better.';
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON standings FOR EACH ROW EXECUTE FUNCTION refuse_change();
