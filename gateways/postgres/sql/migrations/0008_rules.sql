-- Rules and outcomes that were recorded under older names say the same under those of now.

ALTER TABLE evaluations DISABLE TRIGGER final;
UPDATE evaluations SET outcome = outcome - 'answer_tokens' || jsonb_build_object('weight', outcome -> 'answer_tokens')
 WHERE outcome ? 'answer_tokens';
ALTER TABLE evaluations ENABLE TRIGGER final;

ALTER TABLE tournaments DISABLE TRIGGER final;
ALTER TABLE tournaments DISABLE TRIGGER final_but_for_the_title;
UPDATE tournaments
   SET rules = rules - ARRAY['title_first', 'title_factor', 'title_floor'] || jsonb_build_object(
           'title', jsonb_build_object('rule', 'margin', 'first', rules -> 'title_first',
                                       'factor', rules -> 'title_factor', 'floor', rules -> 'title_floor'),
           'emission', rules -> 'emission' || '{"policy": "classic/1"}',
           'hours', (SELECT jsonb_agg(band - 'below_rows'
                                      || jsonb_build_object('most_rows', (band ->> 'below_rows')::bigint - 1)
                                      ORDER BY place)
                       FROM jsonb_array_elements(rules -> 'hours') WITH ORDINALITY AS bands (band, place)))
 WHERE rules ? 'title_first';
ALTER TABLE tournaments ENABLE TRIGGER final;
ALTER TABLE tournaments ENABLE TRIGGER final_but_for_the_title;
