// A cluster on Kubernetes as the commands see it: its record is in the Lease, and its agents are
// asked through the API server, which reaches pods from wherever it is reached itself. The token
// goes with a header of its own, because the API server keeps the authorization to itself.
import { remoteError, type AskOptions, type PostOptions } from "../../agent/peer.ts";
import { TOKEN_HEADER } from "../../agent/token-header.ts";
import {
  APPLICATION_DATABASE,
  APPLICATION_ROLE,
  connectionUrl,
} from "../../core/connection-url.ts";
import { messageOf, UnderstudyError } from "../../core/errors.ts";
import type { MemberStatus } from "../../core/member-status.ts";
import type { ClusterRecord, RecordMember } from "../../core/record.ts";
import type { KubernetesApi } from "../../kubernetes-api/api.ts";
import { kindOfObject } from "../../kubernetes-api/kinds.ts";
import { errorOf, parseRefusal } from "../../kubernetes-api/refusal.ts";
import {
  podName,
  secretName,
  serviceName,
  type ServiceRole,
} from "../../kubernetes/objects/names.ts";
import { DATABASE_PORT } from "../../kubernetes/objects/pod.ts";
import type { Reach } from "../../local/cluster.ts";
import { KubernetesStore } from "../../store/kubernetes-store.ts";
import { readObject, type KubernetesPlace } from "./read-object.ts";

/** Whether it is the pod vouches the API server. */
type Asking = Omit<AskOptions, "trust">;
type PodCall = Parameters<KubernetesApi["askPod"]>[1];

const SECRET = kindOfObject({ apiVersion: "v1", kind: "Secret", metadata: { name: "" } });
const NOTE_LIMIT_MS = 5_000;

export class KubernetesReach implements Reach {
  readonly #place: KubernetesPlace;
  #token: string | null = null;
  #ports: ServicePorts | null = null;

  constructor(place: KubernetesPlace) {
    this.#place = place;
  }

  openStore(): KubernetesStore {
    return new KubernetesStore(this.#place);
  }

  readonly askStatus = async (place: RecordMember, options: Asking): Promise<MemberStatus> => {
    const answer = await this.#ask(place, { method: "GET", path: "/status" }, options);
    return answer as MemberStatus;
  };

  /** Whatever token is given: it is read from the cluster's Secret when it is first needed. */
  readonly post = async (
    place: RecordMember,
    options: Omit<PostOptions, "token" | "trust">,
  ): Promise<unknown> => {
    const { path, body } = options;
    const headers = { [TOKEN_HEADER]: await this.#readToken(options) };
    return this.#ask(place, { method: "POST", path, headers, body: JSON.stringify(body) }, options);
  };

  /** Where its Services are, by names that every pod can look up. */
  readonly describe: Reach["describe"] = async (status) => {
    const { namespace, cluster } = this.#place;
    this.#ports ??= await servicePorts(this.#place);
    const { write, read } = this.#ports;
    const urlOf = (role: ServiceRole, port: number) =>
      connectionUrl({
        hosts: [{ host: `${serviceName(cluster, role)}.${namespace}.svc`, port }],
        wants: "any",
        user: APPLICATION_ROLE,
        database: APPLICATION_DATABASE,
      });
    return {
      ...status,
      warnings: status.warnings.map(remedyHere),
      endpoints: { write: urlOf("write", write), read: urlOf("read", read) },
    };
  };

  /** With a member's events, the leader's if it answers: a command has no place of its own here. */
  readonly note: Reach["note"] = async (decision) => {
    const { leader, members } = await this.#record();
    const { [leader?.member ?? ""]: first, ...rest } = members;
    let last: unknown = new Error("the cluster has no member yet");
    for (const place of [first, ...Object.values(rest)]) {
      if (place === undefined) continue;
      const options = { path: "/note-decision", body: decision, timeoutMs: NOTE_LIMIT_MS };
      const thrown = await this.post(place, options).then(
        () => null,
        (why: unknown) => why,
      );
      if (thrown === null) return;
      last = thrown;
    }
    throw last;
  };

  async #ask(place: RecordMember, call: PodCall, options: Asking): Promise<unknown> {
    const { namespace } = this.#place;
    const name = await this.#nameOf(place);
    const to = { namespace, pod: podName(name), port: place.apiPort };
    const answer = await this.#send(to, call, options);
    const document = parsed(answer.text);
    if (answer.status < 300) return document;
    if (Object(document)["kind"] === "Status" || document === null) {
      const refused = errorOf(parseRefusal(answer), `ask the agent of ${name}`);
      if (refused.code === "KUBERNETES_FORBIDDEN") throw refused;
      throw unreachable(name, refused);
    }
    throw remoteError(document, answer.status);
  }

  async #send(
    to: Parameters<KubernetesApi["askPod"]>[0],
    call: PodCall,
    options: Asking,
  ): Promise<{ status: number; text: string }> {
    const begun = performance.now();
    try {
      return await this.#place.api.askPod(to, call, options);
    } catch (thrown) {
      if (!(thrown instanceof UnderstudyError) || thrown.code !== "KUBERNETES_UNAVAILABLE")
        throw thrown;
      if (call.method === "POST" && performance.now() - begun >= options.timeoutMs)
        throw new UnderstudyError(
          "TIMED_OUT",
          `the agent in ${to.pod} has not answered ${call.path} within ${options.timeoutMs / 1000} s; it may still be at it`,
          { cause: thrown },
        );
      throw unreachable(to.pod, thrown);
    }
  }

