-- Where this database lives, and how far it has been told who was erased. A restored one finds itself in another place, or behind:
-- it reads the erasures of screening's topic to their end before anybody is answered.
-- The timeline: a recovery to a point in time has the same cluster and the same database. The epoch: what an operator raises by hand.
CREATE FUNCTION erbium_place() RETURNS text LANGUAGE sql STABLE AS $$
    SELECT format('%s.%s.%s.%s', (SELECT system_identifier FROM pg_control_system()), (SELECT timeline_id FROM pg_control_checkpoint()),
                  (SELECT oid FROM pg_database WHERE datname = current_database()), (SELECT epoch FROM installation))
$$;
ALTER TABLE installation ADD COLUMN erasures_place text;                          -- where that was so; null = to be read again
ALTER TABLE installation ADD COLUMN erasures_read jsonb NOT NULL DEFAULT '{}';    -- partition of screening's topic -> next offset
UPDATE installation SET erasures_place = erbium_place();  -- what is migrated runs; only what is restored afterwards has to catch up
