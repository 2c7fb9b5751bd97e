import { describeSyncMode } from "./sync-mode.ts";

describeSyncMode(18);
