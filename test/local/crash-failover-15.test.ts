// Failover by hand on PostgreSQL 15.
import { describeFailover } from "./crash-failover.ts";

describeFailover(15);
