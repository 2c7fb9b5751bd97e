// The part of a libpq connection string that says where a server is and how it is known for who it
// is (manual, 32.1.2).
import { isIP } from "node:net";
import type { TlsFiles } from "../tls.ts";
import type { Upstream } from "./context.ts";

interface Parts {
  readonly where: readonly (readonly [string, string])[];
  readonly how: readonly (readonly [string, string])[];
}

/**
 * A certificate is of a name and a member is at an address, which changes with each pod: libpq then
 * connects to `hostaddr` and compares with `host`.
 */
export function conninfoTo({ host, port, tlsName }: Upstream, tls: TlsFiles | null): Parts {
  if (tls === null || tlsName === undefined)
    return {
      where: [
        ["host", host],
        ["port", `${port}`],
      ],
      how: [["sslmode", "prefer"]],
    };
  return {
    where: [
      ...(isIP(host) === 0
        ? [["host", host] as const]
        : [["host", tlsName] as const, ["hostaddr", host] as const]),
      ["port", `${port}`],
    ],
    how: [
      ["sslmode", "verify-full"],
      ["sslrootcert", tls.trusted],
      ["sslcert", tls.client],
      ["sslkey", tls.client],
    ],
  };
}
