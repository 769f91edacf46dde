import { describeWith } from '../../support/tools.js';
import { describeNode } from './node.js';

describeWith('node-24', 'the SDK in Node 24', (nodeBinary) => describeNode(nodeBinary, 24));
