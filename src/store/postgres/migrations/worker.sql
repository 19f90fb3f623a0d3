-- Rights of workers and commands.
grant usage on schema recard to ROLE;
grant select on all tables in schema recard to ROLE;
grant insert, update on recard.portal, recard.worker, recard.rollout, recard.revision, recard.run_file, recard.document to ROLE;
grant insert on recard.run, recard.backup, recard.run_backup to ROLE;
grant delete on recard.document to ROLE;
-- These only grow: the database itself refuses to change them.
grant insert on recard.audit, recard.ledger, recard.used_plan, recard.journal to ROLE;
