/** The user's permission rules, and which projects may bring rules of their own. */
import { resolve } from "node:path";
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { projectConfigPath } from "../../config/paths.ts";
import { projectOf } from "../../config/project.ts";
import { forgetProject, trustedProjects, trustProject } from "../../config/trusted-projects.ts";
import { EngineError } from "../../domain/errors.ts";
import type { Engine } from "../../engine.ts";
import { expandHome } from "../../lib/paths.ts";
import { object } from "../schemas.ts";

const WORKSPACE = Type.String({
  minLength: 1,
  maxLength: 4_096,
  description: "a folder of the project; ~ is the home",
});
const field = (description: string) => Type.Optional(Type.String({ description }));

/** Checked in full where rules are stored, which names the rule and the field that is wrong. */
const RULE = object({
  action: Type.String({ description: "allow, ask or deny" }),
  tool: field("name of a tool; * stands for any text"),
  command: field("first words of a shell command, for example git push"),
  path: field("of a file: relative to the workspace, absolute, or from ~; ** for any folders"),
  host: field("a host name, or *.example.com"),
  mcp: field("server/tool; * stands for any text"),
  reason: field("why, for people and the model"),
});

export const ruleRoutes = (engine: Engine) => {
  const { home, directory } = engine.options;
  const projectAt = (workspace: string) =>
    projectOf(resolve(directory, expandHome(workspace, home)));

  const rulesView = (project: string | null) => {
    // The home folder has no rules beside the user's own.
    const read = engine.rules.read(project ?? home);
    return {
      rules: [...read.global],
      project:
        project === null
          ? null
          : {
              directory: project,
              file: read.projectFile,
              trusted: read.trusted,
              sha256: read.sha256,
              rules: [...read.project],
              untrusted: [...read.untrusted],
            },
      problems: [...read.problems],
    };
  };

  return new Elysia({ tags: ["permissions"] })
    .get(
      "/permissions/rules",
      ({ query }) => rulesView(query.workspace === undefined ? null : projectAt(query.workspace)),
      {
        query: object({ workspace: Type.Optional(WORKSPACE) }),
        detail: { summary: "The user's rules, and with `workspace` those of its project" },
      },
    )
    .put(
      "/permissions/rules",
      async ({ body, request }) => {
        await engine.rules.replaceGlobal(body.rules, request.signal);
        return rulesView(null);
      },
      {
        body: object({
          rules: Type.Array(RULE, {
            maxItems: 500,
            description: "in order: the first that fits counts, but a deny always does",
          }),
        }),
        detail: { summary: "Replace the user's rules" },
      },
    )
    .get("/projects/trust", () => ({ trusted: trustedProjects(home) }), {
      detail: { summary: "The settings files of projects that the user trusts" },
    })
    .post(
      "/projects/trust",
      ({ body }) => {
        const file = projectConfigPath(projectAt(body.workspace));
        if (body.trusted === false) {
          if (!forgetProject(home, file))
            throw new EngineError("not_found", `${file} was not trusted`);
          return { ok: true, file, trusted: false, sha256: null };
        }
        return { ok: true, file, trusted: true, sha256: trustProject(home, file, body.sha256) };
      },
      {
        body: object({
          workspace: WORKSPACE,
          trusted: Type.Optional(
            Type.Boolean({ description: "false: no longer; true by default" }),
          ),
          sha256: field("of the file that was looked at: another content is refused"),
        }),
        detail: {
          summary:
            "Trust what is in a project's settings file now: its rules may allow things then",
        },
      },
    );
};
