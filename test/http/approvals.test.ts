/** What is remembered of answers can be looked at, and taken back. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { answer, eventsOf, fakeSession, send } from "../support/turns.ts";

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  e = await startEngine();
  fake = await startFakeProvider();
});
afterAll(async () => {
  await e.stop();
  await fake.stop();
});

test("approvals of a session and its project are listed, and cover nothing once taken back", async () => {
  const id = await fakeSession(e, fake);
  const commands = ["ls", "pwd"].map((command) => ({
    steps: [{ call: "terminal", input: { command } }],
  }));
  fake.reply(...commands, "done", ...commands, "done", ...commands, "done");
  const first = await send(e, id, "go");
  for (const [nth, scope] of ["session", "project"].entries())
    await answer(
      e,
      id,
      (await first.until("permission_request", nth + 1)).tool_id,
      "approve",
      scope,
    );
  await first.ended();
  expect(eventsOf(await e.turn(id, "again"), "permission_request")).toEqual([]);

  const path = `/sessions/${id}/permissions`;
  expect(await e.json("GET", path)).toMatchObject({
    approvals: [{ key: "terminal:ls", level: "medium" }],
    project_approvals: ["terminal:pwd"],
  });
  const keys = ["terminal:ls", "terminal:pwd"];
  await e.json("DELETE", `${path}/approvals`, { keys });
  expect(await e.json("GET", path)).toMatchObject({ approvals: [], project_approvals: [] });
  const last = await send(e, id, "once more");
  for (const nth of [1, 2])
    await answer(e, id, (await last.until("permission_request", nth)).tool_id, "deny");
  expect(eventsOf(await last.ended(), "permission_denied")).toHaveLength(2);
});
