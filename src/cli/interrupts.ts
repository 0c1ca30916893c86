/** Ctrl-C and its like: the first asks for the end, the second takes it. */

/** As shells say it: 128 and the number of the signal. */
export const EXIT_INTERRUPTED = 130;

/** Calls `first` at most once, until it is disposed of. */
export function onInterrupt(first: () => void): Disposable {
  let asked = false;
  const onSignal = () => {
    if (asked) process.exit(EXIT_INTERRUPTED);
    asked = true;
    first();
  };
  for (const signal of SIGNALS) process.on(signal, onSignal);
  return {
    [Symbol.dispose]() {
      for (const signal of SIGNALS) process.off(signal, onSignal);
    },
  };
}

const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;
