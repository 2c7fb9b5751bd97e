// Runs what a user typed, as the application's role with its own settings: nothing of the session
// is changed by us. By the simple protocol, so that several statements may come at once, each with
// its own result (manual, 55.2.2.1).
import { Client, type Connection } from "pg";
import { UnderstudyError, codeOf, messageOf } from "../../core/errors.ts";
import type { Secret } from "../../core/secret.ts";
import type { StatementResult } from "../screens/sql-result.ts";
import { sqlError } from "./sql-error.ts";

export interface SqlTarget {
  readonly member: string;
  readonly host: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
  readonly password: Secret;
}

export interface StatementListener {
  readonly onResult: (result: StatementResult) => void;
  /** What COPY … TO STDOUT sends. */
  readonly onCopyData: (chunk: Uint8Array) => void;
  /** "NOTICE: relation … already exists, skipping". */
  readonly onNotice: (text: string) => void;
}

export interface StatementLimits {
  readonly signal: AbortSignal;
  /** 0 for none: a person waits, and Ctrl-C cancels. */
  readonly timeoutMs: number;
}

const CONNECT_TIMEOUT_MS = 5_000;
/** A cancelled statement ends at once; one that does not loses its connection. */
const CANCEL_LIMIT_MS = 2_000;
/** A table is aligned, so it is held whole: more than this belongs into COPY or psql. */
const MAX_ROWS = 1_000_000;

/**
 * Results come one by one as they end, so that those before a mistake are seen.
 * @throws UnderstudyError CONNECTION_FAILED; SQL_FAILED with `details.sqlstate` and
 * `details.position`;
 *   INTERRUPTED when the signal came: the statement is then cancelled on the server.
 */
export async function runStatement(
  statement: { readonly text: string; readonly target: SqlTarget },
  listener: StatementListener,
  limits: StatementLimits,
): Promise<void> {
  limits.signal.throwIfAborted();
  const client = await connected(statement.target, limits.timeoutMs);
  client.on("notice", (notice) =>
    listener.onNotice(`${notice.severity ?? "NOTICE"}: ${notice.message ?? ""}`),
  );
  const cancel = () => void cancelBackend(client, statement.target);
  limits.signal.addEventListener("abort", cancel, { once: true });
  try {
    await new Promise<void>((resolve, reject) => {
      client.once("end", () => reject(new Error("the server closed the connection")));
      client.query(new SimpleQuery(statement.text, listener, { resolve, reject }));
    });
  } catch (cause) {
    if (limits.signal.aborted)
      throw new UnderstudyError("INTERRUPTED", "the statement was cancelled", { cause, hint: "" });
    throw sqlError(cause, statement);
  } finally {
    limits.signal.removeEventListener("abort", cancel);
    await client.end().catch(() => {});
  }
}

async function connected(target: SqlTarget, timeoutMs: number): Promise<Client> {
  const client = clientFor(target, timeoutMs);
  try {
    await client.connect();
    return client;
  } catch (cause) {
    void client.end().catch(() => {});
    throw new UnderstudyError(
      "CONNECTION_FAILED",
      `cannot connect to ${target.member} at ${target.host}:${target.port} as ${target.user}: ${messageOf(cause)}`,
      { cause, details: { code: codeOf(cause) ?? null } },
    );
  }
}

function clientFor(target: SqlTarget, timeoutMs: number): Client {
  const client = new Client({
    host: target.host,
    port: target.port,
    user: target.user,
    database: target.database,
    password: target.password.reveal(),
    application_name: "understudy sql",
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    keepAlive: true,
    ssl: false,
    ...(timeoutMs > 0 ? { statement_timeout: timeoutMs } : {}),
  });
  // A lost connection is reported by "end"; without a listener Node would end the process.
  client.on("error", () => {});
  return client;
}

/** A role may cancel its own statements. What cannot be cancelled in time is cut off. */
async function cancelBackend(client: Client, target: SqlTarget): Promise<void> {
  const pid: unknown = "processID" in client ? client.processID : null;
  const other = clientFor(target, CANCEL_LIMIT_MS);
  const cutOff = setTimeout(() => void client.end().catch(() => {}), CANCEL_LIMIT_MS);
  cutOff.unref();
  try {
    await other.connect();
    await other.query("SELECT pg_catalog.pg_cancel_backend($1)", [pid]);
  } catch {
    await client.end().catch(() => {});
  } finally {
    await other.end().catch(() => {});
  }
}

interface Outcome {
  readonly resolve: () => void;
  readonly reject: (thrown: unknown) => void;
}

interface Field {
  readonly name: string;
  readonly dataTypeID: number;
}

/** What pg's client drives: it calls these as the server's messages come. */
class SimpleQuery {
  readonly #text: string;
  readonly #listener: StatementListener;
  readonly #outcome: Outcome;
  #columns: StatementResult["columns"] = [];
  #rows: (string | null)[][] = [];
  #failure: { readonly thrown: unknown } | null = null;

  constructor(text: string, listener: StatementListener, outcome: Outcome) {
    this.#text = text;
    this.#listener = listener;
    this.#outcome = outcome;
  }

  submit(connection: Connection): void {
    connection.query(this.#text);
  }

  handleRowDescription(message: { readonly fields: readonly Field[] }): void {
    this.#columns = message.fields.map((field) => ({
      name: field.name,
      typeOid: field.dataTypeID,
    }));
    this.#rows = [];
  }

  handleDataRow(message: { readonly fields: readonly (string | null)[] }): void {
    if (this.#failure !== null) return;
    if (this.#rows.length < MAX_ROWS) {
      this.#rows.push([...message.fields]);
      return;
    }
    this.#rows = [];
    this.#failure = {
      thrown: new UnderstudyError(
        "SQL_FAILED",
        `the answer has more than ${MAX_ROWS.toLocaleString("en")} rows`,
        { hint: "Ask for fewer, or use: understudy psql" },
      ),
    };
  }

  handleCommandComplete(message: { readonly text: string }): void {
    if (this.#failure === null)
      this.#listener.onResult({ tag: message.text, columns: this.#columns, rows: this.#rows });
    this.#columns = [];
    this.#rows = [];
  }

  handleEmptyQuery(): void {}

  handlePortalSuspended(): void {}

  handleCopyInResponse(connection: Connection): void {
    const refusal = "understudy sql has no input for COPY FROM STDIN";
    if ("sendCopyFail" in connection && typeof connection.sendCopyFail === "function")
      connection.sendCopyFail(refusal);
  }

  handleCopyData(message: { readonly chunk: Uint8Array }): void {
    this.#listener.onCopyData(message.chunk);
  }

  /** pg's client forgets a query that failed: no ReadyForQuery comes here after it. */
  handleError(thrown: unknown): void {
    this.#outcome.reject(this.#failure?.thrown ?? thrown);
  }

  handleReadyForQuery(): void {
    if (this.#failure === null) this.#outcome.resolve();
    else this.#outcome.reject(this.#failure.thrown);
  }
}
