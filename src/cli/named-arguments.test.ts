// The arguments of agents and deadmen.
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { namedArguments } from "./named-arguments.ts";

describe("namedArguments", () => {
  it("gives each name its value, whatever that looks like", () => {
    const named = namedArguments(["--dir", "/a b", "--restart", '["--x"]', "--member", "--y"]);
    assert.deepEqual(Object.fromEntries(named), { dir: "/a b", restart: '["--x"]', member: "--y" });
    assert.equal(namedArguments([]).size, 0);
  });

  it("takes nothing else", () => {
    for (const args of [["dir", "/a"], ["--dir"], ["--dir", "/a", "more"]])
      assert.throws(() => namedArguments(args), { code: "USAGE" });
  });
});
