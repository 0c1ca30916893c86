/** What a container is given of the computer that it runs on. */
import { has, type ProgramCall } from "./program-call.ts";

/** What of the host a container may have. */
const HOST_PLACES =
  /^(?:\/|~\/?|\/(?:etc|usr|bin|boot|dev|proc|sys|root|var|home|users|run)(?:\/.*)?|~\/\.(?:ssh|aws|kube|config|kollab|docker|gnupg).*|.*docker\.sock)(?::|$)/i;

export function usingContainers({ program, given }: ProgramCall): string | null {
  if (
    has(
      given,
      /^--privileged|^--(?:pid|ipc|uts|userns|network|net)=host$|^--cap-add|^--security-opt|^--device/,
    )
  )
    return "gives a container rights on the host";
  const down = given.indexOf("down");
  const composes = program === "docker-compose" || given.slice(0, down).includes("compose");
  if (down !== -1 && composes && has(given.slice(down + 1), /^-[a-z]*v|^--volumes/))
    return "removes the data of containers";
  const mounted = given.flatMap((word, index) => {
    const before = given[index - 1] ?? "";
    if (before === "-v" || before === "--volume") return [word];
    if (/^(?:-v|--volume=)./.test(word)) return [word.replace(/^(?:-v|--volume=)/, "")];
    const mount =
      before === "--mount" || word.startsWith("--mount=")
        ? /(?:source|src)=([^,]*)/.exec(word)
        : null;
    return mount ? [mount[1] ?? ""] : [];
  });
  return has(mounted, HOST_PLACES) ? "gives a container files of the host" : null;
}
