"""Every series that Erbium exports, with the functions that move them. Labels are names and templates, never ids.

Served at /metrics on the second port; counters get the suffix `_total` there.
"""

from collections.abc import Callable
from datetime import datetime
from functools import cache

from prometheus_client import Counter, Gauge, Histogram

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 20.0)

_http_request = Histogram("http_request_seconds", "Time to answer, by route template.", ("route", "method", "status"), buckets=_SECONDS)
_append = Histogram("append_seconds", "Time from decision to durable append.", buckets=_SECONDS)
_append_conflicts = Counter("append_conflicts", "Appends that lost the race for their stream's version.")
_long_streams = Counter("streams_long", "Streams that came near the length beyond which nothing is appended, by category.", ("category",))
_db_pool_in_use = Gauge("db_pool_in_use", "Connections that are lent out, by pool.", ("pool",))
_oldest_transaction = Gauge("oldest_transaction_seconds", "Age of the oldest open transaction: no reader of the log gets past it.")
_relay_lag_events = Gauge("relay_lag_events", "Own events in the log that the relay has yet to publish.")
_relay_lag = Gauge("relay_lag_seconds", "Age of the oldest own event that is not published.")
_intake_lag = Gauge("intake_lag_records", "End offset minus the position in our database.", ("topic", "partition"))
_consumer_progress = Gauge("consumer_last_progress_timestamp", "Unix time of a role's last step without trouble.", ("consumer",))
_refused = Counter("background_refusals", "Commands of reactions and timers that a rule refused, by slug.", ("subscriber", "slug"))
_role_crashes = Counter("role_crashes", "Bugs of ours that a background role ran into outside of any row; it is tried again.", ("role",))
_commits_failed = Counter("offset_commits_failed", "Offset commits that Kafka refused; only a hint, the positions are in our database.")
_unreadable = Counter("unreadable", "Records without a usable chain, key or id, kept aside.", ("topic",))
_follow_lag = Gauge("follow_lag_seconds", "Age of the oldest event that a subscriber has yet to follow.", ("subscriber",))
_silent = Counter("subscribers_silent", "Times a subscriber followed nothing for a minute although rows waited for it.", ("subscriber",))
_parked_keys = Gauge("parked_keys", "Keys that wait for an operator, by subscriber or topic.", ("topic",))
_timers_overdue = Gauge("timers_overdue", "Timers that are due and have not fired.")
_timers_failing = Gauge("timers_failing", "Timers whose command fails by our own fault; they are tried ever more rarely.")
_frames = Counter("frames", "Laser frames, by what became of them.", ("outcome",))
_frame_gaps_open = Gauge("frame_gaps_open", "Gaps in frame sequences that no back-fill has closed.")


def method_label(method: str) -> str:
    """The method if it is a usual one: a caller may send anything, and labels are kept for ever."""
    return method if method in METHODS else "other"


def http_request(route: str, method: str, status: int, seconds: float) -> None:
    """One answered request; `route` is the template, `unmatched` if there was none."""
    _of_requests(route, method_label(method), status).observe(seconds)


@cache
def _of_requests(route: str, method: str, status: int) -> Histogram:
    """One for each series: to find it among the others by its labels takes longer than to move it."""
    return _http_request.labels(route, method, str(status))


def appended(seconds: float) -> None:
    """One durable append."""
    _append.observe(seconds)


def append_conflict() -> None:
    """One lost race for a stream's version."""
    _append_conflicts.inc()


def stream_long(category: str) -> None:
    """A stream has come near its bound: once for each."""
    _long_streams.labels(category).inc()


def db_pool_in_use(pool: str, connections: Callable[[], float]) -> None:
    """Connections of this pool that are lent out: counted whenever somebody looks, so that every process has the number."""
    _db_pool_in_use.labels(pool).set_function(connections)


def oldest_transaction(age_seconds: float) -> None:
    """Age of the oldest open transaction on the server, 0 if there is none."""
    _oldest_transaction.set(age_seconds)


def relay_lag(events: int, seconds: float) -> None:
    """What the relay has yet to publish."""
    _relay_lag_events.set(events)
    _relay_lag.set(seconds)


def intake_lag(topic: str, partition: int, records: int) -> None:
    """End offset minus database position of one partition."""
    _intake_lag.labels(topic, str(partition)).set(records)


def consumer_progress(consumer: str, at: datetime) -> None:
    """A step of this role came to an end without trouble, whether there was anything to do or not."""
    _consumer_progress.labels(consumer).set(at.timestamp())


def timers_failing(count: int) -> None:
    """Timers that have been tried and failed."""
    _timers_failing.set(count)


def refused_in_background(subscriber: str, slug: str) -> None:
    """A rule said no to a reaction's or a timer's command; nobody else is told."""
    _refused.labels(subscriber, slug).inc()


def role_crashed(role: str) -> None:
    """A background role met a bug of ours and is begun again."""
    _role_crashes.labels(role).inc()


def offset_commit_failed() -> None:
    """Kafka refused a commit, for example during a rebalance."""
    _commits_failed.inc()


def unreadable(topic: str, records: int = 1) -> None:
    """Records that went to the table `unreadable`."""
    _unreadable.labels(topic).inc(records)


def follow_lag(subscriber: str, seconds: float) -> None:
    """Age of the oldest event that this subscriber has yet to follow, 0 if none."""
    _follow_lag.labels(subscriber).set(seconds)


def subscriber_silent(subscriber: str) -> None:
    """A subscriber with something to follow has not moved for so long that it is not ready."""
    _silent.labels(subscriber).inc()


def parked_keys(topic: str, keys: int) -> None:
    """Keys that wait for an operator; `topic` is the subscriber or the topic they are parked at."""
    _parked_keys.labels(topic).set(keys)


def timers_overdue(timers: int) -> None:
    """Timers that are due and have not fired."""
    _timers_overdue.set(timers)


def frames(outcome: str, count: int) -> None:
    """Frames of one batch; `outcome`: accepted, duplicate, rejected."""
    _frames.labels(outcome).inc(count)


def frame_gaps_open(gaps: int) -> None:
    """Gaps that no back-fill has closed."""
    _frame_gaps_open.set(gaps)
