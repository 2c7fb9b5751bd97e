import assert from "node:assert/strict";
import { test } from "node:test";
import { UnderstudyError } from "../../core/errors.ts";
import { newRecord } from "../../core/record.ts";
import { mayGiveUp } from "./step-down.ts";

const silent = () => Promise.reject(new UnderstudyError("STORE_UNAVAILABLE", "it is locked"));
const RECORD = newRecord({ cluster: "demo", founder: "demo-1", ttlMs: 2_000, members: {} });

test("a primary that lets nobody in is only ended while the store says that it leads", async () => {
  const seen = { forMs: 9_000, why: "its disk is full" };
  const memberOf = (confirmLease: () => Promise<typeof RECORD | null>, shut = true) =>
    ({
      keeper: { confirmLease },
      shutOut: { look: async () => (shut ? seen : null) },
    }) as unknown as Parameters<typeof mayGiveUp>[0];
  const leads = async () => RECORD;
  assert.equal(await mayGiveUp(memberOf(leads), RECORD), true);
  assert.equal(await mayGiveUp(memberOf(leads, false), RECORD), false);
  assert.equal(
    await mayGiveUp(
      memberOf(async () => null),
      RECORD,
    ),
    false,
  );
  await assert.rejects(mayGiveUp(memberOf(silent), RECORD), { code: "STORE_UNAVAILABLE" });
});
