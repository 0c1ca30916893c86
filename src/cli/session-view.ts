/** Sessions and their conversations as people read them. */
import { type Screen, styled } from "./screen.ts";
import type { HistoryMessage, SessionJson } from "./session-source.ts";
import { showCall, showOutput } from "./tool-lines.ts";

export async function showSessions(screen: Screen, sessions: SessionJson[]): Promise<void> {
  if (sessions.length === 0) return screen.line("There are no sessions yet.");
  const rows = sessions.map((session) => [
    session.session_id,
    localTime(utc(session.created_at)),
    session.profile,
    String(session.total_turns),
    session.workspace ?? "",
  ]);
  const table = [["ID", "CREATED", "PROFILE", "TURNS", "WORKSPACE"], ...rows];
  for (const [at, line] of aligned(table).entries())
    await screen.line(at === 0 ? styled("dim", line) : line);
}

/** Columns as wide as their widest cell; the last one as it comes. */
export function aligned(rows: string[][]): string[] {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => row[column]?.length ?? 0)),
  );
  return rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

export async function showSession(screen: Screen, session: SessionJson): Promise<void> {
  const { total_input_tokens, total_output_tokens, last_turn_status, last_turn_error } = session;
  const fields = [
    ["session", session.session_id],
    ["created", localTime(utc(session.created_at))],
    ["profile", session.profile],
    ["workspace", session.workspace ?? "none"],
    ["approval", session.approval_mode_name],
    ["turns", String(session.total_turns)],
    ["tokens", `${total_input_tokens} in, ${total_output_tokens} out`],
    ["last turn", [last_turn_status ?? "none", last_turn_error].filter(Boolean).join(": ")],
  ];
  for (const line of aligned(fields)) await screen.line(styled("dim", line));
}

export async function showHistory(screen: Screen, history: HistoryMessage[]): Promise<void> {
  for (const { role, content, metadata } of history) {
    if (role === "tool") {
      await showOutput(screen, content);
      continue;
    }
    await screen.line();
    if (role === "system") await screen.line(styled("dim", `system: ${content}`));
    else if (role === "user") await screen.line(styled("bold", `› ${content}`));
    else if (content !== "") await screen.line(`${content}${metadata?.partial ? " …" : ""}`);
    for (const { function: call } of metadata?.tool_calls ?? [])
      await showCall(screen, call.name, JSON.parse(call.arguments));
  }
}

/** `created_at` is in UTC and does not say so. */
const utc = (naive: string): Date => new Date(`${naive}Z`);

export function localTime(date: Date): string {
  const two = (part: number) => String(part).padStart(2, "0");
  const day = [date.getFullYear(), two(date.getMonth() + 1), two(date.getDate())].join("-");
  return `${day} ${two(date.getHours())}:${two(date.getMinutes())}`;
}
