/** What is measured. Each scenario starts engines of its own, and what it resolves with are its figures. */
import { join } from "node:path";
import { now } from "./clock.ts";
import { mean, median, p99 } from "./figures.ts";
import { cpuSeconds, residentMiB } from "./processes.ts";
import type { Call, Order } from "./provider.ts";
import type { Engine } from "./subject.ts";

/** How much of everything: figures of more are steadier, figures of less are sooner there. */
export type Sizes = {
  starts: number;
  /** How long an engine is left alone before its memory is looked at. */
  settleMs: number;
  moreSessions: number;
  turns: number;
  longSessionTurns: number;
  longReplies: number;
  replyTokens: number;
  toolTurns: number;
  toolRounds: number;
  streams: number;
  streamTokens: number;
};

export type Bench = {
  sizes: Sizes;
  /** Starts the subject; it is stopped when the scenario is over, if not before. */
  start(): Promise<Engine>;
  /** The provider's calls since the last time they were asked for. */
  takeCalls(): Promise<Call[]>;
};

export type Figures = Record<string, number>;

const TURNS_OF_A_SESSION = 10;
const LONG_SESSION_TOKENS = 200;
/** Turns at each end of a long session that are compared. */
const END_TURNS = 20;
const STREAM_EVERY_MS = 20;
const PADDING = "what somebody may have written here, ".repeat(6);

const READ = { name: "file_read", input: { file: "bench.txt" } };
const READ_LINE = `${"a line of a file ".repeat(4).slice(0, 63)}\n`;
/** Together 1 MiB. */
const READ_LINES = 2 ** 14;
/** For each of the turns with tools, as a file is read soon. */
const READS_FOR_A_TURN = 4;

