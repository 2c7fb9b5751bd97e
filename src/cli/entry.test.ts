import assert from "node:assert/strict";
import { test } from "node:test";
import { SMALL_PROCESS_MALLOC, forgetMalloc } from "./entry.ts";

test("what an agent tells its own C library is not handed down, and what others set is", () => {
  const env = { ...SMALL_PROCESS_MALLOC, PATH: "/bin" };
  forgetMalloc(env);
  assert.deepEqual(env, { PATH: "/bin" });
  const given = { GLIBC_TUNABLES: "glibc.malloc.check=3" };
  forgetMalloc(given);
  assert.deepEqual(given, { GLIBC_TUNABLES: "glibc.malloc.check=3" });
});
