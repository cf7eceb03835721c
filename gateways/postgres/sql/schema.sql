-- The dump of all migrations; `python -m tests.postgres_server` writes it anew.

CREATE TYPE public.challenge_kind AS ENUM (
    'InstructTextTask',
    'ChatTask',
    'DpoTask',
    'GrpoTask',
    'ImageTask'
);

CREATE TYPE public.challenge_status AS ENUM (
    'planned',
    'ready',
    'failed'
);

CREATE TYPE public.ending AS ENUM (
    'finished',
    'time up',
    'out of memory',
    'output too large',
    'crashed',
    'killed',
    'lost',
    'refused'
);

CREATE TYPE public.entry_status AS ENUM (
    'accepted',
    'refused'
);

CREATE TYPE public.evaluation_purpose AS ENUM (
    'tournament',
    're-evaluation'
);

CREATE TYPE public.fault AS ENUM (
    'miner',
    'platform',
    'chain'
);

CREATE TYPE public.lease_kind AS ENUM (
    'slot',
    'exclusive'
);

CREATE TYPE public.ledger_kind AS ENUM (
    'deposit',
    'fee',
    'refund'
);

CREATE TYPE public.round_status AS ENUM (
    'playing',
    'closed',
    'superseded'
);

CREATE TYPE public.round_type AS ENUM (
    'group',
    'knockout',
    'title'
);

CREATE TYPE public.tournament_kind AS ENUM (
    'text',
    'image'
);

CREATE TYPE public.tournament_status AS ENUM (
    'collecting',
    'active',
    'halted',
    'finished',
    'cancelled'
);

CREATE TYPE public.work_status AS ENUM (
    'queued',
    'running',
    'done'
);

CREATE FUNCTION public.refuse_all_but_a_new_title() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
DECLARE
    may_differ CONSTANT text[] := '{title, title_revision, number}';  -- a generated number is not there yet in NEW
BEGIN
    IF NEW.title_revision = OLD.title_revision + 1 AND to_jsonb(NEW) - may_differ = to_jsonb(OLD) - may_differ THEN
        RETURN NEW;
    END IF;
    RAISE EXCEPTION 'what is recorded is not changed in %', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

CREATE FUNCTION public.refuse_change() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    RAISE EXCEPTION 'what is recorded is not changed in %', TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation';
END $$;

COMMENT ON FUNCTION public.refuse_change() IS 'Trigger of append-only tables and of rows that are final.';

CREATE FUNCTION public.refuse_refund_without_fee() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM ledger WHERE kind = 'fee' AND coldkey = NEW.coldkey AND hotkey = NEW.hotkey
                      AND tournament_id = NEW.tournament_id AND amount_rao = -NEW.amount_rao) THEN
        RAISE EXCEPTION 'coldkey % paid no fee of % rao for %', NEW.coldkey, NEW.amount_rao, NEW.hotkey
            USING ERRCODE = 'check_violation';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION public.refuse_uncovered_fee() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
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

CREATE TABLE public.attempts (
    training_id text,
    evaluation_id text,
    subject_id text GENERATED ALWAYS AS (COALESCE(training_id, evaluation_id)) STORED NOT NULL,
    number integer NOT NULL,
    token bigint NOT NULL,
    instance text NOT NULL,
    slot text,
    begun_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    started_at timestamp with time zone,
    ended_at timestamp with time zone,
    ending public.ending,
    exit_code integer,
    fault public.fault,
    detail text DEFAULT ''::text NOT NULL,
    peak_memory_bytes bigint,
    log jsonb,
    shared_run text,
    CONSTRAINT attempts_check CHECK ((num_nonnulls(training_id, evaluation_id) = 1)),
    CONSTRAINT attempts_check1 CHECK (((ended_at IS NOT NULL) OR (num_nonnulls(ending, exit_code, fault, peak_memory_bytes, log) = 0))),
    CONSTRAINT attempts_check2 CHECK (((shared_run IS NULL) OR (evaluation_id IS NOT NULL))),
    CONSTRAINT attempts_number_check CHECK ((number >= 1)),
    CONSTRAINT attempts_peak_memory_bytes_check CHECK ((peak_memory_bytes >= 0)),
    CONSTRAINT attempts_token_check CHECK ((token > 0))
);

COMMENT ON COLUMN public.attempts.token IS 'Of the lease that opened it.';

COMMENT ON COLUMN public.attempts.ending IS 'None on an ended attempt: no container ran (a repository that does not build).';

COMMENT ON COLUMN public.attempts.shared_run IS 'Name of the container run of another evaluation, which measures this one as well.';

CREATE TABLE public.chain_blocks (
    block_number bigint NOT NULL,
    hash text NOT NULL,
    produced_at timestamp with time zone NOT NULL,
    CONSTRAINT chain_blocks_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT chain_blocks_hash_check CHECK ((hash ~ '^[0-9a-f]{64}$'::text))
);

