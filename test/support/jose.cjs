// What is used of `jose`, by jwks-rsa too. That requires it, and it is an ES module: Node can do that, Jest can only import it.
const jose = () => import('../../node_modules/jose/dist/webapi/index.js');

exports.importJWK = async (...given) => (await jose()).importJWK(...given);
exports.exportSPKI = async (...given) => (await jose()).exportSPKI(...given);
exports.compactVerify = async (...given) => (await jose()).compactVerify(...given);
