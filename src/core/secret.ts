// A value that must not reach a log, an error or a JSON document: its text form is "***".

export class Secret {
  readonly #value: string;

  constructor(value: string) {
    this.#value = value;
  }

  /** The value itself: call it only where it is handed to a server or written to a 0600 file. */
  reveal(): string {
    return this.#value;
  }

  toString(): string {
    return "***";
  }

  toJSON(): string {
    return "***";
  }

  /** What console.log and util.inspect print. */
  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return "***";
  }
}
