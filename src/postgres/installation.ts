// One set of PostgreSQL programs on this machine, proven by running it.
import type { Major } from "../core/spec.ts";

export interface Installation {
  /** Absolute; holds postgres and initdb. */
  readonly binDir: string;
  readonly major: Major;
  /** "15.18". */
  readonly version: string;
  /**
   * Which builds may open each other's data directories: same major, word size, libc and ICU. A
   * data directory is only ever opened by binaries of its own family (collations differ between
   * builds: lesson table 2, row 18).
   */
  readonly family: string;
  readonly shareDir: string;
  readonly libDir: string;
  /** The programs beyond postgres and initdb that are there: "psql", "pg_rewind", "pg_waldump" … */
  readonly tools: readonly string[];
}
