/** What every provider wants of a conversation: nothing empty, legal names, no images for a blind model. */
import type { Message } from "../domain/messages.ts";

const NO_TEXT = "(empty message)";
const NO_OUTPUT = "(no output)";
const NO_NAME = "unnamed";
/** Providers take no longer name of a tool. */
const TOOL_NAME_CHARS_MAX = 64;
const UNSEEN = "(An image was here. This model cannot see images.)";

/** The conversation with every message fit to be sent; what has nothing to say is left out. */
export function sendable(messages: readonly Message[], sees: boolean): Message[] {
  return messages.map((message) => fit(message, sees)).filter((message) => !isVoid(message));
}

function fit(message: Message, sees: boolean): Message {
  if (message.role === "assistant")
    return {
      ...message,
      toolCalls: message.toolCalls.map((call) => ({ ...call, name: legalName(call.name) })),
    };
  if (message.role === "tool") return fitOutput(message, sees);
  const images = sees ? message.images : [];
  const lines = isBlank(message.text) ? [] : [message.text];
  if (images.length < message.images.length) lines.push(UNSEEN);
  if (lines.length + images.length === 0) lines.push(NO_TEXT);
  return { ...message, images, text: lines.join("\n") };
}

function fitOutput(message: Extract<Message, { role: "tool" }>, sees: boolean): Message {
  const { images, ...rest } = message;
  const lines = isBlank(message.output) ? [] : [message.output];
  if (images && !sees) lines.push(UNSEEN);
  return {
    ...rest,
    output: lines.join("\n") || NO_OUTPUT,
    ...(images && sees ? { images } : {}),
  };
}

/** A model may have called what no tool can be called, and its call still stands there. */
const legalName = (name: string): string =>
  name.replaceAll(/[^A-Za-z0-9_-]/g, "_").slice(0, TOOL_NAME_CHARS_MAX) || NO_NAME;

/** A reply that was cut before its first word; its reasoning alone is refused. */
const isVoid = (message: Message): boolean =>
  message.role === "assistant" && isBlank(message.text) && message.toolCalls.length === 0;

export const isBlank = (text: string): boolean => text.trim() === "";

export const dataUrl = (image: { mediaType: string; base64: string }): string =>
  `data:${image.mediaType};base64,${image.base64}`;
