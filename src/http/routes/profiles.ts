/** Provider profiles, without their secrets. */
import { Type } from "@sinclair/typebox";
import { Elysia } from "elysia";
import { describeProfile, envVarHints } from "../../config/profile-view.ts";
import { EngineError } from "../../domain/errors.ts";
import type { Engine } from "../../engine.ts";
import { object } from "../schemas.ts";

export const profileRoutes = ({ profiles, options }: Engine) =>
  new Elysia({ prefix: "/profiles", tags: ["profiles"] })
    .get(
      "",
      () => {
        const all = profiles.list().map(describeProfile);
        return { profiles: all, active: profiles.active(), count: all.length };
      },
      { detail: { summary: "All profiles" } },
    )
    .get(
      "/:name",
      ({ params: { name } }) => {
        const profile = profiles.get(name);
        if (profile === null) throw new EngineError("not_found", `Profile '${name}' not found`);
        return {
          ...describeProfile(profile),
          env_var_hints: envVarHints(name, options.env),
          is_active: profiles.active() === name,
        };
      },
      {
        params: object({ name: Type.String({ maxLength: 200 }) }),
        detail: { summary: "One profile, and the variables that change it" },
      },
    );
