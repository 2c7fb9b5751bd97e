// Checks a user's parameters before they are written anywhere: their names, whether they may be
// set, and their values as the server itself judges them.
import { UnderstudyError } from "../../core/errors.ts";
import type { Installation } from "../installation.ts";
import { type Complaint, ServerQuestion } from "./ask-server.ts";
import type { SettingsContext } from "./context.ts";
import {
  type ParameterCatalog,
  type ParameterDescription,
  describeParameters,
  describeRange,
} from "./describe-parameters.ts";
import { checkExtensionParameter } from "./extension-parameter.ts";
import { checkManaged, checkName, findManaged } from "./managed.ts";
import { nearestName } from "./nearest-name.ts";
import { parameterWarnings } from "./parameter-warnings.ts";
import { renderPostgresqlConf, renderSettings } from "./render.ts";

export interface CheckParametersOptions {
  readonly installation: Installation;
  readonly parameters: Readonly<Record<string, string>>;
  /** What is preloaded: only its extensions' parameters can be set. */
  readonly preload: readonly string[];
  readonly memberCount: number;
  /** A running server's pg_settings: knows extensions' parameters, and units for messages. */
  readonly running?: ParameterCatalog;
  readonly signal?: AbortSignal;
}

export interface CheckedParameters {
  /** With names as the server spells them. */
  readonly parameters: Readonly<Record<string, string>>;
  /** Names whose change waits for a restart of each member. */
  readonly needRestart: readonly string[];
  /** One sentence each. */
  readonly warnings: readonly string[];
}

/**
 * @throws UnderstudyError PARAMETER_UNKNOWN with the nearest name, PARAMETER_MANAGED with the
 * reason, PARAMETER_INVALID with type, range and unit; POSTGRES_UNUSABLE when the binaries do not
 * answer.
 */
export async function checkParameters(options: CheckParametersOptions): Promise<CheckedParameters> {
  if (Object.keys(options.parameters).length === 0 && options.preload.length === 0)
    return { parameters: {}, needRestart: [], warnings: [] };
  const described = await describeParameters(options.installation, options);
  const catalog: ParameterCatalog = new Map([...described, ...(options.running ?? [])]);
  const checked = new Map<string, string>();
  await using server = await ServerQuestion.open(options.installation, options);
  for (const [given, value] of Object.entries(options.parameters)) {
    checkName(given);
    checkManaged(given, value);
    const description = catalog.get(given.toLowerCase());
    const name = description?.name ?? given;
    if (checked.has(name))
      throw new UnderstudyError("PARAMETER_INVALID", `${name} is given twice`, {
        details: { name },
        hint: "Give each parameter once; capitals make no difference.",
      });
    if (name.includes("."))
      checkExtensionParameter({ name, value, preload: options.preload, description });
    // Renders before it asks: what cannot be written as a setting never reaches a file.
    const complaint = await server.complaintAbout(renderSettings(new Map([[name, value]])));
    if (complaint !== null)
      throw await complaintError({ name, value, complaint, description, catalog, server, options });
    checked.set(name, value);
  }
  const parameters = Object.fromEntries(checked);
  await checkTogether(options, { parameters, server });
  return {
    parameters,
    needRestart: Object.keys(parameters).filter(
      (name) => catalog.get(name.toLowerCase())?.context === "postmaster",
    ),
    warnings: parameterWarnings(parameters),
  };
}

/**
 * The whole file as members will have it: finds what is wrong only in company, and any mistake in
 * our own table.
 */
