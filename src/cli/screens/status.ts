// `understudy status`: one page of truth. A sentence that says how the cluster is, its facts, its
// members, what is wrong with the remedy, and where to connect. Pure: data and a look in, text out.
import type { ClusterMember, ClusterStatus } from "../../core/cluster-status.ts";
import { describeQuorum } from "../../core/protocol/quorum.ts";
import { dot, mark, paint, type Look, type Mark, type Tone } from "../output/look.ts";
import { renderTable, type Column } from "../output/table.ts";
import { wrap } from "../output/text.ts";
import { counted, formatBytes, formatSeconds, listed } from "../output/units.ts";
import { renderFooter } from "./footer.ts";
import { describeProgress } from "./progress.ts";

export interface StatusView {
  readonly look: Look;
  /** Every column, whatever the width. */
  readonly wide: boolean;
  /** "understudy", or "npx understudy" where it was called so. */
  readonly program: string;
  /** Some commands are not for it. */
  readonly isOnKubernetes?: boolean;
}

export function renderStatus(status: ClusterStatus, view: StatusView): string {
  const { look } = view;
  const table = { columns: columnsOf(status, view), rows: status.members };
  const sections = [
    [renderHeadline(status, look), factsLine(status, look)].join("\n"),
    renderTable(table, view.wide ? { ...look, width: null } : look),
    [...status.members.flatMap((member) => remarksOf(member, look)), ...warningLines(status, look)]
      .map((line) => wrap(line, { width: look.width, indent: "    " }))
      .join("\n"),
    renderFooter(
      { endpoints: status.endpoints, program: view.program, next: nextOf(status, view) },
      look,
    ),
  ];
  return sections.filter((section) => section !== "").join("\n\n");
}

/** "● demo is healthy: demo-1 is the primary, 2 standbys stream". */
export function renderHeadline(status: ClusterStatus, look: Look): string {
  const { symbol, tone } = SIGNS[status.state];
  return `${paint(look, tone, mark(look, symbol))} ${paint(look, "strong", headlineOf(status))}`;
}

const SIGNS: Readonly<Record<ClusterStatus["state"], { symbol: Mark; tone: Tone }>> = {
  healthy: { symbol: "check", tone: "good" },
  paused: { symbol: "half", tone: "warn" },
  degraded: { symbol: "half", tone: "warn" },
  "no-primary": { symbol: "cross", tone: "bad" },
};

const MEMBER_SIGNS: Readonly<Record<ClusterMember["state"], { symbol: Mark; tone: Tone }>> = {
  running: { symbol: "full", tone: "good" },
  streaming: { symbol: "full", tone: "good" },
  "catching-up": { symbol: "half", tone: "warn" },
  starting: { symbol: "half", tone: "warn" },
  cloning: { symbol: "half", tone: "warn" },
  rewinding: { symbol: "half", tone: "warn" },
  stopped: { symbol: "empty", tone: "warn" },
  fenced: { symbol: "empty", tone: "warn" },
  failed: { symbol: "cross", tone: "bad" },
  unreachable: { symbol: "cross", tone: "bad" },
};

function headlineOf(status: ClusterStatus): string {
  const { cluster, primary, members } = status;
  if (members.every((member) => member.state === "unreachable"))
    return `${cluster} is not running: none of its agents answers`;
  if (primary === null) return withoutPrimary(status);
  const standbys = standbysPhrase(members.filter((member) => member.name !== primary));
  const state = status.state === "paused" ? "paused, nothing fails over by itself" : status.state;
  return `${cluster} is ${state}: ${primary} is the primary, ${standbys}`;
}

function withoutPrimary(status: ClusterStatus): string {
  const { cluster, members } = status;
  const claimants = members.filter((member) => member.role === "primary").map(({ name }) => name);
  if (status.state === "degraded")
    return `${cluster} is degraded: ${listed(claimants)} all say that they are the primary`;
  const readers = members.filter(
    (member) => member.role === "standby" && ["streaming", "catching-up"].includes(member.state),
  );
  const reads =
    readers.length === 0
      ? ""
      : `, ${counted(readers.length, "standby")} still ${readers.length === 1 ? "answers" : "answer"} reads`;
  return `${cluster} has no primary: writes fail${reads}`;
}

function standbysPhrase(standbys: readonly ClusterMember[]): string {
  if (standbys.length === 0) return "and it has no standby";
  const streaming = standbys.filter((member) => member.state === "streaming").length;
  if (streaming < standbys.length)
    return `${streaming} of ${counted(standbys.length, "standby")} ${streaming === 1 ? "streams" : "stream"}`;
  return `${counted(streaming, "standby")} ${streaming === 1 ? "streams" : "stream"}`;
}

