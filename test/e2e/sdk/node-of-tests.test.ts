import { describe } from '@jest/globals';
import { describeNode } from './node.js';

describe(`the SDK in the Node of the tests, ${process.version}`, () => {
  describeNode(process.execPath, Number.parseInt(process.versions.node, 10));
});
