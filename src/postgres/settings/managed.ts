// The settings that Understudy manages: the questions that are asked of the table. The table itself
// stands in managed-replication.ts (what streaming and fencing rest on) and managed-server.ts
// (places, network, log).
import { UnderstudyError } from "../../core/errors.ts";
import type { Major } from "../../core/spec.ts";
import { factsOf } from "../majors.ts";
import type { SettingsContext } from "./context.ts";
import type { ManagedSetting } from "./managed-setting.ts";
import { STANDBY_SENSITIVE, STANDBY_SENSITIVE_DEFAULTS } from "./context.ts";
import { REPLICATION_SETTINGS } from "./managed-replication.ts";
import { SERVER_SETTINGS } from "./managed-server.ts";
import { refuseTlsSetting, tlsSettings } from "./tls-settings.ts";

const MANAGED: readonly ManagedSetting[] = [...REPLICATION_SETTINGS, ...SERVER_SETTINGS];

/** @returns the settings that this major knows, in the order in which they are rendered. */
export function managedSettings(major: Major): readonly ManagedSetting[] {
  return MANAGED.filter((setting) => (setting.from ?? 10) <= major && major <= (setting.to ?? 18));
}

/** Names are compared as the server does it, without regard to case. */
export function findManaged(name: string): ManagedSetting | undefined {
  const wanted = name.toLowerCase();
  return MANAGED.find((setting) => setting.name.toLowerCase() === wanted);
}

/**
 * Refuses what a user may not set, before any server is asked.
 * @throws UnderstudyError PARAMETER_MANAGED with the reason, or PARAMETER_INVALID where only some
 * values are allowed.
 */
export function checkManaged(name: string, value: string): void {
  const setting = findManaged(name);
  if (setting === undefined || setting.user === "free" || setting.user === "at-least") return;
  if (setting.user === "refused")
    throw new UnderstudyError(
      "PARAMETER_MANAGED",
      `cannot set ${setting.name}: Understudy sets it itself, because ${setting.why}`,
      { details: { name: setting.name, why: setting.why } },
    );
  if (setting.user.includes(value.trim().toLowerCase())) return;
  throw new UnderstudyError(
    "PARAMETER_INVALID",
    `cannot set ${setting.name} to ${JSON.stringify(value)}: here it must be ${setting.user.join(" or ")}, because ${setting.why}`,
    { details: { name: setting.name, given: value, allowed: setting.user } },
  );
}

/**
 * Everything that stands in the member's postgresql.conf: managed settings, the user's, and for the
 * standby-sensitive ones at least what pg_control asks for.
 * @throws UnderstudyError PARAMETER_MANAGED or PARAMETER_INVALID.
 */
export function effectiveSettings(
  context: SettingsContext,
  userParameters: Readonly<Record<string, string>>,
): ReadonlyMap<string, string> {
  const settings = new Map<string, string>();
  const ours = managedSettings(context.major);
  for (const setting of ours) {
    const value = setting.value(context);
    if (value !== null) settings.set(setting.name, value);
  }
  for (const [name, value] of tlsSettings(context)) settings.set(name, value);
  for (const [given, value] of Object.entries(userParameters)) {
    checkName(given);
    checkManaged(given, value);
    if ((context.tls ?? null) !== null) refuseTlsSetting(given);
    const managed = findManaged(given);
    const name = managed?.name ?? given;
    const floor = managed?.user === "at-least" ? settings.get(name) : undefined;
    settings.set(name, floor === undefined ? value : greater(name, value, floor));
  }
  for (const name of STANDBY_SENSITIVE) {
    // Always by name: a line that left the file after a promotion would wait for a restart, though
    // its value is the same.
    if (!settings.has(name)) settings.set(name, `${STANDBY_SENSITIVE_DEFAULTS[name]}`);
    raise(settings, name, context.controlMinimums?.[name]);
  }
  checkConnections(settings, context.major);
  return settings;
}

/**
 * Lets only through what can be nothing but a parameter's name in postgresql.conf (lesson 50): the
 * grammar of manual
 * 20.1.2 with at most one dot, and none of the words that include another file.
 * @throws UnderstudyError PARAMETER_UNKNOWN.
 */
export function checkName(name: string): void {
  const wellFormed = /^[A-Za-z_][A-Za-z0-9_$]*(\.[A-Za-z_][A-Za-z0-9_$]*)?$/.test(name);
  if (wellFormed && name.length <= 63 && !/^include(_dir|_if_exists)?$/i.test(name)) return;
  throw new UnderstudyError(
    "PARAMETER_UNKNOWN",
    `${JSON.stringify(name)} is no name of a PostgreSQL parameter`,
    { hint: "A name has letters, digits and underscores, and one dot for an extension's own." },
  );
}

/**
 * A server whose reserved connections leave none for others does not start; up to 11 its senders
 * count among them.
 * @throws UnderstudyError PARAMETER_INVALID.
 */
function checkConnections(settings: ReadonlyMap<string, string>, major: Major): void {
  const value = (name: string, fallback: string) => Number(settings.get(name) ?? fallback);
  const senders = factsOf(major).walSendersWithinConnections ? value("max_wal_senders", "10") : 0;
  const reserved =
    value("superuser_reserved_connections", "3") + value("reserved_connections", "0");
  const connections = value("max_connections", "100");
  if (Number.isNaN(senders + reserved + connections) || connections > senders + reserved) return;
  throw new UnderstudyError(
    "PARAMETER_INVALID",
    `cannot set max_connections to ${connections}: ${reserved} are reserved${senders === 0 ? "" : ` and ${senders} taken by standbys and backups`}, so at least ${senders + reserved + 1} are needed`,
    { details: { name: "max_connections", given: connections, senders, reserved } },
  );
}

function raise(settings: Map<string, string>, name: string, minimum: number | undefined): void {
  if (minimum === undefined) return;
  const present = settings.get(name);
  settings.set(name, present === undefined ? `${minimum}` : greater(name, present, `${minimum}`));
}

/**
 * The server also reads hexadecimal numbers and fractions, as JavaScript does; octal ones only it.
 */
function greater(name: string, value: string, floor: string): string {
  const number = /^0[0-7]+$/.test(value.trim()) ? Number.parseInt(value, 8) : Number(value);
  if (value.trim() === "" || Number.isNaN(number))
    throw new UnderstudyError(
      "PARAMETER_INVALID",
      `cannot set ${name} to ${JSON.stringify(value)}: it takes a whole number`,
      { details: { name, given: value } },
    );
  return number >= Number(floor) ? value : floor;
}