CREATE TABLE public.chain_commitments (
    commitment_id bigint NOT NULL,
    netuid integer NOT NULL,
    hotkey text NOT NULL,
    payload text NOT NULL,
    block_number bigint NOT NULL,
    CONSTRAINT chain_commitments_block_number_check CHECK ((block_number >= 0))
);

ALTER TABLE public.chain_commitments ALTER COLUMN commitment_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.chain_commitments_commitment_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.chain_genesis (
    only_row boolean DEFAULT true NOT NULL,
    started_at timestamp with time zone NOT NULL,
    seed text NOT NULL,
    CONSTRAINT chain_genesis_only_row_check CHECK (only_row)
);

COMMENT ON TABLE public.chain_genesis IS 'When block 0 was made, and what the hashes come from.';

CREATE TABLE public.chain_registrations (
    registration_id bigint NOT NULL,
    netuid integer NOT NULL,
    uid integer NOT NULL,
    hotkey text NOT NULL,
    coldkey text NOT NULL,
    stake_rao bigint NOT NULL,
    block_number bigint NOT NULL,
    CONSTRAINT chain_registrations_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT chain_registrations_hotkey_check CHECK ((hotkey <> ''::text)),
    CONSTRAINT chain_registrations_netuid_check CHECK ((netuid >= 0)),
    CONSTRAINT chain_registrations_stake_rao_check CHECK ((stake_rao >= 0)),
    CONSTRAINT chain_registrations_uid_check CHECK (((uid >= 0) AND (uid <= 65535)))
);

COMMENT ON TABLE public.chain_registrations IS 'Who is registered, with which stake, from this block on.';

ALTER TABLE public.chain_registrations ALTER COLUMN registration_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.chain_registrations_registration_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.chain_transfers (
    number bigint NOT NULL,
    sender text NOT NULL,
    receiver text NOT NULL,
    amount_rao bigint NOT NULL,
    block_number bigint NOT NULL,
    CONSTRAINT chain_transfers_amount_rao_check CHECK ((amount_rao > 0)),
    CONSTRAINT chain_transfers_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT chain_transfers_receiver_check CHECK ((receiver <> ''::text)),
    CONSTRAINT chain_transfers_sender_check CHECK ((sender <> ''::text))
);

ALTER TABLE public.chain_transfers ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.chain_transfers_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.chain_weights (
    setting_id bigint NOT NULL,
    netuid integer NOT NULL,
    block_number bigint NOT NULL,
    version_key bigint NOT NULL,
    weights jsonb NOT NULL,
    CONSTRAINT chain_weights_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT chain_weights_weights_check CHECK ((jsonb_typeof(weights) = 'object'::text))
);

COMMENT ON COLUMN public.chain_weights.weights IS 'uid → u16.';

ALTER TABLE public.chain_weights ALTER COLUMN setting_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.chain_weights_setting_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.challenges (
    challenge_id text NOT NULL,
    group_id text NOT NULL,
    "position" integer NOT NULL,
    kind public.challenge_kind NOT NULL,
    status public.challenge_status DEFAULT 'planned'::public.challenge_status NOT NULL,
    plan jsonb NOT NULL,
    data jsonb,
    reason text,
    CONSTRAINT challenges_check CHECK (((plan ->> 'challenge_id'::text) = challenge_id)),
    CONSTRAINT challenges_check1 CHECK (((status = 'ready'::public.challenge_status) = (data IS NOT NULL))),
    CONSTRAINT challenges_check2 CHECK (((status = 'failed'::public.challenge_status) = (reason IS NOT NULL))),
    CONSTRAINT challenges_position_check CHECK (("position" >= 1))
);

CREATE TABLE public.disqualifications (
    tournament_id text NOT NULL,
    hotkey text NOT NULL,
    reason text NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT disqualifications_reason_check CHECK ((reason <> ''::text))
);

COMMENT ON TABLE public.disqualifications IS 'Entrants whose results do not count, found after the entries were judged.';

CREATE TABLE public.entries (
    tournament_id text NOT NULL,
    "position" integer NOT NULL,
    hotkey text NOT NULL,
    coldkey text NOT NULL,
    stake_rao bigint NOT NULL,
    repository text NOT NULL,
    commit text NOT NULL,
    registered_block bigint NOT NULL,
    tree jsonb,
    status public.entry_status NOT NULL,
    reason text,
    fault public.fault,
    CONSTRAINT entries_check CHECK (((status = 'refused'::public.entry_status) OR ((tree IS NOT NULL) AND (commit ~ '^[0-9a-f]{40}$'::text)))),
    CONSTRAINT entries_check1 CHECK (((status = 'refused'::public.entry_status) = (reason IS NOT NULL))),
    CONSTRAINT entries_check2 CHECK (((status = 'refused'::public.entry_status) OR (fault IS NULL))),
    CONSTRAINT entries_hotkey_check CHECK ((hotkey <> ALL (ARRAY[''::text, 'champion'::text, 'mirror'::text]))),
    CONSTRAINT entries_position_check CHECK (("position" >= 1)),
    CONSTRAINT entries_stake_rao_check CHECK ((stake_rao >= 0))
);

