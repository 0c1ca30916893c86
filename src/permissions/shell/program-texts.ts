/** What can be told of a text without understanding it: programs of other languages, and the command as a whole. */
import { programName, words } from "./options.ts";

/** Texts that are dangerous wherever they stand, in quotes as well. None of them searches twice over a gap. */
const DANGEROUS_TEXTS: [danger: string, pattern: RegExp][] = [
  ["removes below / or ~", /rm\s+(?:-[rf]+\s+)*[/~]/],
  ["removes below /", /--no-preserve-root/],
  ["makes a file system", /mkfs\./],
  ["writes to a device", /of=\/dev|>\s*\/dev\/(?:sd|hd|vd|xvd|nvme|mmcblk|disk|mapper)/],
  ["lets everybody write", /chmod\s+(?:-R\s+)*0?777/],
  ["runs with another user's rights", /sudo\s+rm/],
  ["forks without end", /:\(\)\s*\{/],
  ["opens a network connection", /\/dev\/(?:tcp|udp)\//],
];

export function dangerInText(text: string): string | null {
  for (const [danger, pattern] of DANGEROUS_TEXTS) if (pattern.test(text)) return danger;
  return text.split("\n").some(runsDownload) ? "runs what it downloads" : null;
}

/** A pattern with a gap in two parts, because as one it would start over at every `curl`. */
function runsDownload(line: string): boolean {
  const at = line.search(/curl|wget/);
  return at !== -1 && /\|\s*(?:ba)?sh/.test(line.slice(at));
}

/** Ways of common languages to run commands, remove files, connect, or run what is not in the text. */
const REACHES_OUT: readonly RegExp[] = [
  /\bos\.(?:system|popen|exec|spawn|posix_spawn|remove|unlink|rmdir|removedirs|kill|execute)/,
  /\b(?:subprocess|shutil\.(?:rmtree|move)|pty\.spawn|ctypes|__import__|importlib|runpy)\b/,
  /\b(?:socket|urllib|requests|http\.client|paramiko|net\.(?:connect|createServer|Socket))\b/,
  /\b(?:child_process|spawn(?:Sync)?|rmSync|unlinkSync|rmdirSync|fs\.(?:rm|rmdir|unlink)|process\.(?:kill|binding))\b/,
  /\b(?:Bun\.(?:spawn|spawnSync|\$)|Deno\.(?:run|Command|remove)|Function\s*\()/,
  /\b(?:unlink|rmtree|rmdir|eval|exec(?:Sync|File|FileSync|[lv]p?e?)?|system|popen|qx|compile)\b/,
  /\b(?:shell_exec|passthru|proc_open|IO\.popen|io\.popen|FileUtils\.rm|Open3|do shell script)/,
  /\bfetch\s?\(|\b(?:globalThis|global)\s?\[|\[\s?["'`]\w{0,40}["'`]\s?\+\s?["'`]/,
  /\b(?:writeFile|appendFile|createWriteStream|Bun\.write\b|Deno\.writeTextFile)/,
  /\brequire\s?\(\s?["'`](?:node:)?(?:net|https?|http2|dgram|tls|vm|worker_threads|module)["'`]/,
  /\b(?:base64|b64decode|atob|fromCharCode|fromhex|unhexlify)\b|%x[[({]/,
];

/** Of a program in another language: a guess, which is why there is something that it does not have to have. */
export function dangerInProgram(text: string, program: string): string | null {
  const runsBackticks = /^(?:perl|ruby|php)/.test(program) && text.includes("`");
  if (runsBackticks || REACHES_OUT.some((pattern) => pattern.test(text)))
    return "runs a program text that can run, remove or connect to anything";
  for (const line of text.split(/[\n;()|&]/)) {
    const names = line.replace(/["'\\{},]/g, " ").split(/\s+/);
    const at = names.findIndex((name) => programName(name) === "rm");
    if (at !== -1 && names.slice(at).some((name) => /^-[A-Za-z]*[rRf]/.test(name)))
      return "removes recursively or by force";
    if (names.some((name) => PRIVILEGED.has(programName(name))))
      return "runs with another user's rights";
  }
  return dangerInText(text);
}

export const PRIVILEGED = words("sudo doas pkexec su sudoedit run0 runuser");

/** `system(…)`, and pipes to and from commands. */
export const dangerInAwk = (text: string): string | null =>
  /system\s*\(|\|\s*getline|\bprintf?\b[^;{}\n]*\||\|&|@load|"\s*\|/.test(text)
    ? "runs commands from awk"
    : null;

/** The command `e`, and the flag `e` of a replacement. */
export function dangerInSed(text: string): string | null {
  for (const part of text.split(/[;\n{}]/)) {
    const own = part.trim();
    if (/^(?:[\d$,~+!]|\/[^/]{0,200}\/)*\s*e(?:\s|$)/.test(own)) return "runs commands from sed";
    const replaced = /^(?:[\d$,~+!]|\/[^/]{0,200}\/)*\s*s([^\w\s\\])/.exec(own);
    if (!replaced) continue;
    const flags = /^[gpiIMmw\d]{0,9}e/.test(own.split(replaced[1] ?? "/").at(-1) ?? "");
    if (flags) return "runs commands from sed";
  }
  return null;
}
