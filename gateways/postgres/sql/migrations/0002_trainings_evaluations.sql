-- The two kinds of work, and the container runs that were made for them.
-- The columns after `outcome` are taken from it, so that they can be asked for and never differ from it.

CREATE TYPE work_status AS ENUM (
    'queued',   -- nobody works on it
    'running',  -- the holder of `token` does
    'done'      -- it has its outcome, for good
);

CREATE TABLE trainings (
    training_id   text PRIMARY KEY,
    challenge_id  text NOT NULL REFERENCES challenges,
    contestant    text NOT NULL,
    hotkey        text NOT NULL,
    repository    text NOT NULL,
    "commit"      text NOT NULL CHECK ("commit" ~ '^[0-9a-f]{40}$'),
    tree          jsonb NOT NULL,
    status        work_status NOT NULL DEFAULT 'queued',
    token         bigint NOT NULL DEFAULT 0 CHECK (token >= 0),
    dispatches    integer NOT NULL DEFAULT 0 CHECK (dispatches >= 0),
    dispatched_at timestamptz,
    recorded_at   timestamptz,
    outcome       jsonb,
    outcome_type  text GENERATED ALWAYS AS (outcome ->> 'type') STORED,
    reason        text GENERATED ALWAYS AS (outcome ->> 'reason') STORED,
    fault         text GENERATED ALWAYS AS (outcome ->> 'fault') STORED,
    UNIQUE (challenge_id, contestant),
    UNIQUE (training_id, challenge_id),
    CHECK ((status = 'done') = (outcome IS NOT NULL)),
    CHECK ((status = 'done') = (recorded_at IS NOT NULL)),
    CHECK (status <> 'running' OR token > 0),
    CHECK (outcome IS NULL OR (outcome_type IS NOT NULL AND outcome_type IN ('trained', 'failed'))),
    CHECK (outcome_type <> 'trained' OR outcome ? 'checkpoint'),
    CHECK (outcome_type <> 'failed' OR (reason IS NOT NULL AND fault IS NOT NULL)),
    CHECK (fault IN ('miner', 'platform', 'chain'))
);
CREATE INDEX trainings_hotkey ON trainings (hotkey);
CREATE TRIGGER final BEFORE UPDATE ON trainings
    FOR EACH ROW WHEN (OLD.status = 'done') EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN trainings.contestant IS 'An entrant''s hotkey, or ''champion'' for the champion''s frozen code.';
COMMENT ON COLUMN trainings.token IS 'Fencing token of the newest lease that took it; older writers change nothing.';

CREATE TYPE evaluation_purpose AS ENUM (
    'tournament',    -- counts in the standings
    're-evaluation'  -- is shown beside another; supersedes nothing by itself
);

CREATE TABLE evaluations (
    evaluation_id text PRIMARY KEY,
    subject       text NOT NULL,
    number        integer NOT NULL CHECK (number >= 1),
    challenge_id  text NOT NULL REFERENCES challenges,
    training_id   text REFERENCES trainings,
    checkpoint    jsonb NOT NULL,
    purpose       evaluation_purpose NOT NULL,
    repeats       text REFERENCES evaluations,
    status        work_status NOT NULL DEFAULT 'queued',
    token         bigint NOT NULL DEFAULT 0 CHECK (token >= 0),
    dispatches    integer NOT NULL DEFAULT 0 CHECK (dispatches >= 0),
    dispatched_at timestamptz,
    recorded_at   timestamptz,
    outcome       jsonb,
    report        jsonb,
    outcome_type  text GENERATED ALWAYS AS (outcome ->> 'type') STORED,
    loss          double precision GENERATED ALWAYS AS ((outcome ->> 'loss')::double precision) STORED,
    reason        text GENERATED ALWAYS AS (outcome ->> 'reason') STORED,
    fault         text GENERATED ALWAYS AS (outcome ->> 'fault') STORED,
    UNIQUE (subject, number),
    FOREIGN KEY (training_id, challenge_id) REFERENCES trainings (training_id, challenge_id),
    CHECK (evaluation_id = subject || '-e' || number),
    CHECK (purpose <> 'tournament' OR training_id IS NOT NULL),
    CHECK ((status = 'done') = (outcome IS NOT NULL)),
    CHECK ((status = 'done') = (recorded_at IS NOT NULL)),
    CHECK (report IS NULL OR outcome IS NOT NULL),
    CHECK (status <> 'running' OR token > 0),
    CHECK (outcome IS NULL OR (outcome_type IS NOT NULL AND outcome_type IN ('scored', 'refused'))),
    CHECK (outcome_type <> 'scored' OR (loss IS NOT NULL AND loss >= 0 AND loss < 'Infinity')),
    CHECK (outcome_type <> 'refused' OR (reason IS NOT NULL AND fault IS NOT NULL)),
    CHECK (fault IN ('miner', 'platform', 'chain'))
);
CREATE INDEX evaluations_challenge ON evaluations (challenge_id);
CREATE INDEX evaluations_training ON evaluations (training_id);
CREATE INDEX evaluations_repeats ON evaluations (repeats);
CREATE TRIGGER final BEFORE UPDATE ON evaluations
    FOR EACH ROW WHEN (OLD.status = 'done') EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN evaluations.subject IS 'A training, or a local model on a challenge; names the evaluation.';
COMMENT ON COLUMN evaluations.loss IS 'Nats per answer token; lower is better.';

CREATE TYPE ending AS ENUM (
    'finished',          -- the entry point returned 0
    'time up',           -- our clock stopped it
    'out of memory',
    'output too large',
    'crashed',           -- non-zero, or a signal of its own making
    'killed',            -- SIGKILL of unknown origin
    'lost',              -- sandbox or supervisor vanished: ours
    'refused'            -- the engine would not start it: ours
);

CREATE TABLE attempts (
    training_id       text REFERENCES trainings,
    evaluation_id     text REFERENCES evaluations,
    subject_id        text GENERATED ALWAYS AS (coalesce(training_id, evaluation_id)) STORED,
    number            integer NOT NULL CHECK (number >= 1),
    token             bigint NOT NULL CHECK (token > 0),
    instance          text NOT NULL,
    slot              text,
    begun_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at        timestamptz,
    ended_at          timestamptz,
    ending            ending,
    exit_code         integer,
    fault             fault,
    detail            text NOT NULL DEFAULT '',
    peak_memory_bytes bigint CHECK (peak_memory_bytes >= 0),
    log               jsonb,
    PRIMARY KEY (subject_id, number),
    CHECK (num_nonnulls(training_id, evaluation_id) = 1),
    CHECK (ended_at IS NOT NULL OR num_nonnulls(ending, exit_code, fault, peak_memory_bytes, log) = 0)
);
CREATE UNIQUE INDEX one_open_attempt ON attempts (subject_id) WHERE ended_at IS NULL;
CREATE INDEX attempts_training ON attempts (training_id);
CREATE INDEX attempts_evaluation ON attempts (evaluation_id);
CREATE TRIGGER final BEFORE UPDATE ON attempts
    FOR EACH ROW WHEN (OLD.ended_at IS NOT NULL) EXECUTE FUNCTION refuse_change();
CREATE TRIGGER kept BEFORE DELETE ON attempts FOR EACH ROW EXECUTE FUNCTION refuse_change();
COMMENT ON COLUMN attempts.token IS 'Of the lease that opened it.';
COMMENT ON COLUMN attempts.ending IS 'None on an ended attempt: no container ran (a repository that does not build).';
