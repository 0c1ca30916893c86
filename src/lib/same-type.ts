/** Comparing types, for what has to be said twice: as a type and as a schema. */

type KeysOf<T> = T extends unknown ? keyof T : never;

/** Members and fields that only one of the two has; `never` where there are none. */
export type Unlike<One, Other> =
  | Exclude<One, Other>
  | Exclude<Other, One>
  | Exclude<KeysOf<One>, KeysOf<Other>>
  | Exclude<KeysOf<Other>, KeysOf<One>>;

/** Does not compile while there is anything left, and the error shows it. */
export type Nothing<Left extends never> = Left;
