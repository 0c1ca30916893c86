/** Messages of several parts: texts, images, quoted files. */
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { startEngine, type TestEngine } from "../support/engine.ts";
import { type FakeProvider, startFakeProvider } from "../support/fake-provider.ts";
import { textOf } from "../support/sse.ts";
import { bodyOf, fakeSession, historyOf } from "../support/turns.ts";

const PNG =
  "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
const SEES = { chat: "gpt-4o", responses: "gpt-4o", messages: "claude-sonnet-4-5" } as const;

let e: TestEngine;
let fake: FakeProvider;
beforeAll(async () => {
  e = await startEngine();
  writeFileSync(join(e.workspace, "pixel.png"), Buffer.from(PNG, "base64"));
  writeFileSync(join(e.workspace, "notes.txt"), "first line\nsecond line\n");
  writeFileSync(join(e.workspace, "bytes.bin"), new Uint8Array([0xff, 0xfe, 0x00, 0x80]));
  writeFileSync(join(e.home, "outside.txt"), "not for the model\n");
  symlinkSync(join(e.home, "outside.txt"), join(e.workspace, "link.txt"));
  mkdirSync(join(e.workspace, "folder"));
});
afterAll(() => e.stop());
beforeEach(async () => {
  fake = await startFakeProvider();
});
afterEach(() => fake.stop());

const parts = [
  { type: "text", text: "What is this?" },
  { type: "image", data: PNG, media_type: "image/png" },
  { type: "image", path: "pixel.png" },
  { type: "file", path: "notes.txt" },
];
const text = 'What is this?\n\n<file path="notes.txt">\nfirst line\nsecond line\n\n</file>';

test("chat completions get texts and images as they stand", async () => {
  const id = await fakeSession(e, fake, { model: SEES.chat });
  await e.turn(id, parts);
  const url = `data:image/png;base64,${PNG}`;
  const { content } = fake.requests[0]!.body.messages.at(-1);
  expect(content).toContainEqual({ type: "text", text });
  expect(content.filter((part: { type: string }) => part.type === "image_url")).toEqual([
    { type: "image_url", image_url: { url } },
    { type: "image_url", image_url: { url } },
  ]);
});

test("responses get texts and images as they stand", async () => {
  const id = await fakeSession(e, fake, { protocol: "responses", model: SEES.responses });
  await e.turn(id, parts);
  const { content } = fake.requests[0]!.body.input.at(-1);
  expect(content).toContainEqual({ type: "input_text", text });
  const images = content.filter((part: { type: string }) => part.type === "input_image");
  expect(images).toHaveLength(2);
  for (const image of images) expect(image.image_url).toBe(`data:image/png;base64,${PNG}`);
});

test("messages get texts and images as they stand", async () => {
  const id = await fakeSession(e, fake, { protocol: "messages", model: SEES.messages });
  await e.turn(id, parts);
  const { content } = fake.requests[0]!.body.messages.at(-1);
  const source = { type: "base64", media_type: "image/png", data: PNG };
  const images = content.filter((part: { type: string }) => part.type === "image");
  expect(images.map((image: { source: object }) => image.source)).toEqual([source, source]);
  expect(content.find((part: { type: string }) => part.type === "text").text).toBe(text);
});

test("a model that sees nothing is told that there was an image", async () => {
  const id = await fakeSession(e, fake, { model: "gpt-oss" });
  await e.turn(id, parts);
  const sent = JSON.stringify(fake.requests[0]?.body);
  expect(sent).not.toContain(PNG);
  expect(sent).toContain("cannot see images");
});

test("the history shows the text, and of images their types", async () => {
  const id = await e.newSession();
  await e.turn(id, parts);
  expect((await historyOf(e, id))[0]).toMatchObject({
    role: "user",
    content: text,
    metadata: { images: ["image/png", "image/png"] },
  });
});

test("images are still there for the next message, and after a restart", async () => {
  const own = await startEngine({
    files: {
      ".kollab/config.json": JSON.stringify({
        kollabor: {
          llm: {
            profiles: {
              fake: { provider: "custom", model: SEES.chat, base_url: fake.baseUrl("chat") },
            },
          },
        },
      }),
    },
  });
  try {
    const id = await own.newSession({ profile: "fake" });
    await own.turn(id, [{ type: "image", data: PNG }]);
    await own.restart();
    await own.turn(id, "and now?");
    expect(JSON.stringify(fake.requests[1]?.body.messages[0])).toContain(PNG);
  } finally {
    await own.stop();
  }
});

test("a part that cannot be read is refused with its place, and nothing has begun", async () => {
  const id = await e.newSession();
  const wrong: [object, RegExp?][] = [
    [{ type: "file", path: "missing.txt" }],
    [{ type: "file", path: "../home/outside.txt" }],
    [{ type: "file", path: join(e.home, "outside.txt") }],
    [{ type: "file", path: "link.txt" }],
    [{ type: "file", path: "folder" }],
    [{ type: "file", path: "bytes.bin" }],
    [{ type: "image", path: "../workspace/../home/outside.txt" }],
    [{ type: "image", path: "notes.txt" }, /no PNG, JPEG, GIF or WebP/],
    [{ type: "image", data: "not base64!" }, /base64/],
    [{ type: "image", data: Buffer.from("plain text").toString("base64") }, /no PNG/],
    [{ type: "image" }, /'data' .* or 'path'/],
  ];
  for (const [part, message] of wrong) {
    const body = { content: [{ type: "text", text: "look" }, part] };
    const response = await e.call("POST", `/sessions/${id}/message`, body);
    expect(response.status).toBe(422);
    const { detail, code } = await bodyOf(response);
    expect(code).toBe("invalid_request");
    expect(detail[0].loc).toEqual(["body", "content", 1]);
    if (message) expect(detail[0].msg).toMatch(message);
    expect(JSON.stringify(detail)).not.toContain("not for the model");
  }
  expect(await historyOf(e, id)).toEqual([]);
  expect((await e.json("GET", `/sessions/${id}/runs`)).runs).toEqual([]);
});

test("content of another shape is refused with its place", async () => {
  const id = await e.newSession();
  for (const content of [
    5,
    null,
    [],
    [{ type: "video", url: "x" }],
    [{ type: "text" }],
    [{ type: "file" }],
    [{ type: "image", data: 5 }],
    Array.from({ length: 101 }, () => ({ type: "text", text: "x" })),
  ]) {
    const response = await e.call("POST", `/sessions/${id}/message`, { content });
    expect(response.status).toBe(422);
    expect((await bodyOf(response)).detail[0].loc.slice(0, 2)).toEqual(["body", "content"]);
  }
});

test("an empty text is a message, on every protocol", async () => {
  for (const protocol of ["chat", "responses", "messages"] as const) {
    const id = await fakeSession(e, fake, { protocol });
    fake.reply("you said nothing");
    expect(textOf(await e.turn(id, ""))).toBe("you said nothing");
    expect((await historyOf(e, id))[0]).toMatchObject({ role: "user", content: "" });
  }
});
