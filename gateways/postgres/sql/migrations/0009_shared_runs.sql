-- One container run may measure several evaluations of a challenge.

ALTER TABLE attempts ADD COLUMN shared_run text CHECK (shared_run IS NULL OR evaluation_id IS NOT NULL);
COMMENT ON COLUMN attempts.shared_run IS 'Name of the container run of another evaluation, which measures this one as well.';
CREATE INDEX attempts_shared_run ON attempts (shared_run) WHERE ended_at IS NULL;
