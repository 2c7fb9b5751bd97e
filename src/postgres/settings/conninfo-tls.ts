// The part of a libpq connection string that says where a server is and how it is known for who it
// is (manual, 32.1.2).
import { isIP } from "node:net";
import { factsOf } from "../majors.ts";
import type { TlsFiles } from "../tls.ts";
import type { Upstream } from "./context.ts";
import type { Major } from "../../core/spec.ts";

interface Parts {
  readonly where: readonly (readonly [string, string])[];
  readonly how: readonly (readonly [string, string])[];
}

/**
 * A certificate is of a name and a member is at an address, which changes with each pod: libpq then
 * connects to `hostaddr` and compares with `host`. Who has certificates himself believes nobody
 * who has none, and tells no password: the record, which says where a member is, may lie.
 */
export function conninfoTo(
  { name, host, port }: Upstream,
  by: { tls: TlsFiles | null; major: Major },
): Parts {
  const { tls, major } = by;
  if (tls === null)
    return {
      where: [
        ["host", host],
        ["port", `${port}`],
      ],
      how: [["sslmode", "prefer"]],
    };
  return {
    where: [
      ["host", isIP(host) === 0 ? host : name],
      ...(isIP(host) === 0 ? [] : [["hostaddr", host] as const]),
      ["port", `${port}`],
    ],
    how: [
      ["sslmode", "verify-full"],
      ["sslrootcert", tls.trusted],
      ["sslcert", tls.client],
      ["sslkey", tls.client],
      // Members are let in by their certificate; none is asked for more.
      ...(factsOf(major).requiresAuth ? [["require_auth", "none"] as const] : []),
    ],
  };
}
