-- Read tables as they were recorded at an instant are made for one question, in a transaction that is rolled back.
DO $$ BEGIN EXECUTE format('GRANT TEMPORARY ON DATABASE %I TO {api}', current_database()); END $$;
