/** An answer for one call must never count for another. */
import { expect, test } from "bun:test";
import { startEngine } from "../support/engine.ts";
import { startFakeProvider } from "../support/fake-provider.ts";
import { eventsOf, fakeSession, sendAnswering } from "../support/turns.ts";

test("an id is not used again in a session, also when its conversation was forgotten", async () => {
  const e = await startEngine();
  const fake = await startFakeProvider({ strict: false });
  try {
    const session = await fakeSession(e, fake);
    fake.reply({ steps: [{ call: "terminal", id: "c1", input: { command: "ls" } }] }, "ok");
    const before = await sendAnswering(e, session, "hi", ["deny"]);
    await e.json("DELETE", `/sessions/${session}/history`);
    fake.reply({ steps: [{ call: "terminal", id: "c1", input: { command: "touch evil" } }] }, "ok");
    const after = await sendAnswering(e, session, "hi", ["deny"]);
    const [one, other] = [before, after].map(
      (each) => eventsOf(each, "permission_request")[0].tool_id,
    );
    expect(one).not.toBe(other);
  } finally {
    await e.stop();
    await fake.stop();
  }
});
