/** Real pipes. What Bun calls "pipe" is a socket, and a child cannot open a socket as /dev/stdout. */

export type Pipe = { readEnd: number; writeEnd: number };

const C_LIBRARIES: Partial<Record<NodeJS.Platform, string>> = {
  linux: "libc.so.6",
  darwin: "libSystem.B.dylib",
};

/**
 * Both ends belong to the caller; children get only what they are handed, because Bun closes all else
 * when it spawns. null: the C library is not found under its usual name, as on musl.
 */
export async function openPipe(): Promise<Pipe | null> {
  // Loaded here, because an engine that never runs a command can do without it.
  const { dlopen, ptr } = await import("bun:ffi");
  const library = openLibrary((path) => dlopen(path, { pipe: { args: ["ptr"], returns: "i32" } }));
  if (!library) return null;
  const ends = new Int32Array(2);
  const failed = library.symbols.pipe(ptr(ends)) !== 0;
  library.close();
  const [readEnd, writeEnd] = ends;
  if (failed || readEnd === undefined || writeEnd === undefined)
    throw new Error("Cannot open a pipe: too many open files");
  return { readEnd, writeEnd };
}

function openLibrary<Library>(open: (path: string) => Library): Library | null {
  const path = C_LIBRARIES[process.platform];
  if (!path) return null;
  try {
    return open(path);
  } catch {
    // Another C library: the caller has a way without.
    return null;
  }
}
