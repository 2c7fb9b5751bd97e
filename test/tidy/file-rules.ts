// Rules about one file's text. Each takes a file and returns one sentence per violation, so that
// each can be shown a bad snippet in file-rules.test.ts.
import { withoutComments } from "./imports.ts";
import type { SourceFile } from "./source-tree.ts";

/** Put together here, or this file would break the rule itself. */
const LEFT_FOR_LATER = new RegExp(
  `\\b(${["TO-DO", "FIX-ME", "X-X-X"].join("|").replaceAll("-", "")})\\b`,
  "g",
);

type Rule = (file: SourceFile) => string[];

const MAX_LINES = 400;
const MAX_COLUMNS = 100;
/** They say nothing about what is inside (style: names). */
const EMPTY_WORDS = ["utils", "util", "helpers", "helper", "common", "manager", "misc"];
/** Our own names; PostgreSQL's (wal_level = replica, pg_is_in_recovery) are strings. */
const REPLACED_WORDS = ["master", "slave", "replica", "secondary", "follower"];

export const kebabCaseName: Rule = ({ path }) =>
  /^[a-z0-9]+(-[a-z0-9]+)*(\.test|\.config)?\.(ts|js)$/.test(path.split("/").at(-1) ?? "")
    ? []
    : [`${path}: the file's name is not in kebab-case`];

export const speakingName: Rule = ({ path }) =>
  path
    .split(/[/.-]/)
    .filter((word) => [...EMPTY_WORDS, ...REPLACED_WORDS].includes(word))
    .map((word) => `${path}: the name has the word "${word}"`);

export const speakingIdentifiers: Rule = ({ path, text }) => {
  const found = declaredNames(text).flatMap(({ name, exported }) =>
    wordsOf(name).filter(
      (word) => REPLACED_WORDS.includes(word) || (exported && EMPTY_WORDS.includes(word)),
    ),
  );
  return [...new Set(found)].map((word) => `${path}: declares a name with the word "${word}"`);
};

export const headerComment: Rule = ({ path, text }) =>
  path.endsWith(".test.ts") || /^(#!.*\n)?\/\/ \S/.test(text)
    ? []
    : [`${path}: does not begin with a comment that says what it is for`];

export const bounded: Rule = ({ path, text }) => {
  const lines = text.replace(/\n$/, "").split("\n");
  const long = lines.flatMap((line, index) =>
    columnsOf(line) > MAX_COLUMNS && !isUnbreakable(line)
      ? [`${path}:${index + 1}: the line has ${columnsOf(line)} columns, at most ${MAX_COLUMNS}`]
      : [],
  );
  return lines.length > MAX_LINES
    ? [
        ...long,
        `${path}: has ${lines.length} lines, at most ${MAX_LINES}: is it still one concept?`,
      ]
    : long;
};

export const nothingLeftForLater: Rule = ({ path, text }) =>
  [...text.matchAll(LEFT_FOR_LATER)].map(([word]) => `${path}: has a ${word}`);

/** No test is left out, and none keeps the others from running. */
export const everyTestRuns: Rule = ({ path, text }) => {
  const calls =
    /\b(?:test|it|describe|suite|t)\.(skip|only|todo)\(|[{,]\s*(skip|only|todo)\b\s*[:,}]/g;
  if (!path.endsWith(".test.ts")) return [];
  return [...withoutComments(text).matchAll(calls)].map(
    ([, method, option]) => `${path}: a test is marked "${method ?? option}"`,
  );
};

/** A file that only passes on what others export hides where things are. */
export const noBarrel: Rule = ({ path, text }) => {
  if (/(^|\/)index\.(ts|js)$/.test(path)) return [`${path}: is an index file`];
  const code = withoutComments(text).trim();
  const rest = code.replaceAll(/^export\s[^;]*?\sfrom\s+"[^"]+";\s*/gm, "");
  return code !== "" && rest === "" ? [`${path}: only exports what other files have`] : [];
};

/** core decides over plain data: whoever calls it brings time and chance along. */
export const corePurity: Rule = ({ path, text }) => {
  if (!path.startsWith("src/core/") || path.endsWith(".test.ts")) return [];
  const impure =
    /\b(Date\.now|new Date\(\)|Math\.random|setTimeout|setInterval|setImmediate|performance\.now|process\.|fetch\(|console\.|crypto\.)/g;
  return [...withoutComments(text).matchAll(impure)].map(([word]) => `${path}: core uses ${word}`);
};

export const FILE_RULES: readonly Rule[] = [
  kebabCaseName,
  speakingName,
  speakingIdentifiers,
  headerComment,
  bounded,
  nothingLeftForLater,
  everyTestRuns,
  noBarrel,
  corePurity,
];

/** A character beyond the basic plane is one column, as oxfmt counts. */
function columnsOf(line: string): number {
  return [...line].length;
}

/** oxfmt breaks what can be broken; a string, a template or a regular expression cannot. */
function isUnbreakable(line: string): boolean {
  const code = line.trim();
  return !code.startsWith("//") && !code.startsWith("*") && /["'`]|\/.+\//.test(code);
}

/** Of declarations that begin a line. */
function declaredNames(text: string): { name: string; exported: boolean }[] {
  const declaration =
    /^\s*(export\s+)?(?:async\s+)?(?:const|let|function\*?|class|interface|type)\s+([A-Za-z_$][\w$]*)/gm;
  return [...text.matchAll(declaration)].map(([, exported, name = ""]) => ({
    name,
    exported: exported !== undefined,
  }));
}

/** "myHTTPThing" and "MY_THING" as words in lower case. */
function wordsOf(name: string): string[] {
  return name.split(/_|(?<=[a-z0-9])(?=[A-Z])/).map((word) => word.toLowerCase());
}
