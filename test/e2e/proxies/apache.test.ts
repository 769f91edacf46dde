import { expect, it } from '@jest/globals';
import { startApache, startApacheWith } from '../../support/proxies/apache.js';
import { attemptsOf } from '../../support/proxies/attempts-of.js';
import { describeProxy } from '../../support/proxies/describe-proxy.js';
import { leaksOf } from '../../support/proxies/leaks-of.js';
import { describeWith } from '../../support/tools.js';

describeProxy('apache2', startApache, { accessLog: 'access.log' });

describeWith('apache2', 'the search for tokens in the logs of Apache httpd', (path) => {
  it('finds them in the usual format, and in a log of errors that tells of requests', async () => {
    const leaks = await leaksOf((options) =>
      startApacheWith(path, options, [
        ['access.log sluice', 'access.log "%h \\"%r\\" %>s"'],
        ['ErrorLog /dev/null', 'ErrorLog naive.log', 2],
        ['LogLevel emerg', 'LogLevel info', 2],
      ]),
    );
    expect(leaks).toEqual(['access.log', 'naive.log']);
  });
});

describeWith('apache2', 'Apache httpd in front of two nodes', (path) => {
  it('never sends again what it has sent', async () => {
    const attempts = await attemptsOf((options) => {
      const second = `BalancerMember http://localhost:${options.upstreamPort} retry=0`;
      return startApacheWith(path, options, [
        ['<Proxy balancer://sluice>', `<Proxy balancer://sluice>\n${second}`],
      ]);
    });
    expect(attempts).toEqual({ GET: 1, POST: 1 });
  });
});
