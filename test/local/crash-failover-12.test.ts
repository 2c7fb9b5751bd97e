// Failover by hand on PostgreSQL 12.
import { describeFailover } from "./crash-failover.ts";

describeFailover(12);
