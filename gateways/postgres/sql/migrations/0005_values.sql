-- Measured values of either direction, gaps in the standings, and the champion's mirror. What is recorded says the same
-- under the new names.

ALTER TABLE entries DROP CONSTRAINT entries_hotkey_check;
ALTER TABLE entries ADD CONSTRAINT entries_hotkey_check CHECK (hotkey NOT IN ('', 'champion', 'mirror'));

ALTER TABLE standings DROP CONSTRAINT standings_loss_check;
ALTER TABLE standings RENAME COLUMN loss TO value;
ALTER TABLE standings ADD CONSTRAINT standings_value_check CHECK (value > '-Infinity' AND value < 'Infinity');
ALTER TABLE standings ADD COLUMN gap jsonb CHECK (jsonb_typeof(gap) = 'object');
COMMENT ON COLUMN standings.value IS 'Mean of the measured values over the group''s challenges.';

ALTER TABLE evaluations DROP COLUMN loss;
ALTER TABLE evaluations DISABLE TRIGGER final;
UPDATE evaluations SET outcome = outcome - 'loss' || jsonb_build_object('value', outcome -> 'loss')
 WHERE outcome ? 'loss';
ALTER TABLE evaluations ENABLE TRIGGER final;
ALTER TABLE evaluations
    ADD COLUMN value double precision GENERATED ALWAYS AS ((outcome ->> 'value')::double precision) STORED,
    ADD CONSTRAINT evaluations_value_check
        CHECK (outcome_type <> 'scored' OR (value IS NOT NULL AND value > '-Infinity' AND value < 'Infinity'));
COMMENT ON COLUMN evaluations.value IS 'A loss or a score; the challenge''s kind says which way it is better.';

ALTER TABLE tournaments DISABLE TRIGGER final;
UPDATE tournaments
   SET title = jsonb_set(title, '{challenges}', (
           SELECT coalesce(jsonb_agg(
                      c - 'champion_loss' - 'challenger_loss' || jsonb_build_object(
                          'champion_value', c -> 'champion_loss', 'challenger_value', c -> 'challenger_loss')
                      ORDER BY place), '[]')
             FROM jsonb_array_elements(title -> 'challenges') WITH ORDINALITY AS played (c, place)))
 WHERE title IS NOT NULL;
ALTER TABLE tournaments ENABLE TRIGGER final;
