// understudy kubernetes install: applies what operatorObjects says, one object after the other.
import { UnderstudyError } from "../../core/errors.ts";
import { KubernetesApi } from "../../kubernetes-api/api.ts";
import { kindOfObject, POSTGRES_CLUSTER } from "../../kubernetes-api/kinds.ts";
import { describePlace, type KubernetesObject } from "../../kubernetes-api/resource.ts";
import { operatorObjects } from "../../kubernetes/objects/operator-objects.ts";
import type { InstallOptions } from "../commands/kubernetes.ts";
import type { Session } from "../session.ts";
import { toDocuments } from "./documents.ts";
import { readKubeconfig } from "./kubeconfig.ts";

type Wanted = Pick<InstallOptions, "image" | "operatorNamespace" | "olderKubernetes">;

export function operatorDocuments(options: Wanted): string {
  return toDocuments(objectsOf(options, { hasRules: options.olderKubernetes !== true }));
}

/** @throws UnderstudyError KUBECONFIG_*, KUBERNETES_*; what was applied by then stays. */
export async function installOperator(session: Session, options: InstallOptions): Promise<void> {
  const { env, signal } = session.context;
  const { access, context } = await readKubeconfig({ env, context: session.options.context });
  using api = new KubernetesApi({ access });
  const hasRules = options.olderKubernetes !== true && (await takesRules(api, { options, signal }));
  const told: string[] = [];
  for (const object of objectsOf(options, { hasRules })) {
    await applyOne(api, { object, signal });
    const place = describePlace(kindOfObject(object), object.metadata);
    told.push(place);
    session.step(`${place} is as it is to be`);
  }
  const summary = `Understudy's operator is installed in ${options.operatorNamespace} (${context})`;
  await session.answer({
    document: { summary, context, objects: told, kind: POSTGRES_CLUSTER.kind },
    table: () => summary,
    names: () => told,
  });
}

function objectsOf(options: Wanted, { hasRules }: { hasRules: boolean }) {
  const { image, operatorNamespace: namespace } = options;
  return operatorObjects({ image, namespace, hasRules });
}

function isDefinition({ kind }: KubernetesObject): boolean {
  return kind === "CustomResourceDefinition";
}

/** Kubernetes before 1.25 refuses a definition with rules, or ignores them. */
async function takesRules(
  api: KubernetesApi,
  { options, signal }: { options: Wanted; signal: AbortSignal },
): Promise<boolean> {
  const definition = objectsOf(options, { hasRules: true }).find(isDefinition);
  if (definition === undefined) return true;
  try {
    await applyOne(api, { object: definition, signal });
    return true;
  } catch (thrown) {
    // Without them it is tried again, and what is refused then is told.
    if (thrown instanceof UnderstudyError && refusesFields(thrown)) return false;
    throw thrown;
  }
}

/** 1.20 answers 500 to a definition that is applied with fields that it does not know. */
function refusesFields({ code, details }: UnderstudyError): boolean {
  return code === "KUBERNETES_REFUSED" || details["status"] === 500;
}

async function applyOne(
  api: KubernetesApi,
  { object, signal }: { object: KubernetesObject; signal: AbortSignal },
): Promise<void> {
  const kind = kindOfObject(object);
  const applied = await api.apply(kind, object, { force: true, signal });
  if (applied.kind === "other")
    throw new UnderstudyError(
      "KUBERNETES_REFUSED",
      `cannot apply ${describePlace(kind, object.metadata)}: ${applied.why}`,
    );
}
