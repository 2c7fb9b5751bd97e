// The effects as they are carried out on a real PostgreSQL.
import { bootstrap } from "./bootstrap.ts";
import { clone } from "./clone.ts";
import type { Effects } from "./effect.ts";
import { freeLease, stand } from "./election.ts";
import { fenceServer, resign } from "./fence.ts";
import { follow } from "./follow.ts";
import { endAndGiveUpLease } from "./give-up-lease.ts";
import { lead } from "./lead.ts";
import { takeNamedLease } from "./lease.ts";
import { promote } from "./promote.ts";
import { rejoin } from "./rejoin.ts";
import { fence, start, stopServer } from "./start.ts";
import { stepDown } from "./step-down.ts";

export const EFFECTS: Effects = {
  "take-lease": takeNamedLease,
  "give-up-lease": endAndGiveUpLease,
  "step-down": stepDown,
  "open-election": freeLease,
  stand,
  bootstrap,
  start,
  promote,
  lead,
  clone,
  rejoin,
  follow,
  stop: fence,
  fence: fenceServer,
  resign,
  retire: stopServer,
};
