/** Shows a feed of events as they come, and asks about the tool calls in it. */
import type { EngineEvent, StreamNotice } from "../domain/events.ts";
import type { Received } from "./event-feed.ts";
import type { PermissionPrompts } from "./permission-prompts.ts";
import type { Screen } from "./screen.ts";
import type { TurnView } from "./turn-view.ts";

export type Watching = {
  view: TurnView;
  screen: Screen;
  /** Null: others are to answer. */
  prompts: PermissionPrompts | null;
};

/** Resolves with the feed's last event; null: there was none. Throws what the feed throws. */
export async function watch(
  feed: AsyncIterable<Received>,
  { view, screen, prompts }: Watching,
): Promise<EngineEvent | StreamNotice | null> {
  let last: EngineEvent | StreamNotice | null = null;
  try {
    for await (const received of feed) {
      await view.show(received);
      prompts?.see(received.event);
      last = received.event;
    }
    return last;
  } finally {
    await prompts?.close();
    await screen.endLine();
  }
}
