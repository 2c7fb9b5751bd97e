// What this machine is, as far as ready-made binaries are concerned.
import { NPM_PLATFORMS, type NpmPlatform } from "./npm-binaries-table.ts";

export interface HostPlatform {
  /** Node's names: "linux", "darwin", "win32". */
  readonly os: string;
  /** Node's names: "x64", "arm64". */
  readonly arch: string;
  /** Alpine and its kin are musl: no program built for glibc starts there. */
  readonly libc: "glibc" | "musl" | "other";
}

export function hostPlatform(): HostPlatform {
  return { os: process.platform, arch: process.arch, libc: libcOf(process.platform) };
}

/** @returns undefined where npm has no ready-made PostgreSQL. */
export function npmPlatform(host: HostPlatform): NpmPlatform | undefined {
  if (host.libc === "musl") return undefined;
  return NPM_PLATFORMS.find((platform) => platform === `${host.os}-${host.arch}`);
}

/** "Linux x64 with musl", for messages. */
export function platformName(host: HostPlatform): string {
  return `${host.os} ${host.arch}${host.libc === "musl" ? " with musl instead of glibc" : ""}`;
}

/** Node's own report names the glibc that it runs with; it has none of musl's. */
function libcOf(os: string): HostPlatform["libc"] {
  if (os !== "linux") return "other";
  const report: unknown = process.report.getReport();
  const header = field(report, "header");
  return typeof field(header, "glibcVersionRuntime") === "string" ? "glibc" : "musl";
}

function field(of: unknown, name: string): unknown {
  return typeof of === "object" && of !== null ? Reflect.get(of, name) : undefined;
}
