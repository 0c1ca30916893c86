/** What may be changed, but neither deleted nor moved away. */
import { relative } from "node:path";
import { quotedPath } from "../lib/shown.ts";
import { ToolFailure } from "./failure.ts";

const TREES = ["venv", ".venv", "node_modules"];
const FILES = ["main.py", "core/application.py"];

/** `path`: a real path in the workspace. */
export function refuseProtected(path: string, workspace: string): void {
  const name = relative(workspace, path).toLowerCase();
  const tree = TREES.find((each) => name.split("/").includes(each));
  if (tree || FILES.includes(name))
    throw new ToolFailure(`Protected, and neither deleted nor moved: ${quotedPath(path)}`);
}
