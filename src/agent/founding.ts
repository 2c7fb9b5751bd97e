// Who makes the data of a new cluster: `up` itself, so that initdb need not wait until an agent has
// loaded, or the founder's agent where no `up` is at it. A lock keeps it to one at a time; it goes
// with the process that holds it.
import { readdir } from "node:fs/promises";
import { dirname } from "node:path";
import { UnderstudyError } from "../core/errors.ts";
import { SUPERUSER } from "../core/role.ts";
import { FileWatch } from "../postgres/file-watch.ts";
import { INIT_DATA_LIMIT_MS, initData } from "../postgres/init-data.ts";
import { syncDirectory } from "../postgres/sync-directory.ts";
import { tryLock, type ProcessLock } from "../store/process-lock.ts";
import type { ClusterFile, ClusterSecrets } from "./cluster-file.ts";
import type { MemberPaths } from "./member-paths.ts";

/** The founder: the member whose data is the cluster's first. */
export interface Founder {
  readonly paths: Pick<MemberPaths, "data" | "foundingLock">;
  readonly file: ClusterFile;
  readonly secrets: ClusterSecrets;
}

const POLL_MS = 50;
/** Longer than whoever makes it may take. */
const WAIT_LIMIT_MS = INIT_DATA_LIMIT_MS + 10_000;

/** To be called with the founding lock held. @throws as initData does; nothing is left then. */
export async function makeFirstData(
  { paths, file, secrets }: Founder,
  how: {
    readonly signal: AbortSignal;
    readonly user?: { readonly uid: number; readonly gid: number };
    /** Called as initdb is started. */
    readonly onBegin?: () => void;
  },
): Promise<void> {
  let statements: Promise<readonly string[]> | null = null;
  const statementsOnce = () => (statements ??= firstStatementsFor({ file, secrets }));
  await initData({
    installation: file.installation,
    dataDir: paths.data,
    superuser: SUPERUSER,
    superuserPassword: secrets.superuser,
    locale: file.specification.spec.postgres.locale,
    signal: how.signal,
    statements: statementsOnce,
    onProgress: () => {
      how.onBegin?.();
      // Made while initdb is at work; what fails there is told where it counts.
      void statementsOnce().catch(() => {});
    },
    ...(how.user === undefined ? {} : { uid: how.user.uid, gid: how.user.gid }),
  });
}

async function firstStatementsFor({ file, secrets }: Omit<Founder, "paths">) {
  const { firstStatements } = await import("./first-objects.ts");
  return firstStatements({ major: file.installation.major, secrets });
}

/**
 * Waits for as long as another process makes the data.
 * @returns the founding lock for whoever is to make it, or null when it is there, whole and by
 * name.
 * @throws UnderstudyError TIMED_OUT, or the signal's reason.
 */
export async function takeFoundersTurn(
  paths: Founder["paths"],
  signal: AbortSignal,
): Promise<ProcessLock | null> {
  const deadline = performance.now() + WAIT_LIMIT_MS;
  using watch = new FileWatch(paths.data, { pollMs: POLL_MS });
  for (;;) {
    signal.throwIfAborted();
    const lock = tryLock(paths.foundingLock);
    if (await holdsFiles(paths.data)) {
      lock?.[Symbol.dispose]();
      // Whoever made it may not have come to this yet.
      await syncDirectory(dirname(paths.data));
      return null;
    }
    if (lock !== null) return lock;
    if (performance.now() > deadline)
      throw new UnderstudyError(
        "TIMED_OUT",
        `another process holds ${paths.foundingLock} and has not made ${paths.data} within ${WAIT_LIMIT_MS / 1000} s`,
      );
    await watch.changed();
  }
}

async function holdsFiles(directory: string): Promise<boolean> {
  return (await readdir(directory).catch(() => [])).length > 0;
}
