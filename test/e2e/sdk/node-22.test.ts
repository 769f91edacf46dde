import { describeWith } from '../../support/tools.js';
import { describeNode } from './node.js';

describeWith('node-22', 'the SDK in Node 22', (nodeBinary) => describeNode(nodeBinary, 22));
