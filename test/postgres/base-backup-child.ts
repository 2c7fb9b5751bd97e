// A process that clones and tells its parent how far it is, to be killed by it.
import { Secret } from "../../src/core/secret.ts";
import { type CloneOptions, cloneDataDirectory } from "../../src/postgres/base-backup/clone.ts";

const given = JSON.parse(process.argv[2] ?? "") as CloneOptions;
await cloneDataDirectory({
  ...given,
  source: { ...given.source, password: new Secret("unused") },
  rateLimitBytesPerSecond: 30 << 20,
  onProgress: (progress) => void process.send?.(progress),
  signal: AbortSignal.timeout(60_000),
});
process.disconnect();
