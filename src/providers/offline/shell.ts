/** Parts of shell commands: quoting, and listing a workspace's files. */

/** One word for the shell, whatever it contains. */
export const quote = (text: string): string =>
  /^[\w./][\w./-]*$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;

/** A path that no program takes for an option. */
const asOperand = (path: string): string => (path.startsWith("/") ? path : `./${path}`);

/**
 * Prints the files at `place` (null: the whole workspace), each ended by NUL. Git's list where git has
 * one: tracked files, also deleted ones, and untracked ones that are not ignored.
 *
 * Each stage of a pipe is one plain command, so that any login shell can run it; scripts are for `sh`.
 */
export const listFiles = (place: string | null): string =>
  `sh -c 'if git ls-files -co --exclude-standard -- "$1" 2>/dev/null | grep -q .
then git ls-files -z -co --exclude-standard -- "$1"
else find "$1" -name .git -prune -o -name node_modules -prune -o -type f -print0
fi' sh ${quote(place === null ? "." : asOperand(place))}`;

/** FILES_PER_BATCH keeps the growing argument list of `selectFiles` cheap. */
const FILES_PER_BATCH = 500;

/**
 * Runs `command` on the regular files among those that come in, `"$@"` being their paths, each with a
 * `./` in front. `patterns` are those of the shell, matched against the path.
 */
export const selectFiles = (patterns: readonly string[], command: string): string =>
  `xargs -0 -n ${FILES_PER_BATCH} sh -c 'for f do
  shift
  case /$f in
    */node_modules/*) ;;
    ${patterns.join(" | ")}) if [ -f "$f" ] && [ ! -L "$f" ]; then set -- "$@" "./\${f#./}"; fi ;;
  esac
done
if [ $# -gt 0 ]; then ${command} "$@"; fi' sh`;