function factsLine(status: ClusterStatus, look: Look): string {
  const facts = [
    status.postgresVersion === null ? null : `PostgreSQL ${status.postgresVersion}`,
    `term ${status.term}`,
    status.timeline === null ? null : `timeline ${status.timeline}`,
    status.systemId === null ? null : `system ${status.systemId}`,
    status.sync.guarantee === null ? null : `commits on ${describeQuorum(status.sync.guarantee)}`,
  ];
  const text = facts.filter((fact) => fact !== null).join(` ${dot(look)} `);
  return `  ${paint(look, "dim", text)}`;
}

function columnsOf(status: ClusterStatus, view: StatusView): readonly Column<ClusterMember>[] {
  const columns: Column<ClusterMember>[] = [
    { header: "MEMBER", text: (member) => member.name, tone: () => "strong" },
    { header: "ROLE", text: (member) => member.role },
    {
      header: "STATE",
      text: (member) => `${mark(view.look, signOf(member).symbol)} ${member.state}`,
      tone: (member) => signOf(member).tone,
    },
    { header: "HOST:PORT", text: (member) => `${member.host}:${member.port}` },
    { header: "TIMELINE", text: (member) => orDash(member.timeline), align: "right", drop: 4 },
    {
      header: "RECV LAG",
      text: (member) => unlessPrimary(member, formatBytes(member.receiveLagBytes)),
      align: "right",
    },
    {
      header: "REPLAY LAG",
      text: (member) => unlessPrimary(member, formatBytes(member.replayLagBytes)),
      align: "right",
    },
    {
      header: "REPLAY DELAY",
      text: (member) => unlessPrimary(member, formatSeconds(member.replayLagSeconds)),
      align: "right",
      drop: 5,
    },
    { header: "SYNC", text: (member) => orDash(member.sync), drop: 3 },
    // Only where it says something: nearly everywhere all stream from the primary.
    ...(isCascaded(status)
      ? [{ header: "FROM", text: (member: ClusterMember) => orDash(member.upstream) }]
      : []),
  ];
  return view.wide ? [...columns, ...wideColumns()] : columns;
}

function isCascaded({ members, primary }: ClusterStatus): boolean {
  return members.some(({ upstream }) => upstream !== null && upstream !== primary);
}

function wideColumns(): readonly Column<ClusterMember>[] {
  return [
    { header: "WRITE LSN", text: (member) => orDash(member.writeLsn) },
    { header: "FLUSH LSN", text: (member) => orDash(member.flushLsn) },
    { header: "REPLAY LSN", text: (member) => orDash(member.replayLsn) },
    { header: "SLOT", text: (member) => orDash(member.slot) },
    { header: "PID", text: (member) => orDash(member.pid), align: "right" },
  ];
}

function remarksOf(member: ClusterMember, look: Look): string[] {
  const { symbol, tone } = signOf(member);
  const lines: string[] = [];
  const { progress } = member;
  // "is cloning: cloning 1 GiB" says one thing twice.
  const doing = progress?.step === member.state ? "" : `${member.state}: `;
  const parts = [progress === null ? null : describeProgress(progress), member.reason];
  const story = parts.filter((part) => part !== null).join("; ");
  if (story !== "")
    lines.push(`${paint(look, tone, mark(look, symbol))} ${member.name} is ${doing}${story}`);
  const set = Object.entries(member.settings).map(([key, text]) => `${key} ${text}`);
  if (set.length > 0)
    lines.push(`${paint(look, "dim", dot(look))} ${member.name} is set to ${set.join(", ")}`);
  for (const warning of member.warnings)
    lines.push(`${paint(look, "warn", "!")} ${member.name}: ${warning}`);
  return lines;
}

function warningLines(status: ClusterStatus, look: Look): string[] {
  return status.warnings.map((warning) => {
    const tone = warning.startsWith("SPLIT BRAIN") ? "bad" : "warn";
    return `${paint(look, tone, "!")} ${warning}`;
  });
}

function nextOf(status: ClusterStatus, { isOnKubernetes = false }: StatusView): readonly string[] {
  const well = status.state === "healthy" || status.state === "paused";
  if (isOnKubernetes) return well ? ["status --watch", "switchover", "events"] : ["events"];
  if (well) return ["status --watch", "psql", "switchover", "down"];
  // What is gone comes back by itself only where its agent lives.
  if (status.members.some(({ state }) => state === "unreachable"))
    return ["up", ...(status.primary === null ? ["failover --dry-run"] : []), "events", "logs"];
  return ["events", "logs", "doctor"];
}

function signOf(member: ClusterMember): { symbol: Mark; tone: Tone } {
  return MEMBER_SIGNS[member.state];
}

/**
 * Nothing can lag behind itself; of a member whose part is not known the lag is not known either.
 */
function unlessPrimary(member: ClusterMember, text: string): string {
  return member.role === "primary" ? "-" : text;
}

function orDash(value: string | number | null): string {
  return value === null ? "-" : String(value);
}
