-- Keys of persons, many at once, in one round trip: those of p_subjects that are here, and of p_new those that stand afterwards.
-- p_new: [{subject, wrapped (hex, null if erased), erased, shared}], sorted by subject, none twice: two that meet wait in one order.
-- Only what is missing is written, so whoever asks for a key that is here writes nothing. The answer comes from a statement of its own:
-- it sees what somebody else has committed while this one waited for it.
CREATE FUNCTION erbium_keys(p_chain uuid, p_subjects uuid[], p_new jsonb)
RETURNS TABLE (chain_id uuid, subject_id uuid, wrapped bytea, erased boolean, shared boolean, epoch integer, tx bigint, "position" bigint)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    v_chain text := set_config('app.chain', p_chain::text, true);
BEGIN
    IF p_new IS NOT NULL THEN
        INSERT INTO keys (chain_id, subject_id, wrapped, erased, shared, epoch)
        SELECT p_chain, n.subject, decode(n.wrapped, 'hex'), n.erased, n.shared, (SELECT epoch FROM installation)
        FROM jsonb_to_recordset(p_new) AS n(subject uuid, wrapped text, erased boolean, shared boolean)
        WHERE NOT EXISTS (SELECT FROM keys k WHERE k.chain_id = p_chain AND k.subject_id = n.subject)
        ON CONFLICT DO NOTHING;
    END IF;
    RETURN QUERY SELECT k.chain_id, k.subject_id, k.wrapped, k.erased, k.shared, k.epoch, k.tx::text::bigint, k.position
        FROM unnest(p_subjects) AS s(subject)
        CROSS JOIN LATERAL (SELECT * FROM keys o WHERE o.chain_id = p_chain AND o.subject_id = s.subject LIMIT 1) k;
END $$;
