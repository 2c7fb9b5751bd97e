import assert from "node:assert/strict";
import { describe, it } from "node:test";
import * as fc from "fast-check";
import { checkClusterName, checkMemberName, memberNameAt, slotNameOf } from "./name.ts";

const letters = "abcdefghijklmnopqrstuvwxyz";
const goodNames = fc.stringMatching(/^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$/);

describe("a name", () => {
  it("that is a short DNS label beginning with a letter is taken as it is", () => {
    fc.assert(
      fc.property(goodNames, (name) => {
        assert.equal(checkClusterName(name), name);
        assert.equal(checkMemberName(name), name);
      }),
    );
  });

  it("is safe in a path and in a connection string, whatever was offered", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.string({ unit: "binary" })), (offered) => {
        let name: string;
        try {
          name = checkMemberName(offered);
        } catch (error) {
          assert.equal(Reflect.get(Object(error), "code"), "NAME_INVALID");
          return;
        }
        assert.match(name, /^[a-z][a-z0-9-]{0,49}$/);
      }),
    );
  });

  it("that is refused says why in one sentence", () => {
    const reasons = {
      "": "it is empty",
      "my cluster": 'it may hold lower-case letters, digits and hyphens, not " "',
      "a.b": 'it may hold lower-case letters, digits and hyphens, not "."',
      "a/../b": 'it may hold lower-case letters, digits and hyphens, not "/"',
      "../x": "it must begin with a lower-case letter",
      "1st": "it must begin with a lower-case letter",
      Demo: "it must begin with a lower-case letter",
      "demo-": "it must not end with a hyphen",
      démo: 'it may hold lower-case letters, digits and hyphens, not "é"',
      [letters.repeat(3)]: "it has 78 characters, at most 40 are allowed",
    };
    for (const [name, reason] of Object.entries(reasons))
      assert.throws(() => checkClusterName(name), {
        code: "NAME_INVALID",
        message: `${JSON.stringify(name)} cannot be a cluster name: ${reason}`,
      });
  });

  it("has a limit that leaves room for what is made from it", () => {
    const longest = "c".repeat(40);
    assert.equal(checkClusterName(longest), longest);
    assert.equal(checkMemberName(memberNameAt(longest, 999)), `${longest}-999`);
    assert.throws(() => checkClusterName(`${longest}c`), { code: "NAME_INVALID" });
    assert.throws(() => checkMemberName("m".repeat(51)), { code: "NAME_INVALID" });
  });
});

describe("a slot's name", () => {
  it("has only what PostgreSQL allows, within its 63 bytes", () => {
    fc.assert(
      fc.property(goodNames, (member) => {
        assert.match(slotNameOf(member), /^[a-z0-9_]{1,63}$/);
      }),
    );
    assert.ok(slotNameOf("m".repeat(50)).length <= 63);
    assert.equal(slotNameOf("demo-2"), "understudy_demo_2");
  });

  it("differs for different members", () => {
    fc.assert(
      fc.property(goodNames, goodNames, (one, other) => {
        assert.equal(slotNameOf(one) === slotNameOf(other), one === other);
      }),
    );
  });
});
