/** `kollab-engine token` */
import { readFile } from "node:fs/promises";
import { kollabPaths } from "../config/paths.ts";
import { type Command, fail, homeFolder } from "./command.ts";

export const command: Command = {
  help: "Usage: kollab-engine token\n\nPrints the token of the engine that was started last (~/.kollab/engine.token).",
  async run() {
    const path = kollabPaths(homeFolder()).token;
    try {
      console.log((await readFile(path, "utf8")).trim());
      return 0;
    } catch (cause) {
      fail(
        new Error(`No token at ${path}: start the engine with 'kollab-engine serve'`, { cause }),
      );
      return 1;
    }
  },
};
