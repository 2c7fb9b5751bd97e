// Time as an agent has it. Whoever waits for time takes a Clock, so that the simulation runs the
// same code in a time of its own.

export interface Clock {
  /** Milliseconds since some moment; never set back, and only differences mean anything. */
  nowMs(): number;
  /** Calls back once, after `ms`, unless it is disposed of before. */
  setTimer(ms: number, callback: () => void): Disposable;
}

export const systemClock: Clock = {
  nowMs: () => performance.now(),
  setTimer: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  },
};
