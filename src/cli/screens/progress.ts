// A long step in words: "cloning 1.2 GiB of 2 GiB (60 %), 12 s left".
import type { Progress } from "../../core/member-status.ts";
import { formatBytes, formatSeconds } from "../output/units.ts";

export function describeProgress(progress: Progress): string {
  const { step, bytesDone, bytesTotal, remainingSeconds } = progress;
  if (bytesDone === null) return step;
  // An estimate: tenths would only flicker.
  const left =
    remainingSeconds === null ? "" : `, ${formatSeconds(Math.ceil(remainingSeconds))} left`;
  if (bytesTotal === null || bytesTotal === 0) return `${step} ${formatBytes(bytesDone)}${left}`;
  // The total is estimated when a base backup begins and the data may grow: never more than all of
  // it.
  const percent = Math.min(100, Math.floor((bytesDone / bytesTotal) * 100));
  return `${step} ${formatBytes(bytesDone)} of ${formatBytes(bytesTotal)} (${percent} %)${left}`;
}
