// Every command there is, in groups.
import { register as completion } from "./commands/completion.ts";
import { register as config } from "./commands/config.ts";
import { register as doctor } from "./commands/doctor.ts";
import { register as drill } from "./commands/drill.ts";
import { register as down } from "./commands/down.ts";
import { register as explain } from "./commands/explain.ts";
import { register as failover } from "./commands/failover.ts";
import { register as fence } from "./commands/fence.ts";
import { register as kubernetes } from "./commands/kubernetes.ts";
import { register as logs } from "./commands/logs.ts";
import { register as member } from "./commands/member.ts";
import { register as operator } from "./commands/operator.ts";
import { register as param } from "./commands/param.ts";
import { register as pause } from "./commands/pause.ts";
import { register as psql } from "./commands/psql.ts";
import { register as reclone } from "./commands/reclone.ts";
import { register as restart } from "./commands/restart.ts";
import { register as sql } from "./commands/sql.ts";
import { register as standby } from "./commands/standby.ts";
import { register as status } from "./commands/status.ts";
import { register as switchover } from "./commands/switchover.ts";
import { register as up } from "./commands/up.ts";
import { register as url } from "./commands/url.ts";
import type { CommandGroup } from "./program.ts";

/** In the order of the help. */
export const ALL_COMMANDS: readonly CommandGroup[] = [
  { title: "Start and stop:", commands: [up, down] },
  { title: "Look:", commands: [status, logs, explain, doctor] },
  { title: "Connect:", commands: [url, psql, sql] },
  {
    title: "Change:",
    commands: [
      switchover,
      failover,
      pause,
      fence,
      standby,
      reclone,
      restart,
      param,
      config,
      member,
    ],
  },
  { title: "Rehearse:", commands: [drill] },
  { title: "Kubernetes:", commands: [kubernetes, operator] },
  { title: "Shell:", commands: [completion] },
];
