/** Processes that the bench starts, and what Linux says of the memory and time they take with their children. */
import { readdirSync, readFileSync } from "node:fs";

const PAGE_BYTES = 4096;
const TICKS_PER_SECOND = 100;
const MIB = 2 ** 20;
const READY_MS = 15_000;
const STOP_MS = 5_000;

export type Running = { pid: number; port: number; stop(): Promise<void> };

export type Launch = {
  command: readonly string[];
  cwd: string;
  env: Record<string, string>;
};

/** Resolves when it prints `READY:<port>`. */
export async function start({ command, cwd, env }: Launch, signal: AbortSignal): Promise<Running> {
  signal.throwIfAborted();
  const child = Bun.spawn([...command], { cwd, env, stdio: ["ignore", "pipe", "inherit"] });
  const end = () => child.kill("SIGKILL");
  const limit = AbortSignal.any([signal, AbortSignal.timeout(READY_MS)]);
  limit.addEventListener("abort", end);
  try {
    const port = await readPort(child.stdout);
    if (port === null) throw new Error(`${command.join(" ")} did not say READY`);
    return { pid: child.pid, port, stop: () => stop(child) };
  } catch (error) {
    await stop(child);
    throw error;
  } finally {
    limit.removeEventListener("abort", end);
  }
}

/** Leaves the rest of what it prints unread: there should be none. */
async function readPort(stdout: ReadableStream<Uint8Array>): Promise<number | null> {
  const decoder = new TextDecoder();
  let printed = "";
  for await (const bytes of stdout) {
    printed += decoder.decode(bytes, { stream: true });
    const port = /^READY:(\d+)\n/m.exec(printed)?.[1];
    if (port !== undefined) return Number(port);
  }
  return null;
}

/** Asks it to, and makes it when it does not. */
async function stop(child: Bun.Subprocess): Promise<void> {
  child.kill("SIGTERM");
  const timer = setTimeout(() => child.kill("SIGKILL"), STOP_MS);
  await child.exited;
  clearTimeout(timer);
}

/** Of a process and all below it, in MiB; pages they share count in each. */
export function residentMiB(pid: number): number {
  const pages = treeOf(pid).map((each) => Number(read(`${each}/statm`).split(" ")[1] ?? 0));
  return (sum(pages) * PAGE_BYTES) / MIB;
}

/** Of a process and all below it, with those that ended and were waited for. */
export function cpuSeconds(pid: number): number {
  return sum(treeOf(pid).map((each) => statOf(each)?.ticks ?? 0)) / TICKS_PER_SECOND;
}

/** Of all processes on this machine since it runs. */
export function machineCpuSeconds(): number {
  const [, ...ticks] = read("stat").split("\n", 1)[0]?.split(/\s+/) ?? [];
  const [user = 0, nice = 0, system = 0, , , interrupts = 0, softInterrupts = 0] =
    ticks.map(Number);
  return (user + nice + system + interrupts + softInterrupts) / TICKS_PER_SECOND;
}

/** A process and all below it. */
export function treeOf(root: number): number[] {
  const parents = readdirSync("/proc")
    .map(Number)
    .filter((pid) => pid > 0)
    .map((pid) => [pid, statOf(pid)?.parent] as const);
  const tree = [root];
  // Grows while it is walked: the children of children come later.
  for (const member of tree)
    tree.push(...parents.filter(([, parent]) => parent === member).map(([pid]) => pid));
  return tree;
}

type Stat = { parent: number; ticks: number };

function statOf(pid: number): Stat | null {
  const text = read(`${pid}/stat`);
  // A program's name may hold spaces and brackets; the numbers begin after its last bracket.
  const fields = text.slice(text.lastIndexOf(")") + 2).split(" ");
  if (fields.length < 15) return null;
  return { parent: Number(fields[1]), ticks: sum(fields.slice(11, 15).map(Number)) };
}

function read(path: string): string {
  try {
    return readFileSync(`/proc/${path}`, "utf8");
  } catch {
    // It ended between the two looks.
    return "";
  }
}

const sum = (numbers: readonly number[]): number =>
  numbers.reduce((total, each) => total + each, 0);