CREATE TABLE public.evaluations (
    evaluation_id text NOT NULL,
    subject text NOT NULL,
    number integer NOT NULL,
    challenge_id text NOT NULL,
    training_id text,
    checkpoint jsonb NOT NULL,
    purpose public.evaluation_purpose NOT NULL,
    repeats text,
    status public.work_status DEFAULT 'queued'::public.work_status NOT NULL,
    token bigint DEFAULT 0 NOT NULL,
    dispatches integer DEFAULT 0 NOT NULL,
    dispatched_at timestamp with time zone,
    recorded_at timestamp with time zone,
    outcome jsonb,
    report jsonb,
    outcome_type text GENERATED ALWAYS AS ((outcome ->> 'type'::text)) STORED,
    reason text GENERATED ALWAYS AS ((outcome ->> 'reason'::text)) STORED,
    fault text GENERATED ALWAYS AS ((outcome ->> 'fault'::text)) STORED,
    value double precision GENERATED ALWAYS AS (((outcome ->> 'value'::text))::double precision) STORED,
    counted_from integer DEFAULT 1 NOT NULL,
    CONSTRAINT evaluations_check CHECK ((evaluation_id = ((subject || '-e'::text) || number))),
    CONSTRAINT evaluations_check1 CHECK (((purpose <> 'tournament'::public.evaluation_purpose) OR (training_id IS NOT NULL))),
    CONSTRAINT evaluations_check2 CHECK (((status = 'done'::public.work_status) = (outcome IS NOT NULL))),
    CONSTRAINT evaluations_check3 CHECK (((status = 'done'::public.work_status) = (recorded_at IS NOT NULL))),
    CONSTRAINT evaluations_check4 CHECK (((report IS NULL) OR (outcome IS NOT NULL))),
    CONSTRAINT evaluations_check5 CHECK (((status <> 'running'::public.work_status) OR (token > 0))),
    CONSTRAINT evaluations_check6 CHECK (((outcome IS NULL) OR ((outcome_type IS NOT NULL) AND (outcome_type = ANY (ARRAY['scored'::text, 'refused'::text]))))),
    CONSTRAINT evaluations_check8 CHECK (((outcome_type <> 'refused'::text) OR ((reason IS NOT NULL) AND (fault IS NOT NULL)))),
    CONSTRAINT evaluations_counted_from_check CHECK ((counted_from >= 1)),
    CONSTRAINT evaluations_dispatches_check CHECK ((dispatches >= 0)),
    CONSTRAINT evaluations_fault_check CHECK ((fault = ANY (ARRAY['miner'::text, 'platform'::text, 'chain'::text]))),
    CONSTRAINT evaluations_number_check CHECK ((number >= 1)),
    CONSTRAINT evaluations_token_check CHECK ((token >= 0)),
    CONSTRAINT evaluations_value_check CHECK (((outcome_type <> 'scored'::text) OR ((value IS NOT NULL) AND (value > '-Infinity'::double precision) AND (value < 'Infinity'::double precision))))
);

COMMENT ON COLUMN public.evaluations.subject IS 'A training, or a local model on a challenge; names the evaluation.';

COMMENT ON COLUMN public.evaluations.value IS 'A loss or a score; the challenge''s kind says which way it is better.';

COMMENT ON COLUMN public.evaluations.counted_from IS 'First attempt that counts, as a training''s.';

CREATE TABLE public.events (
    event_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    subject text NOT NULL,
    event text NOT NULL,
    details jsonb DEFAULT '{}'::jsonb NOT NULL,
    CONSTRAINT events_details_check CHECK ((jsonb_typeof(details) = 'object'::text)),
    CONSTRAINT events_event_check CHECK ((event <> ''::text)),
    CONSTRAINT events_subject_check CHECK ((subject ~ '^[a-z]+:.'::text))
);

ALTER TABLE public.events ALTER COLUMN event_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.events_event_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.group_members (
    group_id text NOT NULL,
    round_id text NOT NULL,
    "position" integer NOT NULL,
    contestant text NOT NULL,
    CONSTRAINT group_members_position_check CHECK (("position" >= 1))
);

COMMENT ON TABLE public.group_members IS 'Who plays whom; everybody at most once in a round.';

CREATE TABLE public.groups (
    group_id text NOT NULL,
    round_id text NOT NULL,
    "position" integer NOT NULL,
    CONSTRAINT groups_position_check CHECK (("position" >= 1))
);

CREATE SEQUENCE public.lease_tokens
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

COMMENT ON SEQUENCE public.lease_tokens IS 'Fencing tokens; they only ever grow.';

CREATE TABLE public.leases (
    resource text NOT NULL,
    kind public.lease_kind NOT NULL,
    instance text,
    device text,
    owner text,
    holder text,
    token bigint,
    acquired_at timestamp with time zone,
    heartbeat_at timestamp with time zone,
    expires_at timestamp with time zone,
    CONSTRAINT leases_check CHECK ((num_nonnulls(owner, holder, token, acquired_at, heartbeat_at, expires_at) = ANY (ARRAY[0, 6]))),
    CONSTRAINT leases_check1 CHECK (((kind = 'slot'::public.lease_kind) = (instance IS NOT NULL))),
    CONSTRAINT leases_check2 CHECK (((kind = 'slot'::public.lease_kind) OR ((owner IS NOT NULL) AND (device IS NULL) AND (resource = ('exclusive/'::text || owner)))))
);

