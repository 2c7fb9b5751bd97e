// Certificates as the operator issues them, for tests: of one authority, good now, as files that a
// kubelet would keep, and as Node's client takes them.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { createSecureContext, type SecureContext } from "node:tls";
import { REPLICATION_ROLE } from "../../src/core/role.ts";
import {
  issue,
  newSigner,
  type Authority,
  type Issue,
  type Signer,
} from "../../src/kubernetes/certificates/authority.ts";
import { keyPem, makeCertificate, makeKeyPair } from "../../src/kubernetes/certificates/x509.ts";

const DAY_MS = 86_400_000;
const CLIENT: Issue = { commonName: REPLICATION_ROLE, use: "client", names: [] };

export class TlsAuthority {
  readonly #authority: Authority;

  constructor() {
    this.#authority = { current: newSigner("test", new Date()), next: null, former: [] };
  }

  /** As the operator keeps it. */
  get authority(): Authority {
    return this.#authority;
  }

  /** PEM. */
  get certificate(): string {
    return this.#authority.current.certificate;
  }

  server(...names: string[]): Signer {
    return this.#issue({ commonName: names[0] ?? "server", use: "server", names });
  }

  client(commonName = REPLICATION_ROLE): Signer {
    return this.#issue({ ...CLIENT, commonName });
  }

  /** A server's whose time was over a day ago. */
  expired(...names: string[]): Signer {
    const wanted: Issue = { commonName: names[0] ?? "server", use: "server", names };
    const now = new Date(Date.now() - 2 * DAY_MS);
    return issue(this.#authority, { wanted, now, lifeMs: DAY_MS });
  }

  /** As others than our operator may issue it: good for longer than this authority is. */
  outliving(wanted: Issue): Signer {
    const { certificate, key } = this.#authority.current;
    const own = new X509Certificate(certificate);
    const keys = makeKeyPair();
    const made = makeCertificate({
      ...wanted,
      publicKey: keys.publicKey,
      from: new Date(Date.now() - DAY_MS),
      to: new Date(own.validToDate.getTime() + 90 * DAY_MS),
      signer: {
        commonName: own.subject.replace("CN=", ""),
        publicKey: own.publicKey,
        privateKey: createPrivateKey(key),
      },
    });
    return { certificate: made, key: keyPem(keys) };
  }

  /** Whom a client trusts, and as whom it comes. */
  context(client: Signer = this.client()): SecureContext {
    const { certificate: cert, key } = client;
    return createSecureContext({ ca: this.certificate, cert, key });
  }

  /** As a kubelet keeps them for a member. */
  async writeTold(
    directory: string,
    server: Signer,
    client: Signer = this.client(),
  ): Promise<void> {
    await mkdir(directory, { recursive: true });
    const texts = {
      "ca.crt": this.certificate,
      "server.crt": server.certificate,
      "server.key": server.key,
      "client.crt": client.certificate,
      "client.key": client.key,
    };
    for (const [name, text] of Object.entries(texts)) await writeFile(join(directory, name), text);
  }

  #issue(wanted: Issue): Signer {
    return issue(this.#authority, { wanted, now: new Date(), lifeMs: 90 * DAY_MS });
  }
}
