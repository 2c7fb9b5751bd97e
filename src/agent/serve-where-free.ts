// Serves an agent's API on the first port that is free.
import { UnderstudyError } from "../core/errors.ts";
import { serveApi, type ServedApi } from "./api.ts";

const PORT_TRIES = 50;

/**
 * Another program may have taken the port since the agent last had it; the next ones will do, as
 * the record says which.
 */
export async function serveWhereFree(
  options: Parameters<typeof serveApi>[0],
): Promise<ServedApi & { readonly port: number }> {
  for (let port = options.port; ; port += 1)
    try {
      const served = await serveApi({ ...options, port });
      const { renew } = served;
      return { port, renew, [Symbol.asyncDispose]: () => served[Symbol.asyncDispose]() };
    } catch (thrown) {
      const taken = thrown instanceof UnderstudyError && thrown.code === "PORT_TAKEN";
      if (!taken || port >= options.port + PORT_TRIES) throw thrown;
    }
}
