import { readJsonLine } from '../../support/proxies/describe-logs.js';
import { describeProxy } from '../../support/proxies/describe-proxy.js';
import { describeReadiness } from '../../support/proxies/describe-readiness.js';
import { startHaproxy, startHaproxyWith } from '../../support/proxies/haproxy.js';

describeProxy('haproxy', startHaproxy, {
  accessLog: 'haproxy stdout',
  // Beside requests it tells there of nodes that go and come.
  readLine: (line) => (line.startsWith('{') ? readJsonLine(line) : null),
});

describeReadiness('haproxy', startHaproxyWith, {
  naive: [
    [
      `"path":"%[var(txn.path)]","status":%ST,"bytes":%B,"ms":%Ta,"server":"%b/%s","end":"%tsc"}'`,
      `"path":"%HU"}'`,
    ],
  ],
  limit: [['gt 3000', 'gt 0']],
});
