// What stands in postgresql.conf where members reach each other by TLS.
import { UnderstudyError } from "../../core/errors.ts";
import type { SettingsContext } from "./context.ts";

/** From here on it can be said; before, OpenSSL's own configuration says it (20.3.3). */
const VERSION_SINCE = 12;

/** Read again by the server with each reload: a renewed certificate needs no restart (20.3.3). */
export function tlsSettings({
  tls = null,
  major,
}: Pick<SettingsContext, "tls" | "major">): ReadonlyMap<string, string> {
  if (tls === null) return new Map();
  return new Map([
    ["ssl", "on"],
    ["ssl_cert_file", tls.server],
    ["ssl_key_file", tls.server],
    ["ssl_ca_file", tls.trusted],
    ...(major < VERSION_SINCE ? [] : [["ssl_min_protocol_version", "TLSv1.2"] as const]),
  ]);
}

/**
 * Where there is no TLS of ours a server's is its user's.
 * @throws UnderstudyError PARAMETER_MANAGED.
 */
export function refuseTlsSetting(name: string): void {
  const ours = tlsSettings({ major: 18, tls: { server: "", client: "", trusted: "" } });
  if (!ours.has(name.toLowerCase())) return;
  const why = "members and applications reach it by the cluster's own certificates";
  throw new UnderstudyError(
    "PARAMETER_MANAGED",
    `cannot set ${name.toLowerCase()}: Understudy sets it itself, because ${why}`,
    { details: { name, why } },
  );
}
