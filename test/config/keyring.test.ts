import { expect, test } from "bun:test";
import { chmodSync } from "node:fs";
import { createKeyring, type Lookup, systemLookups } from "../../src/config/keyring.ts";
import { recordedLog } from "../support/recorded-log.ts";
import { temporaryFolder } from "../support/temporary-folder.ts";

const TIMEOUT_MS = 5000;
const finds =
  (secrets: Record<string, string>): Lookup =>
  async (account) =>
    secrets[account] ?? null;
const fails: Lookup = () => Promise.reject(new Error("no keyring here"));

test.each<[string, Lookup[], string | null, string[]]>([
  ["the first that knows answers", [finds({ a: "one" }), finds({ a: "two" })], "one", []],
  ["the next is asked", [finds({}), finds({ a: "two" })], "two", []],
  ["an empty secret is none", [finds({ a: "" }), finds({ a: "two" })], "two", []],
  [
    "one that fails is a warning",
    [fails, finds({ a: "two" })],
    "two",
    ["The keyring cannot be asked"],
  ],
  ["nobody knows", [finds({})], null, ["The keyring has no such key"]],
  ["all fail", [fails], null, ["The keyring cannot be asked", "The keyring has no such key"]],
])("%s", async (_, lookups, secret, warnings) => {
  const { log, lines } = recordedLog();
  expect(await createKeyring(lookups, log, TIMEOUT_MS).get("a")).toBe(secret);
  expect(lines.map(({ level, message }) => [level, message])).toEqual(
    warnings.map((message) => ["warning", message]),
  );
  expect(JSON.stringify(lines)).not.toContain("two");
});

test("one that hangs is given up, and is not asked again while it hangs", async () => {
  const { log, lines } = recordedLog();
  const answer = Promise.withResolvers<string | null>();
  let asked = 0;
  const hangs: Lookup = () => {
    asked += 1;
    return answer.promise;
  };
  const keyring = createKeyring([hangs], log, 20);
  expect(await Promise.all([keyring.get("a"), keyring.get("a")])).toEqual([null, null]);
  expect(await keyring.get("a")).toBeNull();
  expect(asked).toBe(1);
  expect(lines[0]?.message).toBe("The keyring did not answer in time");

  answer.resolve("late");
  await Bun.sleep(0);
  expect(await createKeyring([finds({ a: "now" })], log, TIMEOUT_MS).get("a")).toBe("now");
  expect(await keyring.get("a")).toBe("late");
  expect(asked).toBe(2);
});

/** The desktop's tool, as far as we use it. */
const FAKE_TOOL = `#!/bin/sh
[ "$1 $2 $3 $4" = "lookup service kollab username" ] || exit 2
[ -z "$ENGINE_SECRET" ] || exit 3
case "$5" in
  known) printf 'from the tool\\n' ;;
  endless) exec sleep 60 ;;
  *) exit 1 ;;
esac
`;

function toolLookup(folder: string): Lookup {
  const env = { PATH: `${folder}:/usr/bin:/bin`, HOME: folder, ENGINE_SECRET: "not for tools" };
  const [, tool] = systemLookups(env);
  return tool!;
}

test("the desktop's tool is asked with the attributes other programs use, and sees no secret", async () => {
  using folder = temporaryFolder();
  chmodSync(folder.write("secret-tool", FAKE_TOOL), 0o755);
  const keyring = createKeyring([toolLookup(folder.path)], recordedLog().log, TIMEOUT_MS);
  expect(await keyring.get("known")).toBe("from the tool");
  expect(await keyring.get("unknown")).toBeNull();
});

test("a tool that hangs is ended", async () => {
  using folder = temporaryFolder();
  chmodSync(folder.write("secret-tool", FAKE_TOOL), 0o755);
  const lookup = toolLookup(folder.path);
  expect(await lookup("endless", AbortSignal.timeout(200))).toBeNull();
});

test("without the tool there is nothing to ask", async () => {
  using folder = temporaryFolder();
  const [, tool] = systemLookups({ PATH: folder.path });
  expect(await tool!("known", AbortSignal.timeout(TIMEOUT_MS))).toBeNull();
});
