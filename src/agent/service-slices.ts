// Puts into a cluster's EndpointSlices whom its services lead to: one change at a time, of each
// slice the newest, and tried again until it is so.
import { setTimeout as delay } from "node:timers/promises";
import { messageOf } from "../core/errors.ts";
import type { KubernetesApi } from "../kubernetes-api/api.ts";
import { kindOfObject } from "../kubernetes-api/kinds.ts";
import type { KubernetesObject, ResourceKind } from "../kubernetes-api/resource.ts";
import { isSucceeded, REIGN_ANNOTATION, reignText, type Reign } from "../core/slice-reign.ts";
import type { LedServices } from "./lead-services.ts";

export interface ServiceSlicesOptions {
  readonly api: KubernetesApi;
  readonly namespace: string;
  /** Their names. */
  readonly write: string;
  readonly read: string;
  readonly onTrouble: (why: string) => void;
}

interface Slice extends KubernetesObject {
  readonly endpoints?: readonly { readonly addresses: readonly string[] }[] | null;
}

const SLICES = ["discovery.k8s.io/v1", "discovery.k8s.io/v1beta1"].map((apiVersion) =>
  kindOfObject({ apiVersion, kind: "EndpointSlice", metadata: { name: "" } }),
);
const CALL_LIMIT_MS = 3_000;
const RETRY_MS = 500;
/** So often it is looked whether they are still so. */
const LOOK_AGAIN_MS = 10_000;

export class ServiceSlices implements Disposable {
  readonly #options: ServiceSlicesOptions;
  readonly #end = new AbortController();
  readonly #wanted = new Map<"write" | "read", readonly string[]>();
  /** As they were put or seen last. */
  readonly #there = new Map<"write" | "read", { text: string; atMs: number }>();
  #reign: Reign | null = null;
  #kind: ResourceKind | null = null;
  #isBusy = false;

  constructor(options: ServiceSlicesOptions) {
    this.#options = options;
  }

  /** What can be known before there is a hurry. */
  async prepare(): Promise<void> {
    await this.#sliceKind().catch(() => {}); // It is asked for again when it is needed.
  }

  put({ reign, write, read }: LedServices): void {
    this.#reign = reign;
    if (write !== null) this.#wanted.set("write", [write]);
    if (read !== null) this.#wanted.set("read", read);
    if (!this.#isBusy) void this.#work();
  }

  /** Whether something is still to be brought there. */
  get isBusy(): boolean {
    return this.#isBusy;
  }

  /** Another leads now, and says it from here on. */
  forget(): void {
    this.#wanted.clear();
    this.#there.clear();
  }

  [Symbol.dispose](): void {
    this.#end.abort();
  }

  async #work(): Promise<void> {
    this.#isBusy = true;
    const { signal } = this.#end;
    try {
      for (let next = this.#next(); next !== null && !signal.aborted; next = this.#next())
        await this.#bring(next).catch(async (thrown: unknown) => {
          if (!signal.aborted) this.#options.onTrouble(messageOf(thrown));
          await delay(RETRY_MS, undefined, { signal });
        });
    } catch {
      // It ends.
    } finally {
      this.#isBusy = false;
    }
  }

  /** Where writes go comes first. */
  #next(): "write" | "read" | null {
    for (const role of ["write", "read"] as const) {
      const wanted = this.#wanted.get(role);
      const there = this.#there.get(role);
      if (wanted === undefined) continue;
      const isOld = there === undefined || performance.now() - there.atMs > LOOK_AGAIN_MS;
      if (isOld || there.text !== this.#textFor(wanted)) return role;
    }
    return null;
  }

  async #bring(role: "write" | "read"): Promise<void> {
    const wanted = this.#wanted.get(role);
    const reign = this.#reign;
    if (wanted === undefined || reign === null) return;
    const { api, namespace } = this.#options;
    const place = { namespace, name: this.#options[role] };
    const limits = { timeoutMs: CALL_LIMIT_MS, signal: this.#end.signal };
    const kind = await this.#sliceKind();
    const slice = await api.get<Slice>(kind, place, limits);
    if (slice === null) throw new Error(`there is no EndpointSlice ${place.name}`);
    const { resourceVersion, annotations } = slice.metadata;
    // It stood still, and another leads since: what it would say is of the past.
    if (isSucceeded(reign, { by: annotations?.[REIGN_ANNOTATION] })) {
      if (this.#reign === reign) this.#wanted.delete(role);
      return;
    }
    const now = (slice.endpoints ?? []).flatMap(({ addresses }) => addresses);
    const isOwn = annotations?.[REIGN_ANNOTATION] === reignText(reign);
    if (!isOwn || textOf(now) !== textOf(wanted)) {
      const endpoints = wanted.map((address) => ({
        addresses: [address],
        conditions: { ready: true },
      }));
      // Of that version alone: whoever has changed it meanwhile may be its successor.
      const metadata = { resourceVersion, annotations: { [REIGN_ANNOTATION]: reignText(reign) } };
      const patch = { metadata, endpoints };
      const changed = await api.patch<Slice>(kind, { place, patch }, limits);
      if (changed.kind === "other") return;
    }
    const text = `${reignText(reign)} ${textOf(wanted)}`;
    this.#there.set(role, { text, atMs: performance.now() });
  }

  #textFor(wanted: readonly string[]): string {
    return `${this.#reign === null ? "" : reignText(this.#reign)} ${textOf(wanted)}`;
  }

  async #sliceKind(): Promise<ResourceKind> {
    const [current, older] = SLICES;
    if (current === undefined || older === undefined) throw new Error("there are two versions");
    this.#kind ??= (await this.#options.api.serves(current)) ? current : older;
    return this.#kind;
  }
}

function textOf(addresses: readonly string[]): string {
  return [...addresses].sort().join(" ");
}
