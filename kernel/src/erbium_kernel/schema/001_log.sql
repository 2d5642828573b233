-- One log for own events and for what was heard from others; what must commit with it stands beside it.
CREATE SEQUENCE log_position;

CREATE TABLE installation (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    epoch integer NOT NULL DEFAULT 1,          -- raised by a restore: transaction ids start again there
    kafka_cluster_id text,                     -- positions belong to this cluster and to no other
    clock_offset_seconds bigint NOT NULL DEFAULT 0
);
INSERT INTO installation DEFAULT VALUES;

CREATE TABLE log (
    epoch integer NOT NULL,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint NOT NULL DEFAULT nextval('log_position'),
    chain_id uuid NOT NULL,
    origin text,                               -- null = own
    stream text,
    version integer,
    ordering_id uuid NOT NULL,
    event_id uuid NOT NULL,
    type text NOT NULL,
    schema_version integer NOT NULL,
    clinic_id uuid,
    subject_id uuid,
    occurred_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    command_id uuid,
    correlation_id uuid NOT NULL,
    causation_id uuid,
    actor_kind text NOT NULL,
    actor_id text NOT NULL,
    traceparent text,
    data jsonb,
    raw bytea,
    headers jsonb,
    CONSTRAINT log_order PRIMARY KEY (epoch, tx, position),
    CONSTRAINT log_stream_version UNIQUE (chain_id, stream, version),
    CONSTRAINT log_event UNIQUE (chain_id, event_id),
    CONSTRAINT log_own_or_heard CHECK (
        (origin IS NULL AND stream IS NOT NULL AND version > 0 AND data IS NOT NULL AND raw IS NULL)
        OR (origin IS NOT NULL AND stream IS NULL AND version IS NULL AND data IS NULL AND raw IS NOT NULL))
);
-- What reactions have made of an event: a reader that waits for a message waits for that too. Commands of clients have no cause.
CREATE INDEX log_consequences ON log (chain_id, causation_id) WHERE causation_id IS NOT NULL AND origin IS NULL;

CREATE TABLE unreadable (
    topic text NOT NULL,
    partition integer NOT NULL,
    "offset" bigint NOT NULL,
    reason text NOT NULL,
    key bytea,
    raw bytea,
    headers jsonb NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (topic, partition, "offset")
);

CREATE TYPE uuidrange AS RANGE (subtype = uuid);

CREATE TABLE claims (
    chain_id uuid NOT NULL,
    resource uuid NOT NULL,
    during tstzrange NOT NULL CHECK (NOT isempty(during)),
    holder uuid NOT NULL,
    CONSTRAINT claims_no_overlap EXCLUDE USING gist (
        uuidrange(chain_id, chain_id, '[]') WITH &&, uuidrange(resource, resource, '[]') WITH &&, during WITH &&)
);
CREATE INDEX claims_holder ON claims (chain_id, resource, holder);

CREATE TABLE uniques (
    chain_id uuid NOT NULL,
    name text NOT NULL,
    value text NOT NULL,
    CONSTRAINT uniques_taken PRIMARY KEY (chain_id, name, value)
);

CREATE TABLE timers (
    chain_id uuid NOT NULL,
    key text NOT NULL,
    type text NOT NULL,
    due_at timestamptz NOT NULL,
    ref uuid NOT NULL,
    stream_id uuid NOT NULL,
    set_by uuid NOT NULL,
    PRIMARY KEY (chain_id, key)
);
CREATE INDEX timers_due ON timers (due_at);

CREATE TABLE idempotency (
    chain_id uuid NOT NULL,
    client text NOT NULL,
    route text NOT NULL,
    key text NOT NULL,
    fingerprint bytea NOT NULL,
    status integer NOT NULL,
    stream text NOT NULL,
    version integer NOT NULL,
    event_id uuid,
    slug text,
    detail text,
    facts jsonb NOT NULL,
    CONSTRAINT idempotency_answered PRIMARY KEY (chain_id, client, route, key)
);

CREATE TABLE keys (
    chain_id uuid NOT NULL,
    subject_id uuid NOT NULL,
    wrapped bytea,
    erased boolean NOT NULL DEFAULT false,
    shared boolean NOT NULL,
    epoch integer NOT NULL,
    tx xid8 NOT NULL DEFAULT pg_current_xact_id(),
    position bigint NOT NULL DEFAULT nextval('log_position'),
    changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (chain_id, subject_id),
    CONSTRAINT keys_erased_is_empty CHECK (erased = (wrapped IS NULL))
);
CREATE INDEX keys_order ON keys (epoch, tx, position);

CREATE TABLE checkpoints (
    subscriber text PRIMARY KEY,
    epoch integer NOT NULL,
    tx xid8 NOT NULL,
    position bigint NOT NULL,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE positions (
    topic text NOT NULL,
    partition integer NOT NULL,
    next_offset bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE heartbeats (
    topic text NOT NULL,
    partition integer NOT NULL,
    sent_at timestamptz NOT NULL,
    epoch integer NOT NULL,
    tx xid8 NOT NULL,
    position bigint NOT NULL,
    PRIMARY KEY (topic, partition)
);

CREATE TABLE parked_keys (
    subscriber text NOT NULL,
    chain_id uuid NOT NULL,
    ordering_id uuid NOT NULL,
    reason text NOT NULL,
    attempts integer NOT NULL,
    parked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    released boolean NOT NULL DEFAULT false,
    PRIMARY KEY (subscriber, chain_id, ordering_id)
);

CREATE TABLE parked_rows (
    subscriber text NOT NULL,
    chain_id uuid NOT NULL,
    ordering_id uuid NOT NULL,
    epoch integer NOT NULL,
    tx xid8 NOT NULL,
    position bigint NOT NULL,
    event_id uuid NOT NULL,
    PRIMARY KEY (subscriber, chain_id, ordering_id, epoch, tx, position)
);

CREATE TABLE skips (
    subscriber text NOT NULL,
    chain_id uuid NOT NULL,
    event_id uuid NOT NULL,
    skipped_by text NOT NULL,
    reason text NOT NULL,
    skipped_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (subscriber, chain_id, event_id)
);
