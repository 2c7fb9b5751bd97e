// What a new cluster is going to be: everything that can be wrong with the wish for one is found
// here, before anything is made.
import type { ClusterFile } from "../agent/cluster-file.ts";
import { UnderstudyError } from "../core/errors.ts";
import type { SyncPolicy } from "../core/record.ts";
import { API_VERSION, type ClusterSpec } from "../core/spec.ts";
import {
  findInstallation,
  type FoundInstallation,
} from "../postgres/binaries/find-installation.ts";
import { checkLocale } from "../postgres/check-locale.ts";
import { checkPreload } from "../postgres/settings/check-preload.ts";
import type { UpStep } from "./await-streaming.ts";
import { requireRoom } from "./create-cluster.ts";
import { preloadVersionsOf } from "./libraries.ts";
import type { Owner } from "./owner.ts";
import { binariesHome } from "./place.ts";
import { choosePorts, describePassedOver, type MemberPorts } from "./ports.ts";
import type { UpOptions, UpSurroundings } from "./up.ts";

const DEFAULT_STANDBYS = 2;

export interface Plan {
  readonly file: ClusterFile;
  readonly ports: readonly MemberPorts[];
  readonly sync: SyncPolicy;
}

/** @throws UnderstudyError of every kind that a bad wish calls for; nothing is made then. */
export async function planNew(
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null },
): Promise<Plan> {
  await requireRoom(options.place, around.owner);
  const sync = await syncPolicyOf(options);
  const found = await choosePostgres(options, around);
  const count = 1 + (options.standbys ?? DEFAULT_STANDBYS);
  // One installation serves every member here, so what is checked once, before anything is started,
  // holds for all of them.
  const libraries = await checkPreload(found.installation, options.preload);
  if (options.locale !== null) await requireLocale(options.locale, { found, options, ...around });
  const specification = await checkedSpecification(options, {
    found,
    count,
    onStep: around.onStep,
  });
  const chosen = await choosePorts({ first: options.port, count });
  if (chosen.passedOver.length > 0)
    around.onStep({
      kind: "note",
      text: describePassedOver(chosen),
    });
  return {
    ports: chosen.ports,
    sync,
    file: {
      specification,
      installation: found.installation,
      installationReason: found.reason,
      osUser: around.owner?.name ?? null,
      preloadVersions: preloadVersionsOf(libraries),
    },
  };
}

/** @throws UnderstudyError REFUSED. */
async function syncPolicyOf(options: UpOptions): Promise<SyncPolicy> {
  const { sync, required, standbys } = options;
  const policy = {
    mode: sync ?? "off",
    required: required ?? 1,
    whenUnavailable: "block",
  } as const;
  if (policy.mode === "off") return policy;
  const count = standbys ?? DEFAULT_STANDBYS;
  if (policy.required > count)
    throw new UnderstudyError(
      "REFUSED",
      `commits cannot wait for ${policy.required} standbys: there are to be ${count}; nothing was made`,
      { hint: "Have more with --standbys, or less with --required." },
    );
  const { refuseLessDurable } = await import("./parameters.ts");
  refuseLessDurable(policy, options.parameters);
  return policy;
}

async function requireLocale(
  locale: string,
  of: { found: FoundInstallation; options: UpOptions; owner: Owner | null },
): Promise<void> {
  const { signal } = of.options;
  const { installation } = of.found;
  const user = of.owner === null ? {} : { uid: of.owner.uid, gid: of.owner.gid };
  await checkLocale({ installation, locale, signal, ...user });
}

async function choosePostgres(
  options: UpOptions,
  around: UpSurroundings & { owner: Owner | null },
): Promise<FoundInstallation> {
  const { owner } = around;
  const found = await findInstallation({
    ...(options.major === null ? {} : { major: options.major }),
    ...(options.pgBin === null ? {} : { pgBin: options.pgBin }),
    ...(owner === null ? {} : { runAs: owner }),
    env: around.env,
    cacheDir: binariesHome(around),
    signal: options.signal,
    onProgress: ({ step, what }) =>
      around.onStep({
        kind: "postgres-wanted",
        progress: {
          step: `${step} ${what}`,
          bytesDone: null,
          bytesTotal: null,
          remainingSeconds: null,
        },
      }),
  });
  const { installation, reason } = found;
  const { version, binDir } = installation;
  around.onStep({ kind: "postgres-found", version, binDir, reason });
  return found;
}

/**
 * What the user asks for, checked by the chosen server's own binaries before anything is written.
 */
async function checkedSpecification(
  options: UpOptions,
  given: { found: FoundInstallation; count: number; onStep: (step: UpStep) => void },
): Promise<ClusterSpec> {
  const { installation } = given.found;
  const parameters = await checkedParameters(options, given);
  return {
    apiVersion: API_VERSION,
    kind: "PostgresCluster",
    metadata: { name: options.place.name },
    spec: {
      postgres: {
        major: installation.major,
        parameters,
        preload: [...options.preload],
        locale: options.locale ?? "C.UTF-8",
      },
    },
  };
}

async function checkedParameters(
  { parameters, preload }: UpOptions,
  given: { found: FoundInstallation; count: number; onStep: (step: UpStep) => void },
): Promise<Record<string, string>> {
  // What checks them knows all that we render, which is much to load for nothing.
  if (Object.keys(parameters).length === 0 && preload.length === 0) return {};
  const { checkParameters } = await import("../postgres/settings/check-parameters.ts");
  const { installation } = given.found;
  const checked = await checkParameters({
    installation,
    parameters,
    preload,
    memberCount: given.count,
  });
  for (const text of checked.warnings) given.onStep({ kind: "note", text });
  return { ...checked.parameters };
}
