"""What an answer to a batch of frames looks at, in one statement."""

from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Only adds: processes of the version before go on beside it."""
    op.execute(LOOK)


def downgrade() -> None:
    """Nothing is kept in it."""
    op.execute("DROP FUNCTION frames_look")


# Runs as the caller, so row-level security holds as everywhere. Why a function: the chain is set and everything read in one round trip.
LOOK = """
CREATE FUNCTION frames_look(p_chain uuid, p_device uuid, p_boot uuid, p_treatment uuid, p_streams text[])
RETURNS TABLE (received text, newest_ms bigint, zones text, cells text, versions integer[], event_ids uuid[])
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    PERFORM set_config('app.chain', p_chain::text, true);
    RETURN QUERY SELECT coalesce(r.received, '[]')::text, r.newest_ms,
        (SELECT coalesce(json_agg(json_build_array(zone, frames, mtz_count, energy_uj, lesion_um2, outside_table)), '[]')::text
         FROM zone_sums WHERE chain_id = p_chain AND treatment_id = p_treatment),
        (SELECT coalesce(json_agg(json_build_array(zone, grid_row, grid_col, frames, mtz_count, energy_uj, lesion_um2, outside_table)),
                         '[]')::text
         FROM (SELECT DISTINCT ON (zone) * FROM cell_sums WHERE chain_id = p_chain AND treatment_id = p_treatment
               ORDER BY zone, mtz_count DESC, grid_row, grid_col) AS fullest),
        h.versions, h.event_ids
    FROM (SELECT coalesce(array_agg(coalesce(newest.version, 0) ORDER BY s.n), '{}') AS versions,
                 coalesce(array_agg(newest.event_id ORDER BY s.n), '{}') AS event_ids
          FROM unnest(p_streams) WITH ORDINALITY AS s (stream, n)
          LEFT JOIN LATERAL (SELECT l.version, l.event_id FROM log l WHERE l.chain_id = p_chain AND l.stream = s.stream
                             ORDER BY l.version DESC LIMIT 1) AS newest ON true) AS h
    LEFT JOIN frame_ranges AS r ON r.chain_id = p_chain AND r.device_id = p_device AND r.boot_id = p_boot;
END $$
"""