export const SCENARIOS = {
  /** From the spawn to the first answer; its memory when nothing was asked of it. */
  async start({ sizes, start }: Bench): Promise<Figures> {
    const times: number[] = [];
    let idleMiB = 0;
    for (let round = 0; round <= sizes.starts; round++) {
      const startMs = now();
      const engine = await start();
      times.push(now() - startMs);
      if (round === sizes.starts) idleMiB = await settledMiB(engine, sizes);
      await engine.stop();
    }
    // The first finds an empty home.
    const [firstMs = Number.NaN, ...laterMs] = times;
    return { firstMs, ms: median(laterMs), idleMiB };
  },

  /** The memory of many sessions. */
  async sessions({ sizes, start }: Bench): Promise<Figures> {
    const engine = await start();
    await engine.newSession();
    const withOneMiB = await settledMiB(engine, sizes);
    const times: number[] = [];
    for (let made = 0; made < sizes.moreSessions; made++) {
      const startMs = now();
      await engine.newSession();
      times.push(now() - startMs);
    }
    const withAllMiB = await settledMiB(engine, sizes);
    const eachMiB = (withAllMiB - withOneMiB) / sizes.moreSessions;
    return { withOneMiB, withAllMiB, eachMiB, createMs: median(times) };
  },

  /** Turns of one token: what they take besides the provider's own time. */
  async turns({ sizes, start, takeCalls }: Bench): Promise<Figures> {
    const engine = await start();
    const order: Order = { tokens: 1, stamped: true };
    const firstStartMs = now();
    const firstMs = (await engine.turn(await engine.newSession(), order)) - firstStartMs;
    await takeCalls();
    const added: number[] = [];
    const addedToFirstToken: number[] = [];
    let session = "";
    let cpu = 0;
    for (let turn = 0; turn < sizes.turns; turn++) {
      if (turn % TURNS_OF_A_SESSION === 0) session = await engine.newSession();
      const cpuBefore = cpuSeconds(engine.pid);
      let tokenMs = Number.NaN;
      const startMs = now();
      const onText = () => {
        tokenMs = now();
      };
      const completeMs = await engine.turn(session, order, { onText });
      cpu += cpuSeconds(engine.pid) - cpuBefore;
      const call = only(await takeCalls());
      added.push(completeMs - startMs - (call.endMs - call.arrivedMs));
      addedToFirstToken.push(tokenMs - startMs - (call.firstMs - call.arrivedMs));
    }
    return {
      firstMs,
      addedMs: median(added),
      addedP99Ms: p99(added),
      firstTokenMs: median(addedToFirstToken),
      firstTokenP99Ms: p99(addedToFirstToken),
      cpuMs: (cpu * 1000) / sizes.turns,
    };
  },

  /** One session that grows: the same turn, early and late. */
  async longSession({ sizes, start }: Bench): Promise<Figures> {
    const engine = await start();
    const order: Order = { tokens: LONG_SESSION_TOKENS, padding: PADDING };
    async function turns(count: number): Promise<number[]> {
      const session = await engine.newSession();
      const times: number[] = [];
      while (times.length < count) {
        const startMs = now();
        times.push((await engine.turn(session, order)) - startMs);
      }
      return times;
    }
    // In another session, so that what grows is not hidden by code that gets faster.
    await turns(Math.min(END_TURNS, sizes.longSessionTurns));
    const times = await turns(sizes.longSessionTurns);
    const earlyMs = median(times.slice(0, END_TURNS));
    const lateMs = median(times.slice(-END_TURNS));
    return { earlyMs, lateMs, grownPercent: (lateMs / earlyMs - 1) * 100 };
  },

  /** A long reply as fast as it goes. */
  async longReply({ sizes, start }: Bench): Promise<Figures> {
    const engine = await start();
    const rates: number[] = [];
    const cpu: number[] = [];
    for (let reply = 0; reply < sizes.longReplies; reply++) {
      const session = await engine.newSession();
      let tokens = 0;
      const cpuBefore = cpuSeconds(engine.pid);
      const startMs = now();
      const onText = (text: string) => {
        tokens += countTokens(text);
      };
      const completeMs = await engine.turn(session, { tokens: sizes.replyTokens }, { onText });
      cpu.push(cpuSeconds(engine.pid) - cpuBefore);
      rates.push(tokens / ((completeMs - startMs) / 1000));
      if (tokens !== sizes.replyTokens)
        throw new Error(`${tokens} of ${sizes.replyTokens} tokens came`);
    }
    return {
      tokensPerSecond: median(rates),
      cpuSeconds: mean(cpu),
      afterMiB: residentMiB(engine.pid),
    };
  },

  /** Turns of many shell calls. */
  async toolRounds({ sizes, start, takeCalls }: Bench): Promise<Figures> {
    const engine = await start();
    const session = await engine.newSession();
    const { toolRounds } = sizes;
    // Whatever a first tool call has to load is loaded then.
    await engine.turn(session, { tokens: 1, toolRounds: 1 });
    await takeCalls();
    const times: number[] = [];
    const cpuBefore = cpuSeconds(engine.pid);
    for (let turn = 0; turn < sizes.toolTurns; turn++) {
      const startMs = now();
      const completeMs = await engine.turn(await engine.newSession(), { tokens: 1, toolRounds });
      const calls = await takeCalls();
      if (calls.length !== toolRounds + 1) throw new Error(`${calls.length} calls of the model`);
      const providerMs = calls.reduce((ms, call) => ms + call.endMs - call.arrivedMs, 0);
      times.push((completeMs - startMs - providerMs) / toolRounds);
    }
    const cpu = cpuSeconds(engine.pid) - cpuBefore;
    return { ms: median(times), cpuMs: (cpu * 1000) / (sizes.toolTurns * toolRounds) };
  },

  /** A large file, from the call that asks for it to the next request of the model, which has its text. */
  async fileRead({ sizes, start, takeCalls }: Bench): Promise<Figures> {
    const engine = await start();
    const order: Order = { tokens: 1, toolRounds: 1, tool: READ };
    await Bun.write(join(engine.workspace, READ.input.file), READ_LINE.repeat(READ_LINES));
    // Loads what it needs.
    await engine.turn(await engine.newSession(), order);
    await takeCalls();
    const times: number[] = [];
    const expected = sizes.toolTurns * READS_FOR_A_TURN;
    // Each in a session of its own, as the text stays in the conversation.
    for (let turn = 0; turn < expected; turn++) {
      await engine.turn(await engine.newSession(), order);
      times.push(...between(await takeCalls()));
    }
    if (times.length !== expected)
      throw new Error(`${times.length} of ${expected} files were read`);
    return { ms: median(times), p99Ms: p99(times) };
  },

  /** From a person's answer to the notice that the tool may run, beside an answer that does nothing. */
  async approvals({ sizes, start }: Bench): Promise<Figures> {
    const engine = await start();
    // A tool that is over at once, so that only the answer is measured.
    await Bun.write(join(engine.workspace, READ.input.file), READ_LINE);
    await askedTurn(engine, 1);
    const turns: Asked[] = [];
    while (turns.length < sizes.toolTurns) turns.push(await askedTurn(engine, sizes.toolRounds));
    const grants = turns.flatMap(({ grantedMs }) => grantedMs);
    const expected = sizes.toolTurns * sizes.toolRounds;
    if (grants.length !== expected) throw new Error(`${grants.length} of ${expected} were granted`);
    const callMs = median(turns.flatMap((turn) => turn.callMs));
    const grantedMs = median(grants);
    return { callMs, grantedMs, addedToCallMs: Math.max(0, grantedMs - callMs) };
  },

  /** Many sessions at once, each at the pace of a model; a token's lag is from its sending to its arrival. */
  async streams({ sizes, start }: Bench): Promise<Figures> {
    const engine = await start();
    const sessions: string[] = [];
    while (sessions.length < sizes.streams) sessions.push(await engine.newSession());
    await Bun.sleep(sizes.settleMs);
    const firstTokens: number[] = [];
    const lags: number[] = [];
    const steadyLags: number[] = [];
    const halfMs = (sizes.streamTokens * STREAM_EVERY_MS) / 2;
    const cpuBefore = cpuSeconds(engine.pid);
    const startMs = now();
    const order: Order = { tokens: sizes.streamTokens, everyMs: STREAM_EVERY_MS, stamped: true };
    const read = async (session: string): Promise<void> => {
      let isFirst = true;
      const onText = (text: string) => {
        const arrivedMs = now();
        if (isFirst) firstTokens.push(arrivedMs - startMs);
        isFirst = false;
        // A piece may hold several tokens, but no half ones.
        for (const stamp of text.trimEnd().split(" ")) {
          const lagMs = arrivedMs - Number(stamp);
          lags.push(lagMs);
          // All begin at once; the second half is free of that.
          if (arrivedMs - startMs > halfMs) steadyLags.push(lagMs);
        }
      };
      await engine.turn(session, order, { onText });
    };
    await Promise.all(sessions.map(read));
    const seconds = (now() - startMs) / 1000;
    const expected = sizes.streams * sizes.streamTokens;
    if (lags.length !== expected) throw new Error(`${lags.length} of ${expected} tokens came`);
    return {
      firstTokenMs: median(firstTokens),
      firstTokenP99Ms: p99(firstTokens),
      lagMs: median(lags),
      lagP99Ms: p99(lags),
      steadyLagP99Ms: p99(steadyLags),
      cpuPercent: ((cpuSeconds(engine.pid) - cpuBefore) / seconds) * 100,
      afterMiB: residentMiB(engine.pid),
    };
  },
} satisfies Record<string, (bench: Bench) => Promise<Figures>>;

