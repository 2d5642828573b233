-- The database itself enforces the chain: nothing set = nothing seen. FORCE: the owner too.
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['log', 'claims', 'uniques', 'timers', 'idempotency', 'keys', 'parked_keys', 'parked_rows', 'skips'] LOOP
        EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
        EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
        EXECUTE format('CREATE POLICY chain ON %I USING (chain_id = nullif(current_setting(''app.chain'', true), '''')::uuid)', t);
    END LOOP;
    -- Background work finds out here which chain is next; before it applies anything it sets that chain.
    FOREACH t IN ARRAY ARRAY['log', 'timers', 'keys', 'parked_keys', 'parked_rows', 'skips'] LOOP
        EXECUTE format('CREATE POLICY all_chains ON %I FOR SELECT TO {work} USING (true)', t);
    END LOOP;
END $$;

GRANT USAGE ON SEQUENCE log_position TO {api}, {work};
GRANT SELECT, INSERT ON log, idempotency TO {api}, {work};
GRANT SELECT, INSERT, DELETE ON claims, uniques TO {api}, {work};
GRANT SELECT, INSERT, UPDATE, DELETE ON timers TO {api}, {work};
GRANT SELECT, INSERT ON keys TO {api};
GRANT SELECT, INSERT, UPDATE ON keys TO {work};
GRANT SELECT ON installation, checkpoints, heartbeats, parked_keys TO {api};
GRANT UPDATE (clock_offset_seconds) ON installation TO {api};
GRANT SELECT, UPDATE ON installation TO {work};
GRANT SELECT, INSERT, UPDATE, DELETE ON checkpoints, positions, heartbeats, parked_keys, parked_rows TO {work};
GRANT SELECT, INSERT ON unreadable, skips TO {work};
