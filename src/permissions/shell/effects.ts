/** What commands of medium risk change that a person wants to know of before they agree. */
import { UNKNOWN } from "./braces.ts";
import type { CommandLine } from "./command-line.ts";
import { firstOperand, words } from "./options.ts";

/** `verb`: how its operands begin. `flag`: a word that it has to have besides. */
type Effect = { program: RegExp; verb: RegExp; flag?: string; effect: string };

const EFFECTS: readonly Effect[] = [
  { program: /^git$/, verb: /^push /, effect: "pushes to a remote" },
  {
    program: /^git$/,
    verb: /^reset /,
    flag: "--hard",
    effect: "drops changes that are not committed",
  },
  { program: /^(?:npm|pnpm|yarn|bun|cargo)$/, verb: /^publish /, effect: "publishes a package" },
  { program: /^pipx?[\d.]*$/, verb: /^install /, effect: "installs packages" },
  { program: /^(?:python[\d.]*|uv)$/, verb: /^pip install /, effect: "installs packages" },
  {
    program: /^(?:docker|podman|nerdctl)$/,
    verb: /^(?:(?:buildx|image|compose) )?build /,
    effect: "builds an image and runs the commands in its file",
  },
  { program: /^(?:kubectl|oc)$/, verb: /^apply /, effect: "changes a cluster" },
];

/** Take the next word, and stand before the verb. */
const TAKING = words(
  "-C -c --git-dir --work-tree -n --namespace --context --kubeconfig -H --host -w --workspace --prefix",
);

/** `null`: nothing that is known here. */
export function effectOf({ program, words: line }: CommandLine): string | null {
  const operands = line
    .slice(firstOperand(line, 1, TAKING))
    .map(({ literal }) => literal ?? UNKNOWN);
  const text = `${operands.slice(0, VERB_WORDS).join(" ")} `;
  const known = EFFECTS.find(
    ({ program: ofProgram, verb, flag }) =>
      ofProgram.test(program) && verb.test(text) && (flag === undefined || operands.includes(flag)),
  );
  return known?.effect ?? null;
}

const VERB_WORDS = 3;
