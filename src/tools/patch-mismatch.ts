/** Why a hunk does not match: what it expects, and what is in the place that comes closest. */
import { quotedPath } from "../lib/shown.ts";
import { DetailedFailure } from "./file-plan.ts";
import type { Hunk } from "./patch-parts.ts";
import { closestRegion } from "./similar-text.ts";
import { cutLine, lineAt, numbered } from "./text.ts";
import { canonical, differences } from "./text-difference.ts";

/** Lines of the hunk by which places are found, and places that are compared. */
const PROBES_MAX = 5;
const PLACES_MAX = 100;
const COMPARED_LINES_MAX = 100;
/** Lines that are compared without their form, which takes longer. */
const LOOSE_LINES_MAX = 20_000;
const SHOWN_LINES_MAX = 12;

export function mismatch(
  path: string,
  lines: readonly string[],
  hunk: Hunk,
  old: readonly string[],
  from: number,
): DetailedFailure {
  const problem = `Nothing changed: ${hunk.label} of ${quotedPath(path)} does not match`;
  const place = closestPlace(lines, hunk, old, from);
  if (place === null)
    return new DetailedFailure(
      problem,
      `None of its lines is in the file${from === 0 ? "" : ` after line ${from}`}. It begins with\n  ${cutLine(old[0] ?? "")}\nRead the file first.`,
    );
  const found = lines.slice(place, place + old.length);
  const index = old.findIndex((line, at) => line !== found[at]);
  // All of it is there, but not where the hunk wants it.
  if (index === -1)
    return new DetailedFailure(
      problem,
      `It is to be at the end of the file, and its lines are in line ${place + 1}.`,
    );
  const names = differences(old.slice(0, COMPARED_LINES_MAX), found.slice(0, COMPARED_LINES_MAX));
  const form =
    names === null || names.length === 0 ? "" : `, which differs only in ${names.join(" and ")}`;
  const is =
    found[index] === undefined ? "The file ends" : `The file has\n  ${cutLine(found[index])}`;
  const shown = found.slice(0, SHOWN_LINES_MAX);
  return new DetailedFailure(
    `${problem}: closest is line ${place + index + 1}${form}`,
    `${is}\nwhere the patch has\n  ${cutLine(old[index] ?? "")}\n\n${numbered(shown, place + 1)}`,
  );
}

/** `score`: how many of the hunk's lines are there; those that are similar count in part. */
type Place = { place: number; score: number };

/** Where most of the lines are as the hunk has them, or else similar; null: nothing like it is anywhere. */
function closestPlace(
  lines: readonly string[],
  hunk: Hunk,
  old: readonly string[],
  from: number,
): number | null {
  const equal = equalPlace(lines, hunk, old, from);
  // A few equal lines, such as closing brackets, are in many places.
  if (equal && equal.score * 2 > Math.min(old.length, COMPARED_LINES_MAX)) return equal.place;
  const similar = similarPlace(lines, old, from);
  const best = similar && similar.score > (equal?.score ?? 0) ? similar : equal;
  return best?.place ?? null;
}

function equalPlace(
  lines: readonly string[],
  { oldStart }: Hunk,
  old: readonly string[],
  from: number,
): Place | null {
  const forms = old.slice(0, COMPARED_LINES_MAX).map(canonical);
  const places = new Set(placesOf(lines, old, from, (line) => line));
  if (places.size === 0)
    for (const place of placesOf(lines.slice(0, LOOSE_LINES_MAX), forms, from, canonical))
      places.add(place);
  if (oldStart !== null && oldStart > from) places.add(oldStart - 1);
  let best: Place | null = null;
  for (const place of places) {
    const score = forms.filter((form, at) => canonical(lines[place + at] ?? "\0") === form).length;
    if (score > (best?.score ?? 0)) best = { place, score };
  }
  return best;
}

function similarPlace(
  lines: readonly string[],
  old: readonly string[],
  from: number,
): Place | null {
  const text = lines.slice(from).join("\n");
  const region = closestRegion(text, old);
  if (region === null) return null;
  const place = from + lineAt(text, region.start) - 1;
  return { place, score: region.score * Math.min(old.length, COMPARED_LINES_MAX) };
}

/** The places where one of the longest lines would be right. */
function placesOf(
  lines: readonly string[],
  old: readonly string[],
  from: number,
  formOf: (line: string) => string,
): number[] {
  const probes = new Map(
    [...old.entries()]
      .filter(([, line]) => line.trim() !== "")
      .sort(([, a], [, b]) => b.length - a.length)
      .slice(0, PROBES_MAX)
      .map(([index, line]) => [line, index]),
  );
  const places: number[] = [];
  for (let at = from; at < lines.length && places.length < PLACES_MAX; at += 1) {
    const index = probes.get(formOf(lines[at] ?? ""));
    if (index !== undefined && at - index >= from) places.push(at - index);
  }
  return places;
}
