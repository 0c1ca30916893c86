/** Variables that make programs run other programs, or load other code, than they are called for. */
import type { Setting } from "./command-line.ts";
import { words } from "./options.ts";
import { literalWord, unknownWord } from "./words.ts";

const LOADERS =
  /^(?:LD_\w+|DYLD_\w+|BASH_ENV|ENV|ZDOTDIR|PROMPT_COMMAND|PS[0-4]|SHELLOPTS|BASHOPTS|BASH_FUNC_\w+|PYTHONSTARTUP|PYTHONHOME|PYTHONINSPECT|PERL5OPT|PERL5DB|RUBYOPT|JAVA_TOOL_OPTIONS|_JAVA_OPTIONS|JDK_JAVA_OPTIONS|GCONV_PATH|LOCPATH|GLIBC_TUNABLES|LESSOPEN|LESSCLOSE|RUSTC_WRAPPER|CARGO_BUILD_RUSTC_WRAPPER|TAR_OPTIONS|RSYNC_RSH|CURL_HOME|WGETRC|OPENSSL_CONF|NODE_PATH|GIT_SSH\w*|GIT_PROXY_COMMAND|GIT_EXTERNAL_DIFF|GIT_EXEC_PATH|GIT_TEMPLATE_DIR|GIT_CONFIG\w*|NPM_CONFIG_(?:SCRIPT_SHELL|SHELL|NODE_OPTIONS|GIT)|IFS_\w+)$/i;
/** Programs that are started to show or edit something; these do no harm. */
const HELPERS =
  /^(?:PAGER|MANPAGER|GIT_PAGER|EDITOR|VISUAL|GIT_EDITOR|GIT_SEQUENCE_EDITOR|BROWSER|GIT_ASKPASS|SSH_ASKPASS|SUDO_ASKPASS)$/;
const HARMLESS_HELPERS = words(
  "true false cat : less more vi vim nvim nano code echo /bin/true /bin/cat none",
);

/** Whether setting it makes other code run; `null`: not that is known. */
export function harmOfSetting({ name, value }: Setting): string | null {
  const text = value?.literal ?? null;
  const harm = `sets ${name}, which makes programs run other code`;
  if (LOADERS.test(name)) return text === "" ? null : harm;
  if (HELPERS.test(name)) return text === "" || HARMLESS_HELPERS.has(text ?? "?") ? null : harm;
  if (
    name === "NODE_OPTIONS" &&
    (text === null ||
      /(?:^|\s)-(?:r|-require|-import|-loader|-experimental-loader|-eval|e)\b/.test(text))
  )
    return harm;
  if (name === "PATH" && (value?.visible ?? []).some((each) => each.split(":").some(isForeign)))
    return harm;
  // Arithmetic runs what stands in such a text.
  return text !== null && /\$\(|`/.test(text) ? "keeps a text that may be run later" : null;
}

/** Where anybody or the project itself may have put programs; the folders of its tools are meant to be used. */
const isForeign = (folder: string): boolean =>
  /^(?:\/tmp|\/var\/tmp|\/dev\/shm)(?:\/|$)/.test(folder) ||
  (!/^[/~\0$]/.test(folder) && !TOOL_FOLDER.test(folder));

const TOOL_FOLDER = /^(?:\.\/)?(?:[\w.-]+\/)*(?:node_modules\/\.bin|\.?venv\/bin|vendor\/bin)\/?$/;

/** `export A=1` and `env A=1` have them among their words. */
export function settingsAmong(
  line: readonly { visible: readonly string[]; literal: string | null }[],
): Setting[] {
  return line.flatMap(({ visible, literal }) => {
    const [name = "", ...rest] = (visible[0] ?? "").split("=");
    if (rest.length === 0 || !/^\w+\+?$/.test(name)) return [];
    const text = rest.join("=");
    const value = literal === null ? unknownWord(text) : literalWord(text);
    return [{ name: name.replace("+", ""), value }];
  });
}
