import assert from "node:assert/strict";
import { PassThrough } from "node:stream";
import { describe, it } from "node:test";
import { CommanderError, type Command } from "commander";
import { UnderstudyError } from "../core/errors.ts";
import { completionOf } from "./completion.ts";
import { ALL_COMMANDS } from "./all-commands.ts";
import { buildProgram } from "./program.ts";
import type { CliContext } from "./session.ts";
import { usageError, withItsHelp } from "./usage-error.ts";

const HIDDEN: ReadonlySet<string> = new Set(["__complete", "agent"]);

interface Tried {
  readonly thrown: unknown;
  readonly printed: string;
}

/** A program whose commands never get as far as a cluster. */
function programWith(stdout: PassThrough): Command {
  const context: CliContext = {
    env: {},
    uid: 1000,
    stdin: new PassThrough(),
    stdout,
    stderr: new PassThrough(),
    signal: new AbortController().signal,
    outputClosed: new AbortController().signal,
    loadLocal: () => Promise.reject(new Error("a cluster was asked for")),
    setExitStatus: () => {},
    args: [],
    handOverTerminal: () => () => {},
  };
  return buildProgram({ context, version: "1.2.3", groups: ALL_COMMANDS });
}

async function attempt(words: readonly string[]): Promise<Tried> {
  const stdout = new PassThrough();
  let thrown: unknown = null;
  const program = programWith(stdout);
  await program.parseAsync([...words], { from: "user" }).catch((error: unknown) => {
    const of = { program, typed: words };
    thrown = error instanceof CommanderError ? usageError(error, of) : error;
  });
  return { thrown, printed: String(stdout.read() ?? "") };
}

function factsOf(thrown: unknown) {
  assert.ok(thrown instanceof UnderstudyError, String(thrown));
  const { code, exit, message, hint } = thrown;
  return { code, exit, message, hint };
}

function everyCommand(command: Command): Command[] {
  return [command, ...command.commands.flatMap((each) => everyCommand(each))];
}

function wordsAt(typed: readonly string[]): string[] {
  return completionOf(programWith(new PassThrough()), typed).words.map(({ word }) => word);
}

