import { MemoryStore } from "../../src/store/memory-store.ts";
import { conformance } from "./conformance.ts";

conformance("memory", async () => {
  const store = new MemoryStore();
  return { open: () => store, [Symbol.asyncDispose]: () => store[Symbol.asyncDispose]() };
});
