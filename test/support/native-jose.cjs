// Loaded by Node itself, since Jest cannot require an ES module before Node 24.9.
const { createRequire } = process.getBuiltinModule('node:module');

module.exports = createRequire(__filename)('jose');