  /** Each pod has an address of its own. */
  async #nameOf({ host, apiPort }: RecordMember): Promise<string> {
    const { members } = await this.#record();
    const found = Object.entries(members).find(
      ([, each]) => each.host === host && each.apiPort === apiPort,
    );
    if (found !== undefined) return found[0];
    throw new UnderstudyError("MEMBER_UNREACHABLE", `no member listens at ${host} any more`);
  }

  async #record(): Promise<ClusterRecord> {
    await using store = this.openStore();
    const read = await store.read();
    if (read !== null) return read.record;
    throw new UnderstudyError("RECORD_CORRUPT", `${this.#place.cluster} has no record`);
  }

  async #readToken({ timeoutMs, signal }: Asking): Promise<string> {
    if (this.#token !== null) return this.#token;
    const { api, namespace, cluster } = this.#place;
    const place = { namespace, name: secretName(cluster, "agents") };
    const options = { timeoutMs, ...(signal === undefined ? {} : { signal }) };
    const secret = await api.get(SECRET, place, options);
    const data: unknown = Object(Object(secret)["data"])["token"];
    if (typeof data !== "string")
      throw new UnderstudyError(
        "KUBERNETES_FORBIDDEN",
        `the Secret ${namespace}/${place.name} has no token with which agents could be asked`,
      );
    this.#token = Buffer.from(data, "base64").toString("utf8");
    return this.#token;
  }
}

interface ServicePorts {
  readonly write: number;
  readonly read: number;
}

/** PostgreSQL's own where the object cannot be read, or there is none. */
async function servicePorts(place: KubernetesPlace): Promise<ServicePorts> {
  const object = await readObject(place).catch(() => null);
  const services: unknown = Object(Object(object)["spec"])["services"];
  const portOf = (role: "write" | "read") => {
    const port: unknown = Object(Object(services)[role])["port"];
    return typeof port === "number" ? port : DATABASE_PORT.number;
  };
  return { write: portOf("write"), read: portOf("read") };
}

function remedyHere(warning: string): string {
  return warning.replaceAll("understudy config set sync=on", 'say spec.sync.mode: "on"');
}

function unreachable(who: string, cause: unknown): UnderstudyError {
  return new UnderstudyError(
    "MEMBER_UNREACHABLE",
    `the agent of ${who} does not answer: ${messageOf(cause)}`,
    { cause },
  );
}

function parsed(text: string): unknown {
  try {
    return text === "" ? {} : JSON.parse(text);
  } catch {
    return null;
  }
}
