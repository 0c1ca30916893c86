import { expect, test } from "bun:test";
import * as checkpoints from "../../src/cli/checkpoints.ts";
import * as doctor from "../../src/cli/doctor.ts";
import * as rules from "../../src/cli/rules.ts";
import * as run from "../../src/cli/run.ts";
import * as serve from "../../src/cli/serve.ts";
import * as sessions from "../../src/cli/sessions.ts";
import * as trust from "../../src/cli/trust.ts";

test.each(Object.entries({ checkpoints, doctor, rules, run, serve, sessions, trust }))(
  "the help of %s mentions each of its options",
  (name, { command, OPTIONS }) => {
    expect(command.help).toStartWith(`Usage: kollab-engine ${name} `);
    for (const option of Object.keys(OPTIONS)) expect(command.help).toContain(`\n  --${option} `);
    for (const line of command.help.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
  },
);