describe("the command line", () => {
  it("answers help and version without touching a cluster", async () => {
    const help = await attempt(["--help"]);
    assert.equal(help.thrown, null);
    assert.match(help.printed, /^Examples:\n {2}\$ understudy up\n/);
    assert.match(help.printed, /Exit statuses:\n {4}0 {2}done\n/);
    assert.equal((await attempt(["--version"])).printed, "1.2.3\n");
  });

  it("has every command of the reference, each with a summary or description", () => {
    const program = programWith(new PassThrough());
    const names = new Set(everyCommand(program).map((command) => command.name()));
    const wanted =
      "up down status url psql sql standby add remove switchover failover pause resume fence unfence restart reload param set show config member reclone logs events explain doctor completion";
    for (const name of wanted.split(" ")) assert.ok(names.has(name), name);
    for (const command of everyCommand(program).filter((each) => !HIDDEN.has(each.name())))
      assert.notEqual(command.summary() + command.description(), "", command.name());
  });

  it("begins the help of every command with an example", async () => {
    const program = programWith(new PassThrough());
    for (const { name } of program.commands.map((each) => ({ name: each.name() }))) {
      if (HIDDEN.has(name)) continue;
      const { printed } = await attempt([name, "--help"]);
      assert.match(printed, /^Examples:\n {2}\$ .*understudy /, name);
    }
  });

  it("suggests the nearest command or option", async () => {
    const cases = [
      [["stauts"], 'unknown command "stauts"', "Did you mean status?"],
      [["standby", "ad"], 'unknown command "ad"', "Did you mean add?"],
      [["status", "--wach"], 'unknown option "--wach"', "Did you mean --watch?"],
    ] as const;
    for (const [words, message, hint] of cases) {
      const { thrown } = await attempt(words);
      assert.deepEqual(factsOf(thrown), { code: "USAGE", exit: 2, message, hint });
    }
  });

  it("says in plain words what is wrong with a word, and where the command's help is", async () => {
    const cases: [string[], string, string][] = [
      [["switchover", "--to"], "--to needs a value: <member>", "switchover"],
      [["fence"], "a word is missing behind the command: <member>", "fence"],
      [["up", "now"], '"up" takes no word behind it, not now', "up"],
      [["explain", "a", "b"], '"explain" takes no more than 1 of these 2: a, b', "explain"],
      [
        ["drill", "meteor"],
        '"meteor" is no fault: choose one of crash, member-death, freeze, switchover, store-outage',
        "drill",
      ],
      [
        ["failover", "--accept-loss=yes"],
        'unknown option "--accept-loss=yes": there is none of that name that takes a value',
        "failover",
      ],
      [
        ["standby", "add", "--delay", "1"],
        'delay takes a duration such as 1h, or none, not "1"',
        "standby add",
      ],
    ];
    for (const [words, message, command] of cases) {
      const { thrown } = await attempt(words);
      assert.ok(thrown instanceof UnderstudyError, words.join(" "));
      const program = programWith(new PassThrough());
      const facts = factsOf(withItsHelp(thrown, { program, typed: words }));
      const hint = `See: understudy ${command} --help`;
      assert.deepEqual(facts, { code: "USAGE", exit: 2, message, hint });
    }
  });

  it("has nothing fail for real where the picture of it could not be drawn", async () => {
    const { thrown } = await attempt(["drill", "crash", "--yes", "--svg", "/no/such/place/x.svg"]);
    const { code, exit, message } = factsOf(thrown);
    assert.deepEqual([code, exit], ["DIRECTORY_NOT_WRITABLE", 1]);
    assert.match(message, /^cannot draw into \/no\/such\/place\/x\.svg: .*; nothing was done$/);
  });

  it("offers the rule that may have been meant, in whatever case it is written", async () => {
    assert.equal((await attempt(["explain", "LEAD"])).thrown, null);
    const { thrown } = await attempt(["explain", "leader-is-gnoe"]);
    assert.match(factsOf(thrown).hint, /^Did you mean leader-is-gone\?/);
  });

  it("says what is missing when there is no command, or only a group of them", async () => {
    assert.equal(factsOf((await attempt([])).thrown).message, "there is no command");
    assert.equal(
      factsOf((await attempt(["standby"])).thrown).message,
      '"standby" needs another word after it',
    );
    const ofCluster = await attempt(["--name", "member", "--dir", "config", "config"]);
    assert.deepEqual(factsOf(ofCluster.thrown), {
      code: "USAGE",
      exit: 2,
      message: '"config" needs another word after it',
      hint: "See: understudy help config",
    });
  });

  it("refuses bad values before anything is loaded", async () => {
    const cases: [string[], string][] = [
      [["up", "--standbys", "-1"], "USAGE"],
      [["up", "--standbys", "x"], "USAGE"],
      [["up", "--standbys", "200"], "USAGE"],
      [["up", "--postgres", "9"], "MAJOR_UNKNOWN"],
      [["up", "--port", "80"], "USAGE"],
      [["up", "--param", "work_mem"], "USAGE"],
      [["up", "--name", "a b"], "NAME_INVALID"],
      [["up", "--name", "../x"], "NAME_INVALID"],
      [["up", "--name", "a".repeat(64)], "NAME_INVALID"],
      [["status", "-o", "xml"], "USAGE"],
      [["status", "--watch", "1ms"], "USAGE"],
      [["standby", "add", "Demo"], "NAME_INVALID"],
      [["switchover", "--to", "x.y"], "NAME_INVALID"],
      [["switchover", "--at", "tonight"], "USAGE"],
      [["switchover", "--at", "03:00", "--cancel"], "USAGE"],
      [["url", "--read", "--write"], "USAGE"],
      [["param", "set"], "USAGE"],
      [["param", "set", "a=1", "--reset", "a"], "USAGE"],
      [["config", "set"], "USAGE"],
      [["config", "set", "maximumLag"], "USAGE"],
      [["config", "set", "maximumLag=far"], "USAGE"],
      [["config", "set", "maxlag=16MB"], "USAGE"],
      [["config", "set", "maximumLag=1MB", "--reset", "maximumLag"], "USAGE"],
      [["member", "set", "demo-2", "priority=high"], "USAGE"],
      [["member", "set", "nofailover=true"], "NAME_INVALID"],
      [["drill", "meteor"], "USAGE"],
      [["explain", "no-such-rule"], "USAGE"],
      [["standby", "add", "--from", "x.y"], "NAME_INVALID"],
      [["standby", "add", "--delay", "soon"], "USAGE"],
      [["drill", "--rounds", "0"], "USAGE"],
      [["drill", "freeze", "--for", "soon"], "USAGE"],
      [["down", "now"], "USAGE"],
      [["completion", "tcsh"], "USAGE"],
    ];
    for (const [words, code] of cases) {
      const { thrown, printed } = await attempt(words);
      assert.equal(factsOf(thrown).code, code, words.join(" "));
      assert.equal(factsOf(thrown).exit, 2);
      assert.equal(printed, "");
    }
  });
});

describe("completion", () => {
  it("offers commands, then their options and the global ones", () => {
    assert.deepEqual(wordsAt(["st"]), ["status", "standby"]);
    assert.deepEqual(wordsAt(["standby", "r"]), ["remove"]);
    assert.deepEqual(wordsAt(["status", "--w"]), ["--watch"]);
    assert.ok(wordsAt(["--name", "x", "switchover", "--"]).includes("--dry-run"));
    assert.ok(wordsAt(["status", "--"]).includes("--name"));
    assert.ok(!wordsAt([""]).includes("__complete"));
  });

  it("offers the values that there are", () => {
    assert.deepEqual(wordsAt(["status", "-o", ""]), ["table", "wide", "json", "yaml", "name"]);
    assert.deepEqual(wordsAt(["completion", "z"]), ["zsh"]);
    assert.deepEqual(wordsAt(["member", "set", "demo-2", "noreads="]), [
      "noreads=true",
      "noreads=false",
    ]);
    assert.deepEqual(wordsAt(["config", "set", "--reset", ""]), [
      "sync",
      "required",
      "whenUnavailable",
      "maximumLag",
    ]);
  });

  it("offers what comes after an equals sign to a shell that splits words there", () => {
    const member = ["member", "set", "demo-2", "noreads"];
    assert.deepEqual(wordsAt([...member, "="]), ["=true", "=false"]);
    assert.deepEqual(wordsAt([...member, "=", "f"]), ["false"]);
  });

  it("asks for clusters, members and files where those belong", () => {
    const program = programWith(new PassThrough());
    const live = (typed: string[]) => completionOf(program, typed).live;
    assert.equal(live(["--name", ""]), "clusters");
    assert.equal(live(["reclone", "de"]), "members");
    assert.equal(live(["switchover", "--to", ""]), "members");
    assert.equal(live(["standby", "remove", ""]), "members");
    assert.equal(live(["up", "--pg-bin", ""]), "files");
    assert.equal(live(["psql", "--", ""]), "files");
    assert.equal(live(["reclone", "demo-2", ""]), null);
  });
});
