-- What commands ask of the log, many at once: one round trip to load what they decide on, one to append what they decided.

-- The one way into the log. Order inside: guard locks, heads and log rows, guards, timers, and last the idempotency rows.
-- p_commands: [{place, stream, expected, …, events: [{…}]}], sorted by stream, none twice; place counts from 1, in p_timers and p_answers too.
-- Returns per command its new version, null where its head had moved. Heads and rows in one statement: both see the same moment.
CREATE FUNCTION erbium_append_group(p_chain uuid, p_recorded_at timestamptz, p_commands jsonb, p_guards jsonb, p_timers jsonb, p_answers jsonb)
RETURNS integer[] LANGUAGE plpgsql AS $$
DECLARE
    v_chain text := set_config('app.chain', p_chain::text, true);
    v_new integer[];
BEGIN
    IF pg_current_xact_id_if_assigned() IS NOT NULL THEN
        RAISE EXCEPTION 'an append must be the first write of its transaction' USING ERRCODE = 'EB001';
    END IF;
    IF p_guards IS NOT NULL THEN
        PERFORM erbium_lock_guards(p_chain, p_guards);
    END IF;

    WITH asked AS MATERIALIZED (
        SELECT c.*, coalesce(h.version, 0) AS head, greatest(h.recorded_at, p_recorded_at) AS recorded_at
        FROM jsonb_to_recordset(p_commands) AS c(place integer, stream text, expected integer, occurred_at timestamptz,
             command_id uuid, correlation_id uuid, causation_id uuid, actor_kind text, actor_id text, traceparent text, events jsonb)
        LEFT JOIN LATERAL (
            SELECT l.version, l.recorded_at FROM log l
            WHERE l.chain_id = p_chain AND l.stream = c.stream ORDER BY l.version DESC LIMIT 1) h ON true
    ), appended AS (
        INSERT INTO log (epoch, chain_id, stream, version, ordering_id, event_id, type, schema_version, clinic_id, subject_id,
                         occurred_at, recorded_at, command_id, correlation_id, causation_id, actor_kind, actor_id, traceparent, data)
        SELECT (SELECT epoch FROM installation), p_chain, c.stream, c.expected + e.nth, e.ordering_id, e.event_id, e.type, e.schema_version,
               e.clinic_id, e.subject_id, c.occurred_at, c.recorded_at, c.command_id, c.correlation_id, c.causation_id,
               c.actor_kind, c.actor_id, c.traceparent, e.data
        FROM asked c, jsonb_to_recordset(c.events) AS e(nth integer, event_id uuid, type text, schema_version integer, ordering_id uuid,
             clinic_id uuid, subject_id uuid, data jsonb)
        WHERE c.head = c.expected
        ORDER BY c.place, e.nth
    )
    SELECT array_agg(CASE WHEN c.head = c.expected THEN c.expected + jsonb_array_length(c.events) END ORDER BY c.place)
        INTO v_new FROM asked c;

    IF p_guards IS NOT NULL AND v_new[1] IS NOT NULL THEN
        PERFORM erbium_guard(p_chain, p_guards);
    END IF;
    IF p_timers IS NOT NULL THEN
        PERFORM erbium_set_timers(p_chain, p_timers, v_new);
    END IF;
    IF p_answers IS NOT NULL THEN
        INSERT INTO idempotency (chain_id, client, route, key, fingerprint, status, stream, version, event_id, slug, detail, facts)
        SELECT p_chain, a.client, a.route, a.key, decode(a.fingerprint, 'hex'), a.status, a.stream, a.version, a.event_id, a.slug, a.detail, a.facts
        FROM jsonb_to_recordset(p_answers) AS a(place integer, client text, route text, key text, fingerprint text, status integer,
             stream text, version integer, event_id uuid, slug text, detail text, facts jsonb)
        WHERE v_new[a.place] IS NOT NULL;
    END IF;
    RETURN v_new;
END $$;

-- Before decisions: the streams in the order asked for (from the last event of type p_since on: it says the state whole), then the earlier
-- answers under the keys, if any (answer set, no row).
-- Why in this order: each statement sees what is committed when it begins. A command that commits between the two has then either its answer
-- seen, or it is missing from the stream too and the append refuses the version. The other way round a repetition would be told "stale".
-- Why LATERAL with an order or a limit: the planner then looks each stream up in its index, and never joins them with the whole log.
CREATE FUNCTION erbium_load_group(p_chain uuid, p_streams text[], p_upto integer[], p_since text[], p_keys jsonb)
RETURNS TABLE (place integer, answer jsonb, epoch integer, tx bigint, "position" bigint, stream text, version integer, ordering_id uuid,
               event_id uuid, type text, schema_version integer, clinic_id uuid, subject_id uuid, occurred_at timestamptz,
               recorded_at timestamptz, command_id uuid, correlation_id uuid, causation_id uuid, actor_kind text, actor_id text,
               traceparent text, data text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_chain text := set_config('app.chain', p_chain::text, true);
BEGIN
    RETURN QUERY SELECT a.place::integer, null::jsonb, l.epoch, l.tx::text::bigint, l.position, l.stream, l.version, l.ordering_id,
        l.event_id, l.type, l.schema_version, l.clinic_id, l.subject_id, l.occurred_at, l.recorded_at, l.command_id, l.correlation_id,
        l.causation_id, l.actor_kind, l.actor_id, l.traceparent, l.data::text
    FROM unnest(p_streams, p_upto, p_since) WITH ORDINALITY AS a(stream, upto, since, place)
    CROSS JOIN LATERAL (
        SELECT * FROM log s WHERE s.chain_id = p_chain AND s.stream = a.stream AND s.version <= a.upto
            AND s.version >= CASE WHEN a.since IS NULL THEN 1 ELSE coalesce((
                SELECT c.version FROM log c WHERE c.chain_id = p_chain AND c.stream = a.stream AND c.version <= a.upto AND c.type = a.since
                ORDER BY c.version DESC LIMIT 1), 1) END
        ORDER BY s.version) l
    ORDER BY a.place, l.version;
    IF p_keys IS NOT NULL THEN
        RETURN QUERY SELECT a.place, to_jsonb(i) || jsonb_build_object('fingerprint', encode(i.fingerprint, 'hex')),
            null::integer, null::bigint, null::bigint, null::text, null::integer, null::uuid, null::uuid, null::text, null::integer, null::uuid,
            null::uuid, null::timestamptz, null::timestamptz, null::uuid, null::uuid, null::uuid, null::text, null::text, null::text, null::text
        FROM jsonb_to_recordset(p_keys) AS a(place integer, client text, route text, key text)
        CROSS JOIN LATERAL (
            SELECT * FROM idempotency k
            WHERE k.chain_id = p_chain AND k.client = a.client AND k.route = a.route AND k.key = a.key LIMIT 1) i;
    END IF;
END $$;
