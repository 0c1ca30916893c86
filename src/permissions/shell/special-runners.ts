/** Programs that have the commands that they run in a place of their own. */
import { UNKNOWN } from "./braces.ts";
import type { Inner } from "./inner.ts";
import { firstOperand, optionValue, programName, words } from "./options.ts";
import { isShell } from "./shells.ts";
import { literalWord, unknownWord, type Word } from "./words.ts";

const lineInner = (line: readonly Word[]): Inner => ({ kind: "line", words: line });
const textInner = (line: readonly Word[]): Inner => ({ kind: "text", text: joined(line) });

/** The words as one text; `null`: not all of it is known. */
function joined(line: readonly Word[]): string | null {
  const literals = line.map(({ literal }) => literal);
  return literals.includes(null) ? null : literals.join(" ");
}

/** With a name where it is put in: it is another word each time. */
const repeated = (line: readonly Word[], mark: string): Inner => ({
  kind: "line",
  repeated: true,
  words: line.map((word) => {
    const [visible = ""] = word.visible;
    return mark !== "" && visible.includes(mark)
      ? unknownWord(visible.replaceAll(mark, UNKNOWN))
      : word;
  }),
});

/** By program. */
export const SPECIAL_RUNNERS: Record<string, (line: readonly Word[]) => Inner[]> = {
  find: (line) => foundBy(line, /^-(?:exec|ok)(?:dir)?$/),
  fd: (line) => foundBy(line, /^(?:-x|-X|--exec|--exec-batch)$/),
  fdfind: (line) => foundBy(line, /^(?:-x|-X|--exec|--exec-batch)$/),
  xargs: runByXargs,
  gxargs: runByXargs,
  parallel: runByParallel,
  eval: (line) => (line.length > 1 ? [textInner(line.slice(1))] : []),
  watch: (line) => [
    textInner(line.slice(firstOperand(line, 1, words("-n --interval -q --equexit")))),
  ],
  trap: (line) => (/^-[lp]?$/.test(line[1]?.literal ?? "-") ? [] : [textInner(line.slice(1, 2))]),
  alias: (line) =>
    line.slice(1).flatMap(({ literal }): Inner[] => {
      if (literal === null) return [{ kind: "text", text: null }];
      return literal.includes("=") ? [{ kind: "text", text: literal.replace(/^[^=]*=/, "") }] : [];
    }),
  ssh: (line) => {
    const takes = words("-b -c -D -E -e -F -I -i -J -L -l -m -O -o -p -Q -R -S -W -w -B");
    const host = firstOperand(line, 1, takes);
    const command = firstOperand(line, host + 1, takes);
    return command < line.length ? [textInner(line.slice(command))] : [];
  },
  flock: (line) => {
    const rest = line.slice(
      firstOperand(line, 1, words("-w -E --timeout --conflict-exit-code")) + 1,
    );
    return /^(?:-c|--command)$/.test(rest[0]?.literal ?? "") ? [] : [lineInner(rest)];
  },
  docker: runInContainer,
  podman: runInContainer,
  nerdctl: runInContainer,
  "docker-compose": runInContainer,
  kubectl: (line) => afterDashes(line, /^exec$/),
  oc: (line) => afterDashes(line, /^exec$/),
  mise: (line) => afterDashes(line, /^(?:x|exec)$/),
  rtx: (line) => afterDashes(line, /^(?:x|exec)$/),
  gdb: (line) => {
    const at = line.findIndex(({ literal }) => /^--?args$/.test(literal ?? ""));
    return at === -1 ? [] : [lineInner(line.slice(firstOperand(line, at + 1)))];
  },
  tmux: runByTmux,
  sg: (line) => {
    const group = firstOperand(line, 1);
    return line[group + 1]?.literal === "-c" ? [] : [textInner(line.slice(group + 1))];
  },
  // Its shell is given the rest.
  capsh: (line) => {
    const at = line.findIndex(({ literal }) => literal === "--" || literal === "==");
    return at === -1 ? [] : [lineInner([literalWord("bash"), ...line.slice(at + 1)])];
  },
  "start-stop-daemon": (line) => {
    const program = optionValue(line, words("-a --startas -x --exec"));
    const at = line.findIndex(({ literal }) => literal === "--");
    return program ? [lineInner([program, ...(at === -1 ? [] : line.slice(at + 1))])] : [];
  },
  nix: (line) => {
    const at = line.findIndex(({ literal }) => literal === "-c" || literal === "--command");
    return at === -1 ? [] : [lineInner(line.slice(at + 1))];
  },
  hyperfine: (line) =>
    line
      .slice(1)
      .filter(isNoOption)
      .map((word) => textInner([word])),
  concurrently: (line) =>
    line
      .slice(1)
      .filter(isNoOption)
      .map((word) => textInner([word])),
  entr: (line) => [repeated(line.slice(firstOperand(line, 1)), "/_")],
  direnv: (line) => (line[1]?.literal === "exec" ? [lineInner(line.slice(3))] : []),
  git: runByGit,
  less: (line) => textsAfter(line, /^\+{1,2}[^!]{0,40}!/),
  make: (line) => textsAfter(line, /^SHELL=/),
  gmake: (line) => textsAfter(line, /^SHELL=/),
  node: preloadedBy,
  nodejs: preloadedBy,
  bun: preloadedBy,
  tsx: preloadedBy,
  tar: (line) => textsAfter(line, /^--checkpoint-action=exec=|^-I(?!$)/),
  man: (line) => textsAfter(line, /^-P(?!$)/),
};

