import { expect, test } from "bun:test";
import {
  azureTakesStreamOptions,
  knownNotToReason,
  knownToReason,
  messagesSampling,
  modelSees,
  outputTokens,
} from "../../src/providers/catalog.ts";

test.each([
  "gpt-3.5-turbo",
  "gpt-4-0613",
  "o1-mini",
  "openai/o3-mini",
  "gpt-oss-20b",
  "deepseek/deepseek-v3.2",
  "qwen3-4b",
  "qwen2.5-coder:7b",
  "llama3.1:8b",
  "meta-llama/llama-3.3-70b-instruct",
  "mistral-7b",
  "gemma2:9b",
  "glm-5",
  "kimi-k2-0905",
])("%s is known to be blind", (model) => {
  expect(modelSees(model)).toBe(false);
});

test.each([
  "gpt-5.4",
  "gpt-4o",
  "gpt-4-turbo",
  "o3",
  "claude-sonnet-4-6",
  "gemini-3.1-pro-preview",
  "qwen3-vl-8b",
  "qwen2.5vl:7b",
  "deepseek-vl2",
  "llama-3.2-11b-vision",
  "llama4:scout",
  "gemma-3-4b",
  "glm-4.6v",
  "kimi-k2.5",
  "grok-4-1-fast-reasoning",
  "somebodys-model",
])("%s sees, or may", (model) => {
  expect(modelSees(model)).toBe(true);
});

test("OpenAI's reasoning models are told from those that chat", () => {
  for (const model of ["o1", "o3-mini", "o4-mini", "gpt-5", "openai/gpt-5.4", "gpt-5-codex"])
    expect([model, knownToReason(model), knownNotToReason(model)]).toEqual([model, true, false]);
  for (const model of ["gpt-4o", "gpt-35-turbo", "gpt-5-chat-latest", "chatgpt-4o-latest"])
    expect([model, knownToReason(model), knownNotToReason(model)]).toEqual([model, false, true]);
  expect([knownToReason("qwen3-4b"), knownNotToReason("qwen3-4b")]).toEqual([false, false]);
});

test("what a Messages server takes of temperature and top_p", () => {
  const old = "2023-06-01";
  expect(messagesSampling("claude-sonnet-4-6", "2026-10-21")).toBe("none");
  expect(messagesSampling("claude-sonnet-4-6", old)).toBe("one");
  expect(messagesSampling("claude-haiku-4-5-20251001", old)).toBe("one");
  expect(messagesSampling("claude-3-5-sonnet-latest", old)).toBe("both");
  expect(messagesSampling("claude-opus-4-20250514", old)).toBe("both");
  expect(messagesSampling("claude-opus-4-7", old)).toBe("none");
  expect(messagesSampling("claude-sonnet-5-5", old)).toBe("none");
  expect(messagesSampling("minimax-m2", old)).toBe("both");
});

test("old models get a shorter reply, old versions of Azure no stream options", () => {
  expect([outputTokens("gpt-4-0613"), outputTokens("gpt-4o")]).toEqual([4_096, 16_384]);
  expect(azureTakesStreamOptions("2024-02-15-preview")).toBe(false);
  expect(azureTakesStreamOptions("2024-10-21")).toBe(true);
});
