/**
 * What has become of the schema, oldest first. Each may run again, and leaves a schema that the version before this one can
 * live with as well: while a release goes out both ask the database, and one that is taken back leaves its schema. So a
 * release adds, with a default or null; what nobody uses any more a later release takes away.
 */
export const SCHEMA = [
  'create table if not exists images (key text primary key, kept_at timestamptz not null default now())',
  // Rows of the version before have none.
  'alter table images add column if not exists bytes integer',
];
