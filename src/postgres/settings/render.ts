// A member's settings as text: the files that a server reads. Pure; write-settings.ts puts them on
// disk.
import type { Secret } from "../../core/secret.ts";
import { slotNameOf } from "../../core/name.ts";
import { factsOf } from "../majors.ts";
import { MAINTENANCE_DATABASE, type SettingsContext, type Upstream } from "./context.ts";
import { effectiveSettings } from "./managed.ts";
import { CERTIFICATE_MAP } from "./render-hba.ts";
import { renderPrimaryConninfo } from "./primary-conninfo.ts";
import { escapePassfileField, quoteSetting, unquoteSetting } from "./quote.ts";
import { renderRestoreCommand } from "./restore-command.ts";

const HEADER = "# Written by Understudy; changes made here are lost. Use: understudy param set\n";

/**
 * The whole postgresql.conf: managed settings with the user's among them, each once.
 * @throws UnderstudyError PARAMETER_MANAGED, PARAMETER_INVALID, PARAMETER_UNKNOWN (a name that is
 * none).
 */
export function renderPostgresqlConf(
  context: SettingsContext,
  userParameters: Readonly<Record<string, string>>,
): string {
  return HEADER + renderSettings(effectiveSettings(context, userParameters));
}

/**
 * Name and value a line: what stands in postgresql.conf and what validation feeds to a server are
 * the same text.
 */
export function renderSettings(settings: ReadonlyMap<string, string>): string {
  let text = "";
  for (const [name, value] of settings) text += `${name} = ${quoteSetting(value)}\n`;
  return text;
}

/** A setting's value in a file that renderSettings has made; null where it is not in there. */
export function readSetting(text: string, name: string): string | null {
  const begin = `${name} = `;
  const line = text.split("\n").find((each) => each.startsWith(begin));
  return line === undefined ? null : unquoteSetting(line.slice(begin.length));
}

/**
 * The file in the data directory that makes the next start one in standby mode. Up to 11 it also
 * says whom to follow (manual of 11, chapter 27); from 12 it is empty.
 */
export function renderRecoveryFile(context: SettingsContext): string {
  if (factsOf(context.major).recoveryFile === "standby.signal") return "";
  const settings = new Map([
    ["standby_mode", "on"],
    ["recovery_target_timeline", "latest"],
  ]);
  if (context.spoolDir !== null)
    settings.set("restore_command", renderRestoreCommand(context.spoolDir));
  if (context.upstream !== null) {
    settings.set("primary_conninfo", renderPrimaryConninfo(context, context.upstream));
    settings.set("primary_slot_name", slotNameOf(context.member.name));
  }
  const { applyDelayMs = 0 } = context;
  if (applyDelayMs > 0) settings.set("recovery_min_apply_delay", `${applyDelayMs}ms`);
  return HEADER + renderSettings(settings);
}

/**
 * pg_ident.conf: no mapping of system users, so that no method that uses one lets anybody in, but
 * for the certificate by which members log in as these roles of ours (manual, 21.2 and 21.12).
 */
export function renderIdent(
  certificate: { name: string; roles: readonly string[] } | null,
): string {
  if (certificate === null) return HEADER;
  const { name, roles } = certificate;
  return HEADER + roles.map((role) => `${CERTIFICATE_MAP} ${name} ${role}\n`).join("");
}

/**
 * Lines for each member that the replication role may follow; "replication" stands for the database
 * (32.16). What copies logical slots opens an ordinary one.
 */
export function renderPassfile(options: {
  members: readonly Pick<Upstream, "host" | "port">[];
  replicationUser: string;
  replicationPassword: Secret;
  /** See SettingsContext; not where it is left out. */
  copiesLogicalSlots?: boolean;
}): string {
  const more = options.copiesLogicalSlots === true ? [MAINTENANCE_DATABASE] : [];
  const databases = ["replication", ...more];
  const user = escapePassfileField(options.replicationUser);
  const password = escapePassfileField(options.replicationPassword.reveal());
  return options.members
    .flatMap(({ host, port }) =>
      databases.map(
        (database) => `${escapePassfileField(host)}:${port}:${database}:${user}:${password}\n`,
      ),
    )
    .join("");
}