COMMENT ON COLUMN public.leases.owner IS 'For whom: a training, an evaluation, a tournament.';

COMMENT ON COLUMN public.leases.holder IS 'By whom: one flow run.';

CREATE TABLE public.ledger (
    entry_id bigint NOT NULL,
    at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    coldkey text NOT NULL,
    kind public.ledger_kind NOT NULL,
    amount_rao bigint NOT NULL,
    transfer_id text,
    block_number bigint,
    tournament_id text,
    hotkey text,
    CONSTRAINT ledger_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT ledger_check CHECK (
CASE kind
    WHEN 'fee'::public.ledger_kind THEN (amount_rao < 0)
    ELSE (amount_rao > 0)
END),
    CONSTRAINT ledger_check1 CHECK ((num_nonnulls(transfer_id, block_number) =
CASE kind
    WHEN 'deposit'::public.ledger_kind THEN 2
    ELSE 0
END)),
    CONSTRAINT ledger_check2 CHECK ((num_nonnulls(tournament_id, hotkey) =
CASE kind
    WHEN 'deposit'::public.ledger_kind THEN 0
    ELSE 2
END)),
    CONSTRAINT ledger_coldkey_check CHECK ((coldkey <> ''::text))
);

COMMENT ON TABLE public.ledger IS 'The balance of a coldkey is the sum of its rows.';

COMMENT ON COLUMN public.ledger.block_number IS 'Of the transfer.';

CREATE TABLE public.ledger_cursors (
    address text NOT NULL,
    read_until bigint DEFAULT '-1'::integer NOT NULL,
    CONSTRAINT ledger_cursors_address_check CHECK ((address <> ''::text)),
    CONSTRAINT ledger_cursors_read_until_check CHECK ((read_until >= '-1'::integer))
);

COMMENT ON TABLE public.ledger_cursors IS 'Up to which block all transfers to an address are in the ledger.';

ALTER TABLE public.ledger ALTER COLUMN entry_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.ledger_entry_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.round_results (
    round_id text NOT NULL,
    revision integer NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT round_results_revision_check CHECK ((revision >= 1))
);

COMMENT ON TABLE public.round_results IS 'Revision 1 closed the round; the newest one holds.';

CREATE TABLE public.rounds (
    round_id text NOT NULL,
    tournament_id text NOT NULL,
    number integer NOT NULL,
    type public.round_type NOT NULL,
    status public.round_status DEFAULT 'playing'::public.round_status NOT NULL,
    drawn_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    closed_at timestamp with time zone,
    failures_accepted boolean DEFAULT false NOT NULL,
    CONSTRAINT rounds_closed_at_check CHECK (
CASE status
    WHEN 'closed'::public.round_status THEN (closed_at IS NOT NULL)
    WHEN 'playing'::public.round_status THEN (closed_at IS NULL)
    ELSE true
END),
    CONSTRAINT rounds_number_check CHECK ((number >= 1))
);

COMMENT ON COLUMN public.rounds.failures_accepted IS 'It may be closed although our side failed at most of its trainings.';

CREATE TABLE public.schema_migrations (
    name text NOT NULL,
    checksum text NOT NULL,
    applied_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL
);

CREATE TABLE public.standings (
    round_id text NOT NULL,
    revision integer NOT NULL,
    "position" integer NOT NULL,
    group_id text NOT NULL,
    contestant text NOT NULL,
    rank integer NOT NULL,
    value double precision,
    advances boolean NOT NULL,
    reason text,
    fault public.fault,
    gap jsonb,
    CONSTRAINT standings_gap_check CHECK ((jsonb_typeof(gap) = 'object'::text)),
    CONSTRAINT standings_position_check CHECK (("position" >= 1)),
    CONSTRAINT standings_rank_check CHECK ((rank >= 1)),
    CONSTRAINT standings_value_check CHECK (((value > '-Infinity'::double precision) AND (value < 'Infinity'::double precision)))
);

COMMENT ON COLUMN public.standings.value IS 'Mean of the measured values over the group''s challenges.';

CREATE TABLE public.titles (
    tournament_id text NOT NULL,
    revision integer NOT NULL,
    title jsonb NOT NULL,
    recorded_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    CONSTRAINT titles_revision_check CHECK ((revision >= 1))
);

COMMENT ON TABLE public.titles IS 'Revision 1 finished the tournament; the newest one holds.';

