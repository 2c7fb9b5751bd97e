// Everything that can be asked of clusters on this machine, as one object for the command line.
// Each part is loaded when it is first asked for: `status` does not pay for what only `up` needs.
import { SUPERUSER } from "../core/role.ts";
import type { AgentProgram } from "./agents.ts";
import type { DrillRequest, DrillResult } from "./drill/drill.ts";
import { openCluster, readRecord, type LocalCluster, type Operation } from "./cluster.ts";
import { listClusters, resolveClusterPlace, type Environment } from "./place.ts";
import type { AdditionRequest } from "./standby.ts";
import type { UpOptions, UpSurroundings } from "./up.ts";

export function localCommands(around: {
  readonly env: Environment;
  readonly uid: number;
  readonly program: AgentProgram;
}) {
  return {
    resolveClusterPlace,
    listClusters,
    openCluster,
    memberNames: async (cluster: LocalCluster) => Object.keys((await readRecord(cluster)).members),
    applicationPassword: async (cluster: LocalCluster) => cluster.secrets.application,
    superuserLogin: async (cluster: LocalCluster) => ({
      user: SUPERUSER,
      password: cluster.secrets.superuser,
    }),
    binDirOf: async (cluster: LocalCluster) => cluster.file.installation.binDir,
    readClusterStatus: onceAsked(async () => (await import("./read-status.ts")).readClusterStatus),
    upCluster: async (options: UpOptions, onStep: UpSurroundings["onStep"]) =>
      (await import("./up.ts")).upCluster(options, { ...around, onStep }),
    downCluster: onceAsked(async () => (await import("./down.ts")).downCluster),
    describeDeletion: onceAsked(async () => (await import("./delete.ts")).describeDeletion),
    deleteCluster: onceAsked(async () => (await import("./delete.ts")).deleteCluster),
    addStandby: async (cluster: LocalCluster, request: AdditionRequest, operation: Operation) => {
      const { addStandby } = await import("./standby.ts");
      return addStandby(cluster, { ...request, program: around.program }, operation);
    },
    removeStandby: onceAsked(async () => (await import("./remove-standby.ts")).removeStandby),
    planSwitchover: onceAsked(async () => (await import("./switchover.ts")).planSwitchover),
    switchover: onceAsked(async () => (await import("./switchover.ts")).switchover),
    planSchedule: onceAsked(async () => (await import("./schedule.ts")).planSchedule),
    schedule: onceAsked(async () => (await import("./schedule.ts")).schedule),
    cancelSchedule: onceAsked(async () => (await import("./schedule.ts")).cancelSchedule),
    planFailover: onceAsked(async () => (await import("./failover.ts")).planFailover),
    failover: onceAsked(async () => (await import("./failover.ts")).failover),
    planDrill: onceAsked(async () => (await import("./drill/drill.ts")).planDrill),
    drill: async (cluster: LocalCluster, request: DrillRequest, operation: Operation) => {
      const { drill } = await import("./drill/drill.ts");
      return drill(cluster, { ...request, program: around.program }, operation);
    },
    cleanUpAfterDrill: onceAsked(async () => (await import("./drill/drill.ts")).cleanUpAfterDrill),
    drawDrill: async (result: DrillResult) =>
      (await import("./drill/picture/drill-picture.ts")).drawDrill(result),
    pause: onceAsked(async () => (await import("./pause.ts")).pause),
    planFence: onceAsked(async () => (await import("./fence.ts")).planFence),
    fence: onceAsked(async () => (await import("./fence.ts")).fence),
    unfence: onceAsked(async () => (await import("./fence.ts")).unfence),
    restart: onceAsked(async () => (await import("./restart.ts")).restart),
    reload: onceAsked(async () => (await import("./restart.ts")).reload),
    reclone: onceAsked(async () => (await import("./restart.ts")).reclone),
    showConfig: onceAsked(async () => (await import("./config.ts")).showConfig),
    showMemberConfig: onceAsked(async () => (await import("./config.ts")).showMemberConfig),
    planConfig: onceAsked(async () => (await import("./config.ts")).planConfig),
    setConfig: onceAsked(async () => (await import("./config.ts")).setConfig),
    showParameters: onceAsked(async () => (await import("./parameters.ts")).showParameters),
    planParameters: onceAsked(async () => (await import("./parameters.ts")).planParameters),
    setParameters: onceAsked(async () => (await import("./parameters.ts")).setParameters),
    readEvents: onceAsked(async () => (await import("./journals.ts")).readEvents),
    readLogs: async function* (
      cluster: LocalCluster,
      request: { member: string | null; follow: boolean; lines: number; signal: AbortSignal },
    ) {
      yield* (await import("./journals.ts")).readLogs(cluster, request);
    },
    diagnose: onceAsked(async () => {
      const { diagnose } = await import("./doctor.ts");
      return (question: Omit<Parameters<typeof diagnose>[0], "uid">) =>
        diagnose({ ...question, uid: around.uid });
    }),
  };
}

/** The same function, loaded with its first call. */
function onceAsked<Arguments extends unknown[], Result>(
  load: () => Promise<(...args: Arguments) => Promise<Result>>,
): (...args: Arguments) => Promise<Result> {
  return async (...args) => (await load())(...args);
}
