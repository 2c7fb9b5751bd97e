// Who streams from a modelled server, and what its shutdown does for them.
import type { ModelServer } from "./server.ts";
import { endOf, flushedEndOf, type DataDirectory } from "./wal.ts";

export function standbysOf(server: ModelServer): readonly ModelServer[] {
  return [...server.machine.servers.values()].filter(({ receiver }) =>
    receiver.isConnectedTo(server),
  );
}

export function hasSilentStandby(server: ModelServer): boolean {
  return standbysOf(server).some(({ receiver }) => !receiver.flows);
}

/** A fast shutdown waits until every connected standby has all. */
export function shipToAll(server: ModelServer, data: DataDirectory): void {
  for (const { receiver, disk } of standbysOf(server)) {
    const own = disk.data;
    if (receiver.flows && own !== null && flushedEndOf(own) < endOf(data).lsn) receiver.receive();
  }
}
