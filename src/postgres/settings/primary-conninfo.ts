// The connection string by which a standby follows its upstream. The password is not in it: it
// names a passfile.
import { factsOf } from "../majors.ts";
import { conninfoTo } from "./conninfo-tls.ts";
import { MAINTENANCE_DATABASE, type SettingsContext, type Upstream } from "./context.ts";
import { quoteConninfo } from "./quote.ts";
import { passfileOf } from "./settings-files.ts";

/**
 * Bounded on the standby's side in every state: connecting, idle, and with data in flight (lesson
 * 43). `tcp_user_timeout` and `gssencmode` came with libpq 12 (manual, 32.1.2); an unknown key is
 * an error before.
 */
export function renderPrimaryConninfo(context: SettingsContext, upstream: Upstream): string {
  const { where, how } = conninfoTo(upstream, {
    tls: context.tls ?? null,
    major: context.major,
  });
  const pairs: (readonly [string, string])[] = [
    ...where,
    ["user", context.replicationUser],
    ["passfile", passfileOf(context)],
    ["application_name", context.member.name],
    ...how,
    ["connect_timeout", "5"],
    ["keepalives_idle", "10"],
    ["keepalives_interval", "5"],
    ["keepalives_count", "3"],
  ];
  if (factsOf(context.major).conninfoBoundsData)
    pairs.push(["gssencmode", "disable"], ["tcp_user_timeout", "20000"]);
  // The stream itself opens no database.
  if (context.copiesLogicalSlots === true) pairs.push(["dbname", MAINTENANCE_DATABASE]);
  return pairs.map(([key, value]) => `${key}=${quoteConninfo(value)}`).join(" ");
}