CREATE TABLE public.tournaments (
    tournament_id text NOT NULL,
    kind public.tournament_kind NOT NULL,
    number integer GENERATED ALWAYS AS (("substring"(tournament_id, '[0-9]+$'::text))::integer) STORED,
    status public.tournament_status DEFAULT 'collecting'::public.tournament_status NOT NULL,
    netuid integer NOT NULL,
    rules jsonb NOT NULL,
    opened_block bigint NOT NULL,
    closing_block bigint NOT NULL,
    seed text,
    champion jsonb NOT NULL,
    title jsonb,
    reason text,
    opened_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    finished_at timestamp with time zone,
    cancelled_at timestamp with time zone,
    halted jsonb,
    title_revision integer DEFAULT 0 NOT NULL,
    CONSTRAINT tournaments_cancelled_at_check CHECK (((status = 'cancelled'::public.tournament_status) = (cancelled_at IS NOT NULL))),
    CONSTRAINT tournaments_check CHECK ((closing_block >= opened_block)),
    CONSTRAINT tournaments_check1 CHECK ((split_part(tournament_id, '-'::text, 1) = (kind)::text)),
    CONSTRAINT tournaments_check2 CHECK (((seed IS NOT NULL) OR (status = ANY (ARRAY['collecting'::public.tournament_status, 'cancelled'::public.tournament_status])))),
    CONSTRAINT tournaments_check3 CHECK (((seed IS NULL) OR (status <> 'collecting'::public.tournament_status))),
    CONSTRAINT tournaments_check4 CHECK (((status = 'finished'::public.tournament_status) = (title IS NOT NULL))),
    CONSTRAINT tournaments_check5 CHECK (((status = 'finished'::public.tournament_status) = (finished_at IS NOT NULL))),
    CONSTRAINT tournaments_check6 CHECK (((status = ANY (ARRAY['halted'::public.tournament_status, 'cancelled'::public.tournament_status])) = (reason IS NOT NULL))),
    CONSTRAINT tournaments_decide_by_block_check CHECK (((halted IS NULL) OR COALESCE((((halted ->> 'decide_by_block'::text))::bigint >= 0), false))),
    CONSTRAINT tournaments_halt_cause_check CHECK (((halted IS NULL) OR COALESCE(((halted ->> 'cause'::text) = ANY (ARRAY['preparation'::text, 'platform'::text, 'failures'::text])), false))),
    CONSTRAINT tournaments_halted_check CHECK (((status = 'halted'::public.tournament_status) = (halted IS NOT NULL))),
    CONSTRAINT tournaments_netuid_check CHECK ((netuid >= 0)),
    CONSTRAINT tournaments_opened_block_check CHECK ((opened_block >= 0)),
    CONSTRAINT tournaments_seed_check CHECK ((seed ~ '^[0-9a-f]{64}$'::text)),
    CONSTRAINT tournaments_title_revision_check CHECK (((title_revision >= 0) AND ((title_revision = 0) = (title IS NULL)))),
    CONSTRAINT tournaments_tournament_id_check CHECK ((tournament_id ~ '^(text|image)-[0-9]{4,9}$'::text))
);

COMMENT ON COLUMN public.tournaments.rules IS 'The rule set in force, copied when the tournament opened.';

COMMENT ON COLUMN public.tournaments.champion IS 'Who defends, as of the opening.';

COMMENT ON COLUMN public.tournaments.title IS 'Its newest revision; all of them are in titles.';

COMMENT ON COLUMN public.tournaments.halted IS 'Why an operator has to decide, and by which block.';

CREATE TABLE public.trainings (
    training_id text NOT NULL,
    challenge_id text NOT NULL,
    contestant text NOT NULL,
    hotkey text NOT NULL,
    repository text NOT NULL,
    commit text NOT NULL,
    tree jsonb NOT NULL,
    status public.work_status DEFAULT 'queued'::public.work_status NOT NULL,
    token bigint DEFAULT 0 NOT NULL,
    dispatches integer DEFAULT 0 NOT NULL,
    dispatched_at timestamp with time zone,
    recorded_at timestamp with time zone,
    outcome jsonb,
    outcome_type text GENERATED ALWAYS AS ((outcome ->> 'type'::text)) STORED,
    reason text GENERATED ALWAYS AS ((outcome ->> 'reason'::text)) STORED,
    fault text GENERATED ALWAYS AS ((outcome ->> 'fault'::text)) STORED,
    counted_from integer DEFAULT 1 NOT NULL,
    CONSTRAINT trainings_check CHECK (((status = 'done'::public.work_status) = (outcome IS NOT NULL))),
    CONSTRAINT trainings_check1 CHECK (((status = 'done'::public.work_status) = (recorded_at IS NOT NULL))),
    CONSTRAINT trainings_check2 CHECK (((status <> 'running'::public.work_status) OR (token > 0))),
    CONSTRAINT trainings_check3 CHECK (((outcome IS NULL) OR ((outcome_type IS NOT NULL) AND (outcome_type = ANY (ARRAY['trained'::text, 'failed'::text]))))),
    CONSTRAINT trainings_check4 CHECK (((outcome_type <> 'trained'::text) OR (outcome ? 'checkpoint'::text))),
    CONSTRAINT trainings_check5 CHECK (((outcome_type <> 'failed'::text) OR ((reason IS NOT NULL) AND (fault IS NOT NULL)))),
    CONSTRAINT trainings_commit_check CHECK ((commit ~ '^[0-9a-f]{40}$'::text)),
    CONSTRAINT trainings_counted_from_check CHECK ((counted_from >= 1)),
    CONSTRAINT trainings_dispatches_check CHECK ((dispatches >= 0)),
    CONSTRAINT trainings_fault_check CHECK ((fault = ANY (ARRAY['miner'::text, 'platform'::text, 'chain'::text]))),
    CONSTRAINT trainings_token_check CHECK ((token >= 0))
);

