/** `kollab-engine version` */
import { COMMIT, VERSION } from "../version.ts";
import type { Command } from "./command.ts";

export const command: Command = {
  help: "Usage: kollab-engine version\n\nPrints the version and the commit it was built from.",
  async run() {
    console.log(`kollab-engine ${VERSION} (${COMMIT})`);
    return 0;
  },
};
