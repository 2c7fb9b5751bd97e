// The roles in PostgreSQL that are Understudy's own.

/** Of agents at their own servers, and of a person. */
export const SUPERUSER = "postgres";

/** Streams and copies; where there is TLS it logs in by a certificate of this name. */
export const REPLICATION_ROLE = "understudy_replication";
/** For pg_rewind: may read files of the data directory by function, and nothing else. */
export const REWIND_ROLE = "understudy_rewind";
