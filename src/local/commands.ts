// Everything that can be asked of clusters on this machine, as one object: what the command line loads when it needs it.
import { SUPERUSER } from "../agent/member.ts";
import type { AgentProgram } from "./agents.ts";
import { openCluster, readRecord, type LocalCluster, type Operation } from "./cluster.ts";
import { deleteCluster, describeDeletion } from "./delete.ts";
import { diagnose } from "./doctor.ts";
import { downCluster } from "./down.ts";
import { failover, planFailover } from "./failover.ts";
import { readEvents, readLogs } from "./journals.ts";
import { planParameters, setParameters, showParameters } from "./parameters.ts";
import { listClusters, resolveClusterPlace, type Environment } from "./place.ts";
import { readClusterStatus } from "./read-status.ts";
import { reclone, reload, restart } from "./restart.ts";
import { addStandby, removeStandby } from "./standby.ts";
import { planSwitchover, switchover } from "./switchover.ts";
import { upCluster, type UpOptions, type UpSurroundings } from "./up.ts";

export function localCommands(around: {
  readonly env: Environment;
  readonly uid: number;
  readonly program: AgentProgram;
}) {
  return {
    resolveClusterPlace,
    listClusters,
    openCluster,
    upCluster: (options: UpOptions, onStep: UpSurroundings["onStep"]) =>
      upCluster(options, { ...around, onStep }),
    downCluster,
    describeDeletion,
    deleteCluster,
    readClusterStatus,
    memberNames: async (cluster: LocalCluster) => Object.keys((await readRecord(cluster)).members),
    applicationPassword: async (cluster: LocalCluster) => cluster.secrets.application,
    superuserLogin: async (cluster: LocalCluster) => ({
      user: SUPERUSER,
      password: cluster.secrets.superuser,
    }),
    binDirOf: async (cluster: LocalCluster) => cluster.file.installation.binDir,
    addStandby: (cluster: LocalCluster, request: { name: string | null }, operation: Operation) =>
      addStandby(cluster, { ...request, program: around.program }, operation),
    removeStandby,
    planSwitchover,
    switchover,
    planFailover,
    failover,
    restart,
    reload,
    showParameters,
    planParameters,
    setParameters,
    reclone,
    readLogs,
    readEvents,
    diagnose: (question: Omit<Parameters<typeof diagnose>[0], "uid">) =>
      diagnose({ ...question, uid: around.uid }),
  };
}
