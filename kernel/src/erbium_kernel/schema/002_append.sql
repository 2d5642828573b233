-- The one way into the log. Order inside: guard locks, heads, log rows, guards, timers, and last the idempotency rows.
-- p_streams: one per command, sorted, none twice. Returns per command its new version, null where its head had moved.
CREATE FUNCTION erbium_append(
    p_chain uuid, p_recorded_at timestamptz, p_streams text[], p_expected integer[],
    c_occurred timestamptz[], c_actor_kind text[], c_actor_id text[], c_command uuid[], c_correlation uuid[], c_causation uuid[], c_trace text[],
    e_command integer[], e_event uuid[], e_type text[], e_schema integer[], e_ordering uuid[], e_clinic uuid[], e_subject uuid[], e_data text[],
    p_guards jsonb, p_timers jsonb, p_answers jsonb
) RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    v_heads integer[];
    v_recorded timestamptz[];
    v_epoch integer;
    v_counts integer[];
    v_new integer[];
BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'an append must be the first write of its transaction' USING ERRCODE = 'EB001';
    END IF;
    PERFORM set_config('app.chain', p_chain::text, true);
    IF p_guards IS NOT NULL THEN
        PERFORM erbium_lock_guards(p_chain, p_guards);
    END IF;

    SELECT array_agg(coalesce(h.version, 0) ORDER BY c.i), array_agg(greatest(h.recorded_at, p_recorded_at) ORDER BY c.i)
        INTO v_heads, v_recorded
        FROM unnest(p_streams) WITH ORDINALITY AS c(stream, i)
        LEFT JOIN LATERAL (
            SELECT l.version, l.recorded_at FROM log l
            WHERE l.chain_id = p_chain AND l.stream = c.stream ORDER BY l.version DESC LIMIT 1) h ON true;
    SELECT epoch INTO v_epoch FROM installation;

    INSERT INTO log (epoch, chain_id, stream, version, ordering_id, event_id, type, schema_version, clinic_id, subject_id,
                     occurred_at, recorded_at, command_id, correlation_id, causation_id, actor_kind, actor_id, traceparent, data)
    SELECT v_epoch, p_chain, p_streams[e.command],
           p_expected[e.command] + row_number() OVER (PARTITION BY e.command ORDER BY e.i),
           e.ordering_id, e.event_id, e.type, e.schema_version, e.clinic_id, e.subject_id,
           c_occurred[e.command], v_recorded[e.command], c_command[e.command], c_correlation[e.command], c_causation[e.command],
           c_actor_kind[e.command], c_actor_id[e.command], c_trace[e.command], e.data::jsonb
    FROM unnest(e_command, e_event, e_type, e_schema, e_ordering, e_clinic, e_subject, e_data)
         WITH ORDINALITY AS e(command, event_id, type, schema_version, ordering_id, clinic_id, subject_id, data, i)
    WHERE v_heads[e.command] = p_expected[e.command]
    ORDER BY e.i;

    SELECT array_agg(CASE WHEN v_heads[c.i] = p_expected[c.i]
                          THEN p_expected[c.i] + (SELECT count(*) FROM unnest(e_command) n WHERE n = c.i)::integer END ORDER BY c.i)
        INTO v_new FROM generate_subscripts(p_streams, 1) AS c(i);

    IF p_guards IS NOT NULL AND v_new[1] IS NOT NULL THEN
        PERFORM erbium_guard(p_chain, p_guards);
    END IF;
    IF p_timers IS NOT NULL THEN
        PERFORM erbium_set_timers(p_chain, p_timers, v_new);
    END IF;
    IF p_answers IS NOT NULL THEN
        INSERT INTO idempotency (chain_id, client, route, key, fingerprint, status, stream, version, event_id, slug, detail, facts)
        SELECT p_chain, a.client, a.route, a.key, decode(a.fingerprint, 'hex'), a.status, a.stream, a.version, a.event_id, a.slug, a.detail, a.facts
        FROM jsonb_to_recordset(p_answers) AS a(command integer, client text, route text, key text, fingerprint text, status integer,
             stream text, version integer, event_id uuid, slug text, detail text, facts jsonb)
        WHERE v_new[a.command] IS NOT NULL;
    END IF;
    RETURN v_new;
END $$;

