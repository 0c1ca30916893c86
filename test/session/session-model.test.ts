import { afterEach, expect, test } from "bun:test";
import type { SessionId } from "../../src/domain/ids.ts";
import { modelOf } from "../../src/session/session-model.ts";
import { startEngine, type TestEngine } from "../support/engine.ts";

let e: TestEngine;
afterEach(() => e.stop());

test("a session whose model is asked for twice at once has one, which is closed with it", async () => {
  e = await startEngine();
  const credentials = {
    provider: "custom",
    api_key: "k",
    model: "m",
    base_url: "http://127.0.0.1:9/v1",
  };
  const session = await e.engine.sessions.get((await e.newSession({ credentials })) as SessionId);
  const [one, other] = await Promise.all([modelOf(session), modelOf(session)]);
  expect(other).toBe(one);
  expect(session.model?.model).toBe(one);
});
