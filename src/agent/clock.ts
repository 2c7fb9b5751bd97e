// Time as an agent has it. Whoever waits for time takes a Clock, so that the simulation runs the
// same code in a time of its own.

export interface Clock {
  /** Milliseconds since some moment; never set back, and only differences mean anything. */
  nowMs(): number;
  /** RFC 3339, UTC: for people only. It may jump, so nothing is decided by it. */
  wallClock(): string;
  /** Calls back once, after `ms`, unless it is disposed of before. */
  setTimer(ms: number, callback: () => void): Disposable;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  wallClock: () => new Date().toISOString(),
  setTimer: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
