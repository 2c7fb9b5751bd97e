import { describeAutomaticFailover } from "./failover-automatic.ts";

describeAutomaticFailover(18);
