import assert from "node:assert/strict";
import { describe, test } from "node:test";
import * as rules from "./file-rules.ts";
import { filesEndingIn } from "./source-tree.ts";

describe("every file of the project", () => {
  for (const rule of rules.FILE_RULES)
    test(`keeps the rule ${rule.name}`, () => {
      const files = filesEndingIn(".ts", ".js");
      assert.ok(files.length > 20, "the files are found");
      assert.deepEqual(files.flatMap(rule), []);
    });
});

/** How many violations a rule finds in a snippet. */
function on(rule: (typeof rules.FILE_RULES)[number], text: string, path = "src/core/x.ts"): number {
  return rule({ path, text }).length;
}

describe("the rules bite", () => {
  test("on a file name that is not in kebab-case or says nothing", () => {
    assert.equal(on(rules.kebabCaseName, "", "src/core/memberStatus.ts"), 1);
    assert.equal(on(rules.kebabCaseName, "", "src/core/member_status.ts"), 1);
    assert.equal(on(rules.kebabCaseName, "", "src/core/member-status.test.ts"), 0);
    assert.equal(on(rules.speakingName, "", "src/core/string-utils.ts"), 1);
    assert.equal(on(rules.speakingName, "", "src/common/string.ts"), 1);
    assert.equal(on(rules.speakingName, "", "src/core/replica.ts"), 1);
  });

  test("on declared names with empty or replaced words, but not on PostgreSQL's words in strings", () => {
    assert.equal(on(rules.speakingIdentifiers, "export class SlotManager {}"), 1);
    assert.equal(on(rules.speakingIdentifiers, "const REPLICA_COUNT = 2;"), 1);
    assert.equal(on(rules.speakingIdentifiers, "function findMaster() {}"), 1);
    assert.equal(on(rules.speakingIdentifiers, 'const walLevel = "replica";'), 0);
    assert.equal(on(rules.speakingIdentifiers, "const postmaster = 1;"), 0);
  });

  test("on a file that does not say what it is for", () => {
    assert.equal(on(rules.headerComment, "export const a = 1;\n"), 1);
    assert.equal(on(rules.headerComment, "// One value.\nexport const a = 1;\n"), 0);
    assert.equal(on(rules.headerComment, "#!/usr/bin/env node\n// The way in.\n"), 0);
  });

  test("on a file or a line that is too long", () => {
    assert.equal(on(rules.bounded, "a;\n".repeat(400)), 0);
    assert.equal(on(rules.bounded, "a;\n".repeat(401)), 1);
    assert.equal(on(rules.bounded, `// ${"a".repeat(97)}`), 0);
    assert.equal(on(rules.bounded, `// ${"a".repeat(98)}`), 1);
    assert.equal(on(rules.bounded, `const a = ${"b + ".repeat(30)}c;`), 1);
    assert.equal(on(rules.bounded, `const a = "${"b".repeat(120)}";`), 0);
  });

  test("on what is left for later", () => {
    // Put together here, or this file would break the rule itself.
    assert.equal(on(rules.nothingLeftForLater, `// ${"TO"}${"DO"}: more`), 1);
  });

  test("on a test that is left out, in each of the ways in which Node knows it", () => {
    for (const word of ["skip", "only", "todo"]) {
      assert.equal(on(rules.everyTestRuns, `test.${word}("a", () => {});`, "a.test.ts"), 1);
      assert.equal(on(rules.everyTestRuns, `test("a", { ${word}: true }, f);`, "a.test.ts"), 1);
      assert.equal(on(rules.everyTestRuns, `t.${word}("why");`, "a.test.ts"), 1);
    }
    assert.equal(on(rules.everyTestRuns, 'test("reads only", () => {});', "a.test.ts"), 0);
  });

  test("on a barrel and on an index file", () => {
    assert.equal(
      on(rules.noBarrel, '// All.\nexport * from "./a.ts";\nexport { b } from "./b.ts";\n'),
      1,
    );
    assert.equal(on(rules.noBarrel, "export const a = 1;\n", "src/core/index.ts"), 1);
    assert.equal(on(rules.noBarrel, 'export { a } from "./a.ts";\nexport const b = 1;\n'), 0);
  });

  test("on a clock, on chance and on a timer in core, but nowhere else", () => {
    for (const text of ["Date.now();", "Math.random();", "setTimeout(f, 1);", "process.env;"]) {
      assert.equal(on(rules.corePurity, text), 1, text);
      assert.equal(on(rules.corePurity, text, "src/agent/x.ts"), 0, text);
      assert.equal(on(rules.corePurity, `// not ${text}`), 0, text);
    }
  });
});
