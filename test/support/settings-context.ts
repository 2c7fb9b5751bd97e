// A member's settings context for tests that need one and no server.
import type { SettingsContext } from "../../src/postgres/settings/context.ts";

export const SAMPLE: SettingsContext = {
  major: 15,
  platform: "linux",
  member: { name: "demo-2", host: "127.0.0.1", port: 6432 },
  memberCount: 3,
  dataDir: "/srv/demo/demo-2/data",
  settingsDir: "/srv/demo/demo-2/settings",
  logDir: "/srv/demo/demo-2/log",
  spoolDir: "/srv/demo/demo-2/spool",
  diskBytes: 100 * 1024 ** 3,
  preload: [],
  upstream: { name: "demo-1", host: "127.0.0.1", port: 6431 },
  replicationUser: "understudy_replication",
  controlMinimums: null,
};