COMMENT ON COLUMN public.trainings.contestant IS 'An entrant''s hotkey, or ''champion'' for the champion''s frozen code.';

COMMENT ON COLUMN public.trainings.token IS 'Fencing token of the newest lease that took it; older writers change nothing.';

COMMENT ON COLUMN public.trainings.counted_from IS 'First attempt that counts; an operator''s resume forgives those before it.';

CREATE TABLE public.weight_settings (
    setting_id text NOT NULL,
    planned_order bigint NOT NULL,
    netuid integer NOT NULL,
    policy text NOT NULL,
    evidence jsonb NOT NULL,
    evidence_sha256 text GENERATED ALWAYS AS ((evidence ->> 'sha256'::text)) STORED NOT NULL,
    weights jsonb NOT NULL,
    planned_at timestamp with time zone DEFAULT clock_timestamp() NOT NULL,
    block_number bigint,
    receipt jsonb,
    confirmed_at timestamp with time zone,
    CONSTRAINT weight_settings_block_number_check CHECK ((block_number >= 0)),
    CONSTRAINT weight_settings_check CHECK ((num_nonnulls(block_number, receipt, confirmed_at) = ANY (ARRAY[0, 3]))),
    CONSTRAINT weight_settings_netuid_check CHECK ((netuid >= 0)),
    CONSTRAINT weight_settings_weights_check CHECK ((jsonb_typeof(weights) = 'object'::text))
);

COMMENT ON COLUMN public.weight_settings.weights IS 'Hotkey → exact decimal, as it was derived from the evidence.';

ALTER TABLE public.weight_settings ALTER COLUMN planned_order ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.weight_settings_planned_order_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_pkey PRIMARY KEY (subject_id, number);

ALTER TABLE ONLY public.chain_blocks
    ADD CONSTRAINT chain_blocks_hash_key UNIQUE (hash);

ALTER TABLE ONLY public.chain_blocks
    ADD CONSTRAINT chain_blocks_pkey PRIMARY KEY (block_number);

ALTER TABLE ONLY public.chain_commitments
    ADD CONSTRAINT chain_commitments_pkey PRIMARY KEY (commitment_id);

ALTER TABLE ONLY public.chain_genesis
    ADD CONSTRAINT chain_genesis_pkey PRIMARY KEY (only_row);

ALTER TABLE ONLY public.chain_registrations
    ADD CONSTRAINT chain_registrations_pkey PRIMARY KEY (registration_id);

ALTER TABLE ONLY public.chain_transfers
    ADD CONSTRAINT chain_transfers_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.chain_weights
    ADD CONSTRAINT chain_weights_pkey PRIMARY KEY (setting_id);

ALTER TABLE ONLY public.challenges
    ADD CONSTRAINT challenges_group_id_position_key UNIQUE (group_id, "position");

ALTER TABLE ONLY public.challenges
    ADD CONSTRAINT challenges_pkey PRIMARY KEY (challenge_id);

ALTER TABLE ONLY public.disqualifications
    ADD CONSTRAINT disqualifications_pkey PRIMARY KEY (tournament_id, hotkey);

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_pkey PRIMARY KEY (tournament_id, hotkey);

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_tournament_id_position_key UNIQUE (tournament_id, "position");

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_pkey PRIMARY KEY (evaluation_id);

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_subject_number_key UNIQUE (subject, number);

ALTER TABLE ONLY public.events
    ADD CONSTRAINT events_pkey PRIMARY KEY (event_id);

ALTER TABLE ONLY public.group_members
    ADD CONSTRAINT group_members_group_id_position_key UNIQUE (group_id, "position");

ALTER TABLE ONLY public.group_members
    ADD CONSTRAINT group_members_pkey PRIMARY KEY (group_id, contestant);

ALTER TABLE ONLY public.group_members
    ADD CONSTRAINT group_members_round_id_contestant_key UNIQUE (round_id, contestant);

ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_group_id_round_id_key UNIQUE (group_id, round_id);

ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_pkey PRIMARY KEY (group_id);

ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_round_id_position_key UNIQUE (round_id, "position");

ALTER TABLE ONLY public.leases
    ADD CONSTRAINT leases_pkey PRIMARY KEY (resource);

