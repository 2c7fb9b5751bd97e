import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Installation } from "../installation.ts";
import { assertSameBuild } from "./same-build.ts";

const debian: Installation = {
  binDir: "/usr/lib/postgresql/15/bin",
  major: 15,
  version: "15.20",
  family: "linux-glibc-x64-icu72",
  shareDir: "/usr/share/postgresql/15",
  libDir: "/usr/lib/postgresql/15/lib",
  tools: [],
};

describe("binaries and the data that they open", () => {
  it("agree when only the minor version has changed", () => {
    const recorded = { major: debian.major, family: debian.family };
    assertSameBuild(recorded, debian);
    assertSameBuild(recorded, { ...debian, version: "15.21" });
  });

  it("are refused when the binaries are of another major", () => {
    assert.throws(() => assertSameBuild({ major: 16, family: debian.family }, debian), {
      code: "BINARIES_DIFFER",
      exit: 4,
      message:
        "cannot open data of PostgreSQL 16 with the binaries in /usr/lib/postgresql/15/bin: they are PostgreSQL 15.20",
    });
  });

  it("are refused when the build sorts text by another library", () => {
    assert.throws(() => assertSameBuild({ major: 15, family: "linux-glibc-x64-icu60" }, debian), {
      code: "BINARIES_DIFFER",
      message:
        "cannot open data of PostgreSQL 15 with the binaries in /usr/lib/postgresql/15/bin: their build is linux-glibc-x64-icu72 and not linux-glibc-x64-icu60, so they may sort text differently",
    });
  });
});
