import assert from "node:assert/strict";
import { test } from "node:test";
import { HandClock } from "../../test/support/hand-clock.ts";
import { ToldWatch } from "./told-watch.ts";

function watched() {
  const clock = new HandClock();
  const world = { text: "a", unreadable: false, refused: false };
  const taken: string[] = [];
  const troubles: (string | null)[] = [];
  const watch = new ToldWatch({
    clock,
    first: "a",
    readText: async () => {
      if (world.unreadable) throw new Error("it is being replaced");
      return world.text;
    },
    onChange: async () => {
      if (world.refused) throw new Error("it is no specification");
      taken.push(world.text);
    },
    onTrouble: (why) => troubles.push(why),
  });
  return { clock, world, taken, troubles, watch };
}

test("another text is taken up once, and the same one never", async () => {
  const { clock, world, taken, troubles } = watched();
  await clock.pass(10_000);
  assert.deepEqual(taken, []);
  world.text = "b";
  await clock.pass(10_000);
  assert.deepEqual(taken, ["b"]);
  world.text = "a";
  await clock.pass(10_000);
  assert.deepEqual(taken, ["b", "a"]);
  assert.deepEqual(troubles, []);
});

test("one that cannot be read or taken up is told once, tried again, and told to be well again", async () => {
  const { clock, world, taken, troubles } = watched();
  world.text = "b";
  world.refused = true;
  await clock.pass(20_000);
  assert.deepEqual(troubles, ["it is no specification"]);
  world.unreadable = true;
  await clock.pass(20_000);
  assert.deepEqual(troubles, ["it is no specification", "it is being replaced"]);
  world.unreadable = false;
  world.refused = false;
  await clock.pass(20_000);
  assert.deepEqual(taken, ["b"]);
  assert.equal(troubles.at(-1), null);
});

test("nothing is looked at after its end", async () => {
  const { clock, world, taken, watch } = watched();
  watch[Symbol.dispose]();
  world.text = "b";
  await clock.pass(10_000);
  assert.deepEqual(taken, []);
});
