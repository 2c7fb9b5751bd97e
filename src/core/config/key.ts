// One thing that a person may set by name, and the changes that a list of them makes to the record.
// What is set is text from a command line; what is kept is a value in the record.
import { UnderstudyError } from "../errors.ts";
import type { ClusterRecord } from "../record.ts";

/** `Part` is what of the record holds the value: all of it, or one member of it. */
export interface ConfigKey<Part> {
  readonly name: string;
  /** What a value looks like: "true or false". */
  readonly takes: string;
  /** One sentence: what it does. */
  readonly meaning: string;
  /** Values that a shell may offer. */
  readonly words: readonly string[];
  show(part: Part): ShownValue;
  /** @throws UnderstudyError USAGE when the text is no such value. */
  check(text: string): void;
  /** @throws UnderstudyError USAGE when the text is no such value. */
  set(part: Part, text: string): Part;
  reset(part: Part): Part;
}

export interface ShownValue {
  /** As it is written in `set`. */
  readonly text: string;
  /** For programs. */
  readonly value: unknown;
  readonly isDefault: boolean;
}

/** A key by its values: how they are read, written, and where they are kept. */
export function defineKey<Part, Value>(key: {
  name: string;
  takes: string;
  meaning: string;
  words?: readonly string[];
  fallback: Value;
  /** Null when the text is no such value. */
  parse: (text: string) => { readonly value: Value } | null;
  format: (value: Value) => string;
  get: (part: Part) => Value;
  put: (part: Part, value: Value) => Part;
}): ConfigKey<Part> {
  const { name, takes, meaning, words = [], fallback, parse, format, get, put } = key;
  const valueOf = (text: string): Value => {
    const parsed = parse(text);
    if (parsed !== null) return parsed.value;
    throw new UnderstudyError("USAGE", `${name} takes ${takes}, not ${JSON.stringify(text)}`);
  };
  return {
    name,
    takes,
    meaning,
    words,
    show: (part) => {
      const value = get(part);
      return { text: format(value), value, isDefault: format(value) === format(fallback) };
    },
    check: (text) => void valueOf(text),
    set: (part, text) => put(part, valueOf(text)),
    reset: (part) => put(part, fallback),
  };
}

/** Where the keys of one kind are kept, and what must hold of all of them together. */
export interface ConfigScope<Part> {
  readonly keys: readonly ConfigKey<Part>[];
  readonly get: (record: ClusterRecord) => Part;
  readonly put: (record: ClusterRecord, part: Part) => ClusterRecord;
  /**
   * Why the values do not go together, one sentence; null when they do, or did so no better before.
   */
  readonly objection: (record: ClusterRecord, before: ClusterRecord) => string | null;
}

/** Text null: back to the default. */
export interface Assignment {
  readonly key: string;
  readonly text: string | null;
}

export interface ConfigRow extends ShownValue {
  readonly key: string;
  readonly takes: string;
  readonly meaning: string;
}

/** Those that were named, or all. @throws UnderstudyError USAGE for a name that is none. */
export function showKeys<Part>(
  record: ClusterRecord,
  of: { scope: ConfigScope<Part>; names: readonly string[] },
): ConfigRow[] {
  const { scope, names } = of;
  const keys = names.length === 0 ? scope.keys : names.map((name) => findKey(scope.keys, name));
  const part = scope.get(record);
  return keys.map((key) => {
    const { text, value, isDefault } = key.show(part);
    return { key: key.name, text, value, isDefault, takes: key.takes, meaning: key.meaning };
  });
}

/**
 * All of them at once, and a higher generation: one write for one compare-and-set. Null when all
 * are so already.
 * @throws UnderstudyError USAGE for an unknown key or a wrong value, REFUSED where values do not go
 * together.
 */
export function assignKeys<Part>(
  record: ClusterRecord,
  of: { scope: ConfigScope<Part>; assignments: readonly Assignment[] },
): ClusterRecord | null {
  const { scope, assignments } = of;
  const before = scope.get(record);
  let after = before;
  for (const { key, text } of assignments) {
    const found = findKey(scope.keys, key);
    after = text === null ? found.reset(after) : found.set(after, text);
  }
  const changed = scope.put(record, after);
  const objection = scope.objection(changed, record);
  if (objection !== null) throw new UnderstudyError("REFUSED", `${objection}; nothing was changed`);
  const isSame = scope.keys.every((key) => key.show(before).text === key.show(after).text);
  return isSame ? null : { ...changed, generation: record.generation + 1 };
}

/** Written in whatever case. @throws UnderstudyError USAGE, with those that there are. */
export function findKey<Part>(keys: readonly ConfigKey<Part>[], name: string): ConfigKey<Part> {
  const found = keys.find((key) => key.name.toLowerCase() === name.toLowerCase());
  if (found !== undefined) return found;
  throw new UnderstudyError("USAGE", `there is no setting ${JSON.stringify(name)}`, {
    hint: `Known are: ${keys.map((key) => key.name).join(", ")}.`,
  });
}
