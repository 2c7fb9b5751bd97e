// A moment as people type it: RFC 3339 with its offset, or HH:MM, which is the next such time on
// this machine's own clock.
import { UnderstudyError } from "../core/errors.ts";

const RFC_3339 = /^\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d(:\d\d(\.\d{1,9})?)?([Zz]|[+-]\d\d:\d\d)$/;
const LATEST_DAYS = 366;

/** @throws UnderstudyError USAGE: no such moment, one that has passed, or one too far away. */
export function parseScheduleTime(text: string, now: Date): Date {
  const moment = nextClockTime(text, now) ?? rfc3339(text);
  if (moment === null)
    throw new UnderstudyError(
      "USAGE",
      `${JSON.stringify(text)} is no time: write HH:MM on this machine's clock, or one such as 2026-11-23T03:00:00Z`,
    );
  if (moment <= now)
    throw new UnderstudyError("USAGE", `${text} has passed: it is ${now.toISOString()} now`);
  if (moment.getTime() - now.getTime() > LATEST_DAYS * 86_400_000)
    throw new UnderstudyError("USAGE", `${text} is more than ${LATEST_DAYS} days away`);
  return moment;
}

function nextClockTime(text: string, now: Date): Date | null {
  const match = /^([01]?\d|2[0-3]):([0-5]\d)$/.exec(text);
  if (match === null) return null;
  const moment = new Date(now);
  moment.setHours(Number(match[1]), Number(match[2]), 0, 0);
  if (moment <= now) moment.setDate(moment.getDate() + 1);
  return moment;
}

function rfc3339(text: string): Date | null {
  if (!RFC_3339.test(text)) return null;
  const moment = new Date(text.replace(" ", "T"));
  return Number.isNaN(moment.getTime()) ? null : moment;
}
