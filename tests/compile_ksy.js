// Compiles a Kaitai Struct description to Python: node compile_ksy.js FILE.ksy > MODULE.py
"use strict";
const fs = require("node:fs");
const compiler = require("kaitai-struct-compiler");
const yaml = require("js-yaml");

const description = yaml.load(fs.readFileSync(process.argv[2], "utf8"));
compiler.compile("python", description, null, false).then(
  (files) => process.stdout.write(Object.values(files)[0]),
  (error) => {
    process.stderr.write(`${error}\n`);
    process.exitCode = 1;
  },
);
