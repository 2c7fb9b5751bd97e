// Deliberate defects of a primary that lets nobody in for want of room.
import type { Defect } from "./defect.ts";
import { refusalOf } from "./model/shut-out.ts";

export const SHUT_OUT_DEFECTS: readonly Defect[] = [
  {
    name: "a primary that lets nobody in leads on",
    theme: "shutouts",
    steps: { isShutOut: async () => false },
  },
  {
    name: "a primary that lets nobody in is ended though nobody can take its part",
    theme: "shutouts",
    steps: { isAnyAble: async () => true },
  },
  {
    name: "a primary that lets nobody in is ended whether the store answers or not",
    theme: "shutouts",
    steps: { mayGiveUp: async () => true },
  },
  {
    name: "a primary that has too many clients counts as one that lets nobody in",
    theme: "shutouts",
    steps: {
      refusalOf: (server) => {
        const code = refusalOf(server);
        return code === "53300" ? "53100" : code;
      },
    },
  },
];
