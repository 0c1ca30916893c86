/** Programs that run what stands among their words, and where it stands there. */
import { UNKNOWN } from "./braces.ts";
import { type CommandLine, programWord } from "./command-line.ts";
import { firstOperand, optionValue, programName, words } from "./options.ts";
import { isShell, shellTexts } from "./shells.ts";
import { unknownWord, type Word } from "./words.ts";

/** What is run besides: a command line, or a text of shell commands; `null`: only known when it runs. */
export type Inner =
  | {
      kind: "line";
      words: readonly Word[];
      assigns?: boolean;
      repeated?: boolean;
      within?: boolean;
    }
  | { kind: "text"; text: string | null };

/** `takes`: options with a value; `operands`: how many words stand before the command. */
type Runner = { takes?: string; operands?: number; assigns?: boolean };

const RUNNERS: Record<string, Runner> = {
  env: { takes: "-u --unset -C --chdir -S --split-string", assigns: true },
  sudo: {
    takes:
      "-u -g -h -p -C -D -R -T -U -r -t --user --group --host --prompt --chdir --chroot --role --type",
    assigns: true,
  },
  doas: { takes: "-u -C" },
  pkexec: { takes: "--user" },
  run0: { takes: "-u --user -g --group -D --chdir" },
  timeout: { takes: "-s --signal -k --kill-after", operands: 1 },
  gtimeout: { takes: "-s --signal -k --kill-after", operands: 1 },
  nohup: {},
  setsid: {},
  command: {},
  builtin: {},
  exec: { takes: "-a" },
  nice: { takes: "-n --adjustment" },
  ionice: { takes: "-c -n -p -P -u --class --classdata" },
  chrt: { takes: "-T -P -D", operands: 1 },
  taskset: { operands: 1 },
  numactl: { takes: "-C -N -m -i -p" },
  stdbuf: { takes: "-i -o -e --input --output --error" },
  time: { takes: "-f -o --format --output" },
  strace: { takes: "-o -e -p -s -u -E -P -a -b -I -O -S -X" },
  ltrace: { takes: "-o -e -p -s -u -a -l -n" },
  caffeinate: { takes: "-t -w" },
  unbuffer: {},
  rlwrap: { takes: "-a -b -c -f -H -l -p -s -S" },
  "xvfb-run": { takes: "-n -s -e -f -p -w --server-num --server-args" },
  "dbus-run-session": { takes: "--config-file" },
  proxychains: { takes: "-f" },
  proxychains4: { takes: "-f" },
  torsocks: {},
  "cross-env": { assigns: true },
  dotenv: { takes: "-e -f -v -p" },
  setarch: { operands: 1 },
  busybox: {},
  toybox: {},
  chroot: { operands: 1 },
  nsenter: { takes: "-t -S -G" },
  unshare: { takes: "-R -w -S -G" },
  "systemd-run": { takes: "-p -u -H -M -E --unit --property --setenv" },
  "systemd-inhibit": { takes: "--what --who --why --mode" },
  noglob: {},
  nocorrect: {},
  and: {},
  or: {},
  not: {},
  "!": {},
};

/** Run a tool of a project: what follows belongs to their own line. */
const PROJECT_RUNNERS: Record<string, ReadonlySet<string>> = {
  npx: words(""),
  pnpx: words(""),
  bunx: words(""),
  uvx: words(""),
  npm: words("exec x"),
  pnpm: words("exec dlx"),
  yarn: words("exec dlx"),
  bun: words("x"),
  uv: words("run"),
  poetry: words("run"),
  pipenv: words("run"),
  pdm: words("run"),
  hatch: words("run"),
  rye: words("run"),
  conda: words("run"),
  bundle: words("exec"),
  mise: words("exec x"),
  asdf: words("exec"),
};
const PROJECT_OPTIONS = words(
  "-p --package -w --workspace --with --python --prefix --cwd -C --directory -n --name --extra",
);

