import assert from "node:assert/strict";
import { test } from "node:test";
import { ALL_COMMANDS } from "./all-commands.ts";
import { commandIn, neededCommands, withNamespace } from "./needed-commands.ts";

test("the command is the first word that is no global option and no value of one", () => {
  assert.equal(commandIn(["up", "--name", "status"]), "up");
  assert.equal(commandIn(["--name", "up", "status"]), "status");
  assert.equal(commandIn(["--dir", "/a", "-o", "json", "--name=b", "-y", "up"]), "up");
  assert.equal(commandIn(["help", "up"]), "help");
});

test("where the words do not tell the command, none is assumed", () => {
  assert.equal(commandIn([]), null);
  assert.equal(commandIn(["--dir"]), null);
  assert.equal(commandIn(["--help", "up"]), null);
  assert.equal(commandIn(["--nmae", "up", "status"]), null);
  assert.equal(commandIn(["--", "up"]), null);
});

test("up is loaded alone, and everything else with all commands", async () => {
  const alone = await neededCommands(["--name", "a", "up", "--json"]);
  assert.equal(alone.flatMap(({ commands }) => commands).length, 1);
  assert.equal(alone[0]?.title, ALL_COMMANDS[0]?.title);
  assert.equal(alone[0]?.commands[0], ALL_COMMANDS[0]?.commands[0]);
  for (const words of [["status"], ["help", "up"], ["uq"], []])
    assert.equal(await neededCommands(words), ALL_COMMANDS);
});

test("-n is the namespace as for kubectl, but where a command has it for lines", () => {
  const shop = ["--namespace", "shop"];
  assert.deepEqual(withNamespace(["status", "-n", "shop"]), ["status", ...shop]);
  assert.deepEqual(withNamespace(["-n", "shop", "status"]), [...shop, "status"]);
  for (const words of [
    ["logs", "-n", "5"],
    ["--context", "c", "events", "-n", "5"],
    ["sql", "--", "-n"],
  ])
    assert.deepEqual(withNamespace(words), words);
});
