// Where a member's settings lie. All but the recovery file are outside the data directory, so that
// neither a base backup nor pg_rewind ever replaces them.
import { join } from "node:path";
import { factsOf } from "../majors.ts";
import type { SettingsContext } from "./context.ts";

type Places = Pick<SettingsContext, "settingsDir" | "dataDir" | "major">;

/** What `postgres -c config_file=` is given. */
export function configFileOf(places: Places): string {
  return join(places.settingsDir, "postgresql.conf");
}

export function hbaFileOf(places: Pick<Places, "settingsDir">): string {
  return join(places.settingsDir, "pg_hba.conf");
}

export function identFileOf(places: Places): string {
  return join(places.settingsDir, "pg_ident.conf");
}

/**
 * Holds the replication role's password; libpq ignores it unless its mode is 0600 or less (manual,
 * 32.16).
 */
export function passfileOf(places: Places): string {
  return join(places.settingsDir, "passfile");
}

/** Makes the server start in standby mode: standby.signal, or recovery.conf up to 11. */
export function recoveryFileOf(places: Places): string {
  return join(places.dataDir, factsOf(places.major).recoveryFile);
}
