"""Every read table of every service can be made beside the one in use, and is the same to the last right."""

import importlib
from typing import Any

import asyncpg
import pytest

from erbium_kernel.service import Service
from erbium_kernel.twin import Twin
from tests.house import migrated

SERVICES = ("screening", "scheduling", "device_telemetry", "aftercare")
LOOKS = """
SELECT c.relname::text, c.relrowsecurity, c.relforcerowsecurity, c.relacl::text,
  (SELECT array_agg(row(a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attacl)::text ORDER BY a.attname)
     FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped),
  (SELECT array_agg(replace(i.indexdef, i.schemaname || '.', '') ORDER BY i.indexname)
     FROM pg_indexes i WHERE i.tablename = c.relname AND i.schemaname = n.nspname),
  (SELECT array_agg(row(p.policyname, p.permissive, p.roles, p.cmd, p.qual, p.with_check)::text ORDER BY p.policyname)
     FROM pg_policies p WHERE p.tablename = c.relname AND p.schemaname = n.nspname),
  (SELECT array_agg(k.conname || pg_get_constraintdef(k.oid) ORDER BY k.conname)
     FROM pg_constraint k WHERE k.conrelid = c.oid AND k.contype <> 'n')
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1 AND c.relname = ANY($2) ORDER BY 1
"""


@pytest.mark.parametrize("package", SERVICES)
async def test_the_same_in_every_respect(package: str, postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Columns, indexes, constraints, policies and grants of the twin are those of the migrated table; dropped, nothing is left."""
    service: Service = importlib.import_module(f"{package}.wiring").SERVICE
    async with migrated(service, postgres_url, tmp_path_factory.mktemp("state")) as urls:
        owner = await asyncpg.connect(urls.owner)
        try:
            for projection in service.projections:
                twin, names = Twin(projection), [table.name for table in projection.tables]
                await twin.make(owner)
                await twin.make(owner)  # a second time it is found
                live, made = await looks(owner, "public", names), await looks(owner, twin.schema, names)
                assert len(live) == len(names)
                assert made == live, projection.name
                assert await twin.drop(owner)
            assert not await owner.fetchval("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'next%'")
        finally:
            await owner.close()


async def looks(owner: "asyncpg.Connection[Any]", schema: str, names: list[str]) -> list[tuple[Any, ...]]:
    """Everything that the catalogue says about these tables."""
    return [tuple(record) for record in await owner.fetch(LOOKS, schema, names)]
