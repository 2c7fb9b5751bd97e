// What a member does when its certificates were renewed.
import { readPostmasterPid } from "../postgres/postmaster-pid.ts";
import { findPostmaster } from "../postgres/processes.ts";
import type { ServedApi } from "./api.ts";
import type { Member } from "./member.ts";
import type { MemberTls } from "./member-tls.ts";

/** A renewed certificate is shown to whoever connects from then on, by agent and server alike. */
export function takeUpRenewals(
  tls: MemberTls,
  { member, api }: { member: Member; api: ServedApi },
): Disposable {
  return tls.watch({
    renewed: async () => {
      api.renew(tls.server);
      if (!(await reload(member))) return false;
      member.log.write({
        event: "certificates-read",
        message: `${member.name} shows the certificates that it was given last.`,
      });
      return true;
    },
    trouble: (why) =>
      member.log.write({ event: "certificates-unread", level: "warning", message: why }),
  });
}

/**
 * One that does not run reads them when it begins. One that is beginning may have read them before,
 * and up to 12 the signal would end it for a moment.
 * @returns whether nothing is left to do.
 */
async function reload({ paths, server }: Member): Promise<boolean> {
  if (findPostmaster(paths.data) === null) return true;
  const status = (await readPostmasterPid(paths.data))?.status;
  if (status !== "ready" && status !== "standby") return false;
  await server.reload();
  return true;
}
