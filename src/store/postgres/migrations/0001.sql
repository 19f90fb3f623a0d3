-- Version 1. Names are always written with the schema, because a pooler may share sessions.
create schema recard;

create table recard.schema_version (
    version int primary key,
    -- The lowest version that a program must know to use this one.
    usable_from int not null,
    at timestamptz not null default now()
);

-- Revisions: the documents of fleets with their manifests. They never change.
create table recard.revision (
    digest text primary key,
    fleet text not null,
    document bytea not null,
    at timestamptz not null default now()
);

-- Heads of fleets: the current revision and its rollout.
create table recard.rollout (
    fleet text primary key,
    revision text not null references recard.revision,
    document text not null
);

-- Portals: desired state, lease and queue. The row is the fence of everything below it.
create table recard.portal (
    portal text primary key,
    created timestamptz not null default now(),
    -- A command took the portal to another store; nobody may write here any more.
    moved_to text,

    -- From the current revision of the fleet.
    fleet text,
    wave int,
    labels jsonb not null default '{}',
    every interval,
    declared_pause timestamptz,
    declared_pause_reason text,
    -- The revision that the portal is on.
    revision text references recard.revision,
    failed_before boolean not null default false,

    -- The pause by command.
    pause timestamptz,
    pause_at timestamptz,
    pause_by text,
    pause_reason text,

    -- Lease. A claim has its id to itself for ever; a token might come twice after a failover that
    -- lost a commit.
    token bigint not null default 0,
    claim text unique,
    worker text,
    lease timestamptz,
    -- Who holds the lease, if a command does: the lock record of the file format.
    owner text,

    -- Queue.
    due timestamptz,
    attempts int not null default 0,
    failures int not null default 0,
    parked text check (parked in ('deaths', 'webhook', 'recovery')),
    parked_at timestamptz,
    parked_deaths int,
    parked_text text,
    parked_salt text,
    parked_digest text,

    -- Rounds on the last revision that had one.
    round_revision text,
    round_failed boolean,
    round_people int,
    round_at timestamptz,
    report_row text,

    check ((claim is null) = (lease is null)),
    check ((claim is null) = (worker is null)),
    check ((parked is null) = (parked_at is null))
);
create index portal_due on recard.portal (due, portal) where revision is not null and parked is null;
create index portal_fleet on recard.portal (fleet);

create table recard.worker (
    worker text primary key,
    version text not null,
    started timestamptz not null default now(),
    seen timestamptz not null default now(),
    ended timestamptz
);

-- Runs. A run is there once its first line is.
create table recard.run (
    portal text not null references recard.portal,
    run text not null,
    primary key (portal, run)
);

-- Journals: the very lines of the file format, without line breaks.
create table recard.journal (
    portal text not null,
    run text not null,
    number int not null,
    line text not null,
    worker text not null,
    token bigint not null,
    primary key (portal, run, number),
    foreign key (portal, run) references recard.run
);

-- Plans and reports.
create table recard.run_file (
    portal text not null,
    run text not null,
    name text not null,
    content bytea not null,
    primary key (portal, run, name)
);

-- Backups: a line once, however many runs hold it.
create table recard.backup (
    portal text not null references recard.portal,
    digest text not null,
    line text not null,
    primary key (portal, digest)
);

-- Which run holds which backup, in the order in which they were written.
create table recard.run_backup (
    portal text not null,
    run text not null,
    number int not null,
    digest text not null,
    primary key (portal, run, number),
    foreign key (portal, digest) references recard.backup
);
create index run_backup_digest on recard.run_backup (portal, digest);

-- Memory of mode once: entries of the ledger, which are never taken back.
create table recard.ledger (
    portal text not null references recard.portal,
    generation text not null,
    card text not null,
    entry text not null,
    worker text not null,
    token bigint not null,
    primary key (portal, generation, card)
);

-- Used plan files: each is used once, whatever the portal.
create table recard.used_plan (
    digest text primary key,
    portal text not null references recard.portal,
    number int not null,
    line text not null,
    at timestamptz not null default now(),
    claim text not null,
    unique (portal, number)
);

-- Audit logs: chains of lines. The key allows no fork.
create table recard.audit (
    portal text not null references recard.portal,
    number int not null,
    line text not null,
    worker text not null,
    token bigint not null,
    at timestamptz not null default now(),
    primary key (portal, number)
);

-- Other documents of a portal: level of the limiter, proof of reads, labels, selections.
create table recard.document (
    portal text not null references recard.portal,
    name text not null,
    content bytea not null,
    at timestamptz not null default now(),
    primary key (portal, name)
);

-- The interface for dashboards.
create view recard.portal_status as
select
    portal,
    fleet,
    labels,
    case
        when moved_to is not null then 'moved'
        when parked is not null then 'parked'
        when coalesce(pause > now(), false) or coalesce(declared_pause > now(), false) then 'paused'
        when lease > now() then 'claimed'
        when failures > 0 then 'failing'
        when due <= now() then 'due'
        else 'waiting'
    end as state,
    revision,
    due,
    case when isfinite(due) then greatest(now() - due, interval '0') end as overdue,
    attempts,
    failures,
    parked as parked_for,
    parked_at,
    case when lease > now() then worker end as worker,
    round_revision as last_revision,
    round_failed as last_failed,
    round_people as last_people,
    round_at as last_round
from recard.portal;

create view recard.run_history as
select
    run.portal,
    run.run,
    -- A run id begins with the time of its start in UTC. A sum, unlike to_timestamp, refuses no
    -- number, so that a row that somebody edited breaks no query over the others.
    case when run.run ~ '^[0-9]{8}T[0-9]{6}' then (timestamp '2000-01-01' + make_interval(
        left(run.run, 4)::int - 2000, substr(run.run, 5, 2)::int - 1, 0, substr(run.run, 7, 2)::int - 1,
        substr(run.run, 10, 2)::int, substr(run.run, 12, 2)::int, substr(run.run, 14, 2)::int
    )) at time zone 'UTC' end as started,
    last.line like '%"record":{"closed":%' as closed,
    last.number as lines,
    (select count(*) from recard.run_backup b where b.portal = run.portal and b.run = run.run) as backups,
    last.worker
from recard.run
cross join lateral (
    select line, number, worker from recard.journal j
    where j.portal = run.portal and j.run = run.run order by number desc limit 1
) as last;