ALTER TABLE ONLY public.ledger_cursors
    ADD CONSTRAINT ledger_cursors_pkey PRIMARY KEY (address);

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT ledger_pkey PRIMARY KEY (entry_id);

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT ledger_tournament_id_hotkey_kind_key UNIQUE (tournament_id, hotkey, kind);

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT ledger_transfer_id_key UNIQUE (transfer_id);

ALTER TABLE ONLY public.round_results
    ADD CONSTRAINT round_results_pkey PRIMARY KEY (round_id, revision);

ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_pkey PRIMARY KEY (round_id);

ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_tournament_id_number_key UNIQUE (tournament_id, number);

ALTER TABLE ONLY public.schema_migrations
    ADD CONSTRAINT schema_migrations_pkey PRIMARY KEY (name);

ALTER TABLE ONLY public.standings
    ADD CONSTRAINT standings_pkey PRIMARY KEY (round_id, revision, contestant);

ALTER TABLE ONLY public.standings
    ADD CONSTRAINT standings_round_id_revision_position_key UNIQUE (round_id, revision, "position");

ALTER TABLE ONLY public.titles
    ADD CONSTRAINT titles_pkey PRIMARY KEY (tournament_id, revision);

ALTER TABLE ONLY public.tournaments
    ADD CONSTRAINT tournaments_kind_number_key UNIQUE (kind, number);

ALTER TABLE ONLY public.tournaments
    ADD CONSTRAINT tournaments_pkey PRIMARY KEY (tournament_id);

ALTER TABLE ONLY public.trainings
    ADD CONSTRAINT trainings_challenge_id_contestant_key UNIQUE (challenge_id, contestant);

ALTER TABLE ONLY public.trainings
    ADD CONSTRAINT trainings_pkey PRIMARY KEY (training_id);

ALTER TABLE ONLY public.trainings
    ADD CONSTRAINT trainings_training_id_challenge_id_key UNIQUE (training_id, challenge_id);

ALTER TABLE ONLY public.weight_settings
    ADD CONSTRAINT weight_settings_evidence_sha256_key UNIQUE (evidence_sha256);

ALTER TABLE ONLY public.weight_settings
    ADD CONSTRAINT weight_settings_pkey PRIMARY KEY (setting_id);

ALTER TABLE ONLY public.weight_settings
    ADD CONSTRAINT weight_settings_planned_order_key UNIQUE (planned_order);

CREATE INDEX attempts_evaluation ON public.attempts USING btree (evaluation_id);

CREATE INDEX attempts_shared_run ON public.attempts USING btree (shared_run) WHERE (ended_at IS NULL);

CREATE INDEX attempts_training ON public.attempts USING btree (training_id);

CREATE INDEX chain_commitments_newest ON public.chain_commitments USING btree (netuid, hotkey, block_number DESC, commitment_id DESC);

CREATE INDEX chain_registrations_hotkey ON public.chain_registrations USING btree (netuid, hotkey);

CREATE INDEX chain_registrations_newest ON public.chain_registrations USING btree (netuid, uid, block_number DESC, registration_id DESC);

CREATE INDEX chain_transfers_receiver ON public.chain_transfers USING btree (receiver, block_number);

CREATE INDEX chain_weights_newest ON public.chain_weights USING btree (netuid, setting_id DESC);

CREATE INDEX evaluations_challenge ON public.evaluations USING btree (challenge_id);

CREATE INDEX evaluations_repeats ON public.evaluations USING btree (repeats);

CREATE INDEX evaluations_training ON public.evaluations USING btree (training_id);

CREATE INDEX events_subject ON public.events USING btree (subject, event_id);

CREATE INDEX leases_owner ON public.leases USING btree (owner);

CREATE INDEX leases_token ON public.leases USING btree (token);

CREATE INDEX ledger_coldkey ON public.ledger USING btree (coldkey, entry_id);

CREATE UNIQUE INDEX one_open_attempt ON public.attempts USING btree (subject_id) WHERE (ended_at IS NULL);

CREATE UNIQUE INDEX one_open_tournament_per_kind ON public.tournaments USING btree (kind) WHERE (status = ANY (ARRAY['collecting'::public.tournament_status, 'active'::public.tournament_status, 'halted'::public.tournament_status]));

CREATE UNIQUE INDEX one_round_playing ON public.rounds USING btree (tournament_id) WHERE (status = 'playing'::public.round_status);

CREATE INDEX standings_group ON public.standings USING btree (group_id, contestant);

CREATE INDEX trainings_hotkey ON public.trainings USING btree (hotkey);

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.chain_blocks FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.chain_commitments FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.chain_registrations FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.chain_transfers FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.chain_weights FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.disqualifications FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.entries FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.events FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.group_members FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.ledger FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.round_results FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.standings FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only BEFORE DELETE OR UPDATE ON public.titles FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.events FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER append_only_truncate BEFORE TRUNCATE ON public.ledger FOR EACH STATEMENT EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER covered BEFORE INSERT ON public.ledger FOR EACH ROW WHEN ((new.kind = 'fee'::public.ledger_kind)) EXECUTE FUNCTION public.refuse_uncovered_fee();

