import { expect, test } from "bun:test";
import * as doctor from "../../src/cli/doctor.ts";
import * as run from "../../src/cli/run.ts";
import * as serve from "../../src/cli/serve.ts";
import * as sessions from "../../src/cli/sessions.ts";

test.each(Object.entries({ doctor, run, serve, sessions }))(
  "the help of %s mentions each of its options",
  (name, { command, OPTIONS }) => {
    expect(command.help).toStartWith(`Usage: kollab-engine ${name} `);
    for (const option of Object.keys(OPTIONS)) expect(command.help).toContain(`\n  --${option} `);
    for (const line of command.help.split("\n")) expect(line.length).toBeLessThanOrEqual(110);
  },
);