const isNoOption = ({ visible }: Word): boolean => !/^-/.test(visible[0] ?? "");

/** What follows this beginning of a word. */
const textsAfter = (line: readonly Word[], beginning: RegExp): Inner[] =>
  line.flatMap(({ visible: [word = ""], literal }): Inner[] => {
    const found = beginning.exec(word);
    return found ? [{ kind: "text", text: literal?.slice(found[0].length) ?? null }] : [];
  });

/** Modules that run before the script does. */
function preloadedBy(line: readonly Word[]): Inner[] {
  const [program] = line;
  const options = line.slice(1, firstOperand(line, 1, PRELOADS) + 1);
  return options.flatMap((_, index) => {
    const option = options.slice(index, index + 2);
    const isOption = PRELOADS.has((option[0]?.visible[0] ?? "").split("=", 1)[0] ?? "");
    const module = isOption ? optionValue(option, PRELOADS) : null;
    return program && module ? [lineInner([program, module])] : [];
  });
}

const PRELOADS = words("-r --require --import --loader --experimental-loader --preload");

/** Every command between such an option and `;` or `+`. */
function foundBy(line: readonly Word[], option: RegExp): Inner[] {
  const found: Inner[] = [];
  for (const [index, { literal }] of line.entries()) {
    if (!option.test(literal ?? "")) continue;
    const rest = line.slice(index + 1);
    const end = rest.findIndex((word) => word.literal === ";" || word.literal === "+");
    found.push(repeated(end === -1 ? rest : rest.slice(0, end), "{}"));
  }
  return found;
}

function runByXargs(line: readonly Word[]): Inner[] {
  const takes = words(
    "-a -d -E -I -L -n -P -s -J -R -S --arg-file --delimiter --max-args --max-procs --max-lines --max-chars --replace",
  );
  const from = firstOperand(line, 1, takes);
  const options = line.slice(1, from).map(({ literal }) => literal ?? "");
  const at = options.findIndex(
    (option) => /^-[IJi]/.test(option) || option.startsWith("--replace"),
  );
  const attached = (options[at] ?? "").replace(/^(?:-[IJi]|--replace=?)/, "");
  const mark =
    at === -1 ? "" : attached || (/^-[IJ]$/.test(options[at] ?? "") ? options[at + 1] : "");
  const program = line.slice(from);
  // What it reads becomes the names of scripts.
  const runsInput = program.length === 1 && isShell(programName(program[0]?.literal ?? ""));
  if (runsInput) return [{ kind: "text", text: null }];
  return [repeated(program, mark || (at === -1 ? "" : "{}"))];
}

