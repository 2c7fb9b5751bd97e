import assert from "node:assert/strict";
import { test } from "node:test";
import { durabilityObjection } from "./durability.ts";

test("a parameter that has commits wait for nobody does not go with sync, in whatever words", () => {
  for (const value of ["off", "LOCAL", "false", "no", "0", " off "])
    assert.match(
      durabilityObjection({ mode: "on" }, { Synchronous_Commit: value }) ?? "",
      /^synchronous_commit=.* and sync is on$/,
    );
});

test("anything else goes with it, and everything does where sync is off", () => {
  for (const value of ["on", "remote_write", "remote_apply", "yes"])
    assert.equal(durabilityObjection({ mode: "on" }, { synchronous_commit: value }), null);
  assert.equal(durabilityObjection({ mode: "on" }, {}), null);
  assert.equal(durabilityObjection({ mode: "off" }, { synchronous_commit: "off" }), null);
});
