/** What an import of a WebAssembly file with `type: "file"` is: its path, in the executable as well. */
declare module "*.wasm" {
  const path: string;
  export = path;
}
