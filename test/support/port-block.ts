// Ports for one test cluster: twenty in a row and twenty more a thousand above them, below the
// range of outgoing connections. A block is ours for as long as this process listens on its first
// port, so the operating system takes it back however the test ends.
import { type Server, createServer } from "node:net";

const HOST = "127.0.0.1";
const BLOCK = 20;
/** Agents listen a thousand above their servers. */
const API_DISTANCE = 1_000;
/** Each has a thousand ports for servers, and the thousand after it for their agents. */
const REGIONS = [10_000, 12_000, 14_000, 16_000, 18_000];
const PER_REGION = API_DISTANCE / BLOCK;

export interface PortBlock extends AsyncDisposable {
  /** The first port for a server; those after it are free as well. */
  readonly first: number;
}

export async function takePortBlock(): Promise<PortBlock> {
  const count = REGIONS.length * PER_REGION;
  // Each process begins its search elsewhere; where two meet, one of them cannot listen and goes
  // on.
  for (let step = 0; step < count; step += 1) {
    const block = await tryBlock((process.pid * 7 + step) % count);
    if (block !== null) return block;
  }
  throw new Error("no block of ports is free");
}

async function tryBlock(index: number): Promise<PortBlock | null> {
  const region = REGIONS[Math.floor(index / PER_REGION)] ?? 0;
  const base = region + (index % PER_REGION) * BLOCK;
  const guard = await listen(base);
  if (guard === null) return null;
  const others = Array.from({ length: BLOCK }, (_, at) => base + at);
  for (const port of [...others.slice(1), ...others.map((each) => each + API_DISTANCE)])
    if (!(await isFree(port))) {
      await close(guard);
      return null;
    }
  return { first: base + 1, [Symbol.asyncDispose]: () => close(guard) };
}

/** Whether nobody listens there now. */
export async function isFree(port: number): Promise<boolean> {
  const server = await listen(port);
  if (server === null) return false;
  await close(server);
  return true;
}

function listen(port: number): Promise<Server | null> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once("error", () => resolve(null));
    server.listen({ port, host: HOST, exclusive: true }, () => {
      server.unref();
      resolve(server);
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
  });
}
