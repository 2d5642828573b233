"""Ad hoc."""
import secrets, asyncio, json
from dataclasses import replace
import pytest
from erbium import provision
from erbium_kernel.intake import Intake
from tests.kernel.log.conftest import make_database
from tests.kernel.log.grounds import PostgresGround
from tests.kernel.topic import post
from tests.kernel.topic.post import *
from erbium_kernel.topic.memory import MemoryBroker

async def test_pg(postgres_url, tmp_path_factory):
    sufs=[f"tp{secrets.token_hex(3)}" for _ in range(2)]
    try:
        dbs=[await make_database(postgres_url, tmp_path_factory, s) for s in sufs]
        async with PostgresGround.on(dbs[0]) as a, PostgresGround.on(dbs[1]) as b:
            broker=MemoryBroker({post.TOPIC:4, post.KEYS:4})
            w=Ward(broker.outlet(), heartbeat=True)
            w.store=a.store; w.clock=a.clock
            w.runtime=replace(w.runtime, store=a.store, clock=a.clock)
            w.relay=w.new_relay()
            w.mute={3}
            for n in range(40): await w.says(f"p{n%4}", n)
            await w.key("p0"); await w.key("p1")
            print(await w.relayed())
            await w.store.erase_key(CHAIN, patient("p1"))
            w.clock.at += timedelta(seconds=30)
            print(await w.relayed())
            w.clock.at += timedelta(seconds=30)
            print(await w.relayed())
            print([ (r.key[-4:], r.value) for r in broker.records(post.KEYS)])
            print(await w.store.parked())
            k=Kitchen()
            kr=replace(k.runtime, store=b.store, clock=b.clock)
            i=Intake(kr, broker.inlet("g",[post.TOPIC, post.KEYS]), [post.TOPIC, post.KEYS], keys_topic=post.KEYS)
            print(await k.taken_in(i), i.new_total, i.repeated_total)
            await w.store.reset_checkpoint("relay"); w.mute=set(); w.relay=w.new_relay(); print(await w.relayed())
            from erbium_kernel.ports import Outgoing
            await broker.outlet().publish(post.TOPIC,[Outgoing(key=b"a\x00",value=b"\x00",headers=(("x\x00",b"\x00\xff"),))])
            r=next(r for r in broker.records(post.TOPIC) if r.key!=b"heartbeat" and r.key!=b"a\x00")
            await broker.outlet().publish(post.TOPIC,[Outgoing(key=r.key,value=b"\x00\xff",headers=(*[h for h in r.headers if h[0]!="ce_id"],("ce_id",str(patient("zz")).encode()),("x\x00",b"\x00\xff"),("ce_time",b"0001-01-01T00:00:00+14:00")))])
            print(await k.taken_in(i), i.new_total, i.repeated_total, i.unreadable_total)
            print(await b.store.heartbeats(post.TOPIC))
            print(await b.store.keys(CHAIN,[patient("p0"),patient("p1")]))
            async with b.store.lease("x") as l:
                rows=await l.read(await l.checkpoint(), 1000)
            for q in range(4): print([r.raw for r in rows if r.envelope.ordering_id==patient(f"p{q}")])
    finally:
        for s in sufs: await provision.drop(postgres_url, suffix=s)
