import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { SUPPORTED_MAJORS } from "../../core/spec.ts";
import { type HostPlatform, npmPlatform } from "./host-platform.ts";
import { NPM_BINARIES, NPM_PLATFORMS } from "./npm-binaries-table.ts";
import { pinnedBinaries } from "./npm-binaries.ts";
import { shorterName } from "./unpack-binaries.ts";

describe("the table of ready-made binaries", () => {
  it("has every supported major for Linux on x64, and 15 to 18 everywhere", () => {
    for (const major of SUPPORTED_MAJORS) assert.ok(NPM_BINARIES["linux-x64"][major], `${major}`);
    for (const platform of NPM_PLATFORMS)
      for (const major of [15, 16, 17, 18] as const)
        assert.ok(NPM_BINARIES[platform][major], `${platform} ${major}`);
  });

  it("pins each by a whole sha512 of its own and a version of its major", () => {
    const seen = new Set<string>();
    for (const platform of NPM_PLATFORMS)
      for (const major of SUPPORTED_MAJORS) {
        const pinned = NPM_BINARIES[platform][major];
        if (pinned === undefined) continue;
        assert.ok(pinned.version.startsWith(`${major}.`), pinned.version);
        const [algorithm, digest = ""] = pinned.integrity.split("-");
        assert.equal(algorithm, "sha512");
        assert.equal(Buffer.from(digest, "base64").length, 64);
        assert.ok(!seen.has(digest), `${platform} ${major} repeats another's checksum`);
        seen.add(digest);
      }
  });

  it("offers nothing to musl, Windows or an architecture that npm has no binaries for", () => {
    const hosts: readonly HostPlatform[] = [
      { os: "linux", arch: "x64", libc: "musl" },
      { os: "win32", arch: "x64", libc: "other" },
      { os: "linux", arch: "riscv64", libc: "glibc" },
    ];
    for (const host of hosts) {
      assert.equal(npmPlatform(host), undefined);
      assert.equal(pinnedBinaries(18, host), undefined);
    }
    assert.equal(npmPlatform({ os: "darwin", arch: "arm64", libc: "other" }), "darwin-arm64");
  });
});

describe("the name that a library is asked for by", () => {
  it("is its file's name up to the first number", () => {
    assert.equal(shorterName("libicuuc.so.60.2"), "libicuuc.so.60");
    assert.equal(shorterName("libpq.so.5.18"), "libpq.so.5");
    assert.equal(shorterName("libicudata.68.2.dylib"), "libicudata.68.dylib");
  });

  it("is the file's own where there is nothing to leave out", () => {
    for (const name of ["libxml2.so.2", "libicuuc.so", "libpq.5.dylib", "libpq.a", "postgresql"])
      assert.equal(shorterName(name), undefined, name);
  });
});
