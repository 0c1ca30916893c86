/** A call of a program as it is judged. */

/** `given`: what follows the program, as far as it can be seen. `repeated`: for each of many things. */
export type ProgramCall = { program: string; given: readonly string[]; repeated: boolean };

export const has = (given: readonly string[], flag: RegExp): boolean =>
  given.some((word) => flag.test(word));