CREATE TRIGGER final BEFORE UPDATE ON public.attempts FOR EACH ROW WHEN ((old.ended_at IS NOT NULL)) EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER final BEFORE UPDATE ON public.evaluations FOR EACH ROW WHEN (((old.status = 'done'::public.work_status) AND (((old.outcome ->> 'fault'::text) IS DISTINCT FROM 'platform'::text) OR (new.status <> 'queued'::public.work_status)))) EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER final BEFORE UPDATE ON public.tournaments FOR EACH ROW WHEN ((old.status = 'cancelled'::public.tournament_status)) EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER final BEFORE UPDATE ON public.trainings FOR EACH ROW WHEN (((old.status = 'done'::public.work_status) AND (((old.outcome ->> 'fault'::text) IS DISTINCT FROM 'platform'::text) OR (new.status <> 'queued'::public.work_status)))) EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER final BEFORE UPDATE ON public.weight_settings FOR EACH ROW WHEN ((old.block_number IS NOT NULL)) EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER final_but_for_the_title BEFORE UPDATE ON public.tournaments FOR EACH ROW WHEN ((old.status = 'finished'::public.tournament_status)) EXECUTE FUNCTION public.refuse_all_but_a_new_title();

CREATE TRIGGER kept BEFORE DELETE ON public.attempts FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER kept BEFORE DELETE ON public.weight_settings FOR EACH ROW EXECUTE FUNCTION public.refuse_change();

CREATE TRIGGER paid_before BEFORE INSERT ON public.ledger FOR EACH ROW WHEN ((new.kind = 'refund'::public.ledger_kind)) EXECUTE FUNCTION public.refuse_refund_without_fee();

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_evaluation_id_fkey FOREIGN KEY (evaluation_id) REFERENCES public.evaluations(evaluation_id);

ALTER TABLE ONLY public.attempts
    ADD CONSTRAINT attempts_training_id_fkey FOREIGN KEY (training_id) REFERENCES public.trainings(training_id);

ALTER TABLE ONLY public.challenges
    ADD CONSTRAINT challenges_group_id_fkey FOREIGN KEY (group_id) REFERENCES public.groups(group_id);

ALTER TABLE ONLY public.disqualifications
    ADD CONSTRAINT disqualifications_tournament_id_hotkey_fkey FOREIGN KEY (tournament_id, hotkey) REFERENCES public.entries(tournament_id, hotkey);

ALTER TABLE ONLY public.entries
    ADD CONSTRAINT entries_tournament_id_fkey FOREIGN KEY (tournament_id) REFERENCES public.tournaments(tournament_id);

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_challenge_id_fkey FOREIGN KEY (challenge_id) REFERENCES public.challenges(challenge_id);

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_repeats_fkey FOREIGN KEY (repeats) REFERENCES public.evaluations(evaluation_id);

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_training_id_challenge_id_fkey FOREIGN KEY (training_id, challenge_id) REFERENCES public.trainings(training_id, challenge_id);

ALTER TABLE ONLY public.evaluations
    ADD CONSTRAINT evaluations_training_id_fkey FOREIGN KEY (training_id) REFERENCES public.trainings(training_id);

ALTER TABLE ONLY public.group_members
    ADD CONSTRAINT group_members_group_id_round_id_fkey FOREIGN KEY (group_id, round_id) REFERENCES public.groups(group_id, round_id);

ALTER TABLE ONLY public.groups
    ADD CONSTRAINT groups_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(round_id);

ALTER TABLE ONLY public.ledger
    ADD CONSTRAINT ledger_tournament_id_hotkey_fkey FOREIGN KEY (tournament_id, hotkey) REFERENCES public.entries(tournament_id, hotkey);

ALTER TABLE ONLY public.round_results
    ADD CONSTRAINT round_results_round_id_fkey FOREIGN KEY (round_id) REFERENCES public.rounds(round_id);

ALTER TABLE ONLY public.rounds
    ADD CONSTRAINT rounds_tournament_id_fkey FOREIGN KEY (tournament_id) REFERENCES public.tournaments(tournament_id);

ALTER TABLE ONLY public.standings
    ADD CONSTRAINT standings_group_id_contestant_fkey FOREIGN KEY (group_id, contestant) REFERENCES public.group_members(group_id, contestant);

ALTER TABLE ONLY public.standings
    ADD CONSTRAINT standings_group_id_round_id_fkey FOREIGN KEY (group_id, round_id) REFERENCES public.groups(group_id, round_id);

ALTER TABLE ONLY public.standings
    ADD CONSTRAINT standings_round_id_revision_fkey FOREIGN KEY (round_id, revision) REFERENCES public.round_results(round_id, revision);

ALTER TABLE ONLY public.titles
    ADD CONSTRAINT titles_tournament_id_fkey FOREIGN KEY (tournament_id) REFERENCES public.tournaments(tournament_id);

ALTER TABLE ONLY public.trainings
    ADD CONSTRAINT trainings_challenge_id_fkey FOREIGN KEY (challenge_id) REFERENCES public.challenges(challenge_id);
