/** The environment that commands get: the engine's own without its secrets. */

/** What the name of a variable with a secret in it has somewhere. */
const SECRET_PARTS = [
  "API_KEY",
  "APIKEY",
  "SECRET",
  "TOKEN",
  "PASSWORD",
  "PASSWD",
  "PASSPHRASE",
  "CREDENTIAL",
  "AUTH",
  "COOKIE",
  "PRIVATE",
  "JWT",
  "WEBHOOK_URL",
  "CONNECTION_STRING",
  "DATABASE_URL",
  "AWS_",
  "AZURE_",
  "GCP_",
  "ANTHROPIC_",
  "OPENAI_",
];

/** … or what it begins or ends with. `BUN_…` could turn a compiled engine into something else. */
const SECRET_NAME = /^KOLLAB|^BUN_(BE_BUN|OPTIONS)$|(^|_)(KEYS?|PASS|PWD|PAT|DSN|SK)$/;

/** Named like a secret, needed, and none: git signs in and names authors with these. */
const HARMLESS_NAME = /^(PWD|SSH_AUTH_SOCK|GIT_AUTHOR_(NAME|EMAIL|DATE))$/;

/** Values that are keys by their looks, whatever they are called: of models, GitHub, Slack, AWS; and JWTs. */
const KEY =
  /(?:^|[^\w-])(?:sk-[\w-]{16}|gh[opsur]_\w{16}|github_pat_\w{16}|xox[a-z]-[\w-]{10}|A[KS]IA[A-Z\d]{16}|eyJ[\w-]{8,4096}\.[\w-]{8})/;

/** A password inside a URL. Proxies are exempt: without them nothing reaches the network. */
const URL_WITH_PASSWORD = /:\/\/[^/\s:@]*:[^/\s@]+@/;
const PROXY_NAME = /^(HTTPS?|ALL|FTP)_PROXY$/;

export function toolEnvironment(
  environment: Record<string, string | undefined>,
): Record<string, string> {
  const kept: Record<string, string> = {};
  for (const [name, value] of Object.entries(environment))
    if (value !== undefined && !isSecret(name.toUpperCase(), value)) kept[name] = value;
  return kept;
}

/**
 * For Git any folder with the files of a repository is one, whose settings say what `git status` runs: a clone
 * may bring such a folder along, and tools that write files could make one. With this, only those in a `.git`,
 * which these tools never write, are used without being named.
 */
export function withGuardedGit(environment: Record<string, string>): Record<string, string> {
  const count = Number(environment.GIT_CONFIG_COUNT ?? 0);
  // Git does not run with a count that is none.
  if (!Number.isInteger(count) || count < 0) return environment;
  return {
    ...environment,
    GIT_CONFIG_COUNT: String(count + 1),
    [`GIT_CONFIG_KEY_${count}`]: "safe.bareRepository",
    [`GIT_CONFIG_VALUE_${count}`]: "explicit",
  };
}

function isSecret(name: string, value: string): boolean {
  if (HARMLESS_NAME.test(name)) return false;
  if (SECRET_NAME.test(name) || SECRET_PARTS.some((part) => name.includes(part))) return true;
  if (KEY.test(value)) return true;
  return URL_WITH_PASSWORD.test(value) && !PROXY_NAME.test(name);
}
