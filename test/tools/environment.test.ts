import { expect, test } from "bun:test";
import { toolEnvironment } from "../../src/tools/environment.ts";

const namesKept = (names: string[], value = "x") =>
  Object.keys(toolEnvironment(Object.fromEntries(names.map((name) => [name, value]))));

test("what programs need to run stays", () => {
  const needed = [
    "PATH",
    "HOME",
    "LANG",
    "LC_ALL",
    "TERM",
    "TZ",
    "USER",
    "SHELL",
    "PWD",
    "CI",
    "EDITOR",
    "VIRTUAL_ENV",
    "NODE_ENV",
    "SSL_CERT_FILE",
    "SSH_AUTH_SOCK",
    "GIT_AUTHOR_NAME",
    "GIT_AUTHOR_EMAIL",
    "KEYBOARD",
  ];
  expect(namesKept(needed)).toEqual(needed);
});

test("what is named like a secret goes, in any case", () => {
  const secrets = [
    "OPENAI_API_KEY",
    "openai_base_url",
    "ANTHROPIC_CUSTOM_HEADERS",
    "GEMINI_API_KEY",
    "MISTRAL_APIKEY",
    "STRIPE_KEY",
    "AWS_PROFILE",
    "AZURE_TENANT",
    "GCP_PROJECT",
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GITHUB_TOKEN",
    "npm_token",
    "GITHUB_PAT",
    "DB_PASSWORD",
    "PGPASSWORD",
    "MYSQL_PWD",
    "DB_PASS",
    "GPG_PASSPHRASE",
    "CLIENT_SECRET",
    "NPM_CONFIG__AUTH",
    "XAUTHORITY",
    "SESSION_COOKIE",
    "SSH_PRIVATE_KEY",
    "MY_PRIVATE_THING",
    "DATABASE_URL",
    "SENTRY_DSN",
    "KOLLAB_TOKEN",
    "KOLLAB_CODER_API_KEY",
    "KOLLABOR_HOME",
    "BUN_BE_BUN",
    "BUN_OPTIONS",
    "SESSION_JWT",
    "SLACK_WEBHOOK_URL",
    "STRIPE_SK",
  ];
  expect(namesKept(secrets)).toEqual([]);
});

test("a URL with a password in it goes, but for a proxy", () => {
  const url = "postgres://me:pass@db.example/x";
  expect(namesKept(["STORAGE", "https_proxy", "HTTP_PROXY"], url)).toEqual([
    "https_proxy",
    "HTTP_PROXY",
  ]);
  expect(namesKept(["HOMEPAGE"], "https://example.com:8080/a@b")).toEqual(["HOMEPAGE"]);
});

test("a value that looks like a key goes, whatever it is called", () => {
  const keys = [
    "sk-ant-api03-0123456789abcdef",
    "ghp_0123456789abcdefghij0123456789abcdef",
    "github_pat_0123456789abcdefghij",
    "xoxb-123456789012-abcdef",
    "AKIAIOSFODNN7EXAMPLE",
    "Bearer eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl",
  ];
  for (const key of keys) expect(namesKept(["LLM"], key)).toEqual([]);
  const harmless = [
    "task-management-for-everyone",
    "sk-learn",
    "/srv/ghp_x",
    "eyJ",
    "disk-0123456789abcdef0",
  ];
  for (const value of harmless) expect(namesKept(["LLM"], value)).toEqual(["LLM"]);
});

test("values stay as they are, and what is not set stays so", () => {
  expect(toolEnvironment({ A: "", B: undefined, C: "x=y" })).toEqual({ A: "", C: "x=y" });
});