function runByParallel(line: readonly Word[]): Inner[] {
  const takes = words(
    "-j --jobs -a --arg-file -C --colsep -d --delimiter -I -n -N -S --sshlogin --joblog --tmpdir",
  );
  const from = firstOperand(line, 1, takes);
  const rest = line.slice(from);
  const end = rest.findIndex(({ literal }) => /^:::/.test(literal ?? ""));
  const template = end === -1 ? rest : rest.slice(0, end);
  // Without a command it runs what it is given.
  if (template.length === 0) return [{ kind: "text", text: null }];
  const isText = template.length === 1 && /\s/.test(template[0]?.visible[0] ?? "");
  if (!isText) return [repeated(template, "{}")];
  const text = template[0]?.literal ?? null;
  return [{ kind: "text", text: text?.replaceAll(/\{[^{}]{0,9}\}/g, "file") ?? null }];
}

const CONTAINER_OPTIONS = words(
  "-u --user -w --workdir -e --env --env-file -v --volume --mount --name -p --publish -f --file --network --net --entrypoint --platform -m --memory --cpus -l --label --add-host --gpus --ipc -h --hostname --pull --detach-keys --index --project-name --profile --context -c --cap-add --device --pid --security-opt --tmpfs --shm-size --ulimit --restart",
);

/** `docker exec [options] container command`, and so for images and services. */
function runInContainer(line: readonly Word[]): Inner[] {
  const verb = line.findIndex(({ literal }) => literal === "exec" || literal === "run");
  if (verb === -1) return [];
  const entry = optionValue(line.slice(verb), words("--entrypoint"));
  const rest = line.slice(firstOperand(line, verb + 1, CONTAINER_OPTIONS) + 1);
  const program = rest[0]?.literal ?? "";
  // What follows an image may be arguments only.
  if (line[verb]?.literal === "run" && program.startsWith("-") && !entry) return [];
  return [lineInner(entry ? [entry, ...rest] : rest)];
}

function afterDashes(line: readonly Word[], verb: RegExp): Inner[] {
  const at = line.findIndex(({ literal }) => literal === "--");
  return line.some(({ literal }) => verb.test(literal ?? "")) && at !== -1
    ? [lineInner(line.slice(at + 1))]
    : [];
}

const TMUX_RUNS = words(
  "new new-session neww new-window splitw split-window respawnp respawn-pane respawnw respawn-window run run-shell",
);

/** One word is a text to it, several are a command line. */
function runByTmux(line: readonly Word[]): Inner[] {
  const verb = firstOperand(line, 1, words("-L -S -f -c -T"));
  if (!TMUX_RUNS.has(line[verb]?.literal ?? "")) return [];
  const rest = line.slice(firstOperand(line, verb + 1, words("-c -e -F -f -n -s -t -x -y -l")));
  return rest.length === 1 ? [textInner(rest)] : [lineInner(rest)];
}

function runByGit(line: readonly Word[]): Inner[] {
  const found: Inner[] = [];
  for (const { visible, literal } of line) {
    const alias = /^(?:-c)?alias\.[^=]*=!/.exec(visible[0] ?? "");
    if (alias) found.push({ kind: "text", text: literal?.slice(alias[0].length) ?? null });
  }
  const at = line.findIndex(({ literal }) => literal === "run" || literal === "foreach");
  const verb = line[at - 1]?.literal;
  if (at !== -1 && verb === "bisect") found.push(lineInner(line.slice(at + 1)));
  if (at !== -1 && verb === "submodule") {
    const from = firstOperand(line, at + 1);
    found.push(textInner(line.slice(from)));
  }
  return found;
}
