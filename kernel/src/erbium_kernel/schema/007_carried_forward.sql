-- One round trip before a decision: the stream, from the last event of type p_since on (it carries the state of all before it), then the
-- earlier answer under this key, if any (last row, answer set). The function without p_since stays for processes of the version before.
-- Why in this order: each statement sees what is committed when it begins. A command that commits between the two has then either its answer
-- seen, or it is missing from the stream too and the append refuses the version. The other way round a repetition would be told "stale".
CREATE OR REPLACE FUNCTION erbium_load(p_chain uuid, p_stream text, p_upto integer, p_since text, p_client text, p_route text, p_key text)
RETURNS TABLE (answer jsonb, epoch integer, tx bigint, "position" bigint, stream text, version integer, ordering_id uuid, event_id uuid,
               type text, schema_version integer, clinic_id uuid, subject_id uuid, occurred_at timestamptz, recorded_at timestamptz,
               command_id uuid, correlation_id uuid, causation_id uuid, actor_kind text, actor_id text, traceparent text, data text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.chain', p_chain::text, true);
    RETURN QUERY SELECT null::jsonb, l.epoch, l.tx::text::bigint, l.position, l.stream, l.version, l.ordering_id, l.event_id,
        l.type, l.schema_version, l.clinic_id, l.subject_id, l.occurred_at, l.recorded_at,
        l.command_id, l.correlation_id, l.causation_id, l.actor_kind, l.actor_id, l.traceparent, l.data::text
    FROM log l WHERE l.chain_id = p_chain AND l.stream = p_stream AND (p_upto IS NULL OR l.version <= p_upto)
      AND (p_since IS NULL OR l.version >= coalesce((
          SELECT max(c.version) FROM log c
          WHERE c.chain_id = p_chain AND c.stream = p_stream AND c.type = p_since AND (p_upto IS NULL OR c.version <= p_upto)), 1))
    ORDER BY l.version;
    IF p_key IS NOT NULL THEN
        RETURN QUERY SELECT to_jsonb(i) || jsonb_build_object('fingerprint', encode(i.fingerprint, 'hex')),
            0, 0::bigint, 0::bigint, null::text, null::integer, null::uuid, null::uuid, null::text, null::integer, null::uuid, null::uuid,
            null::timestamptz, null::timestamptz, null::uuid, null::uuid, null::uuid, null::text, null::text, null::text, null::text
        FROM idempotency i WHERE i.chain_id = p_chain AND i.client = p_client AND i.route = p_route AND i.key = p_key;
    END IF;
END $$;
