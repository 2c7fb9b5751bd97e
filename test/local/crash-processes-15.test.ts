// Single processes killed, on PostgreSQL 15.
import { describeCrashedProcesses } from "./crash-processes.ts";

describeCrashedProcesses(15);