/** Options whose value is a text of shell commands. */
const TEXT_OPTIONS: Record<string, ReadonlySet<string>> = {
  su: words("-c --command"),
  script: words("-c --command"),
  flock: words("-c --command"),
  npx: words("-c --call"),
  npm: words("-c --call"),
  pnpm: words("-c --shell-mode"),
  "nix-shell": words("--run --command"),
  tar: words(
    "--to-command -I --use-compress-program --rsh-command -F --info-script --new-volume-script",
  ),
  rsync: words("-e --rsh --rsync-path"),
  mapfile: words("-C"),
  readarray: words("-C"),
  complete: words("-C"),
  nodemon: words("--exec -x"),
  git: words(
    "--exec -x --tree-filter --index-filter --msg-filter --env-filter --extcmd --upload-pack",
  ),
  sudoedit: words("-c"),
};

/** Everything that this command runs besides itself, in order. */
export function innerOf(command: CommandLine): Inner[] {
  const program = programName(programWord(command));
  const line = command.words;
  if (program === "") return [];
  const found: Inner[] = [...shellTexts(command)];
  const texts = TEXT_OPTIONS[program];
  const text = texts ? optionValue(line.slice(1), texts) : null;
  if (text) found.push({ kind: "text", text: text.literal });
  const runner = Object.hasOwn(RUNNERS, program) ? RUNNERS[program] : undefined;
  if (runner) found.push(...runBy(line, runner));
  const special = Object.hasOwn(SPECIAL, program) ? SPECIAL[program] : undefined;
  if (special) found.push(...special(line));
  const verbs = Object.hasOwn(PROJECT_RUNNERS, program) ? PROJECT_RUNNERS[program] : undefined;
  if (verbs) found.push(...runInProject(line, verbs));
  return found.filter((inner) => inner.kind === "text" || inner.words.length > 0);
}

function runBy(line: readonly Word[], { takes = "", operands = 0, assigns }: Runner): Inner[] {
  // `command -v` looks a program up.
  if (line[0]?.literal === "command" && /^-[vV]/.test(line[1]?.literal ?? "")) return [];
  const found: Inner[] = [];
  let from = firstOperand(line, 1, words(takes));
  if (takes.includes("-S")) {
    const split = optionValue(line.slice(1, from), words("-S --split-string"));
    const joined = line.slice(1, from).find(({ literal }) => /^-[a-z]*S./.test(literal ?? ""));
    const text = joined ? (joined.literal?.replace(/^-[a-z]*S/, "") ?? null) : split?.literal;
    if (split || joined) found.push({ kind: "text", text: text ?? null });
  }
  const isSet = (word: Word | undefined) => /^\w+=/.test(word?.visible[0] ?? "");
  for (let index = from; assigns && isSet(line[index]); index++) from = index + 1;
  from += operands;
  found.push({ kind: "line", words: line.slice(from), assigns: assigns === true });
  return found;
}

function runInProject(line: readonly Word[], verbs: ReadonlySet<string>): Inner[] {
  const at = verbs.has("") ? 0 : firstOperand(line, 1, PROJECT_OPTIONS);
  if (!verbs.has("") && !verbs.has(line[at]?.literal ?? "")) return [];
  const from = firstOperand(line, at + 1, PROJECT_OPTIONS);
  return [{ kind: "line", words: line.slice(from), within: true }];
}

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

const SPECIAL: Record<string, (line: readonly Word[]) => Inner[]> = {
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
  kubectl: (line) => afterDashes(line, "exec"),
  oc: (line) => afterDashes(line, "exec"),
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
  entr: (line) => [repeated(line.slice(firstOperand(line, 1, words(""))), "/_")],
  direnv: (line) => (line[1]?.literal === "exec" ? [lineInner(line.slice(3))] : []),
  git: runByGit,
  tar: (line) =>
    line.flatMap(({ visible: [word = ""], literal }): Inner[] => {
      const text = /^--checkpoint-action=exec=/.exec(word);
      return text ? [{ kind: "text", text: literal?.slice(text[0].length) ?? null }] : [];
    }),
};

const isNoOption = ({ visible }: Word): boolean => !/^-/.test(visible[0] ?? "");

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

function afterDashes(line: readonly Word[], verb: string): Inner[] {
  const at = line.findIndex(({ literal }) => literal === "--");
  return line.some(({ literal }) => literal === verb) && at !== -1
    ? [lineInner(line.slice(at + 1))]
    : [];
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
    const from = firstOperand(line, at + 1, words(""));
    found.push(textInner(line.slice(from)));
  }
  return found;
}
