// Chooses ports on loopback: below the range that the kernel gives to outgoing connections, and the
// next free ones where some are taken. What is chosen is written into the record, so that it stays.
import { createServer } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import { UnderstudyError } from "../core/errors.ts";

const HOST = "127.0.0.1";
const FIRST_PORT = 6431;
/** Of an agent's API: this far above its server's port. */
const API_DISTANCE = 1000;
/** Outgoing connections may hold any port from here on (ip_local_port_range). */
const LIMIT = 32_768 - API_DISTANCE;
/** Another command that looks at the same moment holds a port for less than this. */
const LOOK_AGAIN_MS = [20, 80] as const;

export interface MemberPorts {
  readonly port: number;
  readonly apiPort: number;
}

export interface ChosenPorts {
  readonly ports: readonly MemberPorts[];
  /** Ports that were passed over because they are in use. */
  readonly passedOver: readonly number[];
}

/**
 * @param request.first null takes the next free ones; a number is meant as it stands.
 * @throws UnderstudyError PORT_TAKEN.
 */
export async function choosePorts(request: {
  first: number | null;
  /** Where to begin to look when `first` is null. */
  from?: number;
  count: number;
  avoid?: ReadonlySet<number>;
}): Promise<ChosenPorts> {
  const { first, count, avoid } = request;
  const begin = first ?? request.from ?? FIRST_PORT;
  const ports: MemberPorts[] = [];
  const passedOver: number[] = [];
  for (let port = begin; ports.length < count; port += 1) {
    if (port >= LIMIT)
      throw new UnderstudyError(
        "PORT_TAKEN",
        `there are no ${count} free ports from ${begin} to ${LIMIT - 1}, where outgoing connections and agents begin`,
      );
    const free =
      avoid?.has(port) !== true && (first === null ? await isFree(port) : await staysFree(port));
    if (!free && first !== null)
      throw new UnderstudyError(
        "PORT_TAKEN",
        `port ${port} on ${HOST} is in use${port === first ? "" : `, and the ${count} members need ${first} to ${first + count - 1}`}`,
      );
    if (free) ports.push({ port, apiPort: await freeApiPort(port + API_DISTANCE) });
    else passedOver.push(port);
  }
  return { ports, passedOver };
}

/** "ports 6431 and 6432 are in use, the members take 6433 to 6435" */
export function describePassedOver({ ports, passedOver }: ChosenPorts): string {
  const taken =
    passedOver.length === 1 ? `port ${passedOver[0]} is` : `ports ${passedOver.join(", ")} are`;
  return `${taken} in use, the members take ${ports.map(({ port }) => port).join(", ")}`;
}

/** People do not type this one, so the next free one will do. */
async function freeApiPort(from: number): Promise<number> {
  for (let port = from; port < LIMIT + API_DISTANCE; port += 1) if (await isFree(port)) return port;
  throw new UnderstudyError("PORT_TAKEN", `there is no free port from ${from} on for an agent`);
}

/**
 * To look is to listen for a moment: of two commands that do so at once one finds the port taken by
 * the other, though nobody uses it.
 */
async function staysFree(port: number): Promise<boolean> {
  for (const pauseMs of LOOK_AGAIN_MS) {
    if (await isFree(port)) return true;
    await delay(pauseMs);
  }
  return isFree(port);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(false));
    server.listen({ port, host: HOST, exclusive: true }, () => server.close(() => resolve(true)));
  });
}
