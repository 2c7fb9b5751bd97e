// What the server answers to BASE_BACKUP, in all shapes of PostgreSQL 10 to 18, as one sequence of
// callbacks: start, tablespaces, archives with their bytes, manifest, end. 10 to 14 send a COPY per
// tablespace and (13, 14) one for the manifest; 15 and later send one COPY whose messages carry a
// kind: n, d, p, m. (Manual, "Streaming Replication Protocol", BASE_BACKUP.) Pure: no socket, no
// disk.
import { UnderstudyError } from "../../core/errors.ts";
import { type FrameHandler, FrameReader } from "./frames.ts";

export interface BackupPosition {
  /** "0/3000028". */
  readonly lsn: string;
  readonly timeline: number;
}

export interface BackupTablespace {
  /** Null for the data directory itself. */
  readonly oid: number | null;
  /** On the source; relative for a tablespace that lies inside of the data directory. */
  readonly location: string | null;
  /** The server's estimate. */
  readonly bytes: number | null;
}

export interface BackupHandler {
  start(position: BackupPosition): void;
  tablespaces(list: readonly BackupTablespace[]): void;
  /** The tar archive of this tablespace begins. */
  archiveBegin(tablespace: BackupTablespace): void;
  /** Here and in manifestData the bytes are valid during the call only. */
  archiveData(piece: Uint8Array): void;
  archiveEnd(tablespace: BackupTablespace): void;
  manifestData(piece: Uint8Array): void;
  end(position: BackupPosition): void;
  /**
   * The command is over, well or not: nothing more comes. `failure` is the server's error, if any.
   */
  ready(failure: ServerFailure | null): void;
}

export interface ServerFailure {
  /** SQLSTATE. */
  readonly code: string;
  readonly message: string;
}

/**
 * "archive" and "manifest": bytes go there; "message": a 15+ message other than data; "none": not
 * in a COPY.
 */
type Sink = "none" | "kind" | "archive" | "manifest" | "message";

export class BackupStream implements FrameHandler {
  readonly #handler: BackupHandler;
  readonly #major: number;
  readonly #frames: FrameReader;
  #rows: (string | null)[][] = [];
  #rowSets = 0;
  #tablespaces: BackupTablespace[] = [];
  #archives = 0;
  #current: BackupTablespace | null = null;
  #inManifest = false;
  #sink: Sink = "none";
  #message: Uint8Array[] = [];
  #failure: ServerFailure | null = null;

  constructor(options: { major: number; handler: BackupHandler }) {
    this.#major = options.major;
    this.#handler = options.handler;
    this.#frames = new FrameReader(this);
  }

  /** @throws UnderstudyError BACKUP_FAILED when the answer is not one to BASE_BACKUP. */
  feed(chunk: Uint8Array): void {
    this.#frames.feed(chunk);
  }

