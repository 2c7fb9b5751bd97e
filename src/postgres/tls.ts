// How a server is reached over TLS, by Node and by libpq. Where nothing of it is said, members
// reach each other without: on one machine there is no network between them.
import type { SecureContext } from "node:tls";

/** Absolute paths; each file is replaced whole when it is renewed. */
export interface TlsFiles {
  /** Certificate and key of the server, in one file: so they always belong together. */
  readonly server: string;
  /** Certificate and key by which a member logs in at others, likewise. */
  readonly client: string;
  /** Whoever vouches for the others. */
  readonly trusted: string;
}

/** Of one server. */
export interface TlsClient {
  /** By which its certificate knows it, whatever its address is. */
  readonly name: string;
  /** With whom is trusted, and the client's own certificate. */
  readonly context: SecureContext;
  readonly files: TlsFiles;
}
