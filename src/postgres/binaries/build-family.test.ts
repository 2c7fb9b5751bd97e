import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { describeBuild } from "./build-family.ts";

function elf(machine: number, ...strings: readonly string[]): Buffer {
  const header = Buffer.alloc(64);
  header.writeUInt32BE(0x7f454c46);
  header[4] = 2;
  header[5] = 1;
  header.writeUInt16LE(machine, 18);
  return Buffer.concat([header, Buffer.from(`\0${strings.join("\0")}\0`, "latin1")]);
}

function machO(cpu: number, ...strings: readonly string[]): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt32LE(0xfeedfacf);
  header.writeUInt32LE(cpu, 4);
  return Buffer.concat([header, Buffer.from(`\0${strings.join("\0")}\0`, "latin1")]);
}

const GLIBC = "/lib64/ld-linux-x86-64.so.2";

describe("the build family", () => {
  it("names the C library, the architecture and ICU's major version", () => {
    const debian = elf(62, GLIBC, "libicui18n.so.72", "libicuuc.so.72");
    assert.equal(describeBuild(debian, "x64"), "linux-glibc-x64-icu72");
    const alpine = elf(183, "/lib/ld-musl-aarch64.so.1", "libicui18n.so.74");
    assert.equal(describeBuild(alpine, "arm64"), "linux-musl-arm64-icu74");
    const brew = machO(0x0100000c, "/opt/homebrew/opt/icu4c@77/lib/libicui18n.77.dylib");
    assert.equal(describeBuild(brew, "arm64"), "darwin-arm64-icu77");
    assert.equal(describeBuild(elf(62, GLIBC), "x64"), "linux-glibc-x64-noicu");
  });

  it("finds an ICU that is linked in statically by its versioned functions", () => {
    assert.equal(
      describeBuild(elf(62, GLIBC, "ucol_open_mask", "ucol_open_66"), "x64"),
      "linux-glibc-x64-icu66",
    );
  });

  it("does not change with a minor release of the same packaging", () => {
    fc.assert(
      fc.property(fc.nat(40), fc.nat(40), fc.string(), (one, other, padding) => {
        const build = (minor: number) =>
          elf(62, GLIBC, "libicui18n.so.72", padding, `15.${minor} (Debian 15.${minor}-0+deb12u1)`);
        assert.equal(describeBuild(build(one), "x64"), describeBuild(build(other), "x64"));
      }),
    );
  });

  it("takes a universal macOS program for what this process is", () => {
    const universal = Buffer.alloc(64);
    universal.writeUInt32BE(0xcafebabe);
    assert.equal(describeBuild(universal, "arm64"), "darwin-arm64-noicu");
  });

  it("reads any bytes without failing", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.match(describeBuild(Buffer.from(bytes), "x64"), /^[a-z0-9-]+$/);
      }),
    );
  });
});