async function checkTogether(
  options: CheckParametersOptions,
  checked: { parameters: Readonly<Record<string, string>>; server: ServerQuestion },
): Promise<void> {
  const sample: SettingsContext = {
    major: options.installation.major,
    platform: process.platform,
    member: { name: "sample-1", host: "127.0.0.1", port: 6431 },
    memberCount: options.memberCount,
    dataDir: "/sample/data",
    settingsDir: "/sample",
    logDir: "/sample/log",
    spoolDir: "/sample/spool",
    diskBytes: 1024 ** 4,
    preload: options.preload,
    upstream: { name: "demo-1", host: "127.0.0.1", port: 6432 },
    replicationUser: "sample",
    controlMinimums: null,
  };
  const text = renderPostgresqlConf(sample, checked.parameters)
    .split("\n")
    // The one setting that would lead away from the scratch directory.
    .filter((line) => !line.startsWith("data_directory ="))
    .join("\n");
  const complaint = await checked.server.complaintAbout(text);
  if (complaint === null) return;
  throw new UnderstudyError(
    "PARAMETER_INVALID",
    `PostgreSQL ${options.installation.version} does not accept the settings together: ${sentence(complaint)}`,
    { details: { ...complaint } },
  );
}

interface Refused {
  readonly name: string;
  readonly value: string;
  readonly complaint: Complaint;
  readonly description: ParameterDescription | undefined;
  readonly catalog: ParameterCatalog;
  readonly server: ServerQuestion;
  readonly options: CheckParametersOptions;
}

async function complaintError(refused: Refused): Promise<UnderstudyError> {
  const { name, value, complaint, options } = refused;
  if (/unrecognized configuration parameter/.test(complaint.message)) return unknownError(refused);
  const description = await withUnit(refused);
  const takes = description === undefined ? "" : `; it takes ${describeRange(description)}`;
  return new UnderstudyError(
    "PARAMETER_INVALID",
    `cannot set ${name} to ${JSON.stringify(value)} in PostgreSQL ${options.installation.major}: ${sentence(complaint)}${takes}`,
    {
      details: {
        name,
        given: value,
        type: description?.type ?? null,
        min: description?.min ?? null,
        max: description?.max ?? null,
        unit: description?.unit ?? null,
        values: description?.values ?? null,
        context: description?.context ?? null,
      },
      hint: complaint.hint ?? whereToRead(options, name),
    },
  );
}

function unknownError(refused: Refused): UnderstudyError {
  const { name, options, catalog } = refused;
  const settable = [...catalog.values()]
    .map((description) => description.name)
    .filter((known) => findManaged(known)?.user !== "refused");
  const nearest = nearestName(name, settable);
  return new UnderstudyError(
    "PARAMETER_UNKNOWN",
    `PostgreSQL ${options.installation.major} has no parameter "${name}"${nearest === null ? "" : `; did you mean ${nearest}?`}`,
    { details: { name, nearest }, hint: whereToRead(options, "--all") },
  );
}

/** Where no server runs yet none can be asked. */
function whereToRead({ installation, running }: Refused["options"], name: string): string {
  return running === undefined
    ? `See the manual: https://www.postgresql.org/docs/${installation.major}/runtime-config.html`
    : `See names, types and ranges: understudy param show ${name}`;
}

/**
 * The binaries' list has no units and no enum's words, but their complaints do: 12 and newer name
 * the unit of a number that is out of range.
 */
async function withUnit(refused: Refused): Promise<ParameterDescription | undefined> {
  const { description, complaint, server, name } = refused;
  if (description === undefined) return undefined;
  const words = /^Available values: (.*)\.$/.exec(complaint.hint ?? "")?.[1];
  if (words !== undefined) return { ...description, values: words.split(", ") };
  const numeric = description.type === "integer" || description.type === "real";
  if (!numeric || description.unit !== null || description.min === null) return description;
  const below = `${Number(description.min) - 1}`;
  const answer = await server.complaintAbout(renderSettings(new Map([[name, below]])));
  const unit = /^\S+ (\S+) is outside the valid range/.exec(answer?.message ?? "")?.[1];
  return unit === undefined ? description : { ...description, unit };
}

function sentence(complaint: Complaint): string {
  return complaint.detail === null
    ? complaint.message
    : `${complaint.message} (${complaint.detail.replace(/\.$/, "")})`;
}
