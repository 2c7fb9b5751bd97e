import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { escapePassfileField, quoteConninfo, quoteHbaName, quoteSetting } from "./quote.ts";

/** Any text of one line, rich in what quoting is about. */
const oneLine = fc
  .array(fc.oneof(fc.constantFrom("'", "\\", '"', ":", "=", " ", "#", "%", "\t"), fc.string()))
  .map((parts) => parts.join("").replaceAll(/[\n\r\0]/g, ""));

/** How the server reads a quoted string (guc-file.l of PostgreSQL): "''" and backslash escapes. */
function readSetting(quoted: string): string {
  assert.match(quoted, /^'(?:[^'\\\n]|\\.|'')*'$/);
  return quoted.slice(1, -1).replaceAll(/''|\\(.)/g, (found, escaped: string | undefined) => {
    return found === "''" ? "'" : (escaped ?? "");
  });
}

test("whatever is quoted as a setting is read back as it was", () => {
  fc.assert(
    fc.property(oneLine, (value) => {
      // The server knows \b, \f, \n, \r, \t and octal escapes; none may arise, for every backslash
      // is doubled.
      assert.doesNotMatch(quoteSetting(value).replaceAll("\\\\", ""), /\\/);
      assert.equal(readSetting(quoteSetting(value)), value);
    }),
  );
});

test("whatever is quoted for a connection string is read back as it was", () => {
  fc.assert(
    fc.property(oneLine, (value) => {
      const quoted = quoteConninfo(value);
      assert.match(quoted, /^'(?:[^'\\]|\\.)*'$/);
      assert.equal(quoted.slice(1, -1).replaceAll(/\\(.)/g, "$1"), value);
    }),
  );
});

test("a field of a passfile never ends its field early", () => {
  fc.assert(
    fc.property(oneLine, oneLine, (first, second) => {
      const line = `${escapePassfileField(first)}:${escapePassfileField(second)}`;
      const fields: string[] = [];
      let field = "";
      for (let at = 0; at < line.length; at++) {
        const letter = line.charAt(at);
        if (letter === ":") {
          fields.push(field);
          field = "";
        } else field += letter === "\\" ? line.charAt(++at) : letter;
      }
      fields.push(field);
      assert.deepEqual(fields, [first, second]);
    }),
  );
});

test("no language takes a line break or a NUL", () => {
  for (const quote of [quoteSetting, quoteConninfo, escapePassfileField, quoteHbaName])
    for (const value of ["a\nb", "a\rb", "a\0b"])
      assert.throws(() => quote(value), { code: "PARAMETER_INVALID" });
});

test("a name in pg_hba.conf is quoted, and what quotes cannot tame is refused", () => {
  assert.equal(quoteHbaName("all"), '"all"');
  for (const name of ["+admins", "/regex", "@file", 'a"b', ""])
    assert.throws(() => quoteHbaName(name), { code: "INTERNAL" });
});
