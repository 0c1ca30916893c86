import { expect, setDefaultTimeout, spyOn, test } from "bun:test";
import { attachedClient } from "../../src/cli/client.ts";
import { command, readRules, showRules } from "../../src/cli/rules.ts";
import { Screen } from "../../src/cli/screen.ts";
import { setTrust } from "../../src/cli/trust.ts";
import { startEngine } from "../support/engine.ts";
import { recordedOutput } from "../support/recorded-output.ts";

setDefaultTimeout(30_000);

const config = (...rules: object[]) => JSON.stringify({ kollabor: { permissions: { rules } } });
const DENY = { action: "deny", command: "git push", reason: "never from here" };
const ALLOW = { action: "allow", command: "npm test" };

test("what a project allows counts once it is trusted, and until it is trusted no longer", async () => {
  const files = { ".kollab/config.json": config({ action: "ask", path: "~/.ssh/**" }) };
  const engine = await startEngine({ files });
  try {
    const { workspace } = engine;
    const file = `${workspace}/.kollab/config.json`;
    await Bun.write(file, config(DENY, ALLOW));
    const client = attachedClient(engine.base, engine.home);
    const shown = async () => {
      const out = recordedOutput();
      await showRules(new Screen(out, out), await readRules(client, workspace));
      return out.text;
    };
    const yours = "\nYours\n  ask  path ~/.ssh/**\n";
    const untrusted =
      `The project's, ${file}\n  deny  command git push  never from here\n` +
      `  These count only after kollab-engine trust:\n  allow  command npm test\n${yours}`;
    expect(await shown()).toBe(untrusted);

    const out = recordedOutput();
    await setTrust(client, new Screen(out, out), { workspace, trusted: true });
    const trusted = "  deny   command git push  never from here\n  allow  command npm test\n";
    expect(out.text).toBe(`✓ ${file} is trusted, as it is now. Its rules:\n${trusted}`);
    expect(await shown()).toBe(`The project's, ${file}  trusted\n${trusted}${yours}`);

    await setTrust(client, new Screen(out, out), { workspace, trusted: false });
    expect(out.text).toEndWith(`${file} is trusted no longer.\n`);
    expect(await shown()).toBe(untrusted);
  } finally {
    await engine.stop();
  }
});

test("a rule that is not understood is shown as a problem", async () => {
  const out = recordedOutput();
  const problems = ["config.json: rules[1]: action"];
  await showRules(new Screen(out, out), { rules: [], project: null, problems });
  expect(out.text).toBe("Yours\n  none\n✗ config.json: rules[1]: action\n");
});

const MISUSES: [string[], string][] = [
  [["add"], "rules can only be listed here"],
  [["list", "more"], "rules can only be listed here"],
  [["--url", "nowhere"], "--url is an http address"],
];
test.each(MISUSES)("rules %j is exit code 2", async (args, problem) => {
  using said = spyOn(console, "error").mockImplementation(() => {});
  expect(await command.run(args, {})).toBe(2);
  expect(said.mock.calls).toEqual([[expect.stringMatching(/^kollab-engine: [^\n]+$/)]]);
  expect(said.mock.calls[0]![0]).toContain(problem);
});