  copyBegin(): void {
    if (this.#major >= 15) this.#sink = "kind";
    else this.#sink = this.#current === null ? "manifest" : "archive";
  }

  copyPiece(piece: Uint8Array): void {
    const rest = this.#sink === "kind" ? this.#takeKind(piece) : piece;
    if (rest.length === 0) return;
    if (this.#sink === "archive") this.#handler.archiveData(rest);
    else if (this.#sink === "manifest") this.#handler.manifestData(rest);
    else this.#message.push(Buffer.from(rest));
  }

  copyEnd(): void {
    if (this.#sink === "message") this.#takeMessage(Buffer.concat(this.#message));
    this.#sink = "none";
    this.#message = [];
  }

  /** The first byte of a 15+ message says what it carries. */
  #takeKind(piece: Uint8Array): Uint8Array {
    const isData = piece[0] === 0x64;
    if (!isData) this.#sink = "message";
    else if (this.#inManifest) this.#sink = "manifest";
    else if (this.#current !== null) this.#sink = "archive";
    else throw unexpected("data before any archive");
    return isData ? piece.subarray(1) : piece;
  }

  #takeMessage(message: Buffer): void {
    const kind = String.fromCharCode(message[0] ?? 0);
    if (kind === "n") {
      this.#endArchive();
      this.#beginArchive(this.#tablespaceOf(message.toString("utf8", 1, message.indexOf(0, 1))));
    } else if (kind === "m") {
      this.#endArchive();
      this.#inManifest = true;
    } else if (kind !== "p") throw unexpected(`a COPY message of kind ${JSON.stringify(kind)}`);
  }

  /** Archives are called base.tar and OID.tar. */
  #tablespaceOf(archive: string): BackupTablespace {
    const found = this.#tablespaces.find(
      ({ oid }) => archive === (oid === null ? "base.tar" : `${oid}.tar`),
    );
    if (!found) throw unexpected(`an archive called ${JSON.stringify(archive)}`);
    return found;
  }

  message(type: string, body: Buffer): void {
    if (type === "T") this.#rows = [];
    else if (type === "D") this.#rows.push(readRow(body));
    else if (type === "C") this.#endRows();
    else if (type === "H") this.#beginCopy();
    else if (type === "c") this.#endArchive();
    else if (type === "E") this.#failure = readFailure(body);
    else if (type === "Z") this.#handler.ready(this.#failure);
    // Notices and changes of parameters may come at any time.
    else if (type !== "N" && type !== "S" && type !== "A")
      throw unexpected(`a message of type ${JSON.stringify(type)}`);
  }

  #beginCopy(): void {
    if (this.#major >= 15) return;
    const tablespace = this.#tablespaces[this.#archives];
    // One COPY more than there are tablespaces is the manifest.
    if (tablespace) this.#beginArchive(tablespace);
    else if (this.#inManifest) throw unexpected("a second manifest");
    else this.#inManifest = true;
  }

  #beginArchive(tablespace: BackupTablespace): void {
    this.#archives++;
    this.#current = tablespace;
    this.#handler.archiveBegin(tablespace);
  }

  #endArchive(): void {
    if (this.#current === null) return;
    const tablespace = this.#current;
    this.#current = null;
    this.#handler.archiveEnd(tablespace);
  }

  #endRows(): void {
    const rows = this.#rows;
    this.#rows = [];
    // A tag without rows before it closes a COPY or the command.
    if (rows.length === 0) return;
    this.#rowSets++;
    if (this.#rowSets === 1) this.#handler.start(readPosition(rows));
    else if (this.#rowSets === 2) {
      this.#tablespaces = rows.map(readTablespace);
      this.#handler.tablespaces(this.#tablespaces);
    } else if (this.#rowSets === 3) {
      if (this.#archives !== this.#tablespaces.length)
        throw unexpected(`${this.#archives} archives for ${this.#tablespaces.length} tablespaces`);
      this.#handler.end(readPosition(rows));
    } else throw unexpected("a fourth result set");
  }
}

function readRow(body: Buffer): (string | null)[] {
  const columns = body.readInt16BE(0);
  const row: (string | null)[] = [];
  let offset = 2;
  for (let column = 0; column < columns; column++) {
    const length = body.readInt32BE(offset);
    offset += 4;
    row.push(length < 0 ? null : body.toString("utf8", offset, offset + length));
    if (length > 0) offset += length;
  }
  return row;
}

/** Fields of an ErrorResponse: a letter, a text, a zero byte each. */
function readFailure(body: Buffer): ServerFailure {
  const fields = new Map(
    body
      .toString("utf8")
      .split("\0")
      .map((field) => [field.charAt(0), field.slice(1)] as const),
  );
  return { code: fields.get("C") ?? "", message: fields.get("M") ?? "an error without a text" };
}

function readPosition(rows: readonly (string | null)[][]): BackupPosition {
  const [lsn, timeline] = rows[0] ?? [];
  if (typeof lsn !== "string" || !/^\d+$/.test(timeline ?? ""))
    throw unexpected("a position without LSN or timeline");
  return { lsn, timeline: Number(timeline) };
}

function readTablespace(row: readonly (string | null)[]): BackupTablespace {
  const [oid, location, kilobytes] = row;
  return {
    oid: oid === null || oid === undefined ? null : Number(oid),
    location: location ?? null,
    bytes: kilobytes === null || kilobytes === undefined ? null : Number(kilobytes) * 1024,
  };
}

function unexpected(what: string): UnderstudyError {
  return new UnderstudyError(
    "BACKUP_FAILED",
    `cannot read the base backup: the server sent ${what}, which the protocol does not have there`,
  );
}
