/** The command line as its users have it: a process of its own, with a home and a folder of its own. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { temporaryFolder } from "./temporary-folder.ts";

const MAIN = join(import.meta.dir, "../../src/main.ts");
const WAIT_MS = 15_000;

export type Finished = { code: number; stdout: string; stderr: string };

/** Output as it grows. */
export class Transcript {
  text = "";
  private wake = Promise.withResolvers<void>();

  add(text: string): void {
    this.text += text;
    this.wake.resolve();
    this.wake = Promise.withResolvers<void>();
  }

  /** Resolves when what came after the last such wait holds `text`. */
  async shows(text: string): Promise<void> {
    const limit = Promise.withResolvers<void>();
    const timer = setTimeout(
      () => limit.reject(new Error(`Never showed ${JSON.stringify(text)}: ${this.text}`)),
      WAIT_MS,
    );
    try {
      for (;;) {
        const at = this.text.indexOf(text, this.seen);
        if (at !== -1) {
          this.seen = at + text.length;
          return;
        }
        await Promise.race([this.wake.promise, limit.promise]);
      }
    } finally {
      clearTimeout(timer);
    }
  }
  private seen = 0;
}

export type OnTerminal = {
  transcript: Transcript;
  type(keys: string): void;
  /** Resolves with the exit code. */
  exited: Promise<number>;
};

export type Started = {
  stdout: Transcript;
  stderr: Transcript;
  process: Bun.Subprocess;
  exited: Promise<number>;
};

export type CommandLine = Disposable & {
  home: string;
  workspace: string;
  env: Record<string, string>;
  /** Runs a command to its end, without a terminal. */
  run(args: string[], input?: string): Promise<Finished>;
  /** Starts one whose output is watched. */
  start(args: string[]): Started;
  /** Starts one on a terminal. */
  onTerminal(args: string[], columns?: number): OnTerminal;
  /** What to give to a shell in place of the executable. */
  command: string;
};

export type CommandLineOptions = { home?: string; env?: Record<string, string> };

export function commandLine(options: CommandLineOptions = {}): CommandLine {
  const folder = temporaryFolder();
  const home = options.home ?? join(folder.path, "home");
  const workspace = join(folder.path, "workspace");
  mkdirSync(home, { recursive: true });
  mkdirSync(workspace, { recursive: true });
  const env = { PATH: process.env.PATH ?? "", HOME: home, TERM: "xterm", ...options.env };
  const cmd = (args: string[]) => [process.execPath, MAIN, ...args];
  const started = new Set<Bun.Subprocess>();

  return {
    home,
    workspace,
    env,
    command: `'${process.execPath}' '${MAIN}'`,
    async run(args, input = "") {
      const child = Bun.spawn(cmd(args), {
        cwd: workspace,
        env,
        stdin: Buffer.from(input),
        stdout: "pipe",
        stderr: "pipe",
      });
      started.add(child);
      const [code, stdout, stderr] = await Promise.all([
        child.exited,
        child.stdout.text(),
        child.stderr.text(),
      ]);
      return { code, stdout, stderr };
    },
    start(args) {
      const child = Bun.spawn(cmd(args), {
        cwd: workspace,
        env,
        stdin: "ignore",
        stdout: "pipe",
        stderr: "pipe",
      });
      started.add(child);
      const stdout = new Transcript();
      const stderr = new Transcript();
      const read = Promise.all([record(child.stdout, stdout), record(child.stderr, stderr)]);
      return { stdout, stderr, process: child, exited: read.then(() => child.exited) };
    },
    onTerminal(args, columns = 100) {
      const transcript = new Transcript();
      const decoder = new TextDecoder();
      const child = Bun.spawn(cmd(args), {
        cwd: workspace,
        env,
        terminal: {
          cols: columns,
          rows: 40,
          data: (_, bytes) => transcript.add(decoder.decode(bytes, { stream: true })),
        },
      });
      started.add(child);
      return {
        transcript,
        type: (keys) => void child.terminal?.write(keys),
        exited: child.exited,
      };
    },
    [Symbol.dispose]() {
      for (const child of started) child.kill("SIGKILL");
      folder[Symbol.dispose]();
    },
  };
}

async function record(stream: ReadableStream<Uint8Array>, transcript: Transcript): Promise<void> {
  const decoder = new TextDecoder();
  for await (const bytes of stream) transcript.add(decoder.decode(bytes, { stream: true }));
}
