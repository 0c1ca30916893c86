/** Kinds of files by their names, called as ripgrep calls them. */

const TYPES: Record<string, string> = {
  c: "*.{c,h} *.[ch].in *.cats",
  clojure: "*.{clj,cljc,cljs,cljx}",
  cmake: "*.cmake CMakeLists.txt",
  cpp: "*.{C,H,cc,cpp,cxx,c++,hh,hpp,hxx,h++,h,inl}",
  cs: "*.cs",
  csharp: "*.cs",
  css: "*.{css,scss}",
  csv: "*.csv",
  dart: "*.dart",
  docker: "*Dockerfile*",
  elixir: "*.{ex,eex,exs,heex,leex}",
  elm: "*.elm",
  erlang: "*.{erl,hrl}",
  go: "*.go",
  graphql: "*.{graphql,graphqls}",
  groovy: "*.{groovy,gradle}",
  haskell: "*.{hs,lhs,cpphs,c2hs}",
  html: "*.{htm,html,ejs}",
  java: "*.{java,jsp,jspx,properties}",
  js: "*.{js,jsx,mjs,cjs,vue}",
  json: "*.{json,sarif} composer.lock",
  julia: "*.jl",
  kotlin: "*.{kt,kts}",
  less: "*.less",
  lisp: "*.{el,jl,lisp,lsp,sc,scm}",
  log: "*.log",
  lua: "*.lua",
  make: "*.{mk,mak} [Gg][Nn][Uu]makefile [Mm]akefile [Mm]akefile.* Makefile.*",
  markdown: "*.{markdown,md,mdown,mdwn,mdx,mkd,mkdn}",
  md: "*.{markdown,md,mdown,mdwn,mdx,mkd,mkdn}",
  nix: "*.nix",
  objc: "*.{h,m}",
  ocaml: "*.{ml,mli,mll,mly}",
  perl: "*.{perl,pl,PL,plh,plx,pm,t}",
  php: "*.{php,php3,php4,php5,php7,php8,pht,phtml}",
  protobuf: "*.proto",
  py: "*.{py,pyi}",
  python: "*.{py,pyi}",
  r: "*.{R,r,Rmd,Rnw}",
  rst: "*.rst",
  ruby: "*.{gemspec,rb,rbw} Gemfile Rakefile config.ru .irbrc",
  rust: "*.rs",
  sass: "*.{sass,scss}",
  scala: "*.{scala,sbt}",
  sh: "*.{bash,csh,ksh,sh,tcsh,zsh,bashrc,zshrc} .bashrc .profile .zshrc",
  sql: "*.{sql,psql}",
  svelte: "*.svelte",
  swift: "*.swift",
  tf: "*.{tf,tf.json,tfvars,tfvars.json} *.auto.tfvars terraform.rc .terraformrc",
  toml: "*.toml Cargo.lock",
  ts: "*.{ts,tsx,cts,mts}",
  txt: "*.txt",
  typescript: "*.{ts,tsx,cts,mts}",
  vue: "*.vue",
  xml: "*.{xml,dtd,xsl,xslt,xsd,xjb,rng,sch,xhtml}",
  yaml: "*.{yaml,yml}",
  zig: "*.zig",
};

/** Names that models use for one of the above. */
const OTHER_NAMES: Record<string, string> = {
  bash: "sh",
  dockerfile: "docker",
  golang: "go",
  javascript: "js",
  jsx: "js",
  mjs: "js",
  rb: "ruby",
  rs: "rust",
  shell: "sh",
  terraform: "tf",
  text: "txt",
  tsx: "ts",
  yml: "yaml",
};

export const TYPE_NAMES = Object.keys(TYPES);

/** As globs; null: there is no such type. */
export function globsOfType(type: string): string[] | null {
  const name = type.toLowerCase();
  const known = Object.hasOwn(OTHER_NAMES, name) ? (OTHER_NAMES[name] ?? name) : name;
  return Object.hasOwn(TYPES, known) ? (TYPES[known] ?? "").split(" ") : null;
}