-- Taken before anything is written, sorted: a wait after the log insert would break the log's order, opposite orders would deadlock.
CREATE FUNCTION erbium_lock_guards(p_chain uuid, p_guards jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_lock bigint;
BEGIN
    FOR v_lock IN
        SELECT DISTINCT hashtextextended(p_chain::text || coalesce(g.resource::text, g.name || '=' || g.value), 0)
        FROM jsonb_to_recordset(p_guards) AS g(resource uuid, name text, value text) ORDER BY 1
    LOOP
        PERFORM pg_advisory_xact_lock(v_lock);
    END LOOP;
END $$;

-- Guards in the order of the events; a refusal (EB002, its message the resource or name) rolls the command back.
CREATE FUNCTION erbium_guard(p_chain uuid, p_guards jsonb) RETURNS void LANGUAGE plpgsql AS $$
DECLARE g record;
BEGIN
    FOR g IN SELECT * FROM jsonb_to_recordset(p_guards)
        AS r(op text, resource uuid, holder uuid, starts_at timestamptz, ends_at timestamptz, name text, value text)
    LOOP
        IF g.op = 'release' THEN
            DELETE FROM claims c WHERE c.chain_id = p_chain AND c.resource = g.resource AND c.holder = g.holder;
        ELSIF g.op = 'free' THEN
            DELETE FROM uniques u WHERE u.chain_id = p_chain AND u.name = g.name AND u.value = g.value;
        ELSIF g.op = 'claim' THEN
            BEGIN
                INSERT INTO claims (chain_id, resource, during, holder)
                VALUES (p_chain, g.resource, tstzrange(g.starts_at, g.ends_at, '[)'), g.holder);
            EXCEPTION WHEN exclusion_violation THEN
                RAISE EXCEPTION '%', g.resource USING ERRCODE = 'EB002';
            END;
        ELSE
            INSERT INTO uniques (chain_id, name, value) VALUES (p_chain, g.name, g.value) ON CONFLICT DO NOTHING;
            IF NOT FOUND THEN
                RAISE EXCEPTION '%', g.name USING ERRCODE = 'EB002';
            END IF;
        END IF;
    END LOOP;
END $$;

CREATE FUNCTION erbium_set_timers(p_chain uuid, p_timers jsonb, p_new integer[]) RETURNS void LANGUAGE plpgsql AS $$
DECLARE t record;
BEGIN
    FOR t IN SELECT * FROM jsonb_to_recordset(p_timers)
        AS r(command integer, set_by uuid, key text, type text, due_at timestamptz, ref uuid, stream_id uuid)
    LOOP
        CONTINUE WHEN p_new[t.command] IS NULL;
        IF t.type IS NULL THEN
            DELETE FROM timers WHERE chain_id = p_chain AND key = t.key;
        ELSE
            INSERT INTO timers (chain_id, key, type, due_at, ref, stream_id, set_by)
            VALUES (p_chain, t.key, t.type, t.due_at, t.ref, t.stream_id, t.set_by)
            ON CONFLICT (chain_id, key) DO UPDATE SET (type, due_at, ref, stream_id, set_by)
                = (excluded.type, excluded.due_at, excluded.ref, excluded.stream_id, excluded.set_by);
        END IF;
    END LOOP;
END $$;

-- One round trip before a decision: the earlier answer under this key, if any (first row, answer set), then the stream.
CREATE FUNCTION erbium_load(p_chain uuid, p_stream text, p_upto integer, p_client text, p_route text, p_key text)
RETURNS TABLE (answer jsonb, epoch integer, tx bigint, "position" bigint, stream text, version integer, ordering_id uuid, event_id uuid,
               type text, schema_version integer, clinic_id uuid, subject_id uuid, occurred_at timestamptz, recorded_at timestamptz,
               command_id uuid, correlation_id uuid, causation_id uuid, actor_kind text, actor_id text, traceparent text, data text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.chain', p_chain::text, true);
    IF p_key IS NOT NULL THEN
        RETURN QUERY SELECT to_jsonb(i) || jsonb_build_object('fingerprint', encode(i.fingerprint, 'hex')),
            0, 0::bigint, 0::bigint, null::text, null::integer, null::uuid, null::uuid, null::text, null::integer, null::uuid, null::uuid,
            null::timestamptz, null::timestamptz, null::uuid, null::uuid, null::uuid, null::text, null::text, null::text, null::text
        FROM idempotency i WHERE i.chain_id = p_chain AND i.client = p_client AND i.route = p_route AND i.key = p_key;
    END IF;
    RETURN QUERY SELECT null::jsonb, l.epoch, l.tx::text::bigint, l.position, l.stream, l.version, l.ordering_id, l.event_id,
        l.type, l.schema_version, l.clinic_id, l.subject_id, l.occurred_at, l.recorded_at,
        l.command_id, l.correlation_id, l.causation_id, l.actor_kind, l.actor_id, l.traceparent, l.data::text
    FROM log l WHERE l.chain_id = p_chain AND l.stream = p_stream AND (p_upto IS NULL OR l.version <= p_upto) ORDER BY l.version;
END $$;
