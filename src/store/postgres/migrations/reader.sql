-- Rights of dashboards.
grant usage on schema recard to ROLE;
grant select on recard.schema_version, recard.portal_status, recard.run_history to ROLE;
