/** A process that starts an engine, has it run a turn, stops it during another, and ends by itself. */
import { createEngine } from "../../src/engine.ts";
import { inProcess } from "../../src/http/server.ts";
import { createLog } from "../../src/lib/log.ts";

const home = process.argv[2] ?? "";
const engine = await createEngine({
  home,
  directory: home,
  env: {},
  log: createLog({ level: "error", write: (line) => void process.stderr.write(line) }),
});
const { token, fetch } = inProcess(engine);
const post = (path: string, body: object) =>
  fetch(
    new Request(`http://localhost${path}`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify(body),
    }),
  );
await post("/sessions", { session_id: "s" });
await (await post("/sessions/s/message", { content: "say hi" })).text();
await post("/sessions/s/runs", { content: "stream 5000 words every 50 ms" });
await engine.close();
process.stdout.write("stopped\n");
