// The certificates of one member in a pod: from files that a kubelet keeps, and replaces when they
// are renewed, into private ones that PostgreSQL takes, and into this process. Nothing is restarted
// for a renewal: servers read files again, and connections that are open go on.
import { createPrivateKey, X509Certificate } from "node:crypto";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { createSecureContext, type SecureContext } from "node:tls";
import { UnderstudyError, messageOf } from "../core/errors.ts";
import { writeSettings } from "../postgres/settings/write-settings.ts";
import type { TlsClient, TlsFiles } from "../postgres/tls.ts";

/** PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

interface Texts {
  readonly server: Certificate;
  readonly client: Certificate;
  readonly trusted: string;
}

/** A kubelet changes all of the files at one moment, which may be between two of our reads. */
const TRIES = 5;
const TRY_AGAIN_MS = 200;
const LOOK_EVERY_MS = 2_000;
/** Ten days after they should have been renewed. */
const WARNING_MS = 20 * 86_400_000;

export class MemberTls {
  readonly files: TlsFiles;
  readonly #told: string;
  #texts: Texts;
  #context: SecureContext;

  private constructor(of: { told: string; files: TlsFiles; texts: Texts }) {
    this.files = of.files;
    this.#told = of.told;
    this.#texts = of.texts;
    this.#context = contextOf(of.texts);
  }

  /**
   * @param places.told where the kubelet has ca.crt, server.crt, server.key, client.crt, client.key
   * @param places.own made private; only this member's processes may read it
   * @throws UnderstudyError SPEC_CORRUPT where they are not there or do not belong together.
   */
  static async open(places: { told: string; own: string }): Promise<MemberTls> {
    const texts = await readWhole(places.told);
    await mkdir(places.own, { recursive: true, mode: 0o700 });
    const file = (name: string) => join(places.own, name);
    const files = {
      server: file("server.pem"),
      client: file("client.pem"),
      trusted: file("trusted.pem"),
    };
    await writePrivate(files, texts);
    return new MemberTls({ told: places.told, files, texts });
  }

  /** Whom this member trusts, and its own certificate at others. */
  get context(): SecureContext {
    return this.#context;
  }

  get server(): Certificate {
    return this.#texts.server;
  }

  /** One sentence where what is renewed in good time was not; null else. */
  warning(now: Date): string | null {
    const end = endOf(this.#texts);
    if (end.getTime() - now.getTime() > WARNING_MS) return null;
    const day = end.toISOString().slice(0, 10);
    return `its certificates run out on ${day} and were not renewed: who connects after that is refused, so see whether the operator runs`;
  }

  /**
   * Whatever the record says of it: who may write the record must not choose who is believed.
   * @param member by its name, which its certificate has too
   */
  towards(member: string): TlsClient {
    return { name: member, context: this.#context, files: this.files };
  }

  /**
   * Calls when what the kubelet keeps has been renewed and is on disk, and once at the beginning:
   * an agent before this one may have ended in between.
   */
  watch(on: {
    /** @returns false to be called again. */
    renewed: () => Promise<boolean>;
    trouble: (why: string) => void;
  }): Disposable {
    let isNews = true;
    let isLooking = false;
    let told = "";
    const look = async (): Promise<void> => {
      try {
        isNews = (await this.#renew()) || isNews;
        if (isNews) isNews = !(await on.renewed());
        told = "";
      } catch (thrown) {
        const why = messageOf(thrown);
        if (why !== told) on.trouble(why);
        told = why;
      }
    };
    const tick = (): void => {
      if (isLooking) return;
      isLooking = true;
      void look().finally(() => (isLooking = false));
    };
    const timer = setInterval(tick, LOOK_EVERY_MS);
    timer.unref();
    tick();
    return { [Symbol.dispose]: () => clearInterval(timer) };
  }

  async #renew(): Promise<boolean> {
    const seen = await readTexts(this.#told);
    if (JSON.stringify(seen) === JSON.stringify(this.#texts)) return false;
    const texts = await readWhole(this.#told);
    await writePrivate(this.files, texts);
    this.#context = contextOf(texts);
    this.#texts = texts;
    return true;
  }
}

function contextOf({ client, trusted }: Texts): SecureContext {
  return createSecureContext({ ...client, ca: trusted, minVersion: "TLSv1.2" });
}

/** Certificate and key in one file are renewed together, or not at all. */
async function writePrivate(files: TlsFiles, { server, client, trusted }: Texts): Promise<void> {
  await writeSettings(
    new Map([
      [files.server, `${server.cert}${server.key}`],
      [files.client, `${client.cert}${client.key}`],
      [files.trusted, trusted],
    ]),
  );
}

async function readWhole(directory: string): Promise<Texts> {
  for (let tries = 1; ; tries += 1)
    try {
      const texts = await readTexts(directory);
      for (const pair of ["server", "client"] as const) requirePair(pair, texts[pair]);
      requireAuthorities(texts.trusted);
      return texts;
    } catch (cause) {
      if (tries < TRIES) {
        await delay(TRY_AGAIN_MS);
        continue;
      }
      throw new UnderstudyError(
        "SPEC_CORRUPT",
        `cannot read the certificates in ${directory}: ${messageOf(cause)}`,
        { cause, hint: "The Secrets of certificates are the operator's; see: kubectl describe" },
      );
    }
}

async function readTexts(directory: string): Promise<Texts> {
  const text = (name: string) => readFile(join(directory, name), "utf8");
  const pair = async (name: string): Promise<Certificate> => {
    const [cert, key] = await Promise.all([text(`${name}.crt`), text(`${name}.key`)]);
    return { cert: withLineEnd(cert), key };
  };
  const [server, client, trusted] = await Promise.all([
    pair("server"),
    pair("client"),
    text("ca.crt"),
  ]);
  return { server, client, trusted };
}

function requirePair(name: string, { cert, key }: Certificate): void {
  if (new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) return;
  throw new Error(`${name}.key is not the key of ${name}.crt`);
}

function requireAuthorities(trusted: string): void {
  try {
    if (authoritiesIn(trusted).length > 0) return;
  } catch (cause) {
    throw new Error(`ca.crt has a certificate that is damaged: ${messageOf(cause)}`, { cause });
  }
  throw new Error("ca.crt has no certificate");
}

function authoritiesIn(trusted: string): X509Certificate[] {
  const texts = trusted.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? [];
  return texts.map((text) => new X509Certificate(text));
}

/** From then on one of them is not believed, or who has signed it is not. */
function endOf({ server, client, trusted }: Texts): Date {
  const authorities = authoritiesIn(trusted);
  const ends = [server, client].map(({ cert }) => {
    const own = new X509Certificate(cert);
    const signed = authorities
      .filter((each) => own.checkIssued(each) && own.verify(each.publicKey))
      .map((each) => each.validToDate.getTime());
    // Of several by the same key the one that lasts longest is enough.
    const believed = signed.length === 0 ? Infinity : Math.max(...signed);
    return Math.min(own.validToDate.getTime(), believed);
  });
  return new Date(Math.min(...ends));
}

/** Others than our operator may leave it out, and something follows here. */
function withLineEnd(text: string): string {
  return text.endsWith("\n") ? text : `${text}\n`;
}
