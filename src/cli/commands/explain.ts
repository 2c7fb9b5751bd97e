// understudy explain: the rules by which agents decide, in words. Needs no cluster.
import { type Command } from "commander";
import { UnderstudyError } from "../../core/errors.ts";
import {
  explainAll,
  GROUND_MEANINGS,
  PART_MEANINGS,
  type RuleExplanation,
} from "../../core/protocol/explain.ts";
import { nearestName } from "../../postgres/settings/nearest-name.ts";
import { examples, onRun, type Call } from "../command.ts";
import { paint, type Look } from "../output/look.ts";
import { wrap } from "../output/text.ts";
import type { CliContext, Session } from "../session.ts";

export function register(program: Command, context: CliContext): void {
  const command = program
    .command("explain")
    .summary("what a rule means that events name")
    .description("Without a rule: all of them. The whole protocol is in docs/protocol.md.")
    .argument("[rule]", "as in events, such as leader-is-gone")
    .action(onRun(context, explain));
  examples(command, ["understudy explain", "understudy explain leader-is-gone"]);
}

async function explain(session: Session, call: Call<object>): Promise<void> {
  const [wanted] = call.args;
  const all = explainAll();
  const name = wanted?.toLowerCase();
  const found = name === undefined ? all : all.filter(({ rule }) => rule === name);
  if (found.length === 0) throw unknownRule(wanted ?? "", all);
  const describe = wanted === undefined ? summary : whole;
  await session.answer({
    document: wanted === undefined ? all : found[0],
    table: (look) => found.map((each) => describe(each, look)).join("\n"),
    names: () => found.map(({ rule }) => rule),
  });
}

function unknownRule(wanted: string, all: readonly RuleExplanation[]): UnderstudyError {
  const nearest = nearestName(
    wanted,
    all.map(({ rule }) => rule),
  );
  const meant = nearest === null ? "" : `Did you mean ${nearest}? `;
  return new UnderstudyError("USAGE", `there is no rule ${JSON.stringify(wanted)}`, {
    hint: `${meant}List them: understudy explain`,
  });
}

function summary({ rule, sentence }: RuleExplanation, look: Look): string {
  return `${paint(look, "strong", rule)}\n${wrap(`  ${sentence}`, { width: look.width, indent: "  " })}`;
}

function whole({ rule, effect, sentence, cells, beside }: RuleExplanation, look: Look): string {
  const paragraphs = [
    sentence,
    ...(beside === null ? [] : [beside]),
    ...cells.map(
      ({ part, ground }) =>
        `- ${part}, ${ground}: ${PART_MEANINGS[part]}; ${GROUND_MEANINGS[ground]}.`,
    ),
  ].map((text) => wrap(text, { width: look.width, indent: "  " }));
  return [`${paint(look, "strong", rule)} (${effect ?? "by a person's word"})`, ...paragraphs].join(
    "\n",
  );
}