export type ScenarioName = keyof typeof SCENARIOS;

async function settledMiB({ pid }: Engine, { settleMs }: Sizes): Promise<number> {
  await Bun.sleep(settleMs);
  return residentMiB(pid);
}

function only(calls: readonly Call[]): Call {
  const [call] = calls;
  if (call === undefined || calls.length > 1) throw new Error(`${calls.length} calls of the model`);
  return call;
}

/** Of each question of a turn: how long an answer to no question took, and one until it was granted. */
type Asked = { callMs: number[]; grantedMs: number[] };

async function askedTurn(engine: Engine, toolRounds: number): Promise<Asked> {
  const session = await engine.newSession({ asks: true });
  const asked: Asked = { callMs: [], grantedMs: [] };
  const answers: Promise<void>[] = [];
  let answeredMs = Number.NaN;
  async function answer(toolId: string): Promise<void> {
    const callMs = now();
    const status = await engine.approve(session, "nobody asked");
    if (status !== 404) throw new Error(`${status} for an answer to no question`);
    answeredMs = now();
    asked.callMs.push(answeredMs - callMs);
    await engine.approve(session, toolId);
  }
  const order: Order = { tokens: 1, toolRounds, tool: READ };
  await engine.turn(session, order, {
    onQuestion: (toolId) => answers.push(answer(toolId)),
    onGranted: () => asked.grantedMs.push(now() - answeredMs),
  });
  await Promise.all(answers);
  return asked;
}

/** What the engine does between the end of a reply and the next request. */
const between = (calls: readonly Call[]): number[] =>
  calls.slice(1).map(({ arrivedMs }, at) => arrivedMs - (calls[at]?.endMs ?? Number.NaN));

/** Each of the provider's tokens ends with a space. */
function countTokens(text: string): number {
  let count = 0;
  for (let at = text.indexOf(" "); at !== -1; at = text.indexOf(" ", at + 1)) count++;
  return count;
}
