// Single processes killed, on PostgreSQL 11.
import { describeCrashedProcesses } from "./crash-processes.ts";

describeCrashedProcesses(11);
