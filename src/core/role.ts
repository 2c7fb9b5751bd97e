// PostgreSQL's roles by which members reach each other.

/** Streams and copies; where there is TLS it logs in by a certificate of this name. */
export const REPLICATION_ROLE = "understudy_replication";
